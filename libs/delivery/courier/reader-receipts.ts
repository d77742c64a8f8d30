import { parsePosition, type Position } from '#event';
import type { ReadEvent } from '#reading';
import type { ReaderReceipt } from '../desk-port.js';
import type { ParkedLane } from '../lanes/types.js';
import type { AttemptRow, CursorRow } from '../port.js';
import { NOT_READABLE } from './attempt-row.js';
import type { Attempts } from './attempts.js';
import type { Run } from './run.js';
import type { RunSet } from './run-set.js';

/** What each subscription of a partition has made of the event at a position. Fault `log_unavailable`. */
export async function receiptsAt(set: RunSet, position: string): Promise<readonly ReaderReceipt[]> {
  const place = parsePosition(position)!;
  const { stream, partition, offset } = place;
  const got = await set.deps.log.read(stream, partition, offset, { maxRecords: 1, maxBytes: 1 });
  const [record] = got.kind === 'records' ? got.records : [];
  if (record?.offset !== offset) return [];
  // Subscriptions of one system of a unit see the same.
  const seen = new Map<string, ReadEvent | undefined>();
  const due = new Set<Run>();
  for (const run of set.runs.values()) {
    if (!run.streams.has(stream)) continue;
    const { compiled } = run;
    const reader = `${compiled.owner.owner}\n${compiled.owner.system}`;
    if (!seen.has(reader)) seen.set(reader, await set.seenBy(compiled, place));
    const event = seen.get(reader);
    if (event !== undefined && set.isDue(compiled, event)) due.add(run);
  }
  return receiptsOf(
    {
      runs: set.runs.values(),
      attempts: set.attempts,
      isDue: (run) => due.has(run),
      isInRow: (run) => set.isInRow(run.subscription.id, position),
    },
    position,
    record.appendTimeMs,
  );
}

interface ReceiptsDeps {
  readonly runs: Iterable<Run>;
  readonly attempts: Pick<Attempts, 'ofEvent'>;
  /** Whether the event at the position is due to the subscription of a run, by its rights and filters of now. */
  readonly isDue: (run: Run) => boolean;
  /** Whether a row says that the event is unfinished: it waits behind a parked one of its lane, or for its next try. */
  readonly isInRow: (run: Run) => boolean;
}

/** How a run stands to the event. */
interface Stand {
  readonly run: Run;
  readonly parked: ParkedLane | undefined;
  /** `outside`: the subscription began after it, or does not read its stream. `past`: looked at, and it does not wait any more; `decided`: so by an earlier filter. */
  readonly place: 'outside' | 'ahead' | 'waiting' | 'past' | 'decided';
  readonly isDue: boolean;
}

/** `appendTimeMs`: when the log accepted the event. */
async function receiptsOf(
  { runs, attempts, isDue, isInRow }: ReceiptsDeps,
  position: string,
  appendTimeMs: number,
): Promise<readonly ReaderReceipt[]> {
  const place = parsePosition(position)!;
  // Before the attempts are read: what is finished now has its attempt among them.
  const stands: readonly Stand[] = [...runs].map((run) => ({
    run,
    parked: run.lanes.parkedAt(position),
    place: isInRow(run) ? 'waiting' : placeIn(run, place),
    isDue: isDue(run),
  }));
  const { rows, isWhole } = await attempts.ofEvent(position, appendTimeMs);
  return stands.map((stand) => {
    const { id, owner, createdAt } = stand.run.subscription;
    const row = rows.get(id);
    // A subscription that is made again under its name has the same id.
    const own = row !== undefined && row.at >= createdAt ? row : undefined;
    return { subscription: id, owner, ...judged(stand, own, isWhole) };
  });
}

type Judged = Omit<ReaderReceipt, 'subscription' | 'owner'>;

function judged({ run, parked, place, isDue }: Stand, row: AttemptRow | undefined, isWhole: boolean): Judged {
  const tried =
    row === undefined
      ? {}
      : {
          at: row.at,
          tries: row.try,
          ...statusOf(row),
          ...(row.edited === undefined ? {} : { edited: true as const }),
        };
  if (parked !== undefined) {
    const { deadAt, lastAt, tries, lastStatus } = parked;
    const status = lastStatus === undefined ? {} : { status: lastStatus };
    return { state: deadAt === undefined ? 'parked' : 'dead', at: lastAt, tries, ...status };
  }
  if (row?.reason === NOT_READABLE) return { state: 'filtered' };
  if (row?.outcome === 'delivered' || row?.outcome === 'dead') return { state: row.outcome, ...tried };
  if (place === 'waiting') return { state: 'pending', ...tried };
  if (place === 'outside') return { state: 'filtered' };
  if (place === 'ahead') return isDue ? { state: 'pending', ...tried } : { state: 'filtered' };
  // A delivery by webhook is on record before the cursor passes it. A commit of a lease of an earlier owner has no record of its own.
  if (isWhole && run.subscription.target.kind === 'webhook') return { state: 'filtered' };
  return { state: isDue && place === 'past' ? 'delivered' : 'filtered', assumed: true };
}

function placeIn(run: Run, { stream, partition, offset }: Position): Stand['place'] {
  const followed = run.streams.get(stream);
  if (followed === undefined || offset < followed.start[partition]!) return 'outside';
  if (!isFinished(run.lanes.cursor(stream), partition, offset)) return 'ahead';
  return followed.isDecided({ partition, offset }) ? 'decided' : 'past';
}

function isFinished({ next, done }: CursorRow, partition: number, offset: bigint): boolean {
  return offset < next[partition]! || done[partition]?.includes(offset) === true;
}

const statusOf = ({ status }: AttemptRow): { readonly status?: number } => (status === undefined ? {} : { status });
