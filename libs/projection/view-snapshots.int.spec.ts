import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { EventLog } from '#log';
import type { CatalogueIndex } from '#registry';
import { readTail, snapshotTopic } from '#snapshots';
import { catalogueOfFiles, recordOf, viewsOf } from '../../test/kit/projection/events.js';
import { plainDigest } from '../../test/kit/projection/plain.js';
import { Stage, until, type StageOptions } from '../../test/kit/projection/stage.js';
import { traffic, TRAFFIC_VIEWS } from '../../test/kit/projection/traffic.js';
import { digestOfView, requestRebuild, storageOf, type CompiledView, type OpenProjectorDeps } from './index.js';

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

describe('a snapshot', () => {
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
    await stage.shut();
    const kept = stage.copyState();
    await stage.open();
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
