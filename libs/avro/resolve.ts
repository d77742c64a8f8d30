import { defaultOf } from './defaults.js';
import { skipArray, skipEnum, skipMap, skipRecord, skipScalar, skipUnion, type Skip, type SkipField } from './guard.js';
import { readsScalar, sameName } from './match.js';
import {
  arrayType,
  mapped,
  enumType,
  mapType,
  NULL,
  recordType,
  scalarType,
  unionType,
  type Type,
  type TypeField,
} from './plain.js';
import type { Node } from './schema.js';

/** How bytes of a writer's type become values of a reader's type: the guard that checks them, and the avsc type that reads them after it. */
export interface Reading {
  readonly skip: Skip;
  readonly type: Type;
}

type ReadingCache = Map<Node, Map<Node, Reading | undefined>>;

/**
 * Avro schema resolution from the writer's type `w` to the reader's type `r` (`w === r`: as written). undefined: `r` can never read `w`. When a union or enum of
 * the writer has values that `r` cannot read, the guard refuses such a value when it occurs in the data.
 */
export function readingOf(w: Node, r: Node, cache: ReadingCache = new Map()): Reading | undefined {
  let row = cache.get(w);
  if (!row) cache.set(w, (row = new Map<Node, Reading | undefined>()));
  if (!row.has(r)) row.set(r, compose(w, r, cache));
  return row.get(r);
}

function asWritten(t: Node, cache: ReadingCache): Reading {
  return readingOf(t, t, cache)!;
}

function compose(w: Node, r: Node, cache: ReadingCache): Reading | undefined {
  if (w.base === 'union') {
    const readings = w.branches.map((b) => readingOf(b, r, cache));
    if (readings.every((reading) => reading === undefined)) return undefined;
    const types = readings.map((reading, i) => (reading ?? asWritten(w.branches[i]!, cache)).type);
    return { skip: skipUnion(readings.map((reading) => reading?.skip)), type: unionType(types) };
  }
  if (r.base === 'union') {
    const similar = (b: Node): boolean => b.base === w.base && sameName(w, b) && b.logical === w.logical;
    const same = r.branches.find((b) => b === w) ?? r.branches.find(similar);
    const reading = same && readingOf(w, same, cache);
    if (reading) return reading;
    for (const b of r.branches) {
      const other = readingOf(w, b, cache);
      if (other) return other;
    }
    return undefined;
  }
  if (w.base === 'record' || w.base === 'enum' || w.base === 'array' || w.base === 'map') {
    if (w.base !== r.base || !sameName(w, r)) return undefined;
    if (w.base === 'record') return recordReading(w, r, cache);
    if (w.base === 'enum') return enumReading(w, r);
    const items = readingOf(w.items!, r.items!, cache);
    if (!items) return undefined;
    const { least } = w.items!;
    return w.base === 'array'
      ? { skip: skipArray(items.skip, least), type: arrayType(items.type) }
      : { skip: skipMap(items.skip, least), type: mapType(items.type) };
  }
  if (!readsScalar(w, r) || (w.base === 'fixed' && !sameName(w, r))) return undefined;
  return { skip: skipScalar(w, r), type: scalarType(w, r) };
}

function enumReading(w: Node, r: Node): Reading {
  const known = new Set(r.symbols);
  const out = w.symbols.map((s) => (known.has(s) ? s : r.fallback));
  return { skip: skipEnum(out), type: enumType(w, out) };
}

function recordReading(w: Node, r: Node, cache: ReadingCache): Reading | undefined {
  const skips: SkipField[] = [];
  const fields: TypeField[] = [];
  const kept = new Set<string>();
  const names = new Set(r.fields.map((f) => f.name));
  for (const f of w.fields) {
    const target = r.fields.find((x) => x.name === f.name) ?? r.fields.find((x) => x.aliases.includes(f.name));
    const wanted = target && !kept.has(target.name) ? target : undefined;
    const reading = wanted ? readingOf(f.type, wanted.type, cache) : asWritten(f.type, cache);
    if (!reading) return undefined;
    const name = wanted?.name ?? freeName(f.name, names);
    if (wanted) kept.add(name);
    skips.push({ name: wanted?.name ?? f.name, skip: reading.skip });
    fields.push({ name, type: reading.type });
  }
  for (const f of r.fields) {
    if (kept.has(f.name)) continue;
    if (!f.fallback) return undefined;
    const { json } = f.fallback;
    kept.add(f.name);
    // A default takes no bytes. It is created for each event, because a caller may change it.
    fields.push({ name: f.name, type: mapped(NULL, () => defaultOf(f.type, json)) });
  }
  return { skip: skipRecord(skips, w.least === 0), type: recordType(w, fields, [...kept]) };
}

/** A free name for a field that is read and dropped. */
function freeName(name: string, taken: Set<string>): string {
  let free = name;
  while (taken.has(free)) free += '_';
  taken.add(free);
  return free;
}
