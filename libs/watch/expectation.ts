import type { EventType } from '#registry';
import type { Unit } from '#units';

type Zone = Unit['tz'];
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const OFFSET_HOURS: Readonly<Record<Zone, number>> = { WIB: 7, WITA: 8, WIT: 9 };
export const ZONES = Object.keys(OFFSET_HOURS) as readonly Zone[];

/** A type of which certain units owe an event for each day: the property `expected` of its contract. */
export interface Expectation {
  readonly type: string;
  readonly stream: string;
  readonly every: 'day' | 'workday';
  /** `HH:MM` */
  readonly until: string;
  /** Absent: of the unit. */
  readonly zone?: Zone;
  /** `type:lapas` or `unit:SU00123` */
  readonly from: readonly string[];
  /** The field that says for which day an event is; absent: the day on which it is recorded. */
  readonly day?: string;
}

/** What the newest contract of a type expects; undefined: nothing. */
export function expectationOf({
  type,
  stream,
  expected,
}: Pick<EventType, 'type' | 'stream' | 'expected'>): Expectation | undefined {
  return expected === undefined ? undefined : { type, stream, ...expected };
}

/** The calendar day of a moment in a zone, `YYYY-MM-DD`. */
export const dayIn = (zone: Zone, ms: number): string =>
  new Date(ms + OFFSET_HOURS[zone] * HOUR_MS).toISOString().slice(0, 10);

/** The zone in which the day and the hour of an expectation are meant for a unit. */
export const zoneOf = ({ zone }: Pick<Expectation, 'zone'>, { tz }: Pick<Unit, 'tz'>): Zone => zone ?? tz;

/** The moment until which an event for this day is due, ms. */
export function deadlineMs({ until }: Pick<Expectation, 'until'>, zone: Zone, day: string): number {
  return Date.parse(`${day}T${until}:00Z`) - OFFSET_HOURS[zone] * HOUR_MS;
}

/** Saturdays and Sundays are no workdays; holidays are not known here. */
export function isDue({ every }: Pick<Expectation, 'every'>, day: string): boolean {
  const weekday = new Date(`${day}T00:00:00Z`).getUTCDay();
  return every === 'day' || (weekday > 0 && weekday < 6);
}

/** A deadline that has passed, with the zone of the units that it is for. */
export interface Deadline {
  readonly zone: Zone;
  readonly day: string;
  readonly ms: number;
}

/** The deadlines after `fromMs` up to `untilMs`, ascending; of the last seven days only. */
export function deadlinesBetween(expectation: Expectation, fromMs: number, untilMs: number): readonly Deadline[] {
  const zones = expectation.zone === undefined ? ZONES : [expectation.zone];
  const from = Math.max(fromMs, untilMs - 7 * DAY_MS);
  const found: Deadline[] = [];
  for (const zone of zones)
    for (let ms = from - DAY_MS; ms <= untilMs + DAY_MS; ms += DAY_MS) {
      const day = dayIn(zone, ms);
      const at = deadlineMs(expectation, zone, day);
      if (at > from && at <= untilMs && isDue(expectation, day)) found.push({ zone, day, ms: at });
    }
  return found.sort((a, b) => a.ms - b.ms);
}
