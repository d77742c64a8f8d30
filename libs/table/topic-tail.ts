import { Coalescer, jittered, pause } from '#concurrency';
import { Fault, isFault } from '#faults';
import { isSealBroken, type EventLog, type Interruption, type LogRecord, type TopicSpec } from '#log';
import type { TableReport } from './damaged.js';

/** The part of the log that a table needs. */
export type TableLog = Pick<EventLog, 'ensureTopic' | 'describe' | 'read' | 'append'>;

export interface TopicTailOptions<P> {
  readonly log: Pick<EventLog, 'ensureTopic' | 'describe' | 'read'>;
  readonly topic: TopicSpec;
  /** The partition that is followed. @default 0 */
  readonly partition?: number | undefined;
  /** Parses a record; undefined skips it. A throw marks the record as bad: it is counted and given to `onBad` instead of `apply`. */
  readonly parse: (record: LogRecord) => P | undefined;
  readonly onBad?: (record: LogRecord, cause: unknown) => void;
  /** Called once for each parsed record, in log order. */
  readonly apply: (parsed: P, record: LogRecord) => void;
  /**
   * The topic was deleted and created again, or it lost records that this tail has read. Answers the offset to continue from, or throws, and then every
   * read of this tail fails until the process is restarted.
   */
  readonly onReset: (range: TopicRange) => bigint;
  readonly report?: Pick<TableReport, 'stuck' | 'followed'> | undefined;
}

/** First offset that is kept, and the end. */
export interface TopicRange {
  readonly low: bigint;
  readonly high: bigint;
}

const LONG_POLL_MS = 5_000;
const RETRY_MS = 500;
const READ_RECORDS = 2_000;

/**
 * Follows one partition of a control topic: reads it to its end, then continues by long poll, and passes every parsed record to `apply`. All tables of this room use it. While
 * the log is unavailable, or the topic cannot be read on, the tail retries every 500 ms.
 */
export class TopicTail<P> {
  readonly #options: TopicTailOptions<P>;
  readonly #partition: number;
  readonly #closing = new AbortController();
  // Single-flight: a read that began before a call may miss records that the caller must see, so that caller waits for the next read.
  readonly #refreshes = new Coalescer<undefined, undefined>({
    turns: 0,
    run: async (callers) => {
      await this.readTo((await this.#range()).high);
      return callers;
    },
  });
  #next = 0n;
  /** Of the topic that #next belongs to; the first batch says it. */
  #topicId: string | undefined;
  #lastEpoch: number | undefined;
  #bad = 0;
  #following: Promise<void> = Promise.resolve();

  constructor(options: TopicTailOptions<P>) {
    this.#options = options;
    this.#partition = options.partition ?? 0;
  }

  /** First offset not read yet. */
  get next(): bigint {
    return this.#next;
  }

  /** See EventLog.topicId: of the topic that is followed. undefined before open(). */
  get topicId(): string | undefined {
    return this.#topicId;
  }

  /** Records that could not be parsed. */
  get bad(): number {
    return this.#bad;
  }

  /** Creates the topic if it does not exist, reads it to its end and begins to follow it. Faults of the log. */
  async open(): Promise<void> {
    await this.#options.log.ensureTopic(this.#options.topic);
    const { low, high } = await this.#range();
    this.#next = low;
    await this.readTo(high);
    // of an empty topic the id is not known yet
    if (this.#topicId === undefined) await this.#step(0);
    this.#following = this.#follow();
  }

  /** Reads to the end that the topic has at the time of the call, or further; concurrent callers share one read. Faults of the log. */
  async refresh(): Promise<void> {
    await this.#refreshes.add(undefined);
  }

  /** Resolves once every record below `end` was handed to `apply`. Faults of the log. */
  async readTo(end: bigint): Promise<void> {
    while (this.#next < end) await this.#step(1_000);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#following;
  }

  async #range(): Promise<TopicRange> {
    return (await this.#options.log.describe(this.#options.topic.name))[this.#partition]!;
  }

  async #step(waitMs: number, signal?: AbortSignal): Promise<void> {
    const { log, topic } = this.#options;
    const from = this.#next;
    const [topicId, lastEpoch] = [this.#topicId, this.#lastEpoch];
    const read = await log.read(topic.name, this.#partition, from, {
      ...(topicId === undefined ? {} : { topicId }),
      ...(lastEpoch === undefined ? {} : { lastEpoch }),
      maxRecords: READ_RECORDS,
      waitMs,
      ...(signal === undefined ? {} : { signal }),
    });
    // refresh() and the long poll may read the same records: the first of them moves #next, and the other one skips these records.
    if (read.kind !== 'records') {
      const range = read.kind === 'out_of_range' ? read : await this.#range();
      if (this.#next === from && this.#topicId === topicId) this.#reset(read, range);
      return;
    }
    // Two reads at once: the topic may have been created again between their answers.
    if (this.#topicId !== topicId && this.#topicId !== read.topicId) return;
    this.#topicId = read.topicId;
    for (const record of read.records) {
      if (record.offset < this.#next) continue;
      this.#next = record.offset + 1n;
      this.#take(record);
    }
    if (read.next >= this.#next) {
      this.#next = read.next;
      this.#lastEpoch = read.lastEpoch ?? (read.next === from ? lastEpoch : undefined);
    }
  }

  #reset(why: Interruption, range: TopicRange): void {
    // Below `low` nothing is missed: compaction removes only records that a later one replaces, and retention only what has expired.
    const passed = why.kind === 'out_of_range' && this.#next < range.low;
    this.#next = passed ? range.low : this.#options.onReset(range);
    this.#lastEpoch = undefined;
    if (why.kind === 'recreated') this.#topicId = why.topicId;
  }

  #take(record: LogRecord): void {
    let parsed: P | undefined;
    try {
      if (isSealBroken(record)) throw new TypeError('the record does not fit its seal');
      parsed = this.#options.parse(record);
    } catch (cause) {
      this.#bad++;
      this.#options.onBad?.(record, cause);
      return;
    }
    if (parsed !== undefined) this.#options.apply(parsed, record);
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closing;
    const { topic, report } = this.#options;
    const at = { topic: topic.name, partition: this.#partition };
    for (let stuck = false; !signal.aborted;)
      try {
        await this.#step(LONG_POLL_MS, signal);
        if (stuck) report?.followed?.(at);
        stuck = false;
      } catch (cause) {
        if (signal.aborted) return;
        // A log that does not answer is told by its own probe, once for all tables.
        if (!isFault(cause) || cause.code !== 'log_unavailable') {
          stuck = true;
          report?.stuck?.({ ...at, cause });
        }
        await pause(jittered(RETRY_MS), signal);
      }
  }
}

/** For tables whose rows must never silently return to an older state. */
export function failWhenReset(topic: string): (range: TopicRange) => never {
  return (range) => {
    throw new Fault('offset_out_of_range', { detail: `${topic} now ends at ${range.high}` });
  };
}
