import { fromHeaders, partitionKey } from '#event';
import { isFault } from '#faults';
import type { EventLog } from '#log';
import type { First } from '#state';

/**
 * What the log has at the place of a row of the duplicate index. `holds`: this event, or retention has removed it since. `other`: another event, or
 * nothing: the row was written for a log that is not there any more. `unknown`: the log did not answer.
 */
export type PlaceContent = 'holds' | 'other' | 'unknown';

/** Places at most so far apart are read with one read. */
const GAP = 16n;
const MAX_RUN = 500;
const PARALLEL_READS = 16;

/**
 * The id under which the index holds an event with other content than the first event of its id, so that its own copies are found (R2.5).
 * `digest` is 64 hex digits.
 */
export const conflictId = (id: string, digest: string): string => `${id}\n${digest}`;

/** An event and its place. */
export type PlacedEvent = Pick<First, 'source' | 'id' | 'digest' | 'stream' | 'partition' | 'offset'>;
type Identity = Pick<First, 'source' | 'id' | 'digest'>;

/** Whether a row of the index is about this event: its own row, or the one under its digest. */
function isRowOf(row: Identity, event: Identity): boolean {
  return (
    row.source === event.source &&
    row.digest === event.digest &&
    (row.id === event.id || row.id === conflictId(event.id, event.digest))
  );
}

/**
 * Reads the places of rows of the index in the log, and answers in request order what is there. A row outlives its event when the log is restored from
 * an older copy, loses a leader, or its topic is made again: such a row must not be obeyed (R2.7). Never throws.
 */
export async function lookAtPlaces(
  log: Pick<EventLog, 'read'>,
  rows: readonly PlacedEvent[],
): Promise<readonly PlaceContent[]> {
  const found: PlaceContent[] = rows.map(() => 'unknown');
  const order = [...rows.keys()].sort((a, b) => (rows[a]!.offset < rows[b]!.offset ? -1 : 1));
  const byPartition = new Map<string, number[]>();
  for (const i of order) {
    const partition = partitionKey(rows[i]!.stream, rows[i]!.partition);
    const members = byPartition.get(partition);
    if (members === undefined) byPartition.set(partition, [i]);
    else members.push(i);
  }
  const runs = [...byPartition.values()].flatMap((members) => runsOf(members, (i) => rows[i]!.offset));
  let next = 0;
  const work = async (): Promise<void> => {
    for (let run = runs[next++]; run !== undefined; run = runs[next++]) await lookAtRun(log, rows, run, found);
  };
  await Promise.all(Array.from({ length: PARALLEL_READS }, work));
  return found;
}

/** Splits places in ascending order into runs that one read can answer. */
function runsOf(members: readonly number[], offsetOf: (i: number) => bigint): number[][] {
  const runs: number[][] = [];
  for (const i of members) {
    const run = runs.at(-1);
    const near = run && offsetOf(i) - offsetOf(run.at(-1)!) <= GAP && offsetOf(i) - offsetOf(run[0]!) < MAX_RUN;
    if (near) run.push(i);
    else runs.push([i]);
  }
  return runs;
}

/** Places of one partition, near each other, in ascending order. */
async function lookAtRun(
  log: Pick<EventLog, 'read'>,
  rows: readonly PlacedEvent[],
  run: readonly number[],
  found: PlaceContent[],
): Promise<void> {
  const { stream, partition } = rows[run[0]!]!;
  const end = rows[run.at(-1)!]!.offset + 1n;
  try {
    for (let at = 0; at < run.length;) {
      const from = rows[run[at]!]!.offset;
      const read = await log.read(stream, partition, from, { maxRecords: Number(end - from) });
      if (read.kind !== 'records') {
        found[run[at++]!] = read.kind === 'out_of_range' && from < read.low ? 'holds' : 'other';
        continue;
      }
      if (read.next <= from && from < read.high) return;
      const records = new Map(read.records.map((record) => [record.offset, record]));
      const done = read.next > from ? read.next : end;
      for (; at < run.length && rows[run[at]!]!.offset < done; at++) {
        const row = rows[run[at]!]!;
        const envelope = fromHeaders(records.get(row.offset)?.headers ?? []);
        const event = envelope && { ...envelope, digest: envelope.digest.toString('hex') };
        found[run[at]!] = event && isRowOf(row, event) ? 'holds' : 'other';
      }
    }
  } catch (e) {
    const gone = isFault(e) && (e.code === 'unknown_topic' || e.code === 'wrong_partition');
    if (gone) for (const i of run) found[i] = 'other';
  }
}
