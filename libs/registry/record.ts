import { digestOf, formatPosition, fromHeaders, schemaIdOf, type ReadEnvelope } from '#event';
import type { LogRecord } from '#log';
import type { Catalogue, EventType } from './catalogue.js';

/** A record whose headers and digest were looked at. `foreign`: not written by a gateway (R10). `corrupt`: digest, schema or data do not fit. */
export type OpenedRecord =
  | { readonly kind: 'event'; readonly record: LogRecord; readonly envelope: ReadEnvelope; readonly type: EventType }
  | { readonly kind: 'foreign'; readonly record: LogRecord }
  | { readonly kind: 'unknown_schema'; readonly record: LogRecord; readonly schemaId: number }
  | { readonly kind: 'corrupt'; readonly record: LogRecord };

export type EventRecord = Extract<OpenedRecord, { kind: 'event' }>;

/** An event of a stream with its data as plain JSON. */
export interface DecodedEvent {
  readonly type: EventType;
  readonly envelope: ReadEnvelope;
  readonly data: Readonly<Record<string, unknown>>;
  readonly position: string;
  readonly offset: bigint;
  /** Clock of the log, ms since 1970. */
  readonly appendTimeMs: number;
}

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
export function decodeEvent(opened: EventRecord, stream: string, partition: number): DecodedEvent | undefined {
  const { record, envelope, type } = opened;
  try {
    return {
      type,
      envelope,
      data: type.contract.decode(record.value!, { framed: true }),
      position: formatPosition(stream, partition, record.offset),
      offset: record.offset,
      appendTimeMs: record.appendTimeMs,
    };
  } catch {
    return undefined;
  }
}
