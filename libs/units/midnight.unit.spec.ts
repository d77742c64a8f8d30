import { describe, expect, it } from '@jest/globals';
import { todayOf } from '#event';
import { UnitTree } from './tree.js';
import type { Unit } from './unit.js';

const row = (id: string, timezone: string, more: Partial<Unit> = {}): Unit => ({
  id,
  version: 1,
  code: id,
  name: `${id} lama`,
  shortName: id,
  type: 'kanim',
  provinceCode: '31',
  city: 'Kota',
  timezone,
  tz: timezone === 'Asia/Jayapura' ? 'WIT' : timezone === 'Asia/Makassar' ? 'WITA' : 'WIB',
  validFrom: '2021-01-01',
  knownSince: '2021-01-01T00:00:00Z',
  ...more,
});
const renamed = (id: string, before: string, after = before): Unit[] => [
  row(id, before, { validTo: '2026-11-30' }),
  row(id, after, { version: 2, name: `${id} baru`, validFrom: '2026-12-01' }),
];

function tree(...units: Unit[][]) {
  const clock = { ms: 0 };
  const made = new UnitTree(todayOf(() => clock.ms));
  for (const rows of units) made.put(rows[0]!.id, rows);
  return {
    units: made,
    nameAt: (id: string, time: string) => {
      clock.ms = Date.parse(time);
      return made.get(id)?.name;
    },
  };
}

describe('a change of a unit takes force at midnight of its own zone', () => {
  const { units, nameAt } = tree(
    renamed('SU1', 'Asia/Jakarta'),
    renamed('SU2', 'Asia/Makassar'),
    renamed('SU3', 'Asia/Jayapura'),
  );
  it.each([
    ['SU3', 'WIT', '2026-11-30T15:00:00Z'],
    ['SU2', 'WITA', '2026-11-30T16:00:00Z'],
    ['SU1', 'WIB', '2026-11-30T17:00:00Z'],
  ])('%s in %s: from %s on, not a second earlier', (id, _tz, midnight) => {
    expect(nameAt(id, new Date(Date.parse(midnight) - 1_000).toISOString())).toBe(`${id} lama`);
    expect(nameAt(id, midnight)).toBe(`${id} baru`);
  });

  it('gives the day of today of a unit, and of the hub in WIB for an id that is no unit', () => {
    nameAt('SU1', '2026-11-30T15:30:00Z');
    expect([units.today('SU3'), units.today('SU1'), units.today('EXT-POLRI')]).toEqual([
      '2026-12-01',
      '2026-11-30',
      '2026-11-30',
    ]);
  });

  it('rights follow the same midnight: the new parent is above, the old one is not', () => {
    const moved = tree([
      row('SU9', 'Asia/Jayapura', { parent: 'SU7', validTo: '2026-11-30' }),
      row('SU9', 'Asia/Jayapura', { parent: 'SU8', version: 2, validFrom: '2026-12-01' }),
    ]);
    moved.nameAt('SU9', '2026-11-30T14:59:59Z');
    expect([...moved.units.above('SU9')]).toEqual(['SU7']);
    moved.nameAt('SU9', '2026-11-30T15:00:00Z');
    expect([...moved.units.above('SU9')]).toEqual(['SU8']);
  });

  it('a unit that moves to another zone is in force without a gap and without two versions', () => {
    const west = tree(renamed('SU4', 'Asia/Jayapura', 'Asia/Jakarta'));
    expect(west.nameAt('SU4', '2026-11-30T16:00:00Z')).toBe('SU4 lama');
    expect(west.nameAt('SU4', '2026-11-30T17:00:00Z')).toBe('SU4 baru');
    const east = tree(renamed('SU5', 'Asia/Jakarta', 'Asia/Jayapura'));
    expect(east.nameAt('SU5', '2026-11-30T15:00:00Z')).toBe('SU5 baru');
    expect(east.units.list({}).map((u) => u.name)).toEqual(['SU5 baru']);
  });

  it('a unit ends at midnight of its own zone', () => {
    const ended = tree([row('SU6', 'Asia/Jayapura', { validTo: '2026-11-30' })]);
    ended.nameAt('SU6', '2026-11-30T14:59:59Z');
    expect(ended.units.list({})).toHaveLength(1);
    ended.nameAt('SU6', '2026-11-30T15:00:00Z');
    expect(ended.units.list({})).toHaveLength(0);
  });
});

describe('the units of a type', () => {
  it('are those that are found with it today, ended ones too, and change at their midnight', () => {
    const ended = row('SU4', 'Asia/Jakarta', { type: 'lapas', validTo: '2026-11-01' });
    const [before] = renamed('SU1', 'Asia/Jakarta');
    const after = row('SU1', 'Asia/Jakarta', { version: 2, type: 'rudenim', validFrom: '2026-12-01' });
    const { units, nameAt } = tree([before!, after], [ended], [row('SU2', 'Asia/Jakarta')]);
    const ids = (): string[][] => ['kanim', 'rudenim', 'lapas', 'x'].map((type) => [...units.ofType(type)].sort());
    nameAt('SU1', '2026-11-30T16:59:59Z');
    expect(ids()).toEqual([['SU1', 'SU2'], [], ['SU4'], []]);
    nameAt('SU1', '2026-11-30T17:00:00Z');
    expect(ids()).toEqual([['SU2'], ['SU1'], ['SU4'], []]);
  });
});
