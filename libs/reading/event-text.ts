import { HUB_NAMES, traceOf } from '#event';
import { Fault } from '#faults';
import type { ReadEvent } from './read-event.js';

/** `json`: data as JSON. `avro`: the V0 Avro frame as base64, only for events that are read in full (R12). */
export type Encoding = 'json' | 'avro';

/** The JSON text of a CloudEvent with `position`, `recordedtime`, `digest` and `copyof` of the hub. Fault not_acceptable: Avro of a masked event. */
export function eventText(event: ReadEvent, encoding: Encoding): string {
  const { envelope, stored, position, copyOf } = event;
  if (encoding === 'avro' && stored === undefined) {
    throw new Fault('not_acceptable', { detail: 'masked events are given as JSON only' });
  }
  const frame = encoding === 'avro' ? stored?.frame : undefined;
  const { traceparent, tracestate, ...extensions } = envelope.extensions;
  return JSON.stringify({
    specversion: '1.0',
    id: envelope.id,
    source: envelope.source,
    type: envelope.type,
    subject: envelope.subject,
    time: envelope.time,
    dataschema: envelope.dataschema,
    datacontenttype: frame === undefined ? 'application/json' : 'application/avro',
    ...withoutHubNames(extensions),
    ...traceOf(traceparent ?? envelope.traceparent, tracestate),
    recordedtime: envelope.recordedtime,
    ...(stored === undefined ? {} : { digest: `sha-256:${stored.digest.toString('hex')}` }),
    ...(frame === undefined ? { data: event.data } : { data_base64: frame.toString('base64') }),
    position,
    ...(copyOf === undefined ? {} : { copyof: copyOf }),
  });
}

/** Records of versions that took such an extension from a publisher may have one. */
function withoutHubNames(extensions: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const name in extensions)
    if (HUB_NAMES.has(name)) return Object.fromEntries(Object.entries(extensions).filter(([n]) => !HUB_NAMES.has(n)));
  return extensions;
}
