import { describe, expect, it } from '@jest/globals';
import type { EarlierEvents } from './earlier.js';
import type { ReadyItem } from './item.js';
import { Receipts, type ReceiptsDeps } from './receipts.js';
import { identityOf, RecentAppends } from './recent.js';

const WAIT_MS = 5_000;

/** Receipts of a process whose clock stands still but for what `append` takes, and whose index never passes the place. */
function waitingFor(appendMs: number) {
  let now = 1_000;
  const waits: number[] = [];
  const recents = new RecentAppends(
    () => 0n,
    () => now,
    1_000,
  );
  const item = { identity: identityOf('s', 'a'), stream: 'st', partition: 0 } as unknown as ReadyItem;
  recents.add(
    [item],
    Promise.resolve().then(() => {
      now += appendMs;
      return { kind: 'accepted', base: 7n, appendTimeMs: now };
    }),
  );
  const deps = {
    settled: {
      ready: false,
      waitFor: (_stream: string, _partition: number, _target: bigint, maxMs: number) => {
        waits.push(maxMs);
        return Promise.resolve(0n);
      },
    },
    state: { findFirst: () => Promise.resolve([undefined]) },
    now: () => now,
  } as unknown as ReceiptsDeps;
  const receipts = new Receipts(deps, recents, {} as EarlierEvents, WAIT_MS);
  return { receipts, waits };
}

describe('a receipt', () => {
  it.each([
    [0, WAIT_MS],
    [4_200, 800],
    [9_000, -4_000],
  ])(
    'whose append took %i ms waits at most %i ms more for the index: both together never more than the limit',
    async (appendMs, left) => {
      const { receipts, waits } = waitingFor(appendMs);
      await expect(receipts.find('s', 'a')).rejects.toMatchObject({ code: 'receipts_unavailable' });
      expect(waits).toEqual([left]);
    },
  );
});
