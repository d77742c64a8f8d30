import type { Cursor } from './cursor.js';
import { formatDecimal, fromTwos } from './decimal.js';
import type { Node } from './schema.js';
import { formatDate, formatTimestamp, MAX_DAY, MAX_MS, MIN_DAY, MIN_MS } from './time.js';

export type Read = (c: Cursor) => unknown;

/** Steps over a value under all checks, without building it. */
export type Skip = (c: Cursor) => void;

export function day(c: Cursor, n: number | bigint): number {
  return typeof n === 'number' && n >= MIN_DAY && n <= MAX_DAY ? n : c.fail('a date outside the years 0001 to 9999');
}

export function instant(c: Cursor, n: number | bigint): number {
  return typeof n === 'number' && n >= MIN_MS && n <= MAX_MS ? n : c.fail('a time outside the years 0001 to 9999');
}

/** Raw decimal bytes; at most as many as the precision can need, or 32 where a writer pads with sign bytes. */
export function decimal(c: Cursor, t: Node, bound: bigint): bigint {
  let bytes: Buffer;
  if (t.base === 'fixed') {
    const at = c.take(t.size);
    bytes = c.buf.subarray(at, at + t.size);
  } else bytes = c.bytes();
  if (bytes.length === 0 || bytes.length > Math.max(32, t.size, t.precision))
    c.fail('a decimal of a length that cannot be');
  const value = fromTwos(bytes);
  return value < bound && value > -bound ? value : c.fail('a decimal beyond its precision');
}

/** Reads what a writer of `w` wrote, in the form of the scalar type `r`; undefined where Avro knows no such promotion. */
export function scalarReader(w: Node, r: Node, bound: bigint): Read | undefined {
  if (w.logical === 'decimal' || r.logical === 'decimal') {
    const same = w.logical === r.logical && w.precision <= r.precision && w.scale === r.scale;
    return same ? (c) => formatDecimal(decimal(c, w, bound), r.scale) : undefined;
  }
  if (r.base === 'int' || r.base === 'long') {
    if (w.base !== 'int' && (w.base !== 'long' || r.base !== 'long')) return undefined;
    const raw: (c: Cursor) => number | bigint = w.base === 'int' ? (c) => c.int() : (c) => c.long();
    if (r.logical === 'date') return (c) => formatDate(day(c, raw(c)));
    if (r.logical === 'timestamp-millis') return (c) => formatTimestamp(instant(c, raw(c)));
    return (c) => {
      const n = raw(c);
      return typeof n === 'bigint' ? n.toString() : n;
    };
  }
  switch (r.base) {
    case 'null':
      return w.base === 'null' ? () => null : undefined;
    case 'boolean':
      return w.base === 'boolean' ? (c) => c.bool() : undefined;
    case 'float':
    case 'double':
      return numberReader(w, r);
    case 'string':
      if (w.base === 'string') return (c) => c.text();
      return w.base === 'bytes' ? (c) => c.text() : undefined;
    case 'bytes':
      return w.base === 'bytes' || w.base === 'string' ? (c) => c.bytes().toString('base64') : undefined;
    case 'fixed':
      if (w.base !== 'fixed' || w.size !== r.size) return undefined;
      return (c) => {
        const at = c.take(r.size);
        return c.buf.toString('base64', at, at + r.size);
      };
    default:
      return undefined;
  }
}

function numberReader(w: Node, r: Node): Read | undefined {
  if (w.base === 'int') return (c) => c.int();
  if (w.base === 'long') return (c) => Number(c.long());
  if (w.base === 'float') return (c) => c.float();
  return w.base === 'double' && r.base === 'double' ? (c) => c.double() : undefined;
}
