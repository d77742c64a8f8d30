import { describe, expect, it } from '@jest/globals';
import {
  JsonNumber,
  parseJson,
  parseJsonInSteps,
  splitJsonArray,
  splitJsonArrayInSteps,
  splitNdjson,
  splitNdjsonInSteps,
} from '#avro';

const parse = (text: string | Buffer): ReturnType<typeof parseJson> => parseJson(Buffer.from(text as string));
const nested = (n: number): string => '['.repeat(n) + ']'.repeat(n);

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

describe('strict JSON', () => {
  it.each([
    ['an object', '{"a":1,"b":[true,false,null,"x"],"c":{"a":1}}'],
    ['white space', ' \t\r\n{ "a" : [ 1 , 2 ] } '],
    ['escapes', '"\\u0041\\n\\"\\\\\\/\\ud83d\\ude00"'],
    ['braces in text', '{"a":"{[,:\\"}"}'],
    ['64 levels', nested(64)],
    ['a bare number', '-12.5e-3'],
    ['the same name in sibling objects', '[{"a":1},{"a":2},{"b":{"a":1},"a":{"a":1}}]'],
    ['a name again after an inner object', '{"a":{"b":1},"b":1,"c":[{"a":1}],"d":1}'],
    ['an empty name', '{"":1}'],
    ['a name that looks forbidden', '{"proto":1,"__proto_":2,"constructors":3}'],
    [
      'many names',
      JSON.stringify(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, { a: i, b: i }]))),
    ],
    ['text beyond ASCII', '{"é":"漢","e":"😀"}'],
  ])('takes %s', (_what, text) => {
    expect(parse(text)).toEqual({ ok: true, value: JSON.parse(text) });
  });

  it.each([
    ['an empty body', '', 'invalid_json'],
    ['a trailing comma', '{"a":1,}', 'invalid_json'],
    ['a comment', '{"a":1}// x', 'invalid_json'],
    ['a bare word', '{a:1}', 'invalid_json'],
    ['single quotes', "{'a':1}", 'invalid_json'],
    ['NaN', '{"a":NaN}', 'invalid_json'],
    ['Infinity', '{"a":-Infinity}', 'invalid_json'],
    ['a leading zero', '{"a":01}', 'invalid_json'],
    ['a long leading zero', '{"a":00000000000000000001}', 'invalid_json'],
    ['a plus sign', '{"a":+1}', 'invalid_json'],
    ['a bare point', '{"a":1.}', 'invalid_json'],
    ['a long bad number', '{"a":1.2.3.4.5.6.7.8.9.10}', 'invalid_json'],
    ['a bad escape', '{"a":"\\x"}', 'invalid_json'],
    ['a cut escape', '{"a":"\\u12"}', 'invalid_json'],
    ['a control character', '{"a":"\n"}', 'invalid_json'],
    ['a cut text', '{"a":"', 'invalid_json'],
    ['a lone bracket', ']', 'invalid_json'],
    ['crossed brackets', '{"a":[}]', 'invalid_json'],
    ['two values', '{} {}', 'invalid_json'],
    ['65 levels', nested(65), 'json_too_deep'],
    ['65 levels of objects', '{"a":'.repeat(65), 'json_too_deep'],
    ['a name twice', '{"a":1,"b":2,"a":3}', 'duplicate_key'],
    ['a name twice, once escaped', '{"a":1,"\\u0061":3}', 'duplicate_key'],
    ['a name twice, first escaped', '{"\\u0061":1,"a":3}', 'duplicate_key'],
    ['an empty name twice', '{"":1,"":3}', 'duplicate_key'],
    ['a name twice, deep inside', '[[{"x":{"k":1,"k":2}}]]', 'duplicate_key'],
    [
      'a name twice among many',
      `{${Array.from({ length: 200 }, (_, i) => `"k${i % 199}":1`).join(',')}}`,
      'duplicate_key',
    ],
    ['__proto__', '{"__proto__":{"a":1}}', 'forbidden_key'],
    ['__proto__, escaped', '{"__pr\\u006fto__":{"a":1}}', 'forbidden_key'],
    ['constructor', '{"a":{"constructor":{"prototype":{}}}}', 'forbidden_key'],
    ['prototype', '[{"prototype":1}]', 'forbidden_key'],
    ['a byte order mark', '\ufeff{}', 'invalid_json'],
    ['thousands of numbers beyond a double', `[${'1e400,'.repeat(5_000)}1]`, 'invalid_json'],
  ])('refuses %s', (_what, text, code) => {
    expect(parse(text)).toMatchObject({ ok: false, code });
  });

  it.each([
    ['bad UTF-8 in a value', Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xc3, 0x28, 0x22, 0x7d]), 'invalid_utf8'],
    ['bad UTF-8 in a name', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'invalid_utf8'],
    ['bad UTF-8 outside text', Buffer.from([0x5b, 0x80, 0x5d]), 'invalid_utf8'],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'invalid_utf8'],
    ['UTF-16 with a mark', Buffer.from('\ufeff{"a":1}', 'utf16le'), 'invalid_json'],
    ['UTF-16 without a mark', Buffer.from('{"a":1}', 'utf16le'), 'invalid_json'],
  ])('refuses %s', (_what, bytes, code) => {
    expect(parseJson(bytes)).toMatchObject({ ok: false, code });
  });

  it('refuses 10 MB of brackets within 5 ms', () => {
    const bytes = Buffer.alloc(10_000_000, '[');
    parseJson(Buffer.from(nested(65)));
    expect(quickest(5, () => parseJson(bytes))).toBeLessThan(5);
    expect(parseJson(bytes)).toMatchObject({ code: 'json_too_deep' });
  });

  describe('with bounds of names', () => {
    const bounds = { object: 100, all: 250 };
    const names = (count: number, from = 0): string =>
      Array.from({ length: count }, (_, i) => `"n${from + i}":{}`).join(',');
    const bounded = (text: string): ReturnType<typeof parseJson> => parseJson(Buffer.from(text), bounds);

    it('takes as many as they say, in one object and in all', () => {
      for (const text of [`{${names(100)}}`, `[{${names(100)}},{${names(100)}},{${names(50)}}]`])
        expect(bounded(text)).toEqual({ ok: true, value: JSON.parse(text) });
    });

    it('refuses one more in an object, with the pointer to it, before the text is parsed', () => {
      expect(bounded(`{"id":"[{","a/b":[1,"x,y",{"\\u0063":{${names(101)} this is no JSON`)).toEqual({
        ok: false,
        code: 'too_many_names',
        detail: 'more than 100 names in one object',
        beyond: { bound: 'object', pointer: '/a~1b/2/c' },
      });
      expect(bounded(`{${names(101)}}`)).toMatchObject({ beyond: { bound: 'object', pointer: '' } });
    });

    it('refuses one more in all objects together, however few each has', () => {
      const objects = (count: number): string => Array.from({ length: count }, () => '{"n":1}').join(',');
      expect(bounded(`[${objects(250)}]`).ok).toBe(true);
      expect(bounded(`[${objects(251)}]`)).toEqual({
        ok: false,
        code: 'too_many_names',
        detail: 'more than 250 names in all objects together',
        beyond: { bound: 'all', pointer: '' },
      });
    });
  });

  it('takes a step before JSON.parse of a large text, and often while it looks at 100,000 numbers', () => {
    const steps = (text: string): number => [...parseJsonInSteps(Buffer.from(text))].length;
    expect(steps('[1e30]')).toBe(0);
    expect(steps(JSON.stringify(['x'.repeat(70_000)]))).toBe(1);
    expect(steps(`[${'1e1,'.repeat(100_000)}1]`)).toBeGreaterThan(40);
  });

  it('compares hardly any names that are chosen to collide: their hash is not known outside', () => {
    // Each pair of letters has the same hash under the usual multiplier 31.
    const names = Array.from({ length: 63 }, (_, i) =>
      i.toString(2).padStart(6, '0').replaceAll('0', 'Aa').replaceAll('1', 'BB'),
    );
    const one = `{${names.map((name) => `"${name}":1`).join(',')}}`;
    const bytes = Buffer.from(`[${one},${one},${one}]`);
    let compared = 0;
    bytes.compare = (...args) => {
      compared++;
      return Buffer.prototype.compare.apply(bytes, args);
    };
    expect(parseJson(bytes).ok).toBe(true);
    expect(compared).toBeLessThan(10);
    expect(parseJson(Buffer.from(one.replace('{', '{"AaAaAaAaAaBB":1,')))).toMatchObject({ code: 'duplicate_key' });
  });

  it('finds a name that stands twice around inner objects that have the same names', () => {
    const names = Array.from({ length: 40 }, (_, i) => `n${i}`);
    const inner = `{${names.map((name) => `"${name}":{"${name}":1}`).join(',')}}`;
    expect(parse(`{${names.map((name) => `"${name}":${inner}`).join(',')}}`).ok).toBe(true);
    for (const twice of ['n0', 'n17', 'n39'])
      expect(parse(`{${names.map((name) => `"${name}":${inner}`).join(',')},"${twice}":1}`)).toMatchObject({
        code: 'duplicate_key',
      });
  });

  it.each([
    ['9007199254740993'],
    ['-9007199254740992'],
    ['1e400'],
    ['1e-400'],
    ['0.1000000000000000000001'],
    ['123456789.123456789123'],
    ['1E+30'],
  ])('keeps the number %s as its text, because a double cannot hold it', (text) => {
    const parsed = parse(`{"a":[{"n":${text}}],"b":"${text}"}`);
    expect(parsed).toEqual({ ok: true, value: { a: [{ n: new JsonNumber(text) }], b: text } });
    expect(parse(text)).toEqual({ ok: true, value: new JsonNumber(text) });
  });

  it.each([
    ['0.1'],
    ['1.50'],
    ['9007199254740991'],
    ['1e5'],
    ['1.5e-7'],
    ['-6.2087634000000001e0'.replace('0001e0', '')],
    ['0.30000000000000004'],
    ['0e0'],
    ['100000000000000000000e-20'],
  ])('reads %s as a number', (text) => {
    expect(parse(`[${text}]`)).toEqual({ ok: true, value: [Number(text)] });
  });

  it('answers the same as JSON.parse for random valid JSON', () => {
    let state = 99;
    const next = (n: number): number => ((state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff) >>> 8) % n;
    const make = (depth: number): unknown => {
      switch (next(depth > 3 ? 5 : 8)) {
        case 0:
          return next(2) === 0;
        case 1:
          return null;
        case 2:
          return (next(2_000_000) - 1_000_000) / 2 ** next(12);
        case 3:
        case 4:
          return ['a"b', '\\', 'é', '{', '', '\n', ','][next(7)];
        case 5:
          return Array.from({ length: next(5) }, () => make(depth + 1));
        default:
          return Object.fromEntries(
            Array.from({ length: next(28) }, (_, i) => [`${i}"\\é`.slice(0, 1 + next(6)), make(depth + 1)]),
          );
      }
    };
    for (let i = 0; i < 100; i++) {
      const text = JSON.stringify(make(0), null, next(3));
      expect(parse(text)).toEqual({ ok: true, value: JSON.parse(text) });
    }
  });
});

describe('cutting a body into items', () => {
  const items = (text: string, most = 100): string[] | string => {
    const bytes = Buffer.from(text);
    const split = splitJsonArray(bytes, most);
    return split.ok ? split.items.map(([a, b]) => bytes.toString('utf8', a, b)) : split.code;
  };

  it.each([
    ['[]', []],
    [' [ ] ', []],
    ['[1]', ['1']],
    [' [ {"a":[1,2],"b":"],["} , "x\\"," , [[]] ] \n', ['{"a":[1,2],"b":"],["}', '"x\\","', '[[]]']],
    ['[1,,2]', ['1', '', '2']],
    ['[1,]', ['1', '']],
    ['[{"é":"漢"},2]', ['{"é":"漢"}', '2']],
    ['[{bad},{"ok":1}]', ['{bad}', '{"ok":1}']],
  ])('cuts %s', (text, expected) => {
    expect(items(text)).toEqual(expected);
  });

  it.each([
    ['', 'invalid_json'],
    ['{}', 'invalid_json'],
    ['[1', 'invalid_json'],
    ['["a', 'invalid_json'],
    ['["a\\', 'invalid_json'],
    ['[1] x', 'invalid_json'],
    ['[1}', 'invalid_json'],
    ['['.repeat(1_000), 'json_too_deep'],
  ])('refuses %s with %s', (text, code) => {
    expect(items(text)).toBe(code);
  });

  it('takes a step at least every 64 KiB, also where nothing but brackets or blank lines comes', () => {
    const steps = (all: Iterable<unknown>): number => [...all].length;
    const size = 1_048_576;
    const brackets = Buffer.from(`[[${'[],'.repeat(size / 3)}[]]]`);
    expect(steps(splitJsonArrayInSteps(brackets, 10))).toBeGreaterThanOrEqual(size / 65_536 - 1);
    expect(splitJsonArray(brackets, 10)).toMatchObject({ ok: true, items: [[1, brackets.length - 1]] });
    const blank = Buffer.from('\n'.repeat(size));
    expect(steps(splitNdjsonInSteps(blank, 10))).toBeGreaterThanOrEqual(size / 65_536);
    expect(splitNdjson(blank, 10)).toEqual({ ok: true, items: [] });
  });

  it('refuses more items than the limit', () => {
    expect(items('[1,2,3]', 2)).toBe('body_too_large');
    expect(splitNdjson(Buffer.from('1\n2\n3'), 2)).toMatchObject({ ok: false, code: 'body_too_large' });
  });

  it('cuts NDJSON into its lines and leaves out blank lines', () => {
    const bytes = Buffer.from('{"a":1}\r\n\n  \n{"b":2}\n{"é":3}');
    const split = splitNdjson(bytes, 10);
    expect(split.ok && split.items.map(([a, b]) => bytes.toString('utf8', a, b))).toEqual([
      '{"a":1}',
      '{"b":2}',
      '{"é":3}',
    ]);
  });
});
