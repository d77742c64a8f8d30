import { describe, expect, it } from '@jest/globals';
import { compileEventContract, nameOf, type EventContract } from '#avro';
import { isFault } from '#faults';
import { dataAs, decodeAs, defineEvent, encodeEvent, type EventToken } from '#sdk';
import { typeErrors } from '../../test/kit/type-check.js';
import { generateTypeScript, type Longs } from './index.js';
import { randomContract, randomData } from './random-contracts.fixture.js';

const contractOf = (type: string, fields: readonly object[] = [], version = 1): EventContract =>
  compileEventContract(
    JSON.stringify({
      type: 'record',
      name: nameOf(type),
      simpul: {
        ...{ type, version, stream: type.slice(0, type.lastIndexOf('.')), owner: 'SU00001' },
        ...{ titleId: 'Judul', titleEn: 'Title', publishers: ['any'], consumers: [], subject: ['nomor'] },
        ...{ subjectForm: 'clear', ordering: 'subject', unitFields: [], highestPii: 'none', main: false },
        ...{ latencyTarget: 'x', volumePerDay: 1, retention: 'x', availableFrom: 'x', deadlines: [] },
      },
      fields: [{ name: 'nomor', type: 'string' }, ...fields],
    }),
  );
const tokensOf = (...contracts: EventContract[]): string[] =>
  [
    ...generateTypeScript(contracts)
      .at(-1)!
      .text.matchAll(/export \{ (\w+),/g),
  ].map(([, name]) => name!);
const textOf = (contract: EventContract): string => generateTypeScript([contract])[0]!.text;

/** As TypeScript: JSON, and bigint of the longs. */
function source(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return `[${value.map(source).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([k, v]) => `${JSON.stringify(k)}: ${source(v)}`)
    .join(', ')} }`;
}

const COUNT = 60;

describe.each<Longs>(['text', 'bigint'])(
  'code of random contracts with hostile names and texts, longs as %s',
  (longs) => {
    const contracts = Array.from({ length: COUNT }, (_, i) => {
      const type = `uji.acak${i % 7}.terbit${i}`;
      return compileEventContract(randomContract(i, type, nameOf(type)));
    });
    const files = generateTypeScript(contracts, { sdk: '#sdk', longs });
    const names = [...files.at(-1)!.text.matchAll(/export \{ (\w+),/g)].map(([, name]) => name!);
    const uses = files.slice(0, -1).flatMap(({ name }, i) => {
      const contract = contracts.find((c) => `${c.properties.type}.ts` === name)!;
      const { type, stream } = contract.properties;
      const token: EventToken<Readonly<Record<string, unknown>>> = defineEvent({
        ...{ type, stream, version: 1, schema: contract.schemaText },
        ...(longs === 'bigint' ? { longs } : {}),
      });
      return [0, 1, 2].map((seed) => {
        const plain = randomData(contract, seed);
        const bytes = encodeEvent(defineEvent({ type, stream, version: 1, schema: contract.schemaText }), plain);
        const shown = decodeAs(token, contract.schemaText, bytes);
        return { token, name: names[i]!, plain, bytes, shown };
      });
    });

    it('compiles, and takes what the hub shows and what it accepts', () => {
      const values = uses.map(
        ({ token, name, plain, shown }, i) => `export const read${i}: t.${name}Data = ${source(shown)};
export const sent${i}: ToPublish<t.${name}Data> = ${source(dataAs(token, plain))};`,
      );
      const all = Object.fromEntries(files.map(({ name, text }) => [name, text]));
      const head = `import type { ToPublish } from '#sdk';\nimport type * as t from './index.js';\n`;
      expect(typeErrors({ ...all, 'values.ts': head + values.join('\n') })).toEqual([]);
    });

    it('encodes what it has decoded to the same bytes', () => {
      expect(uses).toHaveLength(COUNT * 3);
      for (const { token, bytes, shown } of uses)
        expect(Buffer.from(encodeEvent(token, shown))).toEqual(Buffer.from(bytes));
    });
  },
);

describe('names', () => {
  it('are the last two parts of the type, and all three where two types of the place would have the same', () => {
    const [a, b, c] = ['ham.pengaduan.diterima', 'layanan.pengaduan.diterima', 'ki.merek.izin-terbit'].map((t) =>
      contractOf(t),
    );
    expect(tokensOf(a!, c!)).toEqual(['PengaduanDiterima', 'MerekIzinTerbit']);
    expect(tokensOf(b!, a!, c!)).toEqual(['HamPengaduanDiterima', 'MerekIzinTerbit', 'LayananPengaduanDiterima']);
    const known = [a!, b!].map(({ properties: { type } }) => ({ type, version: 1 }));
    expect(generateTypeScript([a!], { known }).at(-1)!.text).toContain('export { HamPengaduanDiterima,');
  });

  it('are unique identifiers, and the code compiles, for types whose parts are joined the same way, begin with a digit or give a name that is used', () => {
    const cases: readonly (readonly [types: readonly string[], tokens: readonly string[]])[] = [
      [
        ['x.a-b.c', 'x.a.b-c', 'x.ab.c'],
        ['XABC_?', 'XABC_?', 'AbC'],
      ],
      [
        ['x.paspor.terbit', 'x.paspor.terbit-data'],
        ['PasporTerbit', 'XPasporTerbitData'],
      ],
      [
        ['x.1a.b', 'x.2b.3c'],
        ['X1aB', 'X2b3c'],
      ],
      [
        ['x.date.text', 'x.unknown.symbol', 'define.event.a'],
        ['EventA', 'XDateText', 'XUnknownSymbol'],
      ],
      [
        ['x.na.n', 'x.arr.ay', 'x.pro.mise'],
        ['ArrAy', 'NaN', 'ProMise'],
      ],
      [
        ['x.paspor.terbit', 'x.paspor.terbit-ulang'],
        ['PasporTerbit', 'PasporTerbitUlang'],
      ],
    ];
    const ulang = { name: 'u', type: { type: 'enum', name: 'Ulang', symbols: ['a'] } };
    const files: Record<string, string> = {};
    for (const [i, [types, wanted]] of cases.entries()) {
      const contracts = types.map((type) => contractOf(type, [ulang]));
      expect(tokensOf(...contracts).map((name) => name.replace(/_[0-9a-f]{8}$/, '_?'))).toEqual(wanted);
      for (const { name, text } of generateTypeScript(contracts, { sdk: '#sdk' })) files[`case${i}/${name}`] = text;
    }
    expect(typeErrors(files)).toEqual([]);
  });

  it('of older versions end in their version', () => {
    const [one, two] = [contractOf('x.paspor.terbit'), contractOf('x.paspor.terbit', [], 2)];
    expect(generateTypeScript([one, two]).map(({ name }) => name)).toEqual([
      'x.paspor.terbit.ts',
      'x.paspor.terbit.v1.ts',
      'index.ts',
    ]);
    expect(tokensOf(one, two)).toEqual(['PasporTerbit', 'PasporTerbitV1']);
    const known = [{ type: 'x.paspor.terbit', version: 2 }];
    expect(generateTypeScript([one], { known })[0]!.name).toBe('x.paspor.terbit.v1.ts');
  });

  it('of a type that would leave the folder, and a version that is there twice, are refused', () => {
    const codeOf = (...contracts: EventContract[]): unknown => {
      try {
        return generateTypeScript(contracts);
      } catch (e) {
        return isFault(e) && e.code;
      }
    };
    const one = contractOf('x.paspor.terbit');
    const outside = { ...one.properties, type: '../../x.paspor.terbit' };
    expect(codeOf(Object.create(one, { properties: { value: outside } }) as EventContract)).toBe('invalid_schema');
    expect(codeOf(one, contractOf('x.paspor.terbit'))).toBe('invalid_schema');
  });
});

describe('generated code', () => {
  it('is the same for contracts in another order and with another layout', () => {
    const contracts = Array.from({ length: 5 }, (_, i) => randomContract(i, `uji.acak.t${i}`, `uji.acak.T${i}`));
    const spread = contracts.map((text) => compileEventContract(JSON.stringify(JSON.parse(text), null, 4))).reverse();
    expect(generateTypeScript(spread)).toEqual(generateTypeScript(contracts.map(compileEventContract)));
  });

  it('has each kind in the form that the hub shows and takes (R13.5)', () => {
    const optional = (type: unknown): object => ({ type: ['null', type], default: null });
    const text = textOf(
      contractOf('x.paspor.terbit', [
        { name: 'hari', type: { type: 'int', logicalType: 'date' }, doc: 'hari · day', pii: 'umum' },
        { name: 'saat', type: { type: 'long', logicalType: 'timestamp-millis' } },
        { name: 'jumlah', type: { type: 'bytes', logicalType: 'decimal', precision: 18, scale: 2 } },
        { name: 'panjang', type: 'long' },
        { name: 'terbatas', type: 'long', min: 0, max: 100 },
        { name: 'isi', type: 'bytes' },
        { name: 'kosong', ...optional('string') },
        { name: 'bawaan', type: 'int', default: 7 },
        { name: 'daftar', ...optional({ type: 'array', items: ['null', 'int'] }) },
        { name: 'peta', type: { type: 'map', values: 'double' } },
        { name: 'pilihan', type: ['int', 'string', 'null'] },
      ]),
    );
    for (const line of [
      '  /**\n   * hari · day\n   * pii umum\n   */\n  readonly hari: DateText;',
      '  readonly saat: TimeText;',
      '  /** decimal(18, 2) */\n  readonly jumlah: DecimalText;',
      '  readonly panjang: Long;',
      '  /** 0 … 100 */\n  readonly terbatas: number;',
      '  readonly isi: Base64Text;',
      '  readonly kosong?: string | null;',
      '  /** bawaan · default 7 */\n  readonly bawaan?: number;',
      '  readonly daftar?: readonly (number | null)[] | null;',
      '  readonly peta: { readonly [name: string]: number };',
      '  readonly pilihan?: number | string | null;',
    ])
      expect(text).toContain(line);
  });
});
