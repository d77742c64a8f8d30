import { describe, expect, it } from '@jest/globals';
import { compileContract, JsonNumber, parseJson, type Contract } from '#avro';
import { showProblem, type ShownProblem } from '#faults';

const field = (name: string, type: unknown, more: object = {}): object => ({ name, type, ...more });
const contractOf = (...fields: object[]): Contract =>
  compileContract(JSON.stringify({ type: 'record', name: 'R', namespace: 'x.y', fields }));
const one = (type: unknown, more: object = {}): Contract => contractOf(field('f', type, more));

const DATE = { type: 'int', logicalType: 'date' };
const TIME = { type: 'long', logicalType: 'timestamp-millis' };
const MONEY = { type: 'bytes', logicalType: 'decimal', precision: 18, scale: 2 };
const FIXED_MONEY = { type: { type: 'fixed', name: 'M', size: 8, logicalType: 'decimal', precision: 18, scale: 2 } };
const UUID = { type: 'string', logicalType: 'uuid' };
const ENUM = { type: 'enum', name: 'E', symbols: ['_tidak_dikenal', 'jemput_bola', '_3D'], default: '_tidak_dikenal' };

function back(contract: Contract, data: unknown): unknown {
  const encoded = contract.encode(data, 1);
  if (!encoded.ok) throw new Error(JSON.stringify(encoded.problems));
  return contract.decode(encoded.value, { framed: true });
}

function problems(contract: Contract, data: unknown): readonly ShownProblem[] {
  const encoded = contract.encode(data, 1);
  return encoded.ok ? [] : encoded.problems.map((p) => showProblem(p, 'en'));
}

/** JSON of a publisher, as a door parses it. */
function json(text: string): unknown {
  const parsed = parseJson(Buffer.from(text));
  if (!parsed.ok) throw new Error(parsed.code);
  return parsed.value;
}

describe('data that is accepted is decoded to the same value, or to its canonical form', () => {
  it.each([
    ['text', 'string', 'Nusa Tenggara · é 漢 😀', undefined],
    ['long text', 'string', 'é'.repeat(5_000), undefined],
    ['line breaks and tabs', 'string', 'a\n\tb', undefined],
    ['a date', DATE, '2021-07-15', undefined],
    ['a leap day', DATE, '2000-02-29', undefined],
    ['the first day', DATE, '0001-01-01', undefined],
    ['the last day', DATE, '9999-12-31', undefined],
    ['a time in another zone', TIME, '2021-07-15T09:30:00+07:00', '2021-07-15T02:30:00.000Z'],
    ['a time with milliseconds', TIME, '2021-07-15T09:30:00.5Z', '2021-07-15T09:30:00.500Z'],
    ['a time with zeros beyond', TIME, '2021-07-15T09:30:00.123000Z', '2021-07-15T09:30:00.123Z'],
    ['a time before 1970', TIME, '1955-03-01T00:00:00.001-03:30', '1955-03-01T03:30:00.001Z'],
    ['money', MONEY, '350000.00', undefined],
    ['money without a point', MONEY, '350000', '350000.00'],
    ['negative money', MONEY, '-0.01', undefined],
    ['the largest money', MONEY, '9999999999999999.99', undefined],
    ['the smallest money', MONEY, '-9999999999999999.99', undefined],
    ['money as a whole number', MONEY, 150_000, '150000.00'],
    ['money as an exact fraction', MONEY, 0.25, '0.25'],
    ['money in a fixed', FIXED_MONEY.type, '-128.00', undefined],
    ['an int', 'int', -2_147_483_648, undefined],
    ['a long', 'long', 2 ** 53 - 1, undefined],
    ['a negative long', 'long', -(2 ** 53) + 1, undefined],
    ['the largest long as text', 'long', '9223372036854775807', undefined],
    ['the smallest long as text', 'long', '-9223372036854775808', undefined],
    ['a small long as text', 'long', '12', 12],
    ['a double', 'double', -6.175, undefined],
    ['a number written with 17 digits', 'double', new JsonNumber('0.10000000000000001'), 0.1],
    ['bytes', 'bytes', 'AP/+', undefined],
    ['no bytes', 'bytes', '', undefined],
    ['a fixed', { type: 'fixed', name: 'F', size: 2 }, 'AAE=', undefined],
    ['a uuid', UUID, '123e4567-e89b-12d3-a456-426614174000', undefined],
    ['a symbol', ENUM, 'jemput_bola', undefined],
    ['a list', { type: 'array', items: 'int' }, [1, 2, 3], undefined],
    ['an empty list', { type: 'array', items: 'int' }, [], undefined],
    ['a map', { type: 'map', values: 'string' }, { a: 'b', 'c/d': 'e' }, undefined],
    ['null in a union of three', ['null', 'int', 'string'], null, undefined],
    ['a number in a union of three', ['null', 'int', 'string'], 7, undefined],
    ['text in a union of three', ['null', 'int', 'string'], 'x', undefined],
  ])('for %s', (_what, type, value, expected) => {
    expect(back(one(type), { f: value })).toEqual({ f: expected === undefined ? value : expected });
  });

  it('accepts an absent or null optional field, and decodes it as null', () => {
    const contract = one(['null', DATE], { default: null });
    expect(back(contract, {})).toEqual({ f: null });
    expect(back(contract, { f: null })).toEqual({ f: null });
    expect(back(contract, { f: '2021-07-01' })).toEqual({ f: '2021-07-01' });
  });

  it('writes the default for an absent field that has one', () => {
    expect(back(one('int', { default: 7 }), {})).toEqual({ f: 7 });
    expect(back(one(MONEY, { default: '\u0001' }), {})).toEqual({ f: '0.01' });
  });
});

describe('data is refused with pointer, reason and code', () => {
  it.each([
    ['2^53 + 1', 'long', '9007199254740993', 'number_out_of_range'],
    ['a long beyond 64 bits as text', 'long', '"9223372036854775808"', 'number_out_of_range'],
    ['an int beyond 32 bits', 'int', '2147483648', 'number_out_of_range'],
    ['1e400', 'double', '1e400', 'number_out_of_range'],
    ['1e-400', 'double', '1e-400', 'number_out_of_range'],
    ['a whole number beyond 2^53 in a double', 'double', '9007199254740993', 'number_out_of_range'],
    ['-0 in an int', 'int', '-0', 'number_out_of_range'],
    ['-0 in a double', 'double', '-0.0', 'number_out_of_range'],
    ['-0 in a decimal', MONEY, '"-0.00"', 'number_out_of_range'],
    ['0.1 as a number in a decimal', MONEY, '0.1', 'number_out_of_range'],
    ['a decimal finer than its scale', MONEY, '"1.234"', 'number_out_of_range'],
    ['a decimal beyond its precision', MONEY, '"10000000000000000.00"', 'number_out_of_range'],
    ['a number beyond the decimal', MONEY, '9007199254740993', 'number_out_of_range'],
    ['a decimal with an exponent', MONEY, '"1e3"', undefined],
    ['a decimal with a comma', MONEY, '"350.000,00"', undefined],
    ['a fraction in an int', 'int', '1.5', undefined],
    ['text in an int', 'int', '"1"', undefined],
    ['a number in text', 'string', '1', undefined],
    ['NUL in text', 'string', '"a\\u0000b"', 'forbidden_character'],
    ['a lone surrogate', 'string', '"\\ud800"', 'forbidden_character'],
    ['a lone surrogate in long text', 'string', `"${'x'.repeat(100)}\\udc00"`, 'forbidden_character'],
    ['a bidi override', 'string', '"\\u202Etxt"', 'forbidden_character'],
    ['a bidi isolate', 'string', '"\\u2066txt"', 'forbidden_character'],
    ['a day that is none', DATE, '"2021-02-29"', undefined],
    ['a day in another form', DATE, '"15-07-2021"', undefined],
    ['a time without zone', TIME, '"2021-07-15T09:30:00"', undefined],
    ['a time at 24:00', TIME, '"2021-07-15T24:00:00Z"', undefined],
    ['a leap second', TIME, '"2021-06-30T23:59:60Z"', undefined],
    ['a time finer than a millisecond', TIME, '"2021-07-15T09:30:00.1234567Z"', undefined],
    ['a time before the year 1', TIME, '"0001-01-01T00:00:00+07:00"', 'number_out_of_range'],
    ['a number as time', TIME, '1626316200000', undefined],
    ['base64 without padding', 'bytes', '"AP8"', undefined],
    ['base64 with leftover bits', 'bytes', '"AP9="', undefined],
    ['base64url', 'bytes', '"_-8="', undefined],
    ['a fixed of another size', { type: 'fixed', name: 'F', size: 2 }, '"AAAA"', undefined],
    ['a uuid that is none', UUID, '"123e4567"', undefined],
    ['an unknown symbol', ENUM, '"x"', undefined],
    ['the default symbol', ENUM, '"_tidak_dikenal"', undefined],
    ['an object as text', 'string', '{}', undefined],
    ['null where it is required', 'string', 'null', undefined],
    ['a text as list', { type: 'array', items: 'int' }, '"1"', undefined],
    ['a list as map', { type: 'map', values: 'int' }, '[]', undefined],
    ['what fits no branch', ['null', 'int', 'string'], 'true', undefined],
  ])('for %s', (_what, type, text, code) => {
    const found = problems(one(type), json(`{"f":${text}}`));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ pointer: '/data/f', reason: expect.stringMatching(/\w{3}/) });
    expect(found[0]!.code).toBe(code);
  });

  it.each([
    ['unitId', 'SU123', 'SU00123'],
    ['nik', '990101', '9901010101010101'],
    ['countryCode', 'id', 'IDN'],
    ['partyCode', 'POLRI', 'EXT-POLRI'],
  ])('for the role %s when a text, also in a list, has not its form', (role, wrong, right) => {
    const contract = contractOf(
      field('a', 'string', { role }),
      field('b', ['null', { type: 'array', items: 'string' }], { role, default: null }),
    );
    expect(problems(contract, { a: right, b: [right] })).toEqual([]);
    expect(problems(contract, { a: wrong, b: [right, wrong] }).map((p) => p.pointer)).toEqual(['/data/a', '/data/b/1']);
  });

  it('with all problems at once, each with its own pointer', () => {
    const inner = { type: 'record', name: 'I', fields: [field('x', 'int'), field('y', 'string')] };
    const contract = contractOf(
      field('a', 'string'),
      field('b', { type: 'array', items: inner }),
      field('c', { type: 'map', values: 'int' }),
    );
    const found = problems(contract, {
      b: [
        { x: 1, y: 'ok' },
        { x: 'no', 'odd/~name': 1 },
      ],
      c: { 'k/~': 'x' },
    });
    expect(found.map((p) => [p.pointer, p.reason])).toEqual([
      ['/data/a', 'required field is missing'],
      ['/data/b/1/x', 'not a number'],
      ['/data/b/1/y', 'required field is missing'],
      ['/data/b/1/odd~1~0name', 'unknown field'],
      ['/data/c/k~1~0', 'not a number'],
    ]);
  });

  it('with at most 50 problems: the walk stops there', () => {
    const contract = one({ type: 'array', items: 'int' });
    expect(problems(contract, { f: Array.from({ length: 90_000 }, () => 'x') })).toHaveLength(50);
  });

  it('for an unknown field, with the field that was probably meant', () => {
    const contract = contractOf(field('tanggalTerbit', 'string'), field('nik', 'string'));
    const found = problems(contract, { tanggal_terbit: 'x', nik: '1' });
    expect(found[1]).toEqual({
      pointer: '/data/tanggal_terbit',
      reason: 'unknown field',
      expected: 'did you mean tanggalTerbit?',
    });
  });

  it('for an original label in place of its symbol, with the symbol that was probably meant', () => {
    expect(problems(one(ENUM), { f: 'jemput-bola' })[0]!.expected).toContain('did you mean jemput_bola?');
  });

  it.each([[undefined], [null], [[]], ['text'], [7], [new JsonNumber('1e400')]])(
    'when the data is not an object (%p)',
    (data) => {
      expect(problems(one('int'), data)).toEqual([
        { pointer: '/data', reason: 'not an object', expected: 'an object' },
      ]);
    },
  );

  it('when a required field is missing whose name every object inherits (toString)', () => {
    expect(problems(one('string', { name: 'toString' }), {})).toMatchObject([
      { pointer: '/data/toString', reason: 'required field is missing' },
    ]);
  });

  it('when all lists together have more than 100,000 entries', () => {
    const contract = one({ type: 'array', items: { type: 'array', items: 'int' } });
    const row = Array.from({ length: 30_000 }, () => 1);
    expect(problems(contract, { f: [row, row, row] })).toEqual([]);
    expect(problems(contract, { f: [row, row, row, row] })).toMatchObject([{ code: 'avro_limit_exceeded' }]);
  });
});

describe('frames', () => {
  it('stay valid while thousands more are written, across slabs and after refusals', () => {
    const contract = one('string');
    const frames: Buffer[] = [];
    for (let i = 0; i < 3_000; i++) {
      contract.encode({ f: 1 }, 1);
      const encoded = contract.encode({ f: `${i}:${'x'.repeat(1_000)}` }, i);
      if (encoded.ok) frames.push(encoded.value);
    }
    expect(frames).toHaveLength(3_000);
    for (const [i, frame] of frames.entries()) {
      expect(frame.readUInt32BE(1)).toBe(i);
      expect(contract.decode(frame, { framed: true })['f']).toBe(`${i}:${'x'.repeat(1_000)}`);
    }
  });

  it('can be larger than a slab, also when a union tries its branches at the end of a slab', () => {
    const contract = contractOf(
      field('a', 'string'),
      field('b', ['null', { type: 'array', items: 'int' }, { type: 'map', values: 'string' }]),
    );
    const data = { a: 'y'.repeat(1_500_000), b: { k: 'z'.repeat(1_100_000) } };
    expect(back(contract, data)).toEqual(data);
  });

  it('hold the highest schema id', () => {
    const encoded = one('int').encode({ f: 1 }, 0xffffffff);
    expect(encoded.ok && encoded.value.toString('hex')).toBe('00ffffffff02');
  });
});

describe('numbers as text', () => {
  it('every long is decoded to its value', () => {
    const contract = one('long');
    let x = 1n;
    for (let i = 0; i < 63; i++, x = x * 2n + (i % 3 === 0 ? 1n : 0n)) {
      for (const n of [x, -x, x - 1n]) {
        const safe = Number.isSafeInteger(Number(n));
        const wanted = safe ? Number(n) : n.toString();
        expect(back(contract, { f: n.toString() })).toEqual({ f: wanted });
        if (safe && n !== 0n) expect(back(contract, { f: Number(n) })).toEqual({ f: wanted });
      }
    }
  });

  it('every decimal is decoded to its text', () => {
    const contract = one(MONEY);
    let cents = 7n;
    for (let i = 0; i < 58; i++, cents = cents * 2n + 1n) {
      for (const n of [cents, -cents]) {
        const all = (n < 0n ? -n : n).toString().padStart(3, '0');
        const text = `${n < 0n ? '-' : ''}${all.slice(0, -2)}.${all.slice(-2)}`;
        if (all.length <= 18) expect(back(contract, { f: text })).toEqual({ f: text });
      }
    }
  });
});
