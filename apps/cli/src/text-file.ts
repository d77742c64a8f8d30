import { isUtf8 } from 'node:buffer';
import { Usage } from './context.js';
import { texts } from './texts.js';

/**
 * The text of a file: UTF-8 with or without a byte order mark, or UTF-16 with one, as PowerShell 5 writes it. Throws Usage with the place of the first byte
 * that is not UTF-8: a name would be recorded with a wrong letter for good.
 */
export function textOf(bytes: Buffer, file: string): string {
  const [a, b, c] = bytes;
  if (a === 0xff && b === 0xfe && bytes.length % 2 === 0)
    return wellFormed(bytes.subarray(2).toString('utf16le'), file);
  if (a === 0xfe && b === 0xff && bytes.length % 2 === 0)
    return wellFormed(Buffer.from(bytes.subarray(2)).swap16().toString('utf16le'), file);
  const content = a === 0xef && b === 0xbb && c === 0xbf ? bytes.subarray(3) : bytes;
  if (isUtf8(content)) return content.toString('utf8');
  throw notUtf8(bytes, firstBad(bytes), file);
}

function wellFormed(text: string, file: string): string {
  if (text.isWellFormed()) return text;
  throw notUtf8(Buffer.from(text), text.search(/\p{Surrogate}/u) * 2 + 2, file);
}

function notUtf8(bytes: Buffer, at: number, file: string): Usage {
  const line = bytes.subarray(0, at).filter((byte) => byte === 10).length + 1;
  return new Usage(texts.not_utf8({ file, at, line }));
}

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
