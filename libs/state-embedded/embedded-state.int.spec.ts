import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  change,
  DAY,
  del,
  digestOfFacts,
  digestOfState,
  facts,
  newView,
  put,
  STREAM,
  T0,
  until,
} from '#state/conformance';
import { openEmbeddedState } from './index.js';

const P0 = { stream: STREAM, partition: 0 };
let dir: string;
let children: ChildProcess[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-state-'));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

/** Starts the process of folding.fixture.ts and collects the lines that it prints. */
function folding(...args: (string | number)[]) {
  const sources = new URL('../log/conformance/sources.mjs', import.meta.url).href;
  const file = join(import.meta.dirname, 'folding.fixture.ts');
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '-C',
      'simpul-source',
      '--import',
      sources,
      file,
      dir,
      ...args.map(String),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  children.push(child);
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const printed = async (what: RegExp, times = 1): Promise<void> => {
    await until(async () => lines.filter((line) => what.test(line)).length >= times || child.exitCode !== null, 30_000);
    expect(lines.filter((line) => what.test(line)).length).toBeGreaterThanOrEqual(times);
  };
  return { child, lines, ended, printed };
}

describe('kill -9 (SIGKILL)', () => {
  it('of a committing process, ten times, leaves progress and values that agree, and loses no acknowledged commit', async () => {
    const log = facts(9, 200_000);
    for (let seed = 1; seed <= 10; seed++) {
      const run = folding(9, log.length);
      await run.printed(/^at /, 3 + ((seed * 17) % 41));
      run.child.kill('SIGKILL');
      await run.ended;
      const acknowledged = Number(
        run.lines
          .filter((line) => /^at \d+$/.test(line))
          .at(-1)!
          .slice(3),
      );
      const state = await openEmbeddedState({ dir });
      const next = Number((await state.position('fold', P0))?.next);
      await state.close();
      const again = await openEmbeddedState({ dir });
      expect(next).toBeGreaterThanOrEqual(acknowledged);
      expect(await digestOfState(again, 'fold', 0)).toBe(digestOfFacts(log, next, P0));
      await again.close();
    }
  });
});

describe('a full disk', () => {
  it('rejects commits with state_unavailable, leaves no partial commit, and commits succeed when there is space again', async () => {
    const log = facts(3, 3_000);
    const run = folding(3, log.length, 20_000);
    await run.printed(/^at /, 5);
    // RLIMIT_FSIZE stands in for a full disk
    const limit = (fsize: string): void => {
      const set = spawnSync('prlimit', ['--pid', String(run.child.pid), `--fsize=${fsize}`], { encoding: 'utf8' });
      expect(set.stderr).toBe('');
    };
    limit(`${statSync(join(dir, 'state.sqlite-wal')).size + 100_000}:`);
    await run.printed(/^fault /, 3);
    limit('unlimited:');
    await run.printed(/^done/);
    await run.ended;
    const faults = run.lines.filter((line) => line.startsWith('fault'));
    expect(new Set(faults)).toEqual(new Set(['fault state_unavailable whole']));
    const state = await openEmbeddedState({ dir });
    expect(await digestOfState(state, 'fold', 0)).toBe(digestOfFacts(log, log.length, P0));
    await state.close();
  });
});

describe('openEmbeddedState', () => {
  it('renames a file without a valid header to state.sqlite.set-aside-<number>, reports it, and creates an empty one', async () => {
    const aside: string[] = [];
    for (const number of [1, 2]) {
      writeFileSync(join(dir, 'state.sqlite'), 'no longer a database '.repeat(500));
      const state = await openEmbeddedState({ dir, report: { setAside: (file) => aside.push(file) } });
      expect(await state.position('v', P0)).toBeUndefined();
      expect(await state.commit('v', P0, change(0, 1, [put('a', 0)]))).toEqual({ ok: true });
      expect(existsSync(join(dir, `state.sqlite.set-aside-${number}`))).toBe(true);
      await state.close();
    }
    expect(aside).toEqual([1, 2].map((n) => join(dir, `state.sqlite.set-aside-${n}`)));
  });

  it('replaces a file of another format by an empty one', async () => {
    const one = await openEmbeddedState({ dir });
    await one.commit('v', P0, change(0, 1, [put('a', 0)]));
    await one.close();
    const db = new DatabaseSync(join(dir, 'state.sqlite'));
    db.exec('PRAGMA user_version = 99');
    db.close();
    const two = await openEmbeddedState({ dir });
    expect(await two.position('v', P0)).toBeUndefined();
    await two.close();
  });

  it('keeps the state of a file of the last release, which has no proofs', async () => {
    const view = newView();
    const old = await openEmbeddedState({ dir });
    await old.commit(view, P0, change(0, 2, [put('a', 1)], { proof: 'x' }));
    await old.close();
    const db = new DatabaseSync(join(dir, 'state.sqlite'));
    for (const column of ['proof', 'reset_ms', 'reset_until']) db.exec(`ALTER TABLE progress DROP COLUMN ${column}`);
    db.close();
    const state = await openEmbeddedState({ dir });
    const position = { stream: STREAM, next: 2n, epoch: 7n, appendTimeMs: T0 + 1 };
    expect(await state.position(view, P0)).toEqual(position);
    await state.commit(view, P0, change(2, 2, [], { proof: 'y' }));
    expect(await state.position(view, P0)).toEqual({ ...position, proof: 'y' });
    expect((await state.scan(view, 0)).entries).toHaveLength(1);
    await state.close();
  });

  it('rejects with state_unavailable when the folder cannot be created', async () => {
    writeFileSync(join(dir, 'file'), '');
    const under = join(dir, 'file', 'state');
    await expect(openEmbeddedState({ dir: under })).rejects.toMatchObject({ code: 'state_unavailable' });
  });
});

describe('group commit', () => {
  it('applies waiting commits in the order of the calls, and a refused one does not fail the others', async () => {
    const state = await openEmbeddedState({ dir });
    const view = newView();
    const many = Array.from({ length: 200 }, (_, i) => state.commit(view, P0, change(i, i + 1, [put('a', i)])));
    const odd = state.commit(view, P0, change(5, 6, [put('a', 5)]));
    const other = state.commit(newView(), P0, change(0, 1, [put('b', 0)]));
    expect((await Promise.all(many)).every((done) => done.ok)).toBe(true);
    expect(await odd).toEqual({ ok: false, expected: 200n, epoch: 7n });
    expect(await other).toEqual({ ok: true });
    expect((await state.read(view, 0, ['a'])).entries[0]?.position).toBe(`${STREAM}/0/199`);
    await state.close();
  });

  it('fails only the commit that SQLite cannot store, not the others of its transaction', async () => {
    const state = await openEmbeddedState({ dir });
    const [one, two] = [newView(), newView()];
    const beyond = 2n ** 63n;
    const ends = await Promise.allSettled([
      state.commit(one, P0, change(0, 1, [put('a', 0)])),
      state.commit(two, P0, change(beyond, beyond + 1n, [], { low: beyond })),
      state.commit(one, P0, change(1, 2, [put('a', 1)])),
    ]);
    expect(ends.map((end) => end.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await state.position(one, P0)).toMatchObject({ next: 2n });
    await state.close();
  });

  it('finishes the commits that were made before close()', async () => {
    const state = await openEmbeddedState({ dir });
    const done = state.commit('v', P0, change(0, 1, [put('a', 0)]));
    await state.close();
    expect(await done).toEqual({ ok: true });
    const again = await openEmbeddedState({ dir });
    expect(await again.position('v', P0)).toMatchObject({ next: 1n });
    await again.close();
  });
});

describe('retention', () => {
  const count = (table: string): number => {
    const db = new DatabaseSync(join(dir, 'state.sqlite'), { readOnly: true });
    const row = db.prepare(`SELECT count(*) n FROM ${table}`).get();
    db.close();
    return Number(row?.['n']);
  };

  it('removes rows of the duplicate index after eight days, and not before', async () => {
    let now = 1_626_310_800_000;
    const state = await openEmbeddedState({ dir, now: () => now });
    const first = (id: string) => ({
      source: 's',
      id,
      stream: STREAM,
      partition: 0,
      offset: 1n,
      digest: 'e'.repeat(64),
      schemaId: 1,
      recordedTimeMs: now,
    });
    const old = Array.from({ length: 1_200 }, (_, i) => first(`lama${i}`));
    await state.putFirst(old);
    now += 8 * DAY - 5_000;
    await state.putFirst([first('baru')]);
    now += 2_000;
    await state.putFirst([first('baru2')]);
    expect((await state.findFirst(old)).filter(Boolean)).toHaveLength(1_200);
    now += 5_000;
    await state.putFirst([first('baru3')]);
    await until(async () => count('firsts') === 3);
    expect((await state.findFirst([first('baru'), ...old])).filter(Boolean)).toEqual([
      expect.objectContaining({ id: 'baru' }),
    ]);
    await state.close();
  });

  it('removes the rows of a dropped view in the background, also after the store was opened again', async () => {
    const state = await openEmbeddedState({ dir });
    for (let at = 0; at < 3_000; at += 500) {
      await state.commit(
        'v',
        P0,
        change(
          at,
          at + 500,
          Array.from({ length: 500 }, (_, i) => put(`k${at + i}`, at + i)),
        ),
      );
    }
    await state.commit('v', P0, change(3_000, 3_001, [del('k0', 3_000)]));
    expect(count('entries')).toBe(2_999);
    await state.drop('v', 1);
    await state.close();
    const again = await openEmbeddedState({ dir });
    const tables = ['parts', 'entries', 'feed', 'deletes', 'progress'];
    await until(async () => tables.every((table) => count(table) === 0));
    expect(await again.scan('v', 0)).toEqual({ entries: [], more: false, progress: [] });
    await again.close();
  });
});
