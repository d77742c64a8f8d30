import { CORE, type Core } from '#core';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';

const TOGETHER_MS = 1_000;
const MOST_SHOWN = 20;

interface Together {
  readonly code: string;
  readonly facts: object;
  readonly shown: object[];
  count: number;
  readonly timer: NodeJS.Timeout;
}

/** What a person must look at: counted by code in `simpul_alarms_total`, and one log line with the position. */
@Injectable()
export class Alarms implements OnApplicationShutdown {
  readonly #waiting = new Map<string, Together>();

  constructor(@Inject(CORE) private readonly core: Pick<Core, 'metrics' | 'logger'>) {}

  raise(code: string, facts: object): void {
    this.core.metrics.alarms.inc({ code });
    this.core.logger.error({ code, ...facts }, 'projector alarm');
  }

  /** Counted at once. Those of one code with the same `facts` that come within a second are one log line, which shows the first 20 of them. */
  together(code: string, facts: object, one: object): void {
    this.core.metrics.alarms.inc({ code });
    const key = `${code} ${JSON.stringify(facts)}`;
    let all = this.#waiting.get(key);
    if (all === undefined) {
      const timer = setTimeout(() => this.#tell(key), TOGETHER_MS).unref();
      this.#waiting.set(key, (all = { code, facts, shown: [], count: 0, timer }));
    }
    all.count++;
    if (all.shown.length < MOST_SHOWN) all.shown.push(one);
  }

  onApplicationShutdown(): void {
    for (const key of this.#waiting.keys()) this.#tell(key);
  }

  #tell(key: string): void {
    const all = this.#waiting.get(key);
    if (all === undefined) return;
    this.#waiting.delete(key);
    clearTimeout(all.timer);
    const { code, facts, count, shown } = all;
    this.core.logger.error({ code, ...facts, count, partitions: shown }, 'projector alarm');
  }
}
