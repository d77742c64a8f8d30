import { Fault } from '#faults';
import type { Decision } from '#table';
import type { Actor } from './audit.js';
import { isPowerful, type GrantRules } from './grant-rules.js';
import type { KeyRow } from './key-rules.js';
import { isActiveHubAdmin, needsSecond, shownKey, stateOf, type ShownKey } from './key-state.js';

/** How long a wish waits for its approval. */
const WISH_MS = 7 * 86_400_000;

type KeyRows = ReadonlyMap<string, KeyRow>;
type Decided = Decision<KeyRow, ShownKey>;
/** Who decides, and when. */
export interface Deciding {
  readonly by: Actor;
  /** Milliseconds since 1970. */
  readonly now: number;
}

const iso = (ms: number): string => new Date(ms).toISOString();
const unchanged = (row: KeyRow, now: number): Decided => ({ changes: [], result: shownKey(row, now) });
const changed = (row: KeyRow, now: number): Decided => ({
  changes: [{ key: row.id, row }],
  result: shownKey(row, now),
});

/**
 * The rows of new keys. A powerful key that needs a second admin of the hub (R11.6) becomes a wish. It is stored as a key that is revoked from its birth, so
 * that a process of an earlier version, which knows no wishes, refuses it. Fault `conflict` when an id is taken.
 */
export function decideInsert(
  rows: KeyRows,
  fresh: readonly KeyRow[],
  { by, now }: Deciding,
  rules: GrantRules,
): Decision<KeyRow, readonly ShownKey[]> {
  if (fresh.some((r) => rows.has(r.id)))
    throw new Fault('conflict', { detail: 'a key prefix was drawn twice', retryAfterMs: 0 });
  const second = by.keyId !== 'hub' && needsSecond(rows.values(), now);
  const stored = fresh.map((row): KeyRow => {
    if (!second || !isPowerful(row, rules)) return row;
    return { ...row, wish: { state: 'open', until: iso(now + WISH_MS) }, revokedAt: row.createdAt, revokedBy: 'wish' };
  });
  return { changes: stored.map((row) => ({ key: row.id, row })), result: stored.map((row) => shownKey(row, now)) };
}

/** Faults `not_found`, `last_admin`. A wish is refused, not revoked. */
export function decideRevocation(rows: KeyRows, id: string, { by, now }: Deciding): Decided {
  const row = rows.get(id);
  if (!row) throw new Fault('not_found');
  if (stateOf(row, now) === 'pending') return decideRefusal(rows, id, { by, now });
  if (row.revokedAt !== undefined) return unchanged(row, now);
  const others = [...rows.values()].filter((r) => r.id !== id);
  if (isActiveHubAdmin(row, now) && !others.some((r) => isActiveHubAdmin(r, now))) throw new Fault('last_admin');
  return changed({ ...row, revokedAt: iso(now), revokedBy: by.keyId }, now);
}

/** Faults `not_found`, `second_admin_needed` (the same key asked for it), `wish_closed` (refused, lapsed, or its asker is no admin of the hub any more). */
export function decideApproval(rows: KeyRows, id: string, { by, now }: Deciding): Decided {
  const row = wishOf(rows, id);
  if (row.wish?.state === 'approved') return unchanged(row, now);
  if (row.createdBy === by.keyId) throw new Fault('second_admin_needed');
  const asker = rows.get(row.createdBy);
  if (stateOf(row, now) !== 'pending' || asker === undefined || !isActiveHubAdmin(asker, now))
    throw new Fault('wish_closed', { detail: stateOf(row, now) });
  const { revokedAt: _at, revokedBy: _by, ...key } = row;
  return changed({ ...key, wish: { ...row.wish!, state: 'approved', decidedAt: iso(now), decidedBy: by.keyId } }, now);
}

/** Faults `not_found`, `wish_closed` (it was approved: revoke the key). */
export function decideRefusal(rows: KeyRows, id: string, { by, now }: Deciding): Decided {
  const row = wishOf(rows, id);
  if (row.wish!.state === 'refused') return unchanged(row, now);
  if (row.wish!.state === 'approved') throw new Fault('wish_closed', { detail: 'approved' });
  return changed({ ...row, wish: { ...row.wish!, state: 'refused', decidedAt: iso(now), decidedBy: by.keyId } }, now);
}

function wishOf(rows: KeyRows, id: string): KeyRow {
  const row = rows.get(id);
  if (row?.wish === undefined) throw new Fault('not_found');
  return row;
}
