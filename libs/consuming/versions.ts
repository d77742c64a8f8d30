import { parseDataschema } from '#event';
import { dataAs, decodeAs, isSdkFault, type EventToken, type ReadEvent } from '#sdk';
import { ConsumerFault } from './fault.js';
import type { ReceivedEvent } from './port.js';

type Schema = string | readonly Schema[] | { readonly [key: string]: unknown };
type Named = Map<string, Schema>;
interface RecordField {
  readonly name: string;
  readonly type: Schema;
  readonly default?: unknown;
  readonly aliases?: readonly string[];
}

/**
 * Gives events with data of the version of the token. An event of the same version is given as it is. One of another version is resolved by the token's schema,
 * as Avro does it: unknown fields are dropped, missing ones have their default, unknown symbols the default symbol. Masked values stay as they are.
 * Throws `version_not_readable` with both versions.
 */
export function resolverOf(token: EventToken): (received: ReceivedEvent) => ReadEvent {
  let schema: { readonly root: Schema; readonly names: Named } | undefined;
  const inForm = (data: ReadEvent['data']): ReadEvent['data'] =>
    token.longs === undefined ? data : (dataAs(token, data) as ReadEvent['data']);
  return ({ event, writer }) => {
    const version = writer?.version ?? parseDataschema(event.dataschema)?.version;
    if (version === undefined || version === token.version)
      return token.longs === undefined ? event : { ...event, data: inForm(event.data) };
    if (writer !== undefined) return { ...event, data: decoded(token, writer) };
    schema ??= parsed(token);
    const problem: { at?: string } = {};
    const data = resolve(schema.root, event.data, schema.names, '', problem);
    if (problem.at !== undefined) throw notReadable(token, version, problem.at);
    return { ...event, data: inForm(data as ReadEvent['data']) };
  };
}

function decoded(token: EventToken, writer: NonNullable<ReceivedEvent['writer']>): ReadEvent['data'] {
  try {
    return decodeAs(token, writer.schema, writer.bytes) as ReadEvent['data'];
  } catch (cause) {
    if (isSdkFault(cause)) throw notReadable(token, writer.version, cause.message, cause);
    throw cause;
  }
}

const notReadable = (token: EventToken, version: number, why: string, cause?: unknown): ConsumerFault =>
  new ConsumerFault(
    'version_not_readable',
    `version ${token.version} of ${token.type} in this app cannot read an event of version ${version}: ${why}. Generate the token again with \`simpul type gen\``,
    cause,
  );

function parsed(token: EventToken): { root: Schema; names: Named } {
  const root = JSON.parse(token.schema) as Schema;
  const names: Named = new Map();
  collect(root, names);
  return { root, names };
}

function collect(schema: unknown, names: Named): void {
  if (Array.isArray(schema)) for (const branch of schema) collect(branch, names);
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return;
  const { name, namespace, fields, items, values, type } = schema as Record<string, unknown>;
  if (typeof name === 'string') {
    names.set(name, schema as Schema);
    if (typeof namespace === 'string') names.set(`${namespace}.${name}`, schema as Schema);
  }
  for (const field of (fields as RecordField[] | undefined) ?? []) collect(field.type, names);
  for (const inner of [items, values, type]) if (typeof inner === 'object') collect(inner, names);
}

const MASK = '••••';

function resolve(schema: Schema, value: unknown, names: Named, at: string, problem: { at?: string }): unknown {
  const fail = (text: string): undefined => {
    problem.at ??= `${at === '' ? '/' : at} ${text}`;
    return undefined;
  };
  if (value === MASK) return value;
  if (Array.isArray(schema)) {
    if (value === null || value === undefined)
      return (schema as readonly Schema[]).some((b) => b === 'null') ? null : fail('has no value');
    const branches = (schema as readonly Schema[]).filter((b) => b !== 'null');
    for (const branch of branches) {
      const tried: { at?: string } = {};
      const found = resolve(branch, value, names, at, tried);
      if (tried.at === undefined) return found;
      if (branches.length === 1) return fail(tried.at.slice(tried.at.indexOf(' ') + 1));
    }
    return fail('has a value that fits no branch');
  }
  if (typeof schema === 'string') {
    const named = names.get(schema);
    return named === undefined ? scalar(schema, value, fail) : resolve(named, value, names, at, problem);
  }
  const { type, fields, items, values, symbols, logicalType } = schema as Record<string, unknown>;
  switch (type) {
    case 'record': {
      if (typeof value !== 'object' || value === null) return fail('is no record');
      const given = value as Record<string, unknown>;
      const out: Record<string, unknown> = {};
      for (const field of fields as readonly RecordField[]) {
        const name = [field.name, ...(field.aliases ?? [])].find((n) => given[n] !== undefined);
        const here = `${at}/${field.name}`;
        if (name !== undefined) out[field.name] = resolve(field.type, given[name], names, here, problem);
        else if (field.default !== undefined) out[field.name] = plainDefault(field.type, field.default, names);
        else if (Array.isArray(field.type) && field.type.includes('null')) out[field.name] = null;
        else problem.at ??= `${here} is missing and has no default`;
      }
      return out;
    }
    case 'enum':
      if ((symbols as readonly string[]).includes(value as string)) return value;
      return (schema as { default?: string }).default ?? fail('has a symbol that this version does not know');
    case 'array':
      if (!Array.isArray(value)) return fail('is no list');
      return value.map((v, i) => resolve(items as Schema, v, names, `${at}/${i}`, problem));
    case 'map':
      if (typeof value !== 'object' || value === null) return fail('is no map');
      return Object.fromEntries(
        Object.entries(value).map(([k, v]) => [k, resolve(values as Schema, v, names, `${at}/${k}`, problem)]),
      );
    default:
      if (logicalType !== undefined || type === 'fixed') return typeof value === 'string' ? value : fail('is no text');
      return resolve(type as Schema, value, names, at, problem);
  }
}

/** A masked number is null. */
function scalar(type: string, value: unknown, fail: (text: string) => undefined): unknown {
  switch (type) {
    case 'null':
      return value === null ? null : fail('is not null');
    case 'boolean':
      return value === null || typeof value === 'boolean' ? value : fail('is no boolean');
    case 'int':
    case 'float':
    case 'double':
      return value === null || typeof value === 'number' ? value : fail('is no number');
    case 'long':
      return value === null || typeof value === 'number' || typeof value === 'string' ? value : fail('is no number');
    default:
      return value === null || typeof value === 'string' ? value : fail('is no text');
  }
}

const DAY_MS = 86_400_000;

/** The default of a field as plain JSON. */
function plainDefault(schema: Schema, json: unknown, names: Named): unknown {
  if (typeof schema === 'string') {
    const named = names.get(schema);
    if (named !== undefined) return plainDefault(named, json, names);
    return schema === 'bytes' ? Buffer.from(json as string, 'latin1').toString('base64') : json;
  }
  if (Array.isArray(schema)) {
    if (json === null) return null;
    return plainDefault((schema as readonly Schema[]).find((b) => b !== 'null') ?? 'null', json, names);
  }
  const { type, logicalType, fields, items, values, scale } = schema as Record<string, unknown>;
  if (logicalType === 'date') return new Date((json as number) * DAY_MS).toISOString().slice(0, 10);
  if (logicalType === 'timestamp-millis') return new Date(json as number).toISOString();
  if (logicalType === 'decimal') return decimalOf(Buffer.from(json as string, 'latin1'), (scale as number) ?? 0);
  if (type === 'fixed') return Buffer.from(json as string, 'latin1').toString('base64');
  if (type === 'record')
    return Object.fromEntries(
      (fields as readonly RecordField[]).map((f) => [
        f.name,
        plainDefault(f.type, (json as Record<string, unknown>)[f.name] ?? f.default, names),
      ]),
    );
  if (type === 'array') return (json as unknown[]).map((v) => plainDefault(items as Schema, v, names));
  if (type === 'map')
    return Object.fromEntries(
      Object.entries(json as object).map(([k, v]) => [k, plainDefault(values as Schema, v, names)]),
    );
  return type === 'enum' ? json : plainDefault(type as Schema, json, names);
}

function decimalOf(bytes: Buffer, scale: number): string {
  const unscaled = bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${text}` : text;
}
