import { CORE, type Core } from '#core';
import { innermostMessage } from '#faults';
import { startUnitFold, UNITS_STREAM } from '#units';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Alarms } from './alarms.js';
import { readUnitChanges } from './unit-changes.js';

/** Folds accepted changes of units into the table of units. */
@Injectable()
export class UnitFolder implements OnApplicationBootstrap, OnApplicationShutdown {
  #fold: ReturnType<typeof startUnitFold> | undefined;

  constructor(
    @Inject(CORE) private readonly core: Core,
    private readonly alarms: Alarms,
  ) {}

  onApplicationBootstrap(): void {
    const { units, logger } = this.core;
    this.#fold = startUnitFold({
      registry: units,
      report: {
        foldFailed: (e) => logger.warn({ cause: innermostMessage(e) }, 'unit changes are not folded, retried'),
        changeSkipped: ({ offset, problems }) =>
          this.alarms.raise('unit_mismatch', { position: `${UNITS_STREAM}/0/${offset}`, errors: problems }),
      },
      read: (from, limits) => readUnitChanges(this.core, from, limits),
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#fold?.stop();
  }
}
