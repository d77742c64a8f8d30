import type { Unit, Units } from '#units';
import { zoneOf, type Deadline, type Expectation } from './expectation.js';
import { findingId, isoOf, type Finding } from './finding.js';
import { kept } from './source-watch.js';

/** Days of reports that are remembered of a unit. */
const MOST_DAYS = 10;
const DAY_MS = 86_400_000;

/** What is known of the reports that a unit owes. A plain value: it is written as a row as it is. */
export interface ReportRow {
  readonly unit: string;
  readonly type: string;
  readonly stream: string;
  /** For which days reports have come, `YYYY-MM-DD`, the newest. */
  readonly days: readonly string[];
  /** Recorded time of the last report, ms. */
  readonly lastMs?: number;
  /** The last day whose deadline has passed. */
  readonly judged?: string;
  readonly findings: readonly Finding[];
}

/** Takes note of a report for a day. One for a later day than tomorrow is none: its date would keep the unit from ever being silent. Pure. */
export function reported(
  row: ReportRow | undefined,
  { type, stream }: Pick<Expectation, 'type' | 'stream'>,
  report: { readonly unit: string; readonly day: string; readonly recordedMs: number; readonly today: string },
): ReportRow | undefined {
  const { unit, day, recordedMs, today } = report;
  if (Date.parse(day) > Date.parse(today) + DAY_MS) return row;
  const before: ReportRow = row ?? { unit, type, stream, days: [], findings: [] };
  if (before.days.includes(day)) return row;
  const days = [...before.days, day].sort().slice(-MOST_DAYS);
  const noted = { ...before, days, lastMs: Math.max(before.lastMs ?? 0, recordedMs) };
  // Which was late ends the silence when it is the report of the day that was judged last, or of a later one.
  return before.judged !== undefined && day >= before.judged ? ended(noted, recordedMs) : noted;
}

/** A deadline has passed, and everything that was recorded until then has been looked at. Pure. */
export function judged(
  row: ReportRow | undefined,
  unit: Pick<Unit, 'id'>,
  { type, stream }: Pick<Expectation, 'type' | 'stream'>,
  { day, ms }: Deadline,
): ReportRow {
  const before: ReportRow = row ?? { unit: unit.id, type, stream, days: [], findings: [] };
  const now = { ...before, judged: day };
  if (before.days.includes(day)) return ended(now, ms);
  if (now.findings.some((f) => f.untilMs === undefined)) return now;
  const finding: Finding = {
    id: findingId('silent', unit.id, type, day),
    kind: 'silent',
    unit: unit.id,
    stream,
    type,
    sinceMs: ms,
    expected: isoOf(ms),
    seen: before.lastMs === undefined ? '' : isoOf(before.lastMs),
  };
  return { ...now, findings: kept([finding, ...now.findings]) };
}

/** Nothing is expected of the unit any more. Pure. */
export const released = (row: ReportRow, ms: number): ReportRow => ended(row, ms);

/** The units of which an expectation holds at a deadline: those that exist on that day, in the zone of the deadline. */
export function unitsOwing(expectation: Expectation, { day, zone }: Deadline, units: Units): readonly Unit[] {
  const found = expectation.from.flatMap((pattern) => {
    const [kind, name] = [pattern.slice(0, 5), pattern.slice(5)];
    if (kind === 'type:') return units.list({ type: name }, day);
    const unit = units.get(name, day);
    return unit === undefined ? [] : [unit];
  });
  return [...new Map(found.filter((u) => zoneOf(expectation, u) === zone).map((u) => [u.id, u])).values()];
}

function ended(row: ReportRow, ms: number): ReportRow {
  if (!row.findings.some((f) => f.untilMs === undefined)) return row;
  const findings = row.findings.map((f) =>
    f.untilMs === undefined ? { ...f, untilMs: Math.max(ms, f.sinceMs), seen: isoOf(row.lastMs ?? ms) } : f,
  );
  return { ...row, findings: kept(findings) };
}
