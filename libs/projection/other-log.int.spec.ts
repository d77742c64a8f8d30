import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Caller } from '#access';
import { INDEX_VIEW, type Refold } from '#duplicates';
import type { CatalogueIndex } from '#registry';
import type { State } from '#state';
import { openEmbeddedState } from '#state-embedded';
import { catalogueOfFiles, recordOf, viewsOf } from '../../test/kit/projection/events.js';
import { plainDigest } from '../../test/kit/projection/plain.js';
import { Stage, until, type StageOptions } from '../../test/kit/projection/stage.js';
import { traffic, TRAFFIC_VIEWS } from '../../test/kit/projection/traffic.js';
import { Backlogs, digestOfView, Ends, type CompiledView } from './index.js';

let catalogue: CatalogueIndex;
let views: CompiledView[];
let stage: Stage;
let refolds: Refold[];
const report = { refolding: (r: Refold) => void refolds.push(r) };

beforeAll(() => {
  catalogue = catalogueOfFiles(2);
  views = viewsOf(catalogue, ...TRAFFIC_VIEWS);
});
afterEach(() => stage.close());

const STREAM = 'layanan.kasus';

async function open(some = views, options: StageOptions = {}): Promise<void> {
  refolds = [];
  stage = await new Stage(catalogue, some, options).open();
}

async function fold(): Promise<void> {
  if (!stage.projector) await stage.project({ report });
  await stage.untilCaughtUp();
}

/** Waits until every view is what a plain fold of the log that is there gives. A stored position cannot tell: that of the old log may be greater. */
async function expectPlain(): Promise<void> {
  const digests = async (of: (view: CompiledView) => Promise<string>): Promise<Record<string, string>> =>
    Object.fromEntries(await Promise.all(stage.views.map(async (view) => [view.name, await of(view)] as const)));
  const want = await digests((view) => plainDigest(stage.log, catalogue, view));
  let seen: Record<string, string> = {};
  await until(async () => {
    seen = await digests((view) => digestOfView(stage.state, view, stage.storage(view)));
    return JSON.stringify(seen) === JSON.stringify(want);
  }).catch(() => undefined);
  expect(seen).toEqual(want);
}

/** Folds `before`, copies the log, folds `lost`, and puts the copy in the place of the log: the state is kept. */
async function restored(before: ReturnType<typeof traffic>, lost: ReturnType<typeof traffic>): Promise<void> {
  await stage.append(before);
  await fold();
  await stage.shut();
  const backup = mkdtempSync(join(tmpdir(), 'simpul-backup-'));
  const log = join(stage.dir, 'log');
  cpSync(log, backup, { recursive: true });
  await stage.open();
  await stage.append(lost);
  await fold();
  await stage.shut();
  rmSync(log, { recursive: true });
  cpSync(backup, log, { recursive: true });
  rmSync(backup, { recursive: true });
  await stage.open();
}

async function recreate(stream: string): Promise<void> {
  const { partitions } = catalogue.stream(stream)!;
  await stage.log.deleteTopic(stream);
  await stage.log.ensureTopic({ name: stream, partitions, cleanup: 'keep' });
}

describe('a log that was restored from an older copy while the state was kept', () => {
  it('is folded again: entries of events that are not in it vanish, and lost events that are sent again are events', async () => {
    await open();
    const lost = traffic(catalogue, 2, 300);
    await restored(traffic(catalogue, 1, 600), lost);
    await fold();
    await expectPlain();
    expect(refolds.length).toBeGreaterThan(0);
    await stage.append(lost);
    await stage.untilCaughtUp();
    await expectPlain();
  });

  it('is folded again also when it has grown beyond the old position before the projector looks', async () => {
    await open();
    await restored(traffic(catalogue, 1, 300), traffic(catalogue, 2, 200));
    await stage.append(traffic(catalogue, 3, 900));
    await fold();
    await expectPlain();
    expect(refolds.length).toBeGreaterThan(0);
  });

  it('is not folded again where it holds all that was folded', async () => {
    await open();
    await restored(traffic(catalogue, 1, 300), []);
    await stage.append(traffic(catalogue, 3, 200));
    await fold();
    await expectPlain();
    expect(refolds).toEqual([]);
  });

  it('takes back the settled end and the copies of the lost part', async () => {
    await open();
    const one = recordOf(catalogue, { type: 'layanan.kasus.status-berubah', id: 'sama' });
    const other = {
      ...recordOf(catalogue, { type: 'layanan.kasus.status-berubah', id: 'lain' }),
      partition: one.partition,
    };
    await restored([one], [one, one]);
    await stage.append([other, other]);
    await fold();
    const { partition } = one;
    await until(() => stage.settled.end(STREAM, partition) === 3n);
    expect([1n, 2n].map((offset) => stage.settled.originalOf(STREAM, partition, offset))).toEqual([undefined, 1n]);
    await expectPlain();
  });
});

const steward: Caller = { keyId: 'uji', owner: 'SU00001', system: 'uji', roles: new Set(['steward']) };
const board = (): CompiledView => views.find((v) => v.name === 'layanan.kasus-papan')!;
const fact = (nomorKasus: string) =>
  recordOf(catalogue, {
    type: 'layanan.kasus.status-berubah',
    data: { nomorKasus },
    source: `urn:simpul:unit:SU00100:${nomorKasus}`,
  });

describe('a read of a view that was folded from another log', () => {
  it('is 503 before the projector has looked and while it folds, never an entry and never "absent"; the state door says so', async () => {
    await open();
    await restored([fact('K-1')], [fact('K-2'), fact('K-3')]);
    const backlogs = new Backlogs({ ...backlogDeps(), now: () => ++clock * 10_000 });
    const get = async (key: string): Promise<string> => (await stage.reader.get(steward, board(), key)).kind;
    for (const key of ['K-1', 'K-2', 'K-9'])
      if (fact(key).partition === fact('K-2').partition) expect([key, await get(key)]).toEqual([key, 'rebuilding']);
    expect(await get('K-2')).toBe('rebuilding');
    expect(await stage.reader.list(steward, board(), [], 10, undefined)).toBeUndefined();
    expect([await backlogs.views(), await backlogs.index()]).toEqual(['view_rebuilding', 'view_rebuilding']);
    await stage.project({ report });
    const seen = new Set<string>();
    await until(async () => {
      const kind = await get('K-2');
      seen.add(kind);
      return kind === 'absent';
    });
    expect([...seen].filter((kind) => kind !== 'absent')).toEqual(seen.size > 1 ? ['rebuilding'] : []);
    expect(await get('K-1')).toBe('entry');
    await until(async () => (await backlogs.views()) === undefined && (await backlogs.index()) === undefined);
  });

  it('waits with after= for an acknowledged position of the topic that was made again', async () => {
    await open();
    await stage.append([fact('K-1'), fact('K-2'), fact('K-3')]);
    await fold();
    await recreate(STREAM);
    const one = fact('K-4');
    const [offset] = await stage.append([one]);
    const got = await stage.reader.get(steward, board(), 'K-4', { after: { ...one, offset: offset! }, waitMs: 10_000 });
    expect(got).toMatchObject({ kind: 'entry', entry: { position: `${STREAM}/${one.partition}/${offset}` } });
  });
});

let clock = 0;
const backlogDeps = () => ({
  state: stage.state,
  views: stage.views,
  generations: stage.generations,
  ends: new Ends({ log: stage.log, state: stage.state, now: () => ++clock * 10_000 }),
  streams: () => stage.streams,
});

describe('a topic that was deleted and made again', () => {
  it.each([
    ['shorter than before', 100],
    ['longer than before', 900],
  ])('while the projector ran, %s: its events are folded, and none of the old topic stays', async (_name, length) => {
    await open();
    await stage.append(traffic(catalogue, 1, 400));
    await fold();
    await recreate(STREAM);
    await stage.append(traffic(catalogue, 2, length).filter(({ stream }) => stream === STREAM));
    await until(() => refolds.some((r) => r.stream === STREAM));
    await stage.untilCaughtUp();
    await expectPlain();
  });

  it('while no projector ran, and grown beyond the old position: its events are folded', async () => {
    await open();
    await stage.append(traffic(catalogue, 1, 200));
    await fold();
    await stage.projector!.close();
    stage.projector = undefined;
    await recreate(STREAM);
    await stage.append(traffic(catalogue, 2, 900).filter(({ stream }) => stream === STREAM));
    await fold();
    await expectPlain();
    expect(new Set(refolds.map((r) => r.stream))).toEqual(new Set([STREAM]));
  });

  it('and is empty: the entries of the old topic vanish without a new event', async () => {
    await open();
    await stage.append(traffic(catalogue, 1, 200));
    await fold();
    await recreate(STREAM);
    await until(() => refolds.some((r) => r.storage === INDEX_VIEW && r.stream === STREAM));
    await expectPlain();
  });
});

describe('a new connection to the store', () => {
  it('that holds what was folded from another log: the projector folds again, before any event comes', async () => {
    let target: State | undefined;
    let connection = 1;
    const wrapState = (own: State): State =>
      new Proxy(own, {
        get: (t, name) => {
          if (name === 'connection') return () => connection;
          const of = name === 'close' ? t : (target ?? t);
          const value: unknown = Reflect.get(of, name);
          return typeof value === 'function' ? (value.bind(of) as unknown) : value;
        },
      });
    await open(views, { wrapState });
    await stage.append(traffic(catalogue, 1, 300));
    await fold();
    const foreign = new Stage(catalogue, views);
    await foreign.open();
    await foreign.append(traffic(catalogue, 9, 300));
    await foreign.project();
    await foreign.untilCaughtUp();
    await foreign.shut();
    target = await openEmbeddedState({ dir: join(foreign.dir, 'state') });
    connection++;
    await until(() => refolds.length > 0);
    await stage.untilCaughtUp();
    await expectPlain();
    await stage.projector!.close();
    stage.projector = undefined;
    await target.close();
    target = undefined;
    rmSync(foreign.dir, { recursive: true, force: true });
  });
});

describe('a checkpoint of the last release, without a proof', () => {
  it('is believed while the log is not shorter, and gets its proof', async () => {
    await open();
    await stage.append(traffic(catalogue, 1, 300));
    await fold();
    await stage.projector!.close();
    stage.projector = undefined;
    stage.loseProofs();
    await fold();
    await stage.append(traffic(catalogue, 2, 50));
    await fold();
    await expectPlain();
    expect(refolds).toEqual([]);
    const part = { stream: STREAM, partition: 0 };
    expect((await stage.state.position(INDEX_VIEW, part))?.proof).toBeDefined();
  });

  it('is not believed when the log is shorter', async () => {
    await open();
    await restored(traffic(catalogue, 1, 300), traffic(catalogue, 2, 200));
    stage.loseProofs();
    await fold();
    await expectPlain();
    expect(refolds.length).toBeGreaterThan(0);
  });
});
