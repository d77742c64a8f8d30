import { createRequire } from 'node:module';
import type { DatabaseSync } from 'node:sqlite';
import { OutboxFault } from './fault.js';

type Sqlite = typeof import('node:sqlite');

/** Primary result codes of SQLite. */
const BUSY = 5;
const LOCKED = 6;
const READ_ONLY = 8;
const IO_ERROR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANNOT_OPEN = 14;
const NOT_A_DATABASE = 26;
/** An extended result code has its primary code in the low byte. */
const PRIMARY = 0xff;

/**
 * node:sqlite, loaded when the first file is opened: a program that only imports this subpath also starts where it is missing. Faults `outbox_unsupported`.
 * `load` is replaced in tests.
 */
export function loadSqlite(load: (name: string) => unknown = createRequire(import.meta.url)): Sqlite {
  try {
    return load('node:sqlite') as Sqlite;
  } catch (e) {
    throw new OutboxFault('outbox_unsupported', `Node ${process.versions.node}`, e);
  }
}

/** Somebody else has the file, or writes into it. */
export function isBusy(e: unknown): boolean {
  const code = ((e as { readonly errcode?: number }).errcode ?? 0) & PRIMARY;
  return code === BUSY || code === LOCKED;
}

/** What an error of SQLite says about the file. */
export function faultOfSqlite(e: unknown, file: string): OutboxFault {
  if (e instanceof OutboxFault) return e;
  const { errcode = 0, message = String(e) } = e as { readonly errcode?: number; readonly message?: string };
  switch (errcode & PRIMARY) {
    case BUSY:
    case LOCKED:
      return new OutboxFault('outbox_locked', file, e);
    case CORRUPT:
    case NOT_A_DATABASE:
      return new OutboxFault('outbox_corrupt', `${file}: ${message}`, e);
    case FULL:
      return new OutboxFault('outbox_disk_full', file, e);
    case READ_ONLY:
    case CANNOT_OPEN:
      return new OutboxFault('outbox_unwritable', `${file}: ${message}`, e);
    case IO_ERROR:
    default:
      return new OutboxFault('outbox_disk', `${file}: ${message}`, e);
  }
}

/** Runs the work in one write transaction, which is rolled back when it throws. */
export function transact<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (e) {
    // After a full disk SQLite has rolled back already.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw e;
  }
}
