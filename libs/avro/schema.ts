import { Fault, type Problem, type Text } from '#faults';
import { texts } from './texts.js';
import { MAX_DAY, MAX_MS, MIN_DAY, MIN_MS } from './time.js';

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const;
type Primitive = (typeof PRIMITIVES)[number];
export type Logical = 'date' | 'timestamp-millis' | 'decimal' | 'uuid';
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = Record<string, Json>;

/** A type of a parsed schema. A named type is one shared node; there is no recursion, so the graph is finite and without cycles. */
export interface Node {
  readonly base: Primitive | 'record' | 'enum' | 'fixed' | 'array' | 'map' | 'union';
  readonly logical?: Logical;
  readonly precision: number;
  readonly scale: number;
  readonly name: string;
  readonly aliases: readonly string[];
  readonly symbols: readonly string[];
  readonly fallback?: string;
  readonly size: number;
  readonly fields: readonly FieldNode[];
  /** array, map: the entry; undefined elsewhere */
  readonly items?: Node;
  readonly branches: readonly Node[];
  /** Fewest bytes that a value takes. */
  readonly least: number;
  /** Members that Avro does not define, and `doc`. */
  readonly extra: Readonly<JsonObject>;
}

export interface FieldNode {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly type: Node;
  readonly fallback?: { readonly json: Json };
  readonly extra: Readonly<JsonObject>;
}

export const MAX_SCHEMA_BYTES = 256 * 1024;
const MAX_FIELDS = 1_000;
const MAX_DEPTH = 32;
/** Limit of nodes when a shared type counts at each use: a chain of records that each use the one before twice would grow exponentially. */
const MAX_EXPANDED = 20_000;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
export const FORBIDDEN_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
const KNOWN = new Set(
  'type name namespace aliases fields symbols default items values size logicalType precision scale order'.split(' '),
);

class Stop extends Error {
  constructor(readonly problem: Problem) {
    super(problem.pointer);
  }
}

interface SchemaReading {
  readonly named: Map<string, Node>;
  readonly unfinished: Set<string>;
  readonly expanded: Map<Node, number>;
  fields: number;
}

export type SchemaParsed =
  { readonly ok: true; readonly node: Node; readonly json: Json } | { readonly ok: false; readonly problem: Problem };

/** Parses a schema and checks it against the limits of this room. Total. */
export function readSchema(text: string): SchemaParsed {
  if (Buffer.byteLength(text) > MAX_SCHEMA_BYTES) return bad('', texts.schema_too_large({ most: MAX_SCHEMA_BYTES }));
  if (tooDeep(text)) return bad('', texts.schema_nested_too_deeply());
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch {
    return bad('', texts.schema_not_json());
  }
  try {
    const reading: SchemaReading = { named: new Map(), unfinished: new Set(), expanded: new Map(), fields: 0 };
    return { ok: true, node: readType(json, '', '', 0, reading), json };
  } catch (e) {
    if (e instanceof Stop) return { ok: false, problem: e.problem };
    throw e;
  }
}

/** The root node of a schema. Fault `invalid_schema` with its problem. */
export function schemaOf(text: string): { node: Node; json: Json } {
  const read = readSchema(text);
  if (!read.ok) throw new Fault('invalid_schema', { detail: String(read.problem.reason), problems: [read.problem] });
  return read;
}

function bad(pointer: string, reason: Text): SchemaParsed {
  return { ok: false, problem: { pointer, reason, code: 'invalid_schema' } };
}

function stop(pointer: string, reason: Text, expected?: Text): never {
  throw new Stop({ pointer, reason, code: 'invalid_schema', ...(expected === undefined ? {} : { expected }) });
}

function tooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 92) i++;
      else if (c === 34) inString = false;
    } else if (c === 34) inString = true;
    else if (c === 91 || c === 123) {
      if (++depth > MAX_DEPTH * 4) return true;
    } else if (c === 93 || c === 125) depth--;
  }
  return false;
}

const LEAST: Record<Primitive, number> = {
  null: 0,
  boolean: 1,
  int: 1,
  long: 1,
  float: 4,
  double: 8,
  bytes: 1,
  string: 1,
};
const EMPTY = {
  precision: 0,
  scale: 0,
  name: '',
  aliases: [],
  symbols: [],
  size: 0,
  fields: [],
  branches: [],
  extra: {},
};

function readType(json: Json, at: string, space: string, depth: number, r: SchemaReading): Node {
  if (depth > MAX_DEPTH) stop(at, texts.type_nested_too_deeply({ most: MAX_DEPTH }));
  const node = readAny(json, at, space, depth, r);
  if (!r.expanded.has(node)) {
    let count = 1;
    for (const f of node.fields) count += r.expanded.get(f.type) ?? 1;
    for (const b of node.branches) count += r.expanded.get(b) ?? 1;
    if (node.items) count += r.expanded.get(node.items) ?? 1;
    if (count > MAX_EXPANDED) stop(at, texts.too_many_types({ most: MAX_EXPANDED }));
    r.expanded.set(node, count);
  }
  return node;
}

function readAny(json: Json, at: string, space: string, depth: number, r: SchemaReading): Node {
  if (typeof json === 'string') return readName(json, at, space, r);
  if (Array.isArray(json)) return readUnion(json, at, space, depth, r);
  if (typeof json !== 'object' || json === null) stop(at, texts.not_a_type(), texts.type_forms());
  const type = json['type'];
  if (type === undefined) stop(at, texts.member_missing({ member: 'type' }));
  if (typeof type !== 'string') return readType(type, `${at}/type`, space, depth + 1, r);
  switch (type) {
    case 'record':
    case 'error':
    case 'enum':
    case 'fixed':
      return readNamed(json, type === 'error' ? 'record' : type, at, space, depth, r);
    case 'array':
    case 'map': {
      const member = type === 'array' ? 'items' : 'values';
      const inner = json[member];
      if (inner === undefined) stop(at, texts.member_missing({ member }));
      const items = readType(inner, `${at}/${member}`, space, depth + 1, r);
      if (items.least === 0 && type === 'array') stop(`${at}/${member}`, texts.items_without_bytes());
      return { ...EMPTY, base: type, items, least: 1, extra: extraOf(json) };
    }
    default:
      return withLogical(readName(type, `${at}/type`, space, r), json, at);
  }
}

function withLogical(node: Node, json: JsonObject, at: string): Node {
  const extra = extraOf(json);
  const logical = json['logicalType'];
  const base = node.base;
  if (logical === 'date' && base === 'int') return { ...node, logical, extra };
  if (logical === 'timestamp-millis' && base === 'long') return { ...node, logical, extra };
  if (logical === 'uuid' && base === 'string') return { ...node, logical, extra };
  if (logical === 'decimal' && (base === 'bytes' || base === 'fixed')) {
    const { precision, scale = 0 } = json;
    if (typeof precision !== 'number' || !Number.isInteger(precision) || precision < 1 || precision > 1_000) {
      stop(at, texts.precision_wrong());
    }
    if (typeof scale !== 'number' || !Number.isInteger(scale) || scale < 0 || scale > precision) {
      stop(at, texts.scale_wrong());
    }
    return { ...node, logical, precision, scale, extra };
  }
  // Avro: ignore an unknown logical type and use the base type.
  return Object.keys(extra).length === 0 ? node : { ...node, extra };
}

function readName(text: string, at: string, space: string, r: SchemaReading): Node {
  if ((PRIMITIVES as readonly string[]).includes(text)) {
    return { ...EMPTY, base: text as Primitive, least: LEAST[text as Primitive] };
  }
  const full = text.includes('.') || space === '' ? text : `${space}.${text}`;
  if (r.unfinished.has(full)) stop(at, texts.recursive_type({ type: full }));
  const node = r.named.get(full) ?? (full === text ? undefined : r.named.get(text));
  if (!node) stop(at, texts.unknown_type({ type: text.slice(0, 200) }));
  return node;
}

function readUnion(json: Json[], at: string, space: string, depth: number, r: SchemaReading): Node {
  if (json.length === 0) stop(at, texts.union_without_branches());
  const branches = json.map((b, i) => readType(b, `${at}/${i}`, space, depth + 1, r));
  const seen = new Set<string>();
  for (const [i, b] of branches.entries()) {
    if (b.base === 'union') stop(`${at}/${i}`, texts.union_in_union());
    const key = b.name || b.base;
    if (seen.has(key)) stop(`${at}/${i}`, texts.branch_twice({ type: key }));
    seen.add(key);
  }
  return { ...EMPTY, base: 'union', branches, least: 1 + Math.min(...branches.map((b) => b.least)) };
}

function readNamed(
  json: JsonObject,
  base: 'record' | 'enum' | 'fixed',
  at: string,
  outer: string,
  depth: number,
  r: SchemaReading,
): Node {
  const name = fullName(json, at, outer);
  const space = name.slice(0, Math.max(0, name.lastIndexOf('.')));
  if (r.named.has(name) || r.unfinished.has(name)) stop(`${at}/name`, texts.type_twice({ type: name }));
  const common = { ...EMPTY, base, name, aliases: aliasesOf(json, at, space), extra: extraOf(json) };
  let node: Node;
  if (base === 'enum') node = { ...common, ...readSymbols(json, at), least: 1 };
  else if (base === 'fixed') {
    const size = json['size'];
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > 1_048_576)
      stop(`${at}/size`, texts.not_a_size());
    node = withLogical({ ...common, size, least: size }, json, at);
  } else {
    r.unfinished.add(name);
    const fields = readFields(json, at, space, depth, r);
    r.unfinished.delete(name);
    node = { ...common, fields, least: fields.reduce((sum, f) => sum + f.type.least, 0) };
  }
  r.named.set(name, node);
  return node;
}

function readFields(json: JsonObject, at: string, space: string, depth: number, r: SchemaReading): FieldNode[] {
  const list = json['fields'];
  if (!Array.isArray(list)) stop(`${at}/fields`, texts.member_not_a_list({ member: 'fields' }));
  const names = new Set<string>();
  return list.map((f, i) => {
    const here = `${at}/fields/${i}`;
    if (typeof f !== 'object' || f === null || Array.isArray(f)) stop(here, texts.not_a_field());
    if (++r.fields > MAX_FIELDS) stop(here, texts.too_many_fields({ most: MAX_FIELDS }));
    const name = f['name'];
    if (typeof name !== 'string') stop(`${here}/name`, texts.member_missing({ member: 'name' }));
    checkPart(name, `${here}/name`);
    if (names.has(name)) stop(`${here}/name`, texts.field_twice({ name }));
    names.add(name);
    if (f['type'] === undefined) stop(here, texts.member_missing({ member: 'type' }));
    const type = readType(f['type'], `${here}/type`, space, depth + 1, r);
    const field = {
      name,
      aliases: aliasesOf(f, here, '').map((a) => a.slice(a.lastIndexOf('.') + 1)),
      type,
      extra: extraOf(f),
    };
    if (f['default'] === undefined) return field;
    if (!fitsDefault(type, f['default'])) stop(`${here}/default`, texts.default_does_not_fit());
    return { ...field, fallback: { json: f['default'] } };
  });
}

function readSymbols(json: JsonObject, at: string): { symbols: string[]; fallback?: string } {
  const list = json['symbols'];
  if (!Array.isArray(list) || list.length === 0) stop(`${at}/symbols`, texts.symbols_empty());
  const seen = new Set<string>();
  for (const [i, s] of list.entries()) {
    if (typeof s !== 'string') stop(`${at}/symbols/${i}`, texts.symbol_not_text());
    checkPart(s, `${at}/symbols/${i}`);
    if (seen.has(s)) stop(`${at}/symbols/${i}`, texts.symbol_twice({ name: s }));
    seen.add(s);
  }
  const symbols = [...seen];
  const fallback = json['default'];
  if (fallback === undefined) return { symbols };
  if (typeof fallback !== 'string' || !seen.has(fallback)) stop(`${at}/default`, texts.default_not_a_symbol());
  return { symbols, fallback };
}

function checkPart(name: string, at: string): void {
  if (!NAME.test(name)) stop(at, texts.not_an_avro_name(), texts.avro_name());
  if (FORBIDDEN_NAMES.has(name)) stop(at, texts.name_refused({ name }));
}

function fullName(json: JsonObject, at: string, outer: string): string {
  const { name, namespace } = json;
  if (typeof name !== 'string') stop(`${at}/name`, texts.member_missing({ member: 'name' }));
  if (name.length > 500) stop(`${at}/name`, texts.name_too_long());
  if (namespace !== undefined && namespace !== null && typeof namespace !== 'string')
    stop(`${at}/namespace`, texts.not_text());
  const space = typeof namespace === 'string' ? namespace : outer;
  const full = name.includes('.') || space === '' ? name : `${space}.${name}`;
  for (const part of full.split('.')) checkPart(part, `${at}/name`);
  if ((PRIMITIVES as readonly string[]).includes(full)) stop(`${at}/name`, texts.built_in_name({ name: full }));
  return full;
}

function aliasesOf(json: JsonObject, at: string, space: string): string[] {
  const list = json['aliases'];
  if (list === undefined) return [];
  if (!Array.isArray(list)) stop(`${at}/aliases`, texts.member_not_a_list({ member: 'aliases' }));
  return list.map((a, i) => {
    if (typeof a !== 'string') stop(`${at}/aliases/${i}`, texts.not_a_name());
    for (const part of a.split('.')) checkPart(part, `${at}/aliases/${i}`);
    return a.includes('.') || space === '' ? a : `${space}.${a}`;
  });
}

function extraOf(json: JsonObject): JsonObject {
  const out: JsonObject = {};
  for (const k of Object.keys(json)) if (!KNOWN.has(k) && !FORBIDDEN_NAMES.has(k)) out[k] = json[k]!;
  return out;
}

/** Whether a JSON value is a default of the type, in Avro's JSON form. For a union any branch may fit (Avro 1.12). */
function fitsDefault(t: Node, v: Json): boolean {
  if (t.logical === 'date' && !(Number(v) >= MIN_DAY && Number(v) <= MAX_DAY)) return false;
  if (t.logical === 'timestamp-millis' && !(Number(v) >= MIN_MS && Number(v) <= MAX_MS)) return false;
  switch (t.base) {
    case 'null':
      return v === null;
    case 'boolean':
      return typeof v === 'boolean';
    case 'int':
      return typeof v === 'number' && Number.isInteger(v) && v === (v | 0);
    case 'long':
      return typeof v === 'number' && Number.isSafeInteger(v);
    case 'float':
    case 'double':
      return typeof v === 'number' && Number.isFinite(v);
    case 'string':
      return typeof v === 'string';
    case 'bytes':
    case 'fixed':
      return typeof v === 'string' && !/[^\0-\xff]/.test(v) && (t.base === 'bytes' || v.length === t.size);
    case 'enum':
      return typeof v === 'string' && t.symbols.includes(v);
    case 'array':
      return Array.isArray(v) && v.every((x) => fitsDefault(t.items!, x));
    case 'union':
      return t.branches.some((b) => fitsDefault(b, v));
    default:
      if (typeof v !== 'object' || v === null || Array.isArray(v)) return false;
      if (t.base === 'map') return Object.values(v).every((x) => fitsDefault(t.items!, x));
      return t.fields.every((f) =>
        Object.hasOwn(v, f.name) ? fitsDefault(f.type, v[f.name]!) : f.fallback !== undefined,
      );
  }
}
