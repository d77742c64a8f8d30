import { localDay } from '#event';
import type { Unit, Units } from './unit.js';

/**
 * A unit as it was at a moment (ms since 1970), each row by the day of its own zone. Events may be late or name a unit to come (R10.7): before its first row it is
 * what it was first, behind its last one what it was last. undefined: no such unit. By the rows that are current now.
 */
export function unitAt(units: Pick<Units, 'history'>, id: string, ms: number): Unit | undefined {
  const rows = units.history(id);
  return rows.findLast((r) => r.validFrom <= localDay(ms, r.timezone)) ?? rows[0];
}

/** The ids of all units that stood above a unit at a moment, on either parent line, without the unit itself: each of them as unitAt(). */
export function aboveAt(units: Pick<Units, 'history'>, id: string, ms: number): ReadonlySet<string> {
  const above = new Set<string>();
  const pending = [id];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const unit = unitAt(units, next, ms);
    for (const up of [unit?.parent, unit?.technicalParent]) {
      if (up === undefined || up === id || above.has(up)) continue;
      above.add(up);
      pending.push(up);
    }
  }
  return above;
}
