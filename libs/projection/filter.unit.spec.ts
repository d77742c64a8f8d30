import { describe, expect, it } from '@jest/globals';
import { catalogueOfFiles, foldEventOf, viewsOf, viewTexts } from '../../test/kit/projection/events.js';
import type { CompiledView, ViewField } from './compile.js';
import { fulfils, parseConditions, type UnitNames } from './filter.js';
import { comparableOf } from './filter-kinds.js';

const catalogue = catalogueOfFiles();
const views = viewsOf(catalogue, ...viewTexts().keys());
const cases = views.flatMap((view) => view.fields.map((field) => [`${view.name} ${field.name}`, view, field] as const));

/** A registry that has every unit but these two. */
const units = {
  get: (id: string) => (id === 'SU99999' ? undefined : {}),
  holders: (code: string) => (code === 'KANWIL-99' ? [] : [{ code }]),
  list: () => [{ code: 'KANWIL-31' }],
} as unknown as UnitNames;

/** Values that the view writes into a field, from events of its types with different seeds. */
function written(view: CompiledView, { name }: ViewField): unknown[] {
  const out: unknown[] = [];
  for (const source of view.sources)
    for (let seed = 0; seed < 6; seed++) {
      const event = foldEventOf(catalogue, { type: source.type, seed }, 0n);
      for (const [n, evaluate] of source.set) if (n === name) out.push(evaluate(event));
      if (view.kind === 'count') for (const [n, evaluate] of view.keyParts) if (n === name) out.push(evaluate(event));
      if (view.kind === 'count') for (const [n, field] of view.sum) if (n === name) out.push(event.data[field]);
    }
  return out.filter((v) => v !== null && v !== undefined);
}

/** A value that no field of the kind can hold. */
const NONSENSE: Readonly<Record<string, readonly string[]>> = {
  enum: ['bukan_simbol', ''],
  date: ['kemarin', '2021-02-30', '2021-7-1', '2021-07-15T00:00:00Z', ''],
  timestamp: ['besok', '2021-07-15', '2021-07-15T10:00:00', '2021-07-15T10:00:00 07:00', ''],
  boolean: ['ya', '1', 'TRUE', ''],
  uuid: ['9f2c1d34', ''],
  int: ['dua', '1e3', '1,5', '1.5', ''],
  long: ['dua', '0x10', '1.5', ''],
  float: ['dua', 'NaN', ''],
  double: ['dua', 'Infinity', ''],
  decimal: ['Rp 5', '1.000,50', ''],
  bytes: ['***'],
  fixed: ['***'],
};

describe('the conditions of a list compare by the kind of the field, in every view', () => {
  it.each(cases)(
    '%s: a written value is found by itself, and no other kind of value is taken',
    (_name, view, field) => {
      const query = (name: string, value: string) => parseConditions(view, { [name]: value }, units);
      if (field.pii !== 'none') {
        expect(() => query(field.name, 'x')).toThrow(expect.objectContaining({ code: 'clear_subject_refused' }));
        return;
      }
      const kind = comparableOf(field);
      if (!kind) {
        expect(() => query(field.name, 'x')).toThrow(expect.objectContaining({ code: 'invalid_query' }));
        return;
      }
      for (const value of written(view, field)) {
        const row = { [field.name]: value };
        const text = String(value);
        expect([text, fulfils(row, query(field.name, text))]).toEqual([text, true]);
        if (!kind.ordered) continue;
        const is = (operator: string) => fulfils(row, query(`${field.name}.${operator}`, text));
        expect([is('lt'), is('lte'), is('gt'), is('gte')]).toEqual([false, true, false, true]);
      }
      const nonsense =
        field.role === 'unitId'
          ? ['KANIM', '123', 'SU99999', '']
          : field.prefix !== undefined
            ? ['nonsense', field.prefix, 'KANWIL-99', '']
            : (NONSENSE[field.kind] ?? []);
      for (const text of nonsense)
        expect(() => query(field.name, text)).toThrow(expect.objectContaining({ code: 'invalid_query' }));
      if (!kind.ordered)
        for (const operator of ['lt', 'lte', 'gt', 'gte'])
          expect(() => query(`${field.name}.${operator}`, 'x')).toThrow(
            expect.objectContaining({ code: 'invalid_query' }),
          );
      expect(() => parseConditions(view, { [field.name]: ['a', 'b'] }, units)).toThrow(
        expect.objectContaining({ code: 'invalid_query' }),
      );
    },
  );

  it('walks fields of these kinds', () => {
    const kinds = new Set(cases.map(([, , f]) => (f.role === 'unitId' ? 'unit' : f.kind)));
    for (const kind of ['string', 'enum', 'date', 'timestamp', 'int', 'long', 'unit']) expect(kinds).toContain(kind);
  });
});

describe('one moment, number or id has several spellings', () => {
  const field = (more: Partial<ViewField> & Pick<ViewField, 'kind'>): CompiledView =>
    ({ fields: [{ name: 'f', optional: true, pii: 'none', ...more }] }) as unknown as CompiledView;
  it.each<[ViewField['kind'], unknown, string, string, boolean]>([
    ['timestamp', '2021-07-15T10:00:00.000Z', 'f', '2021-07-15T17:00:00+07:00', true],
    ['timestamp', '2021-07-15T10:00:00.000Z', 'f.lt', '2021-07-15T17:00:00.001+07:00', true],
    ['timestamp', '2021-07-15T10:00:00.000Z', 'f.gt', '2021-07-15T11:00:00+07:00', true],
    ['decimal', '1500000.50', 'f', '1500000.5', true],
    ['decimal', '9.00', 'f.lt', '10', true],
    ['long', '9007199254740993', 'f.gt', '9007199254740992', true],
    ['boolean', true, 'f', 'true', true],
    ['boolean', false, 'f', 'true', false],
    ['uuid', '9f2c1d34-5a6b-4c7d-8e9f-0a1b2c3d4e5f', 'f', '9F2C1D34-5A6B-4C7D-8E9F-0A1B2C3D4E5F', true],
    ['date', '2021-07-15', 'f.lte', '2021-07-15', true],
    ['int', null, 'f', '0', false],
    ['string', undefined, 'f', '', false],
  ])('%s %p with %s=%s: %p', (kind, value, name, wanted, answer) => {
    expect(fulfils({ f: value }, parseConditions(field({ kind }), { [name]: wanted }, units))).toBe(answer);
  });
});
