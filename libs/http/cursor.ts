import { Fault } from '#faults';
import { z, type ZodType } from 'zod';

/** Opaque text from a value: base64url of its JSON. */
export function encodeCursor(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** The value of a cursor that fits `schema`; Fault invalid_cursor for anything else. */
export function decodeCursor<S extends ZodType>(text: string, schema: S): z.output<S> {
  if (text.length > 8_192 || !/^[A-Za-z0-9_-]+$/.test(text)) throw new Fault('invalid_cursor');
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    throw new Fault('invalid_cursor');
  }
  const read = schema.safeParse(value);
  if (!read.success) throw new Fault('invalid_cursor');
  return read.data;
}

/** Where a reader stands in every partition of a stream. `topicId`: 8 hex digits, change when the stream is made again (R13). */
export interface StreamCursor {
  readonly stream: string;
  readonly topicId: string;
  /** Next offset of each partition, by number. */
  readonly next: readonly bigint[];
  /** End of the period, fixed when the reading began (offsets, exclusive). */
  readonly end?: readonly bigint[];
}

const OFFSETS = z
  .string()
  .max(4_000)
  .regex(/^(0|[1-9]\d{0,18})(,(0|[1-9]\d{0,18}))*$/);
const STREAM_CURSOR = z.strictObject({
  s: z.string().max(200),
  t: z.string().regex(/^[0-9a-f]{8}$/),
  o: OFFSETS,
  e: OFFSETS.optional(),
});

export function encodeStreamCursor(c: StreamCursor): string {
  return encodeCursor({
    s: c.stream,
    t: c.topicId,
    o: c.next.join(','),
    ...(c.end === undefined ? {} : { e: c.end.join(',') }),
  });
}

/** Fault invalid_cursor (no cursor of ours, or of another stream), stream_recreated. */
export function decodeStreamCursor(text: string, stream: string, topicId: string, partitions: number): StreamCursor {
  const c = decodeCursor(text, STREAM_CURSOR);
  if (c.s !== stream) throw new Fault('invalid_cursor', { detail: 'the cursor belongs to another stream' });
  if (c.t !== topicId) throw new Fault('stream_recreated');
  const next = c.o.split(',').map(BigInt);
  const end = c.e?.split(',').map(BigInt);
  if (next.length !== partitions || (end !== undefined && end.length !== partitions)) throw new Fault('invalid_cursor');
  return { stream, topicId, next, ...(end === undefined ? {} : { end }) };
}
