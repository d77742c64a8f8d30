import { verbatim, type Problem } from '#faults';
import { fieldsOf } from './info.js';
import type { Node } from './schema.js';
import { texts } from './texts.js';
import { parseDate } from './time.js';
import type { FieldInfo, FieldKind } from './types.js';

const NUMBERS: ReadonlySet<FieldKind> = new Set(['int', 'long', 'float', 'double']);
const DECIMAL = /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,4})?$/;

/** The kind whose values a bound of the field compares: of a list, that of its entries. */
const comparedKind = ({ kind, items }: FieldInfo): FieldKind => (kind === 'array' ? (items?.kind ?? kind) : kind);

function isBound(kind: FieldKind, v: unknown): boolean {
  if (NUMBERS.has(kind)) return typeof v === 'number' && Number.isFinite(v) && Math.abs(v) <= Number.MAX_SAFE_INTEGER;
  if (typeof v !== 'string') return false;
  if (kind === 'decimal') return DECIMAL.test(v);
  return (kind === 'date' || kind === 'timestamp') && !Number.isNaN(parseDate(v));
}

const comparable = (v: number | string, kind: FieldKind): number =>
  kind === 'date' || kind === 'timestamp' ? parseDate(String(v)) : Number(v);

/** Members `min` and `max` of the fields of an event that have the wrong form, or leave no value. */
export function checkBounds(t: Node): Problem[] {
  const problems: Problem[] = [];
  for (const [i, { extra }] of t.fields.entries()) {
    const field = fieldsOf(t)[i]!;
    const kind = comparedKind(field);
    for (const member of ['min', 'max'] as const)
      if (extra[member] !== undefined && !isBound(kind, extra[member]))
        problems.push({
          pointer: `/fields/${i}/${member}`,
          reason: texts.not_a_bound(),
          expected: texts.bound_forms(),
          code: 'invalid_schema',
        });
    const { min, max } = field;
    if (min !== undefined && max !== undefined && comparable(min, kind) > comparable(max, kind))
      problems.push({ pointer: `/fields/${i}/max`, reason: texts.bounds_leave_nothing(), code: 'invalid_schema' });
  }
  return problems;
}

/**
 * Declared bounds that a new schema makes narrower than an old one: its publishers rely on them. A first bound is no such change: nobody was promised
 * that any value is taken. Readers are never concerned, because bounds are not checked on reading.
 */
export function narrowedBounds(next: Node, old: Node): Problem[] {
  const before = new Map(fieldsOf(old).map((f) => [f.name, f]));
  const problems: Problem[] = [];
  for (const field of fieldsOf(next)) {
    const earlier = before.get(field.name);
    if (earlier === undefined) continue;
    const kind = comparedKind(field);
    for (const [member, sign] of [
      ['min', 1],
      ['max', -1],
    ] as const) {
      const [now, then] = [field[member], earlier[member]];
      if (now === undefined || then === undefined) continue;
      if (sign * comparable(now, kind) <= sign * comparable(then, comparedKind(earlier))) continue;
      problems.push({
        pointer: `/${field.name}/${member}`,
        reason: texts.bound_narrowed(),
        expected: verbatim(String(then)),
        code: 'incompatible_schema',
      });
    }
  }
  return problems;
}
