import { Fault, verbatim, type Problem, type Text } from '#faults';
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

/**
 * Parses the conditions of a list query. Fault clear_subject_refused for a field with a data class above `none`, because URLs are logged;
 * Fault invalid_query for unknown fields and operators, for a value that is none of the field's kind, and for an order of values that have none.
 */
export function parseConditions(view: CompiledView, query: Readonly<Record<string, unknown>>): Condition[] {
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
    out.push({ field, operator: operator as Operator, comparable, value: parsed });
  }
  if (problems.length > 0) throw new Fault('invalid_query', { problems });
  return out;
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
