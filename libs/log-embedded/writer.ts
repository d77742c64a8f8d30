// The writer thread. A worker loads this file by itself, so it imports only node: modules and types.
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Answer, FromThread, Op, Request, ThreadStart } from './ops.js';

type Append = Extract<Op, { op: 'append' }>;

const FORMAT = 1;
const APPLICATION = 0x53_4d_50_4c;
/** Limits of one transaction (group commit). */
const MAX_GROUP_RECORDS = 2_000;
const MAX_GROUP_BYTES = 8 << 20;
/** Maintenance yields to appends after this long. */
const MAINTENANCE_STEP_MS = 8;
const TOMBSTONE_RETENTION_MS = 86_400_000;
/** Keys that one pass of compaction holds in memory. */
const MAX_COMPACTED_KEYS = 200_000;
/** Compaction starts when so many records are new, and at least as many as the last pass kept. */
const MIN_DIRTY_RECORDS = 1_000;

const SCHEMA = `
CREATE TABLE topics(no INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, id TEXT NOT NULL, cleanup TEXT NOT NULL,
  retention INTEGER, claim INTEGER NOT NULL DEFAULT 0);
CREATE TABLE partitions(part INTEGER PRIMARY KEY AUTOINCREMENT, topic INTEGER NOT NULL, p INTEGER NOT NULL, low INTEGER NOT NULL,
  high INTEGER NOT NULL, time INTEGER NOT NULL, clean INTEGER NOT NULL, kept INTEGER NOT NULL, tombstone INTEGER, UNIQUE(topic, p));
CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO counters VALUES ('claim', 0);
CREATE TABLE batches(id INTEGER PRIMARY KEY, base INTEGER NOT NULL, last INTEGER NOT NULL, time INTEGER NOT NULL, data BLOB NOT NULL);
PRAGMA application_id=${APPLICATION};
PRAGMA user_version=${FORMAT};`;

const start = workerData as ThreadStart;
const port = parentPort!;
const post = (message: FromThread): void => port.postMessage(message);
const idOf = (part: number, offset: number): bigint => (BigInt(part) << 40n) + BigInt(offset);

interface SqliteError {
  readonly errcode?: number;
  readonly message?: string;
}
const FULL = 13;
const isFull = (e: SqliteError): boolean => ((e.errcode ?? 0) & 0xff) === FULL;
const reasonOf = (e: SqliteError): string => `${e.message ?? 'unknown'} (sqlite ${e.errcode ?? '-'})`;

class WrongFormat extends Error {}

function open(): DatabaseSync {
  const db = new DatabaseSync(start.file, { timeout: 5_000 });
  db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-16000');
  if (start.maxPages > 0) db.exec(`PRAGMA max_page_count=${start.maxPages}`);
  db.exec('BEGIN IMMEDIATE');
  const format = db.prepare('PRAGMA user_version').get()!['user_version'];
  const empty = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()!['n'] === 0;
  if (empty) db.exec(SCHEMA);
  else if (format !== FORMAT || db.prepare('PRAGMA application_id').get()!['application_id'] !== APPLICATION) {
    db.exec('ROLLBACK');
    throw new WrongFormat(`format ${String(format)}, not ${FORMAT}`);
  }
  db.exec('COMMIT');
  return db;
}

function begin(): void {
  sql.begin.run();
}

function rollback(): void {
  // after some errors SQLite has rolled back already
  if (db.isTransaction) sql.rollback.run();
}

/** Runs one change of topics or claims in a transaction of its own. */
function inTransaction(change: () => Answer): Answer {
  try {
    begin();
    const answer = change();
    sql.commit.run();
    return answer;
  } catch (e) {
    rollback();
    return {
      kind: 'refused',
      code: isFull(e as SqliteError) ? 'disk_full' : 'log_unavailable',
      reason: reasonOf(e as SqliteError),
    };
  }
}

/** Group commit: all waiting appends in one transaction, so one fsync for all. */
function appendAll(requests: readonly { id: number; op: Append }[]): (readonly [number, Answer])[] {
  const answers: (readonly [number, Answer])[] = [];
  const touched = new Map<number, { high: number; time: number }>();
  let committing = false;
  try {
    begin();
    for (const { id, op } of requests) answers.push([id, appendOne(op, touched)]);
    for (const [part, { high, time }] of touched) sql.advance.run(high, time, part);
    committing = true;
    sql.commit.run();
    return answers;
  } catch (e) {
    const error = e as SqliteError;
    rollback();
    // when the commit itself fails, its record may be in the WAL all the same; not so when the disk is full
    const answer: Answer =
      committing && !isFull(error)
        ? { kind: 'uncertain', reason: reasonOf(error) }
        : { kind: 'refused', code: isFull(error) ? 'disk_full' : 'log_unavailable', reason: reasonOf(error) };
    return requests.map(({ id }) => [id, answer]);
  }
}

function appendOne(op: Append, touched: Map<number, { high: number; time: number }>): Answer {
  if (op.claim) {
    const topic = sql.claimOf.get(op.claim.topic);
    if (!topic) return { kind: 'gone' };
    if (topic['claim'] !== op.claim.epoch) return { kind: 'fenced' };
  }
  let state = touched.get(op.part);
  if (!state) {
    const row = sql.partition.get(op.part);
    if (!row) return { kind: 'gone' };
    state = { high: row['high'] as number, time: row['time'] as number };
  }
  const base = state.high;
  // append times never decrease in a partition, also when the clock is set back: offsetAt searches by them
  const appendTimeMs = Math.max(op.nowMs, state.time);
  if (op.count > 0) sql.insert.run(idOf(op.part, base), base, base + op.count - 1, appendTimeMs, op.data);
  touched.set(op.part, { high: base + op.count, time: appendTimeMs });
  return { kind: 'accepted', base, appendTimeMs };
}

function makeTopics(specs: Extract<Op, { op: 'topics' }>['specs']): Answer {
  for (const spec of specs) {
    const row = sql.topicNamed.get(spec.name);
    if (row) {
      const kept = row['retention'] === (spec.retentionMs ?? null);
      if (row['partitions'] !== spec.partitions || row['cleanup'] !== spec.cleanup || !kept)
        return { kind: 'conflict', topic: spec.name };
      continue;
    }
    const no = sql.addTopic.run(spec.name, spec.id, spec.cleanup, spec.retentionMs ?? null).lastInsertRowid;
    for (let p = 0; p < spec.partitions; p++) sql.addPartition.run(no, p);
  }
  return { kind: 'done' };
}

function deleteTopic(topic: number): Answer {
  for (const row of sql.partsOf.all(topic)) {
    const part = row['part'] as number;
    sql.dropRange.run(idOf(part, 0), idOf(part + 1, 0));
  }
  sql.dropPartitions.run(topic);
  sql.dropTopic.run(topic);
  return { kind: 'done' };
}

function claim(topic: number): Answer {
  sql.countClaim.run();
  const epoch = sql.lastClaim.get()!['value'] as number;
  if (sql.setClaim.run(epoch, topic).changes === 0) return { kind: 'gone' };
  return { kind: 'done', epoch };
}

// --- compaction and retention, in small transactions; appends go first between two of them

function* maintenance(nowMs: number, whole: boolean): Generator<void> {
  for (const row of sql.expiring.all()) {
    const part = row['part'] as number;
    if (row['cleanup'] === 'compact') {
      const dirty = (row['high'] as number) - (row['clean'] as number);
      const tombstone = row['tombstone'] as number | null;
      const due = whole ? dirty > 0 : dirty >= Math.max(MIN_DIRTY_RECORDS, row['kept'] as number);
      if (due || (tombstone !== null && tombstone < nowMs - TOMBSTONE_RETENTION_MS)) yield* compact(part, nowMs);
    } else yield* expire(part, nowMs - (row['retention'] as number));
  }
}

function* expire(part: number, before: number): Generator<void> {
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
    begin();
    sql.dropRange.run(idOf(part, 0), idOf(part, low));
    sql.setLow.run(low, part);
    sql.commit.run();
    yield;
  }
}

interface StoredRecord {
  readonly key: string | undefined;
  readonly tombstone: boolean;
  readonly delta: number;
  readonly start: number;
  readonly end: number;
}

function* recordsOf(data: Uint8Array): Generator<StoredRecord> {
  const all = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < all.length;) {
    const end = at + 8 + all.readInt32LE(at + 4);
    const keyLength = all.readInt32LE(at + 8);
    yield {
      key: keyLength < 0 ? undefined : all.toString('latin1', at + 20, at + 20 + keyLength),
      tombstone: all.readInt32LE(at + 12) < 0,
      delta: all.readInt32LE(at),
      start: at,
      end,
    };
    at = end;
  }
}

function* compact(part: number, nowMs: number): Generator<void> {
  const row = sql.partition.get(part);
  if (!row) return;
  const high = row['high'] as number;
  const last = new Map<string, number>();
  let upTo = row['clean'] as number;
  while (upTo < high && last.size < MAX_COMPACTED_KEYS) {
    const b = sql.nextBatch.get(idOf(part, upTo), idOf(part, high));
    if (!b) break;
    const base = b['base'] as number;
    for (const r of recordsOf(b['data'] as Uint8Array)) if (r.key !== undefined) last.set(r.key, base + r.delta);
    upTo = (b['last'] as number) + 1;
    yield;
  }
  if (last.size < MAX_COMPACTED_KEYS) upTo = high;

  let kept = 0;
  let oldest: number | null = null;
  for (let at = row['low'] as number; at < upTo;) {
    const end = performance.now() + MAINTENANCE_STEP_MS;
    begin();
    while (at < upTo && performance.now() < end) {
      const b = sql.nextBatch.get(idOf(part, at), idOf(part, upTo));
      if (!b) {
        at = upTo;
        break;
      }
      const { base, time, data } = b as { base: number; time: number; data: Uint8Array };
      at = (b['last'] as number) + 1;
      const all = [...recordsOf(data)];
      const remaining = all.filter(
        (r) =>
          (r.key === undefined || (last.get(r.key) ?? -1) <= base + r.delta) &&
          !(r.tombstone && time < nowMs - TOMBSTONE_RETENTION_MS),
      );
      kept += remaining.length;
      if (remaining.some((r) => r.tombstone)) oldest = oldest === null ? time : Math.min(oldest, time);
      if (remaining.length !== all.length) rewrite(part, base, time, data, remaining);
    }
    sql.commit.run();
    yield;
  }
  begin();
  sql.setClean.run(upTo, kept, oldest, part);
  sql.commit.run();
  // there were more keys than one pass holds
  if (upTo < high) yield* compact(part, nowMs);
}

function rewrite(part: number, base: number, time: number, data: Uint8Array, remaining: readonly StoredRecord[]): void {
  sql.dropBatch.run(idOf(part, base));
  const [first, final] = [remaining[0], remaining.at(-1)];
  if (!first || !final) return;
  const out = Buffer.concat(remaining.map((r) => data.subarray(r.start, r.end)));
  let at = 0;
  for (const r of remaining) {
    out.writeInt32LE(r.delta - first.delta, at);
    at += r.end - r.start;
  }
  sql.insert.run(idOf(part, base + first.delta), base + first.delta, base + final.delta, time, out);
}

// --- the thread

const waiting: Request[] = [];
const maintenanceQueue: { id: number; nowMs: number; whole: boolean }[] = [];
let running: Generator<void> | undefined;
let scheduled = false;

/** Takes also the messages that arrived during the last transaction. */
function receive(): void {
  for (let more = receiveMessageOnPort(port); more; more = receiveMessageOnPort(port)) {
    waiting.push(...(more as { message: readonly Request[] }).message);
    if (waiting.length > MAX_GROUP_RECORDS) return;
  }
}

function work(): void {
  for (receive(); waiting.length > 0; receive()) {
    const group: { id: number; op: Append }[] = [];
    let [records, bytes, used] = [0, 0, 0];
    for (const request of waiting) {
      if (request.op.op !== 'append' || records >= MAX_GROUP_RECORDS || bytes >= MAX_GROUP_BYTES) break;
      group.push({ id: request.id, op: request.op });
      records += request.op.count;
      bytes += request.op.data.length;
      used++;
    }
    if (used > 0) {
      waiting.splice(0, used);
      post({ answers: appendAll(group) });
    } else handle(waiting.shift()!);
  }
  scheduleMaintenance();
}

function handle({ id, op }: Request): void {
  const answer = (a: Answer): void => post({ answers: [[id, a]] });
  if (op.op === 'topics') answer(inTransaction(() => makeTopics(op.specs)));
  else if (op.op === 'delete') answer(inTransaction(() => deleteTopic(op.topic)));
  else if (op.op === 'claim') answer(inTransaction(() => claim(op.topic)));
  else if (op.op === 'maintain') maintenanceQueue.push({ id, nowMs: op.nowMs, whole: op.whole });
  else if (op.op === 'close') {
    db.close();
    answer({ kind: 'done' });
    port.close();
  }
}

/** One step of maintenance when no request waits. */
function scheduleMaintenance(): void {
  if (scheduled || maintenanceQueue.length === 0 || !db.isOpen) return;
  scheduled = true;
  setImmediate(() => {
    scheduled = false;
    if (!db.isOpen) return;
    const current = maintenanceQueue[0]!;
    let ended = true;
    try {
      running ??= maintenance(current.nowMs, current.whole);
      const end = performance.now() + MAINTENANCE_STEP_MS;
      do ended = running.next().done === true;
      while (!ended && performance.now() < end);
    } catch {
      // the disk is full or busy: what was committed stays, the next maintenance tries again
      rollback();
    }
    if (ended) {
      running = undefined;
      maintenanceQueue.shift();
      post({ answers: [[current.id, { kind: 'done' }]] });
    }
    work();
  });
}

let db: DatabaseSync;
let sql: Record<keyof typeof STATEMENTS, StatementSync>;
const STATEMENTS = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  partition: 'SELECT low, high, time, clean FROM partitions WHERE part = ?',
  advance: 'UPDATE partitions SET high = ?, time = ? WHERE part = ?',
  insert: 'INSERT INTO batches(id, base, last, time, data) VALUES (?, ?, ?, ?, ?)',
  claimOf: 'SELECT claim FROM topics WHERE no = ?',
  topicNamed:
    'SELECT t.cleanup, t.retention, (SELECT count(*) FROM partitions WHERE topic = t.no) AS partitions FROM topics t WHERE t.name = ?',
  addTopic: 'INSERT INTO topics(name, id, cleanup, retention) VALUES (?, ?, ?, ?)',
  addPartition: 'INSERT INTO partitions(topic, p, low, high, time, clean, kept) VALUES (?, ?, 0, 0, 0, 0, 0)',
  partsOf: 'SELECT part FROM partitions WHERE topic = ?',
  dropRange: 'DELETE FROM batches WHERE id >= ? AND id < ?',
  dropPartitions: 'DELETE FROM partitions WHERE topic = ?',
  dropTopic: 'DELETE FROM topics WHERE no = ?',
  countClaim: "UPDATE counters SET value = value + 1 WHERE name = 'claim'",
  lastClaim: "SELECT value FROM counters WHERE name = 'claim'",
  setClaim: 'UPDATE topics SET claim = ? WHERE no = ?',
  expiring:
    "SELECT p.part, p.high, p.clean, p.kept, p.tombstone, t.cleanup, t.retention FROM partitions p JOIN topics t ON t.no = p.topic WHERE t.cleanup = 'compact' OR t.retention IS NOT NULL",
  shape: 'SELECT base, last, time FROM batches WHERE id >= ? AND id < ? ORDER BY id LIMIT ?',
  setLow: 'UPDATE partitions SET low = ? WHERE part = ?',
  nextBatch: 'SELECT base, last, time, data FROM batches WHERE id >= ? AND id < ? ORDER BY id LIMIT 1',
  dropBatch: 'DELETE FROM batches WHERE id = ?',
  setClean: 'UPDATE partitions SET clean = ?, kept = ?, tombstone = ? WHERE part = ?',
} as const;

try {
  db = open();
  sql = Object.fromEntries(Object.entries(STATEMENTS).map(([name, text]) => [name, db.prepare(text)])) as typeof sql;
  port.on('message', (requests: readonly Request[]) => {
    waiting.push(...requests);
    work();
  });
  post({ opened: true });
} catch (e) {
  post({
    opened: false,
    code: e instanceof WrongFormat ? 'data_format' : 'log_unavailable',
    reason: reasonOf(e as SqliteError),
  });
  port.close();
}
