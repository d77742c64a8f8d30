import { timeMsOf } from '#event';
import { verbatim, type Text } from '#faults';
import type { FieldKind } from '#avro';
import type { ViewField } from './compile.js';
import { asNumeric, compareNumeric } from './exact.js';
import { texts } from './texts.js';

/** How the values of one kind of field are read from a query and compared with stored values. */
export interface Comparable {
  /** `lt`, `lte`, `gt` and `gte` make sense. Without an order only equality does. */
  readonly ordered: boolean;
  /** What the query must give; shown when it gives something else. */
  readonly expected: (field: ViewField) => Text;
  /** The query's text; undefined when it is no value of this kind. */
  readonly parse: (text: string, field: ViewField) => unknown;
  /** The stored value in the same form; undefined when it is absent or of another kind. */
  readonly stored: (value: unknown) => unknown;
  /** Order of two parsed values. */
  readonly compare: (a: never, b: never) => number;
}

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const bySize = (a: number, b: number): number => a - b;
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

const NUMBER = /^-?\d{1,30}(\.\d{1,30})?$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const UNIT = /^SU\d{5,9}$/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const numeric: Comparable = {
  ordered: true,
  expected: () => texts.a_number(),
  parse: (given) => (NUMBER.test(given) ? given : undefined),
  stored: asNumeric,
  compare: compareNumeric,
};
const WHOLE = /^-?\d{1,30}$/;
const whole: Comparable = {
  ...numeric,
  expected: () => texts.a_whole_number(),
  parse: (given) => (WHOLE.test(given) ? given : undefined),
};
const binary: Comparable = {
  ordered: false,
  expected: () => texts.base64(),
  parse: (given) => (BASE64.test(given) ? given : undefined),
  stored: text,
  compare: byCodeUnit,
};

/** A field whose value is a unit id, by its role in the contract and not by its kind, which is string. */
const UNIT_ID: Comparable = {
  ordered: false,
  expected: () => verbatim('SU00123'),
  parse: (given) => (UNIT.test(given) ? given : undefined),
  stored: text,
  compare: byCodeUnit,
};

/** A field that a view makes of a prefix and a part of an attribute, as `KANWIL-31`. */
const PREFIXED: Comparable = {
  ordered: true,
  expected: ({ prefix }) => verbatim(`${prefix}…`),
  parse: (given, { prefix = '' }) => (given.startsWith(prefix) && given !== prefix ? given : undefined),
  stored: text,
  compare: byCodeUnit,
};

/** The one table of kinds. `undefined`: values of this kind cannot be compared, so a list has no filter for them. */
const KINDS: Readonly<Record<FieldKind, Comparable | undefined>> = {
  string: {
    ordered: true,
    expected: () => texts.a_text(),
    parse: (given) => given,
    stored: text,
    compare: byCodeUnit,
  },
  enum: {
    ordered: false,
    expected: ({ symbols }) => verbatim((symbols ?? []).join(' · ')),
    parse: (given, { symbols }) => (symbols?.includes(given) ? given : undefined),
    stored: text,
    compare: byCodeUnit,
  },
  date: {
    ordered: true,
    expected: () => verbatim('YYYY-MM-DD'),
    parse: (given) => (DAY.test(given) && timeMsOf(`${given}T00:00:00Z`) !== undefined ? given : undefined),
    stored: text,
    compare: byCodeUnit,
  },
  // Not as text: 17:00+07:00 and 10:00Z are one moment.
  timestamp: {
    ordered: true,
    expected: () => texts.a_time(),
    parse: timeMsOf,
    stored: (value) => (typeof value === 'string' ? timeMsOf(value) : undefined),
    compare: bySize,
  },
  boolean: {
    ordered: false,
    expected: () => verbatim('true · false'),
    parse: (given) => (given === 'true' ? 1 : given === 'false' ? 0 : undefined),
    stored: (value) => (typeof value === 'boolean' ? Number(value) : undefined),
    compare: bySize,
  },
  uuid: {
    ordered: false,
    expected: () => verbatim('9f2c1d34-5a6b-4c7d-8e9f-0a1b2c3d4e5f'),
    parse: (given) => (UUID.test(given) ? given.toLowerCase() : undefined),
    stored: (value) => text(value)?.toLowerCase(),
    compare: byCodeUnit,
  },
  int: whole,
  long: whole,
  float: numeric,
  double: numeric,
  decimal: numeric,
  bytes: binary,
  fixed: binary,
  record: undefined,
  array: undefined,
  map: undefined,
  null: undefined,
  union: undefined,
};

/** How a field of a view is compared; undefined when a list cannot be filtered by it. */
export const comparableOf = (field: ViewField): Comparable | undefined => {
  if (field.kind !== 'string') return KINDS[field.kind];
  if (field.role === 'unitId') return UNIT_ID;
  return field.prefix === undefined ? KINDS.string : PREFIXED;
};
