import type { Settled } from '#duplicates';
import { Fault } from '#faults';
import { ENDLESS, type Turn } from '#limits';
import type { EventLog, Interruption, LogRecord, RecordBatch } from '#log';
import { isLarge } from './large.js';
import { offsetOutOfRange } from './range.js';
import type { Rests } from './rests.js';

export interface PartitionCursorDeps {
  readonly log: Pick<EventLog, 'read'>;
  readonly settled: Pick<Settled, 'waitFor'>;
  readonly rests: Rests;
}

export interface PartitionCursorOptions {
  readonly stream: string;
  readonly partition: number;
  readonly from: bigint;
  /** Exclusive end offset of the period. */
  readonly end: bigint | undefined;
  /** Records of one read of the log, and about how many bytes. */
  readonly chunkRecords: number;
  readonly chunkBytes: number;
  /** How long to wait for the settled end, ms. */
  readonly settleMs: number;
  /** See StreamRange. */
  readonly missing: 'fault' | 'skip';
  /** See StreamRange. */
  readonly topicId?: string | undefined;
  /** In whose turns the log is read. */
  readonly turn: Turn;
}

/**
 * Reads one partition forward, one chunk of records at a time, to the log end that its first read answered, or to the end of the period; never above the
 * settled end (R2.3).
 */
export class PartitionCursor {
  readonly #deps: PartitionCursorDeps;
  readonly #options: PartitionCursorOptions;
  #next: bigint;
  /** A record that was taken is let go: what it was decoded to must not live as long as the page. */
  #chunk: (LogRecord | undefined)[] = [];
  #at = 0;
  /** The next offset when the whole chunk is taken; the chunk may end before a hole. */
  #afterChunk: bigint;
  /** Exclusive end offset, settled; undefined before the first read of the log. */
  #end: bigint | undefined;
  #topicId: string | undefined;
  #unsettled = false;
  /** Of a chunk that an earlier page has kept. */
  #until: number | undefined;

  constructor(deps: PartitionCursorDeps, options: PartitionCursorOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#next = options.from;
    this.#afterChunk = options.from;
    this.#topicId = options.topicId;
  }

  get partition(): number {
    return this.#options.partition;
  }

  /** The offset behind the last record that was taken. */
  get next(): bigint {
    return this.#next;
  }

  /** The next record; undefined at the end, and before load() after a chunk is used up. */
  get head(): LogRecord | undefined {
    return this.#chunk[this.#at];
  }

  /** The settled end did not reach the log end in time. */
  get unsettled(): boolean {
    return this.#unsettled;
  }

  /** Takes the head. Answers true when the chunk is used up: call load() before the next head. */
  take(): boolean {
    this.#next = this.#chunk[this.#at]!.offset + 1n;
    this.#chunk[this.#at++] = undefined;
    if (this.#at < this.#chunk.length) return false;
    this.#next = this.#afterChunk;
    return true;
  }

  /** Reads the next chunk, if there is one before the end. Faults: offset_out_of_range, stream_recreated, unknown_cursor, log_unavailable. */
  async load(): Promise<void> {
    this.#chunk = [];
    this.#at = 0;
    this.#until = undefined;
    if (this.#takeRest()) return;
    while (!this.#isAtEnd()) {
      const got = await this.#read();
      if (got === undefined) continue;
      this.#topicId = got.topicId;
      this.#end ??= await this.#settledEnd(got.high, got.topicId);
      const end = this.#end;
      const chunk = (got.records.at(-1)?.offset ?? -1n) < end ? got.records : got.records.filter((r) => r.offset < end);
      const after = min(got.next, end);
      if (chunk.length > 0) {
        this.#chunk = [...chunk];
        this.#afterChunk = after;
        if (chunk.some(isLarge)) this.#keep(chunk);
        return;
      }
      // Only holes, or only records at or behind the end.
      if (after <= this.#next) return;
      this.#next = after;
    }
  }

  /** Reads on behind the end, to the log end of now. */
  readOn(): Promise<void> {
    if (!this.#unsettled) this.#end = undefined;
    return this.load();
  }

  /** Keeps the records that were read and not taken for the reader that goes on here. */
  keepRest(): void {
    if (this.#at < this.#chunk.length) this.#keep(this.#chunk.slice(this.#at) as LogRecord[]);
  }

  /** Keeps the records between the next offset and the end of the chunk. */
  #keep(records: readonly LogRecord[]): void {
    const { stream, partition } = this.#options;
    const rest = { topicId: this.#topicId!, records, next: this.#afterChunk, until: this.#until };
    this.#deps.rests.keep(stream, partition, this.#next, rest);
  }

  #isAtEnd(): boolean {
    const { end } = this.#options;
    return (end !== undefined && this.#next >= end) || (this.#end !== undefined && this.#next >= this.#end);
  }

  #takeRest(): boolean {
    const { stream, partition, end, topicId } = this.#options;
    // The end of a period may lie inside: then the log is read, which cuts there.
    if (this.#end !== undefined || end !== undefined || topicId === undefined) return false;
    const rest = this.#deps.rests.take(stream, partition, this.#next, topicId);
    if (rest === undefined) return false;
    this.#topicId = rest.topicId;
    this.#chunk = [...rest.records];
    this.#until = rest.until;
    this.#afterChunk = rest.next;
    return true;
  }

  async #settledEnd(high: bigint, topicId: string): Promise<bigint> {
    const { stream, partition, end, settleMs } = this.#options;
    const target = end === undefined ? high : min(high, end);
    if (this.#next >= target) return target;
    const reached = await this.#deps.settled.waitFor(stream, partition, target, settleMs, topicId);
    if (reached < target) this.#unsettled = true;
    return min(target, reached);
  }

  /** undefined: moved on to the earliest kept offset. */
  async #read(): Promise<RecordBatch | undefined> {
    const { stream, partition, missing, topicId, chunkRecords: maxRecords, chunkBytes: maxBytes } = this.#options;
    const { turn } = this.#options;
    if (turn.isOver) await turn.next();
    const limits = { maxRecords, maxBytes, atOnce: turn !== ENDLESS, ...(topicId === undefined ? {} : { topicId }) };
    const got = await this.#deps.log.read(stream, partition, this.#next, limits);
    if (got.kind === 'records') return got;
    if (got.kind !== 'out_of_range' || this.#next > got.high || missing !== 'skip')
      throw placeGone(got, stream, partition, this.#next);
    this.#next = got.low;
    return undefined;
  }
}

/** Why a partition cannot be read on at this offset: stream_recreated, unknown_cursor, or offset_out_of_range with the earliest position that is kept. */
export function placeGone(got: Interruption, stream: string, partition: number, next: bigint): Fault {
  if (got.kind === 'recreated') return new Fault('stream_recreated');
  if (got.kind === 'truncated' || next > got.high) return new Fault('unknown_cursor');
  return offsetOutOfRange(stream, partition, got.low);
}

/** The cursor whose next record was appended first, of several the first one; undefined when no cursor has a record left. */
export function earliestHead<C extends { readonly head: Pick<LogRecord, 'appendTimeMs'> | undefined }>(
  cursors: readonly C[],
): C | undefined {
  let best: C | undefined;
  let time = Number.POSITIVE_INFINITY;
  for (const cursor of cursors) {
    const { head } = cursor;
    if (head !== undefined && head.appendTimeMs < time) {
      best = cursor;
      time = head.appendTimeMs;
    }
  }
  return best;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
