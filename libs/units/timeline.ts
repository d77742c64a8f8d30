import type { Today } from '#event';
import { addDays } from './day.js';
import type { Unit } from './unit.js';

/**
 * Every row that was ever known about one unit. Rows are only added; a row that is no longer current gets `knownUntil`. The current rows never overlap.
 */
export type Rows = readonly Unit[];

/** The current rows (with `knownAt`: the rows that were current at that time), ordered by validFrom. */
export function currentRows(rows: Rows, knownAt?: string): Unit[] {
  const at = knownAt === undefined ? undefined : Date.parse(knownAt);
  return rows
    .filter((r) =>
      at === undefined
        ? r.knownUntil === undefined
        : Date.parse(r.knownSince) <= at && (r.knownUntil === undefined || Date.parse(r.knownUntil) > at),
    )
    .sort((a, b) => (a.validFrom < b.validFrom ? -1 : a.validFrom > b.validFrom ? 1 : 0));
}

/** The row that is valid on a day. */
export function validOn(rows: Rows, day: string): Unit | undefined {
  return rows.find((r) => r.validFrom <= day && (r.validTo === undefined || r.validTo >= day));
}

/**
 * The row that is in force now, each row by the day of its own zone: the last one that has begun. Rows that follow each other leave no gap when the zone
 * changes with the row: the earlier row stays in force until the later one has begun.
 */
export function validNow(rows: Rows, today: Today): Unit | undefined {
  const at = rows.findLastIndex((r) => r.validFrom <= today(r.timezone));
  const row = rows[at];
  if (row?.validTo === undefined || row.validTo >= today(row.timezone)) return row;
  return rows[at + 1]?.validFrom === addDays(row.validTo, 1) ? row : undefined;
}

/** `knownSince` for a new row: the given time, but never before the `knownSince` of an existing row, so that past knowledge does not change. */
export function knownSinceFor(rows: Rows, knownSince: string): string {
  let latest = knownSince;
  for (const r of rows) if (Date.parse(r.knownSince) > Date.parse(latest)) latest = r.knownSince;
  return latest;
}

export function nextVersion(rows: Rows): number {
  return rows.reduce((n, r) => Math.max(n, r.version), 0) + 1;
}

/** The content of `row` for the days `from` to `to`, known since `knownSince`. */
function rowFor(row: Unit, from: string, to: string | undefined, knownSince: string): Unit {
  const { validTo: _end, ...rest } = row;
  return { ...rest, validFrom: from, ...(to === undefined ? {} : { validTo: to }), knownSince };
}

/**
 * Adds `version` to the rows. It is valid until its validTo; without one until the row that it replaces would have ended, or the day before the next row begins.
 * Rows that it covers are no longer current; the days of such a row before or after it are added again under the old version number.
 */
export function insertVersion(rows: Rows, version: Unit): Rows {
  const live = currentRows(rows);
  const from = version.validFrom;
  const replaced = validOn(live, from);
  const following = live.find((r) => r.validFrom > from);
  const to =
    version.validTo ?? (replaced ? replaced.validTo : following ? addDays(following.validFrom, -1) : undefined);
  const added: Unit[] = [];
  const out = rows.map((row) => {
    const untouched =
      row.knownUntil !== undefined ||
      (row.validTo !== undefined && row.validTo < from) ||
      (to !== undefined && row.validFrom > to);
    if (untouched) return row;
    if (row.validFrom < from) added.push(rowFor(row, row.validFrom, addDays(from, -1), version.knownSince));
    if (to !== undefined && (row.validTo === undefined || row.validTo > to))
      added.push(rowFor(row, addDays(to, 1), row.validTo, version.knownSince));
    return { ...row, knownUntil: version.knownSince };
  });
  return [...out, ...added, rowFor(version, from, to, version.knownSince)];
}

/** Ends the unit: its last day is the day before `from`, but never before the first day of its last row. Later rows are no longer current. */
export function endUnit(rows: Rows, from: string, knownSince: string, marks: Partial<Unit>): Rows {
  const live = currentRows(rows);
  const last = live.filter((r) => r.validFrom < from).at(-1) ?? live[0];
  if (!last) return rows;
  const before = addDays(from, -1);
  const lastDay = before < last.validFrom ? last.validFrom : before;
  const out = rows.map((row) =>
    row.knownUntil === undefined && (row === last || row.validFrom >= from) ? { ...row, knownUntil: knownSince } : row,
  );
  return [...out, { ...rowFor(last, last.validFrom, lastDay, knownSince), ...marks }];
}
