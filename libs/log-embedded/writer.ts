// The writer thread. Node loads this file itself, so it stands alone: node: imports and types only.
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Answer, Ask, FromThread, Op, ThreadStart } from './ops.js';

type Append = Extract<Op, { op: 'append' }>;

const FORMAT = 1;
const APPLICATION = 0x53_4d_50_4c;
const GROUP_RECORDS = 2_000;
const GROUP_BYTES = 8 << 20;
const STEP_MS = 8;
const TOMBSTONE_MS = 86_400_000;
const KEYS_AT_ONCE = 200_000;
const MIN_DIRTY = 1_000;

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
const say = (line: FromThread): void => port.postMessage(line);
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
  // SQLite has rolled back by itself after some errors
  if (db.isTransaction) sql.rollback.run();
}

/** Runs one change in a transaction of its own. */
function alone(change: () => Answer): Answer {
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

/** Everything that waits in one transaction: one fsync for all. */
function appendAll(asks: readonly { id: number; op: Append }[]): (readonly [number, Answer])[] {
  const answers: (readonly [number, Answer])[] = [];
  const touched = new Map<number, { high: number; time: number }>();
  let committing = false;
  try {
    begin();
    for (const { id, op } of asks) answers.push([id, appendOne(op, touched)]);
    for (const [part, { high, time }] of touched) sql.advance.run(high, time, part);
    committing = true;
    sql.commit.run();
    return answers;
  } catch (e) {
    const error = e as SqliteError;
    rollback();
    // a full disk leaves no commit mark; any other failure of the commit itself may have left one
    const answer: Answer =
      committing && !isFull(error)
        ? { kind: 'uncertain', reason: reasonOf(error) }
        : { kind: 'refused', code: isFull(error) ? 'disk_full' : 'log_unavailable', reason: reasonOf(error) };
    return asks.map(({ id }) => [id, answer]);
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
  const timeMs = Math.max(op.nowMs, state.time);
  if (op.count > 0) sql.insert.run(idOf(op.part, base), base, base + op.count - 1, timeMs, op.data);
  touched.set(op.part, { high: base + op.count, time: timeMs });
  return { kind: 'accepted', base, timeMs };
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

// --- what the log lets go: in small transactions, between which appends go first

function* maintenance(nowMs: number, whole: boolean): Generator<void> {
  for (const row of sql.lettingGo.all()) {
    const part = row['part'] as number;
    if (row['cleanup'] === 'compact') {
      const dirty = (row['high'] as number) - (row['clean'] as number);
      const tombstone = row['tombstone'] as number | null;
      const due = whole ? dirty > 0 : dirty >= Math.max(MIN_DIRTY, row['kept'] as number);
      if (due || (tombstone !== null && tombstone < nowMs - TOMBSTONE_MS)) yield* compact(part, nowMs);
    } else yield* expire(part, nowMs - (row['retention'] as number));
  }
}

function* expire(part: number, before: number): Generator<void> {
  for (;;) {
    const row = sql.partition.get(part);
    if (!row) return;
    let low = row['low'] as number;
    let some = false;
    for (const b of sql.shape.iterate(idOf(part, 0), idOf(part + 1, 0), 500)) {
      if ((b['time'] as number) >= before) {
        low = b['base'] as number;
        break;
      }
      some = true;
      low = (b['last'] as number) + 1;
    }
    if (!some) return;
    begin();
    sql.dropRange.run(idOf(part, 0), idOf(part, low));
    // nothing left before `high`: what stood in holes is gone too
    sql.setLow.run(low, part);
    sql.commit.run();
    yield;
  }
}

interface Kept {
  readonly key: string | undefined;
  readonly tombstone: boolean;
  readonly delta: number;
  readonly start: number;
  readonly end: number;
}

function* recordsOf(data: Uint8Array): Generator<Kept> {
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
  while (upTo < high && last.size < KEYS_AT_ONCE) {
    const b = sql.nextBatch.get(idOf(part, upTo), idOf(part, high));
    if (!b) break;
    const base = b['base'] as number;
    for (const r of recordsOf(b['data'] as Uint8Array)) if (r.key !== undefined) last.set(r.key, base + r.delta);
    upTo = (b['last'] as number) + 1;
    yield;
  }
  if (last.size < KEYS_AT_ONCE) upTo = high;

  let kept = 0;
  let oldest: number | null = null;
  for (let at = row['low'] as number; at < upTo;) {
    const end = performance.now() + STEP_MS;
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
      const stay = all.filter(
        (r) =>
          (r.key === undefined || (last.get(r.key) ?? -1) <= base + r.delta) &&
          !(r.tombstone && time < nowMs - TOMBSTONE_MS),
      );
      kept += stay.length;
      if (stay.some((r) => r.tombstone)) oldest = oldest === null ? time : Math.min(oldest, time);
      if (stay.length !== all.length) rewrite(part, base, time, data, stay);
    }
    sql.commit.run();
    yield;
  }
  begin();
  sql.setClean.run(upTo, kept, oldest, part);
  sql.commit.run();
  // more keys than fit at once: go on with the rest
  if (upTo < high) yield* compact(part, nowMs);
}

function rewrite(part: number, base: number, time: number, data: Uint8Array, stay: readonly Kept[]): void {
  sql.dropBatch.run(idOf(part, base));
  const [first, final] = [stay[0], stay.at(-1)];
  if (!first || !final) return;
  const out = Buffer.concat(stay.map((r) => data.subarray(r.start, r.end)));
  let at = 0;
  for (const r of stay) {
    out.writeInt32LE(r.delta - first.delta, at);
    at += r.end - r.start;
  }
  sql.insert.run(idOf(part, base + first.delta), base + first.delta, base + final.delta, time, out);
}

// --- the thread

const waiting: Ask[] = [];
const upkeep: { id: number; nowMs: number; whole: boolean }[] = [];
let steps: Generator<void> | undefined;
let scheduled = false;

function take(): void {
  for (let more = receiveMessageOnPort(port); more; more = receiveMessageOnPort(port)) {
    waiting.push(...(more as { message: readonly Ask[] }).message);
    if (waiting.length > GROUP_RECORDS) return;
  }
}

function work(): void {
  for (take(); waiting.length > 0; take()) {
    const group: { id: number; op: Append }[] = [];
    let [records, bytes, used] = [0, 0, 0];
    for (const ask of waiting) {
      if (ask.op.op !== 'append' || records >= GROUP_RECORDS || bytes >= GROUP_BYTES) break;
      group.push({ id: ask.id, op: ask.op });
      records += ask.op.count;
      bytes += ask.op.data.length;
      used++;
    }
    if (used > 0) {
      waiting.splice(0, used);
      say({ answers: appendAll(group) });
    } else other(waiting.shift()!);
  }
  rest();
}

function other({ id, op }: Ask): void {
  const answer = (a: Answer): void => say({ answers: [[id, a]] });
  if (op.op === 'topics') answer(alone(() => makeTopics(op.specs)));
  else if (op.op === 'delete') answer(alone(() => deleteTopic(op.topic)));
  else if (op.op === 'claim') answer(alone(() => claim(op.topic)));
  else if (op.op === 'maintain') upkeep.push({ id, nowMs: op.nowMs, whole: op.whole });
  else if (op.op === 'close') {
    db.close();
    answer({ kind: 'done' });
    port.close();
  }
}

function rest(): void {
  if (scheduled || upkeep.length === 0 || !db.isOpen) return;
  scheduled = true;
  setImmediate(() => {
    scheduled = false;
    if (!db.isOpen) return;
    const current = upkeep[0]!;
    let ended = true;
    try {
      steps ??= maintenance(current.nowMs, current.whole);
      const end = performance.now() + STEP_MS;
      do ended = steps.next().done === true;
      while (!ended && performance.now() < end);
    } catch {
      // a full or busy disk: everything done so far stands, the next round tries again
      rollback();
    }
    if (ended) {
      steps = undefined;
      upkeep.shift();
      say({ answers: [[current.id, { kind: 'done' }]] });
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
  lettingGo:
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
  port.on('message', (asks: readonly Ask[]) => {
    waiting.push(...asks);
    work();
  });
  say({ opened: true });
} catch (e) {
  say({
    opened: false,
    code: e instanceof WrongFormat ? 'data_format' : 'log_unavailable',
    reason: reasonOf(e as SqliteError),
  });
  port.close();
}
