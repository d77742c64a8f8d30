import { expect, it } from '@jest/globals';
import { change, del, newView, put, STREAM, type StateHarness } from './harness.js';

const P0 = { stream: STREAM, partition: 0 };
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Keys with characters that a store could take for its own separators, patterns, script syntax or sort order. */
export const SPECIAL_KEYS: readonly string[] = [
  '{',
  '}',
  '{a}',
  '}{',
  ':',
  'a:b',
  'a\nb',
  '\r\n',
  'a/b',
  '%2F',
  ' ',
  '*',
  '?[x]',
  "o'clock",
  '"',
  '\\',
  '\u0000',
  'a\u0000b',
  'a',
  '-',
  '+',
  '(a',
  '[a',
  '0',
  '1e3',
  'é',
  'Ü',
  '職員',
  '😀',
  '\uFFFD',
  '\uE000',
  '\u{10FFFF}',
  'x'.repeat(512),
  'ñ'.repeat(256),
  '__proto__',
  'constructor',
  '$1',
  'SU00208:2021-07-15',
];

/** read(), scan() and drop(): key order, paging, prefix, special keys, large values, snapshots. */
export function readingCases(h: () => StateHarness): void {
  it('scans in UTF-8 byte order, page by page, and answers whether more entries follow', async () => {
    const view = newView();
    await h().state.commit(
      view,
      P0,
      change(
        0,
        100,
        SPECIAL_KEYS.map((key, i) => put(key, i)),
      ),
    );
    const want = [...SPECIAL_KEYS].sort(byBytes);
    for (const limit of [1, 3, want.length - 1, want.length, 500]) {
      const seen: string[] = [];
      for (let after: string | undefined, more = true; more;) {
        const page = await h().state.scan(view, 0, { limit, ...(after === undefined ? {} : { after }) });
        expect(page.entries.length).toBeLessThanOrEqual(limit);
        expect(page.progress).toHaveLength(1);
        seen.push(...page.entries.map((entry) => entry.key));
        after = seen.at(-1);
        more = page.more;
      }
      expect(seen).toEqual(want);
    }
  });

  it('reads every special key back, and confuses no two of them', async () => {
    const view = newView();
    await h().state.commit(
      view,
      P0,
      change(
        0,
        100,
        SPECIAL_KEYS.map((key, i) => put(key, i, { key })),
      ),
    );
    const { entries } = await h().state.read(view, 0, SPECIAL_KEYS);
    expect(entries.map((entry) => JSON.parse(entry?.value ?? 'null'))).toEqual(SPECIAL_KEYS.map((key) => ({ key })));
    await h().state.commit(
      view,
      P0,
      change(
        100,
        200,
        SPECIAL_KEYS.filter((_, i) => i % 2 === 0).map((key, i) => del(key, 100 + i)),
      ),
    );
    const left = await h().state.read(view, 0, SPECIAL_KEYS);
    expect(left.entries.map((entry) => entry?.key)).toEqual(
      SPECIAL_KEYS.map((key, i) => (i % 2 === 0 ? undefined : key)),
    );
  });

  it('filters a scan by prefix, also together with after', async () => {
    const view = newView();
    const keys = [
      'a',
      'ab',
      'ab\u0000',
      'ab:1',
      'ab:2',
      'abc',
      'ab\u{10FFFF}',
      'ab\u{10FFFF}z',
      'ac',
      'b',
      '職',
      '職員',
      '\u{10FFFF}',
      '\u{10FFFF}a',
      '\uD7FF',
      '\uD7FFx',
      '\uE000',
    ];
    await h().state.commit(
      view,
      P0,
      change(
        0,
        50,
        keys.map((key, i) => put(key, i)),
      ),
    );
    const want = [...keys].sort(byBytes);
    for (const prefix of ['', 'a', 'ab', 'ab:', 'ab\u{10FFFF}', '職', '\u{10FFFF}', '\uD7FF', 'zz']) {
      const matching = want.filter((key) => key.startsWith(prefix));
      const page = await h().state.scan(view, 0, { prefix });
      expect(page.entries.map((entry) => entry.key)).toEqual(matching);
      expect(page.more).toBe(false);
      for (const after of ['', 'ab', 'ab:1', '~', '職']) {
        const rest = matching.filter((key) => byBytes(key, after) > 0);
        const two = await h().state.scan(view, 0, { prefix, after, limit: 2 });
        expect(two.entries.map((entry) => entry.key)).toEqual(rest.slice(0, 2));
        expect(two.more).toBe(rest.length > 2);
      }
    }
  });

  it('keeps the key spaces entry and part separate', async () => {
    const view = newView();
    await h().state.commit(
      view,
      P0,
      change(0, 3, [put('a', 0, 'entry'), put('a', 1, 'part', 'part'), put('b', 2, 'part', 'part')]),
    );
    expect((await h().state.scan(view, 0)).entries.map((entry) => entry.value)).toEqual(['"entry"']);
    expect((await h().state.scan(view, 0, { space: 'part' })).entries.map((entry) => entry.key)).toEqual(['a', 'b']);
    await h().state.commit(view, P0, change(3, 4, [del('a', 3, 'part')]));
    expect((await h().state.read(view, 0, ['a'])).entries[0]?.value).toBe('"entry"');
    expect((await h().state.read(view, 0, ['a'], 'part')).entries).toEqual([undefined]);
  });

  it('answers no entries and no progress for a partition that was never filled', async () => {
    const view = newView();
    expect(await h().state.read(view, 3, ['a', 'b'])).toEqual({ entries: [undefined, undefined], progress: [] });
    expect(await h().state.scan(view, 3)).toEqual({ entries: [], more: false, progress: [] });
    expect(await h().state.read(view, 3, [])).toEqual({ entries: [], progress: [] });
  });

  it('answers a key that is requested twice two times', async () => {
    const view = newView();
    await h().state.commit(view, P0, change(0, 1, [put('a', 0)]));
    expect((await h().state.read(view, 0, ['a', 'x', 'a'])).entries.map((entry) => entry?.key)).toEqual([
      'a',
      undefined,
      'a',
    ]);
  });

  it('never answers entries of one commit with the progress of another', async () => {
    const view = newView();
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    let writing = true;
    const writer = (async () => {
      for (let at = 0; at < 40; at++)
        await h().state.commit(
          view,
          P0,
          change(
            at,
            at + 1,
            keys.map((key) => put(key, at, at)),
          ),
        );
      writing = false;
    })();
    let torn = 0;
    let reads = 0;
    while (writing) {
      const { entries, progress } = await h().state.read(view, 0, keys);
      const page = await h().state.scan(view, 0);
      for (const [seen, next] of [
        [entries, progress[0]?.next],
        [page.entries, page.progress[0]?.next],
      ] as const) {
        const want = next === undefined ? undefined : String(next - 1n);
        if (seen.some((entry) => entry?.value !== want)) torn++;
      }
      reads++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writer;
    expect({ torn, reads: reads > 0 }).toEqual({ torn: 0, reads: true });
  });

  it('stores values of one megabyte', async () => {
    const view = newView();
    const values = ['a', 'é', '"'].map((letter) => letter.repeat(letter === 'é' ? 524_288 : 1_000_000));
    await h().state.commit(
      view,
      P0,
      change(
        0,
        3,
        values.map((value, i) => put(`besar${i}`, i, value)),
      ),
    );
    const { entries } = await h().state.read(view, 0, ['besar0', 'besar1', 'besar2']);
    expect(entries.map((entry, i) => entry?.value === JSON.stringify(values[i]))).toEqual([true, true, true]);
    expect((await h().state.scan(view, 0, { limit: 2 })).entries).toHaveLength(2);
  });

  it('drops all data of a view and nothing of another view', async () => {
    const [gone, stays] = [newView(), newView()];
    for (const view of [gone, stays]) {
      for (const partition of [0, 1, 2]) {
        const keys = Array.from({ length: 400 }, (_, i) => put(`k${i}`, i));
        await h().state.commit(view, { stream: STREAM, partition }, change(0, 400, keys));
        await h().state.commit(view, { stream: STREAM, partition }, change(400, 401, [del('k0', 400)]));
      }
    }
    await h().state.drop(gone, 3);
    await h().state.drop(gone, 3);
    for (const partition of [0, 1, 2]) {
      expect(await h().state.position(gone, { stream: STREAM, partition })).toBeUndefined();
      expect((await h().state.scan(gone, partition)).entries).toEqual([]);
      expect((await h().state.changes(gone, { stream: STREAM, partition }, -1n, 10)).changes).toEqual([]);
      expect((await h().state.scan(stays, partition)).entries).toHaveLength(399);
    }
    expect(await h().state.commit(gone, P0, change(0, 1, [put('baru', 0)]))).toEqual({ ok: true });
    expect((await h().state.scan(gone, 0)).entries.map((entry) => entry.key)).toEqual(['baru']);
  });

  it('answers ping(), and a connection epoch of at least 1', async () => {
    await expect(h().state.ping()).resolves.toBeUndefined();
    expect(h().state.connection()).toBeGreaterThanOrEqual(1);
  });
}
