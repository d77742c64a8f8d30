import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { Fault, isFault } from '#faults';
import { recordsOf, ROW_COLUMNS } from './row.js';
import { inSnapshot, Rows, type ReadRow } from './rows.js';
import { anyMarkOf, appendedIn, badSmallTable, defineChecksum, Unopenable } from './schema.js';
import { openFault } from './thread.js';

/** What `inspectLog` found in one partition. */
export interface PartitionSummary {
  readonly topic: string;
  readonly partition: number;
  /** First offset that is kept, and offset of the next record, in decimal. */
  readonly low: string;
  readonly high: string;
  readonly records: number;
  /** Records of rows without a checksum. Key and value of those with a digest fit it (R2.6); their other headers cannot be checked. */
  readonly unchecked: number;
  /** Offsets whose records are damaged or gone, both ends included. */
  readonly damaged: readonly { readonly first: string; readonly last: string }[];
}

export interface LogSummary {
  /** Id of the log; empty in format 1, which has none. */
  readonly log: string;
  readonly format: number;
  /** Records ever appended: of two copies of one log, the smaller number is the older copy. */
  readonly appended: number;
  readonly partitions: readonly PartitionSummary[];
  /** Damage of the tables of topics, partitions and counters, as `table: row`. */
  readonly tables: string | undefined;
  /** The mark beside the file names another log, or more records than the file holds: so many are missing. */
  readonly missing: number | 'other log' | undefined;
}

/** Rows are read in snapshots of about this size, so that a running hub can bring its WAL into the file in between. */
const PAGE = { maxRecords: 5_000, maxBytes: 8 << 20 };

/**
 * Checks every row of the log of a folder against its checksum and counts the records; also while a hub runs on it. Nothing is written.
 * Faults: `folder_unusable` (no file, not readable), `data_format`, `log_damaged` (not readable as a database at all), `log_incomplete` (the mark is not
 * readable).
 */
export async function inspectLog(file: string): Promise<LogSummary> {
  // without a WAL nobody has the file open: it is read as it is, and no files of SQLite are left beside it
  return reading(file, existsSync(`${file}-wal`) ? file : unchanging(file), async (db) => {
    const format = Number(db.prepare('PRAGMA user_version').get()!['user_version']);
    if (format !== 1 && format !== 2) throw new Fault('data_format', { detail: `${file}: format ${format}` });
    // the mark first: a running hub goes on in between
    const mark = countsOf(file);
    const appended = format === 1 ? 0 : appendedIn(db);
    const log = format === 1 ? '' : String(db.prepare('SELECT id FROM log').get()?.['id'] ?? '');
    const columns = format === 1 ? ROW_COLUMNS.replace(/\bcrc$/, 'NULL AS crc') : ROW_COLUMNS;
    const rows = new Rows(db, columns);
    const partitions: PartitionSummary[] = [];
    for (const { part, ...topic } of partsOf(db)) {
      const summary = await inspectPartition(db, rows, part, topic);
      if (summary) partitions.push(summary);
    }
    const missing = mark === undefined || format === 1 ? undefined : missingOf(mark, log, appended);
    return { log, format, appended, partitions, tables: format === 1 ? undefined : badSmallTable(db), missing };
  });
}

function countsOf(file: string): { readonly log: string; readonly appended: number } | undefined {
  const mark = anyMarkOf(file);
  return mark?.state === 'open' || mark?.state === 'stopped' ? mark : undefined;
}

function missingOf(
  mark: { readonly log: string; readonly appended: number },
  log: string,
  appended: number,
): LogSummary['missing'] {
  if (mark.log !== log) return 'other log';
  return mark.appended > appended ? mark.appended - appended : undefined;
}

interface Part {
  readonly part: number;
  readonly topic: string;
  readonly partition: number;
  readonly dense: boolean;
}

function partsOf(db: DatabaseSync): Part[] {
  return db
    .prepare(
      'SELECT p.part, t.name, p.p, t.cleanup FROM partitions p JOIN topics t ON t.no = p.topic ORDER BY t.name, p.p',
    )
    .all()
    .map((row) => ({
      part: row['part'] as number,
      topic: row['name'] as string,
      partition: row['p'] as number,
      dense: row['cleanup'] === 'keep',
    }));
}

async function inspectPartition(
  db: DatabaseSync,
  rows: Rows,
  part: number,
  { topic, partition, dense }: Omit<Part, 'part'>,
): Promise<PartitionSummary | undefined> {
  const range = rows.range(part);
  if (!range) return undefined;
  const { low, high } = range;
  let records = 0;
  let unchecked = 0;
  const damaged: { first: string; last: string }[] = [];
  const count = (row: ReadRow): void => {
    if (row.data === undefined) {
      damaged.push({ first: String(row.base), last: String(row.last) });
      return;
    }
    let held = 0;
    for (const _ of recordsOf(row.data)) held++;
    records += held;
    if (row.crc === null) unchecked += held;
  };
  for (let at = low; at < high;) {
    const page = inSnapshot(db, () => {
      // retention may have passed the place in the meantime
      const from = Math.max(at, rows.range(part)?.low ?? high);
      return from >= high ? [] : rows.page(part, from, high, dense, PAGE);
    });
    page.forEach(count);
    if (page.length === 0) break;
    at = page.at(-1)!.last + 1;
    await new Promise(setImmediate);
  }
  return { topic, partition, low: String(low), high: String(high), records, unchecked, damaged };
}

/** For SQLite: a file that no process changes. It is read without lock and WAL, so also on a disk that cannot be written. */
export const unchanging = (file: string): URL => Object.assign(pathToFileURL(file), { search: 'immutable=1' });

/** Runs `read` on a read-only connection to a file; errors of SQLite become Faults. */
export async function reading<T>(file: string, from: string | URL, read: (db: DatabaseSync) => Promise<T>): Promise<T> {
  if (!existsSync(file)) throw new Fault('folder_unusable', { detail: `${file} (ENOENT)` });
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(from, { readOnly: true, timeout: 5_000 });
    defineChecksum(db);
    return await read(db);
  } catch (e) {
    throw asLogFault(e, file);
  } finally {
    db?.close();
  }
}

/** The Fault of an error of SQLite. */
export function asLogFault(e: unknown, file: string): Fault {
  if (isFault(e)) return e;
  if (e instanceof Unopenable) return openFault(e.failure);
  const { errcode, message } = e as { errcode?: number; message?: string };
  const code = (errcode ?? 0) & 0xff;
  const detail = `${file}: ${message ?? String(e)}`;
  if (code === 13) return new Fault('disk_full', { detail, cause: e });
  return new Fault(code === 11 || code === 26 ? 'log_damaged' : 'folder_unusable', { detail, cause: e });
}
