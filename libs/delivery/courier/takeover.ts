import { isFault } from '#faults';
import type { Subscription } from '#subscriptions';
import type { OwnedTable } from '#table';
import type { StoredRow } from '../port.js';
import { OWNER_KEY } from './handover.js';
import type { CourierTables } from './tables.js';

/** Rows of one append, so that also large ones fit it. */
const MOST_ROWS = 200;

/** Makes all rows of a partition those of a new owner. `step`: runs each write, or throws when there is no use in it any more. Faults as OwnedTable.write(). */
export async function takeOver(
  subscriptions: OwnedTable<Subscription>,
  { cursors, lanes }: Pick<CourierTables, 'cursors' | 'lanes'>,
  { epoch, holder }: { readonly epoch: bigint; readonly holder: string },
  step: (work: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  await step(() => writeAll(subscriptions, [...subscriptions.entries()], epoch));
  await step(() => writeAll(cursors, [...cursors.entries()], epoch));
  // No cursor of the owner before counts from here on, so every row that one of them relies on is in the log.
  await step(() => lanes.refresh());
  await step(() => writeAll(lanes, standing(lanes), epoch));
  await step(() => writeAll(lanes, [[OWNER_KEY, { kind: 'owner', holder }]], epoch));
}

/** A row from before the last owner had written them all is one that came late: it is deleted, because what it says is long over. */
function standing(lanes: OwnedTable<StoredRow>): [string, StoredRow | undefined][] {
  const last = lanes.epoch(OWNER_KEY) ?? -1n;
  return [...lanes.entries()].map(([key, row]) => [key, (lanes.epoch(key) ?? -1n) < last ? undefined : row]);
}

/** Writes rows, or deletes them, in appends that the log takes. Faults as OwnedTable.write(). */
export async function writeAll<V>(
  table: Pick<OwnedTable<V>, 'write'>,
  rows: readonly (readonly [string, V | undefined])[],
  epoch: bigint,
): Promise<void> {
  for (let at = 0; at < rows.length; at += MOST_ROWS) await writeSome(table, rows.slice(at, at + MOST_ROWS), epoch);
}

async function writeSome<V>(
  table: Pick<OwnedTable<V>, 'write'>,
  rows: readonly (readonly [string, V | undefined])[],
  epoch: bigint,
): Promise<void> {
  try {
    await table.write(rows.map(([key, row]) => ({ key, row, epoch })));
  } catch (cause) {
    // A redrive with other data may be as large as an event.
    if (!isFault(cause) || cause.code !== 'record_too_large' || rows.length === 1) throw cause;
    const half = rows.length >> 1;
    await writeSome(table, rows.slice(0, half), epoch);
    await writeSome(table, rows.slice(half), epoch);
  }
}
