import 'reflect-metadata';
import { CORE, CoreModule, type Core } from '#core';
import { HEALTH_DOOR, type HealthDoorDeps, type ViewHealth } from '#http';
import { digestOfView, storageOf } from '#projection';
import type { CatalogueIndex } from '#registry';
import { readHubSettings } from '#settings';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentHub } from '../../test/kit/hub/hub-module.js';
import { plainDigest } from '../../test/kit/projection/plain.js';
import { until } from '../../test/kit/projection/stage.js';
import { traffic } from '../../test/kit/projection/traffic.js';
import { ProjectorModule } from './index.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-snapshots-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const VIEW = 'layanan.kasus-papan';

async function open(snapshots: 'auto' | 'all') {
  const settings = readHubSettings({ ...silentHub(dir), SIMPUL_SNAPSHOTS: snapshots });
  const imports = [CoreModule.forRoot({ name: 'hub', settings }), ProjectorModule];
  const module = await Test.createTestingModule({ imports }).compile();
  await module.init();
  const core = module.get<Core>(CORE);
  const health = module.get<HealthDoorDeps>(HEALTH_DOOR, { strict: false });
  return { module, core, rows: (): readonly ViewHealth[] => health.views!() ?? [] };
}

it('/health/ready says of each view that its snapshot is complete and up to where, and a deleted state file comes back from the snapshots', async () => {
  const first = await open('all');
  const placed = traffic(first.core.registry.catalogue as CatalogueIndex, 1, 600).filter(
    (x) => x.stream === 'layanan.kasus',
  );
  for (const { stream, partition, record } of placed) await first.core.log.append(stream, partition, [record]);
  const highs = await first.core.log.describe('layanan.kasus');
  const upTo = Object.fromEntries(highs.map((r) => [String(r.partition), String(r.high)]));
  const row = () => first.rows().find((r) => r.view === VIEW);
  await until(
    () => row()?.snapshot === 'complete' && JSON.stringify(row()?.upTo['layanan.kasus']) === JSON.stringify(upTo),
  );
  expect(row()).toMatchObject({ view: VIEW, storage: `${VIEW}~1`, partitions: highs.length, snapshot: 'complete' });
  expect(await first.core.metrics.text()).toContain(
    `simpul_snapshot_lag_events{view="${VIEW}",storage="${VIEW}~1",partition="0",stream="layanan.kasus"`,
  );
  await first.module.close();
  for (const file of readdirSync(dir)) if (file.startsWith('state.sqlite')) rmSync(join(dir, file));

  const second = await open('all');
  const { core } = second;
  const view = core.views.find((v) => v.name === VIEW)!;
  await until(
    () => second.rows().every((r) => r.snapshot === 'complete') && second.rows().length === core.views.length,
  );
  await until(async () => {
    const at = await core.state.positions(
      storageOf(VIEW, 1),
      highs.map(({ partition }) => ({ stream: 'layanan.kasus', partition })),
    );
    return at.every((p, i) => p !== undefined && p.next >= highs[i]!.high);
  });
  expect(await digestOfView(core.state, view, storageOf(VIEW, 1))).toBe(
    await plainDigest(core.log, core.registry.catalogue as CatalogueIndex, view),
  );
  expect(await core.metrics.text()).toMatch(new RegExp(`simpul_snapshot_filled_total{view="${VIEW}"[^}]*} [1-9]`));
  await second.module.close();
});

it('with the default setting a young hub writes no snapshot, and says so', async () => {
  const { module, core, rows } = await open('auto');
  await until(() => rows().length === core.views.length);
  expect(new Set(rows().map((r) => r.snapshot))).toEqual(new Set(['none']));
  expect((await core.log.topics()).filter((t) => t.startsWith('_simpul.view.'))).toEqual([]);
  await module.close();
});
