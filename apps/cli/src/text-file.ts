import { isUtf8 } from 'node:buffer';
import { Usage } from './usage.js';
import { texts } from './texts.js';

/**
 * The text of a file: UTF-8 with or without a byte order mark, or UTF-16, as PowerShell 5 writes it. Throws Usage with the place of the first byte that is no
 * character of its encoding: a name would be recorded with a wrong letter for good. A byte order mark at the beginning of a later line is left out: files of
 * events are put one behind the other.
 */
export function textOf(bytes: Buffer, file: string): string {
  const encoding = encodingOf(bytes);
  if (encoding === 'UTF-32') throw new Usage(texts.utf32({ file }));
  if (encoding !== 'UTF-8') return withoutMarks(fromUtf16(bytes, encoding, file));
  if (!isUtf8(bytes)) {
    const at = firstBad(bytes);
    throw new Usage(
      texts.not_text({ file, at, encoding, line: bytes.subarray(0, at).filter((b) => b === 10).length + 1 }),
    );
  }
  return withoutMarks(bytes.toString('utf8'));
}

type Encoding = 'UTF-8' | 'UTF-16LE' | 'UTF-16BE' | 'UTF-32';

/** By the byte order mark; without one by the NUL bytes: JSON begins with two ASCII characters, and UTF-8 text has no NUL (RFC 4627, section 3). */
function encodingOf(bytes: Buffer): Encoding {
  const [a, b, c, d] = bytes;
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && (c !== 0 || d !== 0))) return 'UTF-32';
  if (a === 0xff && b === 0xfe) return 'UTF-16LE';
  if (a === 0xfe && b === 0xff) return 'UTF-16BE';
  if (a === 0 && b !== 0 && b !== undefined) return 'UTF-16BE';
  if (a !== 0 && b === 0) return c === 0 && d === 0 ? 'UTF-32' : 'UTF-16LE';
  return 'UTF-8';
}

const NEWLINE = /\n/g;

function fromUtf16(bytes: Buffer, encoding: Encoding, file: string): string {
  const whole = Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % 2)));
  const text = (encoding === 'UTF-16BE' ? whole.swap16() : whole).toString('utf16le');
  // In two-byte units; a file of odd length ends in half a character.
  const bad = text.isWellFormed() ? -1 : text.search(/\p{Surrogate}/u);
  const unit = bad >= 0 ? bad : whole.length < bytes.length ? text.length : undefined;
  if (unit === undefined) return text;
  const line = (text.slice(0, unit).match(NEWLINE) ?? []).length + 1;
  throw new Usage(texts.not_text({ file, at: unit * 2, encoding, line }));
}

const withoutMarks = (text: string): string => text.replaceAll(/(^|\n)\ufeff/g, '$1');

/** Offset of the first byte that belongs to no UTF-8 character. A prefix that ends inside a character is no UTF-8 either: up to 3 bytes belong together. */
function firstBad(bytes: Buffer): number {
  let good = 0;
  let bad = bytes.length;
  // Whether a prefix is valid but for a cut character only changes once, from true to false.
  while (good < bad) {
    const middle = Math.floor((good + bad + 1) / 2);
    const valid = [0, 1, 2, 3].some((cut) => cut <= middle && isUtf8(bytes.subarray(0, middle - cut)));
    if (valid) good = middle;
    else bad = middle - 1;
  }
  for (let cut = 0; cut < 4; cut++) if (isUtf8(bytes.subarray(0, good - cut))) return good - cut;
  return good;
}
