import { addDays } from './day.js';
import type { Unit } from './unit.js';

/**
 * All that was ever believed about one unit. Rows are only added; a row that is believed no more gets `knownUntil`.
 * Among the rows believed now no two overlap.
 */
export type Rows = readonly Unit[];

/** What is believed now (or was at `knownAt`), by validFrom. */
export function believed(rows: Rows, knownAt?: string): Unit[] {
  const at = knownAt === undefined ? undefined : Date.parse(knownAt);
  return rows
    .filter((r) =>
      at === undefined
        ? r.knownUntil === undefined
        : Date.parse(r.knownSince) <= at && (r.knownUntil === undefined || Date.parse(r.knownUntil) > at),
    )
    .sort((a, b) => (a.validFrom < b.validFrom ? -1 : a.validFrom > b.validFrom ? 1 : 0));
}

/** The row valid on a day. */
export function validOn(rows: Rows, day: string): Unit | undefined {
  return rows.find((r) => r.validFrom <= day && (r.validTo === undefined || r.validTo >= day));
}

/** Learning goes forward: never before what is believed already. */
export function learnedAt(rows: Rows, knownSince: string): string {
  let latest = knownSince;
  for (const r of rows) if (Date.parse(r.knownSince) > Date.parse(latest)) latest = r.knownSince;
  return latest;
}

export function nextVersion(rows: Rows): number {
  return rows.reduce((n, r) => Math.max(n, r.version), 0) + 1;
}

/** `row` from..to as newly learnt. */
function cut(row: Unit, from: string, to: string | undefined, knownSince: string): Unit {
  const { validTo: _end, ...rest } = row;
  return { ...rest, validFrom: from, ...(to === undefined ? {} : { validTo: to }), knownSince };
}

/**
 * Lays `version` over the timeline. It lasts until its own validTo; without one until the version it replaces would have ended, or the next one begins.
 * What it covers is believed no more; what sticks out before or after goes on under its old number.
 */
export function place(rows: Rows, version: Unit): Rows {
  const live = believed(rows);
  const from = version.validFrom;
  const replaced = validOn(live, from);
  const following = live.find((r) => r.validFrom > from);
  const to =
    version.validTo ?? (replaced ? replaced.validTo : following ? addDays(following.validFrom, -1) : undefined);
  const added: Unit[] = [];
  const out = rows.map((row) => {
    const apart =
      row.knownUntil !== undefined ||
      (row.validTo !== undefined && row.validTo < from) ||
      (to !== undefined && row.validFrom > to);
    if (apart) return row;
    if (row.validFrom < from) added.push(cut(row, row.validFrom, addDays(from, -1), version.knownSince));
    if (to !== undefined && (row.validTo === undefined || row.validTo > to))
      added.push(cut(row, addDays(to, 1), row.validTo, version.knownSince));
    return { ...row, knownUntil: version.knownSince };
  });
  return [...out, ...added, cut(version, from, to, version.knownSince)];
}

/** Ends the unit: its last day is the day before `from`, but never before the first day it was known. Later versions are believed no more. */
export function end(rows: Rows, from: string, knownSince: string, marks: Partial<Unit>): Rows {
  const live = believed(rows);
  const last = live.filter((r) => r.validFrom < from).at(-1) ?? live[0];
  if (!last) return rows;
  const before = addDays(from, -1);
  const lastDay = before < last.validFrom ? last.validFrom : before;
  const out = rows.map((row) =>
    row.knownUntil === undefined && (row === last || row.validFrom >= from) ? { ...row, knownUntil: knownSince } : row,
  );
  return [...out, { ...cut(last, last.validFrom, lastDay, knownSince), ...marks }];
}
