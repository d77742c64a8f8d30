import { digestOf, formatPosition, fromHeaders, schemaIdOf, type ReadEnvelope } from '#event';
import type { LogRecord } from '#log';
import type { Catalogue, EventType } from '#registry';
import type { FoldEvent } from './compile.js';

/** A record whose headers and digest were looked at. `foreign`: not written by a gateway (R10). `corrupt`: digest, schema or data do not fit. */
export type OpenedRecord =
  | { readonly kind: 'event'; readonly record: LogRecord; readonly envelope: ReadEnvelope; readonly type: EventType }
  | { readonly kind: 'foreign'; readonly record: LogRecord }
  | { readonly kind: 'unknown_schema'; readonly record: LogRecord; readonly schemaId: number }
  | { readonly kind: 'corrupt'; readonly record: LogRecord };

export type EventRecord = Extract<OpenedRecord, { kind: 'event' }>;

const EMPTY = Buffer.alloc(0);

/** Opens a record of a stream. Pure and total. */
export function openRecord(record: LogRecord, catalogue: Catalogue): OpenedRecord {
  const envelope = fromHeaders(record.headers);
  if (!envelope || record.value === null) return { kind: 'foreign', record };
  if (!envelope.digest.equals(digestOf(record.key ?? EMPTY, record.value))) return { kind: 'corrupt', record };
  const schemaId = schemaIdOf(record.value);
  if (schemaId === undefined) return { kind: 'corrupt', record };
  const type = catalogue.bySchemaId(schemaId);
  if (!type) return { kind: 'unknown_schema', record, schemaId };
  if (type.type !== envelope.type) return { kind: 'corrupt', record };
  return { kind: 'event', record, envelope, type };
}

/** The event with its data as plain JSON; undefined when the bytes cannot be read under their schema. */
export function decodeEvent(opened: EventRecord, stream: string, partition: number): FoldEvent | undefined {
  const { record, envelope, type } = opened;
  try {
    return {
      type,
      envelope,
      data: type.contract.decode(record.value!, { framed: true }),
      position: formatPosition(stream, partition, record.offset),
      offset: record.offset,
      timeMs: record.appendTimeMs,
    };
  } catch {
    return undefined;
  }
}

/** Same content under two schemas of one type (R2.6): read both in the newer shape, so that fields at their default do not count. */
export function sameContent(a: EventRecord, b: EventRecord): boolean {
  if (a.type.type !== b.type.type || a.envelope.subject !== b.envelope.subject) return false;
  const newer = a.type.version >= b.type.version ? a.type : b.type;
  try {
    const read = (x: EventRecord): string =>
      JSON.stringify(
        x.type.contract.decode(x.record.value!, {
          framed: true,
          ...(x.type === newer ? {} : { reader: newer.contract }),
        }),
      );
    return read(a) === read(b);
  } catch {
    return false;
  }
}
