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
  const { epoch, topicId, next, start, done } = JSON.parse(value.toString()) as {
    epoch: string;
    topicId: string;
    next: string[];
    start: string[];
    done: Record<string, string[]>;
  };
  if (typeof topicId !== 'string') throw new TypeError('no cursor');
  const row = {
    topicId,
    next: next.map(offsetOf),
    start: start.map(offsetOf),
    done: Object.fromEntries(Object.entries(done).map(([p, offsets]) => [p, offsets.map(offsetOf)])),
  };
  return { row, epoch: offsetOf(epoch) };
}

function serialiseCursor({ topicId, next, start, done }: CursorRow, epoch: bigint | undefined): Buffer {
  const texts = (offsets: readonly bigint[]): string[] => offsets.map(String);
  return Buffer.from(
    JSON.stringify({
      epoch: String(epoch),
      topicId,
      next: texts(next),
      start: texts(start),
      done: Object.fromEntries(Object.entries(done).map(([p, offsets]) => [p, texts(offsets)])),
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

function offsetOf(text: unknown): bigint {
  if (typeof text !== 'string' || !DIGITS.test(text)) throw new TypeError('no offset');
  return BigInt(text);
}
