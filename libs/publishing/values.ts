import {
  comparedKind,
  JsonNumber,
  leavesOf,
  UNIT_ID,
  type Data,
  type FieldInfo,
  type ValueInfo,
  type VisitLeaf,
} from '#avro';
import { verbatim, type Problem, type Text } from '#faults';
import type { EventType } from '#registry';
import { UNIT_CHANGED, type Units } from '#units';
import { texts } from './texts.js';

/** What the newest contract of a type says about values beyond their Avro type, in records, lists, maps and unions too; made once for each contract. */
interface ValueRules {
  units(data: Data, visit: VisitLeaf<true>): void;
  bounds(data: Data, visit: VisitLeaf<Bound>): void;
}

interface Bound {
  /** Days as text are compared as they are written, without their zone. */
  readonly isDay: boolean;
  readonly min: number | string | undefined;
  readonly max: number | string | undefined;
  readonly expected: Text;
}

const made = new WeakMap<EventType, ValueRules>();

function rulesOf(type: EventType): ValueRules {
  let rules = made.get(type);
  if (rules === undefined) {
    const { fields } = type.contract;
    const units = leavesOf(type.type === UNIT_CHANGED ? [] : fields, ({ role }) =>
      role === 'unitId' ? true : undefined,
    );
    made.set(type, (rules = { units, bounds: leavesOf(fields, boundOf) }));
  }
  return rules;
}

function boundOf({ kind }: ValueInfo, field: FieldInfo): Bound | undefined {
  const { min, max } = field;
  if ((min === undefined && max === undefined) || kind !== comparedKind(field)) return undefined;
  const isDay = kind === 'date' || kind === 'timestamp';
  const read = (v: number | string | undefined): number | string | undefined =>
    v === undefined || isDay ? v : Number(v);
  const expected =
    max === undefined
      ? texts.at_least({ min: String(min) })
      : min === undefined
        ? texts.no_more_than({ max: String(max) })
        : texts.between({ min: String(min), max: String(max) });
  return { isDay, min: read(min), max: read(max), expected };
}

/** Values outside the bounds of the newest contract (R10.8), the first 50. `data` must be valid. */
export function valuesOutside(newest: EventType, data: Data): readonly Problem[] {
  let problems: Problem[] | undefined;
  rulesOf(newest).bounds(data, (bound, value, pointer) => {
    if (!isOutside(value, bound) || problems?.length === MOST_TOLD) return;
    (problems ??= []).push({ pointer: pointer(), reason: texts.outside_bounds(), expected: bound.expected });
  });
  return problems ?? NONE;
}

/** How long a text may be of which entries of views are made. */
export const FOLDED_CHARACTERS = 1_000;
/** The same for a list or record, as JSON. */
export const FOLDED_JSON = 10_000;

/**
 * Values that are too long for the entries of views (R10.10). An entry is read, and written anew, with each event of its key, and a list reads thousands of them
 * in one go: entries of a megabyte stopped the hub for a second, or for good.
 */
export function valuesTooLong(folded: readonly string[], data: Data): readonly Problem[] {
  let problems: Problem[] | undefined;
  for (const field of folded) {
    const value = data[field];
    if (typeof value === 'string') {
      if (value.length > FOLDED_CHARACTERS) (problems ??= []).push(tooLong(field, FOLDED_CHARACTERS));
    } else if (typeof value === 'object' && value !== null && !(value instanceof JsonNumber)) {
      if (JSON.stringify(value).length > FOLDED_JSON) (problems ??= []).push(tooLong(field, FOLDED_JSON));
    }
  }
  return problems ?? NONE;
}

const tooLong = (field: string, most: number): Problem => ({
  pointer: `/data/${field}`,
  reason: texts.too_long_for_views(),
  expected: texts.at_most_characters({ most }),
});

function isOutside(value: unknown, { isDay, min, max }: Bound): boolean {
  const v = isDay
    ? String(value).slice(0, 10)
    : typeof value === 'number'
      ? value
      : Number(value instanceof JsonNumber ? value.text : value);
  return (min !== undefined && v < min) || (max !== undefined && v > max);
}

/**
 * Units in the data that the registry does not know on any day (R10.7), the first 50. A unit that has ended, or that begins later, is known: an event may be
 * late, and a decision may name an office to come. In a union, a text that has not the form of a unit id belongs to another branch. `data` must be valid.
 */
export function unknownUnits(newest: EventType, data: Data, units: Pick<Units, 'get'>): readonly Problem[] {
  let problems: Problem[] | undefined;
  rulesOf(newest).units(data, (_rule, value, pointer) => {
    if (typeof value !== 'string' || !UNIT_ID.test(value) || units.get(value) !== undefined) return;
    if (problems?.length === MOST_TOLD) return;
    (problems ??= []).push({
      pointer: pointer(),
      reason: texts.unit_not_registered(),
      expected: verbatim('GET /v1/units'),
    });
  });
  return problems ?? NONE;
}

const NONE: readonly Problem[] = [];
/** A list may repeat a wrong value as often as fits into an event. */
const MOST_TOLD = 50;
