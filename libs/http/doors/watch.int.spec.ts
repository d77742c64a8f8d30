import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readUnitSeed, UnitTree } from '#units';
import { todayOf } from '#event';
import { readFileSync } from 'node:fs';
import { caller } from '../../../test/kit/doors/hub-stage.js';
import { serveEdge } from '../../../test/kit/doors/edge.js';
import { catalogueOfFiles } from '../../../test/kit/projection/events.js';
import type { HttpServer } from '../index.js';
import { WATCH_DOOR, WatchController, type WatchDoorDeps, type WatchFinding } from './watch.js';

const units = new UnitTree(todayOf(() => Date.parse('2021-07-20T03:00:00Z')));
for (const unit of readUnitSeed(readFileSync(new URL('../../../schemas/units.json', import.meta.url), 'utf8')).units)
  units.put(unit.id, [unit]);
const kanim = units.get('SU00123')!;
const KEYS = {
  kanim: caller('kanim', kanim.id, 'uji', 'reader'),
  publisher: caller('publisher', kanim.id, 'uji', 'publisher'),
  kanwil: caller('kanwil', kanim.parent!, 'uji', 'reader'),
  djim: caller('djim', kanim.technicalParent!, 'uji', 'reader'),
  other: caller('other', 'SU00124', 'uji', 'reader'),
  itjen: caller('itjen', 'SU00003', 'uji', 'reader'),
  operator: caller('operator', 'SU00013', 'uji', 'operator'),
};

const finding = (id: string, more: Partial<WatchFinding> = {}): WatchFinding => ({
  id,
  kind: 'gap',
  unit: kanim.id,
  system: 'simkim',
  stream: 'imigrasi.paspor',
  sinceMs: Date.parse('2021-07-20T01:00:00Z') + Number(id) * 1_000,
  expected: '3-4',
  seen: '5',
  ...more,
});

describe('GET /v1/watch', () => {
  let server: HttpServer;
  let findings: WatchFinding[] = [];
  const { catalogue } = { catalogue: catalogueOfFiles() };
  beforeAll(async () => {
    const deps: WatchDoorDeps = { units, catalogue, findings: () => findings };
    server = await serveEdge(
      { authenticate: (header) => KEYS[(header ?? '').slice(7) as keyof typeof KEYS] },
      { controllers: [WatchController], providers: [{ provide: WATCH_DOOR, useValue: deps }] },
    );
  });
  afterAll(() => server.close());
  const ask = async (key: keyof typeof KEYS, query = '') => {
    const answer = await fetch(`${server.url}/v1/watch${query}`, { headers: { authorization: `Bearer ${key}` } });
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    return { status: answer.status, body: (await answer.json()) as Record<string, any> };
  };
  const ids = async (key: keyof typeof KEYS, query = ''): Promise<string[]> =>
    ((await ask(key, query)).body['findings'] as { id: string }[]).map(({ id }) => id);

  it('shows open findings, newest first, with what was expected and seen', async () => {
    findings = [
      finding('1'),
      finding('2', { untilMs: 5_000 }),
      finding('3', { kind: 'silent', stream: 'pas.hunian', type: 'pas.hunian.dilaporkan' }),
    ];
    delete (findings[2] as { system?: string }).system;
    expect((await ask('kanim')).body).toEqual({
      findings: [
        {
          id: '3',
          kind: 'silent',
          unit: kanim.id,
          system: null,
          stream: 'pas.hunian',
          type: 'pas.hunian.dilaporkan',
          since: '2021-07-20T01:00:03.000Z',
          until: null,
          expected: '3-4',
          seen: '5',
        },
        expect.objectContaining({ id: '1', kind: 'gap', system: 'simkim', type: null }),
      ],
      next: null,
    });
    expect(await ids('kanim', '?state=ended')).toEqual(['2']);
    expect(await ids('kanim', '?state=all')).toEqual(['3', '2', '1']);
  });

  it('shows a unit to itself, to the units above it on both lines and to operators; to nobody else, whatever they ask for', async () => {
    findings = [finding('1')];
    for (const key of ['kanim', 'kanwil', 'djim', 'operator'] as const)
      expect([key, await ids(key)]).toEqual([key, ['1']]);
    const nothing = await ask('other');
    expect(nothing.body).toEqual({ findings: [], next: null });
    for (const q of [`?unit=${kanim.id}`, '?stream=imigrasi.paspor', '?kind=gap', '?stream=tidak.ada'])
      expect((await ask('other', q)).body).toEqual(nothing.body);
    expect((await ask('publisher')).status).toBe(403);
  });

  it('shows nothing of a restricted stream but to the unit itself and to whoever may know of its types', async () => {
    findings = [finding('1', { stream: 'itjen.wbs', unit: kanim.id })];
    expect(await ids('kanwil')).toEqual([]);
    expect(await ids('kanwil', '?stream=itjen.wbs')).toEqual([]);
    expect(await ids('kanim')).toEqual(['1']);
  });

  it('filters by kind, unit and stream', async () => {
    findings = [finding('1'), finding('2', { kind: 'skew', stream: 'keu.pnbp' }), finding('3', { unit: 'SU00124' })];
    expect(await ids('operator', '?kind=skew')).toEqual(['2']);
    expect(await ids('operator', '?unit=SU00124')).toEqual(['3']);
    expect(await ids('operator', '?stream=imigrasi.paspor')).toEqual(['3', '1']);
  });

  it('goes on at its place, page by page, although newer findings come and one of them ends', async () => {
    findings = ['1', '2', '3', '4', '5'].map((id) => finding(id));
    const first = await ask('kanim', '?limit=2');
    expect((first.body['findings'] as { id: string }[]).map(({ id }) => id)).toEqual(['5', '4']);
    findings = [finding('6'), ...findings.filter(({ id }) => id !== '4')];
    expect(await ids('kanim', `?limit=9&cursor=${encodeURIComponent(first.body['next'] as string)}`)).toEqual([
      '3',
      '2',
      '1',
    ]);
  });
});
