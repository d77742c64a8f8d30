import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { isFault } from '#faults';
import type { Put, State } from '#state';
import {
  change,
  DAY,
  del,
  digestOfFacts,
  digestOfState,
  facts,
  fold,
  newView,
  put,
  STREAM,
  T0,
  until,
} from '#state/conformance';
import { startRedis, type RedisServer } from '../../deploy/local/redis.js';
import { random } from '../../test/kit/random.js';
import { openRedisState } from './index.js';
import { idOf } from './records.js';

const P0 = { stream: STREAM, partition: 0 };

let dir: string;
let server: RedisServer;
let admin: Redis;
let state: State;
let now = T0;
let told: string[];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-redis-'));
  server = await startRedis({ dir, cache: '.simpul/redis' });
  admin = new Redis(server.url);
  told = [];
  const report = { leftOldLayout: () => told.push('left') };
  state = await openRedisState({ url: server.url, now: () => now, report });
});
afterAll(async () => {
  await state?.close();
  admin?.disconnect();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const keysOfView = async (view: string): Promise<string[]> =>
  (await admin.keys('*')).filter((key) => key.startsWith(`{${encodeURIComponent(view)}:`));

async function scanAll(view: string, limit: number, prefix?: string): Promise<string[]> {
  const keys: string[] = [];
  for (let more = true, after: string | undefined; more; after = keys.at(-1)) {
    const page = await state.scan(view, 0, {
      limit,
      ...(after === undefined ? {} : { after }),
      ...(prefix === undefined ? {} : { prefix }),
    });
    keys.push(...page.entries.map((entry) => entry.key));
    more = page.more;
  }
  return keys;
}

const sorted = (keys: readonly string[]): string[] =>
  [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

/** Puts and deletes at random, kept beside in a map; checks scan, read and the change feed against it. */
async function against(view: string, seed: number, rounds: number, keyOf: (n: number) => string): Promise<void> {
  const next = random(seed);
  const below = (n: number): number => Math.floor(next() * n);
  const model = new Map<string, { value: string; offset: number }>();
  const feed = new Map<string, number>();
  let offset = 0;
  for (let round = 0; round < rounds; round++) {
    const rows = new Map<string, ReturnType<typeof put> | ReturnType<typeof del>>();
    const from = offset;
    for (let i = 0; i < 200; i++, offset++) {
      const key = keyOf(below(1_500));
      rows.set(key, below(5) === 0 ? del(key, offset) : put(key, offset, 'v'.repeat(below(300))));
    }
    expect(await state.commit(view, P0, change(from, offset, [...rows.values()]))).toEqual({ ok: true });
    for (const [key, row] of rows) {
      feed.set(key, Number(row.offset));
      if ('value' in row) model.set(key, { value: row.value, offset: Number(row.offset) });
      else model.delete(key);
    }
  }
  expect(await scanAll(view, 1 + (seed % 60))).toEqual(sorted([...model.keys()]));
  const keys = Array.from({ length: 1_500 }, (_, n) => keyOf(n));
  const { entries } = await state.read(view, 0, keys);
  expect(entries.map((entry) => entry?.value)).toEqual(keys.map((key) => model.get(key)?.value));
  const after = Math.floor(offset / 3);
  const seen: [string, number][] = [];
  for (let at = BigInt(after), more = true; more;) {
    const page = await state.changes(view, P0, at, 70);
    seen.push(...page.changes.map((one): [string, number] => [one.key, Number(one.offset)]));
    at = page.changes.at(-1)?.offset ?? at;
    more = page.more;
  }
  expect(seen).toEqual([...feed].filter(([, o]) => o > after).sort((a, b) => a[1] - b[1]));
}

describe('the storage layout', () => {
  it('keeps scan, read and change feed right over thousands of puts and deletes of random, ordered and long common keys', async () => {
    const forms = [
      (n: number) => `${(n * 2_654_435_761) % 2 ** 32}`,
      (n: number) => `SU00071:2026-${String(n).padStart(6, '0')}`,
      (n: number) => `${'職員/'.repeat(20)}${n}`,
    ];
    for (const [i, keyOf] of forms.entries()) await against(newView(), 7 + i, 30, keyOf);
  });

  it('tells keys with equal ids apart, in reads, scans and the change feed', async () => {
    const byId = new Map<number, string>();
    const pairs: [string, string][] = [];
    for (let n = 0; pairs.length < 3; n++) {
      const key = `k${n.toString(36)}`;
      const bytes = Buffer.from(`e${key}`);
      const id = idOf(bytes, 0, bytes.length);
      const other = byId.get(id);
      if (other !== undefined) pairs.push([other, key]);
      byId.set(id, key);
    }
    const view = newView();
    const many = Array.from({ length: 400 }, (_, n) => `k${n.toString(36)}`);
    const keys = [...new Set([...many, ...pairs.flat()])];
    await state.commit(
      view,
      P0,
      change(
        0,
        1_000,
        keys.map((key, i) => put(key, i, key)),
      ),
    );
    await state.commit(view, P0, change(1_000, 1_001, [put('zz', 1_000)]));
    expect((await state.read(view, 0, keys)).entries.map((entry) => entry?.value)).toEqual(
      keys.map((key) => `"${key}"`),
    );
    expect(await scanAll(view, 50)).toEqual(sorted([...keys, 'zz']));
    await state.commit(
      view,
      P0,
      change(
        1_001,
        1_010,
        pairs.map(([key], i) => del(key, 1_001 + i)),
      ),
    );
    const left = keys.filter((key) => !pairs.some(([gone]) => gone === key));
    expect(await scanAll(view, 50)).toEqual(sorted([...left, 'zz']));
    const { changes } = await state.changes(view, P0, -1n, 2_000);
    expect(changes.map((one) => one.key)).toEqual([...left, 'zz', ...pairs.map(([key]) => key)]);
  });

  it('takes no more than 1.6 times the bytes of key and value, for 10,000 keys of 32 bytes with values of 216 bytes, also after each was changed many times', async () => {
    const view = newView();
    const keyOf = (n: number): string => Buffer.from(`${n}`.padStart(24, 'kunci')).toString('base64url');
    const rows = (from: number, at: number): Put[] =>
      Array.from({ length: 500 }, (_, i) => ({
        space: 'entry',
        key: keyOf(from + i),
        value: 'x'.repeat(216),
        offset: BigInt(at + i),
        appendTimeMs: T0,
      }));
    const ratio = async (): Promise<number> => {
      const sizes = (await keysOfView(view)).map((key) => admin.memory('USAGE', key, 'SAMPLES', 0));
      const bytes = (await Promise.all(sizes)).reduce<number>((sum, size) => sum + (size ?? 0), 0);
      return bytes / 10_000 / (32 + 216);
    };
    let at = 0;
    const pass = async (): Promise<void> => {
      for (let from = 0; from < 10_000; from += 500, at += 500)
        expect(await state.commit(view, P0, change(at, at + 500, rows(from, at)))).toEqual({ ok: true });
    };
    await pass();
    expect(Buffer.byteLength(keyOf(9_999))).toBe(32);
    await until(async () => (await ratio()) <= 1.6);
    for (let i = 0; i < 5; i++) await pass();
    await until(async () => (await ratio()) <= 1.6);
    expect((await state.scan(view, 0, { limit: 10_000 })).entries).toHaveLength(10_000);
  });

  it('frees the memory of deleted entries once their tombstones have expired', async () => {
    const view = newView();
    const keys = Array.from({ length: 1_000 }, (_, i) => `k${i}`);
    await state.commit(
      view,
      P0,
      change(
        0,
        1_000,
        keys.map((key, i) => put(key, i)),
      ),
    );
    await state.commit(
      view,
      P0,
      change(
        1_000,
        2_000,
        keys.map((key, i) => del(key, 1_000 + i)),
      ),
    );
    now += 8 * DAY;
    for (let at = 2_000; at < 2_030; at++) await state.commit(view, P0, change(at, at + 1));
    expect(await state.changes(view, P0, 1_500n, 10)).toMatchObject({ changes: [], gap: true });
    const used = async (): Promise<number> => {
      const sizes = await Promise.all((await keysOfView(view)).map((key) => admin.memory('USAGE', key, 'SAMPLES', 0)));
      return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
    };
    // buckets are merged beside the commits
    await until(async () => (await used()) < 40_000);
  });
});

describe('a view partition of which something is missing', () => {
  const log = facts(11, 600);

  async function folded(): Promise<string> {
    const view = newView();
    await fold(state, view, P0, log, { batch: 50 });
    return view;
  }

  /** Every answer is that of a partition that was never filled, a commit is refused to the beginning, and folding again gives the same digest. */
  async function expectNothing(view: string, what: string): Promise<void> {
    const keys = log.map((fact) => fact.key);
    const empty = { progress: [] };
    expect([what, await state.read(view, 0, keys)]).toMatchObject([what, empty]);
    expect([what, (await state.read(view, 0, keys)).entries.some(Boolean)]).toEqual([what, false]);
    expect([what, await state.scan(view, 0)]).toEqual([what, { entries: [], more: false, progress: [] }]);
    expect([what, await state.changes(view, P0, -1n, 10)]).toMatchObject([what, { changes: [], progress: [] }]);
    expect([what, await state.position(view, P0)]).toEqual([what, undefined]);
    expect([what, await state.commit(view, P0, change(600, 601, [put('baru', 600)], { epoch: 1n }))]).toEqual([
      what,
      { ok: false, expected: 0n, epoch: 0n },
    ]);
    await fold(state, view, P0, log, { batch: 50 });
    expect([what, await digestOfState(state, view, 0)]).toEqual([what, digestOfFacts(log, 600, P0)]);
  }

  it('is seen in every read, whichever of its keys was evicted or deleted, and is folded again from the beginning', async () => {
    const names = await keysOfView(await folded());
    expect(names).toHaveLength(2);
    for (const which of names.keys()) {
      const view = await folded();
      await admin.unlink((await keysOfView(view)).sort()[which]!);
      await expectNothing(view, `key ${which}`);
    }
  });

  it('is seen in every read, whichever field of its hash was deleted by hand', async () => {
    for (const letter of ['b', 'l', 'F', 'f', 'g', 'o', 's', 'h', 'd']) {
      const view = await folded();
      const key = `{${view}:0}:2`;
      const named = async (): Promise<Buffer | undefined> =>
        (await admin.hkeysBuffer(key)).find((name) => name[0] === letter.charCodeAt(0));
      // Leaves are written a moment after the commit.
      await until(async () => (await named()) !== undefined);
      const field = (await named())!;
      expect([letter, await admin.hdel(key, field)]).toEqual([letter, 1]);
      await expectNothing(view, letter);
    }
  });

  it('is seen also while the server evicts: under every policy a read never answers an entry of another moment, nor a part of a scan', async () => {
    const filler = newView();
    const unlessUntrusted = (e: unknown): undefined => {
      if (!(isFault(e) && e.code === 'state_untrusted')) throw e;
    };
    for (const policy of ['allkeys-random', 'allkeys-lru']) {
      const views = await Promise.all(Array.from({ length: 6 }, folded));
      const want = await Promise.all(views.map((view) => digestOfState(state, view, 0)));
      await admin.config('SET', 'maxmemory-policy', policy);
      const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]);
      await admin.config('SET', 'maxmemory', String(used));
      const whole = new Set<number>();
      for (let i = 0; i < 40; i++) {
        await admin.set(`${filler}${i}`, 'x'.repeat(5_000)).catch(() => undefined);
        for (const [n, view] of views.entries()) {
          const page = await state.scan(view, 0, { limit: 100 }).catch(unlessUntrusted);
          // the store looks at the policy once a second, and refuses from then on
          if (page === undefined) continue;
          if (page.progress.length === 0) expect(page.entries).toEqual([]);
          else whole.add(n);
        }
      }
      expect(Number(/evicted_keys:(\d+)/.exec(await admin.info('stats'))?.[1])).toBeGreaterThan(0);
      await admin.config('SET', 'maxmemory', '0');
      await admin.config('SET', 'maxmemory-policy', 'noeviction');
      await until(() =>
        state.ping().then(
          () => true,
          () => false,
        ),
      );
      for (const [n, view] of views.entries()) {
        const kept = await state.position(view, P0);
        expect([undefined, want[n]]).toContain(kept && (await digestOfState(state, view, 0)));
      }
      expect(whole.size).toBeGreaterThan(0);
    }
  });
});

describe('the layout of release 0.1', () => {
  /** Writes a view partition as release 0.1 did. */
  async function old(view: string, withEntries: boolean): Promise<void> {
    const base = `{${encodeURIComponent(view)}:0}:`;
    await admin.hset(`${base}o`, STREAM, `5 7 ${T0 + 4} -`, 'lain.arus', `9 3 ${T0} -`);
    if (!withEntries) return;
    await admin.hset(`${base}e`, 'a', `${STREAM}/0/4 ${T0 + 4} {"o":"4"}`);
    await admin.zadd(`${base}el`, 0, 'a');
    await admin.hset(`${base}s`, 'a', `${STREAM}/0/4 ${T0 + 4} 1`);
    await admin.zadd(`${base}sl`, 0, 'a');
    await admin.zadd(`${base}f:${STREAM}`, 4, 'a');
    await admin.hset(`${base}d`, 'b', T0);
    await admin.zadd(`${base}dx`, T0, 'b');
  }

  it('of a view is never read: the view counts as empty, its first commit removes all old keys, and it is reported once', async () => {
    told.length = 0;
    const views = [newView(), newView()];
    for (const view of views) {
      await old(view, true);
      expect(await state.read(view, 0, ['a'])).toEqual({ entries: [undefined], progress: [] });
      expect(await state.position(view, P0)).toBeUndefined();
      expect(await state.commit(view, P0, change(5, 6, [put('a', 5)]))).toEqual({ ok: false, expected: 0n, epoch: 0n });
      expect(await state.commit(view, P0, change(0, 6, [put('a', 5)]))).toEqual({ ok: true });
      expect((await keysOfView(view)).map((key) => key.split(':').at(-1)).sort()).toEqual(['2', '2l']);
      expect((await scanAll(view, 10)).length).toBe(1);
    }
    expect(told).toEqual(['left']);
  });

  it('of the duplicate index is taken over: its positions go on, also by reset(), and old keys are gone', async () => {
    const [view, again] = [newView(), newView()];
    await old(view, false);
    const position = { stream: STREAM, next: 5n, epoch: 7n, appendTimeMs: T0 + 4 };
    expect(await state.positions(view, [P0, { stream: 'lain.arus', partition: 0 }])).toEqual([
      position,
      { stream: 'lain.arus', next: 9n, epoch: 3n, appendTimeMs: T0 },
    ]);
    expect(await state.commit(view, P0, change(4, 5))).toEqual({ ok: false, expected: 5n, epoch: 7n });
    expect(await state.commit(view, P0, change(5, 8, [], { proof: 'y' }))).toEqual({ ok: true });
    expect(await state.position(view, P0)).toEqual({ ...position, next: 8n, proof: 'y' });
    expect((await state.position(view, { stream: 'lain.arus', partition: 0 }))?.next).toBe(9n);
    await old(again, false);
    const start = { stream: STREAM, epoch: 7n, next: 0n, until: 2n };
    expect(await state.reset(again, 0, { stream: STREAM, next: 5n }, [start], T0)).toBe(true);
    expect((await state.positions(again, [P0, { stream: 'lain.arus', partition: 0 }])).map((at) => at?.next)).toEqual([
      0n,
      9n,
    ]);
    for (const one of [view, again]) expect((await keysOfView(one)).map((key) => key.split(':').at(-1))).toEqual(['2']);
  });

  it('is dropped with the view', async () => {
    const view = newView();
    await old(view, true);
    await state.drop(view, 1);
    expect(await keysOfView(view)).toEqual([]);
  });
});
