// Runs in a worker thread, loaded by Node itself: only node: imports and types, nothing that type stripping cannot remove.
import { hash } from 'node:crypto';
import { renameSync, rmSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type {
  Answer,
  CommitAnswer,
  CommitOrder,
  DropOrder,
  FirstAnswer,
  FirstOrder,
  FirstRow,
  ForgetOrder,
  FromWriter,
  Order,
} from './wire.js';

const VERSION = 1;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;
const GROUP_ROWS = 2_000;
const STEP_ROWS = 500;

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
PRAGMA user_version = ${VERSION};
`;

const errcodeOf = (e: unknown): number => Number((e as { errcode?: unknown } | null)?.errcode ?? 0);
const textOf = (e: unknown): string => String((e as { message?: unknown } | null)?.message ?? e);

function openFile(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  try {
    db.exec(
      'PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-16000;',
    );
    db.exec('PRAGMA busy_timeout=2000; PRAGMA journal_size_limit=67108864;');
    const version = Number(Object.values(db.prepare('PRAGMA user_version').get() ?? {})[0] ?? 0);
    const tables = Number(Object.values(db.prepare('SELECT count(*) FROM sqlite_schema').get() ?? {})[0] ?? 0);
    if (version !== VERSION && (version !== 0 || tables > 0)) {
      throw Object.assign(new Error(`state format ${version}`), { errcode: NOT_A_DATABASE });
    }
    db.exec(SCHEMA);
    return db;
  } catch (e) {
    db.close();
    throw e;
  }
}

/** Everything here can be rebuilt from the log, so a file that cannot be read gives way to an empty one. */
function openOrBegin(path: string): DatabaseSync {
  try {
    return openFile(path);
  } catch (e) {
    const code = errcodeOf(e) & 0xff;
    if (code !== CORRUPT && code !== NOT_A_DATABASE) throw e;
    rmSync(`${path}-wal`, { force: true });
    rmSync(`${path}-shm`, { force: true });
    renameSync(path, `${path}.set-aside`);
    return openFile(path);
  }
}

function run(db: DatabaseSync, port: NonNullable<typeof parentPort>): void {
  const prepare = (sql: string): StatementSync => {
    const statement = db.prepare(sql);
    statement.setReadBigInts(true);
    return statement;
  };
  const begin = prepare('BEGIN IMMEDIATE');
  const end = prepare('COMMIT');
  const partOf = prepare('SELECT id FROM parts WHERE view = ? AND partition = ?');
  const addPart = prepare('INSERT INTO parts(view, partition) VALUES(?, ?) RETURNING id');
  const hidePart = prepare('UPDATE parts SET view = NULL WHERE view = ? AND partition < ?');
  const hiddenPart = prepare('SELECT id FROM parts WHERE view IS NULL LIMIT 1');
  const removePart = prepare('DELETE FROM parts WHERE id = ?');
  const progressOf = prepare('SELECT next, epoch, time_ms FROM progress WHERE part = ? AND stream = ?');
  const setProgress =
    prepare(`INSERT INTO progress(part, stream, next, epoch, time_ms, forgotten) VALUES(?, ?, ?, ?, ?, -1)
    ON CONFLICT(part, stream) DO UPDATE SET next = excluded.next, epoch = excluded.epoch, time_ms = excluded.time_ms`);
  const put = prepare(`INSERT INTO entries(part, space, key, stream, offset, time_ms, value) VALUES(?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT(part, space, key) DO UPDATE SET stream = excluded.stream, offset = excluded.offset, time_ms = excluded.time_ms, value = excluded.value`);
  const remove = prepare('DELETE FROM entries WHERE part = ? AND space = ? AND key = ?');
  const feed = prepare(`INSERT INTO feed(part, stream, key, offset) VALUES(?, ?, ?, ?)
    ON CONFLICT(part, stream, key) DO UPDATE SET offset = excluded.offset`);
  const anyDelete = prepare('SELECT 1 FROM deletes WHERE part = ? LIMIT 1');
  const addDelete = prepare(`INSERT INTO deletes(part, key, time_ms, at) VALUES(?, ?, ?, ?)
    ON CONFLICT(part, key) DO UPDATE SET time_ms = excluded.time_ms, at = excluded.at`);
  const undelete = prepare('DELETE FROM deletes WHERE part = ? AND key = ?');
  const oldDeletes = prepare('SELECT part, key FROM deletes WHERE at <= ? ORDER BY at LIMIT ?');
  const streamsOf = prepare('SELECT stream FROM progress WHERE part = ?');
  const unfeed = prepare('DELETE FROM feed WHERE part = ? AND stream = ? AND key = ? RETURNING offset');
  const forgot = prepare('UPDATE progress SET forgotten = max(forgotten, ?) WHERE part = ? AND stream = ?');
  const first =
    prepare(`INSERT INTO firsts(hash, stream, partition, offset, digest, schema_id, time_ms, at) VALUES(?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT(hash) DO NOTHING`);
  const firstOf = prepare(
    'SELECT stream, partition, offset, lower(hex(digest)) digest, schema_id, time_ms FROM firsts WHERE hash = ?',
  );
  const oldFirsts = prepare(
    'DELETE FROM firsts WHERE hash IN (SELECT hash FROM firsts WHERE at <= ? ORDER BY at LIMIT ?)',
  );
  const hiddenRows = [
    prepare('DELETE FROM entries WHERE rowid IN (SELECT rowid FROM entries WHERE part = ? LIMIT ?)'),
    prepare(
      'DELETE FROM feed WHERE part = ?1 AND (stream, key) IN (SELECT stream, key FROM feed WHERE part = ?1 LIMIT ?2)',
    ),
    prepare('DELETE FROM deletes WHERE part = ?1 AND key IN (SELECT key FROM deletes WHERE part = ?1 LIMIT ?2)'),
    prepare(
      'DELETE FROM progress WHERE part = ?1 AND stream IN (SELECT stream FROM progress WHERE part = ?1 LIMIT ?2)',
    ),
  ];

  function commit(order: CommitOrder): CommitAnswer {
    const { view, partition, stream } = order;
    const known = partOf.get(view, partition)?.['id'] as bigint | undefined;
    const stored = known === undefined ? undefined : progressOf.get(known, stream);
    const expected = stored === undefined ? order.low : (stored['next'] as bigint);
    const epoch = stored === undefined ? 0n : (stored['epoch'] as bigint);
    if (order.epoch < epoch || order.from !== expected) return { expected, epoch };
    const part = known ?? (addPart.get(view, partition)?.['id'] as bigint);
    let deletes = anyDelete.get(part) !== undefined;
    for (let i = 0; i < order.keys.length; i++) {
      const key = order.keys[i]!;
      const value = order.values[i]!;
      const space = order.spaces[i]!;
      const offset = order.offsets[i]!;
      const appendTimeMs = order.times[i]!;
      if (value === null) remove.run(part, space, key);
      else put.run(part, space, key, stream, offset, appendTimeMs, value);
      if (space !== 0) continue;
      feed.run(part, stream, key, offset);
      if (value === null) {
        addDelete.run(part, key, appendTimeMs, order.now);
        deletes = true;
      } else if (deletes) undelete.run(part, key);
    }
    setProgress.run(part, stream, order.next, order.epoch, order.appendTimeMs ?? stored?.['time_ms'] ?? 0);
    return null;
  }

  function firsts(order: FirstOrder): FirstAnswer {
    return order.rows.map((row, i) => {
      const source = order.sources[i]!;
      const key = hash('sha256', `${source.length}:${source}${order.ids[i]!}`, 'buffer').subarray(0, 16);
      const digest = Buffer.from(row.digest, 'hex');
      const { changes } = first.run(
        key,
        row.stream,
        row.partition,
        row.offset,
        digest,
        row.schemaId,
        row.recordedTimeMs,
        order.now,
      );
      if (Number(changes) === 1) return null;
      const at = firstOf.get(key)!;
      const stands: FirstRow = {
        stream: String(at['stream']),
        partition: Number(at['partition']),
        offset: at['offset'] as bigint,
        digest: String(at['digest']),
        schemaId: Number(at['schema_id']),
        recordedTimeMs: Number(at['time_ms']),
      };
      return stands;
    });
  }

  function drop(order: DropOrder): null {
    hidePart.run(order.view, order.partitions);
    return null;
  }

  function forget(order: ForgetOrder): boolean {
    const old = oldDeletes.all(order.deletesUntil, STEP_ROWS);
    for (const { part, key } of old) {
      for (const { stream } of streamsOf.all(part!)) {
        const offset = unfeed.get(part!, stream!, key!)?.['offset'];
        if (offset !== undefined) forgot.run(offset, part!, stream!);
      }
      undelete.run(part!, key!);
    }
    let more = old.length === STEP_ROWS;
    more = Number(oldFirsts.run(order.firstsUntil, STEP_ROWS).changes) === STEP_ROWS || more;
    const hidden = hiddenPart.get()?.['id'];
    if (hidden !== undefined) {
      const full = hiddenRows.some((rows) => Number(rows.run(hidden, STEP_ROWS).changes) === STEP_ROWS);
      if (!full) removePart.run(hidden);
      more = true;
    }
    return more;
  }

  function apply(order: Order): unknown {
    if (order.kind === 'commit') return commit(order);
    if (order.kind === 'first') return firsts(order);
    if (order.kind === 'drop') return drop(order);
    if (order.kind === 'forget') return forget(order);
    return null;
  }

  /** One transaction for all: no order depends on another's success, since each checks before it writes. */
  function together(orders: readonly Order[]): Answer[] {
    try {
      begin.run();
      const answers = orders.map((order) => ({ id: order.id, value: apply(order) }));
      end.run();
      return answers;
    } catch (e) {
      const error = { message: textOf(e), errcode: errcodeOf(e) };
      try {
        if (db.isTransaction) db.exec('ROLLBACK');
      } catch (again) {
        return orders.map(({ id }) => ({ id, error: { message: textOf(again), errcode: errcodeOf(again) } }));
      }
      // one bad order must not take its neighbours down
      return orders.length === 1 ? [{ id: orders[0]!.id, error }] : orders.flatMap((order) => together([order]));
    }
  }

  const weight = (order: Order): number =>
    order.kind === 'commit' ? order.keys.length : order.kind === 'first' ? order.rows.length : 1;
  const say = (what: FromWriter): void => port.postMessage(what);

  port.on('message', (one: Order) => {
    const orders = [one];
    let rows = weight(one);
    while (rows < GROUP_ROWS && orders.at(-1)!.kind !== 'close') {
      const waiting = receiveMessageOnPort(port) as { message: Order } | undefined;
      if (waiting === undefined) break;
      orders.push(waiting.message);
      rows += weight(waiting.message);
    }
    say({ answers: together(orders) });
    if (orders.at(-1)!.kind === 'close') {
      db.close();
      port.close();
    }
  });
  say({ ready: true });
}

if (parentPort !== null) {
  try {
    run(openOrBegin(String((workerData as { path: string }).path)), parentPort);
  } catch (e) {
    parentPort.postMessage({ failed: textOf(e) } satisfies FromWriter);
    parentPort.close();
  }
}
