import { beforeEach, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { foldUnitEvent } from './change.js';
import { restated, unitChangeProblems } from './fits.js';
import { UNIT_TYPES } from './kinds.js';
import { readUnitSeed } from './seed.js';
import { UnitTree } from './tree.js';

const seed = readUnitSeed(readFileSync(new URL('../../schemas/units.json', import.meta.url), 'utf8'));
const KANIM = 'SU00123';
const NEW = 'SU90001';

let tree: UnitTree;
const unit = (id: string) => tree.get(id)!;
/** An event that repeats the current content of the unit, except for `more`. */
const change = (unitId: string, peristiwa: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  ...restated(tree.get(unitId) ?? { ...unit(KANIM), code: unitId, name: 'Baru' }),
  unitId,
  peristiwa,
  berlakuMulai: '2021-10-01',
  dasarHukum: 'Permenkumham',
  diketahuiSejak: '2021-09-01T00:00:00Z',
  ...more,
});
const wrong = (data: Record<string, unknown>): [string, string][] =>
  unitChangeProblems(data, tree).map((p) => [p.pointer, String(p.reason)]);
const folded = (data: Record<string, unknown>): void => {
  const id = String(data['unitId']);
  tree.put(
    id,
    foldUnitEvent(tree.rows(id), data, (near) => tree.get(near)),
  );
};
const happens = (data: Record<string, unknown>): void => {
  expect(wrong(data)).toEqual([]);
  folded(data);
};

beforeEach(() => {
  tree = new UnitTree(() => '2021-12-31');
  for (const u of seed.units) tree.put(u.id, [u]);
});

describe('a change of units fits the registry only when', () => {
  it('its unit type, time zone and region code are valid; every invalid field is reported together with the expected values', () => {
    expect([...UNIT_TYPES].toSorted()).toEqual(seed.unitTypes.map((t) => t.code).toSorted());
    const odd = change(KANIM, 'ganti_nama', {
      jenis: 'x y z',
      zonaWaktu: 'Mars/Phobos',
      kodeWilayah: { kode: 'Jakarta', edisi: '2021' },
    });
    expect(wrong(odd)).toEqual([
      ['/data/jenis', 'no kind of unit'],
      ['/data/zonaWaktu', 'no time zone of the country'],
      ['/data/kodeWilayah/kode', 'no region code'],
    ]);
    for (const p of unitChangeProblems(odd, tree)) expect(String(p.expected)).toMatch(/kanim|WIT|31/);
    expect(wrong(change(KANIM, 'ganti_nama', { zonaWaktu: 'constructor' }))).toHaveLength(1);
    for (const zone of ['WIB', 'Asia/Jayapura'])
      expect(wrong(change(KANIM, 'ganti_nama', { zonaWaktu: zone }))).toEqual([]);
  });

  it('the unit exists, or is founded and does not exist yet', () => {
    expect(wrong(change(NEW, 'ganti_nama'))).toEqual([['/data/unitId', 'not in the registry of units']]);
    expect(wrong(change(NEW, 'ditutup'))).toEqual([['/data/unitId', 'not in the registry of units']]);
    expect(wrong(change('kantor', 'dibentuk'))).toEqual([['/data/unitId', 'no id of a unit']]);
    expect(wrong(change(KANIM, 'dibentuk'))).toEqual([['/data/unitId', 'the unit exists on that day']]);
    happens(change(NEW, 'dibentuk'));
    expect(wrong(change(NEW, 'dibentuk', { berlakuMulai: '2021-11-01' }))).toEqual([
      ['/data/unitId', 'the unit exists on that day'],
    ]);
    happens(change(NEW, 'dibentuk', { nama: 'Dikoreksi' }));
    expect(tree.history(NEW)).toMatchObject([{ name: 'Dikoreksi', basis: 'founded' }]);
  });

  it('its days are in order and the unit exists on the first of them', () => {
    const ends = (berlakuSampai: string): [string, string][] => wrong(change(KANIM, 'ganti_nama', { berlakuSampai }));
    expect(ends('2021-09-30')).toEqual([['/data/berlakuSampai', 'before berlakuMulai']]);
    expect(ends('9999-12-31')).toEqual([['/data/berlakuSampai', 'has no day after it']]);
    expect(ends('2021-10-01')).toEqual([]);
    happens(change(NEW, 'dibentuk'));
    const early = { berlakuMulai: '2021-09-30' };
    expect(wrong(change(NEW, 'ganti_nama', early))).toEqual([
      ['/data/berlakuMulai', 'the unit does not exist on that day'],
    ]);
    expect(wrong(change(NEW, 'ditutup'))).toEqual([['/data/berlakuMulai', 'the unit would end before it began']]);
    happens(change(NEW, 'ditutup', { berlakuMulai: '2021-11-01' }));
    expect(wrong(change(NEW, 'ganti_nama', { berlakuMulai: '2021-12-01' }))).toEqual([
      ['/data/berlakuMulai', 'the unit does not exist on that day'],
    ]);
    happens(change(NEW, 'dibentuk', { berlakuMulai: '2021-12-01' }));
    expect(wrong(change(KANIM, 'ganti_nama', { berlakuMulai: '2019-01-01' }))).toEqual([]);
  });

  it('no other unit has the code during that time, and the code is not the id of another unit', () => {
    const other = unit('SU00124').code;
    expect(wrong(change(KANIM, 'ganti_nama', { kode: other }))).toEqual([
      ['/data/kode', 'another unit holds this code then'],
    ]);
    expect(wrong(change(NEW, 'dibentuk', { kode: other }))).toHaveLength(1);
    expect(wrong(change(KANIM, 'ganti_nama', { kode: 'SU00124' }))).toEqual([
      ['/data/kode', 'reads as the id of another unit'],
    ]);
    happens(change('SU00124', 'ganti_nama', { kode: 'KANIM-LAIN', berlakuMulai: '2021-11-01' }));
    expect(wrong(change(KANIM, 'ganti_nama', { kode: other }))).toHaveLength(1);
    happens(change(KANIM, 'ganti_nama', { kode: other, berlakuMulai: '2021-11-01' }));
    expect([tree.byCode(other, '2021-10-31')?.id, tree.byCode(other)?.id]).toEqual(['SU00124', KANIM]);
  });

  it.each(['indukAdministratif', 'indukTeknis'])(
    'the parent in %s exists on that day and is neither the unit itself nor below it',
    (line) => {
      const under = (id: string, parent: string, berlakuMulai = '2021-10-01') =>
        change(id, 'pindah_induk', { [line]: parent, berlakuMulai });
      const at = (reason: string): [string, string][] => [[`/data/${line}`, reason]];
      expect(wrong(under(KANIM, 'SU99999'))).toEqual(at('not in the registry of units on that day'));
      expect(wrong(under(KANIM, KANIM))).toEqual(at('the unit itself'));
      const kanwil = unit(KANIM).parent!;
      expect(wrong(under(kanwil, KANIM))).toEqual(at('lies below the unit'));
      expect(wrong(under('SU00001', KANIM))).toEqual(at('lies below the unit'));
      const tpi = tree.list({ type: 'tpi' }).find((u) => u.parent !== undefined)!;
      expect(wrong(under(tpi.parent!, tpi.id))).toEqual(at('lies below the unit'));
      happens(change(NEW, 'dibentuk', { indukAdministratif: kanwil }));
      expect(wrong(under(KANIM, NEW, '2021-09-01'))).toEqual(at('not in the registry of units on that day'));
      happens(under(KANIM, NEW));
      expect(wrong(under(NEW, KANIM, '2022-05-01'))).toEqual(at('lies below the unit'));
      expect(tree.above(KANIM).has(NEW)).toBe(true);
    },
  );

  it('no unit is below itself on any day; two units may exchange parent and child from one day to the next', () => {
    const [a, b] = ['SU00123', 'SU00124'];
    const under = (id: string, indukTeknis: string, berlakuMulai: string) =>
      change(id, 'pindah_induk', { indukTeknis, berlakuMulai });
    happens(under(a, b, '2022-01-01'));
    expect(wrong(under(b, a, '2021-08-01'))).toEqual([['/data/indukTeknis', 'lies below the unit']]);
    expect(wrong({ ...under(b, a, '2021-08-01'), berlakuSampai: '2021-12-31' })).toEqual([]);
    happens(under(a, 'SU00002', '2022-06-01'));
    expect(wrong(under(b, a, '2022-05-31'))).toHaveLength(1);
    happens(under(b, a, '2022-06-01'));
    const [x, p, q] = ['SU00130', 'SU00131', 'SU00132'];
    happens(under(p, q, '2021-08-01'));
    happens(under(p, 'SU00002', '2022-06-01'));
    happens(under(q, x, '2022-06-01'));
    happens(under(x, p, '2022-01-01'));
    expect(wrong(under(q, x, '2022-05-31'))).toHaveLength(1);
  });

  it('the parent has not ended, unless the unit had this parent before', () => {
    const gone = unit(KANIM).parent!;
    happens(change(gone, 'dipecah', { penerus: [NEW] }));
    expect(tree.get(gone, '2021-10-01')).toBeUndefined();
    happens(change(KANIM, 'ganti_nama', { nama: 'A' }));
    expect(unit(KANIM).parent).toBe(gone);
    const elsewhere = tree.list({ type: 'kanim' }).find((u) => u.parent !== gone)!.id;
    expect(wrong(change(elsewhere, 'pindah_induk', { indukAdministratif: gone }))).toHaveLength(1);
  });
});

it('a change that fitted still fits after it was folded, so that a repeated event is a duplicate and not a refusal', () => {
  const story = [
    change(NEW, 'dibentuk'),
    { ...change(NEW, 'ganti_nama'), kode: 'BARU', nama: 'Sama hari' },
    { ...change(NEW, 'naik_kelas'), kode: 'BARU', kelas: 'I', berlakuMulai: '2021-11-01' },
    change(KANIM, 'pindah_induk', { indukAdministratif: NEW, berlakuMulai: '2021-11-01' }),
    change(KANIM, 'ganti_nama', { nama: 'Sementara', berlakuSampai: '2021-10-31' }),
    change('SU00124', 'dipecah', { penerus: ['SU00124', 'SU90002'] }),
    change('SU00125', 'digabung', { penerus: ['SU00124'] }),
    change('SU00126', 'ditutup'),
    { ...change(NEW, 'ditutup'), kode: 'BARU', berlakuMulai: '2021-12-01' },
    change('SU00001', 'dipecah', { berlakuMulai: '2024-10-21', penerus: ['SU90003'] }),
  ];
  for (const data of story) {
    happens(data);
    expect(wrong(data)).toEqual([]);
  }
  expect(wrong(story[0]!)).toEqual([]);
});

it('a cycle of parents that is already in the table does not loop for ever, and a valid parent repairs it', () => {
  folded(change('SU00123', 'pindah_induk', { indukAdministratif: 'SU00124' }));
  folded(change('SU00124', 'pindah_induk', { indukAdministratif: 'SU00123' }));
  expect(wrong(change('SU00125', 'pindah_induk', { indukAdministratif: 'SU00124' }))).toEqual([]);
  expect(wrong(change('SU00124', 'ganti_nama'))).toEqual([['/data/indukAdministratif', 'lies below the unit']]);
  happens(change('SU00124', 'pindah_induk', { indukAdministratif: 'SU00002' }));
});
