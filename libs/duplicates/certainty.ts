import type { EventLog } from '#log';
import type { Catalogue } from '#registry';
import type { Settled } from './settled.js';

/** How long a certainty is used again. With the deadline of appends it stays well under the 120 s of R3.6. */
const GOOD_FOR_MS = 20_000;
const CATCH_UP_MS = 1_000;

/** Whether the index has passed all that was in the log a short while ago: only then may "not in the index" be answered as a no (R3.6). */
export class IndexCertainty {
  #sureOfMs = Number.NEGATIVE_INFINITY;
  #running: Promise<boolean> | undefined;

  constructor(
    private readonly log: Pick<EventLog, 'describe'>,
    private readonly catalogue: Pick<Catalogue, 'streams'>,
    private readonly settled: Settled,
    private readonly now: () => number,
  ) {}

  /** Never throws: false when the log does not answer. Concurrent callers share one look (single-flight). */
  sure(): Promise<boolean> {
    if (!this.settled.ready) return Promise.resolve(false);
    if (this.now() - this.#sureOfMs <= GOOD_FOR_MS) return Promise.resolve(true);
    this.#running ??= this.#look().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #look(): Promise<boolean> {
    const at = this.now();
    try {
      const streams = this.catalogue.streams();
      const all = await Promise.all(
        streams.map(async ({ name }) => {
          const ranges = await this.log.describe(name);
          const ends = await Promise.all(
            ranges.map(({ partition, high }) => this.settled.waitFor(name, partition, high, CATCH_UP_MS)),
          );
          return ranges.every(({ high }, i) => ends[i]! >= high);
        }),
      );
      if (!all.every(Boolean)) return false;
      this.#sureOfMs = at;
      return true;
    } catch {
      return false;
    }
  }
}
