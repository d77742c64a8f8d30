import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { State } from '#state';
import { change, newView, put, STREAM, until } from '#state/conformance';
import { findRedisServer } from '../../deploy/local/redis-binary.js';
import { freePort } from '../../deploy/local/free-port.js';
import { startRedis, type RedisServer } from '../../deploy/local/redis.js';
import { selfSigned } from '../../test/kit/certificate.js';
import { startCluster } from './cluster.fixture.js';
import { openRedisState } from './index.js';

const P0 = { stream: STREAM, partition: 0 };
const cache = '.simpul/redis';

let dir: string;
let cleanups: (() => unknown)[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-redis-'));
  cleanups = [() => rmSync(dir, { recursive: true, force: true })];
});
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function redis(name: string, args: string[] = []): Promise<RedisServer> {
  const server = await startRedis({ dir: join(dir, name), cache, args });
  cleanups.push(() => server.stop());
  return server;
}

async function open(options: Parameters<typeof openRedisState>[0]): Promise<State> {
  const state = await openRedisState(options);
  cleanups.push(() => state.close());
  return state;
}

const works = (state: State, view: string) => (): Promise<boolean> =>
  state.commit(view, P0, change(0, 1, [put('a', 0)])).then(
    () => true,
    () => false,
  );

/** Ends the process after the test. */
function endAfterTest(child: ChildProcess): void {
  cleanups.push(
    () =>
      new Promise<void>((done) => {
        child.once('exit', () => done());
        child.kill();
      }),
  );
}

describe('TLS', () => {
  it('connects with rediss:// when the given authority signed the certificate, and refuses any other certificate', async () => {
    const server = await redis('a');
    const { key, cert } = selfSigned();
    const front = createServer({ key, cert }, (socket) => {
      const back = connect(server.port, '127.0.0.1');
      for (const one of [socket, back]) one.on('error', () => {});
      socket.pipe(back).pipe(socket);
    });
    await new Promise<void>((done) => front.listen(0, '127.0.0.1', done));
    cleanups.push(() => front.close());
    const url = `rediss://127.0.0.1:${(front.address() as AddressInfo).port}`;
    const state = await open({ url, ca: cert });
    expect(await state.commit(newView(), P0, change(0, 1, [put('a', 0)]))).toEqual({ ok: true });
    await expect(openRedisState({ url, openTimeoutMs: 500 })).rejects.toMatchObject({
      code: 'state_unavailable',
      cause: { message: expect.stringMatching(/self.signed/) },
    });
  });
});

describe('Sentinel', () => {
  it('connects to the master, and after its death to the new master with the replicated state and a new connection epoch, once that master may not evict keys', async () => {
    const master = await redis('m');
    const replica = await redis('r', [
      ...['--replicaof', '127.0.0.1', String(master.port)],
      ...['--maxmemory-policy', 'allkeys-lru'],
    ]);
    const port = await freePort();
    const conf = join(dir, 'sentinel.conf');
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${dir}`,
      `sentinel monitor utama 127.0.0.1 ${master.port} 1`,
      'sentinel down-after-milliseconds utama 400',
      'sentinel failover-timeout utama 2000',
    ];
    writeFileSync(conf, lines.join('\n'));
    endAfterTest(spawn(findRedisServer(cache), [conf, '--sentinel'], { stdio: 'ignore' }));
    const state = await open({ url: `sentinel://127.0.0.1:${port}/utama`, openTimeoutMs: 10_000 });
    const view = newView();
    expect(await state.commit(view, P0, change(0, 5, [put('a', 4)]))).toEqual({ ok: true });
    const [asMaster, asSentinel] = [new Redis(master.url), new Redis({ port, host: '127.0.0.1' })];
    for (const one of [asMaster, asSentinel]) one.on('error', () => {});
    cleanups.push(() => [asMaster, asSentinel].forEach((one) => one.disconnect()));
    await until(async () => (await asMaster.wait(1, 100)) === 1);
    await until(async () =>
      String(await asSentinel.call('SENTINEL', 'replicas', 'utama')).includes(String(replica.port)),
    );
    const before = state.connection();
    await master.kill('SIGKILL');
    await expect(state.read(view, 0, ['a'])).rejects.toMatchObject({ code: 'state_unavailable' });
    const promoted = new Redis(replica.url);
    cleanups.push(() => promoted.disconnect());
    await until(
      () =>
        state.ping().then(
          () => false,
          (e: unknown) => (e as { code?: string }).code === 'state_untrusted',
        ),
      30_000,
    );
    await promoted.config('SET', 'maxmemory-policy', 'noeviction');
    await until(works(state, newView()), 30_000);
    expect(state.connection()).toBeGreaterThan(before);
    expect(await state.position(view, P0)).toMatchObject({ next: 5n });
    expect(await state.commit(view, P0, change(5, 6, [put('a', 5)]))).toEqual({ ok: true });
  });
});

describe('Cluster', () => {
  it('rejects in about a second while a node is down, then works again with a new connection epoch', async () => {
    const cluster = await startCluster(2);
    cleanups.push(cluster.stop);
    const state = await open({ url: cluster.url });
    const views = Array.from({ length: 8 }, newView);
    for (const view of views) await state.commit(view, P0, change(0, 5, [put('a', 4)]));
    const before = state.connection();
    await cluster.nodes[1]!.kill('SIGKILL');
    const began = performance.now();
    const ends = await Promise.allSettled(views.map((view) => state.position(view, P0)));
    expect(performance.now() - began).toBeLessThan(8_000);
    const codes = ends.filter((end) => end.status === 'rejected').map((end) => (end.reason as { code: string }).code);
    expect(codes.length).toBeGreaterThan(0);
    expect(new Set(codes)).toEqual(new Set(['state_unavailable']));
    await cluster.nodes[1]!.start();
    const all = async (): Promise<boolean> =>
      Promise.all(views.map((view) => state.read(view, 0, ['a']))).then(
        (reads) => reads.every(({ entries, progress }) => (entries[0] === undefined) === (progress.length === 0)),
        () => false,
      );
    await until(all, 30_000);
    expect(state.connection()).toBeGreaterThan(before);
  });

  it('refuses a cluster in which one node may evict keys', async () => {
    const cluster = await startCluster(2);
    cleanups.push(cluster.stop);
    const admin = new Redis(cluster.nodes[1]!.url);
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    admin.disconnect();
    await expect(openRedisState({ url: cluster.url })).rejects.toMatchObject({ code: 'invalid_settings' });
  });
});
