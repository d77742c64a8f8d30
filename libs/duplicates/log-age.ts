import type { EventLog } from '#log';
import type { StreamPartition } from '#state';

/** How long the index keeps an entry. */
export const KEPT_MS = 8 * 24 * 3_600_000;
/** Offsets without a record (markers of a transaction) that may lie before the log end. */
const HOLE = 64n;

export interface LogAgeDeps {
  readonly log: Pick<EventLog, 'describe' | 'read'>;
  readonly now: () => number;
}

/**
 * Before this time the index keeps nothing: 8 days before now, by the clock or by the newest record of the partition, whichever is earlier. A process that was
 * started under a clock that is days ahead would otherwise take every new event for one that is too old to have copies (R15.8). Faults of the log.
 */
export async function oldestKept({ log, now }: LogAgeDeps, { stream, partition }: StreamPartition): Promise<number> {
  const extent = (await log.describe(stream)).find((p) => p.partition === partition);
  const { low = 0n, high = 0n } = extent ?? {};
  let newest: number | undefined;
  for (const at of [high - 1n, high - HOLE < low ? low : high - HOLE]) {
    if (newest !== undefined || at < low) continue;
    const read = await log.read(stream, partition, at, { maxRecords: 1, maxBytes: 1 });
    const record = read.kind === 'records' ? read.records[0] : undefined;
    // The time of a damaged record is lost with it.
    if (record?.damaged !== true) newest = record?.appendTimeMs;
  }
  return Math.min(now(), newest ?? now()) - KEPT_MS;
}
