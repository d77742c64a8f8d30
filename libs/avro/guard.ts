import { Broken, Cursor } from './cursor.js';
import { decimalBound, fromTwos } from './decimal.js';
import type { Node } from './schema.js';
import { texts } from './texts.js';
import { MAX_DAY, MAX_MS, MIN_DAY, MIN_MS } from './time.js';
import type { Guarded } from './types.js';

/** Checks a value and steps over it, without building it. */
export type Skip = (c: Cursor) => void;

/** Checks the bytes of the written scalar `w`, and that they are a value of the reader's scalar `r` (`w` itself, or a type that `w` is promoted to). */
export function skipScalar(w: Node, r: Node): Skip {
  if (r.logical === 'decimal') return skipDecimal(w);
  if (r.logical === 'date') return skipDay;
  if (r.logical === 'timestamp-millis') return skipInstant;
  switch (w.base) {
    case 'null':
      return () => undefined;
    case 'boolean':
      return (c) => void c.bool();
    case 'int':
      return (c) => void c.int();
    case 'long':
      return (c) => void c.long();
    case 'float':
      return (c) => void c.float();
    case 'double':
      return (c) => void c.double();
    case 'fixed':
      return (c) => void c.take(w.size);
    default:
      return w.base === 'string' || r.base === 'string' ? (c) => c.skipText() : (c) => void c.bytes();
  }
}

function skipDay(c: Cursor): void {
  const n = c.int();
  if (n < MIN_DAY || n > MAX_DAY) c.fail(texts.date_outside_years());
}

function skipInstant(c: Cursor): void {
  const n = c.long();
  if (n < MIN_MS || n > MAX_MS) c.fail(texts.time_outside_years());
}

/** Allows as many bytes as the precision can need, or 32, because some writers pad with sign bytes. */
function skipDecimal(t: Node): Skip {
  const bound = decimalBound(t.precision);
  const longest = Math.max(32, t.size, t.precision);
  return (c) => {
    const bytes = t.base === 'fixed' ? c.slice(t.size) : c.bytes();
    if (bytes.length === 0 || bytes.length > longest) c.fail(texts.decimal_length());
    const value = fromTwos(bytes);
    if (value >= bound || value <= -bound) c.fail(texts.decimal_over_precision());
  };
}

/** `symbols`: as the reader sees them; an undefined one is refused when it occurs in the data. */
export function skipEnum(symbols: readonly (string | undefined)[]): Skip {
  return (c) => {
    if (symbols[c.index(symbols.length, texts.enum_index())] === undefined) c.fail(texts.symbol_without_place());
  };
}

/** A branch that is undefined is refused when it occurs in the data. */
export function skipUnion(branches: readonly (Skip | undefined)[]): Skip {
  return (c) => {
    const skip = branches[c.index(branches.length, texts.union_index())];
    if (skip) skip(c);
    else c.fail(texts.value_without_place());
  };
}

export interface SkipField {
  readonly name: string;
  readonly skip: Skip;
}

/** `free`: the record can take no bytes, so only a count can limit it. */
export function skipRecord(fields: readonly SkipField[], free: boolean): Skip {
  return (c) => {
    if (free) c.zeroSize(1 + fields.length);
    const at = c.depth++;
    for (const f of fields) {
      c.path[at] = f.name;
      f.skip(c);
    }
    c.depth = at;
  };
}

/** `least`: fewest bytes that an item takes. */
export function skipArray(item: Skip, least: number): Skip {
  return (c) => {
    const at = c.depth;
    let n = 0;
    for (let count = c.block(least); count > 0; count = c.block(least)) {
      const { blockEnd } = c;
      c.depth = at + 1;
      for (let i = 0; i < count; i++) {
        c.path[at] = n++;
        item(c);
      }
      c.depth = at;
      c.endBlock(blockEnd);
    }
  };
}

/** Refuses a duplicate name and `__proto__`: the decoded object could not hold them. `least`: fewest bytes that a value takes. */
export function skipMap(value: Skip, least: number): Skip {
  return (c) => {
    const at = c.depth;
    const names = new Set<string>();
    for (let count = c.block(1 + least); count > 0; count = c.block(1 + least)) {
      const { blockEnd } = c;
      for (let i = 0; i < count; i++) {
        const name = c.text();
        c.path[at] = name;
        c.depth = at + 1;
        if (name === '__proto__' || names.has(name)) c.fail(texts.map_name_refused());
        names.add(name);
        value(c);
        c.depth = at;
      }
      c.endBlock(blockEnd);
    }
  };
}

/** Checks all bytes from `offset` on; no byte may be left over. */
export function runGuard(skip: Skip, bytes: Uint8Array, offset: number): Guarded {
  const c = new Cursor(bytes, offset);
  try {
    if (offset > c.end) c.fail(texts.data_ends_early());
    skip(c);
    if (c.pos !== c.end) c.fail(texts.bytes_left_over());
    return { ok: true };
  } catch (e) {
    if (!(e instanceof Broken)) throw e;
    return { ok: false, code: e.code, pointer: c.pointer(), reason: e.reason, at: c.pos };
  }
}
