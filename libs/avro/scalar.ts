import { decimalBound, decimalOfNumber, parseDecimal, toTwos, type Unscaled } from './decimal.js';
import { doubleOf, JsonNumber } from './number.js';
import type { Node } from './schema.js';
import { parseDate, parseTimestamp } from './time.js';
import type { Walk } from './walk.js';

/** Writes a value, or adds to the problems of the walk and writes nothing of use. */
export type Write = (v: unknown, w: Walk) => void;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const WHOLE = /^(?:0|-?[1-9]\d{0,18})$/;
const MIN_LONG = -(2n ** 63n);
const MAX_LONG = 2n ** 63n - 1n;

/** Forms that a role asks of its text beyond being text. */
const ROLES: Readonly<Record<string, readonly [RegExp, string]>> = {
  unitId: [/^SU\d{5,9}$/, 'a unit id such as SU00123'],
  nik: [/^\d{16}$/, '16 digits'],
  countryCode: [/^[A-Z]{3}$/, 'an ISO 3166-1 alpha-3 code such as IDN'],
  partyCode: [/^EXT-[A-Z0-9-]{1,40}$/, 'a party code such as EXT-POLRI'],
};

const WHAT: Record<string, string> = {
  date: 'a calendar day YYYY-MM-DD',
  'timestamp-millis': 'an RFC 3339 time with zone, 2021-07-15T09:30:00+07:00',
  uuid: 'a UUID',
  null: 'null',
  boolean: 'true or false',
  int: 'a whole number between -2147483648 and 2147483647',
  long: 'a whole number; beyond 2^53 as text',
  float: 'a number',
  double: 'a number',
  string: 'text',
  bytes: 'base64 text',
  record: 'an object',
  map: 'an object',
  array: 'a list',
};

/** What the schema asks for, in plain words. */
export function describe(t: Node): string {
  if (t.logical === 'decimal')
    return `a decimal as text with at most ${t.precision - t.scale} digits before and ${t.scale} after the point`;
  if (t.base === 'enum') return `one of ${t.symbols.filter((s) => s !== UNKNOWN_SYMBOL).join(', ')}`;
  if (t.base === 'union') return t.branches.map(describe).join(' or ');
  if (t.base === 'fixed') return `base64 text of ${t.size} bytes`;
  return WHAT[t.logical ?? t.base]!;
}

/** The default symbol of every enum of ours: what a reader sees for a symbol it does not know. Never published. */
export const UNKNOWN_SYMBOL = '_tidak_dikenal';

/** Scalars. Lists, maps, records, enums and unions are composed in encode.ts. */
export function scalarWriter(t: Node, role: string | undefined): Write {
  switch (t.logical) {
    case 'date':
      return (v, w) => {
        const day = typeof v === 'string' ? parseDate(v) : Number.NaN;
        if (Number.isNaN(day)) w.problem('not a calendar day', WHAT['date']);
        else w.sink.long(day);
      };
    case 'timestamp-millis':
      return writeTimestamp;
    case 'decimal':
      return decimalWriter(t);
    case 'uuid':
      return (v, w) => {
        if (typeof v !== 'string' || !UUID.test(v)) w.problem('not a UUID', WHAT['uuid']);
        else w.text(v);
      };
    case undefined:
  }
  switch (t.base) {
    case 'null':
      return (v, w) => {
        if (v !== null && v !== undefined) w.problem('not null', 'null');
      };
    case 'boolean':
      return (v, w) => {
        if (typeof v === 'boolean') w.sink.byte(v ? 1 : 0);
        else w.problem('not true or false', WHAT['boolean']);
      };
    case 'int':
      return writeInt;
    case 'long':
      return writeLong;
    case 'float':
    case 'double':
      return t.base === 'double' ? writeDouble : writeFloat;
    case 'bytes':
    case 'fixed':
      return bytesWriter(t);
    default:
      return textWriter(role);
  }
}

function textWriter(role: string | undefined): Write {
  const form = role === undefined ? undefined : ROLES[role];
  if (!form) {
    return (v, w) => {
      if (typeof v === 'string') w.text(v);
      else w.problem('not text', WHAT['string']);
    };
  }
  const [pattern, expected] = form;
  return (v, w) => {
    if (typeof v === 'string' && pattern.test(v)) w.text(v);
    else w.problem(typeof v === 'string' ? 'not of the form that this field needs' : 'not text', expected);
  };
}

/** True, after naming it, for what no number field takes: NaN, infinities, -0, and texts that a double cannot hold. */
function odd(v: unknown, w: Walk, expected: string): boolean {
  if (typeof v === 'number') {
    if (Number.isFinite(v) && !Object.is(v, -0)) return false;
    w.problem(Object.is(v, -0) ? 'negative zero' : 'not a finite number', expected, 'number_out_of_range');
    return true;
  }
  if (v instanceof JsonNumber) w.problem('a number that cannot be held exactly', expected, 'number_out_of_range');
  else w.problem('not a number', expected);
  return true;
}

function writeInt(v: unknown, w: Walk): void {
  if (typeof v === 'number' && v === (v | 0) && (v !== 0 || 1 / v > 0)) w.sink.long(v);
  else if (odd(v, w, WHAT['int']!)) return;
  else if (Number.isInteger(v)) w.problem('outside 32 bits', WHAT['int'], 'number_out_of_range');
  else w.problem('not a whole number', WHAT['int']);
}

function writeLong(v: unknown, w: Walk): void {
  const expected = WHAT['long']!;
  if (typeof v === 'string') {
    if (!WHOLE.test(v)) return w.problem('not a whole number', expected);
    const big = BigInt(v);
    if (big < MIN_LONG || big > MAX_LONG) return w.problem('outside 64 bits', expected, 'number_out_of_range');
    return w.sink.bigLong(big);
  }
  if (odd(v, w, expected)) return;
  if (Number.isSafeInteger(v)) w.sink.long(v as number);
  else if (Number.isInteger(v))
    w.problem('a whole number beyond 2^53 must come as text', expected, 'number_out_of_range');
  else w.problem('not a whole number', expected);
}

function writeDouble(v: unknown, w: Walk): void {
  const n = v instanceof JsonNumber ? doubleOf(v) : v;
  if (typeof n === 'number' && Number.isFinite(n) && (n !== 0 || 1 / n > 0)) w.sink.double(n);
  else odd(v, w, WHAT['double']!);
}

function writeFloat(v: unknown, w: Walk): void {
  if (odd(v, w, WHAT['float']!)) return;
  if (Number.isFinite(Math.fround(v as number))) w.sink.float(v as number);
  else w.problem('outside 32-bit floats', WHAT['float'], 'number_out_of_range');
}

function writeTimestamp(v: unknown, w: Walk): void {
  const expected = WHAT['timestamp-millis']!;
  const t = typeof v === 'string' ? parseTimestamp(v) : 'malformed';
  if (typeof t === 'object') w.sink.long(t.ms);
  else if (t === 'no-offset') w.problem('the zone is missing', expected);
  else if (t === 'too-fine') w.problem('finer than a millisecond', 'at most three digits after the second');
  else if (t === 'out-of-range') w.problem('outside the years 0001 to 9999', expected, 'number_out_of_range');
  else w.problem('not a time', expected);
}

function decimalWriter(t: Node): Write {
  const bound = decimalBound(t.precision);
  const expected = describe(t);
  return (v, w) => {
    let u: Unscaled;
    if (typeof v === 'string') u = parseDecimal(v, t.scale, bound);
    else if (typeof v === 'number') u = decimalOfNumber(v, t.scale, bound);
    else u = v instanceof JsonNumber ? 'out-of-range' : 'malformed';
    if (u === 'malformed') return w.problem('not a decimal', expected);
    if (typeof u === 'string') {
      const reason = u === 'too-precise' ? 'cannot be held exactly at this scale' : 'outside the range of this decimal';
      return w.problem(reason, expected, 'number_out_of_range');
    }
    const twos = toTwos(u.value);
    if (t.base === 'bytes') return w.sink.bytes(twos);
    if (twos.length > t.size) return w.problem('outside the range of this decimal', expected, 'number_out_of_range');
    w.sink.raw(Buffer.alloc(t.size - twos.length, u.value < 0n ? 0xff : 0));
    w.sink.raw(twos);
  };
}

function bytesWriter(t: Node): Write {
  const expected = describe(t);
  return (v, w) => {
    const bytes = typeof v === 'string' ? Buffer.from(v, 'base64') : undefined;
    // Node's reader is lenient; only what it would write again is base64 of these bytes
    if (bytes === undefined || bytes.toString('base64') !== v) return w.problem('not base64', expected);
    if (t.base === 'bytes') return w.sink.bytes(bytes);
    if (bytes.length !== t.size) return w.problem(`not ${t.size} bytes`, expected);
    w.sink.raw(bytes);
  };
}
