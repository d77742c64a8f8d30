import { Coalescer } from '#concurrency';
import { partitionKey } from '#event';
import type { EventLog, PartitionRange } from '#log';
import type { Progress } from '#state';

type Ranges = readonly PartitionRange[];

/** What a read of a view partition may answer (R7). */
export interface Freshness {
  /** The view has folded every event that the log held when its end was read. */
  readonly reached: boolean;
  /** Behind for over 5 s, behind an earlier read of this process (the store was set back), being rebuilt, never folded, or the log end is unknown. */
  readonly stale: boolean;
  /** Some event was folded, or the log is empty. */
  readonly filled: boolean;
}

const MEMO_MS = 250;
const LATE_MS = 5_000;
const FAR = 1_000n;

/** Log ends, cached for a quarter of a second, and the freshness of view partitions against them. */
export class Ends {
  readonly #log: EventLog;
  readonly #now: () => number;
  readonly #memo = new Map<string, { at: number; ranges: Promise<Ranges> }>();
  readonly #reads = new Map<string, Coalescer<undefined, Ranges>>();
  /** By storage, stream and partition: a log end that the view had not reached, and when that was first seen. */
  readonly #behind = new Map<string, { high: bigint; since: number }>();
  readonly #reachedAt = new Map<string, number>();
  /** By storage, stream and partition: the furthest progress that this process has read, with the order number of begin(). */
  readonly #seen = new Map<string, { next: bigint; order: number; at: number }>();
  #order = 0;

  constructor(log: EventLog, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  /** Log ends at most a quarter of a second old. undefined: the log is unavailable. */
  async recent(stream: string): Promise<Ranges | undefined> {
    const known = this.#memo.get(stream);
    if (known && this.#now() - known.at < MEMO_MS) return known.ranges.catch(() => undefined);
    return this.fresh(stream);
  }

  /** Log ends that are read after this call; concurrent callers share one read. undefined: the log is unavailable. */
  async fresh(stream: string): Promise<Ranges | undefined> {
    let reads = this.#reads.get(stream);
    if (!reads)
      this.#reads.set(stream, (reads = new Coalescer({ run: (callers) => this.#read(stream, callers.length) })));
    return reads.add(undefined).catch(() => undefined);
  }

  /** Call it before a read of the store: only progress that was seen before counts as "set back", not what concurrent reads see. */
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
    const key = `${storage}/${partitionKey(stream, range.partition)}`;
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
    // Far behind, and not at the end lately: it is being folded again.
    const rebuilding = range.high - next > FAR && now - reachedAt > LATE_MS;
    return { reached: false, stale: !filled || setBack || rebuilding || now - since > LATE_MS, filled };
  }

  #isSetBack(key: string, next: bigint, high: bigint, began: number): boolean {
    const seen = this.#seen.get(key);
    const at = this.#now();
    // A log end that stays below earlier progress belongs to a topic that was deleted and made again.
    const anew = seen !== undefined && high < seen.next && at - seen.at > LATE_MS;
    if (seen === undefined || next > seen.next || anew) this.#seen.set(key, { next, order: ++this.#order, at });
    return seen !== undefined && !anew && next < seen.next && seen.order < began;
  }

  async #read(stream: string, callers: number): Promise<readonly Ranges[]> {
    const ranges = this.#log.describe(stream);
    this.#memo.set(stream, { at: this.#now(), ranges });
    try {
      return new Array<Ranges>(callers).fill(await ranges);
    } catch (e) {
      this.#memo.delete(stream);
      throw e;
    }
  }
}
