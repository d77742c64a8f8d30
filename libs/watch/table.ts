import { openOwnedTable, type OwnedTable, type TableLog, type TableReport } from '#table';
import type { WatchRow } from './book.js';

/** What the watch remembers, and its findings. One partition: who owns it in the group of the watch is the one who watches. */
export const WATCH_TOPIC = '_simpul.watch';

interface Stored {
  readonly e?: string;
  readonly v: WatchRow;
}

/** Opens the table of the watch: every process reads it, the one that watches writes it. Fault `log_unavailable`. */
export function openWatchTable(log: TableLog, report?: TableReport): Promise<OwnedTable<WatchRow>> {
  return openOwnedTable<WatchRow>({
    log,
    topic: WATCH_TOPIC,
    parse: (value) => {
      const { e, v } = JSON.parse(value.toString()) as Partial<Stored>;
      if (v === undefined || typeof v.kind !== 'string') throw new TypeError('no row of the watch');
      return { row: v, ...(e === undefined ? {} : { epoch: BigInt(e) }) };
    },
    serialise: (row, epoch) => {
      const stored: Stored = { ...(epoch === undefined ? {} : { e: String(epoch) }), v: row };
      return Buffer.from(JSON.stringify(stored));
    },
    report,
  });
}
