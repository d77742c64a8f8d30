import { createHash } from 'node:crypto';
import type { Problem } from '#faults';
import { readSchema, schemaOf, type Json, type JsonObject, type Node } from './schema.js';

/** Why a schema is not accepted; empty = it is accepted. The pointers point into the schema. Total. */
export function checkSchema(schemaText: string): Problem[] {
  const read = readSchema(schemaText);
  return read.ok ? [] : [read.problem];
}

/**
 * SHA-256 (hex) of the whole content of a schema: names, types, defaults, docs and properties. White space, the order of members and the spelling of names
 * (with or without namespace) do not matter. Equal fingerprints = the same schema. Fault `invalid_schema`.
 */
export function fingerprint(schemaText: string): string {
  const { node } = schemaOf(schemaText);
  return createHash('sha256')
    .update(JSON.stringify(full(node, new Set())))
    .digest('hex');
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
