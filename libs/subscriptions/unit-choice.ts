import { idsIn } from '#access';
import { timeMsOf } from '#event';
import type { ReadEvent } from '#reading';
import { aboveAt, unitAt, type Units } from '#units';
import type { UnitSelector } from './subscription.js';

/** Which events concern the units of a selector, as their reader sees them. */
export interface UnitChoice {
  /** The same for selectors that say the same. */
  readonly key: string;
  concerns(event: ReadEvent, units: Units): boolean;
}

/**
 * Units by what they were on the day of the event (its attribute `time`), each by the midnight of its own zone, as the registry knows it when the event is looked
 * at: a unit that was renamed, moved or split later is still what it was that day. Looked at are the unit that sent the event (`unitasal`) and the units in the unit
 * fields of its data as the reader sees them; a masked unit answers no question (R12.3). `owner`: of the subscription, for `self`.
 */
export function unitChoice(selector: UnitSelector, owner = ''): UnitChoice {
  const { function: type, province, below } = selector;
  const isChosen = (id: string, units: Units, ms: number): boolean => {
    const unit = unitAt(units, id, ms);
    if (unit === undefined) return false;
    if (type !== undefined && unit.type !== type) return false;
    if (province !== undefined && unit.provinceCode !== province && unit.coversProvinces?.includes(province) !== true)
      return false;
    if (below === undefined) return true;
    const tops = topsOf(below, owner, units, ms);
    return tops.includes(id) || (tops.length > 0 && isBelow(tops, aboveAt(units, id, ms)));
  };
  return {
    key: JSON.stringify([type ?? null, province ?? null, below ?? null, isOwn(below) ? owner : null]),
    concerns: (event, units) => {
      const { time, recordedtime } = event.envelope;
      // A delivery must not end on a time that an earlier version has taken.
      const ms = timeMsOf(time) ?? timeMsOf(recordedtime) ?? 0;
      return unitsOf(event).some((id) => isChosen(id, units, ms));
    },
  };
}

function unitsOf({ envelope, type, data }: ReadEvent): readonly string[] {
  const { extensions } = envelope;
  const ids = type.unitFields.flatMap((field) => idsIn(data, field));
  const from = Object.hasOwn(extensions, 'unitasal') ? extensions['unitasal'] : undefined;
  return from === undefined ? ids : [from, ...ids];
}

const OWN = /^self(?::([a-z][a-z0-9-]*))?$/;

/** Whether `below` names units by their owner: `self`, or `self:kanwil`. */
export function isOwn(below: string | undefined): boolean {
  return below !== undefined && OWN.test(below);
}

/** The type in `self:kanwil`. */
export function ownType(below: string): string | undefined {
  return OWN.exec(below)?.[1];
}

/** The units that `below` stands for on that day: `self` the owner, `self:kanwil` those of this type among the owner and the units above it. */
function topsOf(below: string, owner: string, units: Units, ms: number): readonly string[] {
  if (!isOwn(below)) return [below];
  const type = ownType(below);
  if (type === undefined) return [owner];
  return [owner, ...aboveAt(units, owner, ms)].filter((id) => unitAt(units, id, ms)?.type === type);
}

const isBelow = (tops: readonly string[], above: ReadonlySet<string>): boolean => tops.some((top) => above.has(top));
