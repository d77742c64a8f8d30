import { Mutex } from '#concurrency';
import type { Inbox } from './inbox.js';
import type { Places } from './places.js';

/** What `node:sqlite` (DatabaseSync) and better-sqlite3 have. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): { run(...values: string[]): unknown; get(...values: string[]): unknown };
}

/** Whose turn it is on a connection: a transaction with an asynchronous effect must not take in the statements of another one. */
const TURNS = new WeakMap<SqliteDatabase, Mutex>();
function turnOf(db: SqliteDatabase): Mutex {
  let turn = TURNS.get(db);
  if (turn === undefined) TURNS.set(db, (turn = new Mutex()));
  return turn;
}

/**
 * An inbox in a SQLite database, table `simpul_inbox`. Effects of one connection run one after another; what an app writes on this connection beside them while an
 * asynchronous effect runs becomes part of its transaction, so give the handlers a connection of their own.
 */
export function sqliteInbox<Db extends SqliteDatabase>(db: Db): Inbox<Db> {
  db.exec(
    'CREATE TABLE IF NOT EXISTS simpul_inbox (grp TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, digest TEXT NOT NULL, recorded TEXT NOT NULL, PRIMARY KEY (grp, source, id, digest)) WITHOUT ROWID',
  );
  db.exec('CREATE INDEX IF NOT EXISTS simpul_inbox_recorded ON simpul_inbox (grp, recorded)');
  const find = db.prepare(
    "SELECT 1 AS found FROM simpul_inbox WHERE grp = ? AND source = ? AND id = ? AND (digest = ? OR digest = '' OR ? = '')",
  );
  const add = db.prepare('INSERT INTO simpul_inbox (grp, source, id, digest, recorded) VALUES (?, ?, ?, ?, ?)');
  const remove = db.prepare('DELETE FROM simpul_inbox WHERE grp = ? AND recorded < ?');
  return {
    once: (group, { source, id, digest = '', recordedtime }, effect) =>
      turnOf(db).run(async () => {
        db.exec('BEGIN IMMEDIATE');
        try {
          const known = find.get(group, source, id, digest, digest) !== undefined;
          if (!known) {
            add.run(group, source, id, digest, timeText(recordedtime));
            await effect(db);
          }
          db.exec('COMMIT');
          return !known;
        } catch (cause) {
          db.exec('ROLLBACK');
          throw cause;
        }
      }),
    prune: (group, beforeMs) => turnOf(db).run(async () => void remove.run(group, new Date(beforeMs).toISOString())),
  };
}

/** Places in a SQLite database, table `simpul_places`. Durable as the database is: with `synchronous = OFF` a power cut may lose them. */
export function sqlitePlaces(db: SqliteDatabase, group = 'default'): Places {
  db.exec(
    'CREATE TABLE IF NOT EXISTS simpul_places (grp TEXT NOT NULL, feed TEXT NOT NULL, place TEXT NOT NULL, PRIMARY KEY (grp, feed)) WITHOUT ROWID',
  );
  const get = db.prepare('SELECT place FROM simpul_places WHERE grp = ? AND feed = ?');
  const put = db.prepare(
    'INSERT INTO simpul_places (grp, feed, place) VALUES (?, ?, ?) ON CONFLICT (grp, feed) DO UPDATE SET place = excluded.place',
  );
  return {
    load: (feed) => turnOf(db).run(async () => (get.get(group, feed) as { place: string } | undefined)?.place),
    save: (feed, place) => turnOf(db).run(async () => void put.run(group, feed, place)),
  };
}

/** ISO 8601 in UTC with milliseconds, so that texts compare as times. */
export function timeText(time: string): string {
  const ms = Date.parse(time);
  return new Date(Number.isNaN(ms) ? Date.now() : ms).toISOString();
}
