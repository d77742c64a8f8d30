import { createHmac } from 'node:crypto';
import type { CursorSeal } from '#reading';
import { PSEUDONYM_KEY, type MetaTable } from '#registry';

const ROW = 'cursors';
/** How long a deployment that is older than the MAC reads cursors without one: a unit that was offline for a month still goes on where it was. */
const UNSEALED_MS = 30 * 24 * 3_600_000;

/**
 * Until when this deployment reads cursors without a MAC, ms: recorded at its first start with this version, once for all its processes. A new deployment
 * has given out none. Call it before the fingerprint of the pseudonym key is recorded: that is how an older deployment is known.
 */
export async function unsealedUntil(meta: MetaTable, now: number): Promise<number> {
  await meta.refresh();
  const known = msOf(meta.get(ROW)?.['unsealedUntil']);
  if (known !== undefined) return known;
  return meta.write<number>((rows) => {
    const other = msOf(rows.get(ROW)?.['unsealedUntil']);
    if (other !== undefined) return { changes: [], result: other };
    const until = rows.has(PSEUDONYM_KEY) ? now + UNSEALED_MS : now;
    return { changes: [{ key: ROW, row: { unsealedUntil: new Date(until).toISOString() } }], result: until };
  });
}

/** How the cursors of this deployment are authenticated: the key is derived from that of the pseudonyms, which every process has. */
export function cursorSeal(pseudonymKey: Uint8Array, until: number, now: () => number): CursorSeal {
  const key = createHmac('sha256', pseudonymKey).update('simpul cursors').digest();
  return { key, acceptsUnsealed: () => now() < until };
}

function msOf(text: unknown): number | undefined {
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
