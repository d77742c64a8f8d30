import type { Parsed } from './types.js';

export const MAX_JSON_DEPTH = 64;
/** Numbers of at most this many characters without an exponent are held exactly by a double, or rounded as their writer meant. */
const SHORT_NUMBER = 15;
const MANY_NAMES = 24;

const QUOTE = 34;
const BACKSLASH = 92;
const COMMA = 44;
const OPEN_LIST = 91;
const CLOSE_LIST = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

type Refusal = Extract<Parsed, { ok: false }>;

/**
 * One pass over JSON bytes before JSON.parse: depth, names standing twice, forbidden names, long numbers. It follows any valid
 * JSON exactly; of invalid JSON it may say anything, since JSON.parse refuses that.
 */
export class Scan {
  ascii = true;
  /** Start and end of each number that a double may not hold, in pairs. */
  readonly longNumbers: number[] = [];
  /** Names of the open objects: start, end, hash, in triples. */
  readonly #names: number[] = [];
  /** Where the names of each open level begin; -1 for a list. */
  readonly #levels = new Int32Array(MAX_JSON_DEPTH + 1);
  readonly #sets: (Set<string> | undefined)[] = [];
  #depth = 0;

  constructor(readonly buf: Buffer) {}

  run(): Refusal | undefined {
    const { buf } = this;
    const n = buf.length;
    let wantsName = false;
    let i = 0;
    while (i < n) {
      const c = buf[i]!;
      if (c === QUOTE) {
        const end = this.#string(i + 1);
        if (wantsName) {
          const refusal = this.#name(i + 1, end);
          if (refusal) return refusal;
          wantsName = false;
        }
        i = end + 1;
        continue;
      }
      if (c === 45 || (c >= 48 && c <= 57)) {
        i = this.#number(i);
        continue;
      }
      if (c === COMMA) wantsName = this.#levels[this.#depth]! >= 0 && this.#depth > 0;
      else if (c === OPEN_OBJECT || c === OPEN_LIST) {
        if (++this.#depth > MAX_JSON_DEPTH) {
          return { ok: false, code: 'json_too_deep', detail: `nested more than ${MAX_JSON_DEPTH} levels` };
        }
        wantsName = c === OPEN_OBJECT;
        this.#levels[this.#depth] = wantsName ? this.#names.length : -1;
      } else if (c === CLOSE_OBJECT || c === CLOSE_LIST) {
        if (this.#depth === 0) return undefined;
        const from = this.#levels[this.#depth]!;
        if (from >= 0) this.#names.length = from;
        if (this.#sets.length > 0) this.#sets[this.#depth] = undefined;
        this.#depth--;
        wantsName = false;
      } else if (c > 127) this.ascii = false;
      i++;
    }
    return undefined;
  }

  #hash = 0;
  #escaped = false;

  /** Index of the closing quote (or the end); leaves a hash of the raw bytes. */
  #string(from: number): number {
    const { buf } = this;
    const n = buf.length;
    let h = 0;
    let high = 0;
    let i = from;
    this.#escaped = false;
    for (; i < n; i++) {
      const c = buf[i]!;
      if (c === QUOTE) break;
      if (c === BACKSLASH) {
        this.#escaped = true;
        i++;
        continue;
      }
      high |= c;
      h = (Math.imul(h, 31) + c) | 0;
    }
    if (high > 127) this.ascii = false;
    this.#hash = h;
    return i;
  }

  #number(from: number): number {
    const { buf } = this;
    const n = buf.length;
    let i = from;
    let exponent = false;
    for (; i < n; i++) {
      const c = buf[i]!;
      if (c >= 48 && c <= 57) continue;
      if (c === 101 || c === 69) exponent = true;
      else if (c !== 43 && c !== 45 && c !== 46) break;
    }
    if (exponent || i - from > SHORT_NUMBER) this.longNumbers.push(from, i);
    return i;
  }

  #name(start: number, end: number): Refusal | undefined {
    const { buf } = this;
    const first = this.#levels[this.#depth]!;
    const names = this.#names;
    const set = this.#sets[this.#depth];
    if (this.#escaped || set || (names.length - first) / 3 >= MANY_NAMES) return this.#slowName(start, end, first);
    const length = end - start;
    if ((length === 9 || length === 11) && isForbidden(buf.toString('latin1', start, end))) return FORBIDDEN;
    const h = this.#hash;
    for (let k = first; k < names.length; k += 3) {
      if (names[k + 2] !== h || names[k + 1]! - names[k]! !== length) continue;
      if (buf.compare(buf, names[k]!, names[k + 1]!, start, end) === 0) return DUPLICATE;
    }
    names.push(start, end, h);
    return undefined;
  }

  /** Objects of many names, or a name with escapes: names are compared as what they mean, in a set. */
  #slowName(start: number, end: number, first: number): Refusal | undefined {
    let set = this.#sets[this.#depth];
    if (!set) {
      set = new Set();
      for (let k = first; k < this.#names.length; k += 3)
        set.add(this.buf.toString('utf8', this.#names[k]!, this.#names[k + 1]!));
      this.#sets[this.#depth] = set;
    }
    let name = this.buf.toString('utf8', start, end);
    if (this.#escaped) {
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
}

function isForbidden(name: string): boolean {
  return name === '__proto__' || name === 'constructor' || name === 'prototype';
}

const FORBIDDEN: Refusal = {
  ok: false,
  code: 'forbidden_key',
  detail: '__proto__, constructor and prototype are not accepted',
};
const DUPLICATE: Refusal = { ok: false, code: 'duplicate_key', detail: 'a name stands twice in one object' };
