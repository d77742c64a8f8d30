import { writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import pg from 'pg';
import { createRelay, outboxIn, outboxTables } from '#outbox';
import { connect } from '#sdk';
import { occupancy } from '../occupancy.js';

/**
 * A unit that writes rows of its own with their events, and relays the events, until it is killed; or that relays what is left. Arguments: url, key, unit, database (a PostgreSQL
 * address or a file), first number, `write` or `drain`. Prints a line for each commit. Each seventh transaction is rolled back.
 */
const [url = '', key = '', owner = '', database = '', first = '1', what = 'write'] = process.argv.slice(2);
const ROWS = {
  postgres: 'CREATE TABLE IF NOT EXISTS laporan (seq bigserial PRIMARY KEY, n int NOT NULL UNIQUE, hari text NOT NULL)',
  sqlite: 'CREATE TABLE IF NOT EXISTS laporan (seq INTEGER PRIMARY KEY, n INTEGER NOT NULL UNIQUE, hari TEXT NOT NULL)',
};
const dayOf = (n: number): string => `2021-07-${15 + (n % 5)}`;
const eventOf = (n: number) => ({
  type: 'pas.hunian.dilaporkan',
  data: occupancy(owner, dayOf(n), n, new Date(Date.UTC(2021, 6, 20, 3, 0, 0) + n * 1_000).toISOString()),
  orderingKey: dayOf(n),
});
const isUndone = (n: number): boolean => n % 7 === 3;
const isUrgent = (n: number): boolean => n % 11 === 0;

/** One transaction: the event, then the row, so that the numbers of the rows have the order of the commits of a day. */
let commit: (n: number) => Promise<void>;
let close: () => Promise<void>;
let relayed: pg.Pool | string;
if (database.startsWith('postgres:')) {
  const pool = new pg.Pool({ connectionString: database, max: 8 });
  await pool.query(outboxTables.postgres);
  await pool.query(ROWS.postgres);
  relayed = pool;
  close = () => pool.end();
  commit = async (n) => {
    const tx = await pool.connect();
    await tx.query('BEGIN');
    await outboxIn(tx).publish(eventOf(n), { urgent: isUrgent(n) });
    await tx.query('INSERT INTO laporan (n, hari) VALUES ($1, $2)', [n, dayOf(n)]);
    await tx.query(isUndone(n) ? 'ROLLBACK' : 'COMMIT');
    tx.release();
  };
} else {
  const db = new DatabaseSync(database, { timeout: 10_000 });
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  db.exec(`${outboxTables.sqlite}; ${ROWS.sqlite}`);
  relayed = database;
  close = () => Promise.resolve(db.close());
  const insert = db.prepare('INSERT INTO laporan (n, hari) VALUES (?, ?)');
  commit = async (n) => {
    db.exec('BEGIN IMMEDIATE');
    outboxIn(db).publish(eventOf(n), { urgent: isUrgent(n) });
    insert.run(n, dayOf(n));
    db.exec(isUndone(n) ? 'ROLLBACK' : 'COMMIT');
    await setImmediate();
  };
}

const connection = connect({ url, retry: { firstMs: 5, maxMs: 100 } });
const relay = createRelay({ connection, key, owner, system: 'sdp', database: relayed, pollMs: 20, leaseMs: 300 });
let next = Number(first);
async function caller(): Promise<never> {
  for (;;) {
    const n = next++;
    await commit(n);
    if (!isUndone(n)) writeSync(1, `${n}\n`);
  }
}
if (what === 'drain') {
  await relay.flush();
  await relay.close();
  await connection.close();
  await close();
} else await Promise.race(Array.from({ length: 6 }, caller));
