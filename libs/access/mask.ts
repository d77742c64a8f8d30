import { PII_CLASSES, type Contract, type Data, type FieldInfo, type PiiClass, type ValueInfo } from '#avro';

const HIDDEN = '••••';
const RANK: Readonly<Record<string, number>> = Object.fromEntries(PII_CLASSES.map((c, i) => [c, i]));
const IDENTITY = RANK['umum-identitas']!;

/**
 * Data as a masked reader sees it (R12). `umum-identitas` text keeps its last 4 characters (a text of 4 or fewer none), `terbatas` and `spesifik`
 * text becomes `"••••"`; values that are no text become null. Lists and records are masked item by item under the severer of the two classes,
 * and null when the outer one hides all. What is absent or null stays so; a member that the contract does not name is dropped.
 */
export function maskData(contract: Pick<Contract, 'fields'>, data: Data): Data {
  return maskRecord(contract.fields, data, 'none');
}

function maskRecord(fields: readonly FieldInfo[], record: Data, outer: PiiClass): Data {
  const out: Data = {};
  for (const field of fields) {
    const value = record[field.name];
    if (value !== undefined) out[field.name] = maskValue(field, value, severer(outer, field.pii));
  }
  return out;
}

function maskValue(shape: ValueInfo, value: unknown, pii: PiiClass): unknown {
  if (value === null) return null;
  const rank = RANK[pii] ?? Number.POSITIVE_INFINITY;
  if (rank <= IDENTITY) {
    if (shape.fields) return isRecord(value) ? maskRecord(shape.fields, value, pii) : null;
    const { items } = shape;
    if (items && Array.isArray(value)) return value.map((v) => maskValue(items, v, pii));
    if (items && isRecord(value))
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, maskValue(items, v, pii)]));
    if (rank < IDENTITY) return value;
  }
  if (!isText(shape) || typeof value !== 'string') return null;
  return rank === IDENTITY && value.length > 4 ? HIDDEN + [...value].slice(-4).join('') : HIDDEN;
}

function isText(shape: ValueInfo): boolean {
  return shape.kind === 'string' || shape.kind === 'uuid';
}

function isRecord(v: unknown): v is Data {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}

function severer(a: PiiClass, b: PiiClass): PiiClass {
  return (RANK[b] ?? Number.POSITIVE_INFINITY) >= (RANK[a] ?? 0) ? b : a;
}
