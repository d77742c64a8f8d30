import { pause } from '#concurrency';
import type { OwnedTable } from '#table';
import type { StoredRow } from '../port.js';

/** Key of the OwnerRow. */
export const OWNER_KEY = 'owner';

/** How long attempts in flight may go on when a partition was lost. */
export const LOST_DRAIN_MS = 500;
/** How long a new owner waits for the one before: longer than that one needs to end its attempts and to store how far it is. */
export const HANDOVER_MS = 2_000;
const LOOK_MS = 20;

type OwnerTable = Pick<OwnedTable<StoredRow>, 'get' | 'epoch' | 'write'>;

/**
 * Resolves when the owner before has stored how far it is and makes no attempt any more (R8.7). One that is dead or stands still never says so, and an older version
 * neither: then after 2 s. `holder`: see OwnerRow.
 */
export async function handedOver(lanes: OwnerTable, holder: string, signal: AbortSignal): Promise<void> {
  const end = performance.now() + HANDOVER_MS;
  while (!signal.aborted && performance.now() < end) {
    const last = lanes.get(OWNER_KEY);
    if (last?.kind !== 'owner' || last.left === true || last.holder === holder) return;
    await pause(LOOK_MS, signal);
  }
}

/** Tells the next owner that everything is stored. A newer owner that has not waited is told nothing. Faults as OwnedTable.write(). */
export async function handOver(lanes: OwnerTable, holder: string, epoch: bigint): Promise<void> {
  if (lanes.epoch(OWNER_KEY) === epoch)
    await lanes.write([{ key: OWNER_KEY, row: { kind: 'owner', holder, left: true }, epoch }]);
}
