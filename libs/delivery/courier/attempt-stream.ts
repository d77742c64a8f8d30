import { formatPosition } from '#event';
import type { Turn } from '#limits';
import type { EventLog, LogRecord } from '#log';
import { cursorTopicId, decodeStreamCursor, earliestHead, offsetsOf, placeGone, type StreamCursor } from '#reading';
import type { AttemptRow } from '../port.js';
import { ATTEMPTS_SPEC, rowOf } from './attempts.js';

const { name: NAME, partitions: PARTITIONS } = ATTEMPTS_SPEC;
const STREAM = {
  name: NAME,
  partitions: PARTITIONS,
  ordering: 'subject',
  subjectForm: 'pseudonym',
  types: [],
} as const;

/** Records that one page looks at. */
const SCAN_RECORDS = 20_000;
/** Records and bytes of one read of a partition: all of them are read for the first row of a page. */
const READ_RECORDS = 250;
const READ_BYTES = 131_072;

/** An attempt, and where its own record lies. */
export interface RecordedAttempt {
  /** `_simpul.attempts/<partition>/<offset>` */
  readonly record: string;
  readonly row: AttemptRow;
}

export interface AttemptsPage<T> {
  readonly items: readonly T[];
  /** Where the next page begins, by partition number. */
  readonly next: readonly bigint[];
  /** The page ended at its budget, and there may be more. */
  readonly incomplete: boolean;
}

export interface AttemptsWish<T> {
  /** Partitions that may hold what the reader looks for. Others are not read; the next page begins there where this one did. */
  readonly partitions: ReadonlySet<number>;
  readonly limit: number;
  /** Before the row is read: whether rows of this subscription may be shown. */
  readonly wants: (subscription: string) => boolean;
  /** The row as the reader sees it; undefined: not at all. */
  readonly shown: (attempt: RecordedAttempt) => T | undefined;
}

/** The attempts of all subscriptions as a stream: the records of each partition in order, those of different partitions by the time of the log. */
export class AttemptStream {
  constructor(private readonly log: Pick<EventLog, 'topicId' | 'describe' | 'read' | 'offsetAt'>) {}

  /**
   * Where reading begins: at the cursor of a page, or at `earliest`, `latest`, a time or the position of a record. Faults: invalid_cursor, stream_recreated,
   * invalid_query, offset_out_of_range, log_unavailable.
   */
  async begin(cursor: string | undefined, from = 'earliest'): Promise<StreamCursor> {
    const topicId = cursorTopicId(await this.log.topicId(NAME));
    if (cursor !== undefined) return decodeStreamCursor(cursor, NAME, topicId, PARTITIONS);
    return { stream: NAME, topicId, next: await offsetsOf(this.log, STREAM, from, 'from') };
  }

  /** The next rows. Faults: offset_out_of_range (with the earliest position that is kept), stream_recreated, unknown_cursor, log_unavailable. */
  async page<T>({ next, topicId }: StreamCursor, wish: AttemptsWish<T>, turn: Turn): Promise<AttemptsPage<T>> {
    // A partition that is not read must not fall behind what is kept.
    const kept = await this.log.describe(NAME);
    const after = next.map((offset, p) => {
      const { low } = kept[p]!;
      return !wish.partitions.has(p) && offset < low ? low : offset;
    });
    const parts = [...wish.partitions].map((p) => new Part(this.log, p, after[p]!, kept[p]!.high, topicId));
    await Promise.all(parts.map((part) => part.load()));
    const items: T[] = [];
    let looked = 0;
    let part: Part | undefined;
    while (items.length < wish.limit && looked < SCAN_RECORDS && (part = earliestHead(parts)) !== undefined) {
      if (turn.isOver) await turn.next();
      const { key, value, offset } = part.take();
      looked++;
      if (key !== null && value !== null && wish.wants(key.toString())) {
        const item = wish.shown({ record: formatPosition(NAME, part.partition, offset), row: rowOf(key, value) });
        if (item !== undefined) items.push(item);
      }
      if (part.head === undefined) await part.load();
    }
    turn.scanned('records', looked);
    for (const { partition, next: reached } of parts) after[partition] = reached;
    return {
      items,
      next: after,
      incomplete: items.length < wish.limit && parts.some(({ head }) => head !== undefined),
    };
  }
}

/** One partition, read forward to the end that it had when the page began. */
class Part {
  #records: readonly LogRecord[] = [];
  #at = 0;
  #afterRecords: bigint;

  constructor(
    private readonly log: Pick<EventLog, 'read'>,
    readonly partition: number,
    public next: bigint,
    private readonly end: bigint,
    private readonly topicId: string,
  ) {
    this.#afterRecords = next;
  }

  get head(): LogRecord | undefined {
    return this.#records[this.#at];
  }

  take(): LogRecord {
    const record = this.#records[this.#at++]!;
    this.next = this.#at < this.#records.length ? record.offset + 1n : this.#afterRecords;
    return record;
  }

  async load(): Promise<void> {
    this.#records = [];
    this.#at = 0;
    // A place beyond the end is read too: only the log tells why it is not there.
    while (this.#records.length === 0 && this.next !== this.end) {
      const limits = { maxRecords: READ_RECORDS, maxBytes: READ_BYTES, topicId: this.topicId };
      const got = await this.log.read(NAME, this.partition, this.next, limits);
      if (got.kind !== 'records') throw placeGone(got, NAME, this.partition, this.next);
      if (got.next === this.next) return;
      this.#records = got.records;
      this.#afterRecords = got.next;
      if (got.records.length === 0) this.next = got.next;
    }
  }
}
