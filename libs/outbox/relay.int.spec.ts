import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { connect } from '#sdk';
import { startPostgres, whyNoPostgres, type Postgres } from '../../test/kit/postgres.js';
import { recordingHub, type SentEvent, type Verdict } from '../../test/kit/recording-hub.js';
import { createRelay, outboxIn, outboxTables, type Relay, type RelayOptions, type StoredEvent } from './index.js';

const AS = { key: 'k1', owner: 'SU00123', system: 'simkim' };
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function hubWith(verdict?: (event: SentEvent) => Verdict) {
  const hub = await recordingHub(verdict);
  closing.push(hub.close);
  return hub;
}
const fact = (no: string, n: number) => ({
  type: 'imigrasi.paspor.diterbitkan',
  data: { nomorPermohonan: no, n },
  orderingKey: no,
});
const numbersOf = (events: readonly SentEvent[], no: string): number[] =>
  events.filter((e) => e.data['nomorPermohonan'] === no).map((e) => e.data['n'] as number);

/** The database of a unit, as the promises below need it. */
interface Unit {
  readonly database: RelayOptions['database'];
  /** One transaction: writes the unit's row and publishes; `fails` rolls it back. */
  commit(
    no: string,
    n: number,
    options?: { readonly urgent?: boolean; readonly fails?: boolean },
  ): Promise<StoredEvent>;
  /** Rows of the unit's own table. */
  rows(): Promise<number>;
}

function promises(unit: () => Unit): void {
  const relayTo = (url: string, more: Partial<RelayOptions> = {}): Relay => {
    const connection = connect({ url, timeoutMs: 2_000, retry: { firstMs: 1, maxMs: 5 } });
    const relay = createRelay({ ...AS, connection, database: unit().database, pollMs: 10, ...more });
    closing.push(
      () => connection.close(),
      () => relay.close(),
    );
    return relay;
  };

  it('the row of the unit and its event commit together, or neither is there', async () => {
    const hub = await hubWith();
    const made = await unit().commit('P-1', 1);
    await expect(unit().commit('P-1', 2, { fails: true })).rejects.toThrow('rolled back');
    const relay = relayTo(hub.url);
    await relay.flush();
    expect([await unit().rows(), hub.events.map((e) => [e.id, e.source, e.urutanunit])]).toEqual([
      1,
      [[made.id, 'urn:simpul:unit:SU00123:simkim', '1']],
    ]);
    expect(await relay.status()).toMatchObject({ queued: 0, refused: 0, sends: true });
  });

  it('events of a key leave in the order of the commits, urgent ones first behind the earlier ones of their key', async () => {
    for (let n = 0; n < 60; n++) await unit().commit(`P-${n % 3}`, n);
    await unit().commit('P-2', 60, { urgent: true });
    let n = 0;
    const hub = await hubWith(() => (n++ % 7 === 3 ? { status: 503, code: 'not_durable' } : 'ok'));
    const relay = relayTo(hub.url);
    await relay.flush();
    for (const key of [0, 1, 2]) {
      const own = numbersOf(hub.events, `P-${key}`);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
    }
    expect(hub.events[0]?.data['nomorPermohonan']).toBe('P-2');
    expect(hub.events.map((e) => Number(e.urutanunit)).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 61 }, (_, i) => i + 1),
    );
  });

  it('three relays that all believe to have the lease neither reorder nor record twice, and agree on the numbers', async () => {
    for (let k = 0; k < 100; k++) await unit().commit(`P-${k % 5}`, k);
    let n = 0;
    const hub = await hubWith(() => (n++ % 11 === 5 ? 'cut' : 'ok'));
    // A lease of no length is never anybody else's.
    const relays = [1, 2, 3].map(() => relayTo(hub.url, { leaseMs: 0 }));
    await Promise.all(relays.map((r) => r.flush()));
    expect(hub.events).toHaveLength(100);
    for (let key = 0; key < 5; key++)
      expect(numbersOf(hub.events, `P-${key}`)).toEqual(Array.from({ length: 20 }, (_, i) => i * 5 + key));
    expect(new Set(hub.events.map((e) => e.urutanunit)).size).toBe(100);
    expect((await relays[0]!.status()).refused).toBe(0);
  });

  it('one relay sends and another takes over when it has closed', async () => {
    const hub = await hubWith();
    const first = relayTo(hub.url);
    await unit().commit('P-1', 1);
    await first.flush();
    const second = relayTo(hub.url);
    expect([(await first.status()).sends, (await second.status()).sends]).toEqual([true, false]);
    await unit().commit('P-1', 2);
    await second.flush();
    expect((await second.status()).sends).toBe(false);
    await first.close();
    await unit().commit('P-1', 3);
    await second.flush();
    expect([(await second.status()).sends, numbersOf(hub.events, 'P-1')]).toEqual([true, [1, 2, 3]]);
  });

  it.each(['go on', 'stop'] as const)(
    'a refused event is kept aside, and its key then does as chosen: %s',
    async (whenRefused) => {
      let mended = false;
      const hub = await hubWith((e) =>
        e.data['n'] === 1 && !mended ? { status: 422, code: 'schema_mismatch' } : 'ok',
      );
      const bad = await unit().commit('P-1', 1);
      await unit().commit('P-1', 2);
      await unit().commit('P-2', 3);
      const relay = relayTo(hub.url, { whenRefused });
      await relay.flush();
      expect(numbersOf(hub.events, 'P-1')).toEqual(whenRefused === 'stop' ? [] : [2]);
      expect(numbersOf(hub.events, 'P-2')).toEqual([3]);
      expect(await relay.refused()).toMatchObject([{ event: { id: bad.id }, fault: { code: 'schema_mismatch' } }]);
      mended = true;
      await relay.retry(bad.id);
      await relay.flush();
      expect(numbersOf(hub.events, 'P-1')).toEqual(whenRefused === 'stop' ? [1, 2] : [2, 1]);
      expect(hub.events.map((e) => e.urutanunit).toSorted()).toEqual(['1', '2', '3']);
      await expect(relay.drop(bad.id)).rejects.toMatchObject({ code: 'outbox_unknown_event' });
    },
  );

  it('an expired key refuses no event: all wait, and go on with a new key', async () => {
    const hub = await recordingHub((_e, { headers }) =>
      headers.authorization === 'Bearer k2' ? 'ok' : { status: 401, code: 'key_expired' },
    );
    closing.push(hub.close);
    await unit().commit('P-1', 1);
    const paused = Promise.withResolvers<void>();
    const relay = relayTo(hub.url, { report: { paused: () => paused.resolve() } });
    await paused.promise;
    expect(await relay.status()).toMatchObject({ queued: 1, refused: 0, paused: { code: 'key_expired' } });
    await expect(relay.flush({ deadlineMs: 30 })).rejects.toMatchObject({ code: 'outbox_not_settled' });
    relay.renewKey('k2');
    await relay.flush();
    expect(numbersOf(hub.events, 'P-1')).toEqual([1]);
  });
}

describe('outboxIn a transaction of SQLite', () => {
  let dir: string;
  let db: DatabaseSync;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'simpul-outbox-'));
    db = new DatabaseSync(join(dir, 'unit.sqlite'), { timeout: 5_000 });
    db.exec(`PRAGMA journal_mode=WAL; CREATE TABLE perkara (no TEXT, n INTEGER); ${outboxTables.sqlite}`);
    closing.push(async () => {
      db.close();
      rmSync(dir, { recursive: true, force: true });
    });
  });

  promises(() => ({
    database: join(dir, 'unit.sqlite'),
    async commit(no, n, { urgent = false, fails = false } = {}) {
      db.exec('BEGIN IMMEDIATE');
      db.prepare('INSERT INTO perkara VALUES (?, ?)').run(no, n);
      const made = outboxIn(db).publish(fact(no, n), { urgent });
      db.exec(fails ? 'ROLLBACK' : 'COMMIT');
      if (fails) throw new Error('rolled back');
      return made;
    },
    rows: async () => Number(db.prepare('SELECT count(*) AS n FROM perkara').get()?.['n']),
  }));

  it('is refused without a transaction and without its tables, each in one line', () => {
    expect(() => outboxIn(db).publish(fact('P', 1))).toThrow(/^outbox_no_transaction: .*BEGIN.*$/);
    const other = new DatabaseSync(':memory:');
    other.exec('BEGIN');
    expect(() => outboxIn(other).publish(fact('P', 1))).toThrow(/^outbox_no_tables: .*outboxTables.*$/);
    other.close();
  });
});

const why = whyNoPostgres();
if (why !== undefined) process.stderr.write(`skipped: outboxIn a transaction of PostgreSQL: ${why}\n`);
(why === undefined ? describe : describe.skip)('outboxIn a transaction of PostgreSQL', () => {
  let server: Postgres;
  let pool: pg.Pool;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 10 });
    // The server may end while a client of a pool that has ended still says goodbye.
    pool.on('error', () => undefined);
    pool.on('connect', (client) => client.on('error', () => undefined));
  });
  afterAll(async () => {
    await pool?.end();
    await server?.stop();
  });
  beforeEach(async () => {
    await pool.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE perkara (no text, n int)');
    await pool.query(outboxTables.postgres);
  });

  const transaction = async <T>(work: (tx: pg.PoolClient) => Promise<T>): Promise<T> => {
    const tx = await pool.connect();
    try {
      await tx.query('BEGIN');
      const result = await work(tx);
      await tx.query('COMMIT');
      return result;
    } catch (e) {
      await tx.query('ROLLBACK');
      throw e;
    } finally {
      tx.release();
    }
  };

  promises(() => ({
    database: pool,
    commit: (no, n, { urgent = false, fails = false } = {}) =>
      transaction(async (tx) => {
        await tx.query('INSERT INTO perkara VALUES ($1, $2)', [no, n]);
        const made = await outboxIn(tx).publish(fact(no, n), { urgent });
        if (fails) throw new Error('rolled back');
        return made;
      }),
    rows: async () => Number((await pool.query('SELECT count(*) AS n FROM perkara')).rows[0].n),
  }));

  it('of two transactions about one key the second one waits, so the order of the rows is that of the commits', async () => {
    const hub = await hubWith();
    const first = await pool.connect();
    await first.query('BEGIN');
    await outboxIn(first).publish(fact('P-1', 1));
    let ended = false;
    const second = transaction((tx) => outboxIn(tx).publish(fact('P-1', 2))).then(() => (ended = true));
    // Another key does not wait.
    await transaction((tx) => outboxIn(tx).publish(fact('P-2', 3)));
    const relay = createRelay({ ...AS, url: hub.url, database: pool, pollMs: 10 });
    closing.push(() => relay.close());
    await relay.flush();
    expect([ended, hub.events.map((e) => e.data['n'])]).toEqual([false, [3]]);
    await first.query('COMMIT');
    first.release();
    await second;
    await relay.flush();
    expect(hub.events.map((e) => e.data['n'])).toEqual([3, 1, 2]);
  });

  it('40 transactions side by side over 4 keys leave in the order of their commits', async () => {
    const hub = await hubWith();
    const committed: number[] = [];
    const relay = createRelay({ ...AS, url: hub.url, database: pool, pollMs: 1 });
    closing.push(() => relay.close());
    await pool.query('CREATE TABLE urutan (key text PRIMARY KEY, n int)');
    for (let k = 0; k < 4; k++) await pool.query('INSERT INTO urutan VALUES ($1, 0)', [`P-${k}`]);
    await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        transaction(async (tx) => {
          const key = `P-${i % 4}`;
          // The unit's own order of a case: its row is locked by the update.
          const { rows } = await tx.query('UPDATE urutan SET n = n + 1 WHERE key = $1 RETURNING n', [key]);
          await outboxIn(tx).publish(fact(key, rows[0].n as number));
          committed.push(i);
        }),
      ),
    );
    await relay.flush();
    expect([committed.length, hub.events.length]).toEqual([40, 40]);
    for (let k = 0; k < 4; k++)
      expect(numbersOf(hub.events, `P-${k}`)).toEqual(Array.from({ length: 10 }, (_, i) => i + 1));
  });

  it('is refused for a pool, without a transaction, and without its tables, each in one line', async () => {
    expect(() => outboxIn(pool as never)).toThrow(/^outbox_no_transaction: .*BEGIN.*$/);
    const client = await pool.connect();
    const outside = outboxIn(client).publish(fact('P', 1));
    await expect(outside.finally(() => client.release())).rejects.toMatchObject({ code: 'outbox_no_transaction' });
    expect((await pool.query('SELECT * FROM simpul_outbox')).rows).toEqual([]);
    await pool.query('DROP TABLE simpul_outbox');
    await expect(transaction((tx) => outboxIn(tx).publish(fact('P', 1)))).rejects.toMatchObject({
      code: 'outbox_no_tables',
    });
  });

  it('the same event again is stored once; another one with its id is refused', async () => {
    await transaction((tx) => outboxIn(tx).publish({ ...fact('P', 1), id: 'x' }));
    await transaction((tx) => outboxIn(tx).publish({ ...fact('P', 1), id: 'x' }));
    expect(Number((await pool.query('SELECT count(*) AS n FROM simpul_outbox')).rows[0].n)).toBe(1);
    await expect(transaction((tx) => outboxIn(tx).publish({ ...fact('P', 2), id: 'x' }))).rejects.toMatchObject({
      code: 'outbox_id_reused',
    });
  });
});
