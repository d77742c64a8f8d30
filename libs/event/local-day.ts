/** Zone of the hub and of parties without a zone of their own: Western Indonesia Time. */
export const HUB_ZONE = 'Asia/Jakarta';

/** How long a day that was worked out is used without asking the calendar again, so that a clock change or a zone with summer time is noticed. */
const CHECK_MS = 60_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** The calendar day `YYYY-MM-DD` at a time (ms since 1970) in an IANA zone. Throws RangeError for a zone that does not exist. */
export function localDay(ms: number, zone: string = HUB_ZONE): string {
  let format = formats.get(zone);
  if (!format) {
    // `en-CA` writes a date as YYYY-MM-DD.
    format = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' });
    formats.set(zone, format);
  }
  return format.format(ms);
}

/** The day of today in each zone. */
export interface Today {
  (zone?: string): string;
  /** A number that changes before any day does, so that one question answers for all zones. Absent: unknown. */
  readonly moment?: () => number;
}

/**
 * Today by a clock, in the zone that is asked for, else in HUB_ZONE. Exact at each midnight of a zone with whole minutes; the calendar is asked at most
 * once a minute and zone, because the registry of units asks at every publish.
 */
export function todayOf(now: () => number): Today {
  const known = new Map<string, { readonly day: string; readonly minute: number }>();
  // Midnight falls on a whole minute, so the next minute is the first moment at which a day can change.
  const moment = (): number => Math.floor(now() / CHECK_MS);
  const today = (zone = HUB_ZONE): string => {
    const minute = moment();
    const last = known.get(zone);
    if (last?.minute === minute) return last.day;
    const day = localDay(minute * CHECK_MS, zone);
    known.set(zone, { day, minute });
    return day;
  };
  return Object.assign(today, { moment });
}
