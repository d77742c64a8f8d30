import { CORE, type Core } from '#core';
import { Inject, Injectable } from '@nestjs/common';

/** What a person must look at: counted by code in `simpul_alarms_total`, and one log line with the position. */
@Injectable()
export class Alarms {
  constructor(@Inject(CORE) private readonly core: Pick<Core, 'metrics' | 'logger'>) {}

  raise(code: string, facts: object): void {
    this.core.metrics.alarms.inc({ code });
    this.core.logger.error({ code, ...facts }, 'projector alarm');
  }
}
