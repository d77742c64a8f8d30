import type { LogRecord } from '#log';
import { isLarge, sizeOf } from './large.js';

/** Settled records that were read: what a page has not shown, or all of a chunk with a large event. */
export interface Rest {
  readonly topicId: string;
  readonly records: readonly LogRecord[];
  /** The offset behind them. */
  readonly next: bigint;
  /** When they must be read from the log again, on the clock of Rests. Absent: they were just read. */
  readonly until?: number | undefined;
}

export interface RestLimits {
  /** @default 32 MiB */
  readonly bytes: number;
  /** @default 5 s */
  readonly ageMs: number;
}

const LIMITS: RestLimits = { bytes: 32 * 1_048_576, ageMs: 5_000 };

/** What key, headers and objects of a record count. */
const HEAD_BYTES = 1_024;
/** What a large record counts, in its own length: it may be decoded and rendered for several readers. */
const LARGE_FACTOR = 3;

interface KeptRest {
  /** undefined: dropped. V8 may keep the entries of a Map much longer than the Map does, so an entry that is dropped leads to no record. */
  rest: Rest | undefined;
  readonly bytes: number;
  readonly until: number;
}

/**
 * What pages have read beyond their last event, for the page that goes on there: the next page of a reader does not read the log again for it. And chunks
 * with a large event, for the readers that come past it at the same time, such as all readers of a stream after an outage. Bounded in bytes and age; the
 * oldest go first.
 */
export class Rests {
  readonly #limits: RestLimits;
  readonly #now: () => number;
  readonly #kept = new Map<string, KeptRest>();
  #bytes = 0;
  #sweep: NodeJS.Timeout | undefined;

  constructor(limits: Partial<RestLimits> = {}, now: () => number = () => performance.now()) {
    this.#limits = { ...LIMITS, ...limits };
    this.#now = now;
  }

  get bytes(): number {
    return this.#bytes;
  }

  keep(stream: string, partition: number, from: bigint, rest: Rest): void {
    const key = keyOf(stream, partition, from);
    this.#drop(key);
    const bytes = rest.records.reduce(
      (sum, record) => sum + HEAD_BYTES + sizeOf(record) * (isLarge(record) ? LARGE_FACTOR : 1),
      0,
    );
    const until = rest.until ?? this.#now() + this.#limits.ageMs;
    this.#kept.set(key, { rest: { ...rest, until }, bytes, until });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#limits.bytes) break;
      this.#drop(oldest);
    }
    this.#sweep ??= setTimeout(() => this.#dropOld(), this.#limits.ageMs).unref();
  }

  /**
   * The rest of this life of the topic at this offset, if it is still kept. It is kept no longer: the next page goes on behind it, and what is held until it
   * is too old grows the heap by everything that was read meanwhile. One with a large event stays: other readers come past it.
   */
  take(stream: string, partition: number, from: bigint, topicId: string): Rest | undefined {
    const key = keyOf(stream, partition, from);
    const kept = this.#kept.get(key);
    const rest = kept?.rest;
    if (kept === undefined || rest?.topicId.startsWith(topicId) !== true) return undefined;
    const isOld = this.#now() >= kept.until;
    if (isOld || !rest.records.some(isLarge)) this.#drop(key);
    return isOld ? undefined : rest;
  }

  close(): void {
    clearTimeout(this.#sweep);
    this.#kept.clear();
    this.#bytes = 0;
  }

  #dropOld(): void {
    const now = this.#now();
    for (const [key, { until }] of this.#kept) if (until <= now) this.#drop(key);
    this.#sweep = this.#kept.size === 0 ? undefined : setTimeout(() => this.#dropOld(), this.#limits.ageMs).unref();
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    kept.rest = undefined;
    this.#bytes -= kept.bytes;
  }
}

const keyOf = (stream: string, partition: number, from: bigint): string => `${stream}/${partition}/${from}`;
