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
    const { units, log, logger, concerns } = this.core;
    this.#fold = startUnitFold({
      registry: units,
      log,
      report: {
        foldFailed: (e) => logger.warn({ cause: innermostMessage(e) }, 'unit changes are not folded, retried'),
        changeSkipped: ({ offset, problems }) =>
          this.alarms.raise('unit_mismatch', { position: `${UNITS_STREAM}/0/${offset}`, errors: problems }),
        refolding: ({ next, low, high }) => {
          const place = { next: String(next), low: String(low), high: String(high) };
          this.alarms.raise('log_mismatch', { table: 'units', stream: UNITS_STREAM, partition: 0, ...place });
          concerns.note({
            subject: UNITS_STREAM,
            setting: 'fold of units',
            actual: `made again, or records lost: units folded up to ${next} are folded again from ${low} to ${high}`,
            needed: 'changes of units that were lost must be published again',
          });
        },
      },
      read: (from, limits) => readUnitChanges(this.core, from, limits),
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#fold?.stop();
  }
}
