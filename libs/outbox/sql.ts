import { pause } from '#concurrency';
import { isBusy, loadSqlite, transact } from './sqlite.js';
import { OutboxFault } from './fault.js';

export type Row = Readonly<Record<string, unknown>>;
export type Dialect = 'postgres' | 'sqlite';

/** A transaction or a client of `pg` (node-postgres), or of another library with the same call. */
export interface PgClient {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: Row[] }>;
}

/** A pool of `pg`. */
export interface PgPool {
  connect(): Promise<PgClient & { release(destroy?: boolean | Error): void }>;
}

/** A database of node:sqlite or better-sqlite3. */
export interface SqliteDatabase {
  prepare(sql: string): { all(...values: never[]): unknown[] };
  exec(sql: string): unknown;
}

export type Statement = readonly [text: string, values: readonly unknown[]];
/** Yields statements and gets their rows. */
export type Work<T> = Generator<Statement, T, readonly Row[]>;

/** What a relay needs of a database. Parameters are `$1`, `$2` …, each once and in this order. */
export interface Sql {
  readonly dialect: Dialect;
  query(text: string, values: readonly unknown[]): Promise<readonly Row[]>;
  /** Runs the statements that the work yields in one transaction. On SQLite it is one step of the event loop: the unit's own transactions never meet an open one. */
  transaction<T>(work: () => Work<T>): Promise<T>;
  close(): Promise<void>;
}

/** Tables of outboxIn() and its relay: run it once, in a migration for example. */
export const outboxTables: Readonly<Record<Dialect, string>> = {
  postgres: `
CREATE TABLE IF NOT EXISTS simpul_outbox (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text NOT NULL UNIQUE,
  key text NOT NULL,
  urgent smallint NOT NULL,
  event text NOT NULL,
  numbered smallint NOT NULL DEFAULT 0,
  queued bigint NOT NULL,
  fault text
);
CREATE INDEX IF NOT EXISTS simpul_outbox_order ON simpul_outbox (urgent DESC, seq) WHERE fault IS NULL;
CREATE INDEX IF NOT EXISTS simpul_outbox_key ON simpul_outbox (key);
CREATE TABLE IF NOT EXISTS simpul_outbox_numbers (stream text PRIMARY KEY, last bigint NOT NULL, free text NOT NULL);
CREATE TABLE IF NOT EXISTS simpul_outbox_lease (one smallint PRIMARY KEY, holder text NOT NULL, until bigint NOT NULL);
INSERT INTO simpul_outbox_lease VALUES (1, '', 0) ON CONFLICT (one) DO NOTHING;
`,
  sqlite: `
CREATE TABLE IF NOT EXISTS simpul_outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  key TEXT NOT NULL,
  urgent INTEGER NOT NULL,
  event TEXT NOT NULL,
  numbered INTEGER NOT NULL DEFAULT 0,
  queued INTEGER NOT NULL,
  fault TEXT
);
CREATE INDEX IF NOT EXISTS simpul_outbox_order ON simpul_outbox (urgent DESC, seq) WHERE fault IS NULL;
CREATE INDEX IF NOT EXISTS simpul_outbox_key ON simpul_outbox (key);
CREATE TABLE IF NOT EXISTS simpul_outbox_numbers (stream TEXT PRIMARY KEY, last INTEGER NOT NULL, free TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS simpul_outbox_lease (one INTEGER PRIMARY KEY, holder TEXT NOT NULL, until INTEGER NOT NULL);
INSERT INTO simpul_outbox_lease VALUES (1, '', 0) ON CONFLICT (one) DO NOTHING;
`,
};

/** SQLSTATE of PostgreSQL: a table does not exist. */
const UNDEFINED_TABLE = '42P01';

/** A missing table is the mistake that has a remedy of its own; everything else stays the error of the database. */
export function namedFault(e: unknown): unknown {
  const { code, message = '' } = e as { readonly code?: unknown; readonly message?: string };
  const missing = code === UNDEFINED_TABLE || /no such table: simpul_outbox/.test(message);
  return missing ? new OutboxFault('outbox_no_tables', message, e) : e;
}

export const sqliteText = (text: string): string => text.replaceAll(/\$\d+/g, '?');

export function sqliteRows(db: SqliteDatabase, text: string, values: readonly unknown[]): Row[] {
  return db.prepare(sqliteText(text)).all(...(values as never[])) as Row[];
}

/** The pool of a unit's PostgreSQL, for a relay. */
export function pgSql(pool: PgPool): Sql {
  const withClient = async <T>(work: (client: PgClient) => Promise<T>): Promise<T> => {
    const client = await pool.connect();
    let broken = true;
    try {
      const result = await work(client);
      broken = false;
      return result;
    } catch (e) {
      throw namedFault(e);
    } finally {
      client.release(broken);
    }
  };
  return {
    dialect: 'postgres',
    query: (text, values) => withClient(async (client) => (await client.query(text, [...values])).rows),
    transaction: (work) =>
      withClient(async (client) => {
        await client.query('BEGIN');
        const steps = work();
        let step = steps.next();
        while (step.done !== true) {
          const [text, values] = step.value;
          step = steps.next((await client.query(text, [...values])).rows);
        }
        await client.query('COMMIT');
        return step.value;
      }),
    close: () => Promise.resolve(),
  };
}

/** How long a relay waits for the transaction of somebody else, ms, and how often it looks. */
const BUSY_MS = 5_000;
const BUSY_AGAIN_MS = 5;

/** A connection of the relay's own to the SQLite file of a unit: the unit's transactions are on other connections. */
export function sqliteSql(file: string): Sql {
  const { DatabaseSync } = loadSqlite();
  // No wait of SQLite's own: it would hold the event loop, perhaps that of the transaction it waits for.
  const db = new DatabaseSync(file, { timeout: 0 });
  const whenFree = async <T>(work: () => T): Promise<T> => {
    for (const until = performance.now() + BUSY_MS; ;) {
      try {
        return work();
      } catch (e) {
        if (!isBusy(e) || performance.now() > until) throw namedFault(e);
      }
      await pause(BUSY_AGAIN_MS);
    }
  };
  return {
    dialect: 'sqlite',
    query: (text, values) => whenFree(() => sqliteRows(db, text, values)),
    transaction: (work) =>
      whenFree(() =>
        transact(db, () => {
          const steps = work();
          let step = steps.next();
          while (step.done !== true) step = steps.next(sqliteRows(db, ...step.value));
          return step.value;
        }),
      ),
    close: async () => db.close(),
  };
}
