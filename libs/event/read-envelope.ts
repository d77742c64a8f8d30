import { H_CHECK, H_SHA_CHECK } from './attribute-check.js';
import {
  cached,
  H_DIGEST,
  H_RECORDED,
  H_TRACEPARENT,
  H_UNIT,
  type Envelope,
  type Header,
  type HubHeaders,
} from './envelope.js';

export interface ReadEnvelope extends Envelope, HubHeaders {
  /** The checks of the attributes as they stand in the record, see fitsCheck(): of new events `crc`, of earlier versions `check` or none. */
  readonly crc?: Buffer | undefined;
  readonly check?: string | undefined;
}

/** Assigning `__proto__` would change the prototype: a foreign record may carry a header `ce___proto__`. */
export function setOwn(of: Record<string, unknown>, name: string, value: string): void {
  if (name === '__proto__')
    Object.defineProperty(of, name, { value, enumerable: true, configurable: true, writable: true });
  else of[name] = value;
}

/** Headers as they lie in the bytes of a record: no array and no view is made for each of them. Filled anew for each record. */
export class HeaderPlaces {
  count = 0;
  readonly names: string[] = [];
  readonly bytes: Buffer[] = [];
  readonly from: number[] = [];
  /** Behind the value; −1: null. */
  readonly to: number[] = [];

  add(name: string, bytes: Buffer, from: number, to: number): void {
    const at = this.count++;
    this.names[at] = name;
    this.bytes[at] = bytes;
    this.from[at] = from;
    this.to[at] = to;
  }
}

const listed = new HeaderPlaces();

/** Texts that repeat from record to record, by the name of their header: the last one is used again when the bytes are equal. */
const repeated = new Map(
  ['ce_source', 'ce_type', 'ce_dataschema', H_RECORDED, H_UNIT, 'ce_unitasal', 'ce_unitkode', 'ce_kelasdata'].map(
    (name) => [name, { text: '' }],
  ),
);

function textAt({ names, bytes, from, to }: HeaderPlaces, at: number): string {
  const last = repeated.get(names[at]!);
  if (last === undefined) return bytes[at]!.toString('utf8', from[at], to[at]);
  if (!isText(last.text, bytes[at]!, from[at]!, to[at]!)) last.text = bytes[at]!.toString('utf8', from[at], to[at]);
  return last.text;
}

/** Whether these bytes are this ASCII text. false for any other text: its bytes are more than its characters, or no UTF-8. */
function isText(text: string, bytes: Buffer, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[from + i]) return false;
  return true;
}

/** The envelope of a record that a gateway wrote; undefined for a foreign record (no digest, or a required attribute is missing, R10). */
export function fromHeaders(headers: readonly Header[] | HeaderPlaces): ReadEnvelope | undefined {
  let places = listed;
  if (headers instanceof HeaderPlaces) places = headers;
  else {
    listed.count = 0;
    for (const [name, value] of headers) if (value !== null) listed.add(name, value, 0, value.length);
  }
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
  let crc: Buffer | undefined;
  let check: string | undefined;
  const extensions: Record<string, string> = {};
  for (let at = 0; at < places.count; at++) {
    if (places.to[at]! < 0) continue;
    const name = places.names[at]!;
    switch (name) {
      case 'ce_id':
        id = textAt(places, at);
        break;
      case 'ce_source':
        source = textAt(places, at);
        break;
      case 'ce_type':
        type = textAt(places, at);
        break;
      case 'ce_subject':
        subject = textAt(places, at);
        break;
      case 'ce_time':
        time = textAt(places, at);
        break;
      case 'ce_dataschema':
        dataschema = textAt(places, at);
        break;
      case 'ce_specversion':
        break;
      case H_DIGEST:
        digest = bytesAt(places, at);
        break;
      case H_RECORDED:
        recordedtime = textAt(places, at);
        break;
      case H_UNIT:
        unit = textAt(places, at);
        break;
      case H_TRACEPARENT:
        traceparent = textAt(places, at);
        break;
      case H_CHECK:
        crc = bytesAt(places, at);
        break;
      case H_SHA_CHECK:
        check = bytesAt(places, at).toString('latin1');
        break;
      default:
        if (name.startsWith('ce_')) setOwn(extensions, extensionOf(name), textAt(places, at));
    }
  }
  if (digest?.length !== 32 || recordedtime === undefined) return undefined;
  if (!id || !source || !type || subject === undefined || !time || !dataschema) return undefined;
  return {
    id,
    source,
    type,
    subject,
    time,
    dataschema,
    extensions,
    digest,
    recordedtime,
    unit,
    traceparent,
    crc,
    check,
  };
}

const bytesAt = ({ bytes, from, to }: HeaderPlaces, at: number): Buffer => bytes[at]!.subarray(from[at], to[at]);

const extensionNames = new Map<string, string>();
/** As one shared string: a cut-out one would be hashed anew for each record. */
const extensionOf = (name: string): string => cached(extensionNames, name, () => name.slice(3));
