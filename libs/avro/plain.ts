import avsc from 'avsc';
import { formatDecimal, fromTwos } from './decimal.js';
import type { Node } from './schema.js';
import { formatDate, formatTimestamp } from './time.js';
import type { Data } from './types.js';

/**
 * Types of avsc that read plain JSON (R13.5). They only ever read, and only bytes that the guard has passed: avsc itself trusts every count, accepts
 * non-canonical forms, and six hostile bytes can end the process.
 */
export type Type = avsc.Type;

/** A type whose values are mapped after reading. */
class Mapped<From> extends avsc.types.LogicalType {
  constructor(
    from: Type,
    readonly map: (value: From) => unknown,
  ) {
    super(from);
  }

  protected override _fromValue(value: From): unknown {
    return this.map(value);
  }
}

/** The type `from` with its values mapped. */
export function mapped<From>(from: Type, map: (value: From) => unknown): Type {
  return new Mapped(from, map);
}

/** The typings of avsc do not know schemas that contain Type objects. */
function typeFor(schema: object): Type {
  return avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: 'never', omitRecordMethods: true });
}

export const NULL = typeFor({ type: 'null' });
const BOOLEAN = typeFor({ type: 'boolean' });
const INT = typeFor({ type: 'int' });
const FLOAT = typeFor({ type: 'float' });
const DOUBLE = typeFor({ type: 'double' });
const BYTES = typeFor({ type: 'bytes' });
const STRING = typeFor({ type: 'string' });

function onlyRead(): never {
  throw new TypeError('avsc only reads here');
}

/** Own long type: the one of avsc throws at 2^53 - 1, and answers with the wrong sign below -2^52. */
function long(inexact: (n: bigint) => unknown): Type {
  const fromBuffer = (eight: Buffer): unknown => {
    const exact = eight.readBigInt64LE();
    const n = Number(exact);
    return Number.isSafeInteger(n) ? n : inexact(exact);
  };
  const writing = { toBuffer: onlyRead, fromJSON: onlyRead, toJSON: onlyRead, isValid: onlyRead, compare: onlyRead };
  return avsc.types.LongType.__with({ fromBuffer, ...writing });
}

const LONG = long(String);
const NUMBER_OF_LONG = long(Number);
const DATE = mapped(INT, formatDate);
const TIMESTAMP_OF_INT = mapped(INT, formatTimestamp);
/** The guard has checked the range, and every valid time fits the long type of avsc. */
const TIMESTAMP = mapped(typeFor({ type: 'long' }), formatTimestamp);
const base64 = (bytes: Buffer): string => bytes.toString('base64');
const BASE64 = mapped(BYTES, base64);
const BASE64_OF_TEXT = mapped(STRING, (text: string) => base64(Buffer.from(text)));
const TEXT_OF_BYTES = mapped(BYTES, (bytes: Buffer) => bytes.toString());

/** Reads bytes of the scalar `w` as a value of the scalar `r`; `readsScalar(w, r)` must be true. */
export function scalarType(w: Node, r: Node): Type {
  const { scale } = r;
  if (r.logical === 'decimal') return mapped(rawBytes(w), (bytes: Buffer) => formatDecimal(fromTwos(bytes), scale));
  if (r.logical === 'date') return DATE;
  if (r.logical === 'timestamp-millis') return w.base === 'int' ? TIMESTAMP_OF_INT : TIMESTAMP;
  switch (w.base) {
    case 'null':
      return NULL;
    case 'boolean':
      return BOOLEAN;
    case 'int':
      return INT;
    case 'long':
      return r.base === 'long' ? LONG : NUMBER_OF_LONG;
    case 'float':
      return FLOAT;
    case 'double':
      return DOUBLE;
    case 'fixed':
      return mapped(rawBytes(w), base64);
    case 'bytes':
      return r.base === 'string' ? TEXT_OF_BYTES : BASE64;
    default:
      return r.base === 'string' ? STRING : BASE64_OF_TEXT;
  }
}

function rawBytes(t: Node): Type {
  return t.base === 'fixed' ? typeFor({ type: 'fixed', name: nameOf(t), size: t.size }) : BYTES;
}

/** A name that is neither a built-in type nor a property that every object inherits: avsc fails on both. */
function nameOf(t: Node): string {
  return `${t.name}_`;
}

/** Reads the symbols of `w` and answers the symbols `out` at the same index. */
export function enumType(w: Node, out: readonly (string | undefined)[]): Type {
  const asWritten = w.symbols.every((s, i) => s === out[i] && !(s in Object.prototype));
  if (asWritten) return typeFor({ type: 'enum', name: nameOf(w), symbols: w.symbols });
  const numbered = w.symbols.map((_, i) => `s${i}`);
  const names = new Map(numbered.map((s, i) => [s, out[i]]));
  return mapped(typeFor({ type: 'enum', name: nameOf(w), symbols: numbered }), (s: string) => names.get(s));
}

export function arrayType(items: Type): Type {
  return typeFor({ type: 'array', items });
}

export function mapType(values: Type): Type {
  return typeFor({ type: 'map', values });
}

/** avsc accepts a union of plain values only when their types differ enough to write them, or when they are logical types; so each branch becomes one. */
export function unionType(branches: readonly Type[]): Type {
  const many = branches.filter((b) => b !== NULL).length > 1;
  const distinct = branches.map((b) =>
    many && b !== NULL && !(b instanceof Mapped) ? mapped(b, (value) => value) : b,
  );
  return typeFor(distinct);
}

export interface TypeField {
  readonly name: string;
  readonly type: Type;
}

/** Reads all `fields` of `w` and keeps those of the names `kept`, in the order of the bytes. */
export function recordType(w: Node, fields: readonly TypeField[], kept: readonly string[]): Type {
  const record = typeFor({ type: 'record', name: nameOf(w), fields }) as avsc.types.RecordType;
  // Decoded records are plain objects and not instances of a class of avsc.
  record.recordConstructor.prototype = Object.prototype;
  if (kept.length === fields.length) return record;
  return mapped(record, (all: Data) => {
    const out: Data = {};
    for (const name of kept) out[name] = all[name];
    return out;
  });
}
