import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { NewRecord } from '#log';
import { encodeBatch } from './batch.js';

/** A topic as format 1 wrote it: one row for each list of records. */
export interface Topic1 {
  readonly name: string;
  /** 8 hex digits. */
  readonly id: string;
  readonly cleanup: 'keep' | 'compact';
  readonly appends: readonly (readonly NewRecord[])[];
}

/** Writes `<dir>/log.sqlite` with the tables of format 1 (without checksums, id of the log and mark), as the hub of that format left it. */
export function writeFormat1(dir: string, topics: readonly Topic1[]): void {
  mkdirSync(dir, { recursive: true });
  const db = new DatabaseSync(join(dir, 'log.sqlite'));
  db.exec(`PRAGMA journal_mode=WAL;
CREATE TABLE topics(no INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, id TEXT NOT NULL, cleanup TEXT NOT NULL,
  retention INTEGER, claim INTEGER NOT NULL DEFAULT 0);
CREATE TABLE partitions(part INTEGER PRIMARY KEY AUTOINCREMENT, topic INTEGER NOT NULL, p INTEGER NOT NULL, low INTEGER NOT NULL,
  high INTEGER NOT NULL, time INTEGER NOT NULL, clean INTEGER NOT NULL, kept INTEGER NOT NULL, tombstone INTEGER, UNIQUE(topic, p));
CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO counters VALUES ('claim', 0);
CREATE TABLE batches(id INTEGER PRIMARY KEY, base INTEGER NOT NULL, last INTEGER NOT NULL, time INTEGER NOT NULL, data BLOB NOT NULL);
PRAGMA application_id=1397575756;
PRAGMA user_version=1;`);
  const insert = db.prepare('INSERT INTO batches(id, base, last, time, data) VALUES (?, ?, ?, ?, ?)');
  for (const { name, id, cleanup, appends } of topics) {
    const no = db
      .prepare('INSERT INTO topics(name, id, cleanup) VALUES (?, ?, ?)')
      .run(name, id, cleanup).lastInsertRowid;
    let high = 0;
    const { lastInsertRowid: part } = db
      .prepare('INSERT INTO partitions(topic, p, low, high, time, clean, kept) VALUES (?, 0, 0, 0, 0, 0, 0)')
      .run(no);
    for (const [i, records] of appends.entries()) {
      const at = (BigInt(part) << 40n) + BigInt(high);
      insert.run(at, high, high + records.length - 1, 1_000 + i, encodeBatch(records));
      high += records.length;
    }
    db.prepare('UPDATE partitions SET high = ?, time = ? WHERE part = ?').run(high, 1_000 + appends.length, part);
  }
  db.close();
}
