import { timeMsOf } from '#event';
import type { Unit } from '#units';

const DAY_MS = 86_400_000;
/** A key is said to expire soon for this long, or for the last quarter of its life when that is shorter. */
const NOTICE_MS = 30 * DAY_MS;
const OFFSETS: Readonly<Record<Unit['tz'], string>> = { WIB: '+07:00', WITA: '+08:00', WIT: '+09:00' };

/** How long a new key is valid. */
export interface KeyLives {
  /** For a key that names no `expires`. */
  readonly defaultDays: number;
  readonly maxDays: number;
}

export const KEY_LIVES: KeyLives = { defaultDays: 365, maxDays: 730 };

/** From when on a key is refused, and from when on its users are told so, ms since 1970. */
export interface KeyExpiry {
  readonly atMs: number;
  readonly noticeMs: number;
}

/**
 * When a new key expires, ms since 1970: `90d`, a day `YYYY-MM-DD` (its end in the zone of the unit, of WIB for another owner), an RFC 3339 time, or the default.
 * undefined: the text is none of these, lies in the past, or is later than the greatest life.
 */
export function expiryOf(
  text: string | undefined,
  tz: Unit['tz'] | undefined,
  now: number,
  { defaultDays, maxDays }: KeyLives,
): number | undefined {
  const days = text === undefined ? defaultDays : /^\d{1,5}d$/.test(text) ? Number(text.slice(0, -1)) : undefined;
  const isDay = text !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(text);
  const midnight = isDay ? timeMsOf(`${text}T00:00:00${OFFSETS[tz ?? 'WIB']}`) : undefined;
  const at = days !== undefined ? now + days * DAY_MS : isDay ? midnight && midnight + DAY_MS : timeMsOf(text!);
  // A day that ends in the last zone may lie some hours behind the greatest life, which is counted from now.
  const latest = now + (maxDays + (isDay ? 1 : 0)) * DAY_MS;
  return at !== undefined && at > now && at <= latest ? at : undefined;
}

/** The expiry of a stored key; undefined: it has none, as keys of earlier versions and the admin key that the hub makes itself. */
export function storedExpiry(row: { readonly createdAt: string; readonly expiresAt?: string }): KeyExpiry | undefined {
  if (row.expiresAt === undefined) return undefined;
  const atMs = Date.parse(row.expiresAt);
  const life = atMs - Date.parse(row.createdAt);
  return { atMs, noticeMs: atMs - Math.min(NOTICE_MS, Number.isFinite(life) ? life / 4 : NOTICE_MS) };
}
