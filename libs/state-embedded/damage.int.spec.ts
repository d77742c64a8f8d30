import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { State } from '#state';
import { change, put, STREAM, until } from '#state/conformance';
import { openEmbeddedState } from './index.js';
import { setAside } from './damage.js';

const P0 = { stream: STREAM, partition: 0 };
const ROWS = 20_000;
let dir: string;
let state: State | undefined;
let aside: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-damage-'));
  aside = [];
});
afterEach(async () => {
  jest.restoreAllMocks();
  await state?.close();
  state = undefined;
  rmSync(dir, { recursive: true, force: true });
});

const open = async (): Promise<State> =>
  (state = await openEmbeddedState({ dir, report: { setAside: (file) => aside.push(file) } }));

/** A store with entries, closed; then every page behind the first ones is damaged. */
async function makeDamaged(): Promise<void> {
  const made = await openEmbeddedState({ dir });
  for (let at = 0; at < ROWS; at += 500) {
    const puts = Array.from({ length: 500 }, (_, i) => put(`key${at + i}`, at + i));
    await made.commit('view', P0, change(at, at + 500, puts));
  }
  await made.close();
  const file = join(dir, 'state.sqlite');
  const bytes = readFileSync(file);
  for (let page = 16; page < bytes.length / 4096; page++) bytes.fill(0xa5, page * 4096, page * 4096 + 64);
  writeFileSync(file, bytes);
}

const next = async (s: State) => (await s.position('view', P0).catch(() => ({ next: -1n })))?.next;

describe('a damaged page of state.sqlite', () => {
  it.each<[string, (s: State) => Promise<unknown>]>([
    [
      'a commit',
      (s) =>
        s.commit(
          'view',
          P0,
          change(
            ROWS,
            ROWS + 500,
            Array.from({ length: 500 }, (_, i) => put(`key${i * 37}`, ROWS + i)),
          ),
        ),
    ],
    [
      'a read',
      (s) =>
        s.read(
          'view',
          0,
          Array.from({ length: 200 }, (_, i) => `key${i * 90}`),
        ),
    ],
    ['a scan', (s) => s.scan('view', 0, { limit: ROWS })],
    ['a page of changes', (s) => s.changes('view', P0, -1n, ROWS)],
  ])(
    'that %s meets sets the file aside, and the store begins empty by itself, as a new connection',
    async (_what, ask) => {
      await makeDamaged();
      const s = await open();
      const before = s.connection();
      expect(await next(s)).toBe(BigInt(ROWS));
      await expect(ask(s)).rejects.toMatchObject({ code: 'state_unavailable' });
      await expect(s.ping()).rejects.toMatchObject({ code: 'state_unavailable' });
      await until(async () => aside.length === 1 && (await next(s)) === undefined, 20_000);
      await s.ping();
      expect(s.connection()).toBeGreaterThan(before);
      expect(aside).toEqual([join(dir, 'state.sqlite.set-aside-1')]);
      // a running projector is refused and begins again, so that no hole can appear
      expect(await s.commit('view', P0, change(ROWS, ROWS + 1, [put('a', ROWS)], { low: 0n }))).toMatchObject({
        ok: false,
        expected: 0n,
      });
      expect(await s.commit('view', P0, change(0, 1, [put('a', 0)]))).toEqual({ ok: true });
      expect((await s.read('view', 0, ['a'])).entries[0]).toBeDefined();
    },
  );

  it('that only ping() meets is seen by it: no health check says that a damaged store is fine', async () => {
    await makeDamaged();
    const file = join(dir, 'state.sqlite');
    const bytes = readFileSync(file);
    // the roots of all tables
    for (let page = 1; page < 16; page++) bytes.fill(0xa5, page * 4096, page * 4096 + 64);
    writeFileSync(file, bytes);
    const s = await openEmbeddedState({ dir, report: { setAside: (f) => aside.push(f) } });
    state = s;
    if (aside.length === 0) await expect(s.ping()).rejects.toMatchObject({ code: 'state_unavailable' });
    await until(
      async () =>
        aside.length === 1 &&
        (await s.ping().then(
          () => true,
          () => false,
        )),
      20_000,
    );
    expect(await s.position('view', P0)).toBeUndefined();
  });

  it('keeps the three newest files that were set aside', () => {
    const file = join(dir, 'state.sqlite');
    for (let n = 1; n <= 5; n++) {
      for (const end of ['', '-wal', '-shm']) writeFileSync(`${file}${end}`, String(n));
      expect(setAside(file)).toBe(`${file}.set-aside-${n}`);
    }
    const left = [3, 4, 5].flatMap((n) => [`state.sqlite.set-aside-${n}`, `state.sqlite.set-aside-${n}-wal`]);
    expect(readdirSync(dir).sort()).toEqual(left.sort());
    expect(existsSync(file)).toBe(false);
  });
});

describe('a writer thread that ends by an error', () => {
  it('fails what it was asked, and its exit does not fail what the next thread was asked', async () => {
    const s = await open();
    const posted = jest.spyOn(Worker.prototype, 'postMessage');
    expect(await s.commit('view', P0, change(0, 1, [put('a', 0)]))).toEqual({ ok: true });
    const worker = posted.mock.contexts[0] as Worker;
    posted.mockRestore();
    const ended = new Promise((resolve) => worker.once('error', resolve));
    const again = ended.then(() => s.commit('view', P0, change(1, 2, [put('b', 1)])));
    worker.postMessage(null);
    await ended;
    expect(await again).toEqual({ ok: true });
  });
});
