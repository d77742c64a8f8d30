const DAY_MS = 86_400_000;
/** 0001-01-01 and 9999-12-31 in days and in milliseconds: the years that RFC 3339 can write. */
export const MIN_DAY = -719_162;
export const MAX_DAY = 2_932_896;
export const MIN_MS = MIN_DAY * DAY_MS;
export const MAX_MS = (MAX_DAY + 1) * DAY_MS - 1;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function digits(text: string, at: number, count: number): number {
  let n = 0;
  for (let i = at; i < at + count; i++) {
    const d = text.charCodeAt(i) - 48;
    if (!(d >= 0 && d <= 9)) return Number.NaN;
    n = n * 10 + d;
  }
  return n;
}

/** Days since 1970-01-01 of the first ten characters, `YYYY-MM-DD`; NaN when they are no calendar day. */
function dayAt(text: string): number {
  if (text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return Number.NaN;
  const y = digits(text, 0, 4);
  const m = digits(text, 5, 2);
  const d = digits(text, 8, 2);
  if (!(y >= 1 && m >= 1 && m <= 12 && d >= 1)) return Number.NaN;
  const leap = m === 2 && y % 4 === 0 && (y % 100 !== 0 || y % 400 === 0);
  if (d > MONTH_DAYS[m - 1]! + (leap ? 1 : 0)) return Number.NaN;
  // Algorithm `days_from_civil` (Howard Hinnant): the year begins in March, so that the leap day is its last day.
  const year = m <= 2 ? y - 1 : y;
  const era = Math.floor(year / 400);
  const ofEra = year - era * 400;
  const ofYear = Math.floor((153 * (m + (m > 2 ? -3 : 9)) + 2) / 5) + d - 1;
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719_468;
}

/** Days since 1970-01-01 of `YYYY-MM-DD`; NaN when the text is no calendar day of the years 0001 to 9999. */
export function parseDate(text: string): number {
  return text.length === 10 ? dayAt(text) : Number.NaN;
}

/** `YYYY-MM-DD`; see MIN_DAY and MAX_DAY. A birthday is any of 40,000 days, so this must be fast without a cache: no Date is made. */
export function formatDate(day: number): string {
  // Algorithm `civil_from_days` (Howard Hinnant).
  const z = day + 719_468;
  const era = Math.floor(z / 146_097);
  const ofEra = z - era * 146_097;
  const years = Math.floor(
    (ofEra - Math.floor(ofEra / 1_460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * years + Math.floor(years / 4) - Math.floor(years / 100));
  const month = Math.floor((5 * ofYear + 2) / 153);
  const d = ofYear - Math.floor((153 * month + 2) / 5) + 1;
  const m = month < 10 ? month + 3 : month - 9;
  const y = years + era * 400 + (m <= 2 ? 1 : 0);
  return `${y > 999 ? y : String(y).padStart(4, '0')}-${TWO[m]}-${TWO[d]}`;
}

export type Instant = { readonly ms: number } | 'malformed' | 'no-offset' | 'too-fine' | 'out-of-range';

/**
 * Milliseconds since 1970 of an RFC 3339 time with an offset. Refuses a fraction finer than a millisecond (it would be lost), the hour 24:00 and the second 60.
 */
export function parseTimestamp(text: string): Instant {
  const n = text.length;
  if (n < 19 || n > 60) return 'malformed';
  const separator = text.charCodeAt(10) | 32;
  if (separator !== 116 || text.charCodeAt(13) !== 58 || text.charCodeAt(16) !== 58) return 'malformed';
  const h = digits(text, 11, 2);
  const mi = digits(text, 14, 2);
  const s = digits(text, 17, 2);
  const day = dayAt(text);
  if (!(h <= 23 && mi <= 59 && s <= 59) || Number.isNaN(day)) return 'malformed';
  let at = 19;
  let milli = 0;
  let fine = false;
  if (text.charCodeAt(at) === 46) {
    const from = ++at;
    for (; at < n; at++) {
      const d = text.charCodeAt(at) - 48;
      if (!(d >= 0 && d <= 9)) break;
      if (at - from < 3) milli += d * (at === from ? 100 : at === from + 1 ? 10 : 1);
      else if (d !== 0) fine = true;
    }
    if (at === from) return 'malformed';
  }
  if (at === n) return 'no-offset';
  let offset = 0;
  const sign = text.charCodeAt(at);
  if ((sign | 32) === 122) {
    if (n !== at + 1) return 'malformed';
  } else {
    if ((sign !== 43 && sign !== 45) || n !== at + 6 || text.charCodeAt(at + 3) !== 58) return 'malformed';
    const oh = digits(text, at + 1, 2);
    const om = digits(text, at + 4, 2);
    if (!(oh <= 23 && om <= 59)) return 'malformed';
    offset = (oh * 60 + om) * (sign === 45 ? -60_000 : 60_000);
  }
  if (fine) return 'too-fine';
  const ms = day * DAY_MS + h * 3_600_000 + mi * 60_000 + s * 1_000 + milli - offset;
  return ms >= MIN_MS && ms <= MAX_MS ? { ms } : 'out-of-range';
}

/** RFC 3339 in UTC, always with milliseconds, so that times can be sorted as text. */
export function formatTimestamp(ms: number): string {
  const day = Math.floor(ms / DAY_MS);
  const slot = day & (DAYS - 1);
  if (days[slot] !== day) {
    days[slot] = day;
    dayTexts[slot] = formatDate(day);
  }
  const rest = ms - day * DAY_MS;
  const s = Math.floor(rest / 1_000);
  return `${dayTexts[slot]}T${TWO[Math.floor(s / 3_600)]}:${TWO[Math.floor(s / 60) % 60]}:${TWO[s % 60]}.${THREE[rest % 1_000]}Z`;
}

const TWO = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, '0'));
const THREE = Array.from({ length: 1_000 }, (_, n) => String(n).padStart(3, '0'));
/** A power of two: the texts of so many days are kept, each in the place of its last bits. The times of neighbouring events fall on few days. */
const DAYS = 64;
const days = new Array<number>(DAYS).fill(Number.NaN);
const dayTexts = new Array<string>(DAYS).fill('');

/** Milliseconds since 1970 of a date (its midnight in UTC) or an RFC 3339 time, as event data holds it; undefined when the value is neither. */
export function instantMs(kind: 'date' | 'timestamp', value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined;
  if (kind === 'date') {
    const day = parseDate(value);
    return Number.isNaN(day) ? undefined : day * DAY_MS;
  }
  const instant = parseTimestamp(value);
  return typeof instant === 'string' ? undefined : instant.ms;
}
