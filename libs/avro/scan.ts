import { MAX_JSON_DEPTH } from './limits.js';
import { OpenNames, tooManyNames, type Refusal } from './open-names.js';
import { pointerAt } from './pointer-at.js';
import type { NameBounds } from './types.js';

/** A number of at most this many characters and without an exponent is held by a double as its writer meant it. */
const SHORT_NUMBER = 15;

const QUOTE = 34;
const PLUS = 43;
const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const NINE = 57;
const UPPER_E = 69;
const OPEN_LIST = 91;
const BACKSLASH = 92;
const CLOSE_LIST = 93;
const LOWER_E = 101;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

export interface Scanned {
  readonly refusal: Refusal | undefined;
  readonly ascii: boolean;
  /** Start and end of each number that a double may not hold exactly, in pairs. */
  readonly longNumbers: readonly number[];
}

const TOO_DEEP: Refusal = { ok: false, code: 'json_too_deep', detail: `nested more than ${MAX_JSON_DEPTH} levels` };
const NO_NUMBERS: readonly number[] = [];
/** One instance for all scans: a scan is synchronous, so only one runs at a time. */
const names = new OpenNames();

/** Without bounds: a body that is small. */
const ANY: NameBounds = { object: Number.POSITIVE_INFINITY, all: Number.POSITIVE_INFINITY };

/**
 * One pass over JSON bytes before JSON.parse: finds too many levels or names, a duplicate or forbidden name, and long numbers. It is exact for valid JSON. For
 * invalid JSON the result has no meaning, because JSON.parse refuses it anyway.
 */
export function scan(buf: Buffer, bounds = ANY): Scanned {
  const n = buf.length;
  let nameCount = 0;
  let longNumbers: number[] | undefined;
  let bits = 0;
  let depth = 0;
  let inObject = false;
  let nameNext = false;
  let refusal: Refusal | undefined;
  names.begin(bounds.object);
  for (let i = 0; i < n && refusal === undefined; i++) {
    const c = buf[i]!;
    if (c === QUOTE) {
      if (nameNext) {
        i = names.read(buf, i + 1);
        refusal = names.refusal;
        if (++nameCount > bounds.all) refusal = tooManyNames('all', bounds);
        if (refusal?.beyond?.bound === 'object')
          refusal = { ...refusal, beyond: { bound: 'object', pointer: pointerAt(buf, i) } };
        bits |= names.bits;
        nameNext = false;
      } else {
        // Most bytes of an event are in text values, so this loop is inline and does as little as possible (measured).
        for (i++; i < n; i++) {
          const s = buf[i]!;
          if (s === QUOTE) break;
          if (s === BACKSLASH) i++;
          bits |= s;
        }
      }
    } else if (c === COMMA) nameNext = inObject;
    else if (c === MINUS || (c >= ZERO && c <= NINE)) {
      const end = numberEnd(buf, i);
      if (end - i > SHORT_NUMBER || hasExponent(buf, i, end)) (longNumbers ??= []).push(i, end);
      i = end - 1;
    } else if (c === OPEN_OBJECT || c === OPEN_LIST) {
      if (++depth > MAX_JSON_DEPTH) refusal = TOO_DEEP;
      else names.open(c === OPEN_OBJECT);
      inObject = c === OPEN_OBJECT;
      nameNext = inObject;
    } else if (c === CLOSE_OBJECT || c === CLOSE_LIST) {
      if (depth === 0) break;
      depth--;
      inObject = names.close();
      nameNext = false;
    } else bits |= c;
  }
  return { refusal, ascii: bits < 128, longNumbers: longNumbers ?? NO_NUMBERS };
}

/** The index after the last character of the number that begins at `start`. */
function numberEnd(buf: Buffer, start: number): number {
  let i = start + 1;
  for (; i < buf.length; i++) {
    const c = buf[i]!;
    if (c >= ZERO && c <= NINE) continue;
    if (c !== POINT && c !== LOWER_E && c !== UPPER_E && c !== PLUS && c !== MINUS) break;
  }
  return i;
}

function hasExponent(buf: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if ((buf[i]! | 32) === LOWER_E) return true;
  return false;
}
