import { describe, expect, it, jest } from '@jest/globals';
import { compileContract, type FieldInfo, type FieldKind, type PiiClass } from '#avro';
import { nestedFields, schemaWith } from '../../test/kit/contracts/nested.js';
import { maskData } from './mask.js';

const f = (name: string, kind: FieldKind, pii: PiiClass, more: Partial<FieldInfo> = {}): FieldInfo => ({
  name,
  kind,
  optional: false,
  pii,
  ...more,
});
const mask = (fields: FieldInfo[], data: Record<string, unknown>) => maskData({ fields }, data);

describe('masked data', () => {
  it('shows the last 4 characters of identities, hides restricted and specific data, and shows everything else', () => {
    expect(
      mask(
        [
          f('nomor', 'string', 'none'),
          f('kota', 'string', 'umum'),
          f('nik', 'string', 'umum-identitas'),
          f('alamat', 'string', 'terbatas'),
          f('penyakit', 'string', 'spesifik'),
        ],
        { nomor: 'P-1', kota: 'Ambon', nik: '9971011507210001', alamat: 'Jl. Rekaan 1', penyakit: 'batuk' },
      ),
    ).toEqual({ nomor: 'P-1', kota: 'Ambon', nik: '••••0001', alamat: '••••', penyakit: '••••' });
  });

  it('hides an identity of 4 or fewer characters completely, and gives null for a hidden value that is not text', () => {
    expect(
      mask(
        [
          f('a', 'string', 'umum-identitas'),
          f('lahir', 'date', 'umum-identitas'),
          f('kelamin', 'enum', 'umum-identitas'),
          f('gaji', 'decimal', 'terbatas'),
          f('hamil', 'boolean', 'spesifik'),
          f('umur', 'int', 'umum'),
        ],
        { a: 'Budi', lahir: '1990-01-01', kelamin: 'L', gaji: '1.00', hamil: true, umur: 31 },
      ),
    ).toEqual({ a: '••••', lahir: null, kelamin: null, gaji: null, hamil: null, umur: 31 });
  });

  it('masks the entries of lists and records under the stricter of the outer and the inner class', () => {
    const person = f('orang', 'record', 'umum', {
      fields: [f('nama', 'string', 'umum-identitas'), f('jabatan', 'string', 'umum'), f('nik', 'string', 'spesifik')],
    });
    const people: FieldInfo = { ...person, name: 'pengurus', kind: 'array', items: { ...person, optional: false } };
    delete (people as { fields?: unknown }).fields;
    const one = { nama: 'Sari Contoh', jabatan: 'ketua', nik: '9971011507210001' };
    expect(mask([person, people], { orang: one, pengurus: [one, one] })).toEqual({
      orang: { nama: '••••ntoh', jabatan: 'ketua', nik: '••••' },
      pengurus: [
        { nama: '••••ntoh', jabatan: 'ketua', nik: '••••' },
        { nama: '••••ntoh', jabatan: 'ketua', nik: '••••' },
      ],
    });
    expect(mask([{ ...person, pii: 'umum-identitas' }], { orang: one })).toEqual({
      orang: { nama: '••••ntoh', jabatan: '••••etua', nik: '••••' },
    });
    expect(mask([{ ...people, pii: 'spesifik' }], { pengurus: [one] })).toEqual({ pengurus: null });
  });

  it('counts characters as a person sees them, and shows at most 4 code points: no text is shown whole because its characters are long', () => {
    const shown = (nik: string): unknown => mask([f('nik', 'string', 'umum-identitas')], { nik })['nik'];
    expect(['𝟏𝟐𝟑𝟒', '𝟏𝟐𝟑', '👨‍👩‍👧‍👦', 'e\u0301e\u0301e\u0301e\u0301', 'abcd'].map(shown)).toEqual(Array(5).fill('••••'));
    expect(shown('𝟏𝟐𝟑𝟒𝟓𝟔')).toBe('••••𝟑𝟒𝟓𝟔');
    expect(shown('12345e\u0301e\u0301e\u0301')).toBe('••••e\u0301e\u0301');
    expect(shown('12345👨‍👩‍👧‍👦')).toBe('••••');
  });

  it('looks for characters at the end of a long text alone: counting all of them would stop every other request', () => {
    const segment = jest.spyOn(Intl.Segmenter.prototype, 'segment');
    try {
      const shown = (nik: string): unknown => mask([f('nik', 'string', 'umum-identitas')], { nik })['nik'];
      expect(shown(`${'é'.repeat(100_000)}1234`)).toBe('••••1234');
      expect(shown(`${'𝟏'.repeat(100_000)}é𝟐34`)).toBe('••••é𝟐34');
      expect(shown(`x${'\u0301'.repeat(100_000)}`)).toBe('••••');
      expect(segment).toHaveBeenCalledTimes(3);
      expect(Math.max(...segment.mock.calls.map(([text]) => text.length))).toBeLessThan(1_000);
    } finally {
      segment.mockRestore();
    }
  });

  it('counts the characters of a bounded number of texts of an event: a long list of short ones would stop every other request', () => {
    const segment = jest.spyOn(Intl.Segmenter.prototype, 'segment');
    try {
      const list = f('paspor', 'array', 'umum-identitas', { items: { kind: 'string', optional: false } });
      const shown = (texts: string[]): unknown => mask([list], { paspor: texts })['paspor'];
      expect(shown([...new Array<string>(200).fill('é123456'), 'é123456', 'C7654321'])).toEqual([
        ...new Array<string>(200).fill('••••3456'),
        '••••',
        '••••4321',
      ]);
      expect(shown(new Array<string>(50_000).fill('ééééééé'))).toHaveLength(50_000);
      expect(segment).toHaveBeenCalledTimes(400);
    } finally {
      segment.mockRestore();
    }
  });

  it('keeps absent and null values, and drops members that the contract does not name', () => {
    expect(
      mask([f('a', 'string', 'spesifik', { optional: true }), f('b', 'string', 'none')], { a: null, x: 'secret' }),
    ).toEqual({
      a: null,
    });
  });
});

describe('in every combination of lists, maps, records, unions and optional types', () => {
  const NIK = '9971011507210001';
  it.each(
    (['umum-identitas', 'terbatas', 'spesifik'] as const).flatMap((pii) =>
      nestedFields('string', { pii }).map((n) => [pii, n.name, n] as const),
    ),
  )('a text of class %s is never shown: %s', (pii, _name, { field, value }) => {
    const masked = JSON.stringify(maskData(compileContract(schemaWith(field)), { x: value(NIK) }));
    expect(masked).not.toContain(NIK.slice(0, -4));
    if (pii !== 'umum-identitas') expect(masked).not.toContain('0001');
  });

  it.each(nestedFields('string', { pii: 'umum' }).map((n) => [n.name, n] as const))(
    'a text of class umum is shown: %s',
    (_name, { field, value }) => {
      const data = { x: value('Budi Contoh') };
      expect(maskData(compileContract(schemaWith(field)), data)).toEqual(data);
    },
  );

  it('a value of a union becomes null where its branches say different things, and names of a map are text of its class', () => {
    const record = (name: string, pii: string) => ({
      type: 'record',
      name,
      namespace: 'uji',
      fields: [{ name: 'isi', type: 'string', pii }],
    });
    const union = compileContract(
      schemaWith({ name: 'x', type: [record('A', 'umum'), record('B', 'spesifik')], pii: 'none' }),
    );
    expect(maskData(union, { x: { isi: NIK } })).toEqual({ x: null });
    const map = compileContract(
      schemaWith({ name: 'x', type: { type: 'map', values: 'string' }, pii: 'umum-identitas' }),
    );
    expect(maskData(map, { x: { [NIK]: 'ada' } })).toEqual({ x: null });
  });
});
