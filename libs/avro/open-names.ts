import { randomBytes } from 'node:crypto';
import { MAX_JSON_DEPTH } from './limits.js';
import type { NameBounds, Parsed } from './types.js';

export type Refusal = Extract<Parsed, { ok: false }>;

const QUOTE = 34;
const BACKSLASH = 92;
/** Up to this many names of one object are kept as byte ranges; an object with more names gets a set of strings. */
const MANY_NAMES = 64;
const LIST = -1;

const FORBIDDEN: Refusal = {
  ok: false,
  code: 'forbidden_key',
  detail: '__proto__, constructor and prototype are not accepted',
};
const DUPLICATE: Refusal = { ok: false, code: 'duplicate_key', detail: 'a name stands twice in one object' };

/** The text has more names than a bound. The pointer is that of the whole text. */
export function tooManyNames(bound: keyof NameBounds, { [bound]: most }: NameBounds): Refusal {
  const detail = `more than ${most} names in ${bound === 'object' ? 'one object' : 'all objects together'}`;
  return { ok: false, code: 'too_many_names', detail, beyond: { bound, pointer: '' } };
}

/** Chains of names of one object; names of one chain are compared one by one. */
const CHAINS = 64;
const NONE = -1;

/** Entries of a name in `table`: start, end, hash, and the entry before it in its chain. */
const STRIDE = 4;
/** A random number for each byte: nobody outside can find names with the same hash, which would all be in one chain (hash flooding). */
const SEEDS = new Int32Array(new Uint8Array(randomBytes(256 * 4)).buffer);
/** The names of all open objects. It is a constant of the module, like `firstName`, and not a field: that makes the scan 7 % faster (measured). */
const table = new Int32Array(MAX_JSON_DEPTH * MANY_NAMES * STRIDE);
/** For each open level the index of its first name in `table`, or LIST (negative). Level 0 is outside of the root value. */
const firstName = new Int32Array(MAX_JSON_DEPTH + 1).fill(LIST, 0, 1);
/** For each open level and chain its newest entry in `table`, and the number of the object that it belongs to: a chain of another object is empty. */
const newest = new Int32Array((MAX_JSON_DEPTH + 1) * CHAINS).fill(NONE);
/** For each open level the number of its object. */
const objectOf = new Int32Array(MAX_JSON_DEPTH + 1);
const chainOf = new Int32Array((MAX_JSON_DEPTH + 1) * CHAINS);

/**
 * The names of the objects that are open at one place of a JSON text, to find a name that an object has twice. Names are compared as byte ranges, without
 * creating strings; only an object with many names or with an escaped name gets a set of strings. All instances share the tables above: only one may be in use.
 */
export class OpenNames {
  /** Result of the last `read`: why the name is refused. */
  refusal: Refusal | undefined;
  /** Result of the last `read`: the bytes of the name combined with OR. */
  bits = 0;
  #count = 0;
  #level = 0;
  #most = 0;
  /** Objects opened so far. It wraps after 2^32 of them, far beyond those of one text. */
  #objects = 0;
  readonly #sets: (Set<string> | undefined)[] = [];

  /** `most`: names of one object, at least 64. */
  begin(most: number): void {
    this.#most = Math.max(most, MANY_NAMES);
    this.#count = 0;
    this.#level = 0;
    this.#sets.length = 0;
  }

  open(isObject: boolean): void {
    firstName[++this.#level] = isObject ? this.#count : LIST;
    objectOf[this.#level] = this.#objects = (this.#objects + 1) | 0;
  }

  /** Closes the current level. Answers whether the level around it is an object. */
  close(): boolean {
    const first = firstName[this.#level]!;
    if (first >= 0) this.#count = first;
    if (this.#sets.length > 0) this.#sets[this.#level] = undefined;
    return firstName[--this.#level]! >= 0;
  }

  /** Reads the name that begins at `start`, behind its opening quote, and adds it to the current object. Answers the index of the closing quote. */
  read(buf: Buffer, start: number): number {
    const n = buf.length;
    let bits = 0;
    let hash = 0;
    let escaped = false;
    let i = start;
    for (; i < n; i++) {
      const c = buf[i]!;
      if (c === QUOTE) break;
      if (c === BACKSLASH) {
        escaped = true;
        i++;
        continue;
      }
      bits |= c;
      hash = Math.imul(((hash << 5) | (hash >>> 27)) ^ SEEDS[c]!, 0x2c1b3c6d);
    }
    this.bits = bits;
    const first = firstName[this.#level]!;
    const inSet = this.#count - first >= MANY_NAMES || (this.#sets.length > 0 && this.#sets[this.#level] !== undefined);
    if (escaped || inSet) this.refusal = this.#addDecoded(buf, start, i, escaped);
    else this.refusal = this.#addBytes(buf, start, i, hash);
    return i;
  }

  #addBytes(buf: Buffer, start: number, end: number, hash: number): Refusal | undefined {
    const length = end - start;
    if ((length === 9 || length === 11) && isForbidden(buf.toString('latin1', start, end))) return FORBIDDEN;
    const last = this.#count++ * STRIDE;
    const chain = this.#level * CHAINS + ((hash >>> 16) & (CHAINS - 1));
    const object = objectOf[this.#level]!;
    const before = chainOf[chain] === object ? newest[chain]! : NONE;
    for (let k = before; k !== NONE; k = table[k + 3]!) {
      if (table[k + 2] !== hash || table[k + 1]! - table[k]! !== length) continue;
      if (buf.compare(buf, table[k]!, table[k + 1]!, start, end) === 0) return DUPLICATE;
    }
    chainOf[chain] = object;
    newest[chain] = last;
    table[last] = start;
    table[last + 1] = end;
    table[last + 2] = hash;
    table[last + 3] = before;
    return undefined;
  }

  /** Compares decoded names: a name with escapes can mean the same as another spelling. */
  #addDecoded(buf: Buffer, start: number, end: number, escaped: boolean): Refusal | undefined {
    let name = buf.toString('utf8', start, end);
    if (escaped) {
      try {
        name = JSON.parse(`"${name}"`) as string;
      } catch {
        return undefined; // an invalid escape: JSON.parse of the whole text refuses it
      }
    }
    const names = (this.#sets[this.#level] ??= this.#decodedNames(buf));
    if (isForbidden(name)) return FORBIDDEN;
    if (names.has(name)) return DUPLICATE;
    names.add(name);
    return names.size > this.#most ? tooManyNames('object', { object: this.#most, all: 0 }) : undefined;
  }

  /** The names of the current object that are in the table. */
  #decodedNames(buf: Buffer): Set<string> {
    const names = new Set<string>();
    const last = this.#count * STRIDE;
    for (let k = firstName[this.#level]! * STRIDE; k < last; k += STRIDE)
      names.add(buf.toString('utf8', table[k], table[k + 1]));
    return names;
  }
}

function isForbidden(name: string): boolean {
  return name === '__proto__' || name === 'constructor' || name === 'prototype';
}
