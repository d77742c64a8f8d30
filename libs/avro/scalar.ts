import type { Text } from '#faults';
import { decimalBound, decimalOfNumber, parseDecimal, toTwos, type Unscaled } from './decimal.js';
import { doubleOf, JsonNumber } from './number.js';
import type { Node } from './schema.js';
import { eitherOf, texts } from './texts.js';
import { parseDate, parseTimestamp } from './time.js';
import type { Walk } from './walk.js';

/** The form of a unit id. */
export const UNIT_ID = /^SU\d{5,9}$/;

/** Validates and writes a value. When the value is invalid it adds a problem to the walk, and the bytes written so far are dropped later. */
export type Write = (v: unknown, w: Walk) => void;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const WHOLE = /^(?:0|-?[1-9]\d{0,18})$/;
const MIN_LONG = -(2n ** 63n);
const MAX_LONG = 2n ** 63n - 1n;

/** The form that a role requires of a text. */
const ROLES: Readonly<Record<string, readonly [RegExp, Text]>> = {
  unitId: [UNIT_ID, texts.unit_id()],
  nik: [/^\d{16}$/, texts.nik()],
  countryCode: [/^[A-Z]{3}$/, texts.country_code()],
  partyCode: [/^EXT-[A-Z0-9-]{1,40}$/, texts.party_code()],
};

const EXPECTED: Readonly<Record<string, Text>> = {
  date: texts.day(),
  'timestamp-millis': texts.time(),
  uuid: texts.uuid(),
  null: texts.null(),
  boolean: texts.boolean(),
  int: texts.int(),
  long: texts.long(),
  float: texts.number(),
  double: texts.number(),
  string: texts.text(),
  bytes: texts.base64(),
  record: texts.object(),
  map: texts.object(),
  array: texts.list(),
};

/** What the schema expects, as a text for people. */
export function describe(t: Node): Text {
  if (t.logical === 'decimal') return texts.decimal({ before: t.precision - t.scale, after: t.scale });
  if (t.base === 'enum') return texts.one_of({ names: t.symbols.filter((s) => s !== UNKNOWN_SYMBOL).join(', ') });
  if (t.base === 'union') return eitherOf(t.branches.map(describe));
  if (t.base === 'fixed') return texts.base64_of_size({ size: t.size });
  return EXPECTED[t.logical ?? t.base]!;
}

/** The default symbol of every enum: a reader gets it in place of a symbol that its schema does not know. It cannot be published. */
export const UNKNOWN_SYMBOL = '_tidak_dikenal';

/** The writer of a scalar type. encode.ts composes lists, maps, records, enums and unions. */
export function scalarWriter(t: Node, role: string | undefined): Write {
  switch (t.logical) {
    case 'date':
      return (v, w) => {
        const day = typeof v === 'string' ? parseDate(v) : Number.NaN;
        if (Number.isNaN(day)) w.problem(texts.not_a_day(), texts.day());
        else w.sink.long(day);
      };
    case 'timestamp-millis':
      return writeTimestamp;
    case 'decimal':
      return decimalWriter(t);
    case 'uuid':
      return (v, w) => {
        if (typeof v !== 'string' || !UUID.test(v)) w.problem(texts.not_a_uuid(), texts.uuid());
        else w.text(v);
      };
    case undefined:
  }
  switch (t.base) {
    case 'null':
      return (v, w) => {
        if (v !== null && v !== undefined) w.problem(texts.not_null(), texts.null());
      };
    case 'boolean':
      return (v, w) => {
        if (typeof v === 'boolean') w.sink.byte(v ? 1 : 0);
        else w.problem(texts.not_a_boolean(), texts.boolean());
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
      else w.problem(texts.not_text(), texts.text());
    };
  }
  const [pattern, expected] = form;
  return (v, w) => {
    if (typeof v === 'string' && pattern.test(v)) w.text(v);
    else w.problem(typeof v === 'string' ? texts.not_of_field_form() : texts.not_text(), expected);
  };
}

/** True, after adding the problem, for a value that no number field accepts: no number, NaN, infinity, -0, or a number that a double cannot hold. */
function refusedNumber(v: unknown, w: Walk, expected: Text): boolean {
  if (typeof v === 'number') {
    if (Number.isFinite(v) && !Object.is(v, -0)) return false;
    w.problem(Object.is(v, -0) ? texts.negative_zero() : texts.not_finite(), expected, 'number_out_of_range');
    return true;
  }
  if (v instanceof JsonNumber) w.problem(texts.not_exact(), expected, 'number_out_of_range');
  else w.problem(texts.not_a_number(), expected);
  return true;
}

function writeInt(v: unknown, w: Walk): void {
  if (typeof v === 'number' && v === (v | 0) && (v !== 0 || 1 / v > 0)) w.sink.long(v);
  else if (refusedNumber(v, w, texts.int())) return;
  else if (Number.isInteger(v)) w.problem(texts.outside_32_bits(), texts.int(), 'number_out_of_range');
  else w.problem(texts.not_whole(), texts.int());
}

function writeLong(v: unknown, w: Walk): void {
  const expected = texts.long();
  if (typeof v === 'string') {
    if (!WHOLE.test(v)) return w.problem(texts.not_whole(), expected);
    return writeBigLong(BigInt(v), w);
  }
  if (typeof v === 'bigint') return writeBigLong(v, w);
  if (refusedNumber(v, w, expected)) return;
  if (Number.isSafeInteger(v)) w.sink.long(v as number);
  else if (Number.isInteger(v)) w.problem(texts.large_number_not_text(), expected, 'number_out_of_range');
  else w.problem(texts.not_whole(), expected);
}

function writeBigLong(big: bigint, w: Walk): void {
  if (big < MIN_LONG || big > MAX_LONG) w.problem(texts.outside_64_bits(), texts.long(), 'number_out_of_range');
  else w.sink.bigLong(big);
}

function writeDouble(v: unknown, w: Walk): void {
  const n = v instanceof JsonNumber ? doubleOf(v) : v;
  if (typeof n === 'number' && Number.isFinite(n) && (n !== 0 || 1 / n > 0)) w.sink.double(n);
  else refusedNumber(v, w, texts.number());
}

function writeFloat(v: unknown, w: Walk): void {
  if (refusedNumber(v, w, texts.number())) return;
  if (Number.isFinite(Math.fround(v as number))) w.sink.float(v as number);
  else w.problem(texts.outside_float(), texts.number(), 'number_out_of_range');
}

function writeTimestamp(v: unknown, w: Walk): void {
  const expected = texts.time();
  const t = typeof v === 'string' ? parseTimestamp(v) : 'malformed';
  if (typeof t === 'object') w.sink.long(t.ms);
  else if (t === 'no-offset') w.problem(texts.zone_missing(), expected);
  else if (t === 'too-fine') w.problem(texts.too_fine(), texts.three_digits_of_a_second());
  else if (t === 'out-of-range') w.problem(texts.outside_years(), expected, 'number_out_of_range');
  else w.problem(texts.not_a_time(), expected);
}

function decimalWriter(t: Node): Write {
  const bound = decimalBound(t.precision);
  const expected = describe(t);
  return (v, w) => {
    let u: Unscaled;
    if (typeof v === 'string') u = parseDecimal(v, t.scale, bound);
    else if (typeof v === 'number') u = decimalOfNumber(v, t.scale, bound);
    else u = v instanceof JsonNumber ? 'out-of-range' : 'malformed';
    if (u === 'malformed') return w.problem(texts.not_a_decimal(), expected);
    if (typeof u === 'string') {
      const reason = u === 'too-precise' ? texts.too_precise() : texts.outside_decimal();
      return w.problem(reason, expected, 'number_out_of_range');
    }
    const twos = toTwos(u.value);
    if (t.base === 'bytes') return w.sink.bytes(twos);
    if (twos.length > t.size) return w.problem(texts.outside_decimal(), expected, 'number_out_of_range');
    w.sink.raw(Buffer.alloc(t.size - twos.length, u.value < 0n ? 0xff : 0));
    w.sink.raw(twos);
  };
}

function bytesWriter(t: Node): Write {
  const expected = describe(t);
  return (v, w) => {
    const bytes = typeof v === 'string' ? Buffer.from(v, 'base64') : undefined;
    // Buffer.from is lenient: accept only the text that the bytes would be encoded to.
    if (bytes === undefined || bytes.toString('base64') !== v) return w.problem(texts.not_base64(), expected);
    if (t.base === 'bytes') return w.sink.bytes(bytes);
    if (bytes.length !== t.size) return w.problem(texts.not_of_size({ size: t.size }), expected);
    w.sink.raw(bytes);
  };
}
