// Runs in a worker thread. Node loads this file itself and only strips its types: import only node: modules and types.
import { hash } from 'node:crypto';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type {
  CommitReply,
  CommitRequest,
  DropRequest,
  ExpireRequest,
  FirstRow,
  PutFirstReply,
  PutFirstRequest,
  ReplaceFirstRequest,
  ResetRequest,
  WriterMessage,
  WriterReply,
  WriterRequest,
} from './wire.js';

const FORMAT_VERSION = 1;
const SQLITE_NOTADB = 26;
/** A group commit takes requests until their rows together reach this number. */
const GROUP_COMMIT_ROWS = 2_000;
/** Rows that one expire step removes from a table. */
const EXPIRE_ROWS = 500;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS parts(id INTEGER PRIMARY KEY AUTOINCREMENT, view TEXT, partition INTEGER NOT NULL, UNIQUE(view, partition));
CREATE TABLE IF NOT EXISTS progress(part INTEGER NOT NULL, stream TEXT NOT NULL, next INTEGER NOT NULL, epoch INTEGER NOT NULL,
  time_ms INTEGER NOT NULL, forgotten INTEGER NOT NULL, PRIMARY KEY(part, stream)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries(part INTEGER NOT NULL, space INTEGER NOT NULL, key TEXT NOT NULL, stream TEXT NOT NULL,
  offset INTEGER NOT NULL, time_ms INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY(part, space, key));
CREATE TABLE IF NOT EXISTS feed(part INTEGER NOT NULL, stream TEXT NOT NULL, key TEXT NOT NULL, offset INTEGER NOT NULL,
  PRIMARY KEY(part, stream, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS feed_by_offset ON feed(part, stream, offset);
CREATE TABLE IF NOT EXISTS deletes(part INTEGER NOT NULL, key TEXT NOT NULL, time_ms INTEGER NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY(part, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deletes_by_age ON deletes(at);
CREATE TABLE IF NOT EXISTS firsts(hash BLOB PRIMARY KEY, stream TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
  digest BLOB NOT NULL, schema_id INTEGER NOT NULL, time_ms INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS firsts_by_age ON firsts(at);
PRAGMA user_version = ${FORMAT_VERSION};
`;
/** Columns of `progress` that files of earlier releases do not have. */
const ADDED = ['proof TEXT', 'reset_ms INTEGER', 'reset_until INTEGER'];

const errcodeOf = (e: unknown): number => Number((e as { errcode?: unknown } | null)?.errcode ?? 0);
const messageOf = (e: unknown): string => String((e as { message?: unknown } | null)?.message ?? e);

/** Throws with `errcode` NOTADB for a file of another format: all of its content can be rebuilt from the log. */
function openFile(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  try {
    db.exec(
      'PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-16000;',
    );
    db.exec('PRAGMA busy_timeout=2000; PRAGMA journal_size_limit=67108864;');
    const version = Number(Object.values(db.prepare('PRAGMA user_version').get() ?? {})[0] ?? 0);
    const tables = Number(Object.values(db.prepare('SELECT count(*) FROM sqlite_schema').get() ?? {})[0] ?? 0);
    if (version !== FORMAT_VERSION && (version !== 0 || tables > 0)) {
      throw Object.assign(new Error(`state format ${version}`), { errcode: SQLITE_NOTADB });
    }
    db.exec(SCHEMA);
    const known = new Set(
      db
        .prepare("SELECT name FROM pragma_table_info('progress')")
        .all()
        .map((c) => c['name']),
    );
    for (const column of ADDED)
      if (!known.has(column.split(' ')[0]!)) db.exec(`ALTER TABLE progress ADD COLUMN ${column}`);
    return db;
  } catch (e) {
    db.close();
    throw e;
  }
}

type Statements = ReturnType<typeof prepareStatements>;

/** A row of `parts` whose view is NULL belongs to a dropped view; the expire steps remove its data. */
function prepareStatements(db: DatabaseSync) {
  const prepare = (sql: string): StatementSync => {
    const statement = db.prepare(sql);
    statement.setReadBigInts(true);
    return statement;
  };
  return {
    begin: prepare('BEGIN IMMEDIATE'),
    end: prepare('COMMIT'),
    partOf: prepare('SELECT id FROM parts WHERE view = ? AND partition = ?'),
    addPart: prepare('INSERT INTO parts(view, partition) VALUES(?, ?) RETURNING id'),
    dropParts: prepare('UPDATE parts SET view = NULL WHERE view = ? AND partition < ?'),
    dropPart: prepare('UPDATE parts SET view = NULL WHERE id = ?'),
    droppedPart: prepare('SELECT id FROM parts WHERE view IS NULL LIMIT 1'),
    removePart: prepare('DELETE FROM parts WHERE id = ?'),
    progressOf: prepare('SELECT next, epoch, time_ms, proof FROM progress WHERE part = ? AND stream = ?'),
    setProgress:
      prepare(`INSERT INTO progress(part, stream, next, epoch, time_ms, forgotten, proof) VALUES(?, ?, ?, ?, ?, -1, ?)
      ON CONFLICT(part, stream) DO UPDATE SET next = excluded.next, epoch = excluded.epoch, time_ms = excluded.time_ms, proof = excluded.proof`),
    moveProgress: prepare('UPDATE progress SET part = ? WHERE part = ?'),
    startProgress:
      prepare(`INSERT OR REPLACE INTO progress(part, stream, next, epoch, time_ms, forgotten, proof, reset_ms, reset_until)
      VALUES(?, ?, ?, ?, 0, -1, ?, ?, ?)`),
    putEntry: prepare(`INSERT INTO entries(part, space, key, stream, offset, time_ms, value) VALUES(?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT(part, space, key) DO UPDATE SET stream = excluded.stream, offset = excluded.offset, time_ms = excluded.time_ms, value = excluded.value`),
    removeEntry: prepare('DELETE FROM entries WHERE part = ? AND space = ? AND key = ?'),
    putFeed: prepare(`INSERT INTO feed(part, stream, key, offset) VALUES(?, ?, ?, ?)
      ON CONFLICT(part, stream, key) DO UPDATE SET offset = excluded.offset`),
    removeFeed: prepare('DELETE FROM feed WHERE part = ? AND stream = ? AND key = ? RETURNING offset'),
    anyTombstone: prepare('SELECT 1 FROM deletes WHERE part = ? LIMIT 1'),
    anyEntry: prepare('SELECT 1 FROM entries WHERE part = ? LIMIT 1'),
    newestEpoch: prepare('SELECT max(epoch) epoch FROM progress WHERE part = ?'),
    putTombstone: prepare(`INSERT INTO deletes(part, key, time_ms, at) VALUES(?, ?, ?, ?)
      ON CONFLICT(part, key) DO UPDATE SET time_ms = excluded.time_ms, at = excluded.at`),
    removeTombstone: prepare('DELETE FROM deletes WHERE part = ? AND key = ?'),
    expiredTombstones: prepare('SELECT part, key FROM deletes WHERE at <= ? ORDER BY at LIMIT ?'),
    streamsOf: prepare('SELECT stream FROM progress WHERE part = ?'),
    setExpiredOffset: prepare('UPDATE progress SET forgotten = max(forgotten, ?) WHERE part = ? AND stream = ?'),
    putFirst:
      prepare(`INSERT INTO firsts(hash, stream, partition, offset, digest, schema_id, time_ms, at) VALUES(?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT(hash) DO NOTHING`),
    replaceFirst:
      prepare(`UPDATE firsts SET stream = ?2, partition = ?3, offset = ?4, digest = ?5, schema_id = ?6, time_ms = ?7, at = ?8
      WHERE hash = ?1 AND stream = ?9 AND partition = ?10 AND offset = ?11 AND digest = ?12`),
    findFirst: prepare(
      'SELECT stream, partition, offset, lower(hex(digest)) digest, schema_id, time_ms FROM firsts WHERE hash = ?',
    ),
    expireFirsts: prepare(
      'DELETE FROM firsts WHERE hash IN (SELECT hash FROM firsts WHERE at <= ? ORDER BY at LIMIT ?)',
    ),
    removeRowsOfPart: [
      prepare('DELETE FROM entries WHERE rowid IN (SELECT rowid FROM entries WHERE part = ? LIMIT ?)'),
      prepare(
        'DELETE FROM feed WHERE part = ?1 AND (stream, key) IN (SELECT stream, key FROM feed WHERE part = ?1 LIMIT ?2)',
      ),
      prepare('DELETE FROM deletes WHERE part = ?1 AND key IN (SELECT key FROM deletes WHERE part = ?1 LIMIT ?2)'),
      prepare(
        'DELETE FROM progress WHERE part = ?1 AND stream IN (SELECT stream FROM progress WHERE part = ?1 LIMIT ?2)',
      ),
    ],
  };
}

/** The epoch that a commit must not be older than: where there are entries that of every stream, because one entry may come from several, else that of its own. */
function newestEpoch(sql: Statements, request: CommitRequest, part: bigint | undefined, own: bigint): bigint {
  if (part === undefined) return own;
  const joint = [request.keys.length > 0, sql.anyEntry.get(part), sql.anyTombstone.get(part)].some(Boolean);
  return joint ? ((sql.newestEpoch.get(part)?.['epoch'] as bigint | null | undefined) ?? own) : own;
}

function commit(sql: Statements, request: CommitRequest): CommitReply {
  const { view, partition, stream } = request;
  const known = sql.partOf.get(view, partition)?.['id'] as bigint | undefined;
  const stored = known === undefined ? undefined : sql.progressOf.get(known, stream);
  const expected = stored === undefined ? request.low : (stored['next'] as bigint);
  const epoch = newestEpoch(sql, request, known, stored === undefined ? 0n : (stored['epoch'] as bigint));
  if (request.epoch < epoch || request.from !== expected) return { expected, epoch };
  const part = known ?? (sql.addPart.get(view, partition)?.['id'] as bigint);
  let tombstones = sql.anyTombstone.get(part) !== undefined;
  for (let i = 0; i < request.keys.length; i++) {
    const key = request.keys[i]!;
    const value = request.values[i]!;
    const space = request.spaces[i]!;
    const offset = request.offsets[i]!;
    const appendTimeMs = request.appendTimes[i]!;
    if (value === null) sql.removeEntry.run(part, space, key);
    else sql.putEntry.run(part, space, key, stream, offset, appendTimeMs, value);
    if (space !== 0) continue;
    sql.putFeed.run(part, stream, key, offset);
    if (value === null) {
      sql.putTombstone.run(part, key, appendTimeMs, request.now);
      tombstones = true;
    } else if (tombstones) sql.removeTombstone.run(part, key);
  }
  const appendTimeMs = request.appendTimeMs ?? stored?.['time_ms'] ?? 0;
  sql.setProgress.run(part, stream, request.next, request.epoch, appendTimeMs, request.proof);
  if (request.feedGap) sql.setExpiredOffset.run(request.next - 1n, part, stream);
  return null;
}

const firstKeyOf = (source: string, id: string): Buffer =>
  hash('sha256', `${source.length}:${source}${id}`, 'buffer').subarray(0, 16);

function putFirst(sql: Statements, request: PutFirstRequest): PutFirstReply {
  return request.rows.map((row, i) => {
    const key = firstKeyOf(request.sources[i]!, request.ids[i]!);
    const digest = Buffer.from(row.digest, 'hex');
    const { stream, partition, offset, schemaId, recordedTimeMs } = row;
    const { changes } = sql.putFirst.run(key, stream, partition, offset, digest, schemaId, recordedTimeMs, request.now);
    if (Number(changes) === 1) return null;
    const held = sql.findFirst.get(key)!;
    return {
      stream: String(held['stream']),
      partition: Number(held['partition']),
      offset: held['offset'] as bigint,
      digest: String(held['digest']),
      schemaId: Number(held['schema_id']),
      recordedTimeMs: Number(held['time_ms']),
    } satisfies FirstRow;
  });
}

function replaceFirst(sql: Statements, request: ReplaceFirstRequest): PutFirstReply {
  for (const [i, row] of request.rows.entries()) {
    const key = firstKeyOf(request.sources[i]!, request.ids[i]!);
    const stale = request.stale[i]!;
    const { stream, partition, offset, schemaId, recordedTimeMs } = row;
    const digest = Buffer.from(row.digest, 'hex');
    const was = [stale.stream, stale.partition, stale.offset, Buffer.from(stale.digest, 'hex')];
    sql.replaceFirst.run(key, stream, partition, offset, digest, schemaId, recordedTimeMs, request.now, ...was);
  }
  return putFirst(sql, { ...request, kind: 'putFirst' });
}

/** The old rows stay under a dropped part, which the expire steps remove; checkpoints of other streams move to the new part. */
function reset(sql: Statements, request: ResetRequest): boolean {
  const { view, partition, found, starts, atMs } = request;
  const old = sql.partOf.get(view, partition)?.['id'] as bigint | undefined;
  const stored = old === undefined ? undefined : sql.progressOf.get(old, found.stream);
  if ((stored?.['next'] ?? null) !== found.next || (stored?.['proof'] ?? null) !== found.proof) return false;
  if (old !== undefined) sql.dropPart.run(old);
  const part = sql.addPart.get(view, partition)?.['id'] as bigint;
  if (old !== undefined) sql.moveProgress.run(part, old);
  for (const { stream, epoch, next, until, proof } of starts)
    sql.startProgress.run(part, stream, next, epoch, proof, atMs, until);
  return true;
}

function drop(sql: Statements, request: DropRequest): null {
  sql.dropParts.run(request.view, request.partitions);
  return null;
}

/** true: an expired tombstone may be left. The feed keeps the greatest expired offset per stream, from which readers learn of their gap. */
function expireTombstones(sql: Statements, until: number): boolean {
  const expired = sql.expiredTombstones.all(until, EXPIRE_ROWS);
  for (const { part, key } of expired) {
    for (const { stream } of sql.streamsOf.all(part!)) {
      const offset = sql.removeFeed.get(part!, stream!, key!)?.['offset'];
      if (offset !== undefined) sql.setExpiredOffset.run(offset, part!, stream!);
    }
    sql.removeTombstone.run(part!, key!);
  }
  return expired.length === EXPIRE_ROWS;
}

/** true: another step is needed, for the rest of this dropped partition or to look for the next one. */
function removeDroppedRows(sql: Statements): boolean {
  const dropped = sql.droppedPart.get()?.['id'];
  if (dropped === undefined) return false;
  const full = sql.removeRowsOfPart.some((rows) => Number(rows.run(dropped, EXPIRE_ROWS).changes) === EXPIRE_ROWS);
  if (!full) sql.removePart.run(dropped);
  return true;
}

function expire(sql: Statements, request: ExpireRequest): boolean {
  const tombstones = expireTombstones(sql, request.tombstonesUntil);
  const index = Number(sql.expireFirsts.run(request.indexUntil, EXPIRE_ROWS).changes) === EXPIRE_ROWS;
  const dropped = removeDroppedRows(sql);
  return tombstones || index || dropped;
}

function apply(sql: Statements, request: WriterRequest): unknown {
  if (request.kind === 'commit') return commit(sql, request);
  if (request.kind === 'putFirst') return putFirst(sql, request);
  if (request.kind === 'replaceFirst') return replaceFirst(sql, request);
  if (request.kind === 'reset') return reset(sql, request);
  if (request.kind === 'drop') return drop(sql, request);
  if (request.kind === 'expire') return expire(sql, request);
  return null;
}

/** Group commit: one transaction for all requests. Each request checks before it writes, so none depends on the success of another. */
function applyAll(db: DatabaseSync, sql: Statements, requests: readonly WriterRequest[]): WriterReply[] {
  try {
    sql.begin.run();
    const replies = requests.map((request) => ({ id: request.id, value: apply(sql, request) }));
    sql.end.run();
    return replies;
  } catch (e) {
    const error = { message: messageOf(e), errcode: errcodeOf(e) };
    try {
      if (db.isTransaction) db.exec('ROLLBACK');
    } catch (failed) {
      return requests.map(({ id }) => ({ id, error: { message: messageOf(failed), errcode: errcodeOf(failed) } }));
    }
    // One failing request must not fail the others of its group: run each in a transaction of its own.
    return requests.length === 1
      ? [{ id: requests[0]!.id, error }]
      : requests.flatMap((request) => applyAll(db, sql, [request]));
  }
}

const rowsOf = (request: WriterRequest): number =>
  request.kind === 'commit'
    ? request.keys.length
    : request.kind === 'putFirst' || request.kind === 'replaceFirst'
      ? request.rows.length
      : 1;

function serve(db: DatabaseSync, port: NonNullable<typeof parentPort>): void {
  const sql = prepareStatements(db);
  const send = (message: WriterMessage): void => port.postMessage(message);
  port.on('message', (first: WriterRequest) => {
    const group = [first];
    let rows = rowsOf(first);
    while (rows < GROUP_COMMIT_ROWS && group.at(-1)!.kind !== 'close') {
      const queued = receiveMessageOnPort(port) as { message: WriterRequest } | undefined;
      if (queued === undefined) break;
      group.push(queued.message);
      rows += rowsOf(queued.message);
    }
    send({ replies: applyAll(db, sql, group) });
    if (group.at(-1)!.kind === 'close') {
      db.close();
      port.close();
    }
  });
  send({ ready: true });
}

if (parentPort !== null) {
  try {
    serve(openFile(String((workerData as { path: string }).path)), parentPort);
  } catch (e) {
    parentPort.postMessage({ failed: messageOf(e), errcode: errcodeOf(e) } satisfies WriterMessage);
    parentPort.close();
  }
}
