import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { State } from '#state';
import { change, digestOfFacts, digestOfState, facts, fold, newView, put, STREAM, until } from '#state/conformance';
import { startRedis, type RedisServer } from '../../deploy/local/redis.js';
import { openRedisState } from './index.js';

const P0 = { stream: STREAM, partition: 0 };
const FOLD_MS = 120_000;
const UNAVAILABLE = { code: 'state_unavailable' };

let dir: string;
let server: RedisServer;
let admin: Redis;
let state: State;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-redis-'));
  server = await startRedis({ dir: join(dir, 'a'), cache: '.simpul/redis' });
  admin = new Redis(server.url, { retryStrategy: () => 20 });
  admin.on('error', () => {});
  state = await openRedisState({ url: server.url });
});
afterAll(async () => {
  await state?.close();
  admin?.disconnect();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const works = async (): Promise<boolean> =>
  state.ping().then(
    () => true,
    () => false,
  );

beforeEach(() => until(works));

/** Folds through faults as a projector does: after a failed call it continues from the stored position. */
async function foldThrough(
  view: string,
  seed: number,
  length: number,
  fault: (next: number) => Promise<void>,
): Promise<void> {
  const log = facts(seed, length);
  const folded = (): Promise<boolean> =>
    fold(state, view, P0, log, { batch: 10, afterCommit: fault }).then(
      () => true,
      (e: unknown) => {
        expect(e).toMatchObject(UNAVAILABLE);
        return false;
      },
    );
  // Each kill costs a start of the server, which a busy machine makes slow.
  await until(folded, FOLD_MS);
  await until(works);
  expect(await state.position(view, P0)).toMatchObject({ next: BigInt(length) });
  expect(await digestOfState(state, view, 0)).toBe(digestOfFacts(log, length, P0));
}

describe('scripts', () => {
  it('are sent again after the script cache of the server was flushed', async () => {
    const view = newView();
    const first = {
      source: 's',
      id: view,
      stream: STREAM,
      partition: 0,
      offset: 1n,
      digest: 'd'.repeat(64),
      schemaId: 1,
      recordedTimeMs: 0,
    };
    for (let at = 0; at < 3; at++) {
      await admin.script('FLUSH');
      expect(await state.commit(view, P0, change(at, at + 1, [put('a', at)]))).toEqual({ ok: true });
      await admin.script('FLUSH');
      expect((await state.read(view, 0, ['a'])).entries[0]?.position).toBe(`${STREAM}/0/${at}`);
      await admin.script('FLUSH');
      expect(await state.putFirst([first])).toEqual([first]);
    }
  });

  it('keep all keys of a view partition in one hash slot, also with braces in the view name', async () => {
    const view = 'aneh{}:\n%';
    await state.commit(view, P0, change(0, 2, [put('a', 0), put('b', 1, 1, 'part')]));
    await state.commit(view, P0, change(2, 3, [{ space: 'entry', key: 'a', offset: 2n, appendTimeMs: 5 }]));
    const keys = (await admin.keys('*')).filter((key) => key.includes('aneh'));
    expect(keys.length).toBe(2);
    expect(new Set(keys.map((key) => /\{([^}]*)\}/.exec(key)?.[1]))).toEqual(
      new Set([`${encodeURIComponent(view)}:0`]),
    );
    await state.drop(view, 1);
    expect((await admin.keys('*')).filter((key) => key.includes('aneh'))).toEqual([]);
  });
});

describe('faults', () => {
  it('kill -9 of the server: calls reject with state_unavailable, then the client reconnects by itself with a new connection epoch', async () => {
    const view = newView();
    await state.commit(view, P0, change(0, 5, [put('a', 4)]));
    const before = state.connection();
    await server.kill('SIGKILL');
    await expect(state.commit(view, P0, change(5, 6))).rejects.toMatchObject(UNAVAILABLE);
    await expect(state.read(view, 0, ['a'])).rejects.toMatchObject(UNAVAILABLE);
    await expect(state.ping()).rejects.toMatchObject(UNAVAILABLE);
    await server.start();
    await until(works);
    expect(state.connection()).toBeGreaterThan(before);
  });

  it(
    'kill -9 between commits: the progress and the values that the server has kept agree, and the fold continues from there',
    async () => {
      for (let seed = 1; seed <= 5; seed++) {
        let kills = 0;
        await foldThrough(newView(), seed, 300, async (next) => {
          if (next % 100 !== (seed * 20) % 100 || kills >= 3) return;
          kills++;
          await server.kill('SIGKILL');
          await server.start();
        });
        expect(kills).toBe(3);
      }
    },
    6 * FOLD_MS,
  );

  it('a paused server (SIGSTOP): each call rejects after about a second, and calls work again after SIGCONT', async () => {
    const view = newView();
    await state.commit(view, P0, change(0, 5, [put('a', 4)]));
    await server.kill('SIGSTOP');
    const began = performance.now();
    const calls = [
      state.commit(view, P0, change(5, 6, [put('a', 5)])),
      state.read(view, 0, ['a']),
      state.ping(),
      state.findFirst([{ source: 's', id: 'i' }]),
    ];
    const ends = await Promise.allSettled(calls);
    const took = performance.now() - began;
    await server.kill('SIGCONT');
    expect(ends.map((end) => end.status === 'rejected' && (end.reason as { code: string }).code)).toEqual(
      Array(4).fill('state_unavailable'),
    );
    expect(took).toBeGreaterThan(900);
    // About a second; a client that waits for the server would wait for ever.
    expect(took).toBeLessThan(10_000);
    await until(works);
    // The outcome of the commit was uncertain: it is applied completely or not at all.
    const { entries, progress } = await state.read(view, 0, ['a']);
    expect([`${STREAM}/0/4 5`, `${STREAM}/0/5 6`]).toContain(`${entries[0]?.position} ${progress[0]?.next}`);
  });

  it('a server that becomes a read-only replica: commits are refused and change nothing, and work again when it is master', async () => {
    const view = newView();
    await state.commit(view, P0, change(0, 5, [put('a', 4)]));
    const master = await startRedis({ dir: join(dir, 'm'), cache: '.simpul/redis' });
    try {
      // Replica of a paused master: it keeps its data and refuses writes.
      await master.kill('SIGSTOP');
      await admin.call('REPLICAOF', '127.0.0.1', String(master.port));
      const refused = await state.commit(view, P0, change(5, 6, [put('a', 5)])).catch((e: unknown) => e);
      // The server refuses the commit, or the look at its role came first.
      expect(['state_unavailable', 'state_untrusted']).toContain((refused as { code?: string }).code);
      await until(() =>
        state.ping().then(
          () => false,
          (e: unknown) => (e as { code?: string }).code === 'state_untrusted',
        ),
      );
      await expect(openRedisState({ url: server.url })).rejects.toMatchObject(UNAVAILABLE);
    } finally {
      await admin.call('REPLICAOF', 'NO', 'ONE');
      await master.stop();
    }
    await until(works);
    expect(await state.commit(view, P0, change(5, 6, [put('a', 5)]))).toEqual({ ok: true });
  });

  it('a server out of memory: a commit rejects with state_unavailable and writes nothing, and commits work again when there is memory', async () => {
    const view = newView();
    await state.commit(view, P0, change(0, 2, [put('a', 0), put('b', 1)]));
    const before = [await digestOfState(state, view, 0), await state.position(view, P0)];
    await admin.config('SET', 'maxmemory', '1000');
    await expect(
      state.commit(view, P0, change(2, 4, [put('c', 2), { space: 'entry', key: 'a', offset: 3n, appendTimeMs: 9 }])),
    ).rejects.toMatchObject(UNAVAILABLE);
    expect([await digestOfState(state, view, 0), await state.position(view, P0)]).toEqual(before);
    await admin.config('SET', 'maxmemory', '0');
    expect(await state.commit(view, P0, change(2, 3, [put('c', 2)]))).toEqual({ ok: true });
  });

  it(
    'FLUSHALL in the middle of a fold: the fold starts again from the beginning and ends with the same digest',
    async () => {
      let flushed = 0;
      await foldThrough(newView(), 77, 200, async (next) => {
        if (next !== 120 || flushed++ > 0) return;
        await admin.flushall();
        await admin.script('FLUSH');
      });
      expect(flushed).toBe(2);
    },
    2 * FOLD_MS,
  );

  it('an error contains no event data, not even in its cause', async () => {
    await admin.config('SET', 'maxmemory', '1000');
    const fault: unknown = await state
      .commit(newView(), P0, change(0, 1, [put('NIK-9900000000000001', 0)]))
      .catch((e: unknown) => e);
    await admin.config('SET', 'maxmemory', '0');
    const seen = new Set<unknown>();
    const texts: string[] = [];
    const walk = (x: unknown): void => {
      if (typeof x === 'string') texts.push(x);
      if (typeof x !== 'object' || x === null || seen.has(x)) return;
      seen.add(x);
      for (const name of Reflect.ownKeys(x)) walk((x as Record<PropertyKey, unknown>)[name]);
    };
    walk(fault);
    expect(texts.join('\n')).toContain('OOM');
    expect(texts.join('\n')).not.toContain('NIK-99');
  });
});

describe('duplicate index', () => {
  it('has rows that Redis expires after eight days', async () => {
    await state.putFirst([
      {
        source: 'x',
        id: newView(),
        stream: STREAM,
        partition: 0,
        offset: 1n,
        digest: 'd'.repeat(64),
        schemaId: 1,
        recordedTimeMs: 0,
      },
    ]);
    const key = (await admin.keys('{i:*')).at(-1)!;
    const left = await admin.pttl(key);
    expect(left).toBeGreaterThan(8 * 86_400_000 - 60_000);
    expect(left).toBeLessThanOrEqual(8 * 86_400_000);
  });
});

describe('openRedisState', () => {
  it.each(['allkeys-lru', 'volatile-ttl'])(
    'refuses a server that may evict keys (%s), and names the setting to change',
    async (policy) => {
      await admin.config('SET', 'maxmemory-policy', policy);
      await expect(openRedisState({ url: server.url })).rejects.toMatchObject({
        code: 'invalid_settings',
        detail: expect.stringMatching(new RegExp(`${policy}.*noeviction`)),
      });
      await admin.config('SET', 'maxmemory-policy', 'noeviction');
      await (await openRedisState({ url: server.url })).close();
    },
  );

  it('rejects with state_unavailable and the reason when no server answers before the deadline', async () => {
    const lost = openRedisState({ url: 'redis://127.0.0.1:1', openTimeoutMs: 300 });
    await expect(lost).rejects.toMatchObject({
      ...UNAVAILABLE,
      cause: { message: expect.stringContaining('ECONNREFUSED') },
    });
  });

  it('waits for a server that starts later', async () => {
    await server.kill('SIGKILL');
    const late = openRedisState({ url: server.url });
    await server.start();
    const opened = await late;
    await expect(opened.ping()).resolves.toBeUndefined();
    expect(opened.connection()).toBeGreaterThanOrEqual(1);
    await opened.close();
    await until(works);
  });

  it('logs in with a user and a password, and rejects at once when they are wrong', async () => {
    await admin.call('ACL', 'SETUSER', 'hub', 'on', '>r@hasia', '~*', '+@all', '-@admin', '-@dangerous', '+info');
    const at = `127.0.0.1:${server.port}`;
    const own = await openRedisState({ url: `redis://hub:r%40hasia@${at}` });
    expect(await own.commit(newView(), P0, change(0, 1, [put('a', 0)]))).toEqual({ ok: true });
    await own.close();
    const began = performance.now();
    await expect(openRedisState({ url: `redis://hub:salah@${at}` })).rejects.toMatchObject({
      ...UNAVAILABLE,
      cause: { message: expect.stringContaining('WRONGPASS') },
    });
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('refuses a prefix that could break the hash tags', async () => {
    await expect(openRedisState({ url: server.url, prefix: '{x}' })).rejects.toMatchObject({
      code: 'invalid_settings',
    });
  });

  it('keeps the state of two prefixes on one server separate', async () => {
    const other = await openRedisState({ url: server.url, prefix: 'kanwil:' });
    const view = newView();
    await state.commit(view, P0, change(0, 1, [put('a', 0)]));
    expect(await other.position(view, P0)).toBeUndefined();
    await other.close();
  });
});
