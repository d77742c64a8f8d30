import { checkHeader } from './attribute-check.js';

/** The context attributes of an event, without its data (CloudEvents 1.0 §2). Extension names are lower-case letters and digits. */
export interface Envelope {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  /** RFC 3339 with a zone, exactly as the publisher sent it; the recorded time in UTC when the publisher sent none. */
  readonly time: string;
  readonly dataschema: string;
  readonly extensions: Readonly<Record<string, string>>;
}

/** One header of a log record. Names may repeat; the order is kept. */
export type Header = readonly [name: string, value: Buffer | null];

export const H_DIGEST = 'simpul-digest';
export const H_RECORDED = 'simpul-recordedtime';
export const H_UNIT = 'simpul-unit';
export const H_TRACEPARENT = 'traceparent';
const SPEC_VERSION: Header = ['ce_specversion', Buffer.from('1.0')];
const CONTENT_TYPE: Header = ['content-type', Buffer.from('avro/binary')];

export interface HubHeaders {
  /** SHA-256 over key and value (R2.6), 32 bytes. */
  readonly digest: Buffer;
  /** When the gateway checked the event, RFC 3339 UTC. Not the append time, which the log sets. */
  readonly recordedtime: string;
  /** Id and version of the source unit on that day, `SU00123@1`; absent for an external party and for the hub itself. */
  readonly unit?: string | undefined;
  readonly traceparent?: string | undefined;
}

/** Size limit of each cache of texts. A full cache is cleared as a whole: a publisher with ever new values must not grow memory. */
const CACHE_ENTRIES = 4_096;
const names = new Map<string, string>();

export function cached<T>(cache: Map<string, T>, text: string, make: () => T): T {
  let made = cache.get(text);
  if (made === undefined) {
    if (cache.size >= CACHE_ENTRIES) cache.clear();
    cache.set(text, (made = make()));
  }
  return made;
}

/** The header name of an extension, as one shared string: its hash is computed once and not for every record. */
const headerNameOf = (extension: string): string => cached(names, extension, () => `ce_${extension}`);

/**
 * Makes headers of a name whose values repeat (types, sources, unit codes) from a cache. The bytes come from allocUnsafeSlow, because a small
 * buffer cut from Node's pool would keep its whole 8 KiB slab alive in the cache.
 */
function cachedHeader(name: string): (text: string) => Header {
  const headers = new Map<string, Header>();
  return (text) =>
    cached(headers, text, () => {
      const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
      bytes.write(text);
      return [name, bytes];
    });
}

const sourceHeader = cachedHeader('ce_source');
const typeHeader = cachedHeader('ce_type');
const dataschemaHeader = cachedHeader('ce_dataschema');
const recordedHeader = cachedHeader(H_RECORDED);
const unitHeader = cachedHeader(H_UNIT);
/** Extensions that the hub sets: their values are the same for every event of a unit. */
const hubExtensionHeaders = new Map(
  ['unitasal', 'unitkode', 'kelasdata'].map((name) => [name, cachedHeader(`ce_${name}`)]),
);

/**
 * The record headers of an event: CloudEvents Kafka binary content mode (kafka-protocol-binding §3.2) plus the hub's own.
 * Headers and their bytes are shared between records: callers must not modify them.
 */
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
    out.push(hubExtensionHeaders.get(name)?.(text) ?? [headerNameOf(name), Buffer.from(text)]);
  }
  out.push(CONTENT_TYPE, [H_DIGEST, hub.digest], recordedHeader(hub.recordedtime));
  if (hub.unit !== undefined) out.push(unitHeader(hub.unit));
  if (hub.traceparent !== undefined) out.push([H_TRACEPARENT, Buffer.from(hub.traceparent)]);
  out.push(checkHeader(e, hub));
  return out;
}

/** Header length of the Confluent V0 wire format: magic byte 0, schema id as 4-byte big-endian integer; the Avro data follows. */
export const FRAME_BYTES = 5;

/** The schema id of a V0 frame; undefined when the magic byte is not 0 or the value is shorter than the header. */
export function schemaIdOf(value: Uint8Array): number | undefined {
  if (value.length < FRAME_BYTES || value[0] !== 0) return undefined;
  return ((value[1]! << 24) | (value[2]! << 16) | (value[3]! << 8) | value[4]!) >>> 0;
}
