/** Attributes of an event without its data (CloudEvents 1.0). Extension names are lower case letters and digits. */
export interface Envelope {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  /** RFC 3339, UTC with `Z`, or as the publisher gave it. */
  readonly time: string;
  readonly dataschema: string;
  readonly extensions: Readonly<Record<string, string>>;
}

/** A header of a record in the log. Names may repeat; order is kept. */
export type Header = readonly [name: string, value: Buffer | null];

const ATTRIBUTES = ['id', 'source', 'type', 'subject', 'time', 'dataschema'] as const;
export const H_DIGEST = 'simpul-digest';
export const H_RECORDED = 'simpul-recordedtime';
export const H_UNIT = 'simpul-unit';
export const H_TRACEPARENT = 'traceparent';
const CONTENT_TYPE = Buffer.from('avro/binary');
const SPEC = Buffer.from('1.0');

export interface HubHeaders {
  /** 32 bytes. */
  readonly digest: Buffer;
  /** When the hub took the event, RFC 3339 UTC. */
  readonly recordedtime: string;
  /** Unit id and version of the unit that day, `SU00123@1`; absent for a party or the hub. */
  readonly unit?: string | undefined;
  readonly traceparent?: string | undefined;
}

/** CloudEvents Kafka binary mode headers (kafka-protocol-binding §3.2) plus the hub's own. */
export function toHeaders(e: Envelope, hub: HubHeaders): Header[] {
  const out: Header[] = [['ce_specversion', SPEC]];
  for (const name of ATTRIBUTES) out.push([`ce_${name}`, Buffer.from(e[name])]);
  for (const name in e.extensions) out.push([`ce_${name}`, Buffer.from(e.extensions[name]!)]);
  out.push(['content-type', CONTENT_TYPE], [H_DIGEST, hub.digest], [H_RECORDED, Buffer.from(hub.recordedtime)]);
  if (hub.unit !== undefined) out.push([H_UNIT, Buffer.from(hub.unit)]);
  if (hub.traceparent !== undefined) out.push([H_TRACEPARENT, Buffer.from(hub.traceparent)]);
  return out;
}

export interface ReadEnvelope extends Envelope, HubHeaders {}

/** The envelope of a record written by the gateway; undefined for a foreign record (no digest, or a required attribute missing, R10). */
export function fromHeaders(headers: readonly Header[]): ReadEnvelope | undefined {
  const seen: Record<string, string> = Object.create(null) as Record<string, string>;
  let digest: Buffer | undefined;
  let recordedtime: string | undefined;
  let unit: string | undefined;
  let traceparent: string | undefined;
  for (const [name, value] of headers) {
    if (value === null) continue;
    if (name === H_DIGEST) digest = value;
    else if (name === H_RECORDED) recordedtime = value.toString();
    else if (name === H_UNIT) unit = value.toString();
    else if (name === H_TRACEPARENT) traceparent = value.toString();
    else if (name.startsWith('ce_')) seen[name.slice(3)] = value.toString();
  }
  const { id, source, type, subject, time, dataschema, specversion: _spec, ...extensions } = seen;
  if (digest?.length !== 32 || recordedtime === undefined) return undefined;
  if (!id || !source || !type || subject === undefined || !time || !dataschema) return undefined;
  return { id, source, type, subject, time, dataschema, extensions, digest, recordedtime, unit, traceparent };
}

/** Confluent V0 frame: byte 0, schema id as 4-byte big-endian integer, Avro data. */
export const FRAME_BYTES = 5;

/** The schema id of a V0 frame; undefined when the first byte is not 0 or the frame is too short. */
export function schemaIdOf(value: Uint8Array): number | undefined {
  if (value.length < FRAME_BYTES || value[0] !== 0) return undefined;
  return ((value[1]! << 24) | (value[2]! << 16) | (value[3]! << 8) | value[4]!) >>> 0;
}
