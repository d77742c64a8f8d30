import { isHubAdmin } from './access.js';
import { storedExpiry } from './key-expiry.js';
import type { KeyRow } from './key-rules.js';

/**
 * What a key is now. `pending`: asked for, and valid once a second admin of the hub approves it; `refused`: an admin said no; `lapsed`: nobody approved it in time.
 */
export type KeyState = 'valid' | 'pending' | 'refused' | 'lapsed' | 'expired' | 'revoked';
export const KEY_STATES: readonly KeyState[] = ['valid', 'pending', 'refused', 'lapsed', 'expired', 'revoked'];

/** A key as it is shown: without its hash, with its state at this moment. */
export type ShownKey = Omit<KeyRow, 'sha256'> & {
  readonly state: KeyState;
  /** The key is valid and expires within 30 days, or within the last quarter of its life. */
  readonly expiresSoon?: true;
};

/**
 * How long a second approval is still needed after an admin of the hub was revoked by another one, or has expired: else the first could get rid of the second,
 * or wait for its expiry, and go on alone.
 */
const SECOND_ADMIN_MS = 7 * 86_400_000;

export function stateOf(row: KeyRow, now: number): KeyState {
  const { wish } = row;
  if (wish?.state === 'refused') return 'refused';
  if (wish?.state === 'open') return now >= Date.parse(wish.until) ? 'lapsed' : 'pending';
  if (row.revokedAt !== undefined) return 'revoked';
  const expiry = storedExpiry(row);
  return expiry !== undefined && now >= expiry.atMs ? 'expired' : 'valid';
}

/** An admin key of the hub that is valid. */
export function isActiveHubAdmin(row: KeyRow, now: number): boolean {
  return isHubAdmin(row) && stateOf(row, now) === 'valid';
}

/** Whether a powerful key needs a second admin of the hub (R11.6): there are two, or there were until one of them was revoked by the other or expired lately. */
export function needsSecond(rows: Iterable<KeyRow>, now: number): boolean {
  let admins = 0;
  for (const row of rows) {
    if (!isHubAdmin(row)) continue;
    const state = stateOf(row, now);
    const wasRemoved =
      state === 'revoked' &&
      row.revokedBy !== 'hub' &&
      row.revokedBy !== row.id &&
      now - Date.parse(row.revokedAt!) < SECOND_ADMIN_MS;
    const hasExpired = state === 'expired' && now - storedExpiry(row)!.atMs < SECOND_ADMIN_MS;
    if (state === 'valid' || wasRemoved || hasExpired) admins++;
  }
  return admins >= 2;
}

export function shownKey({ sha256: _hidden, ...row }: KeyRow, now: number): ShownKey {
  const state = stateOf(row as KeyRow, now);
  // A wish is stored as a revoked key; it is not one.
  const { revokedAt: _at, revokedBy: _by, ...asked } = row;
  const expiry = storedExpiry(row);
  return {
    ...(row.wish !== undefined && row.wish.state !== 'approved' ? asked : row),
    state,
    ...(state === 'valid' && expiry !== undefined && now >= expiry.noticeMs ? { expiresSoon: true } : {}),
  };
}
