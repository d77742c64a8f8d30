import { atOnce, type InSteps } from '#avro';
import type { Settled } from '#duplicates';
import { formatPosition, partitionOf } from '#event';
import { stepsInTurns, type Turn } from '#limits';
import type { EventLog, LogRecord } from '#log';
import type { StreamInfo } from '#registry';
import type { Limits } from './budget.js';
import { eventText, type Encoding } from './event-text.js';
import { dataLine, lineOf, textOf } from './live-message.js';
import type { PageText } from './page-text.js';
import { isLarge, sizeOf } from './large.js';
import { learnSchema } from './learn-schema.js';
import { earliestHead, PartitionCursor } from './partition-cursor.js';
import type { Ring, TailEntry } from './ring.js';
import type { StreamRange } from './range.js';
import {
  DAMAGED,
  type EventFilter,
  type LoggedEvent,
  type ReadEvent,
  type RecordPlace,
  type Rights,
} from './read-event.js';
import type { Rests } from './rests.js';
import type { ReadingReport } from './tails.js';

const CHUNK_BYTES = 1_048_576;
/** What a record counts when a page asks the log for so many bytes. */
const RECORD_BYTES = 2_048;
const MAX_DAMAGED = 100;

export interface EventPage<E> {
  /** Ordered by append time over all partitions; within a partition, and so within a subject, by offset. */
  readonly events: readonly E[];
  /** Next offset by partition number: the range of the next page. */
  readonly next: readonly bigint[];
  /**
   * Why the page ended. `end`: the end of the period or of the log, nothing more now. `full`: `limit` or `pageBytes` reached.
   * `scan_budget`: there may be more although the page is short or empty. `unsettled`: more records lie in the log, but the settled end did not
   * reach them in time.
   */
  readonly stopped: 'end' | 'full' | 'scan_budget' | 'unsettled';
  /**
   * Positions of damaged records that the page has passed (R15.7), whatever the filter: nobody can say what they were. At most 100: behind the last of them
   * the page ends with `scan_budget`.
   */
  readonly damaged: readonly string[];
}

/** True when a short or empty page does not mean the end of the stream (R13). */
export function isIncomplete({ stopped }: Pick<EventPage<unknown>, 'stopped'>): boolean {
  return stopped === 'scan_budget' || stopped === 'unsettled';
}

/** An event as the data part of a message of a live stream, with its place. */
export interface EventLine {
  readonly line: Buffer;
  readonly partition: number;
  readonly offset: bigint;
}

/** What a page makes of a record, in steps: undefined leaves it out. */
export type Look<T> = (record: LogRecord, place: RecordPlace) => InSteps<T | typeof DAMAGED | undefined>;

/** What a page holds of each event, and how much that counts against `pageBytes`. */
export interface PageEncoder<T, E> {
  readonly encode: (event: T) => E;
  readonly sizeOf: (encoded: E) => number;
  /** What the page holds of a damaged record, beside its position. */
  readonly damaged?: (place: DamagedRecord) => E;
}

export interface Encoder<E> extends PageEncoder<ReadEvent, E> {
  /** The same for an entry of a tail: what is rendered is kept for other readers. */
  readonly ofEntry: (ring: Ring, entry: TailEntry, level: ReadEvent['level']) => E;
}

/** A record that cannot be read any more (R15.7). */
export interface DamagedRecord {
  readonly position: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** The events of the hub itself, for any number of subscriptions, with the damaged records between them. */
export const LOGGED: PageEncoder<LoggedEvent, LoggedEvent | DamagedRecord> = {
  encode: (event) => event,
  sizeOf: (item) => ('record' in item ? sizeOf(item.record) : 0),
  damaged: (place) => place,
};

export const DECODED: Encoder<ReadEvent> = {
  encode: (event) => event,
  ofEntry: (_ring, entry, level) => entry.event.as(level),
  sizeOf: ({ bytes }) => bytes,
};

export const LINES: Encoder<EventLine> = {
  encode: (event) => ({ line: lineOf(event), partition: event.partition, offset: event.offset }),
  ofEntry: (ring, entry, level) => ({
    line: dataLine(ring, entry, level),
    partition: entry.partition,
    offset: entry.offset,
  }),
  sizeOf: ({ line }) => line.length,
};

/** Each event as bytes in `out`; the page holds their lengths. */
export function asBytes(encoding: Encoding, out: PageText): Encoder<number> {
  const ofEntry = (ring: Ring, entry: TailEntry, level: ReadEvent['level']): string =>
    encoding === 'json' ? textOf(ring, entry, level) : eventText(entry.event.as(level), encoding);
  return {
    encode: (event) => out.add(eventText(event, encoding)),
    ofEntry: (ring, entry, level) => out.add(ofEntry(ring, entry, level)),
    sizeOf: (bytes) => bytes,
  };
}

export interface PageDeps extends Rights {
  readonly log: Pick<EventLog, 'read'>;
  readonly settled: Pick<Settled, 'waitFor' | 'originalOf'>;
  readonly rests: Rests;
  readonly now: () => number;
  readonly report?: ReadingReport | undefined;
}

/** One page of the events below the settled end, merged by append time. Does not wait for new records. */
export async function readPage<T, E>(
  deps: PageDeps,
  range: StreamRange,
  filter: Pick<EventFilter, 'subject'>,
  limits: Limits,
  look: Look<T>,
  encoder: PageEncoder<T, E>,
  turn: Turn,
): Promise<EventPage<E>> {
  const { settled, now } = deps;
  const { name: stream } = range.stream;
  const cursors = await openCursors(deps, range, filter, limits, turn);
  const next = [...range.next];
  const events: E[] = [];
  const damaged: string[] = [];
  const began = now();
  let scanned = 0;
  let bytes = 0;
  let confirmed = false;
  let counted = 0;
  let stopped: EventPage<E>['stopped'];
  for (;;) {
    const cursor = earliestHead(cursors);
    if (cursor === undefined) {
      // An empty page says that the end is reached (R13.2), but a log may answer a chunk with the log end of an earlier fetch.
      if (!confirmed && events.length === 0 && scanned > 0 && scanned < limits.scanRecords) {
        confirmed = true;
        await Promise.all(cursors.map((c) => c.readOn()));
        continue;
      }
      stopped = cursors.some((c) => c.unsettled) ? 'unsettled' : 'end';
      break;
    }
    if (events.length >= limits.limit || bytes >= limits.pageBytes) {
      stopped = 'full';
      break;
    }
    const isOver = scanned >= limits.scanRecords || (scanned > 0 && now() - began > limits.scanMs);
    if (isOver || damaged.length >= MAX_DAMAGED) {
      stopped = 'scan_budget';
      break;
    }
    if (turn.isOver) {
      turn.scanned('records', scanned - counted);
      counted = scanned;
      await turn.next();
    }
    scanned++;
    const { partition } = cursor;
    const record = cursor.head!;
    const usedUp = cursor.take();
    const original = settled.originalOf(stream, partition, record.offset);
    const place = { stream, partition, original };
    const seen = look(record, place);
    let event = isLarge(record) ? await stepsInTurns(seen, turn) : atOnce(seen);
    if (event === DAMAGED && (await learnSchema(deps, record))) event = atOnce(look(record, place));
    if (event === DAMAGED) {
      const position = formatPosition(stream, partition, record.offset);
      deps.report?.damaged?.(stream, partition, record.offset);
      damaged.push(position);
      if (encoder.damaged !== undefined) events.push(encoder.damaged({ position, partition, offset: record.offset }));
    } else if (event !== undefined) {
      // Decoding a large event has used up the turn.
      if (turn.isOver) await turn.next();
      const encoded = encoder.encode(event);
      events.push(encoded);
      bytes += encoder.sizeOf(encoded);
    }
    if (usedUp) await cursor.load();
  }
  turn.scanned('records', scanned - counted);
  for (const cursor of cursors) {
    next[cursor.partition] = cursor.next;
    cursor.keepRest();
  }
  return { events, next, stopped, damaged };
}

/** One loaded cursor per partition that can hold matching events. */
async function openCursors(
  deps: PageDeps,
  { stream, next, end, missing = 'fault', topicId }: StreamRange,
  filter: Pick<EventFilter, 'subject'>,
  limits: Limits,
  turn: Turn,
): Promise<readonly PartitionCursor[]> {
  const partitions = wantedPartitions(stream, filter);
  const chunkRecords = Math.max(20, Math.min(500, Math.ceil((limits.limit * 2) / partitions.length)));
  const chunkBytes = Math.min(CHUNK_BYTES, chunkRecords * RECORD_BYTES);
  const { settleMs } = limits;
  const cursors = partitions.map((partition) => {
    const place = { stream: stream.name, partition, from: next[partition]!, end: end?.[partition] };
    return new PartitionCursor(deps, { ...place, chunkRecords, chunkBytes, settleMs, missing, topicId, turn });
  });
  await Promise.all(cursors.map((c) => c.load()));
  return cursors;
}

/** All partitions, or only the one of the subject that the filter asks for. */
export function wantedPartitions(
  stream: Pick<StreamInfo, 'partitions'>,
  { subject }: Pick<EventFilter, 'subject'>,
): readonly number[] {
  if (subject !== undefined) return [partitionOf(Buffer.from(subject), stream.partitions)];
  return Array.from({ length: stream.partitions }, (_, p) => p);
}
