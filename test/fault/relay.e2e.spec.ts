import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { connect, createReader, type ReadEvent } from '#sdk';
import { deploy, type Deployment } from '../kit/deployment.js';
import { startPostgres, whyNoPostgres, type Postgres } from '../kit/postgres.js';
import { random } from '../kit/random.js';

const KILLS = process.env['SIMPUL_TEST_CAMPAIGN'] ? 100 : 5;
const SEED = Number(process.env['SIMPUL_TEST_SEED'] ?? 2021);
const UNIT = 'SU00518';
const CHILD = join(import.meta.dirname, '../../dist/test/kit/kills/relay-unit.js');
/** More than the six callers of a life can have committed beyond what they have told. */
const APART = 20;

interface Row {
  readonly n: number;
  readonly hari: string;
}

describe('kill -9 of a unit whose events commit with its own rows, while it relays them', () => {
  let hub: Deployment | undefined;
  let postgres: Postgres | undefined;
  let running: ChildProcess | undefined;
  afterEach(async () => {
    running?.kill('SIGKILL');
    await hub?.close();
    await postgres?.stop();
    [hub, postgres] = [undefined, undefined];
  });

  const loses = 'every row has its event once, no event is without a row, in the order of the commits of each day';
  const told = `${KILLS} kills, seed ${SEED} (SIMPUL_TEST_SEED)`;
  const missing = whyNoPostgres();

  async function survives(database: string, rowsOf: () => Promise<Row[]>): Promise<void> {
    const rnd = random(SEED);
    const key = await hub!.key(UNIT, 'sdp', ['publisher', 'reader']);
    const told = new Set<number>();
    const committed = new EventEmitter();
    const start = (what: 'write' | 'drain'): ChildProcess => {
      const args = [CHILD, hub!.url, key, UNIT, database, String(Math.max(0, ...told) + APART), what];
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      createInterface({ input: child.stdout }).on('line', (line) => {
        told.add(Number(line));
        committed.emit('one');
      });
      child.on('close', () => committed.emit('one'));
      return child;
    };
    for (let k = 0; k < KILLS; k++) {
      running = start('write');
      const target = told.size + 3 + Math.floor(rnd() * 120);
      while (told.size < target && running.exitCode === null) await once(committed, 'one');
      expect(running.exitCode).toBeNull();
      const closed = once(running, 'close');
      running.kill('SIGKILL');
      await closed;
      if (k % 5 === 4) await hub!.crash();
    }
    running = start('drain');
    expect(await once(running, 'close')).toEqual([0, null]);

    const connection = connect({ url: hub!.url });
    const log: ReadEvent[] = [];
    // pages() drops no copies, as read() would.
    for await (const page of createReader({ connection, key }).pages('pas.hunian')) log.push(...page.events);
    await connection.close();
    const rows = await rowsOf();
    const recorded = log.map(({ data }) => ({ n: Number(data['jumlahTahanan']), hari: String(data['tanggal']) }));
    const numbers = (list: readonly { readonly n: number }[]): number[] =>
      list.map(({ n }) => n).toSorted((a, b) => a - b);
    expect(numbers(recorded)).toEqual(numbers(rows));
    expect([...told].filter((n) => !rows.some((row) => row.n === n))).toEqual([]);
    expect(told.size).toBeGreaterThan(KILLS * 3);
    const days = new Set(rows.map(({ hari }) => hari));
    expect(days.size).toBe(5);
    const of = (list: readonly Row[], day: string): number[] =>
      list.filter(({ hari }) => hari === day).map(({ n }) => n);
    for (const day of days) expect([day, of(recorded, day)]).toEqual([day, of(rows, day)]);
    const sequence = log.map((e) => Number(e['urutanunit'])).toSorted((a, b) => a - b);
    expect(sequence).toEqual(Array.from(log, (_, i) => i + 1));
  }

  it(
    `in SQLite: ${loses}: ${told}`,
    async () => {
      hub = await deploy();
      const file = join(hub.dir, 'unit.sqlite');
      await survives(file, () => {
        const db = new DatabaseSync(file);
        const rows = db.prepare('SELECT n, hari FROM laporan ORDER BY seq').all() as unknown as Row[];
        db.close();
        return Promise.resolve(rows);
      });
    },
    60_000 + KILLS * 15_000,
  );

  (missing === undefined ? it : it.skip)(
    `in PostgreSQL: ${loses}: ${told}${missing === undefined ? '' : ` (skipped: ${missing})`}`,
    async () => {
      [hub, postgres] = await Promise.all([deploy(), startPostgres()]);
      const { url } = postgres;
      await survives(url, async () => {
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        const { rows } = await client.query<Row>('SELECT n, hari FROM laporan ORDER BY seq');
        await client.end();
        return rows;
      });
    },
    60_000 + KILLS * 15_000,
  );
});
