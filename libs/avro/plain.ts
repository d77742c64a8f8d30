import avsc from 'avsc';
import { formatDecimal, fromTwos } from './decimal.js';
import type { Node } from './schema.js';
import { formatDate, formatTimestamp } from './time.js';
import type { Data } from './types.js';

/**
 * Types of avsc that read plain JSON (R13). They are only ever asked to read, and only bytes that the guard has passed: avsc
 * itself believes every count, takes odd forms, and dies of six hostile bytes.
 */
export type Type = avsc.Type;

/** What a type reads, turned into something else. */
class As<From> extends avsc.types.LogicalType {
  constructor(
    from: Type,
    readonly turn: (value: From) => unknown,
  ) {
    super(from);
  }

  protected override _fromValue(value: From): unknown {
    return this.turn(value);
  }
}

/** Turns what `from` reads. */
export function as<From>(from: Type, turn: (value: From) => unknown): Type {
  return new As(from, turn);
}

/** A schema with types inside, which the typings of avsc do not know. */
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

/** avsc's own long throws at 2^53 - 1, and below -2^52 answers with the wrong sign. */
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
const DATE = as(INT, formatDate);
const TIMESTAMP_OF_INT = as(INT, formatTimestamp);
/** A time lies within avsc's own long. */
const TIMESTAMP = as(typeFor({ type: 'long' }), formatTimestamp);
const base64 = (bytes: Buffer): string => bytes.toString('base64');
const BASE64 = as(BYTES, base64);
const BASE64_OF_TEXT = as(STRING, (text: string) => base64(Buffer.from(text)));
const TEXT_OF_BYTES = as(BYTES, (bytes: Buffer) => bytes.toString());

/** Reads the bytes of the scalar `w` as a value of the scalar `r`, which must be one that reads it. */
export function scalarType(w: Node, r: Node): Type {
  const { scale } = r;
  if (r.logical === 'decimal') return as(rawBytes(w), (bytes: Buffer) => formatDecimal(fromTwos(bytes), scale));
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
      return as(rawBytes(w), base64);
    case 'bytes':
      return r.base === 'string' ? TEXT_OF_BYTES : BASE64;
    default:
      return r.base === 'string' ? STRING : BASE64_OF_TEXT;
  }
}

function rawBytes(t: Node): Type {
  return t.base === 'fixed' ? typeFor({ type: 'fixed', name: nameOf(t), size: t.size }) : BYTES;
}

/** Never the name of a built-in type, nor of something that every object inherits: avsc trips over both. */
function nameOf(t: Node): string {
  return `${t.name}_`;
}

/** Reads the symbols of `w` under the names `out`. */
export function enumType(w: Node, out: readonly (string | undefined)[]): Type {
  const asWritten = w.symbols.every((s, i) => s === out[i] && !(s in Object.prototype));
  if (asWritten) return typeFor({ type: 'enum', name: nameOf(w), symbols: w.symbols });
  const numbered = w.symbols.map((_, i) => `s${i}`);
  const names = new Map(numbered.map((s, i) => [s, out[i]]));
  return as(typeFor({ type: 'enum', name: nameOf(w), symbols: numbered }), (s: string) => names.get(s));
}

export function arrayType(items: Type): Type {
  return typeFor({ type: 'array', items });
}

export function mapType(values: Type): Type {
  return typeFor({ type: 'map', values });
}

/** avsc takes a union of plain values only where writing could tell the branches apart, unless they are logical types. */
export function unionType(branches: readonly Type[]): Type {
  const many = branches.filter((b) => b !== NULL).length > 1;
  const told = branches.map((b) => (many && b !== NULL && !(b instanceof As) ? as(b, (value) => value) : b));
  return typeFor(told);
}

export interface TypeField {
  readonly name: string;
  readonly type: Type;
}

/** Reads all `fields` of `w` and keeps those of the names `kept`, in the order of the bytes. */
export function recordType(w: Node, fields: readonly TypeField[], kept: readonly string[]): Type {
  const record = typeFor({ type: 'record', name: nameOf(w), fields }) as avsc.types.RecordType;
  // plain objects, not instances of a class of avsc
  record.recordConstructor.prototype = Object.prototype;
  if (kept.length === fields.length) return record;
  return as(record, (all: Data) => {
    const out: Data = {};
    for (const name of kept) out[name] = all[name];
    return out;
  });
}
