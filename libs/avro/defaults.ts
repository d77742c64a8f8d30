import { formatDecimal, fromTwos } from './decimal.js';
import type { Json, Node } from './schema.js';
import { formatDate, formatTimestamp } from './time.js';

/** The plain JSON value (R13.5) of an Avro default that fits its type. A new value at each call. */
export function defaultOf(t: Node, json: Json): unknown {
  if (t.logical === 'date') return formatDate(json as number);
  if (t.logical === 'timestamp-millis') return formatTimestamp(json as number);
  if (t.logical === 'decimal') return formatDecimal(fromTwos(Buffer.from(json as string, 'latin1')), t.scale);
  switch (t.base) {
    case 'bytes':
    case 'fixed':
      return Buffer.from(json as string, 'latin1').toString('base64');
    case 'array':
      return (json as Json[]).map((x) => defaultOf(t.items!, x));
    case 'map':
      return Object.fromEntries(Object.entries(json as object).map(([k, v]) => [k, defaultOf(t.items!, v as Json)]));
    case 'record': {
      const given = json as Record<string, Json>;
      return Object.fromEntries(
        t.fields.map((f) => [
          f.name,
          defaultOf(f.type, Object.hasOwn(given, f.name) ? given[f.name]! : f.fallback!.json),
        ]),
      );
    }
    case 'union':
      return defaultOf(t.branches.find((b) => accepts(b, json)) ?? t.branches[0]!, json);
    default:
      return json;
  }
}

function accepts(t: Node, json: Json): boolean {
  switch (t.base) {
    case 'null':
      return json === null;
    case 'boolean':
      return typeof json === 'boolean';
    case 'int':
    case 'long':
    case 'float':
    case 'double':
      return typeof json === 'number';
    case 'enum':
      return typeof json === 'string' && t.symbols.includes(json);
    case 'array':
      return Array.isArray(json);
    case 'record':
    case 'map':
      return typeof json === 'object' && json !== null && !Array.isArray(json);
    default:
      return typeof json === 'string';
  }
}
