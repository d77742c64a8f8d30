import { createHash } from 'node:crypto';
import type { Problem } from '#faults';
import { readSchema, schemaOf, type Json, type JsonObject, type Node } from './schema.js';

/** What makes a schema unacceptable; empty = fine. Pointers into the schema. Total. */
export function checkSchema(schemaText: string): Problem[] {
  const read = readSchema(schemaText);
  return read.ok ? [] : [read.problem];
}

/** Avro's Parsing Canonical Form. Fault invalid_schema. */
export function canonicalForm(schemaText: string): string {
  return JSON.stringify(plain(schemaOf(schemaText).node, new Set()));
}

/**
 * SHA-256 (hex) of all that a schema says (names, types, defaults, docs, properties), whatever its white space, the order of
 * members and the way names are written: equal = the same schema. Fault invalid_schema.
 */
export function fingerprint(schemaText: string): string {
  const { node } = schemaOf(schemaText);
  return createHash('sha256')
    .update(JSON.stringify(full(node, new Set())))
    .digest('hex');
}

function plain(t: Node, seen: Set<string>): Json {
  if (t.name !== '') {
    if (seen.has(t.name)) return t.name;
    seen.add(t.name);
  }
  switch (t.base) {
    case 'record':
      return {
        name: t.name,
        type: 'record',
        fields: t.fields.map((f) => ({ name: f.name, type: plain(f.type, seen) })),
      };
    case 'enum':
      return { name: t.name, type: 'enum', symbols: [...t.symbols] };
    case 'fixed':
      return { name: t.name, type: 'fixed', size: t.size };
    case 'array':
      return { type: 'array', items: plain(t.items!, seen) };
    case 'map':
      return { type: 'map', values: plain(t.items!, seen) };
    case 'union':
      return t.branches.map((b) => plain(b, seen));
    default:
      return t.base;
  }
}

function sorted(json: Json): Json {
  if (Array.isArray(json)) return json.map(sorted);
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(
    Object.keys(json)
      .sort()
      .map((k) => [k, sorted(json[k]!)]),
  );
}

function full(t: Node, seen: Set<string>): Json {
  if (t.name !== '') {
    if (seen.has(t.name)) return t.name;
    seen.add(t.name);
  }
  const out: JsonObject = { base: t.base, extra: sorted({ ...t.extra }) };
  if (t.logical !== undefined) out['logical'] = [t.logical, t.precision, t.scale];
  if (t.name !== '') out['name'] = [t.name, [...t.aliases], t.size];
  if (t.base === 'enum') out['symbols'] = [[...t.symbols], t.fallback ?? null];
  if (t.items) out['items'] = full(t.items, seen);
  if (t.base === 'union') out['branches'] = t.branches.map((b) => full(b, seen));
  if (t.base === 'record') {
    out['fields'] = t.fields.map((f) => {
      const field: JsonObject = {
        name: f.name,
        aliases: [...f.aliases],
        type: full(f.type, seen),
        extra: sorted({ ...f.extra }),
      };
      if (f.fallback) field['default'] = [sorted(f.fallback.json)];
      return field;
    });
  }
  return out;
}
