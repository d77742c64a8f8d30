import { describe, expect, it } from '@jest/globals';
import { compileContract, shownAs } from './index.js';

const contractOf = (...fields: readonly object[]) =>
  compileContract(JSON.stringify({ type: 'record', name: 'Kasus', fields }));
const place = { type: 'record', name: 'Alamat', fields: [{ name: 'kota', type: 'string', default: 'Bogor' }] };
const kind = { type: 'enum', name: 'Jenis', symbols: ['_tidak_dikenal', 'a'], default: '_tidak_dikenal' };

describe('data as the hub shows it, in the version of a contract', () => {
  it('drops unknown fields, fills missing ones with their default or null, follows aliases, and gives the default symbol', () => {
    const contract = contractOf(
      { name: 'nama', type: 'string', aliases: ['lama'] },
      { name: 'jenis', type: kind },
      { name: 'alamat', type: place, default: {} },
      { name: 'hari', type: { type: 'int', logicalType: 'date' }, default: 1 },
      { name: 'nilai', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }, default: '\u0001' },
      { name: 'catatan', type: ['null', 'string'] },
      { name: 'lain', type: { type: 'map', values: { type: 'array', items: 'Alamat' } } },
    );
    const given = { lama: 'N', jenis: 'z', lain: { x: [{}, { kota: 'Depok', provinsi: 'JB' }] }, asing: 1 };
    expect(shownAs(contract, given)).toEqual({
      ok: true,
      data: {
        ...{ nama: 'N', jenis: '_tidak_dikenal', alamat: { kota: 'Bogor' }, hari: '1970-01-02', nilai: '0.01' },
        ...{ catatan: null, lain: { x: [{ kota: 'Bogor' }, { kota: 'Depok' }] } },
      },
    });
  });

  it('leaves masked values as they are, whatever the type', () => {
    const contract = contractOf(
      ...['nama', 'umur', 'benar', 'hari'].map((name) => ({
        name,
        type: { nama: 'string', umur: 'long', benar: 'boolean', hari: { type: 'int', logicalType: 'date' } }[name]!,
      })),
      { name: 'alamat', type: ['null', place] },
    );
    const masked = { nama: '••••', umur: null, benar: null, hari: '••••', alamat: { kota: '••••' } };
    expect(shownAs(contract, masked)).toEqual({ ok: true, data: masked });
  });

  it.each<[string, object, unknown, string, string]>([
    ['a missing field without a default', { type: 'string' }, undefined, '/data/x', 'required_missing'],
    ['a text for a number', { type: 'int' }, '7', '/data/x', 'not_a_number'],
    ['a number for a text', { type: 'string' }, 7, '/data/x', 'not_text'],
    ['a number for a boolean', { type: 'boolean' }, 1, '/data/x', 'not_a_boolean'],
    ['a number for a day', { type: { type: 'int', logicalType: 'date' } }, 7, '/data/x', 'not_text'],
    ['a list for a record', { type: place }, [], '/data/x', 'not_an_object'],
    ['a record for a list', { type: { type: 'array', items: 'int' } }, {}, '/data/x', 'not_a_list'],
    ['an entry of a list', { type: { type: 'array', items: 'int' } }, [1, 'b'], '/data/x/1', 'not_a_number'],
    ['a member of a map', { type: { type: 'map', values: 'int' } }, { 'a/b': 'c' }, '/data/x/a~1b', 'not_a_number'],
    ['a symbol without a default one', { type: { ...kind, default: undefined } }, 'z', '/data/x', 'not_a_symbol'],
    ['what fits no branch', { type: ['null', 'int', 'boolean'] }, 'z', '/data/x', 'fits_no_branch'],
    ['what does not fit the one branch', { type: ['null', place] }, { kota: 7 }, '/data/x/kota', 'not_text'],
  ])('names %s by its pointer', (_what, field, x, pointer, code) => {
    expect(shownAs(contractOf({ name: 'x', ...field }), { x })).toEqual({
      ok: false,
      problem: { pointer, reason: expect.objectContaining({ code }) },
    });
  });

  it('leaves a number whose logical type nobody knows, and longs beyond 2^53 as texts', () => {
    const contract = contractOf(
      { name: 'mikro', type: { type: 'long', logicalType: 'timestamp-micros' } },
      { name: 'besar', type: 'long' },
    );
    const data = { mikro: 5, besar: '9007199254740993' };
    expect(shownAs(contract, data)).toEqual({ ok: true, data });
  });
});
