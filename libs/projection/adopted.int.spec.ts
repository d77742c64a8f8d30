import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Caller } from '#access';
import type { CatalogueIndex } from '#registry';
import { catalogueOfFiles, recordOf, viewTexts, type EventSpec } from '../../test/kit/projection/events.js';
import { Stage, until } from '../../test/kit/projection/stage.js';
import { compileView, parseView, readRefused, type CompiledView } from './index.js';

const STREAM = 'layanan.kasus';
const DAY = 86_400_000;
const [A, B] = ['SU00065', 'SU00066'] as const;
const steward: Caller = { keyId: 'k', owner: 'hub', system: 'uji', roles: new Set(['steward']) };

let catalogue: CatalogueIndex;
let stage: Stage;
let logNow: number;
let views: { readonly before: CompiledView; readonly now: CompiledView };
beforeEach(async () => {
  catalogue = catalogueOfFiles(1);
  logNow = Date.now() - 20 * DAY;
  const { owner: _o, ownerWhy: _w, sources, ...open } = parseView(viewTexts().get('layanan.kasus-papan')!);
  const before = compileView({ ...open, sources: sources.map(({ owner: _of, ...s }) => s) }, catalogue);
  const now = compileView(parseView(viewTexts().get('layanan.kasus-papan')!), catalogue);
  views = { before, now };
  stage = await new Stage(catalogue, [before], { logNow: () => logNow }).open();
});
afterEach(() => stage.close());

const held = (by: string, nomorKasus: string, data: EventSpec['data'] = {}) =>
  recordOf(catalogue, {
    type: 'layanan.kasus.status-berubah',
    source: `urn:simpul:unit:${by}:uji`,
    data: { nomorKasus, unitPemegang: by, unitSebelumnya: null, statusBaru: 'diproses', ...data },
  });

it('a view that only tells now what it dropped in silence takes its entries over too, where the log has deleted events', async () => {
  const [told] = ['pas.penghuni-aktif'].map((n) => compileView(parseView(viewTexts().get(n)!), catalogue));
  const admitted = (idOrang: string) =>
    recordOf(catalogue, {
      type: 'pas.penghuni.diterima',
      source: `urn:simpul:unit:${A}:uji`,
      data: { idOrang, unitPenerima: A },
    });
  await stage.close();
  stage = await new Stage(catalogue, [{ ...told!, fingerprint: told!.untold }], { logNow: () => logNow }).open();
  await stage.append([admitted('O-1')]);
  const projector = await stage.project({ snapshots: 'all', snapshotLingerMs: 5 });
  await stage.untilCaughtUp();
  await until(() => projector.snapshots().length > 0 && projector.snapshots().every((s) => s.state === 'complete'));
  await stage.shut();
  logNow = Date.now();
  Object.assign(stage, { views: [told] });
  await stage.open();
  await stage.append([admitted('O-2')]);
  await stage.log.setRetention('pas.penghuni', 10 * DAY);
  catalogue.putStream('pas.penghuni', 1, 10 * DAY);
  await stage.maintain();
  expect((await stage.log.describe('pas.penghuni'))[0]!.low).toBeGreaterThan(0n);
  await stage.project({ snapshots: 'all', snapshotLingerMs: 5 });
  await stage.untilCaughtUp();
  const row = stage.generations.row(told!.name)!;
  expect([row.serving, row.fingerprint]).toEqual([1, told!.fingerprint]);
});

it('a view over events that the log has deleted takes its entries over when only their owners are new, and then nobody else changes them', async () => {
  expect(views.before.fingerprint).toBe(views.now.ownerless);
  await stage.append([held(A, 'K-1'), held(A, 'K-2')]);
  const projector = await stage.project({ snapshots: 'all', snapshotLingerMs: 5 });
  await stage.untilCaughtUp();
  await until(() => projector.snapshots().length > 0 && projector.snapshots().every((s) => s.state === 'complete'));
  await stage.shut();
  logNow = Date.now();
  Object.assign(stage, { views: [views.now] });
  await stage.open();
  await stage.append([held(A, 'K-3')]);
  await stage.log.setRetention(STREAM, 10 * DAY);
  catalogue.putStream(STREAM, 1, 10 * DAY);
  await stage.maintain();
  expect((await stage.log.describe(STREAM))[0]!.low).toBeGreaterThan(0n);
  await stage.project({ snapshots: 'all', snapshotLingerMs: 5 });
  await stage.append([held(B, 'K-1'), held(A, 'K-2', { statusBaru: 'selesai' })]);
  await stage.untilCaughtUp();
  const row = stage.generations.row('layanan.kasus-papan')!;
  expect([row.serving, row.fingerprint]).toEqual([1, views.now.fingerprint]);
  const valueOf = async (key: string) => {
    const got = await stage.reader.get(steward, views.now, key);
    return got.kind === 'entry' ? got.entry.value : got.kind;
  };
  expect(await valueOf('K-1')).toMatchObject({ unitPemegang: A, status: 'diproses' });
  expect(await valueOf('K-2')).toMatchObject({ unitPemegang: A, status: 'selesai' });
  expect((await readRefused(stage.state, stage.storage(views.now), 0)).events.map((e) => [e.key, e.owner])).toEqual([
    ['K-1', A],
  ]);
});
