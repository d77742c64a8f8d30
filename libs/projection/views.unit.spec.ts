import { describe, expect, it } from '@jest/globals';
import { checkView, compileView, foldedFields, parseView, type ViewDefinition } from './index.js';
import { catalogueOfFiles, viewTexts } from '../../test/kit/projection/events.js';

const catalogue = catalogueOfFiles();
const texts = [...viewTexts()];
const def = (name: string): ViewDefinition => parseView(viewTexts().get(name)!);
const reasons = (d: ViewDefinition): string =>
  checkView(d, catalogue)
    .map((p) => `${p.pointer} ${p.reason}`)
    .join('\n');

describe('the view files of the repository', () => {
  it('are at least eight, among them one for each of these jobs', () => {
    expect(texts.map(([n]) => n)).toEqual(
      expect.arrayContaining([
        'imigrasi.paspor-status',
        'imigrasi.cegah-aktif',
        'imigrasi.cegah-pos',
        'pas.hunian-unit',
        'pas.hunian-kanwil',
        'pas.hunian-nasional',
        'pas.penghuni-aktif',
        'layanan.kasus-papan',
        'pas.penahanan-berakhir',
        'keu.tagihan-belum-lunas',
      ]),
    );
  });

  it.each(texts)('%s fulfils rules R5.1 to R5.4 and names only fields that exist', (name, text) => {
    const view = parseView(text);
    expect(view.name).toBe(name);
    expect(checkView(view, catalogue)).toEqual([]);
    expect(compileView(view, catalogue).fields.length).toBeGreaterThan(0);
  });

  it('tell which fields of a type stand in their entries and keys or decide who may see them, for whoever accepts events', () => {
    const folded = foldedFields(
      texts.map(([name]) => compileView(def(name), catalogue)),
      catalogue,
    );
    expect(folded.get('pas.penghuni.bebas')).toEqual(['bapasPembimbing', 'idOrang', 'unit', 'waktuKeluar']);
    // In the key of a count, and in the entries of the board.
    expect(folded.get('layanan.kasus.status-berubah')).toEqual(
      expect.arrayContaining(['alasanKode', 'statusBaru', 'unitPemegang']),
    );
    expect(folded.get('layanan.pengaduan.diterima')).toBeUndefined();
  });

  it('keep the data class of the field that a value comes from', () => {
    const fields = compileView(def('imigrasi.cegah-aktif'), catalogue).fields;
    const classOf = (n: string) => fields.find((f) => f.name === n)?.pii;
    expect([classOf('nik'), classOf('tindakanDiTpi'), classOf('namaLengkap'), classOf('versiDaftar')]).toEqual([
      'umum-identitas',
      'terbatas',
      'umum',
      'none',
    ]);
  });
});

describe('a view that could not be rebuilt to the same digest is refused', () => {
  it('set, merge or timeline under another key over a stream of several partitions (R5.2)', () => {
    const set = def('keu.tagihan-belum-lunas');
    expect(reasons({ ...set, key: { unit: 'unit' } })).toContain('only over a stream of one partition (R5.2)');
    expect(reasons({ ...def('imigrasi.cegah-aktif'), key: { v: 'nomorCekal' } })).not.toContain('R5.2');
  });

  it('latest under a key that a correction of an event could change (R5.2)', () => {
    const latest = def('pas.hunian-unit');
    expect(reasons({ ...latest, key: { kapasitas: 'kapasitas' } })).toContain('a corrected event could move');
    const { by: _, ...without } = latest;
    expect(reasons(without)).toContain('/by required');
  });

  it('a field that two streams write, and a condition on an entry that another stream writes (R5.3)', () => {
    const board = def('layanan.kasus-papan');
    const [cases, clock] = board.sources as [ViewDefinition['sources'][0], ViewDefinition['sources'][0]];
    const twice = { ...board, sources: [cases, { ...clock, set: { ...clock.set, tenggat: 'tenggat' } }] };
    expect(reasons(twice)).toContain('/sources/1/set/tenggat written by more than one stream (R5.3)');
    const across = { ...board, sources: [cases, { ...clock, given: [{ value: 'status', isNot: 'selesai' }] }] };
    expect(reasons(across)).toContain('the order between streams is open (R5.3)');
    const latest: ViewDefinition = { ...board, kind: 'latest' };
    expect(reasons(latest)).toContain('several streams: only with kind merge');
  });

  it('streams with another partition count (R5.3)', () => {
    const other = catalogueOfFiles();
    other.putStream('layanan.tenggat', 8);
    expect(checkView(def('layanan.kasus-papan'), other).map((p) => String(p.reason))).toEqual([
      'streams of different partition counts (R5.3)',
    ]);
  });

  it('types with different subjects under one subject key (R5.1)', () => {
    const timeline = def('imigrasi.paspor-jejak');
    const mixed = { ...timeline, sources: [...timeline.sources, { type: 'keu.pnbp.tagihan-diterbitkan' }] };
    expect(reasons(mixed)).toContain('types with different subjects');
  });

  it('a clock: no expression of the form can name the present (R5.4)', () => {
    const text = JSON.stringify(def('pas.penahanan-berakhir')).replace(
      '"sisaHari":"sisaHari"',
      '"sisaHari":{"now":true}',
    );
    expect(() => parseView(text)).toThrow(expect.objectContaining({ code: 'invalid_schema' }));
  });

  it('totals over personal data, keys of personal data', () => {
    const count = def('pas.hunian-kanwil');
    expect(reasons({ ...count, sum: { petugas: 'petugasJaga' } })).toContain('totals are open to every reader');
    const person = def('pas.penahanan-berakhir');
    expect(reasons({ ...person, kind: 'count', key: { nama: 'namaLengkap' } })).toContain('keys are never sealed');
  });

  it('unknown types, fields and enum symbols', () => {
    const v = def('imigrasi.cegah-aktif');
    expect(reasons({ ...v, sources: [{ type: 'imigrasi.cegah.hilang', set: {} }] })).toContain('unknown event type');
    const [add, end] = v.sources as [ViewDefinition['sources'][0], ViewDefinition['sources'][0]];
    expect(reasons({ ...v, sources: [{ ...add, set: { x: 'tidakAda' } }, end] })).toContain('has no field tidakAda');
    expect(reasons({ ...v, sources: [{ ...add, when: [{ field: 'jenis', in: ['cegahh'] }] }, end] })).toContain(
      'not a symbol',
    );
  });
});
