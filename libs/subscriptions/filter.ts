import { isMask } from '#access';
import { HUB_NAMES } from '#event';
import type { ReadEvent } from '#reading';
import type { FilterExpression } from './subscription.js';

/** Whether an event, as its reader sees it, fulfils a condition. */
export type Condition = (event: ReadEvent) => boolean;
type ValueOf = (event: ReadEvent) => string | undefined;
type Compare = (value: string, wanted: string) => boolean;

/** The dialects whose member is an object of names and values. */
const COMPARING: Readonly<Record<'exact' | 'prefix' | 'suffix', Compare>> = {
  exact: (value, wanted) => value === wanted,
  prefix: (value, wanted) => value.startsWith(wanted),
  suffix: (value, wanted) => value.endsWith(wanted),
};

const FIELD = /^[A-Za-z_][A-Za-z0-9_]*$/;
const EXTENSION = /^[a-z0-9]{1,64}$/;
const DATA = 'data.';

/**
 * One condition for all filters together: every one must hold. Semantics of the CloudEvents Subscriptions API, section 3.2.4.1.1: `exact`, `prefix` and `suffix` hold
 * when all their attributes match, case sensitive; an attribute that the event does not have matches nothing. An attribute is compared as the JSON of
 * a read shows it: numbers and booleans as their JSON text, decimals and large numbers as their digits. A list, a record and null match nothing, and neither
 * does a value that the level of the reader masks (R12.3), so that `not` says nothing of it either: its answer is the same for every value.
 */
export function conditionOf(filters: readonly FilterExpression[]): Condition {
  return allOf(filters.map(compile));
}

function compile(filter: FilterExpression): Condition {
  if ('exact' in filter) return comparing(filter.exact, COMPARING.exact);
  if ('prefix' in filter) return comparing(filter.prefix, COMPARING.prefix);
  if ('suffix' in filter) return comparing(filter.suffix, COMPARING.suffix);
  if ('all' in filter) return allOf(filter.all.map(compile));
  if ('any' in filter) {
    const conditions = filter.any.map(compile);
    return (event) => conditions.some((holds) => holds(event));
  }
  const holds = compile(filter.not);
  return (event) => !holds(event);
}

function allOf(conditions: readonly Condition[]): Condition {
  const [only, ...more] = conditions;
  if (only !== undefined && more.length === 0) return only;
  return (event) => conditions.every((holds) => holds(event));
}

function comparing(wanted: Readonly<Record<string, string>>, compare: Compare): Condition {
  return allOf(
    Object.entries(wanted).map(([name, text]): Condition => {
      const valueOf = accessTo(name);
      return (event) => {
        const value = valueOf(event);
        return value !== undefined && compare(value, text);
      };
    }),
  );
}

/** Whether a name can stand in a condition: an attribute, an extension, `data.<field>` or `data.<field>.<field>`. Pure. */
export function isName(name: string): boolean {
  if (name.startsWith(DATA)) {
    const path = name.slice(DATA.length).split('.');
    return path.length <= 2 && path.every((field) => FIELD.test(field));
  }
  return Object.hasOwn(ATTRIBUTES, name) || (EXTENSION.test(name) && !HUB_NAMES.has(name) && name !== 'data');
}

const ATTRIBUTES: Readonly<Record<string, ValueOf>> = {
  specversion: () => '1.0',
  id: ({ envelope }) => envelope.id,
  source: ({ envelope }) => envelope.source,
  type: ({ envelope }) => envelope.type,
  subject: ({ envelope }) => envelope.subject,
  time: ({ envelope }) => envelope.time,
  dataschema: ({ envelope }) => envelope.dataschema,
  datacontenttype: () => 'application/json',
  recordedtime: ({ envelope }) => envelope.recordedtime,
  traceparent: ({ envelope }) => extensionOf(envelope, 'traceparent') ?? envelope.traceparent,
};

function accessTo(name: string): ValueOf {
  if (Object.hasOwn(ATTRIBUTES, name)) return ATTRIBUTES[name]!;
  if (!name.startsWith(DATA)) return ({ envelope }) => extensionOf(envelope, name);
  const path = name.slice(DATA.length).split('.');
  return ({ data, level }) => {
    let value: unknown = data;
    for (const field of path) value = memberOf(value, field);
    const text = textOf(value);
    return text === undefined || (level === 'masked' && isMask(text)) ? undefined : text;
  };
}

const extensionOf = ({ extensions }: Pick<ReadEvent['envelope'], 'extensions'>, name: string): string | undefined =>
  Object.hasOwn(extensions, name) ? extensions[name] : undefined;

/** Own members only: a condition on `__proto__` or `constructor` is one on a field of that name. */
function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? JSON.stringify(value) : undefined;
}
