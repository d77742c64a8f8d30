import { Broken, Cursor } from './cursor.js';
import { decimalBound } from './decimal.js';
import { day, decimal, instant, type Skip } from './read.js';
import type { Node } from './schema.js';
import type { Guarded } from './types.js';

/** The counting pre-pass over a value of `t`. */
export function skipOf(t: Node, made = new Map<Node, Skip>()): Skip {
  let skip = made.get(t);
  if (!skip) made.set(t, (skip = compose(t, made)));
  return skip;
}

function compose(t: Node, made: Map<Node, Skip>): Skip {
  if (t.logical === 'decimal') {
    const bound = decimalBound(t.precision);
    return (c) => void decimal(c, t, bound);
  }
  if (t.logical === 'date') return (c) => void day(c, c.int());
  if (t.logical === 'timestamp-millis') return (c) => void instant(c, c.long());
  switch (t.base) {
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
    case 'bytes':
      return (c) => void c.bytes();
    case 'string':
      return (c) => c.skipText();
    case 'fixed':
      return (c) => void c.take(t.size);
    case 'enum': {
      const count = t.symbols.length;
      return (c) => void c.index(count, 'an enum');
    }
    case 'union': {
      const skips = t.branches.map((b) => skipOf(b, made));
      return (c) => skips[c.index(skips.length, 'a union')]!(c);
    }
    case 'record':
      return skipRecord(t, made);
    case 'array':
      return skipEntries(skipOf(t.items!, made), t.items!.least);
    case 'map': {
      const value = skipOf(t.items!, made);
      const entry: Skip = (c) => {
        c.skipText();
        value(c);
      };
      return skipEntries(entry, 1 + t.items!.least);
    }
  }
}

function skipRecord(t: Node, made: Map<Node, Skip>): Skip {
  const names = t.fields.map((f) => f.name);
  const skips = t.fields.map((f) => skipOf(f.type, made));
  const free = t.least === 0;
  return (c) => {
    if (free) c.zeroSize(1 + skips.length);
    const at = c.depth++;
    for (let i = 0; i < skips.length; i++) {
      c.path[at] = names[i]!;
      skips[i]!(c);
    }
    c.depth = at;
  };
}

/** The blocks of an array or a map. */
export function skipEntries(entry: Skip, least: number): Skip {
  return (c) => {
    const at = c.depth;
    let n = 0;
    for (let count = c.block(least); count > 0; count = c.block(least)) {
      const { blockEnd } = c;
      c.depth = at + 1;
      for (let i = 0; i < count; i++) {
        c.path[at] = n++;
        entry(c);
      }
      c.depth = at;
      if (blockEnd >= 0 && c.pos !== blockEnd) c.fail('a block of another size than it says');
    }
  };
}

/** Runs one reading of the whole rest of the bytes; nothing may be left over. */
export function runGuard(skip: Skip, bytes: Uint8Array, offset: number): Guarded {
  const c = new Cursor(bytes, offset);
  try {
    if (offset > c.end) c.fail('the data ends too early');
    skip(c);
    if (c.pos !== c.end) c.fail('bytes are left over after the last field');
    return { ok: true };
  } catch (e) {
    if (!(e instanceof Broken)) throw e;
    return { ok: false, code: e.code, pointer: c.pointer(), reason: e.reason, at: c.pos };
  }
}
