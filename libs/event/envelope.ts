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

export const H_DIGEST = 'simpul-digest';
export const H_RECORDED = 'simpul-recordedtime';
export const H_UNIT = 'simpul-unit';
export const H_TRACEPARENT = 'traceparent';
const SPEC_VERSION: Header = ['ce_specversion', Buffer.from('1.0')];
const CONTENT_TYPE: Header = ['content-type', Buffer.from('avro/binary')];

export interface HubHeaders {
  /** 32 bytes. */
  readonly digest: Buffer;
  /** When the hub took the event, RFC 3339 UTC. */
  readonly recordedtime: string;
  /** Unit id and version of the unit that day, `SU00123@1`; absent for a party or the hub. */
  readonly unit?: string | undefined;
  readonly traceparent?: string | undefined;
}

/** At most so many texts are kept as bytes; then all are forgotten. */
const MOST_KEPT = 4_096;
const names = new Map<string, string>();

function kept<T>(of: Map<string, T>, text: string, make: () => T): T {
  let made = of.get(text);
  if (made === undefined) {
    if (of.size >= MOST_KEPT) of.clear();
    of.set(text, (made = make()));
  }
  return made;
}

/** The one string of a header's name, so that it is hashed once and not with every record. */
const nameOf = (extension: string): string => kept(names, extension, () => `ce_${extension}`);

/** Headers of a name whose texts come again and again: types, sources, codes of units. Their bytes are not from Node's pool, which they would hold. */
function repeating(name: string): (text: string) => Header {
  const headers = new Map<string, Header>();
  return (text) =>
    kept(headers, text, () => {
      const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
      bytes.write(text);
      return [name, bytes];
    });
}

const sourceHeader = repeating('ce_source');
const typeHeader = repeating('ce_type');
const dataschemaHeader = repeating('ce_dataschema');
const recordedHeader = repeating(H_RECORDED);
const unitHeader = repeating(H_UNIT);
/** Extensions that the hub sets, the same for every event of a unit. */
const ofTheUnit = new Map(['unitasal', 'unitkode', 'kelasdata'].map((name) => [name, repeating(`ce_${name}`)]));

/** CloudEvents Kafka binary mode headers (kafka-protocol-binding §3.2) plus the hub's own. Headers and bytes are shared and never written to. */
export function toHeaders(e: Envelope, hub: HubHeaders): Header[] {
  const out: Header[] = [
    SPEC_VERSION,
    ['ce_id', Buffer.from(e.id)],
    sourceHeader(e.source),
    typeHeader(e.type),
    ['ce_subject', Buffer.from(e.subject)],
    ['ce_time', Buffer.from(e.time)],
    dataschemaHeader(e.dataschema),
  ];
  for (const name in e.extensions) {
    const text = e.extensions[name]!;
    out.push(ofTheUnit.get(name)?.(text) ?? [nameOf(name), Buffer.from(text)]);
  }
  out.push(CONTENT_TYPE, [H_DIGEST, hub.digest], recordedHeader(hub.recordedtime));
  if (hub.unit !== undefined) out.push(unitHeader(hub.unit));
  if (hub.traceparent !== undefined) out.push([H_TRACEPARENT, Buffer.from(hub.traceparent)]);
  return out;
}

export interface ReadEnvelope extends Envelope, HubHeaders {}

/** A foreign record may name its header `ce___proto__`. */
function setOwn(of: Record<string, string>, name: string, value: string): void {
  if (name === '__proto__')
    Object.defineProperty(of, name, { value, enumerable: true, configurable: true, writable: true });
  else of[name] = value;
}

/** The envelope of a record written by the gateway; undefined for a foreign record (no digest, or a required attribute missing, R10). */
export function fromHeaders(headers: readonly Header[]): ReadEnvelope | undefined {
  let id: string | undefined;
  let source: string | undefined;
  let type: string | undefined;
  let subject: string | undefined;
  let time: string | undefined;
  let dataschema: string | undefined;
  let digest: Buffer | undefined;
  let recordedtime: string | undefined;
  let unit: string | undefined;
  let traceparent: string | undefined;
  const extensions: Record<string, string> = {};
  for (const [name, value] of headers) {
    if (value === null) continue;
    switch (name) {
      case 'ce_id':
        id = value.toString();
        break;
      case 'ce_source':
        source = value.toString();
        break;
      case 'ce_type':
        type = value.toString();
        break;
      case 'ce_subject':
        subject = value.toString();
        break;
      case 'ce_time':
        time = value.toString();
        break;
      case 'ce_dataschema':
        dataschema = value.toString();
        break;
      case 'ce_specversion':
        break;
      case H_DIGEST:
        digest = value;
        break;
      case H_RECORDED:
        recordedtime = value.toString();
        break;
      case H_UNIT:
        unit = value.toString();
        break;
      case H_TRACEPARENT:
        traceparent = value.toString();
        break;
      default:
        if (name.startsWith('ce_')) setOwn(extensions, name.slice(3), value.toString());
    }
  }
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
