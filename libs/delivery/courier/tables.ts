import { COURIER_PARTITIONS } from '#subscriptions';
import { openOwnedTable, type OwnedTable, type TableLog, type TableReport } from '#table';
import type { CursorRow, StoredRow } from '../port.js';

export const CURSORS_TOPIC = '_simpul.cursors';
export const LANES_TOPIC = '_simpul.lanes';

/** What a courier stores of the subscriptions of one partition: how far they are, and what stands. Written under the epoch of the partition (R4.5). */
export interface CourierTables {
  /** Key `<subscription>/<stream>`. */
  readonly cursors: OwnedTable<CursorRow>;
  /** Key `<subscription>/<letter>/<position>`, see StoredRow. */
  readonly lanes: OwnedTable<StoredRow>;
  close(): Promise<void>;
}

export interface CourierTablesOptions {
  readonly log: TableLog;
  readonly partition: number;
  readonly report?: TableReport | undefined;
}

/** Opens and loads both tables of a partition. Fault `log_unavailable`. */
export async function openCourierTables(options: CourierTablesOptions): Promise<CourierTables> {
  const { log, partition, report } = options;
  const place = { log, partition, partitions: COURIER_PARTITIONS, report };
  await using opening = new AsyncDisposableStack();
  const cursors = openOwnedTable<CursorRow>({
    ...place,
    topic: CURSORS_TOPIC,
    parse: parseCursor,
    serialise: serialiseCursor,
  });
  const lanes = openOwnedTable<StoredRow>({
    ...place,
    topic: LANES_TOPIC,
    parse: parseLane,
    serialise: serialiseLane,
  });
  for (const table of await Promise.all([cursors, lanes])) opening.defer(() => table.close());
  const open = opening.move();
  return { cursors: await cursors, lanes: await lanes, close: () => open.disposeAsync() };
}

const DIGITS = /^\d{1,19}$/;

function parseCursor(value: Buffer): { row: CursorRow; epoch: bigint } {
  const { epoch, topicId, next, start, since, done } = JSON.parse(value.toString()) as {
    epoch: string;
    topicId: string;
    next: string[];
    start: string[];
    since?: string[];
    // A list: rows of the first version.
    done: Record<string, string | readonly string[]>;
  };
  if (typeof topicId !== 'string') throw new TypeError('no cursor');
  const row = {
    topicId,
    next: next.map(offsetOf),
    start: start.map(offsetOf),
    ...(since === undefined ? {} : { since: since.map(offsetOf) }),
    done: Object.fromEntries(
      Object.entries(done).map(([p, offsets]) => [
        p,
        typeof offsets === 'string' ? offsetsOf(offsets) : offsets.map(offsetOf),
      ]),
    ),
  };
  return { row, epoch: offsetOf(epoch) };
}

function serialiseCursor({ topicId, next, start, since, done }: CursorRow, epoch: bigint | undefined): Buffer {
  const texts = (offsets: readonly bigint[]): string[] => offsets.map(String);
  return Buffer.from(
    JSON.stringify({
      epoch: String(epoch),
      topicId,
      next: texts(next),
      start: texts(start),
      ...(since === undefined ? {} : { since: texts(since) }),
      done: Object.fromEntries(Object.entries(done).map(([p, offsets]) => [p, runsOf(offsets)])),
    }),
  );
}

function parseLane(value: Buffer): { row: StoredRow; epoch: bigint } {
  const { epoch, ...row } = JSON.parse(value.toString()) as StoredRow & { epoch: string };
  if (typeof row.kind !== 'string') throw new TypeError('no row of a lane');
  return { row, epoch: offsetOf(epoch) };
}

function serialiseLane(row: StoredRow, epoch: bigint | undefined): Buffer {
  return Buffer.from(JSON.stringify({ epoch: String(epoch), ...row }));
}

/** Ascending offsets as text: `12,15+999` is 12, and 15 with the 999 behind it. What leases finish out of order are long runs. */
function runsOf(offsets: readonly bigint[]): string {
  const runs: string[] = [];
  for (let i = 0; i < offsets.length;) {
    const first = offsets[i]!;
    let more = 0;
    while (offsets[++i] === first + BigInt(more) + 1n) more++;
    runs.push(more === 0 ? String(first) : `${first}+${more}`);
  }
  return runs.join();
}

function offsetsOf(text: string): readonly bigint[] {
  return text.split(',').flatMap((run) => {
    const [first, more = '0'] = run.split('+');
    const from = offsetOf(first);
    return Array.from({ length: Number(offsetOf(more)) + 1 }, (_, n) => from + BigInt(n));
  });
}

function offsetOf(text: unknown): bigint {
  if (typeof text !== 'string' || !DIGITS.test(text)) throw new TypeError('no offset');
  return BigInt(text);
}
