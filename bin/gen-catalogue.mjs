// schemas/catalogue.json: all event types and streams in one file, for people and tools. Made only from the .avsc files.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The contract files under `schemas/`, sorted, relative to it. */
export function contractFiles(root) {
  return readdirSync(join(root, 'schemas'), { recursive: true })
    .map((f) => f.replaceAll('\\', '/'))
    .filter((f) => f.endsWith('.avsc'))
    .sort();
}

function kindOf(type) {
  if (Array.isArray(type)) return kindOf(type.find((t) => t !== 'null'));
  if (typeof type === 'string') return type.slice(type.lastIndexOf('.') + 1);
  if (type.type === 'array') return `array<${kindOf(type.items)}>`;
  if (type.type === 'enum' || type.type === 'record') return type.type === 'enum' ? 'enum' : type.name;
  return type.logicalType ?? type.type;
}

function entryOf(root, file) {
  const s = JSON.parse(readFileSync(join(root, 'schemas', file), 'utf8'));
  return {
    ...s.simpul,
    name: `${s.namespace}.${s.name}`,
    file,
    fields: s.fields.map((f) => ({
      name: f.name,
      kind: kindOf(f.type),
      optional: Array.isArray(f.type) && f.type.includes('null'),
      pii: f.pii,
      ...(f.role === undefined ? {} : { role: f.role }),
    })),
  };
}

/** Every event type and every stream with its types. */
export function catalogue(root) {
  const types = contractFiles(root).map((f) => entryOf(root, f));
  const streams = [...new Set(types.map((t) => t.stream))].sort().map((name) => {
    const own = types.filter((t) => t.stream === name);
    const { ordering, subjectForm, partitions } = own[0];
    return {
      name,
      ordering,
      subjectForm,
      ...(partitions === undefined ? {} : { partitions }),
      types: own.map((t) => t.type),
      volumePerDay: own.reduce((sum, t) => sum + t.volumePerDay, 0),
    };
  });
  return { note: 'Generated from the .avsc files by npm run gen.', types, streams };
}
