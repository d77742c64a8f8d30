import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { isExact, JsonNumber } from './number.js';
import type { Refusal } from './open-names.js';
import { scan, type Scanned } from './scan.js';
import { atOnce, type InSteps } from './split.js';
import type { NameBounds, Parsed } from './types.js';

/** A text up to this size is parsed in one step. */
const ONE_STEP_BYTES = 65_536;
/** Numbers whose exactness is checked in one step. */
const STEP_NUMBERS = 2_000;

/**
 * Parses untrusted bytes as strict JSON (RFC 8259): UTF-8 without byte order mark, at most 64 levels, no duplicate name in an object, no name `__proto__`,
 * `constructor` or `prototype` (prototype pollution), no more names than `bounds`. A number that a double cannot hold exactly becomes a JsonNumber. Total.
 */
export function parseJson(bytes: Uint8Array, bounds?: NameBounds): Parsed {
  const buf = bufferOf(bytes);
  const scanned = check(buf, bounds);
  if (!('ascii' in scanned)) return scanned;
  const { ascii, longNumbers } = scanned;
  return parse(buf, ascii, longNumbers.length === 0 ? NONE : atOnce(inexactNumbers(buf, longNumbers)));
}

/** As parseJson, in steps for a large text: what is checked before JSON.parse, and JSON.parse, which nothing divides. */
export function* parseJsonInSteps(bytes: Uint8Array, bounds?: NameBounds): InSteps<Parsed> {
  const buf = bufferOf(bytes);
  const scanned = check(buf, bounds);
  if (!('ascii' in scanned)) return scanned;
  if (buf.length > ONE_STEP_BYTES) yield;
  const { ascii, longNumbers } = scanned;
  return parse(buf, ascii, longNumbers.length === 0 ? NONE : yield* inexactNumbers(buf, longNumbers));
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Everything that is refused before JSON.parse; else what the scan found. */
function check(buf: Buffer, bounds: NameBounds | undefined): Refusal | Scanned {
  const mark = (buf[0]! << 8) | buf[1]!;
  if (mark === 0xfeff || mark === 0xfffe) return { ok: false, code: 'invalid_json', detail: 'UTF-16 is not accepted' };
  if (mark === 0xefbb && buf[2] === 0xbf)
    return { ok: false, code: 'invalid_json', detail: 'a byte order mark is not accepted' };
  const scanned = scan(buf, bounds);
  if (scanned.refusal) return scanned.refusal;
  if (!scanned.ascii && !isUtf8(buf)) return { ok: false, code: 'invalid_utf8', detail: 'the text is not UTF-8' };
  return scanned;
}

function parse(buf: Buffer, ascii: boolean, inexact: readonly InexactNumber[]): Parsed {
  if (inexact.length > MAX_INEXACT) return TOO_MANY_INEXACT;
  try {
    if (inexact.length > 0) return { ok: true, value: parseInexact(buf, inexact) };
    return { ok: true, value: JSON.parse(ascii ? buf.toString('latin1') : buf.toString('utf8')) };
  } catch {
    return { ok: false, code: 'invalid_json', detail: 'the text is not JSON' };
  }
}

interface InexactNumber {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Limit for the slow path below: no valid event has so many numbers that a double cannot hold. */
const MAX_INEXACT = 1_000;
const TOO_MANY_INEXACT: Parsed = {
  ok: false,
  code: 'invalid_json',
  detail: `more than ${MAX_INEXACT} numbers that cannot be held exactly`,
};
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

const NONE: readonly InexactNumber[] = [];

function* inexactNumbers(buf: Buffer, ranges: readonly number[]): InSteps<InexactNumber[]> {
  const out: InexactNumber[] = [];
  for (let i = 0; i < ranges.length && out.length <= MAX_INEXACT; i += 2) {
    if (i > 0 && i % (2 * STEP_NUMBERS) === 0) yield;
    const start = ranges[i]!;
    const end = ranges[i + 1]!;
    const text = buf.toString('latin1', start, end);
    // Text that is no number stays: JSON.parse refuses it.
    if (NUMBER.test(text) && !isExact(text)) out.push({ start, end, text });
  }
  return out;
}

/** Replaces each inexact number by a text with a random prefix that no sender can know, parses, and then replaces these texts by JsonNumbers. */
function parseInexact(buf: Buffer, inexact: readonly InexactNumber[]): unknown {
  const nonce = randomBytes(18).toString('base64url');
  const parts: string[] = [];
  let at = 0;
  for (const [i, n] of inexact.entries()) {
    parts.push(buf.toString('utf8', at, n.start), `"${nonce}${i}"`);
    at = n.end;
  }
  parts.push(buf.toString('utf8', at, buf.length));
  const restore = (v: unknown): unknown => {
    if (typeof v === 'string')
      return v.startsWith(nonce) ? new JsonNumber(inexact[Number(v.slice(nonce.length))]!.text) : v;
    if (typeof v !== 'object' || v === null) return v;
    const holder = v as Record<string, unknown>;
    for (const k of Object.keys(holder)) {
      const x = holder[k];
      if (typeof x === 'string' || typeof x === 'object') holder[k] = restore(x);
    }
    return v;
  };
  return restore(JSON.parse(parts.join('')));
}
