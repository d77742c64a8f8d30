import {
  digestOf,
  fitsCheck,
  formatPosition,
  fromHeaders,
  hasCheck,
  HeaderPlaces,
  schemaIdOf,
  type ReadEnvelope,
} from '#event';
import type { LogRecord } from '#log';
import type { Catalogue, EventType } from './catalogue.js';

/**
 * A stream record after its headers and digest were checked. `foreign`: not written by a gateway (R10.1). `unknown_schema`: its schema id is not registered
 * (yet). `corrupt`: the log cannot give its bytes, or the digest, the check of the attributes, the frame or the type
 * does not fit the headers. Records of earlier versions have no check: their attributes are taken as they are.
 */
export type OpenedRecord<R extends OpenableRecord = LogRecord> =
  | {
      readonly kind: 'event';
      readonly record: R;
      /** The value of the record. */
      readonly frame: Buffer;
      readonly envelope: ReadEnvelope;
      readonly type: EventType;
    }
  | { readonly kind: 'foreign'; readonly record: R }
  | { readonly kind: 'unknown_schema'; readonly record: R; readonly schemaId: number }
  | { readonly kind: 'corrupt'; readonly record: R };

/** What of a record says whether it is an event. */
export type OpenableRecord = Pick<LogRecord, 'key' | 'value' | 'headers' | 'placeHeaders' | 'damaged' | 'foreign'>;

export type EventRecord = Extract<OpenedRecord, { kind: 'event' }>;

/** An event of a stream with its data as plain JSON. */
export interface DecodedEvent {
  readonly type: EventType;
  readonly envelope: ReadEnvelope;
  readonly data: Readonly<Record<string, unknown>>;
  readonly position: string;
  readonly offset: bigint;
  /** Append time of the record, set by the log, ms since 1970. */
  readonly appendTimeMs: number;
}

const EMPTY = Buffer.alloc(0);
const places = new HeaderPlaces();

/** The attributes of a record; undefined for one that no gateway wrote. */
export function envelopeOf(record: OpenableRecord): ReadEnvelope | undefined {
  if (record.placeHeaders === undefined) return fromHeaders(record.headers);
  record.placeHeaders(places);
  return fromHeaders(places);
}

/** Checks headers, digest and schema id of a stream record, without decoding its data. Pure and total. */
export function openRecord<R extends OpenableRecord>(
  record: R,
  catalogue: Pick<Catalogue, 'bySchemaId'>,
  envelope = envelopeOf(record),
): OpenedRecord<R> {
  if (record.damaged) return { kind: 'corrupt', record };
  if (record.foreign) return { kind: 'foreign', record };
  const frame = record.value;
  // With a check it was written by a gateway, and what is missing now has been lost.
  if (!envelope || frame === null) return { kind: hasCheck(record.headers) ? 'corrupt' : 'foreign', record };
  if (!envelope.digest.equals(digestOf(record.key ?? EMPTY, frame))) return { kind: 'corrupt', record };
  if (!fitsCheck(envelope)) return { kind: 'corrupt', record };
  const schemaId = schemaIdOf(frame);
  if (schemaId === undefined) return { kind: 'corrupt', record };
  const type = catalogue.bySchemaId(schemaId);
  if (!type) return { kind: 'unknown_schema', record, schemaId };
  if (type.type !== envelope.type) return { kind: 'corrupt', record };
  return { kind: 'event', record, frame, envelope, type };
}

/** The event with its data as plain JSON; undefined when the bytes cannot be decoded with their schema. */
export function decodeEvent(opened: EventRecord, stream: string, partition: number): DecodedEvent | undefined {
  const { record, frame, envelope, type } = opened;
  try {
    return {
      type,
      envelope,
      data: type.contract.decode(frame, { framed: true }),
      position: formatPosition(stream, partition, record.offset),
      offset: record.offset,
      appendTimeMs: record.appendTimeMs,
    };
  } catch {
    return undefined;
  }
}
