import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { isExact, JsonNumber } from './number.js';
import { scan } from './scan.js';
import type { Parsed } from './types.js';

/**
 * Strict JSON (RFC 8259) of untrusted bytes: UTF-8 without BOM, at most 64 levels, no name twice in an object, none of
 * __proto__, constructor, prototype. A number that a double cannot hold exactly stands as JsonNumber. Never throws.
 */
export function parseJson(bytes: Uint8Array): Parsed {
  const buf = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const mark = (buf[0]! << 8) | buf[1]!;
  if (mark === 0xfeff || mark === 0xfffe) return { ok: false, code: 'invalid_json', detail: 'UTF-16 is not accepted' };
  if (mark === 0xefbb && buf[2] === 0xbf)
    return { ok: false, code: 'invalid_json', detail: 'a byte order mark is not accepted' };
  const { refusal, ascii, longNumbers } = scan(buf);
  if (refusal) return refusal;
  if (!ascii && !isUtf8(buf)) return { ok: false, code: 'invalid_utf8', detail: 'the text is not UTF-8' };
  try {
    const odd = longNumbers.length === 0 ? [] : oddNumbers(buf, longNumbers);
    if (odd.length > MAX_ODD) return TOO_MANY_ODD;
    if (odd.length > 0) return { ok: true, value: parseWithOdd(buf, odd) };
    return { ok: true, value: JSON.parse(ascii ? buf.toString('latin1') : buf.toString('utf8')) };
  } catch {
    return { ok: false, code: 'invalid_json', detail: 'the text is not JSON' };
  }
}

interface OddNumber {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** No event of ours has so many numbers that all its fields will refuse; a bound on the slow way of reading them. */
const MAX_ODD = 1_000;
const TOO_MANY_ODD: Parsed = {
  ok: false,
  code: 'invalid_json',
  detail: `more than ${MAX_ODD} numbers that cannot be held exactly`,
};
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

function oddNumbers(buf: Buffer, ranges: readonly number[]): OddNumber[] {
  const out: OddNumber[] = [];
  for (let i = 0; i < ranges.length && out.length <= MAX_ODD; i += 2) {
    const start = ranges[i]!;
    const end = ranges[i + 1]!;
    const text = buf.toString('latin1', start, end);
    // what is no number is left for JSON.parse to refuse
    if (NUMBER.test(text) && !isExact(text)) out.push({ start, end, text });
  }
  return out;
}

/** Parses with each odd number standing as a text that nobody can have sent, then puts JsonNumbers in its place. */
function parseWithOdd(buf: Buffer, odd: readonly OddNumber[]): unknown {
  const nonce = randomBytes(18).toString('base64url');
  const parts: string[] = [];
  let at = 0;
  for (const [i, n] of odd.entries()) {
    parts.push(buf.toString('utf8', at, n.start), `"${nonce}${i}"`);
    at = n.end;
  }
  parts.push(buf.toString('utf8', at, buf.length));
  const put = (v: unknown): unknown => {
    if (typeof v === 'string')
      return v.startsWith(nonce) ? new JsonNumber(odd[Number(v.slice(nonce.length))]!.text) : v;
    if (typeof v !== 'object' || v === null) return v;
    const holder = v as Record<string, unknown>;
    for (const k of Object.keys(holder)) {
      const x = holder[k];
      if (typeof x === 'string' || typeof x === 'object') holder[k] = put(x);
    }
    return v;
  };
  return put(JSON.parse(parts.join('')));
}
