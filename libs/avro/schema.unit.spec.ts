import { describe, expect, it } from '@jest/globals';
import { checkSchema, compatibility, compileContract, compileEventContract, fingerprint, type Contract } from '#avro';
import { isFault, showProblem } from '#faults';

type Json = unknown;
const record = (fields: Json[], more: object = {}): string =>
  JSON.stringify({ type: 'record', name: 'R', namespace: 'x.y', fields, ...more });
const f = (name: string, type: Json, more: object = {}): Json => ({ name, type, ...more });
const list = (items: Json): Json => ({ type: 'array', items });
const enumOf = (symbols: string[], more: object = {}): Json => ({ type: 'enum', name: 'E', symbols, ...more });

function chain(levels: number): Json {
  let type: Json = 'int';
  for (let i = 0; i < levels; i++) type = list(type);
  return type;
}

/** Each record holds the one before it twice: a short text, but 2^n fields when it is expanded. */
function doubling(levels: number): Json {
  let type: Json = { type: 'record', name: 'D0', fields: [f('a', 'int')] };
  for (let i = 1; i <= levels; i++)
    type = { type: 'record', name: `D${i}`, fields: [f('a', type), f('b', `D${i - 1}`)] };
  return type;
}

describe('a schema is refused', () => {
  it.each([
    ['no JSON', '{'],
    ['an unknown type', record([f('a', 'nope')])],
    ['a list of null', record([f('a', list('null'))])],
    ['a list of empty records', record([f('a', list({ type: 'record', name: 'Z', fields: [] }))])],
    ['a list of records of null', record([f('a', list({ type: 'record', name: 'Z', fields: [f('n', 'null')] }))])],
    ['a list of empty fixed', record([f('a', list({ type: 'fixed', name: 'Z', size: 0 }))])],
    ['a field __proto__', record([f('__proto__', 'int')])],
    ['a field constructor', record([f('constructor', 'int')])],
    ['a symbol prototype', record([f('a', enumOf(['prototype']))])],
    ['a record constructor', record([], { name: 'constructor' })],
    ['code in a name', record([f('a;process.exit()', 'int')])],
    ['1,001 fields', record(Array.from({ length: 1_001 }, (_, i) => f(`f${i}`, 'int')))],
    ['33 levels', record([f('a', chain(33))])],
    [
      '10,000 levels',
      `{"type":"record","name":"R","fields":[{"name":"a","type":${'{"type":"array","items":'.repeat(10_000)}"int"${'}'.repeat(10_000)}}]}`,
    ],
    ['more than 256 KiB', record([], { doc: 'x'.repeat(256 * 1024) })],
    ['recursion', record([f('next', ['null', 'R'])])],
    ['recursion through a list', record([f('next', list('x.y.R'))])],
    ['doubled references', record([f('a', doubling(20))])],
    ['a union in a union', record([f('a', ['null', ['int']])])],
    ['a branch twice', record([f('a', ['int', 'int'])])],
    ['an empty union', record([f('a', [])])],
    ['a field twice', record([f('a', 'int'), f('a', 'int')])],
    ['a name defined twice', record([f('a', enumOf(['x'])), f('b', enumOf(['x']))])],
    ['a symbol twice', record([f('a', enumOf(['x', 'x']))])],
    ['an enum default that is no symbol', record([f('a', enumOf(['x'], { default: 'y' }))])],
    ['a default of another type', record([f('a', 'int', { default: 'x' })])],
    ['a decimal without precision', record([f('a', { type: 'bytes', logicalType: 'decimal' })])],
    [
      'a scale above the precision',
      record([f('a', { type: 'bytes', logicalType: 'decimal', precision: 2, scale: 3 })]),
    ],
    [
      'a date default out of the calendar',
      record([f('a', { type: 'int', logicalType: 'date' }, { default: 2_000_000_000 })]),
    ],
    ['fields that are no list', JSON.stringify({ type: 'record', name: 'R', fields: {} })],
    ['no name', JSON.stringify({ type: 'record', fields: [] })],
  ])('for %s', (_what, text) => {
    expect(checkSchema(text)).toMatchObject([{ code: 'invalid_schema' }]);
    let thrown: unknown;
    try {
      compileContract(text);
    } catch (e) {
      thrown = e;
    }
    expect(isFault(thrown) && thrown.code).toBe('invalid_schema');
  });

  it('as a contract when it is not a record, and as an event type when it has no simpul property', () => {
    expect(checkSchema('"int"')).toEqual([]);
    expect(() => compileContract('"int"')).toThrow('not a record');
    expect(compileContract(record([f('a', 'int')])).properties).toBeUndefined();
    expect(() => compileEventContract(record([f('a', 'int')]))).toThrow('incomplete');
  });

  it('with a pointer to the place in the schema', () => {
    expect(checkSchema(record([f('a', 'int'), f('b', list('null'))]))[0]!.pointer).toBe('/fields/1/type/items');
  });
});

describe('the fingerprint of a schema', () => {
  const a =
    '{"type":"record","name":"R","namespace":"x.y","doc":"d","fields":[{"name":"a","type":{"type":"int","logicalType":"date"}},{"name":"e","type":{"type":"enum","name":"E","symbols":["p"]}}]}';
  const b =
    ' {"fields":[{"type":{"logicalType":"date","type":"int"},"name":"a"},{"name":"e","type":{"name":"x.y.E","type":"enum","symbols":["p"]}}],"doc":"d","name":"x.y.R","type":"record"}';

  it('does not depend on the order of members, on white space or on the spelling of names', () => {
    expect(fingerprint(a)).toBe(fingerprint(b));
  });

  it.each([
    ['a doc', a.replace('"d"', '"e"')],
    ['a logical type', a.replace('"logicalType":"date"', '"x":1')],
    ['a symbol', a.replace('["p"]', '["p","q"]')],
    [
      'a default',
      a.replace('"type":{"type":"int","logicalType":"date"}', '"type":{"type":"int","logicalType":"date"},"default":0'),
    ],
    ['a property', a.replace('"doc"', '"simpul":{},"doc"')],
  ])('changes with %s', (_what, other) => {
    expect(fingerprint(other)).not.toBe(fingerprint(a));
  });
});

describe('compatibility', () => {
  const v1 = record([f('a', 'int')]);
  it.each([
    ['the same', v1, v1, true, true],
    ['a new optional field', record([f('a', 'int'), f('b', ['null', 'string'], { default: null })]), v1, true, true],
    ['a new required field', record([f('a', 'int'), f('b', 'string')]), v1, false, true],
    ['a removed required field', record([]), v1, true, false],
    ['a removed field with default', record([]), record([f('a', 'int', { default: 1 })]), true, true],
    ['int made long', record([f('a', 'long')]), v1, true, false],
    ['int made text', record([f('a', 'string')]), v1, false, false],
    ['int made optional', record([f('a', ['null', 'int'])]), v1, true, false],
    ['optional made required', v1, record([f('a', ['null', 'int'])]), false, true],
    ['a renamed field with alias', record([f('b', 'int', { aliases: ['a'] })]), v1, true, false],
    ['a renamed record', record([f('a', 'int')], { name: 'S' }), v1, false, false],
    ['a renamed record with alias', record([f('a', 'int')], { name: 'S', aliases: ['R'] }), v1, true, false],
    [
      'a new symbol, default known',
      record([f('e', enumOf(['d', 'p', 'q'], { default: 'd' }))]),
      record([f('e', enumOf(['d', 'p'], { default: 'd' }))]),
      true,
      true,
    ],
    ['a new symbol, no default', record([f('e', enumOf(['p', 'q']))]), record([f('e', enumOf(['p']))]), true, false],
    [
      'a removed symbol, no default',
      record([f('e', enumOf(['p']))]),
      record([f('e', enumOf(['p', 'q']))]),
      false,
      true,
    ],
    ['items made longer', record([f('l', list('long'))]), record([f('l', list('int'))]), true, false],
    ['a union widened', record([f('u', ['null', 'int', 'string'])]), record([f('u', ['null', 'int'])]), true, false],
    [
      'another scale',
      record([f('d', { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 3 })]),
      record([f('d', { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 })]),
      false,
      false,
    ],
  ])('is decided for %s', (_what, next, old, backward, forward) => {
    expect([
      compatibility(next, old, 'BACKWARD').length === 0,
      compatibility(next, old, 'FORWARD').length === 0,
    ]).toEqual([backward, forward]);
    expect(compatibility(next, old, 'FULL').length === 0).toBe(backward && forward);
    // compatibility() must agree with decode().
    const [w, r] = [compileContract(old), compileContract(next)];
    const readable = ((): boolean => {
      try {
        w.decode(Buffer.alloc(0), { framed: false, reader: r });
        return true;
      } catch (e) {
        return isFault(e) && e.code !== 'incompatible_schema';
      }
    })();
    // A symbol or union branch that the reader does not know is refused only when it occurs in the data.
    if (backward) expect(readable).toBe(true);
  });

  it('reports the field and the side that cannot read it', () => {
    const inner = (type: Json): Json => ({ type: 'record', name: 'I', fields: [f('x', type)] });
    expect(
      compatibility(record([f('in', list(inner('string')))]), record([f('in', list(inner('int')))]), 'BACKWARD').map(
        (p) => showProblem(p, 'en'),
      ),
    ).toEqual([
      {
        pointer: '/in/items/x',
        reason: 'int cannot be read as string (when the new schema reads old data)',
        expected: 'int',
        code: 'incompatible_schema',
      },
    ]);
  });
});

describe('reading with another version', () => {
  const write = (contract: Contract, data: object): Buffer => {
    const encoded = contract.encode(data, 1);
    if (!encoded.ok) throw new Error(JSON.stringify(encoded.problems));
    return encoded.value;
  };

  it('gives the shape of the reader, with its defaults, promotions, aliases and the default for unknown symbols', () => {
    const old = compileContract(
      record([
        f('a', 'int'),
        f('gone', list('string')),
        f('e', enumOf(['d', 'p', 'q'], { default: 'd' })),
        f('n', 'long'),
        f('o', 'string'),
      ]),
    );
    const next = compileContract(
      record([
        f('n', 'double'),
        f('e', ['null', enumOf(['d', 'p'], { default: 'd' })]),
        f('b', 'long', { aliases: ['a'] }),
        f('o', ['null', 'string']),
        f('extra', list('int'), { default: [1] }),
        f('since', { type: 'int', logicalType: 'date' }, { default: 0 }),
      ]),
    );
    const frame = write(old, { a: 7, gone: ['x', 'y'], e: 'q', n: 5, o: 'text' });
    const data = next && old.decode(frame, { framed: true, reader: next });
    expect(data).toEqual({ n: 5, e: 'd', b: 7, o: 'text', extra: [1], since: '1970-01-01' });
    (data['extra'] as number[]).push(2);
    expect(old.decode(frame, { framed: true, reader: next })['extra']).toEqual([1]);
  });

  it('answers avro_decode_failed for a value that the reader cannot hold, and incompatible_schema for a schema that it can never read', () => {
    const old = compileContract(record([f('a', ['null', 'int'])]));
    const next = compileContract(record([f('a', 'int')]));
    expect(old.decode(write(old, { a: 3 }), { framed: true, reader: next })).toEqual({ a: 3 });
    expect(() => old.decode(write(old, { a: null }), { framed: true, reader: next })).toThrow('avro_decode_failed');
    expect(() =>
      old.decode(write(old, { a: 1 }), { framed: true, reader: compileContract(record([f('a', 'boolean')])) }),
    ).toThrow('incompatible_schema');
  });
});
