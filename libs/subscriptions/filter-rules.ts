import type { Problem } from '#faults';
import { isName } from './filter.js';
import type { FilterExpression } from './subscription.js';
import { texts } from './texts.js';

/** `depth`: of nested conditions. `conditions`: names with a value, in all filters together. */
export const FILTER_LIMITS = { depth: 5, conditions: 50, valueBytes: 1_024, nameLength: 200 };
/** A tree within the limits has no more nodes: each leaf brings one for each level. */
const NODES = FILTER_LIMITS.depth * FILTER_LIMITS.conditions;

export interface FiltersRead {
  /** Meaningless when there are problems. */
  readonly filters: readonly FilterExpression[];
  readonly problems: readonly Problem[];
}

/**
 * Filters of unknown shape, read and checked. As the CloudEvents Subscriptions API demands: one known dialect in each filter, no empty name or value, at least one
 * filter in `all` and `any`. Pure and total; it looks at no more than filters within the limits have. `at`: pointer at the list.
 */
export function readFilters(given: unknown, at: string): FiltersRead {
  const rules = new FilterRules();
  const filters = given === undefined ? [] : rules.list(given, at, 1);
  return { filters, problems: rules.problems };
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A name as part of a pointer (RFC 6901), cut to what a problem may repeat. */
export function pointed(name: string): string {
  return name.slice(0, 80).toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Not String(): JSON may hold an object whose `toString` is a number. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

class FilterRules {
  readonly problems: Problem[] = [];
  #nodes = 0;
  #conditions = 0;

  list(given: unknown, at: string, depth: number): readonly FilterExpression[] {
    if (!Array.isArray(given)) {
      this.problems.push({ pointer: at, reason: texts.not_a_list(), expected: texts.dialects() });
      return [];
    }
    const filters: FilterExpression[] = [];
    for (const [i, one] of given.entries()) {
      if (this.#isOver) break;
      const filter = this.#filter(one, `${at}/${i}`, depth);
      if (filter !== undefined) filters.push(filter);
    }
    return filters;
  }

  /** Nothing more is looked at: a subscription with thousands of conditions is not worth a list of them. */
  get #isOver(): boolean {
    return this.#nodes > NODES || this.#conditions > FILTER_LIMITS.conditions;
  }

  #filter(given: unknown, at: string, depth: number): FilterExpression | undefined {
    if (++this.#nodes > NODES) return this.#tooMany(at);
    if (depth > FILTER_LIMITS.depth) {
      this.problems.push({
        pointer: at,
        reason: texts.too_deep(),
        expected: texts.levels({ most: FILTER_LIMITS.depth }),
      });
      return undefined;
    }
    const dialects = isObject(given) ? Object.keys(given) : [];
    const [dialect] = dialects;
    if (!isObject(given) || dialect === undefined || dialects.length > 1) return this.#noDialect(at);
    const inside = given[dialect];
    const path = `${at}/${pointed(dialect)}`;
    switch (dialect) {
      case 'exact':
        return { exact: this.#values(inside, path) };
      case 'prefix':
        return { prefix: this.#values(inside, path) };
      case 'suffix':
        return { suffix: this.#values(inside, path) };
      case 'all':
        return { all: this.#someOf(inside, path, depth) };
      case 'any':
        return { any: this.#someOf(inside, path, depth) };
      case 'not': {
        const not = this.#filter(inside, path, depth + 1);
        return not === undefined ? undefined : { not };
      }
      default:
        return this.#noDialect(at);
    }
  }

  #someOf(given: unknown, at: string, depth: number): readonly FilterExpression[] {
    if (Array.isArray(given) && given.length === 0)
      this.problems.push({ pointer: at, reason: texts.empty_list(), expected: texts.one_condition() });
    return this.list(given, at, depth + 1);
  }

  #values(given: unknown, at: string): Readonly<Record<string, string>> {
    if (!isObject(given)) {
      this.problems.push({ pointer: at, reason: texts.not_an_object(), expected: texts.one_condition() });
      return {};
    }
    const names = Object.keys(given);
    if (names.length === 0)
      this.problems.push({ pointer: at, reason: texts.empty_object(), expected: texts.one_condition() });
    this.#conditions += names.length;
    if (this.#isOver) {
      this.#tooMany(at);
      return {};
    }
    for (const name of names) this.#value(name, given[name], `${at}/${pointed(name)}`);
    // Not by assignment: a name may be `__proto__`.
    return Object.fromEntries(names.map((name) => [name, textOf(given[name])]));
  }

  #value(name: string, value: unknown, at: string): void {
    if (name.length > FILTER_LIMITS.nameLength || !isName(name))
      this.problems.push({ pointer: at, reason: texts.name_of_nothing(), expected: texts.names() });
    const most = FILTER_LIMITS.valueBytes;
    const fits = typeof value === 'string' && value !== '' && value.isWellFormed() && Buffer.byteLength(value) <= most;
    if (!fits) this.problems.push({ pointer: at, reason: texts.value_wrong(), expected: texts.value_form({ most }) });
  }

  #tooMany(at: string): undefined {
    this.problems.push({
      pointer: at,
      reason: texts.too_many_conditions(),
      expected: texts.conditions({ most: FILTER_LIMITS.conditions }),
    });
  }

  #noDialect(at: string): undefined {
    this.problems.push({ pointer: at, reason: texts.dialect_wrong(), expected: texts.dialects() });
  }
}
