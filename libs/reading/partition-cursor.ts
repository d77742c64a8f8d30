import type { EventLog, LogRecord } from '#log';
import { Fault } from '#faults';
import { offsetOutOfRange } from './range.js';

const CHUNK_BYTES = 1_048_576;

export interface PartitionCursorOptions {
  readonly log: Pick<EventLog, 'read'>;
  readonly stream: string;
  readonly partition: number;
  readonly from: bigint;
  /** Exclusive end offset. */
  readonly end: bigint;
  /** Records of one read of the log. */
  readonly chunkRecords: number;
  /** See StreamRange. */
  readonly missing: 'fault' | 'skip';
  /** See StreamRange. */
  readonly topicId?: string | undefined;
}

/** Reads one partition forward to a fixed end, one chunk of records at a time. */
export class PartitionCursor {
  readonly #options: PartitionCursorOptions;
  #next: bigint;
  #chunk: readonly LogRecord[] = [];
  #at = 0;
  /** The next offset when the whole chunk is taken; the chunk may end before a hole. */
  #afterChunk: bigint;

  constructor(options: PartitionCursorOptions) {
    this.#options = options;
    this.#next = options.from;
    this.#afterChunk = options.from;
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

  /** Takes the head. Answers true when the chunk is used up: call load() before the next head. */
  take(): boolean {
    this.#next = this.#chunk[this.#at++]!.offset + 1n;
    if (this.#at < this.#chunk.length) return false;
    this.#next = min(this.#afterChunk, this.#options.end);
    return true;
  }

  /** Reads the next chunk, if there is one before the end. Faults: offset_out_of_range, stream_recreated, unknown_cursor, log_unavailable. */
  async load(): Promise<void> {
    const { log, stream, partition, end, chunkRecords: maxRecords, missing, topicId } = this.#options;
    this.#chunk = [];
    this.#at = 0;
    while (this.#next < end) {
      const got = await log.read(stream, partition, this.#next, {
        ...(topicId === undefined ? {} : { topicId }),
        maxRecords,
        maxBytes: CHUNK_BYTES,
      });
      if (got.kind === 'recreated') throw new Fault('stream_recreated');
      if (got.kind === 'truncated') throw new Fault('unknown_cursor');
      if (got.kind === 'out_of_range') {
        // The retention passed by while this reader was between two chunks.
        if (missing !== 'skip' || got.low <= this.#next) throw offsetOutOfRange(stream, partition, got.low);
        this.#next = min(got.low, end);
        continue;
      }
      const chunk = got.records.filter((r) => r.offset < end);
      if (chunk.length > 0) {
        this.#chunk = chunk;
        this.#afterChunk = got.next;
        return;
      }
      // Only holes, or only records at or behind the end.
      if (got.next <= this.#next) return;
      this.#next = min(got.next, end);
    }
  }
}

/** The cursor whose next record was appended first; undefined when no cursor has a record left. */
export function earliestHead(cursors: readonly PartitionCursor[]): PartitionCursor | undefined {
  let best: PartitionCursor | undefined;
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
