import { readLevel, sampleEvent, sourceOf, type Caller, type Role } from '#access';
import { hubPublishing, type Core } from '#core';
import { fromHeaders } from '#event';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openHub, type RunningHub } from '../../test/kit/hub/hub-module.js';
import { until } from '../../test/kit/projection/stage.js';
import { ProjectorModule } from './index.js';
import { CHANGE_TRIED } from './owner-notices.js';
import { CHANGE_REFUSED } from './view-conflicts.js';

const TYPE = 'layanan.kasus.status-berubah';
const STREAM = 'simpul.pengawasan';
const kanim = (owner: string): Caller => ({ keyId: owner, owner, system: 'simkim', roles: new Set(['publisher']) });
const [A, B] = [kanim('SU00065'), kanim('SU00066')];

let dir: string;
let hub: RunningHub | undefined;
let core: Core;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-refused-'));
});
afterEach(async () => {
  await hub?.close();
  hub = undefined;
  rmSync(dir, { recursive: true, force: true });
});

async function start(): Promise<void> {
  await hub?.close();
  hub = await openHub(dir, ProjectorModule);
  ({ core } = hub);
}
/** A change of case K-1 by the office that says it holds it. */
async function state(by: Caller, id: string): Promise<string> {
  const made = { id, time: '2021-07-15T00:00:00Z' };
  const e = sampleEvent(core.registry.catalogue.newest(TYPE)!, 0, by, core.units.units, made);
  const { data, subject: _s, dataschema: _d, datacontenttype: _c, ...given } = e;
  const content = { kind: 'json', data: { ...data, nomorKasus: 'K-1', unitSebelumnya: null } } as const;
  const [outcome] = await hubPublishing(core).publish([{ kind: 'event', given, content, form: 'body', bytes: 1_000 }], {
    caller: by,
  });
  return (outcome as { receipt: { position: string } }).receipt.position;
}
/** The notices of a type as readers see them. */
async function notices(name = CHANGE_REFUSED) {
  const type = core.registry.catalogue.newest(name)!;
  const out = [];
  for (const { partition, low, high } of await core.log.describe(STREAM)) {
    if (low === high) continue;
    await until(() => core.settled.end(STREAM, partition) >= high);
    const read = await core.log.read(STREAM, partition, low);
    for (const r of read.kind === 'records' ? read.records : []) {
      if (core.settled.originalOf(STREAM, partition, r.offset) !== undefined) continue;
      const envelope = fromHeaders(r.headers)!;
      if (envelope.type === name) out.push({ ...envelope, data: type.contract.decode(r.value!, { framed: true }) });
    }
  }
  return out.sort((a, b) => (a.id < b.id ? -1 : 1));
}

it('a change that views refused is published by the hub to the office that sent it, without the owner and key of the entry, once for each view, also after a restart, and is counted', async () => {
  await start();
  await state(A, 'satu');
  const position = await state(B, 'dua');
  await until(async () => (await notices()).length === 2);
  const [counted, board] = await notices();
  expect([counted!.id, board!.id]).toEqual([`layanan.kasus-jumlah/${position}`, `layanan.kasus-papan/${position}`]);
  expect(board).toMatchObject({ source: 'urn:simpul:hub:watch', type: CHANGE_REFUSED, subject: sourceOf(B) });
  expect(board!.data).toEqual({
    sumber: sourceOf(B),
    ringkasan: 'layanan.kasus-papan',
    jenis: TYPE,
    posisi: position,
    alasan: 'bukan_pemilik',
    unit: B.owner,
    waktu: board!.time,
  });
  expect(JSON.stringify([counted, board])).not.toContain(A.owner);
  expect(await core.metrics.text()).toMatch(
    /simpul_view_conflicts_total\{view="layanan.kasus-papan",reason="not_owner"[^}]*\} 1/,
  );
  await start();
  await until(() => core.settled.end('layanan.kasus', Number(position.split('/')[1])) > 1n);
  // What the start offers again is a duplicate: a third change shows that the notices after it are there.
  await state(B, 'tiga');
  await until(async () => (await notices()).length === 4);
  expect(new Set((await notices()).map((e) => e.id)).size).toBe(4);
});

it('the owner of an entry that somebody else tried to change is told by an event that only it and the inspectorate may read: who tried, on which entry, how often', async () => {
  await start();
  await state(A, 'satu');
  const position = await state(B, 'dua');
  await until(async () => (await notices(CHANGE_TRIED)).length === 2);
  // One more in the same hour waits, and is told together with those that follow.
  await state(B, 'tiga');
  await until(async () => (await notices()).length === 4);
  const told = await notices(CHANGE_TRIED);
  const hours = new Set(told.map((e) => e.id.split('/').at(-1)));
  expect(told).toHaveLength(2 * hours.size);
  const board = told.find(
    ({ data: d }) => d['ringkasan'] === 'layanan.kasus-papan' && d['posisiPertama'] === position,
  )!;
  expect(board).toMatchObject({ source: 'urn:simpul:hub:watch', subject: sourceOf(B) });
  expect(board.data).toMatchObject({
    pemilik: A.owner,
    kunci: 'K-1',
    sumber: sourceOf(B),
    jenis: TYPE,
    jumlah: 1,
    posisiPertama: position,
    posisiTerakhir: position,
  });
  const type = core.registry.catalogue.newest(CHANGE_TRIED)!;
  const level = (owner: string, ...roles: Role[]): string =>
    readLevel({ keyId: 'k', owner, system: 'uji', roles: new Set(roles) }, type, board, core.units.units);
  const above = [...core.units.units.above(A.owner)];
  expect(above.length).toBeGreaterThan(0);
  expect([level(A.owner, 'reader'), level('SU00003', 'reader')]).toEqual(['full', 'full']);
  for (const owner of [B.owner, 'SU00001', 'SU00013', ...above, 'EXT-KPK']) expect(level(owner, 'reader')).toBe('none');
  for (const role of ['admin', 'operator', 'steward', 'data-team'] as const) expect(level('hub', role)).toBe('none');
});
