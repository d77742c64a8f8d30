import { Fault, verbatim, type Problem, type Text } from '#faults';
import type { Units } from '#units';
import type { CompiledView, ViewField } from './compile.js';
import { comparableOf, type Comparable } from './filter-kinds.js';
import { texts } from './texts.js';

const OPERATORS = ['lt', 'lte', 'gt', 'gte'] as const;
type Operator = (typeof OPERATORS)[number] | 'eq';

/** One condition of a list: `?status=diproses`, `?penahananBerakhir.lte=2021-07-25`. */
export interface Condition {
  readonly field: ViewField;
  readonly operator: Operator;
  readonly comparable: Comparable;
  /** The query's value, parsed by the kind of the field. */
  readonly value: unknown;
}

/** The registry in which the names of units are looked up. */
export type UnitNames = Pick<Units, 'get' | 'holders' | 'list'>;

/**
 * Parses the conditions of a list query. Fault clear_subject_refused for a field with a data class above `none`, because URLs are logged;
 * Fault invalid_query for unknown fields and operators, for a value that is none of the field's kind, for an order of values that have none, and for a
 * unit that is not in the registry.
 */
export function parseConditions(
  view: CompiledView,
  query: Readonly<Record<string, unknown>>,
  units: UnitNames,
): Condition[] {
  const out: Condition[] = [];
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(query)) {
    const [fieldName = '', operator = 'eq', ...rest] = name.split('.');
    const field = view.fields.find((f) => f.name === fieldName);
    const comparable = field && comparableOf(field);
    if (!field || rest.length > 0 || (!comparable && field.pii === 'none')) {
      problems.push({ pointer: `?${name}`, reason: texts.not_a_field_of_view(), expected: namesOf(view) });
      continue;
    }
    if (!comparable || field.pii !== 'none')
      throw new Fault('clear_subject_refused', {
        problems: [{ pointer: `?${name}`, reason: texts.of_class({ class: field.pii }) }],
      });
    if (operator !== 'eq' && !OPERATORS.includes(operator as 'lt')) {
      problems.push({
        pointer: `?${name}`,
        reason: texts.unknown_comparison(),
        expected: verbatim(OPERATORS.join(' · ')),
      });
      continue;
    }
    if (operator !== 'eq' && !comparable.ordered) {
      problems.push({ pointer: `?${name}`, reason: texts.no_order(), expected: verbatim(`${fieldName}=`) });
      continue;
    }
    const parsed = typeof value === 'string' ? comparable.parse(value, field) : undefined;
    if (parsed === undefined) {
      problems.push({ pointer: `?${name}`, reason: texts.not_of_kind(), expected: comparable.expected(field) });
      continue;
    }
    if (operator === 'eq' && namesNoUnit(field, value as string, units)) {
      problems.push({ pointer: `?${name}`, reason: texts.unknown_unit(), expected: verbatim('/v1/units') });
      continue;
    }
    out.push({ field, operator: operator as Operator, comparable, value: parsed });
  }
  if (problems.length > 0) throw new Fault('invalid_query', { problems });
  return out;
}

/** Whether the value names a unit, by its id or its code, that is not, was not and will not be there: an empty list would read as "this unit has none". */
function namesNoUnit({ role, prefix }: ViewField, value: string, units: UnitNames): boolean {
  if (role === 'unitId') return units.get(value) === undefined;
  if (prefix === undefined || units.holders(value).length > 0) return false;
  return units.list({}).some(({ code }) => code.startsWith(prefix));
}

const namesOf = (view: CompiledView): Text =>
  verbatim(
    view.fields
      .filter((f) => f.pii === 'none' && comparableOf(f))
      .map((f) => f.name)
      .join(' · '),
  );

/** Whether a value, as the caller sees it, fulfils all conditions. An absent or null field fulfils none. */
export function fulfils(value: Readonly<Record<string, unknown>>, conditions: readonly Condition[]): boolean {
  return conditions.every(({ field, operator, comparable, value: wanted }) => {
    const has = comparable.stored(value[field.name]);
    if (has === undefined) return false;
    const order = comparable.compare(has as never, wanted as never);
    switch (operator) {
      case 'eq':
        return order === 0;
      case 'lt':
        return order < 0;
      case 'lte':
        return order <= 0;
      case 'gt':
        return order > 0;
      case 'gte':
        return order >= 0;
    }
  });
}
