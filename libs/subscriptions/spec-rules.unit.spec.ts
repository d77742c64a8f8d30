import { describe, expect, it } from '@jest/globals';
import { showProblem, verbatim } from '#faults';
import { readSpec, readSpecWithUrl, specProblems, type SpecRules, type UrlRule } from './index.js';
import { KANIM, stageOf } from './subscriptions-stage.fixture.js';

const { catalogue, units } = stageOf();
const rules: SpecRules = { owner: KANIM, system: 'simkim', catalogue, units };
const GOOD = { name: 'payroll', types: ['sdm.#'], target: { kind: 'pull' } };
const problems = (more: Record<string, unknown>, as: Partial<SpecRules> = {}) =>
  specProblems({ ...GOOD, ...more }, { ...rules, ...as }).map((p) => showProblem(p, 'en'));
const pointers = (...given: Parameters<typeof problems>): string[] => problems(...given).map((p) => p.pointer);

describe('the spec of a subscription', () => {
  it('is read with what it leaves out', () => {
    expect(readSpec(GOOD, rules)).toEqual({
      ok: true,
      spec: { name: 'payroll', types: ['sdm.#'], filters: [], start: 'now', test: false, target: { kind: 'pull' } },
    });
  });

  it('is read in whole, with nothing that is not checked', () => {
    const target = { kind: 'webhook', url: 'https://contoh.go.id/h', mode: 'batch', data: 'avro', signature: 'v1a' };
    const filters = [
      { any: [{ exact: { source: 'a', 'data.x.y': 'b' } }, { not: { all: [{ suffix: { id: 'c' } }] } }] },
    ];
    const spec = {
      ...GOOD,
      filters,
      units: { function: 'kanim', province: '65' },
      start: '2021-07-01T00:00:00Z',
      test: true,
      target,
    };
    expect(readSpec(spec, rules)).toEqual({ ok: true, spec });
    expect(readSpec({ ...GOOD, target: { kind: 'webhook', url: 'https://contoh.go.id/h' } }, rules)).toMatchObject({
      spec: { target: { mode: 'structured', data: 'json' } },
    });
  });

  it('is temporary for a reader with an open connection, and not unless it is said', () => {
    const sse = { ...GOOD, target: { kind: 'sse' } };
    expect(readSpec({ ...sse, temporary: true }, rules)).toMatchObject({ ok: true, spec: { temporary: true } });
    const read = readSpec({ ...sse, temporary: false }, rules);
    expect(read.ok && read.spec).not.toHaveProperty('temporary');
  });

  it.each([null, undefined, 'x', 3, [], [[]]])('%j is none', (given) => {
    expect(specProblems(given, rules)).toHaveLength(1);
  });

  it.each<[string, Record<string, unknown>, string[]]>([
    ['no name', { name: undefined }, ['/name']],
    ['a name with capitals', { name: 'Payroll' }, ['/name']],
    ['a name that is too long', { name: 'a'.repeat(64) }, ['/name']],
    ['a name that is no text', { name: { toString: 1, valueOf: 1 } }, ['/name']],
    ['no types', { types: [] }, ['/types']],
    ['types that are no list', { types: 'sdm.#' }, ['/types']],
    ['types that are no texts', { types: [{ toString: 1, valueOf: 1 }, 3] }, ['/types/0', '/types/1']],
    ['more than 50 types', { types: Array.from({ length: 51 }, () => '#') }, ['/types']],
    ['a pattern that is none', { types: ['sdm.#', '#.sdm'] }, ['/types/1']],
    ['a type that nobody knows', { types: ['tidak.ada.apa'] }, ['/types/0']],
    ['an unknown member', { limit: 3 }, ['/limit']],
    ['temporary that is neither true nor false', { temporary: 'ya' }, ['/temporary']],
    ['temporary with the target pull', { temporary: true }, ['/temporary']],
    [
      'a member of the prototype',
      JSON.parse('{"__proto__":1,"a/b":2}') as Record<string, unknown>,
      ['/__proto__', '/a~1b'],
    ],
    ['a start that is no place', { start: 'latest' }, ['/start']],
    ['a start that is no text', { start: ['now'] }, ['/start']],
    ['a position of another stream', { start: 'imigrasi.paspor/0/5' }, ['/start']],
    ['a position of a partition that is not there', { start: 'sdm.presensi/99/5' }, ['/start']],
    ['a position of test events', { start: '_simpul.test/0/5' }, ['/start']],
    ['a position of a stream, for tests', { start: 'sdm.presensi/0/5', test: true }, ['/start']],
    ['a test that is no truth value', { test: 'yes' }, ['/test']],
    ['a target that is unknown', { target: { kind: 'ftp' } }, ['/target/kind']],
    ['a target that is no object', { target: 'pull' }, ['/target']],
    ['a target with members of another', { target: { kind: 'pull', url: 'x' } }, ['/target/url']],
    ['a webhook without address', { target: { kind: 'webhook' } }, ['/target/url']],
    [
      'a webhook with values that are unknown',
      { target: { kind: 'webhook', url: 'https://a', mode: 'x', data: 1, signature: null } },
      ['/target/signature', '/target/mode', '/target/data'],
    ],
    ['units that choose nothing', { units: {} }, ['/units']],
    ['units that are no object', { units: [] }, ['/units']],
    [
      'a function, a province and a unit that are not there',
      { units: { function: 'x', province: '99', below: 'SU99999', name: 'y' } },
      ['/units/name', '/units/function', '/units/province', '/units/below'],
    ],
    [
      'everything wrong at once',
      { name: '', types: null, filters: 3, target: null },
      ['/types', '/filters', '/name', '/target'],
    ],
  ])('%s', (_what, more, expected) => {
    expect(pointers(more)).toEqual(expected);
  });

  it('begins at a position of a stream that it reads, of tests at one of the test events', () => {
    expect(pointers({ start: 'sdm.presensi/0/5' })).toEqual([]);
    expect(pointers({ start: '_simpul.test/0/5', test: true })).toEqual([]);
  });

  it('a restricted type is answered to others like one that does not exist (R12.2)', () => {
    const answers = ['itjen.wbs.laporan-diterima', 'itjen.wbs.tidak-ada-apa'].map((type) =>
      problems({ types: [type] }),
    );
    expect(answers[0]).toEqual(answers[1]);
    expect(problems({ types: ['itjen.#'] })).toEqual(problems({ types: ['itxen.#'] }));
    expect(problems({ types: ['#'], start: 'itjen.wbs/0/5' })).toEqual(
      problems({ types: ['#'], start: 'itjen.xxx/0/5' }),
    );
    expect(problems({ types: ['itjen.#'] }, { owner: 'SU00003' })).toEqual([]);
    expect(problems({ types: ['#'], start: 'itjen.wbs/0/5' }, { owner: 'SU00003' })).toEqual([]);
  });

  describe('with a webhook', () => {
    const asked: string[] = [];
    const mayGoTo: UrlRule = (url) => {
      asked.push(url);
      const isPublic = !url.includes('10.0.0.1');
      return Promise.resolve(
        isPublic ? { ok: true, url: new URL(url).href } : { ok: false, reason: verbatim('private') },
      );
    };
    const webhook = (url: string, more = {}) =>
      readSpecWithUrl({ ...GOOD, ...more, target: { kind: 'webhook', url } }, rules, mayGoTo);

    it('has the address as it is sent to, or says why nothing may go there', async () => {
      expect(await webhook('HTTPS://Contoh.go.id')).toMatchObject({
        ok: true,
        spec: { target: { url: 'https://contoh.go.id/' } },
      });
      expect(await webhook('https://10.0.0.1/')).toEqual({
        ok: false,
        problems: [{ pointer: '/target/url', reason: verbatim('private') }],
      });
    });

    it('says what is wrong with the address without a look-up', () => {
      const urlProblems = () => [{ reason: verbatim('port'), expected: verbatim('443') }];
      const target = { kind: 'webhook', url: 'https://contoh.go.id:25/' };
      expect(problems({ target }, { urlProblems })).toEqual([
        { pointer: '/target/url', reason: 'port', expected: '443' },
      ]);
    });

    it('looks no name up for a spec that is refused anyway, and none for other targets', async () => {
      asked.length = 0;
      expect((await webhook('https://contoh.go.id', { name: '' })).ok).toBe(false);
      expect((await webhook('')).ok).toBe(false);
      expect((await readSpecWithUrl(GOOD, rules, mayGoTo)).ok).toBe(true);
      expect(asked).toEqual([]);
    });
  });

  it('says every problem in both languages', () => {
    const all = specProblems(
      {
        name: 1,
        types: [1],
        filters: [{}, { sql: 'x' }, { any: [] }, { exact: { '': '' } }],
        units: { below: 1 },
        start: 1,
        test: 1,
        target: {},
      },
      rules,
    );
    expect(all.length).toBeGreaterThan(8);
    for (const p of all)
      for (const language of ['id', 'en'] as const) expect(showProblem(p, language).reason).toMatch(/\w/);
  });
});

describe('filters of a spec', () => {
  const at = (...filters: unknown[]): string[] => pointers({ filters });
  it.each<[string, unknown, string[]]>([
    ['an unknown dialect', { sql: "source LIKE '%'" }, ['/filters/0']],
    ['two dialects at once', { exact: { id: 'a' }, prefix: { id: 'a' } }, ['/filters/0']],
    ['no dialect', {}, ['/filters/0']],
    ['a list', [], ['/filters/0']],
    ['a text', 'x', ['/filters/0']],
    ['null', null, ['/filters/0']],
    ['an empty all', { all: [] }, ['/filters/0/all']],
    ['an empty any', { any: [] }, ['/filters/0/any']],
    ['no names', { exact: {} }, ['/filters/0/exact']],
    ['names that are no object', { exact: ['id'] }, ['/filters/0/exact']],
    ['an empty value', { prefix: { id: '' } }, ['/filters/0/prefix/id']],
    ['a value that is no text', { exact: { id: 3 } }, ['/filters/0/exact/id']],
    ['a value of 1 KB and one byte', { exact: { id: `${'é'.repeat(512)}a` } }, ['/filters/0/exact/id']],
    ['half a character', { exact: { id: '\ud83d' } }, ['/filters/0/exact/id']],
    ['a name with capitals', { exact: { Source: 'a' } }, ['/filters/0/exact/Source']],
    ['a name of the hub', { exact: { digest: 'a' } }, ['/filters/0/exact/digest']],
    ['data as a whole', { exact: { data: 'a' } }, ['/filters/0/exact/data']],
    ['data three levels down', { exact: { 'data.a.b.c': 'a' } }, ['/filters/0/exact/data.a.b.c']],
    ['an empty part of a name', { exact: { 'data..a': 'a' } }, ['/filters/0/exact/data..a']],
    ['the prototype as an attribute', JSON.parse('{"exact":{"__proto__":"a"}}'), ['/filters/0/exact/__proto__']],
    ['the prototype as a dialect', JSON.parse('{"__proto__":{"id":"a"}}'), ['/filters/0']],
    ['an object in the place of a text', { exact: { id: { toString: 1, valueOf: 1 } } }, ['/filters/0/exact/id']],
    ['a name with slashes', { exact: { 'a/~b': 'a' } }, ['/filters/0/exact/a~1~0b']],
    ['not of a list', { not: [] }, ['/filters/0/not']],
  ])('%s is refused', (_what, filter, expected) => {
    expect(at(filter)).toEqual(expected);
  });

  it('the limits themselves are taken', () => {
    const deep = { not: { not: { all: [{ any: [{ exact: { id: 'a'.repeat(1_024) } }] }] } } };
    expect(at(deep)).toEqual([]);
    expect(at(...Array.from({ length: 50 }, () => ({ exact: { id: 'a' } })))).toEqual([]);
    expect(pointers({ filters: undefined })).toEqual([]);
  });

  it('beyond them one problem is said, whatever is there', () => {
    expect(at({ not: { not: { not: { all: [{ any: [{ exact: { id: 'a' } }] }] } } } })).toHaveLength(1);
    expect(at(...Array.from({ length: 51 }, () => ({ exact: { id: 'a' } })))).toHaveLength(1);
    expect(at(...Array.from({ length: 10_000 }, () => ({ exact: { id: 'a' } })))).toHaveLength(1);
    const names = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`data.a${i}`, 'a']));
    expect(at({ exact: names })).toHaveLength(1);
    let nest: unknown = { exact: { id: 'a' } };
    for (let i = 0; i < 5_000; i++) nest = i % 2 === 0 ? { not: nest } : { all: [nest] };
    expect(at(nest)).toHaveLength(1);
    expect(at(...Array.from({ length: 10_000 }, () => ({ not: 3 })))).toHaveLength(50);
  });

  it('a field of the data may have any name that a contract can give it, also one that objects inherit', () => {
    const spec = readSpec({ ...GOOD, filters: [JSON.parse('{"exact":{"data.__proto__":"a"}}')] }, rules);
    expect(spec).toMatchObject({ ok: true });
    expect(JSON.stringify(spec)).toContain('"data.__proto__":"a"');
  });
});
