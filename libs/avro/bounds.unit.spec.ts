import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkNewContract, compatibility, compileEventContract, sample } from './index.js';

const root = join(import.meta.dirname, '../../schemas');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.avsc'));
const text = (file: string): string => readFileSync(join(root, file), 'utf8');
const record = (field: object): string =>
  JSON.stringify({ type: 'record', name: 'A', namespace: 'uji', fields: [{ name: 'n', type: 'int', ...field }] });

describe('bounds of the fields of a contract', () => {
  it('may become wider and may be new; a narrower one is an incompatible change', () => {
    const change = (now: object, before: object) =>
      compatibility(record(now), record(before), 'FULL').map((p) => `${p.code} ${p.pointer}`);
    expect(change({ min: 0, max: 9 }, {})).toEqual([]);
    expect(change({ min: -1, max: 10 }, { min: 0, max: 9 })).toEqual([]);
    expect(change({}, { min: 0, max: 9 })).toEqual([]);
    expect(change({ min: 1, max: 8 }, { min: 0, max: 9 })).toEqual([
      'incompatible_schema /n/min',
      'incompatible_schema /n/max',
    ]);
    expect(compatibility(record({ min: 1 }), record({ min: 0 }), 'BACKWARD')).toEqual([]);
  });

  it.each<[object, string]>([
    [{ min: '0' }, '/fields/0/min'],
    [{ max: Number.MAX_VALUE }, '/fields/0/max'],
    [{ min: 2, max: 1 }, '/fields/0/max'],
    [{ type: 'string', min: 0 }, '/fields/0/min'],
    [{ type: { type: 'int', logicalType: 'date' }, min: '2021-02-30' }, '/fields/0/min'],
    [{ type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }, min: 0 }, '/fields/0/min'],
  ])('%j is no valid bound', (bound, pointer) => {
    const schema = JSON.parse(text('pas/hunian/dilaporkan.v1.avsc')) as { fields: object[] };
    schema.fields.unshift({ name: 'n', type: 'int', pii: 'none', ...bound });
    let found: readonly { readonly pointer: string }[] = [];
    try {
      compileEventContract(JSON.stringify(schema));
    } catch (e) {
      found = (e as { problems: typeof found }).problems;
    }
    expect(found.map((p) => p.pointer)).toEqual([pointer]);
  });

  it('are checked in records inside lists, maps and unions too: in a new contract, and where one becomes narrower', () => {
    const inner = (bound: object) => ({
      type: 'record',
      name: 'B',
      namespace: 'uji',
      fields: [{ name: 'isi', type: { type: 'map', values: 'int' }, pii: 'none', ...bound }],
    });
    const around = (bound: object) => ({ type: ['null', { type: 'array', items: inner(bound) }], default: null });
    expect(compatibility(record(around({ min: 1 })), record(around({ min: 0 })), 'FULL').map((p) => p.pointer)).toEqual(
      ['/n/isi/min'],
    );
    const asked = (bound: object) => {
      const schema = JSON.parse(text('pas/hunian/dilaporkan.v1.avsc')) as { fields: object[] };
      schema.fields.unshift({ name: 'n', pii: 'none', ...around(bound) });
      const all = JSON.stringify(schema);
      // One that is registered already is read as it is.
      compileEventContract(all);
      return checkNewContract(all).map((p) => p.pointer);
    };
    expect([asked({ min: 0 }), asked({ min: 'nol' })]).toEqual([[], ['/fields/0/uji.B/fields/0/min']]);
  });

  it.each(files.filter((f) => !f.startsWith('simpul/') && !f.startsWith('org/')))(
    '%s: every number, amount and date has a bound, and invented data keeps them',
    (file) => {
      const contract = compileEventContract(text(file));
      const kinds = ['int', 'long', 'float', 'double', 'decimal', 'date', 'timestamp'];
      for (const { name, kind, items, min } of contract.fields)
        if (kinds.includes(kind) || kinds.includes(items?.kind ?? ''))
          expect([name, typeof min]).not.toEqual([name, 'undefined']);
      for (let seed = 0; seed < 20; seed++) {
        const data = sample(contract, seed);
        for (const { name, kind, min, max } of contract.fields)
          for (const v of [data[name]].flat())
            if (v !== undefined && min !== undefined && ['int', 'long', 'double', 'decimal', 'array'].includes(kind))
              expect([name, v, Number(v) >= Number(min) && Number(v) <= Number(max ?? Infinity)]).toEqual([
                name,
                v,
                true,
              ]);
      }
    },
  );
});
