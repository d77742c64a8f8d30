import { Fault } from '#faults';

const MAX_CHARACTERS = 8_192;

/** Opaque cursor text of a value: the base64url of its JSON. It is not signed: a cursor gives no right, the caller's rights are checked again. */
export function encodeCursor(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** The value inside a cursor text, not yet checked against any shape. Fault invalid_cursor for text that no cursor can be. */
export function cursorValue(text: string): unknown {
  if (text.length > MAX_CHARACTERS || !/^[A-Za-z0-9_-]+$/.test(text)) throw new Fault('invalid_cursor');
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    throw new Fault('invalid_cursor');
  }
}
