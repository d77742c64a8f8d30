// What is read of the rows of a partition. The reader thread loads this file as well as the main thread, so it imports only node: modules, types,
// files that do the same, and #event (row-digests.ts).
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { partsOfRow } from './row-digests.ts';
import { idOf, isWhole, recordsOf, ROW_COLUMNS, type FoundRow } from './row.ts';

/** A row that can be trusted, or a range of offsets whose records are lost: the row fails its checksum, or SQLite does not find it. */
export interface ReadRow {
  readonly base: number;
  readonly last: number;
  readonly time: number;
  /** undefined: damaged. */
  readonly data: Uint8Array | undefined;
  /** Only of a row that can be trusted; null: without a checksum. */
  readonly crc?: number | null;
  /** Of a row without a checksum: see RowPart. */
  readonly proven?: boolean;
}

export interface PartRange {
  readonly low: number;
  readonly high: number;
}

/** What a page holds at most. */
export interface PageLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

const CORRUPT = 11;
export const isCorrupt = (e: unknown): boolean =>
  (((e as { errcode?: number } | null)?.errcode ?? 0) & 0xff) === CORRUPT;

/** Runs queries in one read transaction: they see one state of the file. */
export function inSnapshot<T>(db: DatabaseSync, queries: () => T): T {
  db.exec('BEGIN');
  try {
    return queries();
  } finally {
    // a COMMIT fails after a query has met a damaged page, although nothing was written
    db.exec('ROLLBACK');
  }
}

/** Rows of one connection. Throws the errors of SQLite, but not for a damaged page within a stream: its offsets are given as damaged. */
export class Rows {
  readonly #sql: Record<'range' | 'scan' | 'places' | 'before', StatementSync>;

  /** `columns`: ROW_COLUMNS, or those of a file of format 1. */
  constructor(db: DatabaseSync, columns: string = ROW_COLUMNS) {
    // starts at the append (row) that contains the offset, or at the first one after it
    const start = 'coalesce((SELECT max(id) FROM batches WHERE id BETWEEN ?1 AND ?2), ?2)';
    this.#sql = {
      range: db.prepare('SELECT low, high FROM partitions WHERE part = ?'),
      scan: db.prepare(`SELECT ${columns} FROM batches WHERE id >= ${start} AND id < ?3 ORDER BY id`),
      places: db.prepare('SELECT base, last FROM batches WHERE id >= ? AND id < ? ORDER BY id LIMIT 1'),
      before: db.prepare('SELECT base, last, time FROM batches WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1'),
    };
  }

  /** undefined: the partition was deleted. */
  range(part: number): PartRange | undefined {
    return this.#sql.range.get(part) as PartRange | undefined;
  }

  /**
   * The rows that hold the offsets from `from` up to `high`, in order. `dense`: of a stream, in which every offset is in a row, so that a hole is
   * damage; compaction leaves holes.
   */
  *from(part: number, from: number, high: number, dense: boolean): Generator<ReadRow> {
    let at = from;
    let time = 0;
    const lost = (last: number): ReadRow => ({ base: at, last, time, data: undefined });
    while (at < high) {
      try {
        for (const found of this.#sql.scan.iterate(idOf(part, 0), idOf(part, at), idOf(part, high))) {
          const row = found as unknown as FoundRow;
          if (!isWhole(row)) {
            // the columns of a bad row say nothing: it ends where the next good one begins
            if (!dense) yield { base: row.place, last: row.place, time, data: undefined };
            continue;
          }
          // the row in front of the first offset, or one that lies at a wrong place
          if (row.last < at) continue;
          if (dense && row.base > at) {
            yield lost(row.base - 1);
            at = row.base;
          }
          time = row.time;
          if (row.crc === null) yield* partsOfRow(row);
          else yield row;
          at = row.last + 1;
        }
        if (dense && at < high) yield lost(high - 1);
        return;
      } catch (e) {
        if (!isCorrupt(e)) throw e;
        const next = this.#readableAfter(part, at, high);
        yield lost(next - 1);
        at = next;
      }
    }
  }

  /** A page of rows for `from`, without a row more than the limits need. */
  page(part: number, from: number, high: number, dense: boolean, limits: PageLimits): ReadRow[] {
    const page: ReadRow[] = [];
    let records = 0;
    let bytes = 0;
    for (const row of this.from(part, from, high, dense)) {
      page.push(row);
      if (row.data === undefined) records += row.last - row.base + 1;
      else
        for (const { delta, start, end } of recordsOf(row.data)) {
          if (row.base + delta < from) continue;
          records++;
          bytes += end - start;
        }
      if (records >= limits.maxRecords || bytes >= limits.maxBytes) break;
    }
    return page;
  }

  /** See EventLog.offsetAt. undefined: the partition was deleted. */
  offsetAt(part: number, timeMs: number): number | undefined {
    const range = this.range(part);
    if (!range) return undefined;
    let { low, high } = range;
    // binary search: append times never decrease in a partition
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = this.#sql.before.get(idOf(part, low), idOf(part, middle));
      if (!row) low = middle + 1;
      else if ((row['time'] as number) < timeMs) low = (row['last'] as number) + 1;
      else high = row['base'] as number;
    }
    return low;
  }

  /** The first offset behind a damaged page from which a row can be read again; `high` if there is none. */
  #readableAfter(part: number, at: number, high: number): number {
    const placeFrom = (from: number): { base: number; last: number } | 'none' | 'damaged' => {
      try {
        const row = this.#sql.places.get(idOf(part, from), idOf(part, high));
        return row === undefined ? 'none' : (row as { base: number; last: number });
      } catch (e) {
        if (isCorrupt(e)) return 'damaged';
        throw e;
      }
    };
    const here = placeFrom(at);
    if (here === 'none') return high;
    // the row itself is found, but not its data, which lies in further pages
    if (here !== 'damaged') return here.base > at ? here.base : Math.min(high, Math.max(at, here.last) + 1);
    let bad = at;
    let step = 1;
    for (; bad + step < high && placeFrom(bad + step) === 'damaged'; step *= 2) bad += step;
    let good = Math.min(high, bad + step);
    while (good - bad > 1) {
      const middle = Math.floor((bad + good) / 2);
      if (placeFrom(middle) === 'damaged') bad = middle;
      else good = middle;
    }
    const next = good >= high ? 'none' : placeFrom(good);
    return typeof next === 'string' ? high : Math.max(good, next.base);
  }
}
