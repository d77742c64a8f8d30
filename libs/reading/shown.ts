import { idsIn, maskData, readLevel, type Caller, type ReadLevel } from '#access';
import { traceOf } from '#event';
import { Fault } from '#faults';
import { decodeEvent, openRecord, type FoldEvent } from '#projection';
import type { LogRecord } from '#log';
import type { Catalogue } from '#registry';
import type { Units } from '#units';

export type Encoding = 'json' | 'avro';

export interface EventFilter {
  readonly types?: ReadonlySet<string> | undefined;
  readonly subject?: string | undefined;
  /** The unit that sent it, or one that stands in a unit field. */
  readonly unit?: string | undefined;
}

export interface ShowDeps {
  readonly catalogue: Catalogue;
  readonly units: Units;
}

/** A record as this caller may see it: JSON text of a CloudEvent with `position`, or undefined when it looks missing (R12) or does not match. */
export function showRecord(
  record: LogRecord,
  at: { readonly stream: string; readonly partition: number; readonly copyOf?: string | undefined },
  filter: EventFilter,
  caller: Caller,
  encoding: Encoding,
  deps: ShowDeps,
): string | undefined {
  const opened = openRecord(record, deps.catalogue);
  if (opened.kind !== 'event') return undefined;
  const { envelope } = opened;
  if (filter.types !== undefined && !filter.types.has(envelope.type)) return undefined;
  if (filter.subject !== undefined && envelope.subject !== filter.subject) return undefined;
  const event = decodeEvent(opened, at.stream, at.partition);
  if (event === undefined) return undefined;
  if (filter.unit !== undefined && !concerns(event, filter.unit)) return undefined;
  const level = readLevel(caller, event.type, { source: envelope.source, data: event.data }, deps.units);
  if (level === 'none') return undefined;
  if (encoding === 'avro' && level !== 'full') {
    throw new Fault('not_acceptable', { detail: 'masked events are given as JSON only' });
  }
  return JSON.stringify(cloudEvent(event, level, encoding === 'avro' ? record.value! : undefined, at.copyOf));
}

function concerns(event: FoldEvent, unit: string): boolean {
  if (event.envelope.extensions['unitasal'] === unit) return true;
  return event.type.unitFields.some((field) => idsIn(event.data, field).includes(unit));
}

function cloudEvent(event: FoldEvent, level: ReadLevel, frame: Buffer | undefined, copyOf: string | undefined): object {
  const { envelope, type, data, position } = event;
  const { traceparent, tracestate, ...extensions } = envelope.extensions;
  return {
    specversion: '1.0',
    id: envelope.id,
    source: envelope.source,
    type: envelope.type,
    subject: envelope.subject,
    time: envelope.time,
    dataschema: envelope.dataschema,
    datacontenttype: frame === undefined ? 'application/json' : 'application/avro',
    ...extensions,
    ...traceOf(traceparent ?? envelope.traceparent, tracestate),
    recordedtime: envelope.recordedtime,
    ...(level === 'full' ? { digest: `sha-256:${envelope.digest.toString('hex')}` } : {}),
    ...(frame === undefined
      ? { data: level === 'full' ? data : maskData(type.contract, data as Record<string, unknown>) }
      : { data_base64: frame.toString('base64') }),
    position,
    ...(copyOf === undefined ? {} : { copyof: copyOf }),
  };
}
