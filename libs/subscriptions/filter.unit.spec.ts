import { describe, expect, it } from '@jest/globals';
import type { FilterExpression } from './index.js';
import { compiled, KANIM, KANWIL, NIK, PASSPORT, stageOf } from './subscriptions-stage.fixture.js';

const stage = stageOf();
type Given = Parameters<typeof stage.event>[0];
const isDue = (filter: FilterExpression, given: Given = {}, owner = KANIM): boolean =>
  compiled({ filters: [filter], owner }).due(stage.shared(given)) !== undefined;

describe('filters (CloudEvents Subscriptions API)', () => {
  it.each<[string, FilterExpression, boolean]>([
    ['exact', { exact: { type: PASSPORT } }, true],
    ['exact, case sensitive', { exact: { type: PASSPORT.toUpperCase() } }, false],
    ['exact of several attributes, one of which differs', { exact: { type: PASSPORT, id: 'other' } }, false],
    ['exact of several attributes', { exact: { type: PASSPORT, id: 'E-1' } }, true],
    ['prefix', { prefix: { source: 'urn:simpul:unit:' } }, true],
    ['prefix, longer than the value', { prefix: { id: 'E-11' } }, false],
    ['suffix', { suffix: { type: '.diterbitkan' } }, true],
    ['an extension', { exact: { korelasi: 'K-1' } }, true],
    ['an attribute that the event does not have', { prefix: { kausasi: 'K' } }, false],
    ['not, of one that it does not have', { not: { exact: { kausasi: 'K' } } }, true],
    ['all', { all: [{ exact: { id: 'E-1' } }, { exact: { korelasi: 'K-1' } }] }, true],
    ['all, one of which does not hold', { all: [{ exact: { id: 'E-1' } }, { exact: { id: 'E-2' } }] }, false],
    ['any', { any: [{ exact: { id: 'E-2' } }, { exact: { id: 'E-1' } }] }, true],
    ['any, none of which holds', { any: [{ exact: { id: 'E-2' } }] }, false],
    ['not', { not: { exact: { id: 'E-1' } } }, false],
    ['a field of the data', { exact: { 'data.jenisPaspor': 'biasa' } }, true],
    ['a day', { prefix: { 'data.tanggalTerbit': '2021-07' } }, true],
    ['a field that is null', { prefix: { 'data.waktuSerah': 'n' } }, false],
    ['a field that the type does not have', { exact: { 'data.lain': 'x' } }, false],
    ['a member of a text', { exact: { 'data.nik.length': '16' } }, false],
    ['a field that objects inherit', { prefix: { 'data.constructor': 'f' } }, false],
    ['the prototype', { prefix: JSON.parse('{"data.__proto__":"["}') as Record<string, string> }, false],
    ['an extension that objects inherit', { prefix: { constructor: 'f' } }, false],
  ])('%s', (_what, filter, yes) => {
    const data = { jenisPaspor: 'biasa', tanggalTerbit: '2021-07-07', waktuSerah: null };
    expect(isDue(filter, { id: 'E-1', extensions: { korelasi: 'K-1' }, data })).toBe(yes);
  });

  it('compare a number, a truth value and a decimal as their text', () => {
    const given = { type: 'itjen.wbs.laporan-diterima', source: 'urn:simpul:unit:SU00003:wbs' };
    const data = { anonim: false, nilaiDugaan: '2955000.00' };
    const filter = { exact: { 'data.anonim': 'false', 'data.nilaiDugaan': '2955000.00' } };
    expect(isDue(filter, { ...given, data }, 'SU00003')).toBe(true);
    const hunian = stage.catalogue.newest('pas.hunian.dilaporkan')!.contract.fields.find((f) => f.kind === 'int')!;
    const lapas = { type: 'pas.hunian.dilaporkan', source: 'urn:simpul:unit:SU00681:sdp', data: { [hunian.name]: 7 } };
    expect(isDue({ exact: { [`data.${hunian.name}`]: '7' } }, lapas, 'SU00681')).toBe(true);
    expect(isDue({ exact: { [`data.${hunian.name}`]: '7.0' } }, lapas, 'SU00681')).toBe(false);
  });

  it('without any, every event that the owner may read', () => {
    expect(compiled().due(stage.shared({}))).toBeDefined();
  });

  describe('say nothing of a value that the owner reads masked', () => {
    it.each<[string, FilterExpression]>([
      ['the whole value', { exact: { 'data.nik': NIK } }],
      ['its beginning', { prefix: { 'data.nik': '99' } }],
      ['its end, which the mask shows', { suffix: { 'data.nik': '0001' } }],
      ['the mask', { prefix: { 'data.nik': '••••' } }],
      ['the masked text', { exact: { 'data.nik': '••••0001' } }],
      ['an extension that the publisher made up', { exact: { rahasia: 'x' } }],
      ['a signature', { prefix: { tandatangan: 'x' } }],
      ['a restricted field', { prefix: { 'data.nomorSeriBlanko': '•' } }],
    ])('%s', (_what, filter) => {
      const extensions = { rahasia: 'x', tandatangan: 'xyz' };
      expect(isDue(filter, { extensions }, KANWIL)).toBe(false);
      // The other way round it is as silent: the answer is the same whatever the value is.
      expect(isDue({ not: filter }, { extensions }, KANWIL)).toBe(true);
      expect(isDue({ not: filter }, { extensions: {}, data: { nik: '9902020202020002' } }, KANWIL)).toBe(true);
    });

    it('and compare what a masked reader sees', () => {
      expect(isDue({ exact: { 'data.unitPenerbit': KANIM } }, {}, KANWIL)).toBe(true);
      expect(isDue({ exact: { 'data.nik': NIK } }, {}, KANIM)).toBe(true);
    });
  });
});
