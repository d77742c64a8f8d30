import type { EventLog, PartitionRange } from '#log';
import type { Progress } from '#state';

type Ranges = readonly PartitionRange[];

/** What a read may say about a view partition (R7). */
export interface Freshness {
  /** Every event that the log held when the end was read is folded. */
  readonly reached: boolean;
  /** Behind for over 5 s or behind what this process read before (the store was set back), being rebuilt, never filled, or the end of the log is unknown. */
  readonly stale: boolean;
  /** Something was folded, or the log is empty. */
  readonly filled: boolean;
}

const MEMO_MS = 250;
const LATE_MS = 5_000;
const FAR = 1_000n;

/** Log ends as this process sees them, and since when a view partition has been behind. */
export class Ends {
  readonly #log: EventLog;
  readonly #now: () => number;
  readonly #memo = new Map<string, { at: number; ranges: Promise<Ranges> }>();
  readonly #running = new Map<string, Promise<Ranges>>();
  readonly #queued = new Map<string, Promise<Ranges>>();
  /** Per storage, stream and partition: the end that was not reached, and when that was seen first. */
  readonly #behind = new Map<string, { high: bigint; since: number }>();

  readonly #reachedAt = new Map<string, number>();
  /** Per storage, stream and partition: the furthest progress that this process read. `order` as of `begin`. */
  readonly #seen = new Map<string, { next: bigint; order: number; at: number }>();
  #order = 0;

  constructor(log: EventLog, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  /** Ends at most a quarter of a second old. undefined: the log does not answer. */
  async recent(stream: string): Promise<Ranges | undefined> {
    const known = this.#memo.get(stream);
    const ranges = known && this.#now() - known.at < MEMO_MS ? known.ranges : this.#ask(stream);
    return ranges.catch(() => undefined);
  }

  /** Ends read after this call began, shared by all who ask meanwhile. undefined: the log does not answer. */
  async fresh(stream: string): Promise<Ranges | undefined> {
    const running = this.#running.get(stream);
    if (!running) return this.#ask(stream).catch(() => undefined);
    let queued = this.#queued.get(stream);
    if (!queued) {
      queued = running
        .catch(() => undefined)
        .then(() => {
          this.#queued.delete(stream);
          return this.#ask(stream);
        });
      this.#queued.set(stream, queued);
    }
    return queued.catch(() => undefined);
  }

  /** Called before a read of the store: what was seen until then counts against what it finds, what others see meanwhile does not. */
  begin(): number {
    return ++this.#order;
  }

  judge(
    storage: string,
    range: PartitionRange | undefined,
    stream: string,
    progress: Progress | undefined,
    began: number,
  ): Freshness {
    if (!range) return { reached: false, stale: true, filled: progress !== undefined };
    const next = progress?.next ?? range.low;
    const key = `${storage}/${stream}/${range.partition}`;
    const before = this.#behind.get(key);
    const filled = progress !== undefined || range.low === range.high;
    const now = this.#now();
    const setBack = this.#isSetBack(key, next, range.high, began);
    if (next >= range.high) {
      this.#behind.delete(key);
      this.#reachedAt.set(key, now);
      return { reached: !setBack, stale: setBack, filled };
    }
    if (!before || next >= before.high) this.#behind.set(key, { high: range.high, since: now });
    const { since } = this.#behind.get(key)!;
    const reachedAt = this.#reachedAt.get(key) ?? Number.NEGATIVE_INFINITY;
    // Far behind and not seen at the end lately: it is being rebuilt, whenever that began.
    const rebuilding = range.high - next > FAR && now - reachedAt > LATE_MS;
    return { reached: false, stale: !filled || setBack || rebuilding || now - since > LATE_MS, filled };
  }

  #isSetBack(key: string, next: bigint, high: bigint, began: number): boolean {
    const seen = this.#seen.get(key);
    const at = this.#now();
    // A log that still ends below what was seen is another log: its topic was made anew.
    const anew = seen !== undefined && high < seen.next && at - seen.at > LATE_MS;
    if (seen === undefined || next > seen.next || anew) this.#seen.set(key, { next, order: ++this.#order, at });
    return seen !== undefined && !anew && next < seen.next && seen.order < began;
  }

  #ask(stream: string): Promise<Ranges> {
    const ranges = this.#log.describe(stream);
    this.#memo.set(stream, { at: this.#now(), ranges });
    this.#running.set(stream, ranges);
    const done = (): void => {
      if (this.#running.get(stream) === ranges) this.#running.delete(stream);
    };
    ranges.then(done, () => {
      done();
      this.#memo.delete(stream);
    });
    return ranges;
  }
}
