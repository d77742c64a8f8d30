import type { Json, JsonObject, Node, FieldNode } from './schema.js';
import { PII_CLASSES, type FieldInfo, type FieldKind, type FieldRole, type PiiClass, type ValueInfo } from './types.js';

const ROLES: readonly string[] = [
  'unitId',
  'nik',
  'nipRef',
  'phone',
  'email',
  'partyCode',
  'serviceCode',
  'person',
  'documentRef',
  'countryCode',
  'regionCode',
] satisfies readonly FieldRole[];

/** The description of every field of a record, for the catalogue and for masking. */
export function fieldsOf(t: Node): FieldInfo[] {
  return t.fields.map(fieldOf);
}

function fieldOf(f: FieldNode): FieldInfo {
  const { pii, legal, note, doc, min, max } = f.extra;
  return {
    name: f.name,
    ...valueOf(f.type, roleOf(f.extra['role'])),
    pii: (PII_CLASSES as readonly Json[]).includes(pii ?? null) ? (pii as PiiClass) : 'none',
    ...(isLimit(min) ? { min } : {}),
    ...(isLimit(max) ? { max } : {}),
    ...(typeof legal === 'string' ? { legal } : {}),
    ...(typeof note === 'string' ? { note } : {}),
    ...(typeof doc === 'string' ? { doc } : {}),
  };
}

const isLimit = (v: Json | undefined): v is number | string => typeof v === 'number' || typeof v === 'string';

function valueOf(t: Node, role: FieldRole | undefined): ValueInfo {
  if (t.base === 'union') {
    const others = t.branches.filter((b) => b.base !== 'null');
    const optional = others.length < t.branches.length;
    if (others.length === 1) return { ...valueOf(others[0]!, role), optional };
    return { kind: 'union', optional, branches: others.map((b) => valueOf(b, role)) };
  }
  const own = roleOf(t.extra['role']) ?? role;
  return {
    kind: kindOf(t),
    optional: false,
    ...(own === undefined ? {} : { role: own }),
    ...(t.base === 'fixed' ? { size: t.size } : {}),
    ...(t.base === 'enum' ? { symbols: t.symbols, ...labelsOf(t.extra) } : {}),
    ...(t.items ? { items: valueOf(t.items, own) } : {}),
    ...(t.base === 'record' ? { fields: fieldsOf(t) } : {}),
    ...(t.logical === 'decimal' ? { precision: t.precision, scale: t.scale } : {}),
  };
}

function labelsOf(extra: Readonly<JsonObject>): Pick<ValueInfo, 'labels'> {
  const labels = extra['labels'];
  return typeof labels === 'object' && labels !== null && !Array.isArray(labels)
    ? { labels: labels as unknown as NonNullable<ValueInfo['labels']> }
    : {};
}

function roleOf(json: Json | undefined): FieldRole | undefined {
  return typeof json === 'string' && ROLES.includes(json) ? (json as FieldRole) : undefined;
}

function kindOf(t: Node): FieldKind {
  if (t.logical === 'timestamp-millis') return 'timestamp';
  return t.logical ?? t.base;
}
