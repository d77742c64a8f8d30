// Loaded by the writer thread, so it imports only node: modules, types, and files that do the same.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { ROW_COLUMNS } from './row.ts';
import { sealing } from './schema.ts';

const STATEMENTS = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  dataVersion: 'PRAGMA data_version',
  partition: 'SELECT low, high, time, clean, reserved FROM partitions WHERE part = ?',
  advance: 'UPDATE partitions SET high = ?, time = ?, reserved = ? WHERE part = ?',
  insert: 'INSERT INTO batches(id, base, last, time, data, crc) VALUES (?, ?, ?, ?, ?, ?)',
  claimOf: 'SELECT claim FROM topics WHERE no = ?',
  topicNamed:
    'SELECT t.cleanup, t.retention, (SELECT count(*) FROM partitions WHERE topic = t.no) AS partitions FROM topics t WHERE t.name = ?',
  addTopic: 'INSERT INTO topics(name, id, cleanup, retention) VALUES (?, ?, ?, ?)',
  setRetention: 'UPDATE topics SET retention = ? WHERE no = ?',
  addPartition: 'INSERT INTO partitions(topic, p, low, high, time, clean, kept) VALUES (?, ?, 0, 0, 0, 0, 0)',
  partsOf: 'SELECT part, high FROM partitions WHERE topic = ?',
  dropRange: 'DELETE FROM batches WHERE id >= ? AND id < ?',
  dropPartitions: 'DELETE FROM partitions WHERE topic = ?',
  dropTopic: 'DELETE FROM topics WHERE no = ?',
  addToCounter: 'UPDATE counters SET value = value + ? WHERE name = ?',
  setCounter: 'UPDATE counters SET value = ? WHERE name = ?',
  lastClaim: "SELECT value FROM counters WHERE name = 'claim'",
  setClaim: 'UPDATE topics SET claim = ? WHERE no = ?',
  expiring:
    "SELECT p.part, p.high, p.clean, p.kept, p.tombstone, t.cleanup, t.retention FROM partitions p JOIN topics t ON t.no = p.topic WHERE t.cleanup = 'compact' OR t.retention IS NOT NULL",
  shape: 'SELECT base, last, time FROM batches WHERE id >= ? AND id < ? ORDER BY id LIMIT ?',
  setLow: 'UPDATE partitions SET low = ? WHERE part = ?',
  nextBatch: `SELECT ${ROW_COLUMNS} FROM batches WHERE id >= ? AND id < ? ORDER BY id LIMIT 1`,
  nextKept:
    "SELECT p.part, p.low, p.high, t.name AS topic, p.p AS partition FROM partitions p JOIN topics t ON t.no = p.topic WHERE t.cleanup = 'keep' AND p.part >= ? ORDER BY p.part LIMIT 1",
  seal: 'UPDATE batches SET crc = ? WHERE id = ? AND crc IS NULL',
  counter: 'SELECT value FROM counters WHERE name = ?',
  putCounter: 'INSERT INTO counters(name, value) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value',
  dropBatch: 'DELETE FROM batches WHERE id = ?',
  setClean: 'UPDATE partitions SET clean = ?, kept = ?, tombstone = ? WHERE part = ?',
  sealTopic: sealing('topics', 'WHERE no = ?'),
  sealTopics: sealing('topics', 'WHERE crc IS NULL'),
  sealPartition: sealing('partitions', 'WHERE part = ?'),
  sealPartitions: sealing('partitions', 'WHERE crc IS NULL'),
  sealCounters: sealing('counters'),
} as const;

export type Statements = Record<keyof typeof STATEMENTS, StatementSync>;

export function prepareStatements(db: DatabaseSync): Statements {
  return Object.fromEntries(Object.entries(STATEMENTS).map(([name, text]) => [name, db.prepare(text)])) as Statements;
}
