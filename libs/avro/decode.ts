import { defaultOf } from './defaults.js';
import { decimalBound } from './decimal.js';
import { skipOf } from './guard.js';
import { scalarReader, type Read } from './read.js';
import type { Node } from './schema.js';
import { sameName } from './names.js';

type Made = Map<Node, Map<Node, Read | undefined>>;

/**
 * Reads what a writer of `w` wrote in the shape of `r` (Avro schema resolution; `w === r`: as written).
 * undefined: `r` can never read `w`. A writer's union or enum may hold values that `r` cannot read: Broken when one comes.
 */
export function readerOf(w: Node, r: Node, made: Made = new Map()): Read | undefined {
  let row = made.get(w);
  if (!row) made.set(w, (row = new Map<Node, Read | undefined>()));
  if (!row.has(r)) row.set(r, compose(w, r, made));
  return row.get(r);
}

function compose(w: Node, r: Node, made: Made): Read | undefined {
  if (w.base === 'union') {
    const reads = w.branches.map((b) => readerOf(b, r, made));
    if (reads.every((x) => x === undefined)) return undefined;
    return (c) => {
      const read = reads[c.index(reads.length, 'a union')];
      return read ? read(c) : c.fail('a value that the reading schema has no place for');
    };
  }
  if (r.base === 'union') {
    const same = r.branches.find((b) => b.base === w.base && sameName(w, b) && b.logical === w.logical);
    const read = same && readerOf(w, same, made);
    if (read) return read;
    for (const b of r.branches) {
      const other = readerOf(w, b, made);
      if (other) return other;
    }
    return undefined;
  }
  if (w.base === 'record' || w.base === 'enum' || w.base === 'array' || w.base === 'map') {
    if (w.base !== r.base || !sameName(w, r)) return undefined;
    if (w.base === 'record') return recordReader(w, r, made);
    if (w.base === 'enum') return enumReader(w, r);
    const items = readerOf(w.items!, r.items!, made);
    if (!items) return undefined;
    return w.base === 'array' ? arrayReader(items, w.items!.least) : mapReader(items, w.items!.least);
  }
  if (w.base === 'fixed' && !sameName(w, r)) return undefined;
  return scalarReader(w, r, decimalBound(w.precision));
}

function enumReader(w: Node, r: Node): Read {
  const out = w.symbols.map((s) => (r.symbols.includes(s) ? s : r.fallback));
  return (c) => out[c.index(out.length, 'an enum')] ?? c.fail('a symbol that the reading schema does not know');
}

function arrayReader(items: Read, least: number): Read {
  return (c) => {
    const out: unknown[] = [];
    const at = c.depth;
    for (let count = c.block(least); count > 0; count = c.block(least)) {
      const { blockEnd } = c;
      c.depth = at + 1;
      for (let i = 0; i < count; i++) {
        c.path[at] = out.length;
        out.push(items(c));
      }
      c.depth = at;
      if (blockEnd >= 0 && c.pos !== blockEnd) c.fail('a block of another size than it says');
    }
    return out;
  };
}

function mapReader(items: Read, least: number): Read {
  return (c) => {
    const out: Record<string, unknown> = {};
    const at = c.depth;
    for (let count = c.block(1 + least); count > 0; count = c.block(1 + least)) {
      const { blockEnd } = c;
      for (let i = 0; i < count; i++) {
        const name = c.text();
        c.path[at] = name;
        c.depth = at + 1;
        if (name === '__proto__' || Object.hasOwn(out, name)) c.fail('a map name that is forbidden or stands twice');
        out[name] = items(c);
        c.depth = at;
      }
      if (blockEnd >= 0 && c.pos !== blockEnd) c.fail('a block of another size than it says');
    }
    return out;
  };
}

interface Step {
  readonly name: string;
  readonly read: Read;
  /** False: the reader does not ask for this field. */
  readonly kept: boolean;
}

function recordReader(w: Node, r: Node, made: Made): Read | undefined {
  const steps: Step[] = [];
  const taken = new Set<string>();
  for (const f of w.fields) {
    const target = r.fields.find((x) => x.name === f.name) ?? r.fields.find((x) => x.aliases.includes(f.name));
    if (!target || taken.has(target.name)) {
      steps.push({ name: f.name, read: skipOf(f.type), kept: false });
      continue;
    }
    const read = readerOf(f.type, target.type, made);
    if (!read) return undefined;
    taken.add(target.name);
    steps.push({ name: target.name, read, kept: true });
  }
  const missing = r.fields.filter((f) => !taken.has(f.name));
  if (missing.some((f) => !f.fallback)) return undefined;
  const given = missing.map((f) => ({ name: f.name, value: defaultOf(f.type, f.fallback!.json) }));
  const free = w.least === 0;
  return (c) => {
    if (free) c.zeroSize(1 + steps.length);
    const out: Record<string, unknown> = {};
    const at = c.depth++;
    for (const step of steps) {
      c.path[at] = step.name;
      const value = step.read(c);
      if (step.kept) out[step.name] = value;
    }
    c.depth = at;
    for (const g of given) out[g.name] = typeof g.value === 'object' ? structuredClone(g.value) : g.value;
    return out;
  };
}
