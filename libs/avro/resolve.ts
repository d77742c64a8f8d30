import { defaultOf } from './defaults.js';
import { skipArray, skipEnum, skipMap, skipRecord, skipScalar, skipUnion, type Skip, type SkipField } from './guard.js';
import { readsScalar, sameName } from './match.js';
import {
  arrayType,
  as,
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

/** How bytes of one type become values of another: the walk that checks them, and the type of avsc that reads them after it. */
export interface Way {
  readonly skip: Skip;
  readonly type: Type;
}

type Made = Map<Node, Map<Node, Way | undefined>>;

/**
 * From what a writer of `w` wrote to the shape of `r` (Avro schema resolution; `w === r`: as written).
 * undefined: `r` can never read `w`. A writer's union or enum may hold values that `r` cannot read: the walk refuses one that comes.
 */
export function wayOf(w: Node, r: Node, made: Made = new Map()): Way | undefined {
  let row = made.get(w);
  if (!row) made.set(w, (row = new Map<Node, Way | undefined>()));
  if (!row.has(r)) row.set(r, compose(w, r, made));
  return row.get(r);
}

function asWritten(t: Node, made: Made): Way {
  return wayOf(t, t, made)!;
}

function compose(w: Node, r: Node, made: Made): Way | undefined {
  if (w.base === 'union') {
    const ways = w.branches.map((b) => wayOf(b, r, made));
    if (ways.every((way) => way === undefined)) return undefined;
    const types = ways.map((way, i) => (way ?? asWritten(w.branches[i]!, made)).type);
    return { skip: skipUnion(ways.map((way) => way?.skip)), type: unionType(types) };
  }
  if (r.base === 'union') {
    const alike = (b: Node): boolean => b.base === w.base && sameName(w, b) && b.logical === w.logical;
    const same = r.branches.find((b) => b === w) ?? r.branches.find(alike);
    const way = same && wayOf(w, same, made);
    if (way) return way;
    for (const b of r.branches) {
      const other = wayOf(w, b, made);
      if (other) return other;
    }
    return undefined;
  }
  if (w.base === 'record' || w.base === 'enum' || w.base === 'array' || w.base === 'map') {
    if (w.base !== r.base || !sameName(w, r)) return undefined;
    if (w.base === 'record') return recordWay(w, r, made);
    if (w.base === 'enum') return enumWay(w, r);
    const items = wayOf(w.items!, r.items!, made);
    if (!items) return undefined;
    const { least } = w.items!;
    return w.base === 'array'
      ? { skip: skipArray(items.skip, least), type: arrayType(items.type) }
      : { skip: skipMap(items.skip, least), type: mapType(items.type) };
  }
  if (!readsScalar(w, r) || (w.base === 'fixed' && !sameName(w, r))) return undefined;
  return { skip: skipScalar(w, r), type: scalarType(w, r) };
}

function enumWay(w: Node, r: Node): Way {
  const known = new Set(r.symbols);
  const out = w.symbols.map((s) => (known.has(s) ? s : r.fallback));
  return { skip: skipEnum(out), type: enumType(w, out) };
}

function recordWay(w: Node, r: Node, made: Made): Way | undefined {
  const skips: SkipField[] = [];
  const fields: TypeField[] = [];
  const kept = new Set<string>();
  const names = new Set(r.fields.map((f) => f.name));
  for (const f of w.fields) {
    const target = r.fields.find((x) => x.name === f.name) ?? r.fields.find((x) => x.aliases.includes(f.name));
    const wanted = target && !kept.has(target.name) ? target : undefined;
    const way = wanted ? wayOf(f.type, wanted.type, made) : asWritten(f.type, made);
    if (!way) return undefined;
    const name = wanted?.name ?? fresh(f.name, names);
    if (wanted) kept.add(name);
    skips.push({ name: wanted?.name ?? f.name, skip: way.skip });
    fields.push({ name, type: way.type });
  }
  for (const f of r.fields) {
    if (kept.has(f.name)) continue;
    if (!f.fallback) return undefined;
    const { json } = f.fallback;
    kept.add(f.name);
    // a default takes no bytes and is made anew for each event
    fields.push({ name: f.name, type: as(NULL, () => defaultOf(f.type, json)) });
  }
  return { skip: skipRecord(skips, w.least === 0), type: recordType(w, fields, [...kept]) };
}

/** A name for a field that nobody asks for. */
function fresh(name: string, taken: Set<string>): string {
  let free = name;
  while (taken.has(free)) free += '_';
  taken.add(free);
  return free;
}
