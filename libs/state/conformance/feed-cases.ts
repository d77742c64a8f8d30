import { expect, it } from '@jest/globals';
import { change, DAY, del, newView, OTHER, put, STREAM, T0, until, type StateHarness } from './harness.js';

const P0 = { stream: STREAM, partition: 0 };

/** The change feed: every key that changed after an offset, with its newest value; tombstones are kept for seven days. */
export function feedCases(h: () => StateHarness): void {
  it('answers every key that changed after an offset, with its newest value, in offset order', async () => {
    const view = newView();
    await h().state.commit(view, P0, change(0, 4, [put('a', 0), put('b', 1), put('c', 3), put('diam', 2, 1, 'part')]));
    await h().state.commit(view, P0, change(4, 6, [put('a', 5, 'baru')]));
    const all = await h().state.changes(view, P0, -1n, 10);
    expect(all.changes).toEqual([
      { key: 'b', value: '{"o":"1"}', offset: 1n, appendTimeMs: T0 + 1 },
      { key: 'c', value: '{"o":"3"}', offset: 3n, appendTimeMs: T0 + 3 },
      { key: 'a', value: '"baru"', offset: 5n, appendTimeMs: T0 + 5 },
    ]);
    expect(all).toMatchObject({ more: false, gap: false, progress: [{ stream: STREAM, next: 6n }] });
    expect((await h().state.changes(view, P0, 3n, 10)).changes.map((one) => one.key)).toEqual(['a']);
    expect((await h().state.changes(view, P0, 5n, 10)).changes).toEqual([]);
  });

  it('loses no key between pages, also when several keys have the same offset', async () => {
    const view = newView();
    const rows = [put('a', 0), put('b', 1), put('c', 1), put('d', 1), put('e', 1), put('f', 2), put('g', 3)];
    await h().state.commit(view, P0, change(0, 4, rows));
    for (const limit of [1, 2, 3, 5, 6, 7, 50]) {
      const seen: string[] = [];
      let after = -1n;
      for (let more = true; more;) {
        const page = await h().state.changes(view, P0, after, limit);
        seen.push(...page.changes.map((one) => one.key));
        after = page.changes.at(-1)?.offset ?? after;
        more = page.more;
      }
      expect(seen).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    }
  });

  it('answers a tombstone for a deleted key, also when one batch wrote and deleted it, and drops the tombstone when the key is written again', async () => {
    const view = newView();
    await h().state.commit(view, P0, change(0, 2, [put('a', 0), put('b', 1)]));
    await h().state.commit(view, P0, change(2, 5, [del('a', 2), del('sekejap', 4)]));
    expect((await h().state.changes(view, P0, 1n, 10)).changes).toEqual([
      { key: 'a', value: null, offset: 2n, appendTimeMs: T0 + 2 },
      { key: 'sekejap', value: null, offset: 4n, appendTimeMs: T0 + 4 },
    ]);
    await h().state.commit(view, P0, change(5, 6, [put('a', 5, 'lagi')]));
    expect((await h().state.changes(view, P0, 1n, 10)).changes.map((one) => [one.key, one.value, one.offset])).toEqual([
      ['sekejap', null, 4n],
      ['a', '"lagi"', 5n],
    ]);
  });

  it('keeps a separate change feed for each stream of a view', async () => {
    const view = newView();
    const other = { stream: OTHER, partition: 0 };
    await h().state.commit(view, P0, change(0, 2, [put('sama', 0, 'satu'), put('a', 1)]));
    await h().state.commit(view, other, change(50, 52, [put('sama', 50, 'dua'), put('b', 51)], { low: 50n }));
    expect((await h().state.changes(view, P0, -1n, 10)).changes.map((one) => [one.key, one.value, one.offset])).toEqual(
      [
        ['sama', '"dua"', 0n],
        ['a', '{"o":"1"}', 1n],
      ],
    );
    expect((await h().state.changes(view, other, 49n, 10)).changes.map((one) => [one.key, one.offset])).toEqual([
      ['sama', 50n],
      ['b', 51n],
    ]);
    expect((await h().state.changes(view, other, 49n, 10)).progress).toHaveLength(2);
  });

  it('answers gap to a reader who may have missed an expired tombstone, and to no other reader', async () => {
    const view = newView();
    const other = { stream: OTHER, partition: 0 };
    await h().state.commit(view, other, change(0, 1, [put('b', 0)]));
    await h().state.commit(view, P0, change(0, 2, [put('a', 0), put('b', 1)]));
    await h().state.commit(view, P0, change(2, 3, [del('a', 2)]));
    h().advance(7 * DAY - 60_000);
    await h().state.commit(view, P0, change(3, 4, [put('c', 3)]));
    expect((await h().state.changes(view, P0, 0n, 10)).changes.map((one) => one.key)).toEqual(['b', 'a', 'c']);
    h().advance(120_000);
    let at = 4;
    await until(async () => {
      await h().state.commit(view, P0, change(at, ++at));
      h().advance(2_000);
      return (await h().state.changes(view, P0, 1n, 10)).gap;
    });
    const missed = await h().state.changes(view, P0, 1n, 10);
    expect(missed.changes.map((one) => one.key)).toEqual(['c']);
    expect((await h().state.changes(view, P0, 2n, 10)).gap).toBe(false);
    expect((await h().state.changes(view, other, -1n, 10)).gap).toBe(false);
    expect((await h().state.scan(view, 0)).entries.map((entry) => entry.key)).toEqual(['b', 'c']);
  });

  it('keeps a key that was deleted and written again after its tombstone has expired', async () => {
    const view = newView();
    await h().state.commit(view, P0, change(0, 1, [put('a', 0)]));
    await h().state.commit(view, P0, change(1, 2, [del('a', 1), del('tanda', 1)]));
    await h().state.commit(view, P0, change(2, 3, [put('a', 2)]));
    h().advance(8 * DAY);
    let at = 3;
    await until(async () => {
      await h().state.commit(view, P0, change(at, ++at));
      h().advance(2_000);
      return (await h().state.changes(view, P0, -1n, 10)).gap;
    });
    expect((await h().state.changes(view, P0, -1n, 10)).changes.map((one) => one.key)).toEqual(['a']);
    expect((await h().state.read(view, 0, ['a'])).entries[0]?.position).toBe(`${STREAM}/0/2`);
  });

  it('answers no changes and no gap for a view that was never filled', async () => {
    expect(await h().state.changes(newView(), P0, -1n, 10)).toEqual({
      changes: [],
      more: false,
      gap: false,
      progress: [],
    });
  });
}
