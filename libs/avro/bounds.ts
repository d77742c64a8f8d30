import { verbatim, type Problem } from '#faults';
import { fieldsOf } from './info.js';
import { everyField } from './leaves.js';
import type { Node } from './schema.js';
import { texts } from './texts.js';
import { parseDate } from './time.js';
import type { FieldKind, ValueInfo } from './types.js';

const NUMBERS: ReadonlySet<FieldKind> = new Set(['int', 'long', 'float', 'double']);
const DECIMAL = /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,4})?$/;

const COMPARED: ReadonlySet<FieldKind> = new Set([...NUMBERS, 'decimal', 'date', 'timestamp']);

/** The kind whose values a bound of the field compares, also in lists, maps and unions; undefined: it has none, or several. */
export function comparedKind(field: ValueInfo): FieldKind | undefined {
  const kinds = (shape: ValueInfo): readonly FieldKind[] =>
    shape.items !== undefined
      ? kinds(shape.items)
      : shape.branches !== undefined
        ? shape.branches.flatMap(kinds)
        : [shape.kind];
  const compared = new Set(kinds(field).filter((kind) => COMPARED.has(kind)));
  return compared.size === 1 ? [...compared][0] : undefined;
}

function isBound(kind: FieldKind | undefined, v: unknown): boolean {
  if (kind === undefined) return false;
  if (NUMBERS.has(kind)) return typeof v === 'number' && Number.isFinite(v) && Math.abs(v) <= Number.MAX_SAFE_INTEGER;
  if (typeof v !== 'string') return false;
  if (kind === 'decimal') return DECIMAL.test(v);
  return (kind === 'date' || kind === 'timestamp') && !Number.isNaN(parseDate(v));
}

const comparable = (v: number | string, kind: FieldKind | undefined): number =>
  kind === 'date' || kind === 'timestamp' ? parseDate(String(v)) : Number(v);

/**
 * Members `min` and `max` of the fields of an event that have the wrong form, or leave no value. `of`: a contract that is registered now is also asked in the
 * records inside its fields, where an earlier version did not look.
 */
export function checkBounds(t: Node, of: 'new' | 'registered' = 'registered', at = ''): Problem[] {
  const problems: Problem[] = [];
  for (const [i, { extra, type }] of t.fields.entries()) {
    const field = fieldsOf(t)[i]!;
    const kind = comparedKind(field);
    const pointer = `${at}/fields/${i}`;
    for (const member of ['min', 'max'] as const)
      if (extra[member] !== undefined && !isBound(kind, extra[member]))
        problems.push({
          pointer: `${pointer}/${member}`,
          reason: texts.not_a_bound(),
          expected: texts.bound_forms(),
          code: 'invalid_schema',
        });
    const { min, max } = field;
    if (min !== undefined && max !== undefined && comparable(min, kind) > comparable(max, kind))
      problems.push({ pointer: `${pointer}/max`, reason: texts.bounds_leave_nothing(), code: 'invalid_schema' });
    if (of === 'new')
      for (const record of recordsIn(type)) problems.push(...checkBounds(record, of, `${pointer}/${record.name}`));
  }
  return problems;
}

/** The records that a type holds, not those inside them. */
function recordsIn(t: Node): readonly Node[] {
  if (t.base === 'record') return [t];
  return [...(t.items === undefined ? [] : [t.items]), ...t.branches].flatMap(recordsIn);
}

/**
 * Declared bounds that a new schema makes narrower than an old one: its publishers rely on them. A first bound is no such change: nobody was promised
 * that any value is taken. Readers are never concerned, because bounds are not checked on reading.
 */
export function narrowedBounds(next: Node, old: Node): Problem[] {
  const before = new Map(everyField(fieldsOf(old)));
  const problems: Problem[] = [];
  for (const [place, field] of everyField(fieldsOf(next))) {
    const earlier = before.get(place);
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
        pointer: `${place}/${member}`,
        reason: texts.bound_narrowed(),
        expected: verbatim(String(then)),
        code: 'incompatible_schema',
      });
    }
  }
  return problems;
}
