import { JsonNumber } from './number.js';
import { PII_CLASSES, type Data, type FieldInfo, type PiiClass, type ValueInfo } from './types.js';
import { escapeToken } from './walk.js';

/** A value of event data that is no list, map or record, as it lies in these: the rule of its shape, and where it is. */
export type VisitLeaf<T> = (rule: T, value: unknown, pointer: () => string) => void;

interface Plan<T> {
  /** A value that is no list, map or record. */
  readonly rule?: T;
  /** Entries of a list or map. */
  readonly entries?: Plan<T>;
  readonly fields?: readonly (readonly [name: string, Plan<T>])[];
  /** Of a union: JSON does not say which branch a value belongs to, so it is judged by each that its form fits. */
  readonly branches?: readonly (readonly [shape: ValueInfo, Plan<T>])[];
}

const MOST_DEEP = 40;

/**
 * Walks over every value of event data: fields, lists, maps, records in each other, and unions, in one place for whatever a contract says of values. `pick`
 * answers the rule of a shape that holds one value; undefined: it is of no interest. `field` is the field around it: of an entry of a list or map, the field
 * that holds that. Names of a map are no values. `data` must be valid; null and absent values are left out. Shapes without a rule cost nothing.
 */
export function leavesOf<T>(
  fields: readonly FieldInfo[],
  pick: (shape: ValueInfo, field: FieldInfo) => T | undefined,
): (data: Data, visit: VisitLeaf<T>) => void {
  const plan = recordPlan(fields, pick);
  if (plan === undefined) return () => {};
  const path: (string | number)[] = [];
  return (data, visit) => walk(plan, data, path, 0, visit);
}

type Pick<T> = (shape: ValueInfo, field: FieldInfo) => T | undefined;

function recordPlan<T>(fields: readonly FieldInfo[], pick: Pick<T>): Plan<T> | undefined {
  const plans = fields.flatMap((field) => {
    const plan = planOf(field, field, pick);
    return plan === undefined ? [] : [[field.name, plan] as const];
  });
  return plans.length === 0 ? undefined : { fields: plans };
}

function planOf<T>(shape: ValueInfo, field: FieldInfo, pick: Pick<T>): Plan<T> | undefined {
  if (shape.fields !== undefined) return recordPlan(shape.fields, pick);
  if (shape.items !== undefined) {
    const entries = planOf(shape.items, field, pick);
    return entries && { entries };
  }
  if (shape.branches !== undefined) {
    const branches = shape.branches.flatMap((branch) => {
      const plan = planOf(branch, field, pick);
      return plan === undefined ? [] : [[branch, plan] as const];
    });
    return branches.length === 0 ? undefined : { branches };
  }
  const rule = pick(shape, field);
  return rule === undefined ? undefined : { rule };
}

function walk<T>(plan: Plan<T>, value: unknown, path: (string | number)[], depth: number, visit: VisitLeaf<T>): void {
  if (value === null || value === undefined || depth > MOST_DEEP) return;
  if (plan.rule !== undefined) {
    visit(plan.rule, value, () => pointerOf(path, depth));
  } else if (plan.branches !== undefined) {
    for (const [shape, branch] of plan.branches) if (fits(shape, value)) walk(branch, value, path, depth, visit);
  } else if (plan.fields !== undefined) {
    for (const [name, field] of plan.fields) {
      path[depth] = name;
      walk(field, (value as Data)[name], path, depth + 1, visit);
    }
  } else if (Array.isArray(value)) {
    for (const [i, entry] of value.entries()) {
      path[depth] = i;
      walk(plan.entries!, entry, path, depth + 1, visit);
    }
  } else {
    for (const name of Object.keys(value)) {
      path[depth] = name;
      walk(plan.entries!, (value as Data)[name], path, depth + 1, visit);
    }
  }
}

const pointerOf = (path: readonly (string | number)[], depth: number): string =>
  `/data${path
    .slice(0, depth)
    .map((part) => `/${escapeToken(part)}`)
    .join('')}`;

/** Whether a value can belong to a branch of a union, by its JSON form. */
export function fits({ kind, fields }: ValueInfo, value: unknown): boolean {
  switch (kind) {
    case 'null':
      return value === null;
    case 'boolean':
      return typeof value === 'boolean';
    case 'array':
      return Array.isArray(value);
    case 'map':
      return isObject(value);
    case 'record':
      return isObject(value) && Object.keys(value).every((name) => fields?.some((f) => f.name === name));
    case 'int':
    case 'float':
    case 'double':
      return !isContainer(value) && typeof value !== 'string';
    case 'long':
    case 'decimal':
      return !isContainer(value);
    default:
      return typeof value === 'string';
  }
}

const isContainer = (v: unknown): boolean => Array.isArray(v) || isObject(v);
/** A number that a double cannot hold is an object of its own class. */
const isObject = (v: unknown): v is Data =>
  typeof v === 'object' && v !== null && !Array.isArray(v) && Object.getPrototypeOf(v) !== JsonNumber.prototype;

/** Every field of an event, by its place: also those of records in lists, maps and unions. */
export function* everyField(
  fields: readonly FieldInfo[],
  at = '',
): Generator<readonly [place: string, field: FieldInfo]> {
  for (const field of fields) {
    yield [`${at}/${field.name}`, field];
    yield* inside(field, `${at}/${field.name}`);
  }
}

function* inside(shape: ValueInfo, at: string): Generator<readonly [place: string, field: FieldInfo]> {
  if (shape.fields !== undefined) yield* everyField(shape.fields, at);
  if (shape.items !== undefined) yield* inside(shape.items, at);
  for (const branch of shape.branches ?? []) yield* inside(branch, at);
}

/** The most protected class of a field and of every field of the records in it. */
export function gravestOf(field: FieldInfo): PiiClass {
  return Array.from(everyField([field]), ([, { pii }]) => pii).reduce((a, b) =>
    PII_CLASSES.indexOf(b) > PII_CLASSES.indexOf(a) ? b : a,
  );
}
