import { Fault, verbatim, type Problem, type Text } from '#faults';
import { compareValues } from './exact.js';
import { isNumericKind, type CompiledView, type ViewField } from './compile.js';
import { texts } from './texts.js';

const OPERATORS = ['lt', 'lte', 'gt', 'gte'] as const;
type Operator = (typeof OPERATORS)[number] | 'eq';

/** One condition of a list: `?status=diproses`, `?penahananBerakhir.lte=2021-07-25`. */
export interface Condition {
  readonly field: ViewField;
  readonly operator: Operator;
  readonly value: string;
}

/**
 * Parses the conditions of a list query. Fault clear_subject_refused for a field with a data class above `none`, because URLs are logged;
 * Fault invalid_query for unknown fields and operators, and for text in place of a number.
 */
export function parseConditions(view: CompiledView, query: Readonly<Record<string, string>>): Condition[] {
  const out: Condition[] = [];
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(query)) {
    const [fieldName = '', operator = 'eq', ...rest] = name.split('.');
    const field = view.fields.find((f) => f.name === fieldName);
    if (!field || rest.length > 0 || field.items || field.fields) {
      problems.push({ pointer: `?${name}`, reason: texts.not_a_field_of_view(), expected: namesOf(view) });
      continue;
    }
    if (field.pii !== 'none')
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
    if (isNumericKind(field.kind) && !/^-?\d{1,30}(\.\d{1,30})?$/.test(value)) {
      problems.push({ pointer: `?${name}`, reason: texts.not_a_number() });
      continue;
    }
    out.push({ field, operator: operator as Operator, value });
  }
  if (problems.length > 0) throw new Fault('invalid_query', { problems });
  return out;
}

const namesOf = (view: CompiledView): Text =>
  verbatim(
    view.fields
      .filter((f) => f.pii === 'none' && !f.items && !f.fields)
      .map((f) => f.name)
      .join(' · '),
  );

/** Whether a value, as the caller sees it, fulfils all conditions. An absent or null field fulfils none. */
export function fulfils(value: Readonly<Record<string, unknown>>, conditions: readonly Condition[]): boolean {
  return conditions.every(({ field, operator, value: wanted }) => {
    const has = value[field.name];
    if (has === null || has === undefined) return false;
    const numeric = isNumericKind(field.kind);
    const order = compareValues(numeric ? has : String(has), wanted, numeric);
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
