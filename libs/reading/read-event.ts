import { idsIn, maskData, readLevel, type Caller, type ReadLevel } from '#access';
import { formatPosition, type ReadEnvelope } from '#event';
import type { LogRecord } from '#log';
import { decodeEvent, openRecord, type Catalogue, type EventType } from '#registry';
import type { Units } from '#units';

/** The hub itself as a reader: it reads every event in full. Never for a request of somebody else. */
export const HUB = 'hub';
export type Reader = Caller | typeof HUB;

/** Conditions that an event must fulfil, all of them. */
export interface EventFilter {
  readonly types?: ReadonlySet<string> | undefined;
  readonly subject?: string | undefined;
  /** The id of the unit that sent the event, or that stands in a unit field of its data. */
  readonly unit?: string | undefined;
  /** Show copies too (R2.3), each with the position of its original. @default false */
  readonly copies?: boolean | undefined;
}

/** One event as one reader may see it. */
export interface ReadEvent {
  readonly partition: number;
  readonly offset: bigint;
  /** `stream/partition/offset` */
  readonly position: string;
  readonly type: EventType;
  readonly envelope: Omit<ReadEnvelope, 'digest'>;
  readonly level: Exclude<ReadLevel, 'none'>;
  /** Plain JSON; masked at level `masked`. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Only at level `full`: SHA-256 of key and value, and the value as it lies in the log (V0 Avro frame). */
  readonly stored?: { readonly digest: Buffer; readonly frame: Buffer };
  /** Size of the value in the log, bytes. */
  readonly bytes: number;
  /** Position of the original, when this event is a copy. */
  readonly copyOf?: string | undefined;
}

export interface Rights {
  readonly catalogue: Catalogue;
  readonly units: Units;
}

export interface RecordPlace {
  readonly stream: string;
  readonly partition: number;
  /** Offset of the original, when the record is a copy. */
  readonly original: bigint | undefined;
}

/**
 * The event of a record for one reader. undefined: it is no readable event of a gateway, does not match the filter, or the reader may not see it;
 * all three look the same (R12).
 */
export function eventFor(
  reader: Reader,
  record: LogRecord,
  { stream, partition, original }: RecordPlace,
  filter: EventFilter,
  { catalogue, units }: Rights,
): ReadEvent | undefined {
  if (original !== undefined && filter.copies !== true) return undefined;
  const opened = openRecord(record, catalogue);
  if (opened.kind !== 'event') return undefined;
  const { envelope } = opened;
  if (filter.types !== undefined && !filter.types.has(envelope.type)) return undefined;
  if (filter.subject !== undefined && envelope.subject !== filter.subject) return undefined;
  const event = decodeEvent(opened, stream, partition);
  if (event === undefined) return undefined;
  const { type, position, offset } = event;
  const data = event.data as Record<string, unknown>;
  if (filter.unit !== undefined && !concerns(filter.unit, envelope, type, data)) return undefined;
  const level = reader === HUB ? 'full' : readLevel(reader, type, { source: envelope.source, data }, units);
  if (level === 'none') return undefined;
  const copyOf = original === undefined ? undefined : formatPosition(stream, partition, original);
  const seen = { partition, offset, position, type, envelope, bytes: record.value!.length, copyOf };
  return level === 'full'
    ? { ...seen, level, data, stored: { digest: envelope.digest, frame: record.value! } }
    : { ...seen, level, data: maskData(type.contract, data) };
}

function concerns(unit: string, envelope: ReadEnvelope, type: EventType, data: Record<string, unknown>): boolean {
  if (envelope.extensions['unitasal'] === unit) return true;
  return type.unitFields.some((field) => idsIn(data, field).includes(unit));
}
