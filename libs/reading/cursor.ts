import { MAX_OFFSET } from '#event';
import { Fault } from '#faults';
import { cursorValue, encodeCursor } from './cursor-text.js';

/** The place of a reader in every partition of one stream. */
export interface StreamCursor {
  readonly stream: string;
  /** 8 hex digits that change when the stream's topic is deleted and made again (R13). */
  readonly topicId: string;
  /** Next offset to read, by partition number. */
  readonly next: readonly bigint[];
  /** Exclusive end offset of the period by partition number, resolved once when the reading began. Absent: no end. */
  readonly end?: readonly bigint[];
}

const OFFSETS = /^(0|[1-9]\d{0,18})(,(0|[1-9]\d{0,18}))*$/;
const OFFSETS_LENGTH = 4_000;
const MEMBERS = new Set(['s', 't', 'o', 'e']);

/** The part of a topic's id (EventLog.topicId) that cursors carry. */
export function cursorTopicId(topicId: string): string {
  return topicId.slice(0, 8);
}

export function encodeStreamCursor(c: StreamCursor): string {
  return encodeCursor({
    s: c.stream,
    t: c.topicId,
    o: c.next.join(','),
    ...(c.end === undefined ? {} : { e: c.end.join(',') }),
  });
}

/** Faults: invalid_cursor (not a stream cursor, or one of another stream), stream_recreated (the topic id differs). */
export function decodeStreamCursor(text: string, stream: string, topicId: string, partitions: number): StreamCursor {
  const c = membersOf(cursorValue(text));
  if (c.s !== stream) throw new Fault('invalid_cursor', { detail: 'the cursor belongs to another stream' });
  if (c.t !== topicId) throw new Fault('stream_recreated');
  const next = c.o.split(',').map(BigInt);
  const end = c.e?.split(',').map(BigInt);
  const places = end === undefined ? next : [...next, ...end];
  if (places.some((offset) => offset > MAX_OFFSET)) throw new Fault('invalid_cursor');
  if (next.length !== partitions || (end !== undefined && end.length !== partitions)) throw new Fault('invalid_cursor');
  return { stream, topicId, next, ...(end === undefined ? {} : { end }) };
}

interface Members {
  readonly s: string;
  readonly t: string;
  readonly o: string;
  readonly e?: string;
}

function membersOf(value: unknown): Members {
  if (typeof value !== 'object' || value === null) throw new Fault('invalid_cursor');
  const { s, t, o, e } = value as Record<string, unknown>;
  const ok =
    typeof s === 'string' &&
    s.length <= 200 &&
    typeof t === 'string' &&
    /^[0-9a-f]{8}$/.test(t) &&
    isOffsets(o) &&
    (e === undefined || isOffsets(e)) &&
    Object.keys(value).every((name) => MEMBERS.has(name));
  if (!ok) throw new Fault('invalid_cursor');
  return { s, t, o, ...(e === undefined ? {} : { e }) };
}

function isOffsets(value: unknown): value is string {
  return typeof value === 'string' && value.length <= OFFSETS_LENGTH && OFFSETS.test(value);
}
