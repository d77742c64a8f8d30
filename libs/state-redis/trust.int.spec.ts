import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { First, State } from '#state';
import { change, newView, put, STREAM, until } from '#state/conformance';
import { startRedis, type RedisServer } from '../../deploy/local/redis.js';
import { startCluster } from './cluster.fixture.js';
import { openRedisState, type RedisReport } from './index.js';

const P0 = { stream: STREAM, partition: 0 };
const UNTRUSTED = {
  code: 'state_untrusted',
  detail: expect.stringContaining('CONFIG SET maxmemory-policy noeviction'),
};

let dir: string;
let cleanups: (() => unknown)[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-redis-'));
  cleanups = [() => rmSync(dir, { recursive: true, force: true })];
});
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function redis(): Promise<{ server: RedisServer; admin: Redis }> {
  const server = await startRedis({ dir: join(dir, 'a'), cache: '.simpul/redis' });
  cleanups.push(() => server.stop());
  return { server, admin: adminOf(server.url) };
}

function adminOf(url: string): Redis {
  const admin = new Redis(url);
  admin.on('error', () => {});
  cleanups.push(() => admin.disconnect());
  return admin;
}

/** The State and, in order, the words that it reports. */
async function open(url: string): Promise<{ state: State; told: string[] }> {
  const told: string[] = [];
  const report: RedisReport = {
    untrusted: () => told.push('untrusted'),
    trusted: () => told.push('trusted'),
    evicted: (_node, keys) => told.push(`evicted ${keys > 0}`),
  };
  const state = await openRedisState({ url, report });
  cleanups.push(() => state.close());
  return { state, told };
}

const first = (id: string): First => ({
  source: 'urn:simpul:unit:SU00123:simkim',
  id,
  stream: STREAM,
  partition: 0,
  offset: 1n,
  digest: 'd'.repeat(64),
  schemaId: 1,
  recordedTimeMs: 0,
});

const refused = (state: State) => (): Promise<boolean> =>
  state.ping().then(
    () => false,
    (e: unknown) => (e as { code?: string }).code === 'state_untrusted',
  );

/** Makes the server evict keys, and ends with the settings that the hub asks for. */
async function evict(admin: Redis): Promise<void> {
  await admin.config('SET', 'maxmemory-policy', 'allkeys-random');
  const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]);
  await admin.config('SET', 'maxmemory', String(used - 100_000));
  await until(async () => {
    await admin.set('pengisi', 'x');
    return Number(/evicted_keys:(\d+)/.exec(await admin.info('stats'))?.[1]) > 0;
  });
  await admin.config('SET', 'maxmemory', '0');
  await admin.config('SET', 'maxmemory-policy', 'noeviction');
}

describe('trust in a running Redis', () => {
  it('a policy that is changed while the hub runs is refused with its next step at ping, commit and index, reported once, and trusted again after it was mended', async () => {
    const { server, admin } = await redis();
    const { state, told } = await open(server.url);
    const view = newView();
    await state.commit(view, P0, change(0, 1, [put('a', 0)]));
    await admin.config('SET', 'maxmemory-policy', 'volatile-lru');
    await expect(state.ping()).rejects.toMatchObject(UNTRUSTED);
    await expect(state.ping()).rejects.toMatchObject(UNTRUSTED);
    await expect(state.commit(view, P0, change(1, 2))).rejects.toMatchObject(UNTRUSTED);
    await expect(state.putFirst([first('a')])).rejects.toMatchObject(UNTRUSTED);
    await expect(state.findFirst([first('a')])).rejects.toMatchObject(UNTRUSTED);
    expect((await state.read(view, 0, ['a'])).entries[0]?.key).toBe('a');
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
    await until(async () => !(await refused(state)()));
    expect(await state.commit(view, P0, change(1, 2))).toEqual({ ok: true });
    expect(told).toEqual(['untrusted', 'trusted']);
  });

  it('is looked at also while nobody calls ping()', async () => {
    const { server, admin } = await redis();
    const { told } = await open(server.url);
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await until(() => Promise.resolve(told.length > 0));
    expect(told).toEqual(['untrusted']);
  });

  it('is looked at on each new connection, before a commit is sent', async () => {
    const { server, admin } = await redis();
    const { state } = await open(server.url);
    await server.kill('SIGKILL');
    const late = startRedis({
      dir: join(dir, 'b'),
      cache: '.simpul/redis',
      port: server.port,
      args: ['--maxmemory-policy', 'allkeys-lru'],
    });
    cleanups.push(async () => (await late).stop());
    expect((await late).port).toBe(server.port);
    admin.disconnect();
    const ends = new Set<string>();
    await until(async () => {
      const end = await state.commit(newView(), P0, change(0, 1)).catch((e: unknown) => (e as { code: string }).code);
      ends.add(typeof end === 'string' ? end : 'committed');
      return ends.has('state_untrusted');
    });
    expect(ends).not.toContain('committed');
  });

  it('raises the connection epoch and reports before putFirst() answers for a server that has evicted keys, so that an evicted row is not believed absent', async () => {
    const { server, admin } = await redis();
    await admin.set('korban', 'x'.repeat(200_000));
    const { state, told } = await open(server.url);
    await state.putFirst([first('a')]);
    const before = state.connection();
    await evict(admin);
    // Within one second nothing but the answer itself can have told.
    await until(() =>
      state.putFirst([first('b')]).then(
        () => true,
        () => false,
      ),
    );
    expect(state.connection()).toBeGreaterThan(before);
    expect(told).toContain('evicted true');
  });

  it('names keys that were evicted before this process connected', async () => {
    const { server, admin } = await redis();
    await admin.set('korban', 'x'.repeat(200_000));
    await evict(admin);
    expect((await open(server.url)).told).toEqual(['evicted true']);
  });

  it('looks at each node of a cluster: one that may evict keys makes all of it untrusted', async () => {
    const cluster = await startCluster(2);
    cleanups.push(cluster.stop);
    const { state, told } = await open(cluster.url);
    await adminOf(cluster.nodes[1]!.url).config('SET', 'maxmemory-policy', 'allkeys-random');
    await until(refused(state));
    for (const view of Array.from({ length: 6 }, newView))
      await expect(state.commit(view, P0, change(0, 1))).rejects.toMatchObject(UNTRUSTED);
    expect(told).toEqual(['untrusted']);
  });
});
