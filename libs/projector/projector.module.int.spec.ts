import 'reflect-metadata';
import { CORE, type Core } from '#core';
import { digestOfView, storageOf } from '#projection';
import { INDEX_VIEW } from '#duplicates';
import type { CatalogueIndex } from '#registry';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { hubModule, openHub } from '../../test/kit/hub/hub-module.js';
import { plainDigest } from '../../test/kit/projection/plain.js';
import { until } from '../../test/kit/projection/stage.js';
import { traffic } from '../../test/kit/projection/traffic.js';
import { ProjectorModule } from './index.js';

const STREAMS = ['imigrasi.cegah', 'layanan.kasus'];
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(pathOf(tmpdir(), 'simpul-projector-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Appends as the log would hold it after many publications. Answers how many records. */
async function fill({ log, registry }: Core): Promise<number> {
  const placed = traffic(registry.catalogue as CatalogueIndex, 1, 800).filter((x) => STREAMS.includes(x.stream));
  const parts = Map.groupBy(placed, (x) => `${x.stream}/${x.partition}`);
  for (const [{ stream, partition }, records] of [...parts.values()].map((all) => [all[0]!, all] as const)) {
    const outcome = await log.append(
      stream,
      partition,
      records.map((x) => x.record),
    );
    expect(outcome.kind).toBe('accepted');
  }
  return placed.length;
}

async function caughtUp({ log, state, views, generations }: Core): Promise<boolean> {
  for (const stream of STREAMS)
    for (const { partition, low, high } of await log.describe(stream)) {
      if (low === high) continue;
      const folding = views.filter((v) => v.streams.includes(stream));
      for (const storage of [INDEX_VIEW, ...folding.map((v) => storageOf(v.name, generations.row(v.name)!.serving))])
        if (((await state.position(storage, { stream, partition }))?.next ?? 0n) < high) return false;
    }
  return true;
}

it('the projector module folds the log into the same entries as a plain fold, and gives its partitions back when the app closes', async () => {
  const before = await openHub(dir);
  expect(await fill(before.core)).toBeGreaterThan(50);
  await before.close();
  const module = await hubModule(dir, ProjectorModule).compile();
  await module.init();
  const core = module.get<Core>(CORE);
  await until(() => caughtUp(core));
  for (const view of core.views.filter((v) => v.streams.every((s) => STREAMS.includes(s)))) {
    const storage = storageOf(view.name, core.generations.row(view.name)!.serving);
    expect(await digestOfView(core.state, view, storage)).toBe(
      await plainDigest(core.log, core.registry.catalogue as CatalogueIndex, view),
    );
  }
  await module.close();
  // No partition is held, and the folder is free for the next process.
  await (await openHub(dir)).close();
});

it('a process with a projector is not ready before its first assignment, however long the join of the group takes', async () => {
  const module = await hubModule(dir, ProjectorModule).compile();
  const core = module.get<Core>(CORE);
  const joined = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const join = core.log.join.bind(core.log);
  Object.assign(core.log, {
    join: async (...args: Parameters<typeof join>) => {
      asked.resolve();
      await joined.promise;
      return join(...args);
    },
  });
  await module.init();
  await asked.promise;
  // everything else that a start waits for
  await until(() => core.settled.ready);
  expect(core.readiness.ready).toBe(false);
  joined.resolve();
  await until(() => core.readiness.ready);
  await module.close();
});
