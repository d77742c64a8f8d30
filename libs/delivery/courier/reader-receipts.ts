import { parsePosition, type Position } from '#event';
import type { ReaderReceipt } from '../desk-port.js';
import type { AttemptRow, CursorRow } from '../port.js';
import type { Attempts } from './attempts.js';
import type { Run } from './run.js';

export interface ReceiptsDeps {
  readonly runs: Iterable<Run>;
  readonly attempts: Pick<Attempts, 'ofEvent'>;
  /** Whether the event at the position is due to the subscription of a run, by its rights and filters of now. */
  readonly isDue: (run: Run) => boolean;
  /** Whether a row says that the event waits behind a parked one of its lane. */
  readonly isHeld: (run: Run) => boolean;
}

/** What each subscription has made of the event at a position. `appendTimeMs`: when the log accepted it. Fault `log_unavailable`. */
export async function receiptsOf(
  { runs, attempts, isDue, isHeld }: ReceiptsDeps,
  position: string,
  appendTimeMs: number,
): Promise<readonly ReaderReceipt[]> {
  const place = parsePosition(position)!;
  const rows = await attempts.ofEvent(position, appendTimeMs);
  const receipts: ReaderReceipt[] = [];
  for (const run of runs) {
    const { id, owner } = run.subscription;
    const about = { subscription: id, owner };
    const row = rows.get(id);
    const tried = row === undefined ? {} : { at: row.at, tries: row.try, ...statusOf(row) };
    const parked = run.lanes.parkedAt(position);
    const followed = run.streams.get(place.stream);
    if (parked !== undefined) {
      const { deadAt, lastAt, tries, lastStatus } = parked;
      const status = lastStatus === undefined ? {} : { status: lastStatus };
      receipts.push({ ...about, state: deadAt === undefined ? 'parked' : 'dead', at: lastAt, tries, ...status });
    } else if (row?.outcome === 'delivered') receipts.push({ ...about, state: 'delivered', ...tried });
    else if (row?.outcome === 'dead') receipts.push({ ...about, state: 'dead', ...tried });
    else if (followed === undefined || place.offset < followed.start[place.partition]! || !isDue(run))
      receipts.push({ ...about, state: 'filtered' });
    else if (!isHeld(run) && isFinished(run.lanes.cursor(place.stream), place))
      receipts.push({ ...about, state: 'delivered' });
    else receipts.push({ ...about, state: 'pending', ...tried });
  }
  return receipts;
}

function isFinished({ next, done }: CursorRow, { partition, offset }: Position): boolean {
  return offset < next[partition]! || done[partition]?.includes(offset) === true;
}

const statusOf = ({ status }: AttemptRow): { readonly status?: number } => (status === undefined ? {} : { status });
