import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { EventLog } from '#log';
import type { CatalogueIndex } from '#registry';
import type { State } from '#state';
import { catalogueOfFiles, viewsOf } from '../../test/kit/projection/events.js';
import { plainDigest } from '../../test/kit/projection/plain.js';
import { Stage, until } from '../../test/kit/projection/stage.js';
import { traffic } from '../../test/kit/projection/traffic.js';
import { digestOfView, type CompiledView } from './index.js';

const VIEW = 'layanan.kasus-papan';
const STREAM = 'layanan.kasus';
const DAY = 86_400_000;

let catalogue: CatalogueIndex;
let stage: Stage;
/** How many more appends of snapshots succeed. */
let appends: number;
/** Appends of snapshots since the last open(). */
let written: number;
/** The feed of changes does not reach back: a snapshot that lies behind is begun anew. */
let gap: boolean;
/** A snapshot that is begun anew is cut off after this many appends, as by a kill. */
let cut: number | undefined;
let logNow: number;
let outcomes: string[];
let folded: number;

const wrapLog = (log: EventLog): EventLog =>
  new Proxy(log, {
    get: (t, name) => {
      const value: unknown = Reflect.get(t, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (name === 'append' && String(args[0]).startsWith('_simpul.view.')) {
          if (appends <= 0) return Promise.resolve({ kind: 'refused', code: 'log_unavailable' });
          appends--;
          written++;
        }
        return (value as (...a: unknown[]) => unknown).apply(t, args);
      };
    },
  });
const wrapState = (state: State): State =>
  new Proxy(state, {
    get: (t, name) => {
      const value: unknown = Reflect.get(t, name);
      if (typeof value !== 'function') return value;
      if (name === 'changes' && gap)
        return () => Promise.resolve({ gap: true, changes: [], more: false, progress: undefined });
      if (name === 'scan' && cut !== undefined)
        return async (...args: Parameters<State['scan']>) => {
          if (args[2]?.space !== 'part') return t.scan(...args);
          await until(() => written >= cut!);
          throw new Error('cut off');
        };
      return (value as () => unknown).bind(t);
    },
  });

async function open(partitions: number): Promise<void> {
  catalogue = catalogueOfFiles(partitions);
  stage = new Stage(catalogue, viewsOf(catalogue, VIEW), { wrapLog, wrapState, logNow: () => logNow });
  await stage.open();
}

beforeEach(() => {
  appends = Infinity;
  written = 0;
  gap = false;
  outcomes = [];
  folded = 0;
  cut = undefined;
  logNow = Date.now() - 20 * DAY;
});
afterEach(() => stage.close());

const view = (): CompiledView => stage.views[0]!;
/** Without copies: nobody finds those that are older than eight days. */
const some = (seed: number, count: number) =>
  [...new Set(traffic(catalogue, seed, count))].filter((t) => t.stream === STREAM);
const digest = () => digestOfView(stage.state, view(), stage.storage(view()));
const states = () => stage.projector!.snapshots().map((s) => s.state);

const project = () =>
  stage.project({
    snapshots: 'all',
    snapshotLingerMs: 5,
    report: {
      folded: (_view, _storage, _part, _next, events) => (folded += events),
      filledFromSnapshot: (_view, _storage, _partition, outcome) => outcomes.push(outcome),
    },
  });

async function untilWritten(): Promise<void> {
  await until(async () => {
    const held = stage.projector!.snapshots();
    if (held.length < view().partitions) return false;
    for (const { storage, partition, state, places } of held) {
      if (state !== 'complete') return false;
      for (const { stream, next } of places)
        if ((await stage.state.position(storage, { stream, partition }))?.next !== next) return false;
    }
    return true;
  });
}

async function loseStore(): Promise<void> {
  await stage.shut();
  rmSync(join(stage.dir, 'state'), { recursive: true });
  await stage.open();
  outcomes = [];
  folded = 0;
}

/** The stream deletes what is older than ten days. */
async function deleteOld(): Promise<void> {
  const { partitions } = catalogue.stream(STREAM)!;
  await stage.log.setRetention(STREAM, 10 * DAY);
  catalogue.putStream(STREAM, partitions, 10 * DAY);
  await stage.maintain();
}

/**
 * A complete snapshot of events that the stream has deleted meanwhile, and a store that is ahead of it by `fresh` events whose keys cannot be looked up.
 * Answers the digest of the store.
 */
async function behind(fresh: number): Promise<string> {
  await open(2);
  await stage.append(some(1, 900));
  await project();
  await stage.untilCaughtUp();
  await untilWritten();
  logNow = Date.now();
  appends = 0;
  // A seed far from the first: near ones begin with the same events, which are copies that nobody finds after twenty days.
  await stage.append(some(40_000, fresh));
  await stage.untilCaughtUp();
  const want = await digest();
  expect(want).toBe(await plainDigest(stage.log, catalogue, view()));
  await stage.shut();
  await stage.open();
  await deleteOld();
  for (const { low } of await stage.log.describe(STREAM)) expect(low).toBeGreaterThan(0n);
  return want;
}

describe('a snapshot that is begun anew', () => {
  it('leaves the complete one usable until it is complete itself: a store that is lost in between loses nothing', async () => {
    const want = await behind(300);
    const fresh = (await stage.log.describe(STREAM)).reduce((n, r) => n + Number(r.high - r.low), 0);
    gap = true;
    for (const count of [1, 2]) {
      cut = count;
      appends = Infinity;
      written = 0;
      await project();
      await until(() => written >= count);
      cut = undefined;
      await loseStore();
      // Kept away from the snapshots: the next round must find the same again.
      appends = 0;
      await project();
      await until(async () => outcomes.length > 0 && (await stage.caughtUp()) && (await digest()) === want);
      expect(new Set(outcomes)).toEqual(new Set(['filled']));
      expect(folded).toBeLessThanOrEqual(fresh);
      await stage.shut();
      await stage.open();
    }
  });

  it('takes over when it is complete, and the next one that is begun leaves it usable in turn', async () => {
    let want = await behind(300);
    gap = true;
    for (const round of [3, 4]) {
      appends = Infinity;
      await project();
      await untilWritten();
      await loseStore();
      await project();
      // The outcome is told behind the commit that makes the store caught up.
      await until(() => outcomes.length === view().partitions);
      await stage.untilCaughtUp();
      expect([await digest(), folded, new Set(outcomes)]).toEqual([want, 0, new Set(['filled'])]);
      await untilWritten();
      appends = 0;
      await stage.append(some(round, 120));
      await stage.untilCaughtUp();
      want = await digest();
      await stage.shut();
      await stage.open();
    }
    appends = 1;
    await project();
    await until(() => states().includes('renewing') && appends === 0);
    await loseStore();
    await project();
    await until(async () => outcomes.length > 0 && (await stage.caughtUp()) && (await digest()) === want);
  });

  it('is not begun from a store that was set back below the first event of the log: the complete one holds more', async () => {
    await open(1);
    await stage.append(some(1, 300));
    await project();
    await stage.untilCaughtUp();
    await untilWritten();
    const kept = await stage.copyState();
    await project();
    await stage.append(some(2, 10_000));
    await stage.untilCaughtUp();
    await untilWritten();
    const want = await digest();
    await stage.shut();
    stage.restoreState(kept);
    await stage.open();
    logNow = Date.now();
    await deleteOld();
    await project();
    // the complete one fills the store, and is written on
    await until(async () => (await digest()) === want);
    await until(() => states().length === view().partitions && states().every((s) => s === 'complete'));
    outcomes = [];
    await loseStore();
    await project();
    await until(async () => outcomes.length > 0 && (await stage.caughtUp()) && (await digest()) === want);
    expect(new Set(outcomes)).toEqual(new Set(['filled']));
  });
});
