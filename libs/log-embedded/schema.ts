// Loaded by the writer thread, so it imports only node: modules, types, and files that do the same.
import { randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { markPath, readMark, writeMark, type Mark } from './mark.ts';
import type { OpenFailure } from './ops.ts';
import { checksumOf, checksumOfColumns, idOf, isWhole, ROW_COLUMNS, type FoundRow } from './row.ts';

/** `PRAGMA user_version`. 1: without checksums, id of the log and flag. */
export const FORMAT = 2;
export const APPLICATION = 0x53_4d_50_4c;

const SCHEMA = `
CREATE TABLE topics(no INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, id TEXT NOT NULL, cleanup TEXT NOT NULL,
  retention INTEGER, claim INTEGER NOT NULL DEFAULT 0, crc INTEGER);
CREATE TABLE partitions(part INTEGER PRIMARY KEY AUTOINCREMENT, topic INTEGER NOT NULL, p INTEGER NOT NULL, low INTEGER NOT NULL,
  high INTEGER NOT NULL, time INTEGER NOT NULL, clean INTEGER NOT NULL, kept INTEGER NOT NULL, tombstone INTEGER,
  reserved INTEGER NOT NULL DEFAULT 0, crc INTEGER, UNIQUE(topic, p));
CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL, crc INTEGER);
INSERT INTO counters(name, value) VALUES ('claim', 0), ('open', 1), ('removed', 0), ('unsealed_part', 0);
CREATE TABLE batches(id INTEGER PRIMARY KEY, base INTEGER NOT NULL, last INTEGER NOT NULL, time INTEGER NOT NULL, data BLOB NOT NULL, crc INTEGER);
CREATE TABLE log(id TEXT NOT NULL);
PRAGMA application_id=${APPLICATION};
PRAGMA user_version=${FORMAT};`;

const FROM_FORMAT_1 = `
CREATE TABLE IF NOT EXISTS log(id TEXT NOT NULL);
ALTER TABLE topics ADD COLUMN crc INTEGER;
ALTER TABLE partitions ADD COLUMN reserved INTEGER NOT NULL DEFAULT 0;
ALTER TABLE partitions ADD COLUMN crc INTEGER;
ALTER TABLE counters ADD COLUMN crc INTEGER;
ALTER TABLE batches ADD COLUMN crc INTEGER;
INSERT INTO counters(name, value) VALUES ('open', 1), ('removed', 0);
PRAGMA user_version=${FORMAT};`;

/** The columns under the checksum of each small table: all of them. A changed row is sealed in the same transaction. */
const SEALED = {
  topics: 'no, name, id, cleanup, retention, claim',
  partitions: 'part, topic, p, low, high, time, clean, kept, tombstone, reserved',
  counters: 'name, value',
} as const;

/** The statement that writes the checksum of the rows of a small table. */
export const sealing = (table: keyof typeof SEALED, where = ''): string =>
  `UPDATE ${table} SET crc = row_crc(${SEALED[table]}) ${where}`;

/** Adds the SQL function row_crc to a connection. */
export function defineChecksum(db: DatabaseSync): void {
  db.function('row_crc', { varargs: true, deterministic: true }, (...columns) => checksumOfColumns(...columns));
}

/** Why a file cannot be opened as it is. */
export class Unopenable extends Error {
  readonly failure: OpenFailure;
  constructor(failure: OpenFailure) {
    super(failure.reason);
    this.failure = failure;
  }
}

const numberOf = (db: DatabaseSync, sql: string, ...args: string[]): number =>
  Number(Object.values(db.prepare(sql).get(...args) ?? { none: 0 })[0]);

const sizeOf = (file: string): number | undefined => statSync(file, { throwIfNoEntry: false })?.size;

/** Records ever appended, those of deleted topics too: it never decreases, so of two copies of one log the smaller count is the older copy. */
export function appendedIn(db: DatabaseSync): number {
  return numberOf(
    db,
    "SELECT coalesce(sum(high), 0) + (SELECT value FROM counters WHERE name = 'removed') FROM partitions",
  );
}

const incomplete = (why: IncompleteReason, detail: Record<string, string | number> = {}): Unopenable =>
  new Unopenable({ code: 'log_incomplete', why, detail, reason: why });

/** Reasons of Fault `log_incomplete`; texts.ts has their sentences. */
export type IncompleteReason =
  | 'is_a_backup'
  | 'restore_interrupted'
  | 'mark_unreadable'
  | 'file_missing'
  | 'no_tables'
  | 'other_log'
  | 'older_than_stop'
  | 'wal_missing'
  | 'wal_short';

export interface OpenedFile {
  readonly db: DatabaseSync;
  readonly log: string;
  /** Records ever appended as of the last orderly stop. */
  readonly stopped: number;
  readonly appended: number;
  /** Rows of event topics that were written before there were checksums. Only after the migration of this start. */
  readonly migrated: boolean;
}

/** Written by a backup as its last file. */
const BACKUP_MANIFEST = 'backup.json';

/** Whether the folder of this file is a backup as it was made: a hub, or a restore, that ran on it has left a mark. */
export const isBackup = (file: string): boolean =>
  !existsSync(markPath(file)) && existsSync(join(dirname(file), BACKUP_MANIFEST));

/** The mark beside the file. Throws Unopenable when it cannot be read. */
export function anyMarkOf(file: string): Mark | undefined {
  try {
    return readMark(file);
  } catch {
    throw incomplete('mark_unreadable');
  }
}

/** The mark of a log that is not being restored. Throws Unopenable. */
export function markOf(file: string): Mark | undefined {
  const mark = anyMarkOf(file);
  if (mark?.state === 'restoring') throw incomplete('restore_interrupted');
  return mark;
}

/**
 * Opens the file for writing, makes it, or brings it to this format. Refuses (Unopenable) a file of another format, one with a bad row in a small table
 * or a control topic, and one that the mark or the file itself says is not whole. `held`: the folder has held a log, so a missing file is not made.
 */
export function openFile(file: string, maxPages: number, held = false): OpenedFile {
  // the mark before the WAL: another process that stops in between has removed the WAL, and its flag says so
  const mark = markOf(file);
  if (isBackup(file)) throw incomplete('is_a_backup');
  const size = sizeOf(file);
  // a reader leaves an empty one behind: it holds as much as none
  const wal = sizeOf(`${file}-wal`);
  const begins = mark === undefined || mark.state === 'creating';
  if ((!begins || (held && mark === undefined)) && (size ?? 0) === 0) throw incomplete('file_missing');
  if (size === undefined && (wal ?? 0) > 0) throw incomplete('file_missing');
  if ((size ?? 0) === 0 && mark === undefined) writeMark(file, { state: 'creating', log: '', stopped: 0, appended: 0 });
  if (!begins && wal) refuseShortWal(file, mark);
  const db = new DatabaseSync(file, { timeout: 5_000 });
  try {
    defineChecksum(db);
    db.exec('PRAGMA synchronous=FULL');
    // in the rollback journal: the file has all tables, or is empty
    const made = (size ?? 0) === 0 || mark?.state === 'creating' ? make(db) : false;
    db.exec('PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-16000');
    if (maxPages > 0) db.exec(`PRAGMA max_page_count=${maxPages}`);
    const migrated = !made && prepareFormat(db, mark?.state === 'creating');
    checkSmallTables(db);
    const log = String(db.prepare('SELECT id FROM log').get()?.['id'] ?? '');
    const appended = appendedIn(db);
    if (!begins) {
      if (mark.log !== log) throw incomplete('other_log', { expected: mark.log, found: log });
      if (appended < mark.stopped) throw incomplete('older_than_stop', { expected: mark.stopped, found: appended });
      if (appended < mark.appended)
        throw incomplete(wal ? 'wal_short' : 'wal_missing', { expected: mark.appended, found: appended });
    } else if (mark === undefined && !made && !migrated && !wal && isOpen(db)) {
      throw incomplete('wal_missing', { expected: '?', found: appended });
    }
    checkControlRows(db);
    return {
      db,
      log,
      stopped: mark?.stopped ?? 0,
      appended,
      migrated,
    };
  } catch (e) {
    db.close();
    throw e;
  }
}

/**
 * A WAL that does not hold all that was acknowledged: it is damaged, or the folder was copied while a hub ran. Looked at on a connection that only reads:
 * a writing one would bring what is left of the WAL into the file when it closes, and remove it.
 */
function refuseShortWal(file: string, mark: Mark): void {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
  try {
    if (numberOf(db, 'PRAGMA user_version') !== FORMAT) return;
    const found = appendedIn(db);
    if (db.prepare('SELECT id FROM log').get()?.['id'] === mark.log && found >= mark.stopped && found < mark.appended)
      throw incomplete('wal_short', { expected: mark.appended, found });
  } finally {
    db.close();
  }
}

const isOpen = (db: DatabaseSync): boolean => numberOf(db, "SELECT value FROM counters WHERE name = 'open'") === 1;
const isEmpty = (db: DatabaseSync): boolean => numberOf(db, 'SELECT count(*) FROM sqlite_schema') === 0;

/** True: this call has made the tables. False: another process, or an earlier start, was faster. */
function make(db: DatabaseSync): boolean {
  if (!isEmpty(db)) return false;
  db.exec('BEGIN IMMEDIATE');
  const made = isEmpty(db);
  if (made) {
    db.exec(SCHEMA);
    db.prepare('INSERT INTO log VALUES (?)').run(randomBytes(16).toString('hex'));
    db.exec(sealing('counters'));
  }
  db.exec('COMMIT');
  return made;
}

/** Brings a file of an earlier format to this one, in one transaction. True: it did. */
export function prepareFormat(db: DatabaseSync, creating: boolean): boolean {
  db.exec('BEGIN IMMEDIATE');
  try {
    // a first start of an earlier version that was killed leaves such a file, and so does a copy without the WAL
    if (isEmpty(db) && !creating) throw incomplete('no_tables');
    const format = numberOf(db, 'PRAGMA user_version');
    if (numberOf(db, 'PRAGMA application_id') !== APPLICATION || (format !== FORMAT && format !== 1)) {
      const reason = `format ${format}, not ${FORMAT}`;
      throw new Unopenable({ code: 'data_format', reason });
    }
    if (format === 1) {
      db.exec(FROM_FORMAT_1);
      if (db.prepare('SELECT id FROM log').get() === undefined)
        db.prepare('INSERT INTO log VALUES (?)').run(randomBytes(16).toString('hex'));
      for (const table of ['topics', 'partitions', 'counters'] as const) db.exec(sealing(table));
      const seal = db.prepare('UPDATE batches SET crc = ? WHERE id = ?');
      for (const { row } of controlRows(db)) seal.run(checksumOf(row), idOf(row.part, row.place));
    }
    db.exec('COMMIT');
    return format === 1;
  } catch (e) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw e;
  }
}

/** Topics of the hub, whose names begin with `_`, hold keys, units, schemas: a row of them is never skipped. */
function* controlRows(db: DatabaseSync): Generator<{ topic: string; partition: number; row: FoundRow }> {
  const parts = db
    .prepare(
      "SELECT t.name, p.p, p.part FROM partitions p JOIN topics t ON t.no = p.topic WHERE substr(t.name, 1, 1) = '_'",
    )
    .all();
  const rows = db.prepare(`SELECT ${ROW_COLUMNS} FROM batches WHERE id >= ? AND id < ? ORDER BY id LIMIT 500`);
  for (const { name, p, part } of parts)
    for (let at = 0; ;) {
      // in pages: the rows are changed while they are walked
      const page = rows.all(idOf(part as number, at), idOf((part as number) + 1, 0)) as unknown as FoundRow[];
      for (const row of page) yield { topic: name as string, partition: p as number, row };
      if (page.length === 0) break;
      at = page.at(-1)!.place + 1;
    }
}

function checkControlRows(db: DatabaseSync): void {
  for (const { topic, partition, row } of controlRows(db))
    if (row.crc === null || !isWhole(row)) throw damaged(topic, partition, row.place);
}

const damaged = (topic: string, partition: number, offset: number | string): Unopenable =>
  new Unopenable({ code: 'log_damaged', reason: `${topic}/${partition}/${offset}` });

function checkSmallTables(db: DatabaseSync): void {
  const bad = badSmallTable(db);
  if (bad !== undefined) throw new Unopenable({ code: 'log_damaged', reason: bad });
}

/**
 * A damaged row of the tables of topics, partitions and counters, as `table: row`. Their indexes too: a topic that an index does not find would be made
 * again, empty.
 */
export function badSmallTable(db: DatabaseSync): string | undefined {
  for (const [table, columns] of Object.entries(SEALED)) {
    const bad = db.prepare(`SELECT * FROM ${table} WHERE crc IS NOT row_crc(${columns}) LIMIT 1`).get();
    const found = String(Object.values(db.prepare(`PRAGMA integrity_check(${table})`).get() ?? {})[0]);
    if (bad !== undefined || found !== 'ok') return `${table}: ${String(bad?.['name'] ?? bad?.['part'] ?? found)}`;
  }
  return undefined;
}

/**
 * Offsets of records that were acknowledged and are gone are not given again, because readers may have seen them: the next append of each
 * partition leaves this many out.
 */
const RESERVED_OFFSETS = 1 << 30;
/** And this many for each millisecond since the newest record: a copy may be restored twice, and what was written after the first time is gone as well. */
const RESERVED_A_MS = 4;
/** An offset has 40 bits; a year takes about an eighth of them. */
const RESERVED_FOR_MS = 366 * 86_400_000;

/** After a loss, and after a restore from an older copy. In the transaction of the caller. */
export function reserveOffsets(db: DatabaseSync, nowMs: number): void {
  const agoMs = nowMs - numberOf(db, 'SELECT coalesce(max(time), 0) FROM partitions WHERE high > 0');
  const more = RESERVED_OFFSETS + RESERVED_A_MS * Math.min(Math.max(agoMs, 0), RESERVED_FOR_MS);
  db.exec(`UPDATE partitions SET reserved = max(high, reserved) + ${more}; ${sealing('partitions')}`);
}

/** Says in the file itself that everything is in it. In the transaction of the caller. */
export function flagStopped(db: DatabaseSync): void {
  db.exec(`UPDATE counters SET value = 0 WHERE name = 'open'; ${sealing('counters')}`);
}
