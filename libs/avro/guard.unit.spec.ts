import { describe, expect, it } from '@jest/globals';
import avsc from 'avsc';
import { compileContract, guard, type Contract } from '#avro';
import { isFault, showProblem, type Fault } from '#faults';

function faultOf(run: () => unknown): Fault | undefined {
  try {
    run();
  } catch (e) {
    if (isFault(e)) return e;
    throw e;
  }
  return undefined;
}

function record(...types: unknown[]): Contract {
  const fields = types.map((type, i) => ({ name: `f${i}`, type }));
  return compileContract(JSON.stringify({ type: 'record', name: 'R', namespace: 'x.y', fields }));
}

/** Zigzag varint of any integer. */
function long(n: bigint): number[] {
  let z = BigInt.asUintN(64, (n << 1n) ^ (n >> 63n));
  const out: number[] = [];
  while (z > 127n) {
    out.push(Number(z & 127n) | 128);
    z >>= 7n;
  }
  return [...out, Number(z)];
}

const bytes = (...parts: (number | number[])[]): Buffer => Buffer.from(parts.flat());
const list = (items: unknown): unknown => ({ type: 'array', items });
const map = (values: unknown): unknown => ({ type: 'map', values });
const E9 = 1_000_000_000n;
const E8 = 100_000_000n;
const pair = {
  type: 'record',
  name: 'P',
  fields: [
    { name: 'a', type: 'int' },
    { name: 'b', type: 'int' },
  ],
};

const hostile: [string, Contract, Buffer, 'avro_decode_failed' | 'avro_limit_exceeded'][] = [
  ['a truncated list of int with count 10^8', record(list('int')), bytes(long(E8)), 'avro_limit_exceeded'],
  ['a truncated list of string with count 10^8', record(list('string')), bytes(long(E8)), 'avro_limit_exceeded'],
  ['a list of count 10^9', record(list('boolean')), bytes(long(E9), 0), 'avro_limit_exceeded'],
  ['a count beyond 2^53', record(list('int')), bytes(long(2n ** 60n)), 'avro_limit_exceeded'],
  ['the lowest long as a count', record(list('int')), bytes(long(-(2n ** 63n)), long(1n)), 'avro_limit_exceeded'],
  ['a count that the rest cannot hold', record(list('int')), bytes(long(5000n), 2, 2, 0), 'avro_decode_failed'],
  ['a count of pairs that the rest cannot hold', record(list(pair)), bytes(long(2n), 2, 2, 2), 'avro_decode_failed'],
  ['a negative count of 10^9', record(list('int')), bytes(long(-E9), long(1n), 0), 'avro_limit_exceeded'],
  [
    'a block of another size than it says',
    record(list('int')),
    bytes(long(-1n), long(2n), 2, 0, 0),
    'avro_decode_failed',
  ],
  ['a block size beyond the data', record(list('int')), bytes(long(-1n), long(200n), 2, 0), 'avro_decode_failed'],
  ['a map with count 10^9', record(map('null')), bytes(long(E9)), 'avro_limit_exceeded'],
  ['a map of null whose names are missing', record(map('null')), bytes(long(90_000n)), 'avro_decode_failed'],
  ['a negative text length', record('string'), bytes(long(-1n)), 'avro_decode_failed'],
  ['a text length beyond the data', record('string'), bytes(long(100n), 65), 'avro_decode_failed'],
  ['a text length beyond 2^53', record('string'), bytes(long(2n ** 62n), 65), 'avro_decode_failed'],
  ['a negative bytes length', record('bytes'), bytes(long(-5n)), 'avro_decode_failed'],
  [
    'an overlong varint of eleven bytes',
    record('long'),
    bytes([255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
    'avro_decode_failed',
  ],
  ['a duplicate name in a map', record(map('int')), bytes(long(2n), [2, 65, 2], [2, 65, 4], 0), 'avro_decode_failed'],
  [
    'a map name __proto__',
    record(map('int')),
    bytes(long(1n), long(9n), [...Buffer.from('__proto__')], 2, 0),
    'avro_decode_failed',
  ],
  [
    'a varint of more than 64 bits',
    record('long'),
    bytes([255, 255, 255, 255, 255, 255, 255, 255, 255, 2]),
    'avro_decode_failed',
  ],
  ['a varint with needless bytes', record('long'), bytes([0x82, 0x00]), 'avro_decode_failed'],
  [
    'a long varint with needless bytes',
    record('long'),
    bytes([0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]),
    'avro_decode_failed',
  ],
  ['a varint that does not end', record('long'), bytes([255, 255]), 'avro_decode_failed'],
  ['an int above 32 bits', record('int'), bytes(long(2n ** 31n)), 'avro_decode_failed'],
  ['an int below 32 bits', record('int'), bytes(long(-(2n ** 31n) - 1n)), 'avro_decode_failed'],
  ['a boolean byte 2', record('boolean'), bytes(2), 'avro_decode_failed'],
  ['text that is not UTF-8', record('string'), bytes(long(2n), 0xc3, 0x28), 'avro_decode_failed'],
  ['a lone surrogate in UTF-8', record('string'), bytes(long(3n), 0xed, 0xa0, 0x80), 'avro_decode_failed'],
  ['a map name that is not UTF-8', record(map('int')), bytes(long(1n), long(1n), 0xff, 2, 0), 'avro_decode_failed'],
  ['NaN', record('double'), bytes([0, 0, 0, 0, 0, 0, 0xf8, 0x7f]), 'avro_decode_failed'],
  ['infinity', record('double'), bytes([0, 0, 0, 0, 0, 0, 0xf0, 0x7f]), 'avro_decode_failed'],
  ['NaN in 32 bits', record('float'), bytes([0, 0, 0xc0, 0x7f]), 'avro_decode_failed'],
  ['a union index outside', record(['null', 'int']), bytes(4), 'avro_decode_failed'],
  ['a negative union index', record(['null', 'int']), bytes(1), 'avro_decode_failed'],
  ['an enum index outside', record({ type: 'enum', name: 'E', symbols: ['a'] }), bytes(2), 'avro_decode_failed'],
  ['a negative enum index', record({ type: 'enum', name: 'E', symbols: ['a'] }), bytes(1), 'avro_decode_failed'],
  ['bytes left over', record('int'), bytes(2, 2), 'avro_decode_failed'],
  ['nothing at all', record('int'), bytes(), 'avro_decode_failed'],
  ['a short fixed', record({ type: 'fixed', name: 'F', size: 4 }), bytes(1, 2, 3), 'avro_decode_failed'],
  [
    'a date outside the calendar',
    record({ type: 'int', logicalType: 'date' }),
    bytes(long(2_147_483_647n)),
    'avro_decode_failed',
  ],
  [
    'a time outside the calendar',
    record({ type: 'long', logicalType: 'timestamp-millis' }),
    bytes(long(2n ** 62n)),
    'avro_decode_failed',
  ],
  [
    'a decimal of no bytes',
    record({ type: 'bytes', logicalType: 'decimal', precision: 4, scale: 2 }),
    bytes(0),
    'avro_decode_failed',
  ],
  [
    'a decimal beyond its precision',
    record({ type: 'bytes', logicalType: 'decimal', precision: 4, scale: 2 }),
    bytes(4, 0x27, 0x10),
    'avro_decode_failed',
  ],
  [
    'a decimal of 100 kB',
    record({ type: 'bytes', logicalType: 'decimal', precision: 4, scale: 2 }),
    bytes(long(100_000n), Array<number>(100_000).fill(0)),
    'avro_decode_failed',
  ],
];

/** The fastest of up to five tries, so that other work on the machine does not count. */
function quickest(limitMs: number, work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5 && best >= limitMs; i++) {
    const before = performance.now();
    work();
    best = Math.min(best, performance.now() - before);
  }
  return best;
}

describe('the guard', () => {
  it.each(hostile)('refuses %s within 10 ms', (_what, contract, body, code) => {
    guard(contract, bytes(), 0);
    expect(quickest(10, () => guard(contract, body, 0))).toBeLessThan(10);
    expect(guard(contract, body, 0)).toMatchObject({ ok: false, code });
  });

  it.each(hostile)('is part of Contract.decode, which refuses %s with the same code', (_what, contract, body, code) => {
    expect(faultOf(() => contract.decode(body, { framed: false }))?.code).toBe(code);
  });

  it('accepts 100,000 entries and refuses one more, although all of them are in the data', () => {
    const contract = record(list('boolean'));
    const block = (n: number): Buffer => Buffer.concat([bytes(long(BigInt(n))), Buffer.alloc(n, 1)]);
    expect(guard(contract, Buffer.concat([block(60_000), block(40_000), bytes(0)]), 0)).toEqual({ ok: true });
    const over = Buffer.concat([block(60_000), block(40_001), bytes(0)]);
    expect(guard(contract, over, 0)).toMatchObject({ ok: false, code: 'avro_limit_exceeded', pointer: '/data/f0' });
  });

  it('limits records that take no bytes, whose number nested records can multiply', () => {
    const empty = { type: 'record', name: 'Z', fields: [] };
    const doubled = (inner: unknown, name: string): unknown => ({
      type: 'record',
      name,
      fields: [
        { name: 'a', type: inner },
        { name: 'b', type: inner === empty ? 'Z' : (inner as { name: string }).name },
      ],
    });
    let type: unknown = empty;
    for (let i = 0; i < 10; i++) type = doubled(type, `D${i}`);
    expect(guard(record(type), bytes(), 0)).toMatchObject({ ok: false, code: 'avro_limit_exceeded' });
  });

  it('reports the field and the byte offset where it stopped', () => {
    const contract = record('string', list(pair));
    const body = bytes(long(1n), 65, long(2n), 2, 2, 2, 0x80, 0x00, 0);
    const guarded = guard(contract, body, 0);
    expect(guarded).toMatchObject({ ok: false, code: 'avro_decode_failed', pointer: '/data/f1/1/b', at: 6 });
    expect(guarded.ok ? '' : guarded.reason.in('en')).toBe('a number written longer than needed');
  });

  it('reports the entry of a map, also when the map is decoded for another schema', () => {
    const contract = record(map(list('int')));
    const body = bytes(long(1n), [6, ...Buffer.from('a/b')], long(1n), 0x80, 0x00, 0);
    expect(guard(contract, body, 0)).toMatchObject({ pointer: '/data/f0/a~1b/0', at: 6 });
    const refused = faultOf(() => contract.decode(body, { framed: false, reader: record(map(list('long'))) }));
    expect(refused?.detail).toBe('a number written longer than needed, at byte 6');
    expect(refused?.problems.map((p) => showProblem(p, 'en'))).toEqual([
      {
        pointer: '/data/f0/a~1b/0',
        reason: 'a number written longer than needed',
        code: 'avro_decode_failed',
      },
    ]);
  });

  it('accepts everything that avsc writes, and blocks with a size', () => {
    const contract = record(list('int'), ['null', 'string'], 'long', 'double');
    const type = avsc.Type.forSchema(JSON.parse(contract.schemaText) as avsc.Schema);
    for (const l of [0, 1, -1, 2 ** 40, -(2 ** 52), 2 ** 52]) {
      const body = type.toBuffer({ f0: [1, -70_000], f1: 'é', f2: l, f3: 1.5 });
      expect(guard(contract, body, 0)).toEqual({ ok: true });
      expect(contract.decode(body, { framed: false })).toEqual({ f0: [1, -70_000], f1: 'é', f2: l, f3: 1.5 });
    }
    const sized = bytes(long(-2n), long(2n), 2, 4, 0, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]);
    expect(guard(contract, sized, 0)).toEqual({ ok: true });
  });

  it('never throws for random bytes, and every value that it accepts can be decoded', () => {
    const contract = record(list(['null', 'int', 'string']), 'boolean');
    let state = 12_345;
    const next = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff) >>> 16;
    let taken = 0;
    for (let i = 0; i < 20_000; i++) {
      const body = Buffer.from(Array.from({ length: next() % 12 }, () => next() % (next() % 3 === 0 ? 256 : 5)));
      if (!guard(contract, body, 0).ok) continue;
      taken++;
      expect(Object.keys(contract.decode(body, { framed: false }))).toEqual(['f0', 'f1']);
    }
    expect(taken).toBeGreaterThan(10);
  });

  it('refuses a map entry __proto__, so that data cannot change the prototype of a decoded object', () => {
    const name = Buffer.from('__proto__');
    const body = bytes(long(1n), long(BigInt(name.length)), [...name], long(1n), 0);
    expect(faultOf(() => record(map('int')).decode(body, { framed: false }))?.code).toBe('avro_decode_failed');
  });

  it('leaves a wrong first byte of a frame to Contract.decode, which answers bad_magic', () => {
    expect(faultOf(() => record('int').decode(bytes(1, 0, 0, 0, 1, 2), { framed: true }))?.code).toBe('bad_magic');
    expect(faultOf(() => record('int').decode(bytes(0, 0, 0), { framed: true }))?.code).toBe('avro_decode_failed');
  });
});
