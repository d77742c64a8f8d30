import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { INDEX_VIEW } from '#duplicates';
import type { State } from '#state';
import { openRedisState } from '#state-redis';
import { startRedis, type RedisServer } from '../../deploy/local/redis.js';
import { catalogueOfFiles, recordOf, viewsOf } from '../../test/kit/projection/events.js';
import { plainDigest } from '../../test/kit/projection/plain.js';
import { Stage, until } from '../../test/kit/projection/stage.js';
import { traffic, TRAFFIC_VIEWS } from '../../test/kit/projection/traffic.js';
import { digestOfView, StateReader } from './index.js';

let dir: string;
let server: RedisServer;
let redis: State;
let stage: Stage;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-projection-redis-'));
  server = await startRedis({ dir, cache: '.simpul/redis' });
  redis = await openRedisState({ url: server.url });
});
afterAll(async () => {
  await stage?.close();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

it('after FLUSHALL under the running projector the views are folded again by themselves to the same digest, and no read answers "absent"', async () => {
  const catalogue = catalogueOfFiles(3);
  const views = viewsOf(catalogue, ...TRAFFIC_VIEWS);
  let embedded: State | undefined;
  stage = await new Stage(catalogue, views, { wrapState: (s) => ((embedded = s), redis) }).open();
  await embedded!.close();
  await stage.append([
    recordOf(catalogue, { type: 'layanan.kasus.status-berubah', data: { nomorKasus: 'K-TETAP' }, id: 'tetap' }),
    ...traffic(catalogue, 11, 3_000),
  ]);
  await stage.project();
  await stage.untilCaughtUp();
  const board = views.find((v) => v.name === 'layanan.kasus-papan')!;
  const steward = { keyId: 'k', owner: 'hub', system: 'uji', roles: new Set(['steward'] as const) };
  const admin = new Redis(server.url);
  await admin.flushall();
  admin.disconnect();
  const seen = new Set<string>();
  await until(async () => {
    seen.add((await stage.reader.get(steward, board, 'K-TETAP')).kind);
    return seen.has('entry') && (await stage.caughtUp());
  });
  expect([...seen].filter((k) => k !== 'entry' && k !== 'rebuilding')).toEqual([]);
  for (const view of views)
    expect([view.name, await digestOfView(stage.state, view, stage.storage(view))]).toEqual([
      view.name,
      await plainDigest(stage.log, catalogue, view),
    ]);
});

it('after a reconnect that lost index entries the last ten minutes are read again, and a copy that comes then is listed and never folded', async () => {
  const { catalogue } = stage;
  const again = recordOf(catalogue, {
    type: 'layanan.kasus.status-berubah',
    data: { nomorKasus: 'K-TETAP' },
    id: 'tetap',
  });
  const before = redis.connection();
  const admin = new Redis(server.url);
  const places = await admin.keys('*{i:*');
  expect(places.length).toBeGreaterThan(1_000);
  await admin.unlink(...places);
  await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  admin.disconnect();
  await until(() => redis.connection() > before);
  const [copy] = await stage.append([again]);
  await until(() => stage.copies.originalOf(again.stream, again.partition, copy!) !== undefined);
  await until(() => stage.caughtUp().catch(() => false));
  for (const view of stage.views)
    expect([view.name, await digestOfView(stage.state, view, stage.storage(view))]).toEqual([
      view.name,
      await plainDigest(stage.log, catalogue, view),
    ]);
});

it('after each kind of key of a view partition was evicted or deleted under the running projector, no read answers "absent", no list is short, and the view is folded again to the same digest', async () => {
  const board = stage.views.find((v) => v.name === 'layanan.kasus-papan')!;
  const steward = { keyId: 'k', owner: 'hub', system: 'uji', roles: new Set(['steward'] as const) };
  const admin = new Redis(server.url);
  /** As another process lists, which has never read the view before. */
  const listed = async (): Promise<number | undefined> => {
    const reader = new StateReader(stage.reader.deps);
    const list = await reader.list(steward, board, [], 10_000, undefined);
    reader.close();
    return list?.entries.length;
  };
  const whole = await listed();
  expect(whole).toBeGreaterThan(20);
  const lists = new Set<number | undefined>();
  const base = `{${encodeURIComponent(stage.storage(board))}:`;
  const names = (await admin.keys('*')).filter((key) => key.startsWith(base));
  const kinds = new Set(names.map((key) => key.split(':').at(-1)!));
  expect(kinds.size).toBeGreaterThan(1);
  const want = await plainDigest(stage.log, stage.catalogue, board);
  const seen = new Set<string>();
  const marked = new Set<string>();
  for (const kind of kinds) {
    const gone = (await admin.keys('*')).filter((key) => key.startsWith(base) && key.endsWith(`:${kind}`));
    await admin.unlink(...gone);
    await until(async () => {
      seen.add((await stage.reader.get(steward, board, 'K-TETAP')).kind);
      lists.add(await listed());
      const page = await stage.state.scan(stage.storage(board), 0);
      // Until it is folded again, what is stored says so to every process.
      if (page.progress[0]?.reset) marked.add(kind);
      return (await stage.caughtUp()) && (await digestOfView(stage.state, board, stage.storage(board))) === want;
    });
  }
  admin.disconnect();
  expect([...seen].filter((kind) => kind !== 'entry' && kind !== 'rebuilding')).toEqual([]);
  expect(marked).toEqual(kinds);
  expect([...lists].filter((length) => length !== whole && length !== undefined)).toEqual([]);
});

it('after somebody else wrote into the keys of a view partition, or of the duplicate index, no read answers "absent" or fails for good, and both are folded again to the same digest', async () => {
  const board = stage.views.find((v) => v.name === 'layanan.kasus-papan')!;
  const steward = { keyId: 'k', owner: 'hub', system: 'uji', roles: new Set(['steward'] as const) };
  const admin = new Redis(server.url);
  const want = await plainDigest(stage.log, stage.catalogue, board);
  const seen = new Set<string>();
  for (const storage of [stage.storage(board), INDEX_VIEW]) {
    const base = `{${encodeURIComponent(storage)}:`;
    const keys = (await admin.keys('*')).filter((key) => key.startsWith(base) && key.endsWith(':2'));
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) await admin.set(key, 'sampah');
    await until(async () => {
      seen.add((await stage.reader.get(steward, board, 'K-TETAP')).kind);
      const types = await Promise.all(keys.map((key) => admin.type(key)));
      return types.every((type) => type === 'hash') && (await stage.caughtUp());
    });
    expect(await digestOfView(stage.state, board, stage.storage(board))).toBe(want);
  }
  admin.disconnect();
  expect([...seen].filter((kind) => kind !== 'entry' && kind !== 'rebuilding')).toEqual([]);
});
