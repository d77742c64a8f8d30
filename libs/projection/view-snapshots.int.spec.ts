import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { EventLog } from '#log';
import type { CatalogueIndex } from '#registry';
import { readTail, snapshotTopic } from '#snapshots';
import { catalogueOfFiles, recordOf, viewsOf } from '../../test/kit/projection/events.js';
import { plainDigest } from '../../test/kit/projection/plain.js';
import { interposed, Stage, until, type StageOptions } from '../../test/kit/projection/stage.js';
import { traffic, TRAFFIC_VIEWS } from '../../test/kit/projection/traffic.js';
import { Projector } from './projector.js';
import {
  digestOfView,
  needSnapshots,
  requestRebuild,
  storageOf,
  type CompiledView,
  type OpenProjectorDeps,
} from './index.js';

/** The log as this process sees it: counts reads of streams, and stops snapshots or everything as a kill does. */
class Tap {
  /** Records of streams that catch-up readers have read. */
  records = 0;
  snapshotsDown = false;
  down = false;
  wrap = (log: EventLog): EventLog =>
    new Proxy(log, {
      get: (t, name) => {
        const value: unknown = Reflect.get(t, name);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          const topic = String(args[0]);
          if (name !== 'close' && this.down) throw new Error('killed');
          if (name === 'append' && this.snapshotsDown && topic.startsWith('_simpul.view.'))
            return { kind: 'refused', code: 'log_unavailable' };
          const answer: unknown = await (value as (...a: unknown[]) => unknown).apply(t, args);
          if (name === 'read' && !topic.startsWith('_'))
            this.records += (answer as { records?: unknown[] }).records?.length ?? 0;
          return answer;
        };
      },
    });
}

let catalogue: CatalogueIndex;
let views: CompiledView[];
let stage: Stage;
let tap: Tap;
/** Events folded since the last reset, by storage. */
let folded: Map<string, number>;
let outcomes: string[];

beforeAll(() => {
  catalogue = catalogueOfFiles(3);
  views = viewsOf(catalogue, ...TRAFFIC_VIEWS);
});
beforeEach(() => {
  tap = new Tap();
  folded = new Map();
  outcomes = [];
});
afterEach(() => stage.close());

const open = async (options: StageOptions = {}, mine = views): Promise<Stage> =>
  (stage = await new Stage(catalogue, mine, { wrapLog: tap.wrap, ...options }).open());

/** Traffic of the streams that the stage has. */
const some = (seed: number, count: number) => {
  const names = new Set(stage.streams.map((s) => s.name));
  return traffic(catalogue, seed, count).filter((t) => names.has(t.stream));
};

const project = (more: Partial<OpenProjectorDeps> = {}) =>
  stage.project({
    snapshots: 'all',
    snapshotLingerMs: 5,
    report: {
      folded: (_view, storage, _part, _next, events) => folded.set(storage, (folded.get(storage) ?? 0) + events),
      filledFromSnapshot: (_view, storage, partition, outcome) => outcomes.push(`${storage}/${partition} ${outcome}`),
    },
    ...more,
  });

async function expectPlain(): Promise<void> {
  for (const view of stage.views)
    expect([view.name, await digestOfView(stage.state, view, stage.storage(view))]).toEqual([
      view.name,
      await plainDigest(stage.log, catalogue, view),
    ]);
}

/** Every snapshot is complete and stands where its view stands. */
async function untilWritten(): Promise<void> {
  await until(async () => {
    const held = stage.projector!.snapshots();
    if (held.length < stage.views.reduce((n, v) => n + v.partitions, 0)) return false;
    for (const { storage, partition, state, places } of held) {
      if (state !== 'complete') return false;
      for (const { stream, next } of places)
        if ((await stage.state.position(storage, { stream, partition }))?.next !== next) return false;
    }
    return true;
  });
}

const all = (): number => [...folded.values()].reduce((a, b) => a + b, 0);

/** The store is lost while nothing runs. */
async function loseStore(): Promise<void> {
  await stage.shut();
  rmSync(join(stage.dir, 'state'), { recursive: true });
  await stage.open();
  folded.clear();
  outcomes = [];
  tap.records = 0;
}

describe('a store that was emptied', () => {
  it('is filled from the snapshots while the hub is stopped: the same digest, and only the tail of the streams is folded', async () => {
    await open();
    await stage.append(some(21, 4_000));
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    expect(all()).toBeGreaterThan(3_000);
    await loseStore();
    const tail = some(22, 60);
    await stage.append(tail);
    // An hour later, so that the duplicate index has nothing to read again.
    await project({ now: () => Date.now() + 3_600_000 });
    await stage.untilCaughtUp();
    expect(tap.records).toBeLessThanOrEqual(tail.length * views.length);
    await expectPlain();
    expect(outcomes.length).toBe(views.reduce((n, v) => n + v.partitions, 0));
    expect(outcomes.every((o) => o.endsWith(' filled'))).toBe(true);
    expect(all()).toBeLessThanOrEqual(tail.length * views.length);
  });

  it('is filled under the running hub, and again after more events; no read answers "absent" meanwhile', async () => {
    await open();
    const key = { type: 'layanan.kasus.status-berubah', data: { nomorKasus: 'K-TETAP' }, id: 'tetap' };
    await stage.append([recordOf(catalogue, key), ...some(23, 3_000)]);
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    const board = views.find((v) => v.name === 'layanan.kasus-papan')!;
    const steward = { keyId: 'k', owner: 'hub', system: 'uji', roles: new Set(['steward'] as const) };
    for (let round = 1; round <= 3; round++) {
      folded.clear();
      outcomes = [];
      const seen = new Set<string>();
      stage.emptyStore();
      await stage.append(some(100 + round, 30));
      await until(async () => {
        seen.add((await stage.reader.get(steward, board, 'K-TETAP')).kind);
        return (await stage.caughtUp()) && outcomes.length > 0;
      });
      expect([...seen].filter((k) => k !== 'entry' && k !== 'rebuilding')).toEqual([]);
      await untilWritten();
      await expectPlain();
      expect(new Set(outcomes.map((o) => o.split(' ')[1]))).toEqual(new Set(['filled']));
      expect(all()).toBeLessThanOrEqual(30 * views.length);
    }
  });

  it('is right when the process was killed between its commits and its snapshots, and the store was lost with it', async () => {
    await open();
    await stage.append(some(24, 2_000));
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    tap.snapshotsDown = true;
    await stage.append(some(25, 700));
    await stage.untilCaughtUp();
    tap.down = true;
    await stage.shut();
    Object.assign(tap, { down: false, snapshotsDown: false });
    await stage.open();
    await loseStore();
    await project();
    await stage.untilCaughtUp();
    await expectPlain();
    expect(new Set(outcomes.map((o) => o.split(' ')[1]))).toEqual(new Set(['filled']));
    expect(all()).toBeGreaterThan(0);
    expect(all()).toBeLessThanOrEqual(700 * views.length);
  });

  it('is right when the store outlived such a kill, was folded on, and is lost later: the gap was written from the store', async () => {
    await open();
    await stage.append(some(26, 2_000));
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    tap.snapshotsDown = true;
    await stage.append(some(27, 700));
    await stage.untilCaughtUp();
    tap.down = true;
    await stage.shut();
    Object.assign(tap, { down: false, snapshotsDown: false });
    await stage.open();
    const board = storageOf('layanan.kasus-papan', 1);
    const before = (await readTail(stage.log, snapshotTopic(board), 0)).progress!;
    await stage.append(some(28, 50));
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    const after = (await readTail(stage.log, snapshotTopic(board), 0)).progress!;
    expect(after.since).toEqual(before.since);
    await loseStore();
    await project();
    await stage.untilCaughtUp();
    await expectPlain();
    expect(all()).toBe(0);
  });

  it('needs no reading of events that are older than the duplicate index keeps, and a copy of a newer one is still a copy', async () => {
    let logNow = Date.now() - 20 * 86_400_000;
    await open({ logNow: () => logNow }, viewsOf(catalogue, 'layanan.kasus-jumlah'));
    const old = some(81, 900);
    await stage.append(old);
    logNow = Date.now();
    const fresh = some(82, 200);
    await stage.append(fresh);
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    // Ids of the old events come again: beyond eight days the index does not know them, so a plain fold is no measure.
    const [view] = stage.views;
    const digest = () => digestOfView(stage.state, view!, stage.storage(view!));
    const want = await digest();
    await loseStore();
    await stage.append(fresh.slice(0, 20));
    await project();
    await until(() => stage.projector!.held().length === 3);
    const ends = await stage.log.describe('layanan.kasus');
    for (const { partition } of ends) {
      const { index } = stage.projector!.held().find((h) => h.partition === partition)!;
      expect(Number(index)).toBeGreaterThanOrEqual(old.filter((o) => o.partition === partition).length);
    }
    await stage.untilCaughtUp();
    expect(await digest()).toBe(want);
    expect(all()).toBe(0);
  });

  it('is filled anew when the fill was cut off by a kill', async () => {
    await open();
    await stage.append(some(29, 2_500));
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    await loseStore();
    for (const cut of [1, 2, 5]) {
      let commits = 0;
      const state = stage.state;
      stage.state = new Proxy(state, {
        get: (t, name) => {
          const value: unknown = Reflect.get(t, name);
          if (typeof value !== 'function') return value;
          return (...args: unknown[]) => {
            if (name === 'commit' && !String(args[0]).startsWith('~') && ++commits > cut) tap.down = true;
            if (tap.down && !['close', 'connection', 'evictions'].includes(String(name)))
              return Promise.reject(new Error('killed'));
            return (value as (...a: unknown[]) => unknown).apply(t, args);
          };
        },
      });
      await project().catch(() => undefined);
      await until(() => tap.down);
      await stage.shut();
      tap.down = false;
      await stage.open();
    }
    outcomes = [];
    folded.clear();
    await project();
    await stage.untilCaughtUp();
    await expectPlain();
    expect(outcomes.length).toBeGreaterThan(0);
    expect(all()).toBe(0);
  });
});

describe('a stream that deletes old events (R6)', () => {
  const DAYS = 10 * 86_400_000;

  /** The streams of the stage keep their events for ten days from now on, and all that they hold is older. */
  async function forget(): Promise<void> {
    for (const { name, partitions } of stage.streams) {
      await stage.log.setRetention(name, DAYS);
      catalogue.putStream(name, partitions, DAYS);
    }
    logNow += 11 * 86_400_000;
    await stage.maintain();
    for (const { name } of stage.streams)
      for (const { low, high } of await stage.log.describe(name)) expect(low).toBe(high);
  }

  let logNow: number;
  beforeEach(() => {
    logNow = Date.now() - 30 * 86_400_000;
  });
  afterEach(() => {
    for (const { name, partitions } of stage.streams) catalogue.putStream(name, partitions);
  });

  it('may delete what its views have folded: the emptied store comes back whole from the snapshots, also under the running hub', async () => {
    await open({ logNow: () => logNow });
    await stage.append(some(51, 2_000));
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    const want = new Map<string, string>();
    for (const view of views) {
      for (const stream of view.streams)
        await expect(
          needSnapshots({ log: stage.log, views, generations: stage.generations }, stream),
        ).resolves.toContain(view.name);
      want.set(view.name, await digestOfView(stage.state, view, stage.storage(view)));
    }
    await forget();
    const steward = { keyId: 'k', owner: 'hub', system: 'uji', roles: new Set(['steward'] as const) };
    const board = views.find((v) => v.name === 'layanan.kasus-papan')!;
    const key = (await stage.state.scan(stage.storage(board), 0, { limit: 1 })).entries[0]!.key;
    const same = async (): Promise<boolean> => {
      for (const view of views)
        if ((await digestOfView(stage.state, view, stage.storage(view))) !== want.get(view.name)) return false;
      return true;
    };
    outcomes = [];
    const seen = new Set<string>();
    stage.emptyStore();
    await until(async () => {
      seen.add((await stage.reader.get(steward, board, key)).kind);
      return same();
    });
    expect([...seen].filter((k) => k !== 'entry' && k !== 'rebuilding')).toEqual([]);
    await loseStore();
    await project();
    await until(same);
    expect(all()).toBe(0);
    // And it is folded on.
    const more = some(52, 100);
    await stage.append(more);
    await stage.untilCaughtUp();
    expect(await same()).toBe(false);
  });

  it('may not while a view has no complete snapshot, and each such view is named', async () => {
    await open();
    await stage.append(some(53, 300));
    await project({ snapshots: 'none' });
    await stage.untilCaughtUp();
    const deps = { log: stage.log, views, generations: stage.generations };
    await expect(needSnapshots(deps, 'layanan.kasus')).rejects.toMatchObject({
      code: 'snapshot_incomplete',
      problems: [{ pointer: 'layanan.kasus-papan' }, { pointer: 'layanan.kasus-jumlah' }],
    });
    await stage.projector!.close();
    await project();
    await untilWritten();
    await expect(needSnapshots(deps, 'layanan.kasus')).resolves.toEqual([
      'layanan.kasus-papan',
      'layanan.kasus-jumlah',
    ]);
    await expect(needSnapshots(deps, 'uji.lain')).resolves.toEqual([]);
    await expect(needSnapshots(deps, 'org.unit')).rejects.toMatchObject({
      code: 'snapshot_incomplete',
      problems: [{ pointer: 'org.unit' }],
    });
  });

  it('cannot be folded from its beginning any more: a rebuild, a new view and a changed one are refused, and an empty store without a snapshot stands still', async () => {
    await open({ logNow: () => logNow }, viewsOf(catalogue, 'layanan.kasus-jumlah'));
    const [view] = stage.views;
    await stage.append(some(54, 300));
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    await forget();
    await expect(requestRebuild(stage, view!, { keyId: 'k', owner: 'hub', system: 'uji' })).rejects.toMatchObject({
      code: 'view_history_missing',
    });
    await stage.shut();
    const row = stage.generations.row(view!.name)!;
    await stage.open();
    await expect(
      project({ views: viewsOf(catalogue, 'layanan.kasus-jumlah', 'layanan.kasus-papan') }),
    ).rejects.toMatchObject({
      code: 'view_history_missing',
    });
    await expect(
      project({ views: [{ ...view!, fingerprint: 'lain', ownerless: 'lain', stepless: 'lain', untold: 'lain' }] }),
    ).rejects.toMatchObject({
      code: 'view_history_missing',
    });
    await expect(project({ snapshots: 'none' })).rejects.toMatchObject({ code: 'snapshot_incomplete' });
    expect(stage.generations.row(view!.name)).toEqual(row);
    await stage.log.deleteTopic(snapshotTopic(stage.storage(view!)));
    await loseStore();
    const failed: unknown[] = [];
    await project({
      report: {
        catchUpFailed: (_view, part, cause) => failed.push([part.partition, (cause as { code: string }).code]),
      },
    });
    await until(() => failed.length >= 3);
    expect(failed).toEqual(expect.arrayContaining([0, 1, 2].map((p) => [p, 'view_history_missing'])));
    const steward = { keyId: 'k', owner: 'hub', system: 'uji', roles: new Set(['steward'] as const) };
    expect((await stage.reader.get(steward, view!, 'SU00201')).kind).toBe('rebuilding');
  });
});

describe('a snapshot', () => {
  it('that was folded from another stream of the same name is not used: the stream is folded from its beginning', async () => {
    await open({}, viewsOf(catalogue, 'layanan.kasus-jumlah'));
    await stage.append(some(61, 900));
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    await stage.shut();
    await stage.open();
    const { partitions } = catalogue.stream('layanan.kasus')!;
    await stage.log.deleteTopic('layanan.kasus');
    await stage.log.ensureTopic({ name: 'layanan.kasus', partitions, cleanup: 'keep' });
    await stage.append(some(62, 1_500));
    await loseStore();
    await project();
    await stage.untilCaughtUp();
    await expectPlain();
    expect(new Set(outcomes.map((o) => o.split(' ')[1]))).toEqual(new Set(['foreign']));
    await untilWritten();
    await loseStore();
    await project();
    await stage.untilCaughtUp();
    await expectPlain();
    expect(new Set(outcomes.map((o) => o.split(' ')[1]))).toEqual(new Set(['filled']));
  });

  it('of a log that was restored from an older copy fills the view that was folded from the lost events', async () => {
    await open({}, viewsOf(catalogue, 'layanan.kasus-jumlah', 'layanan.kasus-papan'));
    await stage.append(some(63, 900));
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    await stage.shut();
    const log = join(stage.dir, 'log');
    cpSync(log, `${log}-cadangan`, { recursive: true });
    await stage.open();
    await project();
    await stage.append(some(64, 400));
    await stage.untilCaughtUp();
    await untilWritten();
    await stage.shut();
    rmSync(log, { recursive: true });
    cpSync(`${log}-cadangan`, log, { recursive: true });
    await stage.open();
    outcomes = [];
    await project();
    await until(async () => {
      for (const view of stage.views)
        if (
          (await digestOfView(stage.state, view, stage.storage(view))) !==
          (await plainDigest(stage.log, catalogue, view))
        )
          return false;
      return true;
    });
    expect(new Set(outcomes.map((o) => o.split(' ')[1]))).toEqual(new Set(['filled']));
  });

  it.each([
    ['beside the owner that took over', 'beside'],
    ['beside an owner whose store fails while it repairs that', 'fails'],
    ['and the owner ends before it finds that', 'ended'],
  ])('is right when a former owner writes late, %s, and the store is lost', async (_title, how) => {
    await open({}, viewsOf(catalogue, 'layanan.kasus-jumlah'));
    const [view] = stage.views;
    await stage.generations.change(view!.name, () => ({ serving: 1, fingerprint: view!.fingerprint }));
    await stage.append(some(65, 1_800));
    const topicId = await stage.log.topicId('layanan.kasus');
    const at = (epoch: bigint) => ({ topic: 'layanan.kasus', topicId, partition: 0, epoch });
    const signal = new AbortController().signal;
    let failing = false;
    let later = 0;
    const state = interposed(stage.state, (call) =>
      failing && call === 'read' ? Promise.reject(new Error('the store fails')) : undefined,
    );
    const deps = { ...stage, now: () => Date.now() + later, snapshots: 'all' as const, snapshotLingerMs: 1 };
    let held: (() => void) | undefined;
    const slow = new Proxy(stage.log, {
      get: (t, name) => {
        const value: unknown = Reflect.get(t, name);
        if (name === 'append')
          return async (topic: string, ...rest: [number, never[]]) => {
            if (held !== undefined && topic.startsWith('_simpul.view.')) await new Promise<void>((go) => (held = go));
            return t.append(topic, ...rest);
          };
        return typeof value === 'function' ? (value as () => unknown).bind(t) : value;
      },
    });
    const zombie = new Projector({ ...deps, log: slow });
    let owner = new Projector({ ...deps, state, report: { snapshotFailed: () => (failing = false) } });
    let epoch = 2n;
    const fold = async (p: Projector, epoch: bigint, from: bigint, n: number): Promise<bigint> => {
      const read = await stage.log.read('layanan.kasus', 0, from, { maxRecords: n });
      if (read.kind !== 'records') throw new Error(read.kind);
      return (await p.batch(at(epoch), read, signal)).next;
    };
    const complete = async (p: Projector, next: bigint): Promise<void> =>
      until(async () => {
        await p.verify();
        const [status] = p.snapshots.status();
        return status?.state === 'complete' && status.places[0]?.next === next;
      });
    await zombie.start(at(1n));
    expect(await fold(zombie, 1n, 0n, 40)).toBe(40n);
    await complete(zombie, 40n);
    held = () => undefined;
    // Committed, and on its way into the snapshot when another owner takes over.
    expect(await fold(zombie, 1n, 40n, 30)).toBe(70n);
    await owner.start(at(2n));
    await complete(owner, 70n);
    expect(await fold(owner, 2n, 70n, 60)).toBe(130n);
    await complete(owner, 130n);
    const go = held;
    held = undefined;
    go();
    const topic = snapshotTopic(stage.storage(view!));
    const end = async () => (await readTail(stage.log, topic, 0)).end;
    const before = await end();
    await until(async () => (await end()) > before);
    const want = async (): Promise<string> => digestOfView(stage.state, view!, stage.storage(view!));
    if (how === 'fails') {
      failing = true;
      // Looks at the end of the snapshot once a minute.
      later = 61_000;
      await owner.verify();
      await until(() => !failing);
    }
    if (how === 'ended') {
      await owner.close();
      owner = new Projector(deps);
      await owner.start(at(++epoch));
      await complete(owner, 130n);
    }
    expect(await fold(owner, epoch, 130n, 20)).toBe(150n);
    await complete(owner, 150n);
    await owner.snapshots.flush();
    const digest = await want();
    await zombie.close();
    await owner.close();
    await stage.maintain();
    stage.emptyStore();
    const next = new Projector({
      ...deps,
      report: { filledFromSnapshot: (_v, _s, _p, outcome) => outcomes.push(outcome) },
    });
    await next.start(at(4n));
    await until(async () => outcomes.length > 0 && (await want()) === digest);
    expect(outcomes).toEqual(['filled']);
    await next.close();
  });

  it('is begun from a store that has none, while events come, and is then as good as one that was written from the first event', async () => {
    await open();
    await stage.append(some(31, 3_000));
    await project({ snapshots: 'none' });
    await stage.untilCaughtUp();
    await stage.shut();
    await stage.open();
    await project();
    for (let n = 0; n < 10; n++) await stage.append(some(40 + n, 100));
    await stage.untilCaughtUp();
    await untilWritten();
    await loseStore();
    await project();
    await stage.untilCaughtUp();
    await expectPlain();
    expect(all()).toBe(0);
  });

  it('of a store that was set back a little goes on when the store has reached it again, and is right in between', async () => {
    await open({}, viewsOf(catalogue, 'layanan.kasus-jumlah', 'layanan.kasus-papan'));
    await stage.append(some(33, 1_500));
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    const kept = await stage.copyState();
    await project();
    await stage.append(some(34, 300));
    await stage.untilCaughtUp();
    await untilWritten();
    await stage.shut();
    stage.restoreState(kept);
    await stage.open();
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    await expectPlain();
    await loseStore();
    await project();
    await stage.untilCaughtUp();
    await expectPlain();
    expect(all()).toBe(0);
  });

  it('of an old generation is deleted with it, and the new one has its own', async () => {
    await open({}, viewsOf(catalogue, 'layanan.kasus-papan'));
    const [board] = stage.views;
    await stage.append(some(35, 1_000));
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    await requestRebuild(stage, board!, { keyId: 'k', owner: 'hub', system: 'uji' });
    await until(() => stage.generations.row(board!.name)!.serving === 2);
    await until(async () => !(await stage.log.topics()).includes(snapshotTopic(storageOf(board!.name, 1))));
    await untilWritten();
    await loseStore();
    await project();
    await stage.untilCaughtUp();
    await expectPlain();
    expect(all()).toBe(0);
  });
});
