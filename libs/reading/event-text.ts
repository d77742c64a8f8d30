import { shownEvent } from '#event';
import { Fault } from '#faults';
import type { ReadEvent } from './read-event.js';

/** `json`: data as JSON. `avro`: the V0 Avro frame as base64, only for events that are read in full (R12). */
export type Encoding = 'json' | 'avro';

/** The JSON text of a CloudEvent with `position`, `recordedtime`, `digest` and `copyof` of the hub. Fault not_acceptable: Avro of a masked event. */
export function eventText(event: ReadEvent, encoding: Encoding): string {
  const { envelope, stored, position, copyOf, data } = event;
  if (encoding === 'avro' && stored === undefined) {
    throw new Fault('not_acceptable', { detail: 'masked events are given as JSON only' });
  }
  const frame = encoding === 'avro' ? stored?.frame : undefined;
  return JSON.stringify(shownEvent(envelope, { digest: stored?.digest, frame, data, position, copyOf }));
}
