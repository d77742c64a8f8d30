import { describe, expect, it } from '@jest/globals';
import { showProblem } from '#faults';
import { UnitTree, type Unit } from '#units';
import type { Caller, Role } from './access.js';
import { mayPublish } from './publish-right.js';
import { EventLevels, readLevel, type ReadableType } from './read-level.js';
import { isOwnSource, maySeeSummarised } from './see-right.js';

const unit = (id: string, type: string, parent?: string, technicalParent?: string): Unit => ({
  id,
  version: 1,
  code: id,
  name: id,
  shortName: id,
  type,
  ...(parent ? { parent } : {}),
  ...(technicalParent ? { technicalParent } : {}),
  provinceCode: '31',
  city: 'Jakarta',
  timezone: 'Asia/Jakarta',
  tz: 'WIB',
  validFrom: '2021-07-15',
  knownSince: '2021-07-15T00:00:00Z',
});
// Units by number: 1 ministry · 2 DJIM · 3 DJPAS · 4 ITJEN · 10 kanwil A · 20 kanwil B · 11 kanim A · 21 kanim B · 12 lapas A · 22 lapas B · 13 tpi A
const tree = new UnitTree(() => '2021-07-15');
for (const u of [
  unit('SU00001', 'kementerian'),
  unit('SU00002', 'eselon1', 'SU00001'),
  unit('SU00003', 'eselon1', 'SU00001'),
  unit('SU00004', 'eselon1', 'SU00001'),
  unit('SU00010', 'kanwil', 'SU00001'),
  unit('SU00020', 'kanwil', 'SU00001'),
  unit('SU00011', 'kanim', 'SU00010', 'SU00002'),
  unit('SU00021', 'kanim', 'SU00020', 'SU00002'),
  unit('SU00012', 'lapas', 'SU00010', 'SU00003'),
  unit('SU00022', 'lapas', 'SU00020', 'SU00003'),
  unit('SU00013', 'tpi', 'SU00011', 'SU00002'),
])
  tree.put(u.id, [u]);

const caller = (owner: string, ...roles: Role[]): Caller => ({
  keyId: 'K1',
  owner,
  system: 'sdp',
  roles: new Set(roles),
});
const reader = (owner: string) => caller(owner, 'reader');
const type = (more: Partial<ReadableType>): ReadableType => ({
  consumers: [],
  unitFields: [],
  restricted: false,
  ...more,
});
const from = (owner: string, data: Record<string, unknown> = {}) => ({ source: `urn:simpul:unit:${owner}:sdp`, data });
const named = (...codes: string[]) => type({ consumers: codes.map((code) => ({ code, why: 'test' })) });

describe('who may read what (R12)', () => {
  const move = type({
    unitFields: ['unitAsal', 'unitTujuan'],
    consumers: [{ code: 'unit:SU00002', why: 'foreigner' }],
  });
  const moved = from('SU00012', { unitAsal: 'SU00012', unitTujuan: 'SU00022' });
  it.each([
    ['the source', 'SU00012', 'full'],
    ['above the source, administrative line', 'SU00010', 'masked'],
    ['above the source, technical line', 'SU00003', 'masked'],
    ['above both lines', 'SU00001', 'masked'],
    ['a unit in a unit field', 'SU00022', 'masked'],
    ['above a unit in a unit field', 'SU00020', 'masked'],
    ['a named consumer', 'SU00002', 'full'],
    ['a sibling of the source', 'SU00011', 'none'],
    ['a unit that is above no unit of the event', 'SU00013', 'none'],
    ['another directorate', 'SU00004', 'none'],
    ['an unregistered unit', 'SU09999', 'none'],
    ['a party that is not a named consumer', 'EXT-POLRI', 'none'],
  ])('gives %s (%s) the level %s', (_who, owner, level) => {
    expect(readLevel(reader(owner), move, moved, tree)).toBe(level);
  });

  it.each<[Role, string]>([
    ['publisher', 'none'],
    ['reader', 'none'],
    ['operator', 'masked'],
    ['data-team', 'masked'],
    ['admin', 'masked'],
    ['steward', 'full'],
  ])('gives the role %s alone, without any other reason to read, the level %s', (role, level) => {
    expect(readLevel(caller(role === 'admin' ? 'hub' : 'SU00013', role), move, moved, tree)).toBe(level);
  });

  it('gives an admin key of a unit no more than the role reader gives it: its power ends with its tree', () => {
    expect(readLevel(caller('SU00013', 'admin'), move, moved, tree)).toBe('none');
    for (const owner of ['SU00013', 'hub', ...move.unitFields.map((f) => String(moved.data[f]))])
      if (owner !== 'hub')
        expect(readLevel(caller(owner, 'admin'), move, moved, tree)).toBe(
          readLevel(caller(owner, 'reader'), move, moved, tree),
        );
  });

  it('gives the source its own events only with a role that reads', () => {
    expect(readLevel(caller('SU00012', 'publisher'), move, moved, tree)).toBe('none');
    expect(readLevel(caller('SU00012', 'publisher', 'reader'), move, moved, tree)).toBe('full');
  });

  it.each([
    ['any', 'SU00013', 'full'],
    ['any', 'EXT-POLRI', 'none'],
    ['type:tpi', 'SU00013', 'masked'],
    ['type:tpi', 'SU00011', 'none'],
    ['party:EXT-POLRI', 'EXT-POLRI', 'full'],
    ['party:EXT-POLRI', 'EXT-KPK', 'none'],
    ['party:*', 'EXT-KPK', 'full'],
    ['party:*', 'EXT-POLRI', 'none'],
    ['field:unitTerkait', 'SU00022', 'full'],
    ['field:instansi', 'EXT-KPK', 'full'],
    ['field:unitTerkait', 'SU00020', 'none'],
    ['above:unitTerkait', 'SU00020', 'masked'],
    ['above:unitTerkait', 'SU00003', 'masked'],
    ['above:unitTerkait', 'SU00022', 'none'],
    ['hub:clock', 'hub', 'full'],
    ['word:public', 'SU00022', 'none'],
  ])('for the consumer pattern %s, gives a key of %s the level %s', (code, owner, level) => {
    const event = from('SU00004', { unitTerkait: ['SU00022', 'SU00021'], instansi: 'EXT-KPK' });
    expect(readLevel(reader(owner), named(code), event, tree)).toBe(level);
  });

  it.each(['full', 'masked', 'count'] as const)(
    'gives a named consumer of level %s no more than that level, whatever the form of its code',
    (level) => {
      const event = from('SU00004', { unitTerkait: ['SU00022', 'SU00021'] });
      const expected = level === 'count' ? 'none' : level;
      for (const code of ['type:lapas', 'unit:SU00022', 'field:unitTerkait', 'any'])
        expect(readLevel(reader('SU00022'), type({ consumers: [{ code, why: 'test', level }] }), event, tree)).toBe(
          expected,
        );
      const above = type({ consumers: [{ code: 'above:unitTerkait', why: 'test', level }] });
      expect(readLevel(reader('SU00020'), above, event, tree)).toBe(expected);
    },
  );

  it('gives the greatest level of several reasons, and a level below it takes nothing away', () => {
    const both = type({
      unitFields: ['unitTerkait'],
      consumers: [
        { code: 'type:lapas', why: 'test', level: 'full' },
        { code: 'unit:SU00022', why: 'test', level: 'masked' },
        { code: 'unit:SU00021', why: 'test', level: 'count' },
      ],
    });
    const event = from('SU00004', { unitTerkait: ['SU00022', 'SU00021'] });
    expect(readLevel(reader('SU00022'), both, event, tree)).toBe('full');
    expect(readLevel(reader('SU00021'), both, event, tree)).toBe('masked');
  });

  it('a restricted type gives a consumer named at level masked or count no more than that', () => {
    const report = from('SU00012', {});
    for (const [level, expected] of [
      ['masked', 'masked'],
      ['count', 'none'],
    ] as const) {
      const wbs = type({ restricted: true, consumers: [{ code: 'unit:SU00004', why: 'test', level }] });
      expect(readLevel(reader('SU00004'), wbs, report, tree)).toBe(expected);
    }
  });

  it('refusals without a type are for the unit itself and the consumers of what it publishes, where a restricted type is among that', () => {
    const wbs = {
      ...type({ restricted: true, consumers: [{ code: 'unit:SU00002', why: 'test' }] }),
      type: 'itjen.wbs.laporan-diterima',
      publishers: ['unit:SU00004'],
    };
    const open = { ...type({}), type: 'sdm.presensi.tercatat', publishers: ['any'] };
    const seers = (owner: string): string[] =>
      [caller('hub', 'admin'), caller('SU00001', 'operator'), caller('SU00001', 'steward'), reader(owner)]
        .concat(caller('SU00002', 'operator'))
        .filter((who) => maySeeSummarised(who, owner, [wbs, open], tree))
        .map((who) => `${who.owner} ${[...who.roles].join()}`);
    expect(seers('SU00004')).toEqual(['SU00004 reader', 'SU00002 operator']);
    expect(seers('SU00011')).toEqual([
      'hub admin',
      'SU00001 operator',
      'SU00001 steward',
      'SU00011 reader',
      'SU00002 operator',
    ]);
  });

  it('shows a type marked "ES1-ITJEN only" to its named consumers alone: source, parent lines, unit fields and roles grant nothing', () => {
    const wbs = type({
      restricted: true,
      unitFields: ['unitTerlapor'],
      consumers: [{ code: 'unit:SU00004', why: 'WBS' }],
    });
    const report = from('SU00012', { unitTerlapor: 'SU00022' });
    expect(readLevel(reader('SU00004'), wbs, report, tree)).toBe('full');
    for (const owner of ['SU00012', 'SU00022', 'SU00010', 'SU00020', 'SU00003', 'SU00001', 'EXT-POLRI', 'hub'])
      for (const role of ['reader', 'operator', 'data-team', 'steward', 'admin'] as const)
        expect(readLevel(caller(owner, role), wbs, report, tree)).toBe('none');
  });

  it('recognises parties as the source of their events, and no source in an invalid one', () => {
    expect(readLevel(reader('EXT-KPK'), type({}), { source: 'urn:simpul:party:EXT-KPK:portal', data: {} }, tree)).toBe(
      'full',
    );
    expect(readLevel(reader('SU00012'), type({}), { source: 'nonsense', data: {} }, tree)).toBe('none');
  });

  it.each([
    ['admin', 'masked'],
    ['operator', 'masked'],
    ['data-team', 'masked'],
    ['steward', 'full'],
    ['reader', 'none'],
  ] as const)(
    'a key of the hub with the role %s reads what the hub states of others at the level of its role: %s',
    (role, level) => {
      for (const system of ['steward', 'clock'])
        for (const part of ['steward', 'clock']) {
          const key: Caller = { ...caller('hub', 'publisher', role), system };
          expect(readLevel(key, type({}), { source: `urn:simpul:hub:${part}`, data: {} }, tree)).toBe(level);
        }
    },
  );

  it('goes through a list of units once, however many callers and rows ask for it', () => {
    let reads = 0;
    const list = new Proxy(new Array<string>(1_000).fill('SU00022'), {
      get: (target, name) => {
        if (name === '0') reads++;
        return Reflect.get(target, name) as unknown;
      },
    });
    const report = { ...named('field:unit', 'above:unit'), unitFields: ['unit'] };
    const levels = new EventLevels(report, from('SU00012', { unit: list }), tree);
    for (let i = 0; i < 100; i++) {
      expect(levels.of(reader('SU00022'))).toBe('full');
      expect(levels.of(reader('SU00020'))).toBe('masked');
      expect(levels.of(reader('SU00011'))).toBe('none');
    }
    expect(reads).toBe(1);
  });

  it('uses the unit tree of today: a unit that moves changes the level of its old and its new parent at once', () => {
    let day = '2021-07-15';
    const moving = new UnitTree(() => day);
    for (const id of ['SU00001', 'SU00010', 'SU00020']) moving.put(id, [tree.get(id)!]);
    moving.put('SU00012', [
      { ...tree.get('SU00012')!, validTo: '2021-08-31' },
      { ...tree.get('SU00012')!, version: 2, parent: 'SU00020', validFrom: '2021-09-01' },
    ]);
    const event = from('SU00012');
    expect([
      readLevel(reader('SU00010'), type({}), event, moving),
      readLevel(reader('SU00020'), type({}), event, moving),
    ]).toEqual(['masked', 'none']);
    day = '2021-09-01';
    expect([
      readLevel(reader('SU00010'), type({}), event, moving),
      readLevel(reader('SU00020'), type({}), event, moving),
    ]).toEqual(['none', 'masked']);
  });
});

describe('who may publish what', () => {
  const publisher = (owner: string, system = 'sdp'): Caller => ({ ...caller(owner, 'publisher'), system });
  const t = (...publishers: string[]) => ({ type: 'a.b.c', publishers });
  const own = (owner: string, system = 'sdp') =>
    owner.startsWith('EXT') ? `urn:simpul:party:${owner}:${system}` : `urn:simpul:unit:${owner}:${system}`;

  it.each<[string, string, Record<string, unknown>, boolean]>([
    ['any', 'SU00012', {}, true],
    ['any', 'SU09999', {}, false],
    ['any', 'EXT-KPK', {}, false],
    ['type:lapas', 'SU00012', {}, true],
    ['type:lapas', 'SU00011', {}, false],
    ['unit:SU00003', 'SU00003', {}, true],
    ['unit:SU00003', 'SU00012', {}, false],
    ['party:EXT-KPK', 'EXT-KPK', {}, true],
    ['party:EXT-KPK', 'EXT-POLRI', {}, false],
    ['party:*', 'EXT-POLRI', {}, true],
    ['party:*', 'SU00012', {}, false],
    ['field:unitAsal', 'SU00012', { unitAsal: 'SU00012' }, true],
    ['field:unitAsal', 'SU00012', { unitAsal: 'SU00022' }, false],
    ['field:unitAsal', 'SU00012', {}, false],
    ['hub:clock', 'SU00012', {}, false],
  ])('for the publisher pattern %s, a key of %s and the data %j, answers %s', (pattern, owner, data, yes) => {
    const answer = mayPublish(publisher(owner), t(pattern), own(owner), data, tree);
    expect(answer?.code).toBe(yes ? undefined : 'type_not_yours');
  });

  it('accepts a publisher that matches any one of several patterns', () => {
    expect(mayPublish(publisher('SU00021'), t('type:lapas', 'type:kanim'), own('SU00021'), {}, tree)).toBeUndefined();
  });

  it.each([
    ['another unit', own('SU00022')],
    ['another system of the own unit', own('SU00012', 'simkim')],
    ['a party', own('EXT-KPK')],
    ['the hub', 'urn:simpul:hub:clock'],
    ['no source of ours', 'https://example.go.id/'],
  ])('refuses the source of %s, whatever the type allows', (_what, source) => {
    const refused = mayPublish(publisher('SU00012'), t('any'), source, {}, tree);
    expect(refused?.code).toBe('source_not_yours');
    expect(refused?.problems.map((p) => showProblem(p, 'en'))).toEqual([
      { pointer: '/source', reason: expect.any(String), expected: 'urn:simpul:unit:SU00012:sdp' },
    ]);
  });

  it('refuses a key without the role publisher', () => {
    expect(mayPublish(reader('SU00012'), t('any'), own('SU00012'), {}, tree)?.code).toBe('type_not_yours');
  });

  it('lets only the hub publish as a role of the hub, and each role only its own types', () => {
    const clock = publisher('hub', 'clock');
    expect(mayPublish(clock, t('hub:clock'), 'urn:simpul:hub:clock', {}, tree)).toBeUndefined();
    expect(mayPublish(clock, t('hub:watch'), 'urn:simpul:hub:clock', {}, tree)?.code).toBe('type_not_yours');
    expect(mayPublish(clock, t('any', 'type:lapas'), 'urn:simpul:hub:clock', {}, tree)?.code).toBe('type_not_yours');
    expect(mayPublish(publisher('hub', 'watch'), t('hub:clock'), 'urn:simpul:hub:clock', {}, tree)?.code).toBe(
      'source_not_yours',
    );
  });

  it('points at the unit field when the field names another unit', () => {
    const another = { unitAsal: 'SU00022' };
    const refused = mayPublish(publisher('SU00012'), t('field:unitAsal'), own('SU00012'), another, tree);
    expect(showProblem(refused!.problems[0]!, 'en')).toMatchObject({ pointer: '/data/unitAsal', expected: 'SU00012' });
  });
});

describe('who of many owners may read an event', () => {
  const owners = [...tree.list({}).map(({ id }) => id), 'SU09999', 'EXT-POLRI', 'EXT-KPK', 'hub'];
  const byOwner = new Map(owners.map((owner) => [owner, `of ${owner}`]));
  const data = {
    unitAsal: 'SU00012',
    daftar: ['SU00022', 'EXT-KPK', 'SU00022'],
    lain: 'EXT-POLRI',
    n: 3,
    kosong: null,
  };
  const rows = [
    'any',
    'unit:SU00002',
    'party:*',
    'party:EXT-POLRI',
    'type:kanim',
    'type:tidak-ada',
    'field:daftar',
    'above:unitAsal',
    'hub',
    'word:x',
  ];
  const sources = ['SU00013', 'SU00020', 'SU09999'].map((u) => `urn:simpul:unit:${u}:sdp`);

  it.each([...rows.map((row) => [row]), ['unit:SU00002', 'above:unitAsal'], []])(
    'is asked for no owner who has a level, whatever the rows say: %s',
    (...codes) => {
      for (const restricted of [false, true])
        for (const unitFields of [[], ['unitAsal', 'daftar'], ['kosong', 'n']])
          for (const source of [...sources, 'urn:simpul:party:EXT-KPK:x', 'urn:simpul:hub:clock', '?']) {
            const levels = new EventLevels(
              type({ consumers: codes.map((code) => ({ code, why: 'test' })), unitFields, restricted }),
              { source, data },
              tree,
            );
            const found = [...levels.among(byOwner)];
            const left = owners.filter((owner) => !found.some(([o]) => o === owner));
            expect(left.filter((owner) => levels.of(reader(owner)) !== 'none')).toEqual([]);
            expect(found.every(([owner, of]) => of === `of ${owner}`)).toBe(true);
            expect(new Set(found.map(([owner]) => owner)).size).toBe(found.length);
          }
    },
  );

  it('leaves out those of whom neither the event nor its type says anything', () => {
    const levels = new EventLevels(type({ unitFields: ['unitAsal'] }), { source: sources[0]!, data }, tree);
    expect([...levels.among(byOwner)].map(([owner]) => owner).sort()).toEqual([
      'SU00001',
      'SU00002',
      'SU00003',
      'SU00010',
      'SU00011',
      'SU00012',
      'SU00013',
    ]);
    expect([...levels.among(new Map())]).toEqual([]);
  });
});

describe('whose receipts a publisher may ask for (R12.6)', () => {
  it('a unit asks for those of all its systems; a key of the hub for those of the part that it publishes as', () => {
    expect(isOwnSource(caller('SU00012', 'publisher'), 'urn:simpul:unit:SU00012:another')).toBe(true);
    expect(isOwnSource(caller('SU00012', 'publisher'), 'urn:simpul:unit:SU00022:sdp')).toBe(false);
    const hub = (system: string, role: Role) =>
      isOwnSource({ ...caller('hub', role), system }, 'urn:simpul:hub:steward');
    expect(hub('steward', 'publisher')).toBe(true);
    expect(hub('clock', 'publisher')).toBe(false);
    for (const role of ['admin', 'operator', 'data-team', 'steward'] as const) expect(hub('steward', role)).toBe(false);
  });
});
