import { accessSync, closeSync, constants, copyFileSync, existsSync, fsyncSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { Fault } from '#faults';
import { asLogFault, inspectLog, reading, unchanging, type LogSummary } from './inspect.js';
import { markPath, readMark, writeMark, type Mark } from './mark.js';
import {
  appendedIn,
  badSmallTable,
  defineChecksum,
  flagStopped,
  isBackup,
  markOf,
  prepareFormat,
  reserveOffsets,
} from './schema.js';

const PAGES_A_STEP = 1_000;
const BUSY_MS = 5_000;

/**
 * Copies the log of a data folder to one file, as of one moment, also while a hub runs on it. The copy is durable, needs no WAL, and is of the newest
 * format. Faults: those of inspectLog, `log_incomplete` (the folder holds less than its mark says, or a restore into it has not ended), `disk_full`.
 */
export async function copyLog(dir: string, target: string): Promise<void> {
  const file = join(dir, 'log.sqlite');
  // before the snapshot, because a running hub goes on
  let mark: Mark | undefined;
  try {
    mark = markOf(file);
  } catch (e) {
    throw asLogFault(e, file);
  }
  await reading(file, existsSync(`${file}-wal`) || isWritable(dir) ? file : unchanging(file), async (db) => {
    // without this transaction a hub that writes would make the copy begin again and again
    db.exec('BEGIN');
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    try {
      await backup(db, target, { rate: PAGES_A_STEP });
    } catch (e) {
      throw asLogFault(e, target);
    } finally {
      db.exec('ROLLBACK');
    }
  });
  changeClosed(target, (db) => {
    if (mark !== undefined && appendedIn(db) < mark.appended)
      throw new Fault('log_incomplete', { detail: `${file}: ${appendedIn(db)} of ${mark.appended} records` });
    flagStopped(db);
  });
}

function isWritable(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The offsets behind those of a copy are not given again: since it was made, others may have been acknowledged there, and read. */
export function reserveAfterRestore(file: string, nowMs: number): void {
  changeClosed(file, (db) => reserveOffsets(db, nowMs));
}

/** Changes a file that no process has open, in one durable transaction, and leaves it without a WAL. */
function changeClosed(file: string, change: (db: DatabaseSync) => void): void {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { timeout: BUSY_MS });
    defineChecksum(db);
    db.exec('PRAGMA synchronous=FULL');
    prepareFormat(db, false);
    db.exec('BEGIN IMMEDIATE');
    change(db);
    db.exec('COMMIT');
    db.exec('PRAGMA journal_mode=DELETE');
  } catch (e) {
    throw asLogFault(e, file);
  } finally {
    db?.close();
  }
  const fd = openSync(file, 'r+');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Whether the folder holds a log, or the rest of one: no restore may write over it unasked. */
export function holdsLog(dir: string): boolean {
  const file = join(dir, 'log.sqlite');
  return existsSync(file) || existsSync(`${file}-wal`) || (existsSync(markPath(file)) && !isRestoring(dir));
}

/** Whether the folder is a backup, which no restore may change. */
export const holdsBackup = (dir: string): boolean => isBackup(join(dir, 'log.sqlite'));

/** Whether a restore into the folder has begun and not ended. */
export function isRestoring(dir: string): boolean {
  try {
    return readMark(join(dir, 'log.sqlite'))?.state === 'restoring';
  } catch {
    return false;
  }
}

/** From here until endRestore no hub starts on the folder. */
export function beginRestore(dir: string): void {
  writeMark(join(dir, 'log.sqlite'), { state: 'restoring', log: '', stopped: 0, appended: 0 });
}

/** The log of the folder is whole as it is now. */
export function endRestore(dir: string, { log, appended }: Pick<LogSummary, 'log' | 'appended'>): void {
  writeMark(join(dir, 'log.sqlite'), { state: 'stopped', log, stopped: appended, appended });
}

/**
 * Accepts what is left of the log of a folder that no process uses: brings its WAL into the file, gives no offset again that may have been lost, and
 * writes a new mark. A WAL that is there is kept beside it as `log.sqlite-wal.set-aside-<number>`: it may be damaged. Damaged rows stay as they are. Faults: those of inspectLog; `log_damaged` for a damaged control row or table.
 */
export async function acceptLog(dir: string, nowMs: number): Promise<LogSummary> {
  const file = join(dir, 'log.sqlite');
  if (!existsSync(file) || statSync(file).size === 0)
    throw new Fault('folder_unusable', { detail: `${file}: no such file, or it is empty` });
  keepWal(file);
  changeClosed(file, (db) => {
    const bad = badSmallTable(db);
    if (bad !== undefined) throw new Fault('log_damaged', { detail: bad });
    reserveOffsets(db, nowMs);
    flagStopped(db);
  });
  const summary = await inspectLog(file);
  const bad = damagedControlRow(summary);
  if (bad !== undefined) throw new Fault('log_damaged', { detail: bad });
  endRestore(dir, summary);
  return { ...summary, missing: undefined };
}

function keepWal(file: string): void {
  const wal = `${file}-wal`;
  if (!existsSync(wal) || statSync(wal).size === 0) return;
  let n = 1;
  while (existsSync(`${wal}.set-aside-${n}`)) n++;
  try {
    copyFileSync(wal, `${wal}.set-aside-${n}`);
  } catch (e) {
    const { code = 'error' } = e as NodeJS.ErrnoException;
    throw new Fault(code === 'ENOSPC' ? 'disk_full' : 'folder_unusable', { detail: `${wal} (${code})`, cause: e });
  }
}

/** The place of the first damaged row of a control topic: with it no hub starts. */
export function damagedControlRow({
  partitions,
  tables,
}: Pick<LogSummary, 'partitions'> & Partial<LogSummary>): string | undefined {
  if (tables !== undefined) return tables;
  const bad = partitions.find((p) => p.topic.startsWith('_') && p.damaged.length > 0);
  return bad && `${bad.topic}/${bad.partition}/${bad.damaged[0]!.first}`;
}
