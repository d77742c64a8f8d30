// Compaction and retention, in small transactions. Loaded by the writer thread, so it imports only node: modules, types, and files that do the same.
import { recordsCut } from './row-digests.ts';
import { checksumOf, HEAD, idOf, isWhole, recordsOf, type BatchRow, type FoundRow, type StoredRecord } from './row.ts';
import type { Statements } from './statements.ts';

const TOMBSTONE_RETENTION_MS = 86_400_000;
/** Keys that one pass of compaction holds in memory. */
const MAX_COMPACTED_KEYS = 200_000;
/** Compaction starts when so many records are new, and at least as many as the last pass kept. */
const MIN_DIRTY_RECORDS = 1_000;
/** A transaction ends after this long: appends go first between two of them. */
export const MAINTENANCE_STEP_MS = 8;

/** Each step is a transaction, or a piece of reading. */
export function* maintenance(sql: Statements, nowMs: number, whole: boolean): Generator<void> {
  for (const row of sql.expiring.all()) {
    const part = row['part'] as number;
    if (row['cleanup'] === 'compact') {
      const dirty = (row['high'] as number) - (row['clean'] as number);
      const tombstone = row['tombstone'] as number | null;
      const due = whole ? dirty > 0 : dirty >= Math.max(MIN_DIRTY_RECORDS, row['kept'] as number);
      if (due || (tombstone !== null && tombstone < nowMs - TOMBSTONE_RETENTION_MS)) yield* compact(sql, part, nowMs);
    } else yield* expire(sql, part, nowMs - (row['retention'] as number));
  }
}

function* expire(sql: Statements, part: number, before: number): Generator<void> {
  for (;;) {
    const row = sql.partition.get(part);
    if (!row) return;
    let low = row['low'] as number;
    let expired = false;
    for (const b of sql.shape.iterate(idOf(part, 0), idOf(part + 1, 0), 500)) {
      if ((b['time'] as number) >= before) {
        low = b['base'] as number;
        break;
      }
      expired = true;
      low = (b['last'] as number) + 1;
    }
    if (!expired) return;
    sql.begin.run();
    sql.dropRange.run(idOf(part, 0), idOf(part, low));
    sql.setLow.run(low, part);
    sql.sealPartition.run(part);
    sql.commit.run();
    yield;
  }
}

const keyOf = ({ data }: BatchRow, { start, keyLength }: StoredRecord): string | undefined =>
  keyLength < 0 ? undefined : Buffer.from(data.buffer, data.byteOffset + start + HEAD, keyLength).toString('latin1');

function* compact(sql: Statements, part: number, nowMs: number): Generator<void> {
  const row = sql.partition.get(part);
  if (!row) return;
  const nextRow = (at: number, end: number): FoundRow | undefined =>
    sql.nextBatch.get(idOf(part, at), idOf(part, end)) as unknown as FoundRow | undefined;
  const high = row['high'] as number;
  const last = new Map<string, number>();
  let upTo = row['clean'] as number;
  while (upTo < high && last.size < MAX_COMPACTED_KEYS) {
    const b = nextRow(upTo, high);
    if (!b) break;
    // not compacted: a rewritten row would look good, and its records would outlive newer ones
    if (!isWhole(b)) return;
    for (const r of recordsOf(b.data)) {
      const key = keyOf(b, r);
      if (key !== undefined) last.set(key, b.base + r.delta);
    }
    upTo = b.last + 1;
    yield;
  }
  if (last.size < MAX_COMPACTED_KEYS) upTo = high;

  let kept = 0;
  let oldest: number | null = null;
  for (let at = row['low'] as number; at < upTo;) {
    const end = performance.now() + MAINTENANCE_STEP_MS;
    sql.begin.run();
    while (at < upTo && performance.now() < end) {
      const b = nextRow(at, upTo);
      if (!b) {
        at = upTo;
        break;
      }
      if (!isWhole(b)) {
        sql.commit.run();
        return;
      }
      at = b.last + 1;
      const all = [...recordsOf(b.data)];
      const remaining = all.filter((r) => {
        const key = keyOf(b, r);
        return (
          (key === undefined || (last.get(key) ?? -1) <= b.base + r.delta) &&
          !(r.tombstone && b.time < nowMs - TOMBSTONE_RETENTION_MS)
        );
      });
      kept += remaining.length;
      if (remaining.some((r) => r.tombstone)) oldest = oldest === null ? b.time : Math.min(oldest, b.time);
      if (remaining.length !== all.length) rewrite(sql, b, remaining);
    }
    sql.commit.run();
    yield;
  }
  sql.begin.run();
  sql.setClean.run(upTo, kept, oldest, part);
  sql.sealPartition.run(part);
  sql.commit.run();
  // there were more keys than one pass holds
  if (upTo < high) yield* compact(sql, part, nowMs);
}

function rewrite(sql: Statements, row: BatchRow, remaining: readonly StoredRecord[]): void {
  sql.dropBatch.run(idOf(row.part, row.base));
  const [first, final] = [remaining[0], remaining.at(-1)];
  if (!first || !final) return;
  const data = recordsCut(row.data, remaining);
  const [base, last] = [row.base + first.delta, row.base + final.delta];
  insertRow(sql, { part: row.part, base, last, time: row.time, data });
}

/** Adds a row with its checksum. */
export function insertRow(sql: Statements, row: BatchRow): void {
  sql.insert.run(idOf(row.part, row.base), row.base, row.last, row.time, row.data, checksumOf(row));
}
