import { describe, expect, it } from '@jest/globals';
import { compileContract, type Contract, type Data } from '#avro';
import { isFault } from '#faults';

type Json = unknown;
const f = (name: string, type: Json, more: object = {}): Json => ({ name, type, ...more });
const record = (name: string, fields: Json[], more: object = {}): object => ({ type: 'record', name, fields, ...more });
const contractOf = (...fields: Json[]): Contract => compileContract(JSON.stringify(record('x.R', fields)));
const enumOf = (symbols: string[], more: object = {}): Json => ({ type: 'enum', name: 'E', symbols, ...more });
const list = (items: Json): Json => ({ type: 'array', items });

function frame(contract: Contract, data: unknown): Buffer {
  const encoded = contract.encode(data, 1);
  if (!encoded.ok) throw new Error(JSON.stringify(encoded.problems));
  return encoded.value;
}

const back = (contract: Contract, data: unknown, reader?: Contract): Data =>
  contract.decode(frame(contract, data), { framed: true, ...(reader ? { reader } : {}) });

function refusal(decode: () => unknown): object {
  try {
    decode();
  } catch (e) {
    if (isFault(e)) return { code: e.code, detail: e.detail, pointers: e.problems.map((p) => p.pointer) };
    throw e;
  }
  return {};
}

/** All parts of the value that are neither plain JSON values nor plain lists or objects. */
function strange(v: unknown): unknown[] {
  if (typeof v !== 'object' || v === null) return typeof v === 'undefined' || typeof v === 'bigint' ? [v] : [];
  const proto: unknown = Object.getPrototypeOf(v);
  const plain = proto === Object.prototype || proto === Array.prototype;
  return [...(plain ? [] : [v]), ...Object.values(v).flatMap(strange)];
}

describe('a decoded value', () => {
  it('is plain JSON: only plain objects and lists, no class instances', () => {
    const contract = contractOf(
      f('a', list(record('I', [f('x', 'int'), f('y', ['null', { type: 'map', values: 'bytes' }])]))),
      f('b', { type: 'fixed', name: 'F', size: 2 }),
      f('c', 'long'),
    );
    const data = {
      a: [
        { x: 1, y: { k: 'AA==' } },
        { x: 2, y: null },
      ],
      b: 'AAE=',
      c: '9223372036854775807',
    };
    expect(strange(back(contract, data))).toEqual([]);
    expect(back(contract, data)).toStrictEqual(data);
  });

  it('keeps the fields in the order of the schema', () => {
    expect(Object.keys(back(contractOf(f('b', 'int'), f('a', 'int')), { a: 1, b: 2 }))).toEqual(['b', 'a']);
  });

  it.each([
    ['a list in a union', ['null', list('int'), { type: 'map', values: 'int' }], [1]],
    ['an object in a union', ['null', list('int'), { type: 'map', values: 'int' }], { a: 1 }],
    ['the second of two records', [record('A', [f('a', 'int')]), record('B', [f('b', 'int')])], { b: 1 }],
    [
      'the second of two records of one last name',
      [record('p.A', [f('a', 'int', { default: 0 })]), record('q.A', [f('b', 'int', { default: 0 })])],
      { b: 1 },
    ],
    ['a fraction beside a whole number', ['int', 'double'], 1.5],
    ['a large whole number beside a small one', ['int', 'long'], 2 ** 40],
    ['text beside a symbol', [enumOf(['p']), 'string'], 'q'],
    ['a symbol that every object inherits', enumOf(['toString', 'p']), 'toString'],
    ['a record that is called like a built-in type', record('p.string', [f('a', 'int')]), { a: 1 }],
    ['a field of that name in it', record('_a', [f('a', 'int'), f('_a', 'int')]), { a: 1, _a: 2 }],
    [
      'fields that every object inherits',
      record('I', [f('toString', 'int'), f('valueOf', 'int')]),
      { toString: 1, valueOf: 2 },
    ],
    ['a map name that every object inherits', { type: 'map', values: 'int' }, { toString: 1 }],
  ])('holds %s', (_what, type, value) => {
    expect(back(contractOf(f('f', type)), { f: value })).toStrictEqual({ f: value });
  });

  it.each([2n ** 53n - 1n, -(2n ** 53n) + 1n, -(2n ** 52n) - 1n, 2n ** 53n, -(2n ** 53n), -(2n ** 60n) - 1n])(
    'holds the long %p exactly, as a number or as text',
    (n) => {
      const wanted = Number.isSafeInteger(Number(n)) ? Number(n) : n.toString();
      expect(back(contractOf(f('f', 'long')), { f: n.toString() })).toEqual({ f: wanted });
    },
  );
});

describe('a value decoded for another reader schema', () => {
  it('has first the written fields and then the defaults, each in the order of its schema', () => {
    const old = contractOf(f('c', 'int'), f('gone', record('G', [f('x', list('int'))])), f('b', 'int'), f('a', 'int'));
    const next = contractOf(
      f('z', 'int', { default: 9 }),
      f('a', 'int'),
      f('y', ['null', 'int'], { default: null }),
      f('c', 'int'),
    );
    const data = back(old, { c: 1, gone: { x: [1, 2] }, b: 2, a: 3 }, next);
    expect(Object.entries(data)).toEqual([
      ['c', 1],
      ['a', 3],
      ['z', 9],
      ['y', null],
    ]);
    expect(strange(data)).toEqual([]);
  });

  it.each([
    ['a whole number as a fraction', 'int', 'double', 7, 7],
    ['a large negative whole number as a fraction', 'long', 'double', '-1152921504606846977', -1152921504606846976],
    ['a float as a double', 'float', 'double', 0.5, 0.5],
    ['text as bytes', 'string', 'bytes', 'é', 'w6k='],
    ['bytes as text', 'bytes', 'string', 'w6k=', 'é'],
    ['text for bytes or text', 'string', ['bytes', 'string'], 'A', 'A'],
    ['an int as a time', 'int', { type: 'long', logicalType: 'timestamp-millis' }, 1, '1970-01-01T00:00:00.001Z'],
    ['a date as a number', { type: 'int', logicalType: 'date' }, 'long', '1970-01-02', 1],
    [
      'a decimal as a wider one',
      { type: 'bytes', logicalType: 'decimal', precision: 4, scale: 2 },
      { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 },
      '-1.50',
      '-1.50',
    ],
    ['one of two numbers as a number', ['int', 'double'], 'double', 1.5, 1.5],
    ['a symbol that the reader lacks', enumOf(['d', 'p']), enumOf(['d'], { default: 'd' }), 'p', 'd'],
    [
      'records in a union',
      [record('A', [f('a', 'int')]), record('B', [f('a', 'int'), f('b', 'int')])],
      ['null', record('B', [f('b', 'long')])],
      { a: 1, b: 2 },
      { b: 2 },
    ],
  ])('holds %s', (_what, written, read, value, wanted) => {
    expect(back(contractOf(f('f', written)), { f: value }, contractOf(f('f', read)))).toStrictEqual({ f: wanted });
  });

  it('has defaults of any union branch and any type, as new objects for each event', () => {
    const next = contractOf(
      f('toString', ['null', 'int'], { default: 7 }),
      f('m', list({ type: 'bytes', logicalType: 'decimal', precision: 4, scale: 2 }), { default: ['\u0001'] }),
    );
    const first = back(contractOf(), {}, next);
    expect(first).toStrictEqual({ toString: 7, m: ['0.01'] });
    (first['m'] as string[]).push('changed');
    expect(back(contractOf(), {}, next)['m']).toEqual(['0.01']);
  });

  it('fills a field of the reader from only one field of the writer: the first that matches by name or alias', () => {
    const next = contractOf(f('a', 'int', { aliases: ['b'] }));
    expect(back(contractOf(f('a', 'int'), f('b', 'int')), { a: 1, b: 2 }, next)).toStrictEqual({ a: 1 });
    expect(back(contractOf(f('b', 'int'), f('a', 'int')), { a: 1, b: 2 }, next)).toStrictEqual({ a: 2 });
  });

  it.each([
    ['a branch without a place', ['null', 'int'], 'int', null, 'a value that the reading schema has no place for'],
    [
      'a symbol without a place',
      enumOf(['p', 'q']),
      enumOf(['q']),
      'p',
      'a symbol that the reading schema does not know',
    ],
    [
      'a day beyond the calendar',
      'int',
      { type: 'int', logicalType: 'date' },
      2_000_000_000,
      'a date outside the years 0001 to 9999',
    ],
    ['bytes that are no text', 'bytes', 'string', '/w==', 'text that is not UTF-8'],
  ])(
    'is refused for %s only when it occurs in the data, with a pointer to it',
    (_what, written, read, value, reason) => {
      const old = contractOf(f('a', list('int')), f('f', list(written)));
      const next = contractOf(f('f', list(read)));
      expect(back(old, { a: [1], f: [] }, next)).toEqual({ f: [] });
      expect(refusal(() => back(old, { a: [1], f: [value] }, next))).toMatchObject({
        code: 'avro_decode_failed',
        detail: expect.stringContaining(reason),
        pointers: ['/data/f/0'],
      });
    },
  );
});
