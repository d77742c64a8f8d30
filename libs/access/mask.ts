import { isDeepStrictEqual } from 'node:util';
import { fits, PII_CLASSES, type Contract, type Data, type FieldInfo, type PiiClass, type ValueInfo } from '#avro';

const HIDDEN = '••••';
const RANK: Readonly<Record<string, number>> = Object.fromEntries(PII_CLASSES.map((c, i) => [c, i]));
const IDENTITY = RANK['umum-identitas']!;

/**
 * Data as a reader at level masked gets it (R12.3). Text of class `umum-identitas` keeps its last 4 characters as a person counts them, at most 4
 * code points (nothing when it has 4 characters or fewer); text of class
 * `terbatas` or `spesifik` becomes `"••••"`; a value that is not text becomes null. Lists and records are masked entry by entry under the stricter of
 * the outer and the inner class, and become null when the outer class is `terbatas` or `spesifik`; a map of class `umum-identitas` too, because its
 * names are text of that class. A value of a union is masked as every branch that it may belong to says, and becomes null where they differ. Absent and
 * null values stay; members that the contract does not name are dropped. Of one event the characters of at most 200 texts beyond ASCII are counted: behind
 * them such a text becomes `"••••"`. Pure and total.
 */
export function maskData(contract: Pick<Contract, 'fields'>, data: Data): Data {
  return maskRecord(contract.fields, data, 'none', { left: COUNTED_TEXTS });
}

/** Whether a text of masked data is, or begins with, the mask: no condition is compared with it (R12.3). Pure. */
export function isMask(text: string): boolean {
  return text.startsWith(HIDDEN);
}

/** How many texts of the event may still be counted. */
interface Counting {
  left: number;
}

function maskRecord(fields: readonly FieldInfo[], record: Data, outer: PiiClass, counting: Counting): Data {
  const out: Data = {};
  for (const field of fields) {
    const value = record[field.name];
    if (value !== undefined) out[field.name] = maskValue(field, value, stricter(outer, field.pii), counting);
  }
  return out;
}

function maskValue(shape: ValueInfo, value: unknown, pii: PiiClass, counting: Counting): unknown {
  if (value === null) return null;
  if (shape.branches) return maskUnion(shape.branches, value, pii, counting);
  const rank = RANK[pii] ?? Number.POSITIVE_INFINITY;
  if (rank <= IDENTITY) {
    if (shape.fields) return isRecord(value) ? maskRecord(shape.fields, value, pii, counting) : null;
    const { items } = shape;
    if (items && Array.isArray(value)) return value.map((v) => maskValue(items, v, pii, counting));
    if (items && isRecord(value) && rank < IDENTITY)
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, maskValue(items, v, pii, counting)]));
    if (rank < IDENTITY) return value;
  }
  if (!isText(shape) || typeof value !== 'string') return null;
  return rank === IDENTITY ? HIDDEN + lastOf(value, counting) : HIDDEN;
}

/** JSON does not say which branch a value belongs to. */
function maskUnion(branches: readonly ValueInfo[], value: unknown, pii: PiiClass, counting: Counting): unknown {
  const masked = branches.filter((b) => fits(b, value)).map((b) => maskValue(b, value, pii, counting));
  const [first] = masked;
  return masked.every((m) => isDeepStrictEqual(m, first)) ? (first ?? null) : null;
}

const SHOWN = 4;
/** Text of which each character is one code unit, so that counting them is exact: nearly all identity numbers. */
const SIMPLE = /^[\x20-\x7e]*$/;
const characters = new Intl.Segmenter('id', { granularity: 'grapheme' });

/** So much of a long text is looked at: more than 4 characters of any language take, and cutting a character there shows no more of it. */
const LOOKED_AT = 256;
/** Counting takes up to 20 µs a text, and a list of an event may hold 70,000: more than any real event has. */
const COUNTED_TEXTS = 200;

/** The last 4 characters of a longer text; nothing of a text that they would show whole. */
function lastOf(text: string, counting: Counting): string {
  const end = text.length > LOOKED_AT ? text.slice(-LOOKED_AT) : text;
  if (SIMPLE.test(end)) return text.length > SHOWN ? text.slice(-SHOWN) : '';
  if (counting.left-- <= 0) return '';
  // From the end, character by character: making all 256 takes 400 µs.
  const all = characters.segment(end);
  const last: string[] = [];
  let at = end.length;
  while (at > 0 && last.length < SHOWN) {
    const { segment, index } = all.containing(at - 1)!;
    last.unshift(segment);
    at = index;
  }
  if (at === 0) return '';
  // A character may be made of many code points: of those no more than 4 are shown either.
  while (last.length > 0 && [...last.join('')].length > SHOWN) last.shift();
  return last.join('');
}

function isText(shape: ValueInfo): boolean {
  return shape.kind === 'string' || shape.kind === 'uuid';
}

function isRecord(v: unknown): v is Data {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}

function stricter(a: PiiClass, b: PiiClass): PiiClass {
  return (RANK[b] ?? Number.POSITIVE_INFINITY) >= (RANK[a] ?? 0) ? b : a;
}
