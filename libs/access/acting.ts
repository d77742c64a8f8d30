import type { ActorFields, ActorInfo } from '#avro';
import { parseSource, type Source } from '#event';
import { verbatim } from '#faults';
import type { EventType } from '#registry';
import type { Units } from '#units';
import { matches, type PublishRefusal } from './publish-right.js';
import { idsIn } from './read-level.js';
import { texts } from './texts.js';

export type StatedType = Pick<EventType, 'publishers' | 'actor'>;

/**
 * Whether the source states its own fact (R10.6): the fields that the contract names for the acting office hold the unit or party of the source, or a unit
 * below it where the contract says so. undefined = yes. A source of the hub states what it was given the role for; a type without an acting field asks
 * nothing. `data` must be valid. Pure; uses the unit tree of today.
 */
export function mayState(
  type: StatedType,
  sourceText: string,
  data: Readonly<Record<string, unknown>>,
  units: Units,
): PublishRefusal | undefined {
  const { actor } = type;
  if (actor === undefined || actor.field === null) return undefined;
  const source = parseSource(sourceText);
  if (source === undefined || source.kind === 'hub' || isExempt(actor, source, data, units)) return undefined;
  const owner = source.kind === 'unit' ? source.unit : (actor.standIns?.[source.party] ?? source.party);
  const fields = actingFields(actor, source.kind, data);
  if (fields === undefined)
    return {
      code: 'unit_not_yours',
      problems: [
        {
          pointer: `/data/${actor.step}`,
          reason: texts.step_of_another(),
          expected: verbatim((actor.exempt ?? []).join(', ')),
        },
      ],
    };
  const named = typeof fields === 'string' ? [fields] : fields;
  for (const field of named) if (isOwn(idsIn(data, field), owner, actor, units)) return undefined;
  return {
    code: 'unit_not_yours',
    problems: named.map((field) => ({
      pointer: `/data/${field}`,
      reason: texts.fact_of_another(),
      expected: actor.below ? texts.own_or_below({ owner }) : verbatim(owner),
    })),
  };
}

/** The fields of which one must be the source; undefined: this step is for exempt publishers only. */
export function actingFields(
  { field, step, party }: ActorInfo,
  kind: Source['kind'],
  data: Readonly<Record<string, unknown>>,
): ActorFields | undefined {
  if (kind === 'party' && party !== undefined) return party;
  if (step === undefined) return field as ActorFields;
  const symbol = data[step];
  const steps = field as Readonly<Record<string, ActorFields>>;
  return typeof symbol === 'string' && Object.hasOwn(steps, symbol) ? steps[symbol] : undefined;
}

/** Whether the contract lets this publisher state the event of others. */
export function isExempt(
  { exempt }: ActorInfo,
  source: Source,
  data: Readonly<Record<string, unknown>>,
  units: Units,
): boolean {
  return exempt?.some((pattern) => matches(pattern, source, data, units)) === true;
}

/** Every named office must be the own one, or below it: a list that holds one foreign unit states a fact of that unit. */
function isOwn(ids: readonly string[], owner: string, { below }: ActorInfo, units: Units): boolean {
  if (ids.length === 0) return false;
  return ids.every((id) => id === owner || (below === true && units.above(id).has(owner)));
}
