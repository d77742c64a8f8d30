import { describe, expect, it } from '@jest/globals';
import { foldUnitEvent } from './change.js';
import type { Rows } from './timeline.js';
import { UnitTree } from './tree.js';
import type { Unit } from './unit.js';

const row = (id: string, more: Partial<Unit>): Unit => ({
  id,
  version: 1,
  code: id,
  name: id,
  shortName: id,
  type: 'kanim',
  provinceCode: '91',
  city: 'Timika',
  timezone: 'Asia/Jayapura',
  tz: 'WIT',
  validFrom: '2021-07-15',
  knownSince: '2021-07-15T00:00:00Z',
  basis: 'known',
  ...more,
});

/** A small ministry; `happens` folds an event into it. */
function ministry(today = '2021-07-15') {
  let day = today;
  const tree = new UnitTree(() => day);
  const units = [
    row('SU1', { type: 'kementerian', name: 'Kementerian' }),
    row('SU2', { type: 'eselon1', name: 'Ditjen Imigrasi', parent: 'SU1' }),
    row('SU3', { type: 'kanwil', name: 'Kanwil Papua', parent: 'SU1' }),
    row('SU4', { type: 'kanwil', name: 'Kanwil Maluku', parent: 'SU1' }),
    row('SU5', {
      name: 'Kanim Kelas II Mimika',
      class: 'II TPI',
      parent: 'SU3',
      technicalParent: 'SU2',
      code: 'KANIM-91-MIMIKA',
    }),
    row('SU6', { type: 'tpi', name: 'TPI Pomako', parent: 'SU5', technicalParent: 'SU2' }),
  ];
  for (const u of units) tree.put(u.id, [u]);
  const happens = (
    unitId: string,
    peristiwa: string,
    berlakuMulai: string,
    more: Record<string, unknown> = {},
  ): Rows => {
    const now = tree.rows(unitId).at(-1);
    const rows = foldUnitEvent(
      tree.rows(unitId),
      {
        unitId,
        kode: now?.code ?? unitId,
        peristiwa,
        nama: now?.name ?? unitId,
        jenis: now?.type ?? 'kanim',
        zonaWaktu: 'Asia/Jayapura',
        berlakuMulai,
        dasarHukum: 'Permenkumham',
        diketahuiSejak: `${berlakuMulai}T01:00:00Z`,
        ...more,
      },
      (id) => tree.get(id),
    );
    tree.put(unitId, rows);
    return rows;
  };
  return { tree, happens, on: (d: string) => (day = d) };
}

describe('a reorganisation', () => {
  it('keeps every version for its own days when a unit is renamed or its class rises', () => {
    const { tree, happens, on } = ministry();
    happens('SU5', 'naik_kelas', '2021-10-01', { nama: 'Kanim Kelas I Mimika', kelas: 'I TPI' });
    expect(tree.get('SU5', '2021-09-30')).toMatchObject({ version: 1, class: 'II TPI', validTo: '2021-09-30' });
    expect(tree.get('SU5', '2021-10-01')).toMatchObject({
      version: 2,
      class: 'I TPI',
      cause: 'naik-kelas',
      basis: 'changed',
    });
    expect(tree.get('SU5')?.version).toBe(1);
    on('2021-10-01');
    expect(tree.get('SU5')).toMatchObject({ version: 2, name: 'Kanim Kelas I Mimika', parent: 'SU3', city: 'Timika' });
    happens('SU5', 'ganti-nama', '2022-01-01', { nama: 'Kanim Mimika' });
    expect(tree.history('SU5').map((u) => [u.version, u.validFrom, u.validTo])).toEqual([
      [1, '2021-07-15', '2021-09-30'],
      [2, '2021-10-01', '2021-12-31'],
      [3, '2022-01-01', undefined],
    ]);
    expect(tree.get('SU5', '2022-01-01')).toMatchObject({ class: 'I TPI', shortName: 'Kanim Mimika' });
  });

  it('moves a unit, and at once both parent lines of the unit and of the units below it change', () => {
    const { tree, happens } = ministry();
    expect([...tree.above('SU6')].sort()).toEqual(['SU1', 'SU2', 'SU3', 'SU5']);
    happens('SU5', 'pindah-induk', '2021-07-15', { indukAdministratif: 'SU4' });
    expect([...tree.above('SU6')].sort()).toEqual(['SU1', 'SU2', 'SU4', 'SU5']);
    expect(tree.children('SU3', 'administrative')).toEqual([]);
    expect(tree.children('SU4', 'administrative').map((u) => u.id)).toEqual(['SU5']);
    expect(tree.children('SU2', 'technical').map((u) => u.id)).toEqual(['SU5', 'SU6']);
  });

  it('gives a unit a new region code with its edition, and the unit is found in the province of that code', () => {
    const { tree, happens } = ministry();
    happens('SU5', 'pindah-induk', '2021-07-15', { kodeWilayah: { kode: '94.04', edisi: '2022' } });
    expect(tree.get('SU5')).toMatchObject({ provinceCode: '94', regionCode: '94.04', regionEdition: '2022' });
    expect(tree.resolve('kanim', '94').map((u) => u.id)).toEqual(['SU5']);
  });

  it('gives the code of an ended unit to its successor, even while units still name the ended unit as parent', () => {
    const { tree, happens, on } = ministry();
    happens('SU3', 'dipecah', '2022-01-01', { penerus: ['SU9'] });
    happens('SU9', 'dibentuk', '2022-01-01', { indukAdministratif: 'SU1', jenis: 'kanwil', kode: 'SU3' });
    on('2022-01-01');
    expect(tree.byCode('SU3')?.id).toBe('SU9');
    expect(tree.byCode('SU3', '2021-12-31')?.id).toBe('SU3');
    expect(tree.holders('SU3').map((u) => u.id)).toEqual(['SU3', 'SU9']);
  });

  it('splits one unit into two and merges two into one, with links on both sides in whatever order the events come', () => {
    const { tree, happens, on } = ministry();
    happens('SU7', 'dibentuk', '2022-01-01', { indukAdministratif: 'SU1', jenis: 'kanwil', pendahulu: ['SU3'] });
    happens('SU3', 'dipecah', '2022-01-01', { penerus: ['SU7', 'SU8'] });
    happens('SU8', 'dibentuk', '2022-01-01', { indukAdministratif: 'SU1', jenis: 'kanwil' });
    on('2022-01-01');
    expect(tree.history('SU3')).toHaveLength(1);
    expect(tree.get('SU3')).toMatchObject({ validTo: '2021-12-31', successors: ['SU7', 'SU8'], cause: 'dipecah' });
    expect(tree.get('SU7')).toMatchObject({ version: 1, basis: 'founded', predecessors: ['SU3'], provinceCode: '91' });
    expect(tree.get('SU8')).toMatchObject({ predecessors: ['SU3'] });
    for (const id of ['SU7', 'SU8']) happens(id, 'digabung', '2023-01-01', { penerus: ['SU9'] });
    happens('SU9', 'dibentuk', '2023-01-01', { indukAdministratif: 'SU1', jenis: 'kanwil', pendahulu: ['SU7', 'SU8'] });
    on('2023-01-01');
    expect(tree.get('SU9')?.predecessors).toEqual(['SU7', 'SU8']);
    expect(tree.resolve('kanwil').map((u) => u.id)).toEqual(['SU3', 'SU4', 'SU9']);
    happens('SU5', 'pindah-induk', '2023-01-01', { indukAdministratif: 'SU9' });
    expect(tree.resolve('kanwil').map((u) => u.id)).toEqual(['SU4', 'SU9']);
  });

  it('lets a unit continue that is one of its own successors', () => {
    const { tree, happens } = ministry();
    happens('SU5', 'dipecah', '2021-07-16', { penerus: ['SU5', 'SU9'] });
    expect(tree.get('SU5', '2021-07-16')).toMatchObject({ version: 2, successors: ['SU5', 'SU9'] });
  });

  it('closes a unit: lists of later days omit it, look-ups by id and code still find it', () => {
    const { tree, happens, on } = ministry();
    happens('SU6', 'ditutup', '2021-08-01');
    on('2021-08-01');
    expect(tree.list({ type: 'tpi' })).toEqual([]);
    expect(tree.list({ type: 'tpi' }, '2021-07-31')).toHaveLength(1);
    expect(tree.get('SU6', '2021-08-01')).toBeUndefined();
    expect(tree.get('SU6')).toMatchObject({ validTo: '2021-07-31', cause: 'ditutup' });
    expect(tree.byCode('SU6')?.id).toBe('SU6');
    expect(tree.above('SU6').has('SU3')).toBe(true);
  });

  it('ends a unit that leaves the ministry without a new parent, and keeps one that gets a new parent', () => {
    const { tree, happens } = ministry();
    happens('SU6', 'pindah-kementerian', '2022-01-01');
    expect(tree.get('SU6', '2022-01-01')).toBeUndefined();
    happens('SU5', 'pindah-kementerian', '2022-01-01', { indukAdministratif: 'SU4' });
    expect(tree.get('SU5', '2022-01-01')?.parent).toBe('SU4');
  });

  it('keeps an ended unit in the tree of today while units of today name it as parent', () => {
    const { tree, happens, on } = ministry();
    happens('SU1', 'dipecah', '2024-10-21', { penerus: ['SU8'] });
    on('2025-06-01');
    expect(tree.list({ type: 'kementerian' })).toHaveLength(1);
    expect(tree.above('SU6').has('SU1')).toBe(true);
    expect(tree.list({ type: 'kementerian' }, '2025-06-01')).toEqual([]);
  });
});

describe('the two time axes', () => {
  it('answer with knownAt what the hub knew at that time: a change that it got to know late does not alter earlier answers', () => {
    const { tree, happens } = ministry();
    happens('SU5', 'naik-kelas', '2021-09-01', { kelas: 'I TPI', diketahuiSejak: '2021-11-05T02:00:00Z' });
    expect(tree.get('SU5', '2021-10-01', '2021-10-15T00:00:00Z')?.class).toBe('II TPI');
    expect(tree.get('SU5', '2021-10-01', '2021-11-06T00:00:00Z')?.class).toBe('I TPI');
    expect(tree.get('SU5', '2021-10-01')?.class).toBe('I TPI');
    expect(tree.get('SU5', '2021-08-31')?.class).toBe('II TPI');
  });

  it('correct a version that began on the same day: the wrong version is no longer current and its number is not used again', () => {
    const { tree, happens } = ministry();
    happens('SU5', 'naik-kelas', '2021-09-01', { kelas: 'I Khusus TPI' });
    happens('SU5', 'naik-kelas', '2021-09-01', { kelas: 'I TPI', diketahuiSejak: '2021-09-03T00:00:00Z' });
    expect(tree.history('SU5').map((u) => [u.version, u.class])).toEqual([
      [1, 'II TPI'],
      [3, 'I TPI'],
    ]);
    expect(tree.get('SU5', '2021-09-02', '2021-09-02T00:00:00Z')).toMatchObject({ version: 2, class: 'I Khusus TPI' });
    expect(tree.allRows('SU5').map((u) => u.version)).toEqual([1, 1, 2, 3]);
  });

  it('insert a change between two known versions without altering the later one', () => {
    const { tree, happens } = ministry();
    happens('SU5', 'ganti-nama', '2022-01-01', { nama: 'C' });
    happens('SU5', 'ganti-nama', '2021-10-01', { nama: 'B', diketahuiSejak: '2022-02-01T00:00:00Z' });
    expect(tree.history('SU5').map((u) => [u.name, u.validFrom, u.validTo])).toEqual([
      ['Kanim Kelas II Mimika', '2021-07-15', '2021-09-30'],
      ['B', '2021-10-01', '2021-12-31'],
      ['C', '2022-01-01', undefined],
    ]);
  });

  it('continue the earlier version after a change that has an end', () => {
    const { tree, happens } = ministry();
    happens('SU5', 'ganti-nama', '2021-10-01', { nama: 'Sementara', berlakuSampai: '2021-10-31' });
    expect(tree.history('SU5').map((u) => [u.version, u.validFrom, u.validTo])).toEqual([
      [1, '2021-07-15', '2021-09-30'],
      [2, '2021-10-01', '2021-10-31'],
      [1, '2021-11-01', undefined],
    ]);
  });

  it('never set knownSince before the knownSince of an existing row', () => {
    const { tree, happens } = ministry();
    happens('SU5', 'ganti-nama', '2021-10-01', { nama: 'B', diketahuiSejak: '2021-11-01T00:00:00Z' });
    happens('SU5', 'ganti-nama', '2021-10-01', { nama: 'C', diketahuiSejak: '2021-09-01T00:00:00Z' });
    expect(tree.get('SU5', '2021-10-01')).toMatchObject({ name: 'C', knownSince: '2021-11-01T00:00:00Z' });
  });

  it('change nothing for an event without a unit id or a valid day', () => {
    const { tree } = ministry();
    const rows = tree.rows('SU5');
    expect(foldUnitEvent(rows, { peristiwa: 'ditutup' }, () => undefined)).toBe(rows);
    expect(foldUnitEvent(rows, { unitId: 'SU5', berlakuMulai: '2021-02-30' }, () => undefined)).toBe(rows);
  });
});
