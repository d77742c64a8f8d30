import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { First, State } from '#state';
import { change, digestOfFacts, digestOfState, facts, fold, newView, put, STREAM, until } from '#state/conformance';
import { startRedis, type RedisServer } from '../../deploy/local/redis.js';
import { openRedisState } from './index.js';

const P0 = { stream: STREAM, partition: 0 };
const log = facts(11, 600);
const keys = log.map((fact) => fact.key);

let dir: string;
let server: RedisServer;
let admin: Redis;
let state: State;
const told: [string, string][] = [];
let rows = 0;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-redis-damage-'));
  server = await startRedis({ dir, cache: '.simpul/redis' });
  admin = new Redis(server.url);
  const report = {
    damaged: ({ view }: { view: string }, now: string) => void told.push([view, now]),
    damagedRows: (lost: number) => void (rows += lost),
  };
  state = await openRedisState({ url: server.url, report });
});
afterAll(async () => {
  await state?.close();
  admin?.disconnect();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  told.length = 0;
  rows = 0;
});

const hash = (view: string): string => `{${encodeURIComponent(view)}:0}:2`;
async function folded(): Promise<string> {
  const view = newView();
  await fold(state, view, P0, log, { batch: 50 });
  // Leaves are written a moment after the commit.
  await until(async () => (await admin.hkeysBuffer(hash(view))).some((name) => name[0] === 'l'.charCodeAt(0)));
  return view;
}
const fieldsOf = async (view: string, letter: string): Promise<Buffer[]> =>
  (await admin.hkeysBuffer(hash(view))).filter((name) => name[0] === letter.charCodeAt(0));

/** What somebody else may write into the keys of a view partition. */
const DAMAGE: Readonly<Record<string, (view: string) => Promise<unknown>>> = {
  'a text in the place of the hash': (view) => admin.set(hash(view), 'sampah'),
  'a list in the place of the hash': async (view) => {
    await admin.del(hash(view));
    await admin.rpush(hash(view), 'sampah');
  },
  'a text in the place of the sorted set': (view) => admin.set(`${hash(view)}l`, 'sampah'),
  'another header': (view) => admin.hset(hash(view), 'h', 'sampah'),
  'an empty header': (view) => admin.hset(hash(view), 'h', ''),
  'other bytes in every bucket': async (view) => {
    for (const field of await fieldsOf(view, 'b')) await admin.hset(hash(view), field, 'sampah yang agak panjang');
  },
};
const ASKS: Readonly<Record<string, (view: string) => Promise<unknown>>> = {
  'a read': (view) => state.read(view, 0, keys),
  'a scan': (view) => state.scan(view, 0, { limit: 1_000 }),
  'a page of changes': (view) => state.changes(view, P0, -1n, 1_000),
};

describe('a view partition into whose keys somebody else wrote', () => {
  it.each(Object.keys(DAMAGE))(
    '(%s) is set aside by the read, scan or page of changes that meets it, reported once, and answers as one that was never filled until it is folded again',
    async (what) => {
      for (const [ask, of] of Object.entries(ASKS)) {
        told.length = 0;
        const view = await folded();
        await DAMAGE[what]!(view);
        expect([ask, await of(view)]).toMatchObject([ask, { progress: [] }]);
        expect(told).toEqual([[view, 'set']]);
        expect(await state.position(view, P0)).toBeUndefined();
        const later = change(600, 601, [put('baru', 600)], { epoch: 1n });
        expect(await state.commit(view, P0, later)).toEqual({ ok: false, expected: 0n, epoch: 0n });
        await fold(state, view, P0, log, { batch: 50 });
        expect([ask, await digestOfState(state, view, 0)]).toEqual([ask, digestOfFacts(log, 600, P0)]);
      }
    },
  );

  it.each(Object.keys(DAMAGE))(
    '(%s) is set aside by the commit that meets it: nothing of it is half written',
    async (what) => {
      const view = await folded();
      await DAMAGE[what]!(view);
      const next = change(600, 601, [put(keys[0]!, 600)], { epoch: 1n });
      await expect(state.commit(view, P0, next)).rejects.toMatchObject({ code: 'state_unavailable' });
      expect(told).toEqual([[view, 'set']]);
      expect(await state.commit(view, P0, next)).toEqual({ ok: false, expected: 0n, epoch: 0n });
      await fold(state, view, P0, log, { batch: 50 });
      expect(await digestOfState(state, view, 0)).toEqual(digestOfFacts(log, 600, P0));
    },
  );

  it('is seen by whoever asks for its position only, and by all who ask at the same time together', async () => {
    const view = await folded();
    await admin.set(hash(view), 'sampah');
    const asked = await Promise.all(Array.from({ length: 20 }, () => state.position(view, P0)));
    expect(asked).toEqual(Array.from({ length: 20 }, () => undefined));
    expect(told).toEqual([[view, 'set']]);
  });

  it('keeps what was in its keys for a day', async () => {
    const view = await folded();
    await admin.set(hash(view), 'sampah');
    await state.read(view, 0, keys);
    expect(await admin.get(`${hash(view)}-aside`)).toBe('sampah');
    expect(await admin.pttl(`${hash(view)}-aside`)).toBeGreaterThan(23 * 3_600_000);
    await state.drop(view, 1);
    expect(await admin.exists(`${hash(view)}-aside`)).toBe(0);
  });

  it('is left alone, with a fault, when it is damaged again within a minute', async () => {
    const view = await folded();
    for (const kind of ['set', 'kept']) {
      told.length = 0;
      await admin.set(hash(view), 'sampah');
      const read = await state.read(view, 0, keys).catch((e: unknown) => e);
      expect(read).toMatchObject(kind === 'set' ? { progress: [] } : { code: 'state_unavailable' });
      expect(told).toEqual([[view, kind]]);
    }
  });

  it('is not set aside for an error that says nothing of its bytes', async () => {
    const view = await folded();
    await admin.config('SET', 'maxmemory', '1');
    const many = Array.from({ length: 50 }, (_, i) => put(`baru-${i}`, 600 + i));
    const refused = await state.commit(view, P0, change(600, 650, many)).catch((e: unknown) => e);
    await admin.config('SET', 'maxmemory', '0');
    expect(refused).toMatchObject({ code: 'state_unavailable' });
    expect(told).toEqual([]);
    expect(await digestOfState(state, view, 0)).toEqual(digestOfFacts(log, 600, P0));
  });
});

describe('a row of the duplicate index into which somebody else wrote', () => {
  const first = (n: number, offset = 1n): First => ({
    source: 'urn:simpul:unit:SU00001:uji',
    id: `rusak-${n}`,
    stream: STREAM,
    partition: 0,
    offset,
    digest: 'ab'.repeat(32),
    schemaId: 1,
    recordedTimeMs: 1,
  });

  it('is absent, counts as evicted, and stops nobody', async () => {
    for (const [n, damage] of [
      (key: string) => admin.set(key, 'sampah'),
      async (key: string) => {
        await admin.del(key);
        await admin.rpush(key, 'sampah');
      },
    ].entries()) {
      const before = new Set(await admin.keys('*{i:*'));
      expect(await state.putFirst([first(n)])).toEqual([first(n)]);
      const [key] = (await admin.keys('*{i:*')).filter((name) => !before.has(name));
      await damage(key!);
      const { source, id } = first(n);
      expect(await state.findFirst([{ source, id }])).toEqual([undefined]);
      const [evictions, connection] = [state.evictions(), state.connection()];
      expect(await state.putFirst([first(n, 7n)])).toEqual([first(n, 7n)]);
      expect([rows, state.evictions() - evictions, state.connection() - connection]).toEqual([n + 1, 1, 1]);
      expect(await state.putFirst([first(n, 9n)])).toEqual([first(n, 7n)]);
    }
  });
});
