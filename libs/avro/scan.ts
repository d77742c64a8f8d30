import type { Parsed } from './types.js';

export const MAX_JSON_DEPTH = 64;
/** Numbers of at most this many characters without an exponent are held exactly by a double, or rounded as their writer meant. */
const SHORT_NUMBER = 15;
/** Names of one object that are compared in the plain way; more go to a set. */
const MANY_NAMES = 64;
const STRIDE = 3;

const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;
const OPEN_LIST = 91;
const CLOSE_LIST = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

type Refusal = Extract<Parsed, { ok: false }>;

export interface Scanned {
  readonly refusal: Refusal | undefined;
  readonly ascii: boolean;
  /** Start and end of each number that a double may not hold, in pairs. */
  readonly longNumbers: readonly number[];
}

const FORBIDDEN: Refusal = {
  ok: false,
  code: 'forbidden_key',
  detail: '__proto__, constructor and prototype are not accepted',
};
const DUPLICATE: Refusal = { ok: false, code: 'duplicate_key', detail: 'a name stands twice in one object' };
const TOO_DEEP: Refusal = { ok: false, code: 'json_too_deep', detail: `nested more than ${MAX_JSON_DEPTH} levels` };
const NO_NUMBERS: readonly number[] = [];

// One scan runs at a time (it never waits), so its tables are made once: start, end and hash of each name of the open objects.
const names = new Int32Array(MAX_JSON_DEPTH * MANY_NAMES * STRIDE);
/** Where the names of each open level begin; -1 for a list. */
const levels = new Int32Array(MAX_JSON_DEPTH + 1);
const sets: (Set<string> | undefined)[] = [];

/**
 * One pass over JSON bytes before JSON.parse: depth, names standing twice, forbidden names, long numbers. It follows any valid
 * JSON exactly; of invalid JSON it may say anything, since JSON.parse refuses that.
 */
export function scan(buf: Buffer): Scanned {
  const n = buf.length;
  let longNumbers: number[] | undefined;
  let high = 0;
  let depth = 0;
  let nameCount = 0;
  let wantsName = false;
  let refusal: Refusal | undefined;
  sets.length = 0;
  levels[0] = -1;

  for (let i = 0; i < n && refusal === undefined; i++) {
    const c = buf[i]!;
    if (c === QUOTE) {
      if (!wantsName) {
        // most bytes of an event lie in its values: the shortest loop for them
        for (i++; i < n; i++) {
          const s = buf[i]!;
          if (s === QUOTE) break;
          if (s === BACKSLASH) i++;
          high |= s;
        }
        continue;
      }
      const start = ++i;
      let hash = 0;
      let escaped = false;
      for (; i < n; i++) {
        const s = buf[i]!;
        if (s === QUOTE) break;
        if (s === BACKSLASH) {
          escaped = true;
          i++;
          continue;
        }
        high |= s;
        hash = (Math.imul(hash, 31) + s) | 0;
      }
      wantsName = false;
      const first = levels[depth]!;
      if (escaped || nameCount - first >= MANY_NAMES || (sets.length > 0 && sets[depth] !== undefined)) {
        refusal = slowName(buf, start, i, escaped, depth, first, nameCount);
      } else {
        refusal = repeated(buf, start, i, hash, first, nameCount);
        nameCount++;
      }
    } else if (c === COMMA) wantsName = levels[depth]! >= 0;
    else if (c === 45 || (c >= 48 && c <= 57)) {
      const start = i;
      let exponent = false;
      for (i++; i < n; i++) {
        const d = buf[i]!;
        if (d >= 48 && d <= 57) continue;
        if (d === 101 || d === 69) exponent = true;
        else if (d !== 43 && d !== 45 && d !== 46) break;
      }
      if (exponent || i - start > SHORT_NUMBER) (longNumbers ??= []).push(start, i);
      i--;
    } else if (c === OPEN_OBJECT || c === OPEN_LIST) {
      if (++depth > MAX_JSON_DEPTH) refusal = TOO_DEEP;
      wantsName = c === OPEN_OBJECT;
      levels[depth] = wantsName ? nameCount : -1;
    } else if (c === CLOSE_OBJECT || c === CLOSE_LIST) {
      if (depth === 0) break;
      if (levels[depth]! >= 0) nameCount = levels[depth]!;
      if (sets.length > 0) sets[depth] = undefined;
      depth--;
      wantsName = false;
    } else high |= c;
  }
  return { refusal, ascii: high < 128, longNumbers: longNumbers ?? NO_NUMBERS };
}

/** Compares a name without escapes with those of its object, and keeps it. */
function repeated(
  buf: Buffer,
  start: number,
  end: number,
  hash: number,
  first: number,
  count: number,
): Refusal | undefined {
  const length = end - start;
  if ((length === 9 || length === 11) && isForbidden(buf.toString('latin1', start, end))) return FORBIDDEN;
  const last = count * STRIDE;
  for (let k = first * STRIDE; k < last; k += STRIDE) {
    if (names[k + 2] !== hash || names[k + 1]! - names[k]! !== length) continue;
    if (buf.compare(buf, names[k]!, names[k + 1]!, start, end) === 0) return DUPLICATE;
  }
  names[last] = start;
  names[last + 1] = end;
  names[last + 2] = hash;
  return undefined;
}

/** Objects of many names, or a name with escapes: names are compared as what they mean, in a set. */
function slowName(
  buf: Buffer,
  start: number,
  end: number,
  escaped: boolean,
  depth: number,
  first: number,
  count: number,
): Refusal | undefined {
  let set = sets[depth];
  if (!set) {
    set = new Set();
    for (let k = first; k < count; k++) set.add(buf.toString('utf8', names[k * STRIDE], names[k * STRIDE + 1]));
    sets[depth] = set;
  }
  let name = buf.toString('utf8', start, end);
  if (escaped) {
    try {
      name = JSON.parse(`"${name}"`) as string;
    } catch {
      return undefined;
    }
  }
  if (isForbidden(name)) return FORBIDDEN;
  if (set.has(name)) return DUPLICATE;
  set.add(name);
  return undefined;
}

function isForbidden(name: string): boolean {
  return name === '__proto__' || name === 'constructor' || name === 'prototype';
}
