import { parsePosition, type Position } from '#event';
import type { ReadEvent } from '#reading';
import type { ReaderReceipt } from '../desk-port.js';
import type { AttemptRow, CursorRow } from '../port.js';
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
      isHeld: (run) => set.isHeld(run.subscription.id, position),
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
  /** Whether a row says that the event waits behind a parked one of its lane. */
  readonly isHeld: (run: Run) => boolean;
}

/** `appendTimeMs`: when the log accepted the event. */
async function receiptsOf(
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
