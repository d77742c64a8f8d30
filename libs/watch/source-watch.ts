import { findingId, isoOf, type Finding } from './finding.js';
import type { WatchLimits } from './limits.js';
import { count, giveUp, missingText, type Numbers } from './numbers.js';

const MINUTE_MS = 60_000;
/** Findings of one source in one stream that are over and still listed, and those whose event could not be published yet. */
const MOST_ENDED = 3;
const MOST_UNTOLD = 10;

/** One event, as far as the watch looks at it. */
export interface Sighting {
  readonly source: string;
  readonly unit: string;
  readonly system: string;
  readonly stream: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly position: string;
  readonly recordedMs: number;
  /** `time` of the event. */
  readonly timeMs: number | undefined;
  /** `waktuterkirim`: when it left the unit, by the clock of the unit. */
  readonly sentMs: number | undefined;
  /** `urutanunit` */
  readonly number: number | undefined;
}

/** What is known of one source in one stream. A plain value: it is written as a row as it is. */
export interface SourceRow {
  readonly source: string;
  readonly unit: string;
  readonly system: string;
  readonly stream: string;
  /** Next offset by partition number: what lies below was looked at, so an event that is read again changes nothing. */
  readonly next: Readonly<Record<number, string>>;
  readonly lastMs: number;
  readonly numbers?: Numbers;
  /** The minute since 1970 in which resends were counted last, and how many. */
  readonly minute?: number;
  readonly resends?: number;
  /** When the clock was last wrong, and when the last minute of a storm was, ms. */
  readonly wrongMs?: number;
  readonly stormMs?: number;
  /** At most one open of each kind, and the last that ended. */
  readonly findings: readonly Finding[];
}

const openOf = ({ findings }: SourceRow, kind: Finding['kind']): Finding | undefined =>
  findings.find((f) => f.kind === kind && f.untilMs === undefined);

/** Whether time alone may change the row. */
export const isWaiting = ({ numbers, findings }: SourceRow): boolean =>
  (numbers?.missing.length ?? 0) > 0 || findings.some((f) => f.untilMs === undefined);

/** Looks at one event. The same row when the event was looked at before. Pure. */
export function look(row: SourceRow | undefined, s: Sighting, limits: WatchLimits): SourceRow {
  const { source, unit, system, stream, partition, offset } = s;
  if (row !== undefined && offset < BigInt(row.next[partition] ?? 0)) return row;
  const before: SourceRow = row ?? { source, unit, system, stream, next: {}, lastMs: s.recordedMs, findings: [] };
  const next = { ...before.next, [partition]: String(offset + 1n) };
  const seen = { ...before, next, lastMs: Math.max(before.lastMs, s.recordedMs) };
  const timed = lookAtClock(seen, s, limits);
  if (s.number === undefined) return timed;
  const { numbers, isRepeat } = count(timed.numbers, s.number, s.recordedMs);
  const counted = endedGap({ ...timed, numbers }, s.recordedMs);
  return isRepeat ? resent(counted, Math.floor(s.recordedMs / MINUTE_MS), 1, limits) : counted;
}

/** Counts events of a minute that were sent again. */
export function resent(row: SourceRow, minute: number, events: number, limits: WatchLimits): SourceRow {
  // Of an earlier minute, which gateways tell late: it counts for the present one.
  const now = Math.max(minute, row.minute ?? minute);
  const resends = (row.minute === now ? (row.resends ?? 0) : 0) + events;
  const counted = { ...row, minute: now, resends };
  if (resends <= limits.resends) return counted;
  const stormMs = now * MINUTE_MS;
  const open = openOf(counted, 'storm');
  if (open === undefined)
    return opened({ ...counted, stormMs }, 'storm', stormMs, [now], String(limits.resends), String(resends));
  if (resends <= Number(open.seen)) return { ...counted, stormMs };
  return { ...changed(counted, { ...open, seen: String(resends) }), stormMs };
}

/** What has become of the row by `throughMs`: everything that was recorded until then has been looked at. The same row when nothing has. Pure. */
export function tick(row: SourceRow, throughMs: number, limits: WatchLimits): SourceRow {
  let now = row;
  if (now.numbers !== undefined && now.numbers.missing.length > 0) now = tickGap(now, now.numbers, throughMs, limits);
  const storm = openOf(now, 'storm');
  if (storm !== undefined && throughMs >= (now.stormMs ?? 0) + MINUTE_MS + limits.calmMs)
    now = changed(now, { ...storm, untilMs: throughMs });
  const skew = openOf(now, 'skew');
  if (skew !== undefined && throughMs >= (now.wrongMs ?? 0) + limits.giveUpMs)
    now = changed(now, { ...skew, untilMs: throughMs });
  return now;
}

function tickGap(row: SourceRow, before: Numbers, throughMs: number, limits: WatchLimits): SourceRow {
  const numbers = giveUp(before, throughMs - limits.giveUpMs);
  const kept = numbers === before ? row : { ...row, numbers };
  const overdue = numbers.missing.filter(({ sinceMs }) => throughMs >= sinceMs + limits.graceMs);
  if (overdue.length === 0) return endedGap(kept, throughMs);
  const open = openOf(kept, 'gap');
  const expected = missingText(numbers.missing);
  const seen = String(numbers.last);
  if (open === undefined) {
    const first = overdue.reduce((a, b) => (b.sinceMs < a.sinceMs ? b : a));
    return opened(kept, 'gap', first.sinceMs, [first.from], expected, seen);
  }
  if (open.expected === expected && open.seen === seen) return kept;
  return changed(kept, { ...open, expected, seen });
}

function endedGap(row: SourceRow, ms: number): SourceRow {
  const open = openOf(row, 'gap');
  if (open === undefined || (row.numbers !== undefined && row.numbers.missing.length > 0)) return row;
  return changed(row, { ...open, untilMs: Math.max(ms, open.sinceMs), seen: String(row.numbers?.last ?? '') });
}

function lookAtClock(row: SourceRow, s: Sighting, limits: WatchLimits): SourceRow {
  const { recordedMs, timeMs, sentMs } = s;
  // A `time` in the past is late, and no word about the clock (R14.4).
  const isAhead = timeMs !== undefined && timeMs - recordedMs > limits.skewMs;
  const isOff = sentMs !== undefined && Math.abs(sentMs - recordedMs) > limits.skewMs;
  const open = openOf(row, 'skew');
  if (isAhead || isOff) {
    const wrong = { ...row, wrongMs: Math.max(row.wrongMs ?? 0, recordedMs) };
    if (open !== undefined) return wrong;
    const said = isOff ? sentMs : timeMs!;
    return opened(wrong, 'skew', recordedMs, [s.position], isoOf(recordedMs), isoOf(said));
  }
  const saysTime = sentMs !== undefined || (timeMs !== undefined && timeMs !== recordedMs);
  if (open === undefined || !saysTime || recordedMs < (row.wrongMs ?? 0) + limits.calmMs) return row;
  return changed(row, { ...open, untilMs: recordedMs });
}

function opened(
  row: SourceRow,
  kind: Finding['kind'],
  sinceMs: number,
  about: readonly (string | number)[],
  expected: string,
  seen: string,
): SourceRow {
  const { source, unit, system, stream } = row;
  const id = findingId(kind, source, stream, ...about);
  const finding: Finding = { id, kind, unit, system, stream, sinceMs, expected, seen };
  return { ...row, findings: kept([finding, ...row.findings.filter((f) => f.id !== id)]) };
}

const changed = (row: SourceRow, finding: Finding): SourceRow => ({
  ...row,
  findings: kept(row.findings.map((f) => (f.id === finding.id ? finding : f))),
});

/** All that are open, and the last that ended. Newest first. */
export function kept(findings: readonly Finding[]): readonly Finding[] {
  let ended = 0;
  let untold = 0;
  return findings.filter((f) => {
    if (f.untilMs === undefined) return true;
    return f.told === 'end' ? ++ended <= MOST_ENDED : ++untold <= MOST_UNTOLD;
  });
}
