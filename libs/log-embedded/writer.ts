// The writer thread. A worker loads this file by itself, so it imports only node: modules, types, and files that do the same (their names end in .ts).
import type { DatabaseSync } from 'node:sqlite';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { maintenance, MAINTENANCE_STEP_MS, insertRow } from './maintenance.ts';
import { RunningMark } from './mark.ts';
import type { Answer, FromThread, Op, OpenFailure, Request, WriterStart } from './ops.ts';
import { idOf } from './row.ts';
import { appendedIn, flagStopped, openFile, Unopenable, type OpenedFile } from './schema.ts';
import { Sealing } from './sealing.ts';
import { prepareStatements, type Statements } from './statements.ts';

type Append = Extract<Op, { op: 'append' }>;

/** Limits of one transaction (group commit). */
const MAX_GROUP_RECORDS = 2_000;
const MAX_GROUP_BYTES = 8 << 20;
/** The WAL is brought into log.sqlite when no request came for this long, at most once in CHECKPOINT_EVERY_MS. */
const IDLE_MS = 1_000;
const CHECKPOINT_EVERY_MS = 5_000;
/** A checkpoint waits this long for readers, then it is tried again later. */
const CHECKPOINT_WAIT_MS = 100;
const BUSY_MS = 5_000;
const start = workerData as WriterStart;
const port = parentPort!;
const post = (message: FromThread<Answer>): void => port.postMessage(message);

interface SqliteError {
  readonly errcode?: number;
  readonly message?: string;
}
const FULL = 13;
/** By result code of SQLite: CORRUPT, FULL, NOTADB. */
const OPEN_CODES: Readonly<Record<number, OpenFailure['code']>> = {
  11: 'log_damaged',
  [FULL]: 'disk_full',
  26: 'log_damaged',
};
const primaryCode = (e: SqliteError): number => (e.errcode ?? 0) & 0xff;
const isFull = (e: SqliteError): boolean => primaryCode(e) === FULL;
const reasonOf = (e: SqliteError): string => `${e.message ?? 'unknown'} (sqlite ${e.errcode ?? '-'})`;

const refusedBy = (e: SqliteError): Extract<Answer, { kind: 'refused' }> => ({
  kind: 'refused',
  code: isFull(e) ? 'disk_full' : 'log_unavailable',
  reason: reasonOf(e),
});

let db: DatabaseSync;
let sql: Statements;
let sealing: Sealing;
let mark: RunningMark | undefined;
/** Records ever appended, as the mark counts them. */
let appended = 0;
let dataVersion = 0;
/** The mark and the flag of the file say that the log is open. */
let declared = false;
/** Pages lie in the WAL that are not in log.sqlite. */
let walDirty = true;
let lastCheckpoint = 0;
let idleTimer: NodeJS.Timeout | undefined;

const versionOf = (): number => sql.dataVersion.get()!['data_version'] as number;

/** After a commit of appends. */
function written(): void {
  walDirty = true;
  if (!declared) tryToDeclare();
  mark?.advance(appended);
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
    walDirty = true;
    return answer;
  } catch (e) {
    rollback();
    return refusedBy(e as SqliteError);
  }
}

/** Group commit: all waiting appends in one transaction, so one fsync for all. */
function appendAll(requests: readonly { id: number; op: Append }[]): (readonly [number, Answer])[] {
  const answers: (readonly [number, Answer])[] = [];
  const touched = new Map<number, Touched>();
  let committing = false;
  try {
    begin();
    for (const { id, op } of requests) answers.push([id, appendOne(op, touched)]);
    let added = 0;
    for (const [part, { before, high, time, reserved }] of touched) {
      sql.advance.run(high, time, reserved, part);
      sql.sealPartition.run(part);
      added += high - before;
    }
    // another process has written since: its appends count as well
    const version = versionOf();
    if (version !== dataVersion) {
      dataVersion = version;
      appended = appendedIn(db) - added;
    }
    committing = true;
    sql.commit.run();
    appended += added;
    written();
    return answers;
  } catch (e) {
    const error = e as SqliteError;
    rollback();
    // when the commit itself fails, its record may be in the WAL all the same; not so when the disk is full
    const answer: Answer =
      committing && !isFull(error) ? { kind: 'uncertain', reason: reasonOf(error) } : refusedBy(error);
    return requests.map(({ id }) => [id, answer]);
  }
}

interface Touched {
  /** `high` before this transaction. */
  readonly before: number;
  readonly high: number;
  readonly time: number;
  /** Offsets below this are not given again. */
  readonly reserved: number;
}

function appendOne(op: Append, touched: Map<number, Touched>): Answer {
  if (op.claim) {
    const topic = sql.claimOf.get(op.claim.topic);
    if (!topic) return { kind: 'gone' };
    if (topic['claim'] !== op.claim.epoch) return { kind: 'fenced' };
  }
  let state = touched.get(op.part);
  if (!state) {
    const row = sql.partition.get(op.part);
    if (!row) return { kind: 'gone' };
    const high = row['high'] as number;
    state = { before: high, high, time: row['time'] as number, reserved: row['reserved'] as number };
  }
  if (op.count === 0) return { kind: 'accepted', base: state.high, appendTimeMs: Math.max(op.nowMs, state.time) };
  if (state.reserved > state.high) {
    // a row without records: every offset of a stream is in a row, so that a lost row is noticed
    const row = { part: op.part, base: state.high, last: state.reserved - 1, time: state.time, data: new Uint8Array() };
    insertRow(sql, row);
    state = { ...state, high: state.reserved };
  }
  const base = state.high;
  // append times never decrease in a partition, also when the clock is set back: offsetAt searches by them
  const appendTimeMs = Math.max(op.nowMs, state.time);
  insertRow(sql, { part: op.part, base, last: base + op.count - 1, time: appendTimeMs, data: op.data });
  touched.set(op.part, { ...state, high: base + op.count, time: appendTimeMs, reserved: 0 });
  return { kind: 'accepted', base, appendTimeMs };
}

function setRetention(topic: number, retentionMs: number | null): Answer {
  if (sql.setRetention.run(retentionMs, topic).changes === 0) return { kind: 'gone' };
  sql.sealTopic.run(topic);
  return { kind: 'done' };
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
  sql.sealTopics.run();
  sql.sealPartitions.run();
  return { kind: 'done' };
}

function deleteTopic(topic: number): Answer {
  for (const row of sql.partsOf.all(topic)) {
    const part = row['part'] as number;
    sql.addToCounter.run(row['high']!, 'removed');
    sql.dropRange.run(idOf(part, 0), idOf(part + 1, 0));
  }
  sql.dropPartitions.run(topic);
  sql.dropTopic.run(topic);
  sql.sealCounters.run();
  return { kind: 'done' };
}

function claim(topic: number): Answer {
  sql.addToCounter.run(1, 'claim');
  sql.sealCounters.run();
  const epoch = sql.lastClaim.get()!['value'] as number;
  if (sql.setClaim.run(epoch, topic).changes === 0) return { kind: 'gone' };
  sql.sealTopic.run(topic);
  return { kind: 'done', epoch };
}

function seal(): Answer {
  try {
    const found = sealing.step();
    if (!found.done) walDirty = true;
    return found;
  } catch (e) {
    return refusedBy(e as SqliteError);
  }
}

// --- the thread

const waiting: Request<Op>[] = [];
const maintenanceQueue: { id: number; nowMs: number; whole: boolean }[] = [];
let running: Generator<void> | undefined;
let scheduled = false;

/** Takes also the messages that arrived during the last transaction. */
function receive(): void {
  for (let more = receiveMessageOnPort(port); more; more = receiveMessageOnPort(port)) {
    waiting.push(...(more as { message: readonly Request<Op>[] }).message);
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
  if (!db.isOpen) return;
  scheduleMaintenance();
  scheduleCheckpoint();
}

function handle({ id, op }: Request<Op>): void {
  const answer = (a: Answer): void => post({ answers: [[id, a]] });
  if (op.op === 'topics') answer(inTransaction(() => makeTopics(op.specs)));
  else if (op.op === 'retention') answer(inTransaction(() => setRetention(op.topic, op.retentionMs)));
  else if (op.op === 'delete') answer(inTransaction(() => deleteTopic(op.topic)));
  else if (op.op === 'claim') answer(inTransaction(() => claim(op.topic)));
  else if (op.op === 'seal') answer(seal());
  else if (op.op === 'maintain') maintenanceQueue.push({ id, nowMs: op.nowMs, whole: op.whole });
  else if (op.op === 'close') {
    stop();
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
      walDirty = true;
      running ??= maintenance(sql, current.nowMs, current.whole);
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

/** Brings the WAL into log.sqlite and empties it. False: a reader was in the way. */
function checkpoint(waitMs: number): boolean {
  lastCheckpoint = performance.now();
  db.exec(`PRAGMA busy_timeout=${waitMs}`);
  try {
    const whole = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()!['busy'] === 0;
    if (whole) walDirty = false;
    return whole;
  } finally {
    db.exec(`PRAGMA busy_timeout=${BUSY_MS}`);
  }
}

/** While nothing is asked of it, the thread keeps the WAL short: a damaged WAL, or a copy without it, then lacks little. */
function scheduleCheckpoint(): void {
  if (!walDirty || idleTimer !== undefined) {
    idleTimer?.refresh();
    return;
  }
  const wait = Math.max(IDLE_MS, lastCheckpoint + CHECKPOINT_EVERY_MS - performance.now());
  idleTimer = setTimeout(() => {
    idleTimer = undefined;
    try {
      if (db.isOpen) checkpoint(CHECKPOINT_WAIT_MS);
    } catch {
      // the disk is full: the WAL keeps what it has, the next idle moment tries again
    }
  }, wait);
}

/** From here on a copy of log.sqlite alone, or with an older WAL, can be told from a whole log. */
function declareOpen(file: { readonly log: string; readonly stopped: number }): void {
  begin();
  sql.setCounter.run(1, 'open');
  sql.sealCounters.run();
  sql.commit.run();
  mark?.close();
  mark = new RunningMark(start.file, file.log, file.stopped);
  // before the checkpoint empties the WAL: a file that says "open", without a mark and a WAL, is taken for a copy without its WAL
  mark.open(appended);
  checkpoint(CHECKPOINT_WAIT_MS);
  declared = true;
}

/** A full disk must not keep a hub from reading: the mark of before stays, and the next append declares the log open. */
function tryToDeclare(): void {
  try {
    declareOpen(opened);
  } catch (e) {
    rollback();
    if (!isFull(e as SqliteError) && (e as NodeJS.ErrnoException).code !== 'ENOSPC') throw e;
  }
}

/** Everything is in log.sqlite, and the mark says how much that is. */
function stop(): void {
  clearTimeout(idleTimer);
  try {
    begin();
    flagStopped(db);
    sql.commit.run();
    if (checkpoint(BUSY_MS)) mark?.stop(appendedIn(db));
  } catch {
    // the disk is full, or another process uses the file: the mark stays at "open", and the next start looks at the WAL
    rollback();
  }
  mark?.close();
  db.close();
}

let opened: OpenedFile;
try {
  opened = openFile(start.file, start.maxPages, start.held);
  db = opened.db;
  sql = prepareStatements(db);
  sealing = new Sealing(db, sql, start.file);
  appended = opened.appended;
  dataVersion = versionOf();
  tryToDeclare();
  port.on('message', (requests: readonly Request<Op>[]) => {
    waiting.push(...requests);
    work();
  });
  const { migrated } = opened;
  post({ opened: true, notes: { migrated } });
} catch (e) {
  const code = OPEN_CODES[primaryCode(e as SqliteError)] ?? 'log_unavailable';
  post({ opened: false, ...(e instanceof Unopenable ? e.failure : { code, reason: reasonOf(e as SqliteError) }) });
  port.close();
}
