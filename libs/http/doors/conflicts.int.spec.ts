import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import type { Caller, Role } from '#access';
import { Fault } from '#faults';
import { ConflictReader, digestOfView, REFUSED_OF_OFFICE, requestRebuild } from '#projection';
import { readUnitSeed, UnitTree } from '#units';
import { catalogueOfFiles, recordOf, viewsOf, type EventSpec } from '../../../test/kit/projection/events.js';
import { serveEdge } from '../../../test/kit/doors/edge.js';
import { plainDigest } from '../../../test/kit/projection/plain.js';
import { Stage, until } from '../../../test/kit/projection/stage.js';
import type { HttpServer } from '../index.js';
import { CONFLICTS_DOOR, ConflictsController, type ConflictsDoorDeps } from './conflicts.js';

const VIEWS = ['keu.tagihan-belum-lunas', 'layanan.kasus-papan', 'layanan.kasus-jumlah', 'pas.hunian-unit'];
const catalogue = catalogueOfFiles(2);
const units = new UnitTree(() => '2021-07-15');
const seed = new URL('../../../schemas/units.json', import.meta.url);
for (const u of readUnitSeed(readFileSync(seed, 'utf8')).units) units.put(u.id, [u]);
const [A, B] = units.list({ type: 'kanim' }).map((u) => u.id) as [string, string];
const FAR = units.list({ type: 'lapas' })[0]!.id;
const NONE = units.list({ type: 'lapas' })[1]!.id;
const ABOVE = units.get(A)!.parent!;

let stage: Stage;
let server: HttpServer;
const callers = new Map<string, Caller>();
const key = (name: string, owner: string, ...roles: Role[]): void =>
  void callers.set(`Bearer ${name}`, { keyId: name, owner, system: 'uji', roles: new Set(roles) });

beforeEach(async () => {
  key('owner', A, 'reader');
  key('above', ABOVE, 'reader');
  key('other', B, 'reader');
  key('far', FAR, 'reader');
  key('stranger', NONE, 'reader');
  key('steward', 'hub', 'steward');
  key('publisher', A, 'publisher');
  stage = await new Stage(catalogue, viewsOf(catalogue, ...VIEWS), { units }).open();
  await stage.project();
  const { state, views, reader } = stage;
  const conflicts = new ConflictReader({ state, views, storage: (view) => reader.storage(view), catalogue, units });
  const door: ConflictsDoorDeps = {
    conflicts,
    views: reader.views,
    accept: () => Promise.reject(new Fault('not_found')),
  };
  server = await serveEdge(
    { doors: [], authenticate: (h) => callers.get(h ?? '') },
    { controllers: [ConflictsController], providers: [{ provide: CONFLICTS_DOOR, useValue: door }] },
  );
});
afterEach(async () => {
  await server.close();
  await stage.close();
});

const from = (owner: string, type: string, data: EventSpec['data'] = {}, more: Partial<EventSpec> = {}) =>
  recordOf(catalogue, { type, source: `urn:simpul:unit:${owner}:uji`, data, ...more });
const held = (by: string, nomorKasus: string, unitPemegang: string) =>
  from(by, 'layanan.kasus.status-berubah', { nomorKasus, unitPemegang, unitSebelumnya: null, statusBaru: 'diproses' });

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Body = Record<string, any>;
async function list(name: string, query = ''): Promise<{ status: number; body: Body }> {
  const r = await fetch(`${server.url}/v1/conflicts${query}`, { headers: { authorization: `Bearer ${name}` } });
  return { status: r.status, body: (await r.json()) as Body };
}
const keysOf = ({ body }: { body: Body }): string[] => (body['conflicts'] as Body[]).map((c) => c['key'] as string);

/** Every storage equals a plain fold of the log, refused events included. */
async function expectPlainFold(): Promise<void> {
  for (const view of stage.views)
    expect(await digestOfView(stage.state, view, stage.storage(view))).toBe(
      await plainDigest(stage.log, catalogue, view),
    );
}

describe('events that a view refused', () => {
  it('are listed with owner and reason, to the owner of the entry, units above it and stewards, and to nobody else', async () => {
    await stage.append([held(A, 'K-1', A), held(B, 'K-1', B)]);
    await stage.untilCaughtUp();
    const expected = {
      view: 'layanan.kasus-papan',
      key: 'K-1',
      reason: 'not_owner',
      type: 'layanan.kasus.status-berubah',
      source: `urn:simpul:unit:${B}:uji`,
      position: expect.stringMatching(/^layanan\.kasus\/\d\/1$/),
      recordedtime: '2021-08-01T00:00:00.000Z',
      owner: A,
    };
    for (const name of ['owner', 'above', 'steward']) {
      const { status, body } = await list(name, '?view=layanan.kasus-papan');
      expect([name, status, body]).toEqual([
        name,
        200,
        { conflicts: [expected], next: null, counts: { 'layanan.kasus-papan': 1 }, dropped: {} },
      ]);
    }
    expect(keysOf(await list('far'))).toEqual([]);
    expect((await list('publisher')).status).toBe(403);
    expect((await list('owner', '?view=tidak.ada')).status).toBe(404);
    const all = await list('owner');
    expect(all.body['conflicts'].map((c: Body) => c['view'])).toEqual(['layanan.kasus-jumlah', 'layanan.kasus-papan']);
  });

  it('tell whoever sent one neither the owner nor a key that names it, and count for a unit only the rows that it may see', async () => {
    await stage.append([held(A, 'K-1', A), held(B, 'K-1', B), held(A, 'K-2', A), held(FAR, 'K-2', FAR)]);
    await stage.untilCaughtUp();
    const view = '?view=layanan.kasus-papan';
    const { body } = await list('other', view);
    expect(body['conflicts']).toEqual([expect.objectContaining({ key: 'K-1', owner: null })]);
    const all = (await list('other')).body;
    // A row of the count names the owner in its key.
    expect(all['conflicts'].map((c: Body) => [c['view'], c['key']])).toEqual([
      ['layanan.kasus-jumlah', null],
      ['layanan.kasus-papan', 'K-1'],
    ]);
    expect(JSON.stringify(all)).not.toContain(A);
    const counts = async (name: string): Promise<unknown> => (await list(name, view)).body['counts'][view.slice(6)];
    const told = await Promise.all(['other', 'far', 'stranger', 'owner', 'steward'].map(counts));
    expect(told).toEqual([1, 1, 0, 2, 2]);
  });

  it('are paged, newest first, and a date too far ahead is one of them without an owner', async () => {
    const report = (n: number) =>
      from(
        A,
        'pas.hunian.dilaporkan',
        { unit: A, tanggal: '2031-01-01', kapasitas: n },
        { recordedtime: `2021-08-01T00:00:0${n}.000Z` },
      );
    await stage.append([1, 2, 3].map(report));
    await stage.untilCaughtUp();
    const first = await list('owner', '?limit=2');
    const next = encodeURIComponent(first.body['next'] as string);
    const second = await list('owner', `?limit=2&cursor=${next}`);
    const times = [...first.body['conflicts'], ...second.body['conflicts']].map((c: Body) => c['recordedtime']);
    expect(times).toEqual([3, 2, 1].map((n) => `2021-08-01T00:00:0${n}.000Z`));
    expect([first.body['conflicts'][0].reason, first.body['conflicts'][0].owner, second.body['next']]).toEqual([
      'too_far_ahead',
      null,
      null,
    ]);
    expect(await stage.reader.get(callers.get('Bearer owner')!, stage.views.at(-1)!, A)).toEqual({ kind: 'absent' });
  });

  it('are the same after a rebuild, an emptied store and a restart, and equal a plain fold of the log', async () => {
    const all = Array.from({ length: 300 }, (_, i) => held(i % 3 === 0 ? A : B, `K-${i % 7}`, i % 3 === 0 ? A : B));
    await stage.append(all.slice(0, 200));
    await stage.untilCaughtUp();
    const before = (await list('steward')).body;
    const view = stage.reader.views.get('layanan.kasus-papan')!;
    await requestRebuild(stage, view, callers.get('Bearer steward')!);
    await until(() => stage.generations.row(view.name)!.serving === 2);
    await stage.untilCaughtUp();
    expect((await list('steward')).body).toEqual(before);
    stage.emptyStore();
    await stage.append(all.slice(200));
    await stage.untilCaughtUp();
    await expectPlainFold();
    await stage.projector!.close();
    await stage.project();
    await stage.untilCaughtUp();
    await expectPlainFold();
  });

  it('are bounded for each source: 210 of one push no attempt of another out, and how many are no longer kept stays known', async () => {
    const many = Array.from({ length: 210 }, () => held(B, 'K-1', B));
    await stage.append([held(A, 'K-1', A), held(FAR, 'K-1', FAR), ...many]);
    await stage.untilCaughtUp();
    const { state, views, reader } = stage;
    const name = views[1]!.name;
    const conflicts = new ConflictReader({ state, views, storage: (v) => reader.storage(v), catalogue, units });
    const steward = callers.get('Bearer steward')!;
    const { counts, conflicts: rows, dropped } = await conflicts.list(steward, views[1]!);
    expect([counts[name], rows.length]).toEqual([211, REFUSED_OF_OFFICE + 1]);
    const offsets = rows.map((r) => Number(r.position.split('/')[2])).sort((a, b) => a - b);
    expect([offsets[0], offsets[1], offsets.at(-1)]).toEqual([1, 212 - REFUSED_OF_OFFICE, 211]);
    expect(dropped).toEqual({ [name]: { [`urn:simpul:unit:${B}:uji`]: 210 - REFUSED_OF_OFFICE } });
    const by = callers.get('Bearer owner')!;
    const page = await conflicts.list(by, views[1]!, { most: 3, follows: (r) => r.position !== rows[0]!.position });
    // A unit is told of the rows that it sees, not of all that the view has refused.
    expect(page).toEqual({ counts: { [name]: REFUSED_OF_OFFICE + 1 }, conflicts: rows.slice(1, 4), dropped: {} });
    // Whoever sent them knows how many there were.
    expect((await list('other', `?view=${name}`)).body['dropped']).toEqual(dropped);
    await expectPlainFold();
  });

  it('are looked through in turns of the caller, each entry counted', async () => {
    await stage.append([held(A, 'K-1', A), ...Array.from({ length: 30 }, () => held(B, 'K-1', B))]);
    await stage.untilCaughtUp();
    const { state, views, reader } = stage;
    const conflicts = new ConflictReader({ state, views, storage: (v) => reader.storage(v), catalogue, units });
    const seen = { turns: 0, entries: 0 };
    const turn = {
      isOver: true,
      next: () => Promise.resolve(void seen.turns++),
      scanned: (_: string, n: number) => void (seen.entries += n),
    };
    await conflicts.list(callers.get('Bearer owner')!, views[1]!, { turn });
    expect(seen.turns).toBe(views[1]!.partitions + 30);
    expect(seen.entries).toBe(views[1]!.partitions + 30);
    await expectPlainFold();
  });
});
