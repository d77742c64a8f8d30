import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { Fault } from '#faults';

const MAX_CHARACTERS = 8_192;
/** JSON of an object, as base64url, begins with `e`: the first letter tells the two forms apart. */
const SEALED = 'c';
const HIDDEN = 's';
const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Characters of the MAC: 96 bits. */
const MAC_LENGTH = 16;

/** How the cursors of this process are authenticated. */
export interface CursorSeal {
  readonly key: Uint8Array;
  /** Whether a cursor without a MAC, from a version that wrote none, is still accepted. */
  readonly acceptsUnsealed: () => boolean;
}

let seal: CursorSeal | undefined;

/**
 * From now on the cursors of this process carry a MAC and only such ones are read. Called once, when the key of the deployment is known; all processes of a
 * deployment have the same key, so each reads the cursors of the others. It is a fact of the process like its language, and not a dependency, because
 * cursors are written where events are rendered for many readers at once. Without a call (a test of a room) cursors have no MAC.
 */
export function sealCursors(by: CursorSeal): void {
  seal = by;
}

/** Opaque cursor text of a value: its JSON as base64url, with a MAC. Not encrypted: it holds nothing that its reader may not know. */
export function encodeCursor(value: unknown): string {
  const text = Buffer.from(JSON.stringify(value)).toString('base64url');
  return seal === undefined ? text : `${SEALED}${text}${macOf(seal, text)}`;
}

/**
 * Cursor text of a value that its reader may not know: encrypted (AES-256-GCM), and authenticated by that. The same value has the same text. Without a key
 * as encodeCursor.
 */
export function encodeHiddenCursor(value: unknown): string {
  if (seal === undefined) return encodeCursor(value);
  const text = Buffer.from(JSON.stringify(value));
  // Never the same nonce for two texts, and no state.
  const iv = createHmac('sha256', seal.key).update('nonce').update(text).digest().subarray(0, IV_BYTES);
  const cipher = createCipheriv(CIPHER, hidingKey(seal), iv);
  const body = Buffer.concat([iv, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
  return `${HIDDEN}${body.toString('base64url')}`;
}

/** The value inside a cursor text, not yet checked against any shape. Fault invalid_cursor for text that the hub has not given out. */
export function cursorValue(cursor: string): unknown {
  if (cursor.length > MAX_CHARACTERS || !/^[A-Za-z0-9_-]+$/.test(cursor)) throw new Fault('invalid_cursor');
  try {
    if (seal !== undefined && cursor.startsWith(HIDDEN)) return JSON.parse(shown(seal, cursor.slice(HIDDEN.length)));
    return JSON.parse(Buffer.from(unsealed(cursor), 'base64url').toString('utf8'));
  } catch {
    throw new Fault('invalid_cursor');
  }
}

function unsealed(cursor: string): string {
  if (seal === undefined) return cursor;
  if (!cursor.startsWith(SEALED)) {
    if (seal.acceptsUnsealed()) return cursor;
    throw new Fault('invalid_cursor');
  }
  const text = cursor.slice(SEALED.length, -MAC_LENGTH);
  const given = Buffer.from(cursor.slice(-MAC_LENGTH));
  const right = Buffer.from(macOf(seal, text));
  if (given.length !== right.length || !timingSafeEqual(given, right)) throw new Fault('invalid_cursor');
  return text;
}

/** Throws for a text that was not encrypted with this key. */
function shown(by: CursorSeal, hidden: string): string {
  const body = Buffer.from(hidden, 'base64url');
  // base64url has texts that differ and mean the same bytes.
  if (body.toString('base64url') !== hidden) throw new Fault('invalid_cursor');
  const decipher = createDecipheriv(CIPHER, hidingKey(by), body.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(body.subarray(-TAG_BYTES));
  const text = Buffer.concat([decipher.update(body.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
  return text.toString('utf8');
}

const hidingKey = ({ key }: CursorSeal): Buffer => createHmac('sha256', key).update('hidden cursors').digest();

const macOf = ({ key }: CursorSeal, text: string): string =>
  createHmac('sha256', key)
    .update(text, 'latin1')
    .digest()
    .subarray(0, (MAC_LENGTH * 3) / 4)
    .toString('base64url');
