import { STATED_BY, type Source } from '#event';
import type { Problem } from '#faults';
import type { EventType } from '#registry';
import type { Units } from '#units';
import type { Attributes, PointAt } from './attributes.js';
import { texts } from './texts.js';

export interface OfTheHub {
  readonly unit: string | undefined;
  readonly extensions: Record<string, string>;
}

/** The attributes that the hub sets: `unitasal`, `unitkode`, `kelasdata`; and the unit with its version at this time. */
export function hubExtensions(source: Source, type: EventType, units: Units): OfTheHub {
  const kelasdata = type.contract.properties?.highestPii ?? 'none';
  if (source.kind !== 'unit') return { unit: undefined, extensions: { kelasdata } };
  const unit = units.get(source.unit) ?? units.history(source.unit).at(-1);
  if (unit === undefined) return { unit: undefined, extensions: { unitasal: source.unit, kelasdata } };
  return {
    unit: `${unit.id}@${unit.version}`,
    extensions: { unitasal: unit.id, unitkode: unit.code, kelasdata },
  };
}

/** Problems of attributes that only the hub sets and that the publisher gave with another value. */
export function differs(a: Attributes, source: Source, hub: OfTheHub, at: PointAt): Problem[] {
  const out: Problem[] = [];
  // A reader would take the word of the publisher for that of a steward.
  if (source.kind !== 'hub' && a.extensions[STATED_BY] !== undefined)
    out.push({ pointer: at(STATED_BY), reason: texts.set_by_hub(), expected: texts.leave_out() });
  for (const name of ['unitasal', 'unitkode', 'kelasdata']) {
    const given = a.extensions[name];
    const ours = hub.extensions[name];
    if (given !== undefined && given !== ours) {
      out.push({
        pointer: at(name),
        reason: texts.set_by_hub(),
        expected: ours === undefined ? texts.left_out() : texts.value_or_left_out({ value: ours }),
      });
    }
  }
  return out;
}
