import { describe, expect, it } from '@jest/globals';
import { DataSetter } from './set-data.js';
import { Usage } from './usage.js';

const SCHEMA = {
  type: 'record',
  name: 'Lahir',
  namespace: 'uji.kasus',
  fields: [
    { name: 'nomor', type: 'string' },
    { name: 'jumlah', type: 'int' },
    { name: 'rasio', type: ['null', 'double'] },
    { name: 'aktif', type: 'boolean' },
    { name: 'tahap', type: { type: 'enum', name: 'Tahap', symbols: ['BARU', 'LAMA'] } },
    { name: 'tanggal', type: { type: 'int', logicalType: 'date' } },
    {
      name: 'alamat',
      type: [
        'null',
        {
          type: 'record',
          name: 'Alamat',
          fields: [
            { name: 'kota', type: 'string' },
            { name: 'tahap', type: 'Tahap' },
          ],
        },
      ],
    },
    { name: 'lain', type: ['null', 'uji.kasus.Alamat'] },
    { name: 'unit', type: { type: 'array', items: 'string' } },
    { name: 'daftar', type: { type: 'array', items: 'Alamat' } },
    { name: 'catatan', type: { type: 'map', values: 'long' } },
    { name: 'mikro', type: { type: 'long', logicalType: 'timestamp-micros' } },
    {
      name: 'luar',
      type: { type: 'record', name: 'Alamat', namespace: 'uji.luar', fields: [{ name: 'negara', type: 'string' }] },
    },
    { name: 'akhir', type: ['null', 'Alamat'] },
  ],
};

function set(...assignments: string[]): Record<string, unknown> {
  const data: Record<string, unknown> = { nomor: 'A' };
  const setter = new DataSetter(SCHEMA);
  for (const one of assignments) setter.set(data, one);
  return data;
}
const refused = (assignment: string): string => {
  try {
    set(assignment);
  } catch (e) {
    if (e instanceof Usage) return e.text.in('en');
  }
  return 'taken';
};

describe('--set', () => {
  it('gives each value the type that the schema has: texts stay texts, also those that look like numbers', () => {
    expect(set('nomor=007', 'jumlah=7', 'rasio=1.5', 'aktif=true', 'tahap=LAMA', 'tanggal=2021-07-15')).toEqual({
      nomor: '007',
      jumlah: 7,
      rasio: 1.5,
      aktif: true,
      tahap: 'LAMA',
      tanggal: '2021-07-15',
    });
    expect(set('rasio=null', 'nomor=a=b', 'data.jumlah=1')).toEqual({ nomor: 'a=b', rasio: null, jumlah: 1 });
  });

  it('reaches into records, lists and maps, and makes what is not there', () => {
    expect(
      set('alamat.kota=Solo', 'lain.kota=Tegal', 'lain.tahap=BARU', 'unit=SU00001, SU00002', 'unit.2=SU00003'),
    ).toMatchObject({
      alamat: { kota: 'Solo' },
      lain: { kota: 'Tegal', tahap: 'BARU' },
      unit: ['SU00001', 'SU00002', 'SU00003'],
    });
    expect(set('daftar.0.kota=Solo', 'daftar.1={"kota":"Tegal"}', 'catatan.a=3')).toMatchObject({
      daftar: [{ kota: 'Solo' }, { kota: 'Tegal' }],
      catatan: { a: 3 },
    });
  });

  it('reads the schema as the hub does: a type is that of its namespace, a logical type that nobody knows is its base type', () => {
    expect(set('mikro=5', 'luar.negara=JP', 'akhir.kota=Solo')).toMatchObject({
      ...{ mikro: 5, luar: { negara: 'JP' }, akhir: { kota: 'Solo' } },
    });
    expect(refused('akhir.negara=JP')).toContain('no such field  → kota');
  });

  it('refuses with a pointer what the schema does not have or take', () => {
    expect(refused('nomer=1')).toBe('/data/nomer: there is no such field  → nomor');
    expect(refused('alamat.kotaa=1')).toBe('/data/alamat/kotaa: there is no such field  → kota');
    expect(refused('jumlah=tujuh')).toBe('/data/jumlah: wrong value  → a whole number');
    expect(refused('jumlah=9007199254740993')).toBe('/data/jumlah: wrong value  → a whole number');
    expect(refused('rasio=x')).toBe('/data/rasio: wrong value  → a number');
    expect(refused('tahap=TUA')).toBe('/data/tahap: wrong value  → BARU, LAMA');
    expect(refused('nomor.kota=x')).toBe('/data/nomor/kota: the field above it has no parts');
    expect(refused('unit.x=1')).toBe('/data/unit/x: wrong value  → 0, 1, 2, …');
    expect(refused('unit.7=1')).toContain('wrong value  → 0 … 0');
    expect(refused('alamat={')).toBe('/data/alamat: wrong value  → JSON');
    expect(refused('nomor')).toBe('--set nomor: field=value');
    expect(refused('catatan.__proto__=1')).toContain('no parts');
    expect(refused('__proto__.x=1')).toContain('no such field');
  });
});
