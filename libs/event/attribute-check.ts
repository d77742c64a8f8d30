import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Envelope, Header, HubHeaders } from './envelope.js';
import type { ReadEnvelope } from './read-envelope.js';

/** Header of an event: CRC-32 over its attributes, 4 bytes, big-endian. Events of earlier versions have H_SHA_CHECK, or neither. */
export const H_CHECK = 'simpul-crc';
/** Header of events of earlier versions: 16 hex digits of SHA-256 over the same text. */
export const H_SHA_CHECK = 'simpul-check';

/**
 * Everything that a record says of an event beside key and value, which the digest covers: rights hang on source, type and extensions. No attribute holds
 * a control character, so a line break separates them.
 */
function attributesText(e: Envelope, hub: Omit<HubHeaders, 'digest'>): string {
  let text = `${e.id}\n${e.source}\n${e.type}\n${e.subject}\n${e.time}\n${e.dataschema}\n${hub.recordedtime}\n${hub.unit ?? ''}\n${hub.traceparent ?? ''}`;
  for (const name in e.extensions) text += `\n${name}=${e.extensions[name]!}`;
  return text;
}

/**
 * The check of a new event. It finds damage, not forgery: whoever can write a record can write any check, so a keyless cryptographic hash would prove no more
 * and cost each publish and each read three times as much.
 */
export function checkHeader(e: Envelope, hub: Omit<HubHeaders, 'digest'>): Header {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(crc32(attributesText(e, hub)));
  return [H_CHECK, bytes];
}

/** Whether the attributes fit the check that the record has; true without one, as in records of earlier versions. */
export function fitsCheck(e: ReadEnvelope): boolean {
  const { crc, check } = e;
  if (crc === undefined && check === undefined) return true;
  const text = attributesText(e, e);
  if (crc !== undefined && (crc.length !== 4 || crc.readUInt32BE() !== crc32(text))) return false;
  return check === undefined || check === hash('sha256', text, 'hex').slice(0, 16);
}

/** Whether a record has a check, so that a gateway wrote it, whatever it lacks now. */
export function hasCheck(headers: readonly Header[]): boolean {
  return headers.some(([name]) => name === H_CHECK || name === H_SHA_CHECK);
}
