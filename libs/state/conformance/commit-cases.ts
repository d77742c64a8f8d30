import { expect, it } from '@jest/globals';
import { change, del, newView, OTHER, put, STREAM, T0, type StateHarness } from './harness.js';

const P0 = { stream: STREAM, partition: 0 };

/** R5.6: a commit is one atomic step; it must start at exactly the stored position, and its epoch must not be older than the stored one. */
export function commitCases(h: () => StateHarness): void {
  it('writes values, deletes and progress in one atomic step, and a read after it sees all of them', async () => {
    const view = newView();
    expect(await h().state.position(view, P0)).toBeUndefined();
    expect(
      await h().state.commit(view, P0, change(0, 3, [put('a', 0), put('b', 2), put('kontribusi', 1, 1, 'part')])),
    ).toEqual({ ok: true });
    expect(await h().state.commit(view, P0, change(3, 5, [del('a', 3), put('c', 4)]))).toEqual({ ok: true });
    const { entries, progress } = await h().state.read(view, 0, ['a', 'b', 'c', 'kontribusi']);
    expect(entries).toEqual([
      undefined,
      { key: 'b', value: '{"o":"2"}', position: `${STREAM}/0/2`, appendTimeMs: T0 + 2 },
      { key: 'c', value: '{"o":"4"}', position: `${STREAM}/0/4`, appendTimeMs: T0 + 4 },
      undefined,
    ]);
    expect(progress).toEqual([{ stream: STREAM, next: 5n, epoch: 7n, appendTimeMs: T0 + 4 }]);
    expect(await h().state.position(view, P0)).toEqual(progress[0]);
    expect((await h().state.read(view, 0, ['kontribusi'], 'part')).entries[0]?.value).toBe('1');
  });

  it('keeps keys apart, whatever separators they hold, and entries from contributions under the same key', async () => {
    const view = newView();
    const keys = [
      'a',
      'a:',
      ':a',
      'a:b',
      'a/b',
      'a|b',
      'a\nb',
      'a b',
      '\u0001a',
      '\u0001refused',
      '\u0001refused/0000',
      '%01',
      '-',
      '{a}:0',
      '*',
    ];
    const puts = keys.flatMap((key, i) => [put(key, i, `e${i}`), put(key, i, `p${i}`, 'part')]);
    expect(await h().state.commit(view, P0, change(0, keys.length, puts))).toEqual({ ok: true });
    for (const [space, letter] of [
      ['entry', 'e'],
      ['part', 'p'],
    ] as const) {
      const read = await h().state.read(view, 0, keys, space);
      expect(read.entries.map((e) => e?.value)).toEqual(keys.map((_, i) => `"${letter}${i}"`));
      const scanned = await h().state.scan(view, 0, { space, limit: 100 });
      expect(scanned.entries.map((e) => e.key).sort()).toEqual([...keys].sort());
      const ring = await h().state.scan(view, 0, { space, prefix: '\u0001refused', limit: 100 });
      expect(ring.entries.map((e) => e.key)).toEqual(['\u0001refused', '\u0001refused/0000']);
    }
  });

  it('accepts a first commit only when it begins at the first offset of the log', async () => {
    const view = newView();
    expect(await h().state.commit(view, P0, change(5, 6, [put('a', 5)], { low: 3n }))).toEqual({
      ok: false,
      expected: 3n,
      epoch: 0n,
    });
    expect((await h().state.read(view, 0, ['a'])).entries).toEqual([undefined]);
    expect(await h().state.position(view, P0)).toBeUndefined();
    expect(await h().state.commit(view, P0, change(3, 6, [put('a', 5)], { low: 3n }))).toEqual({ ok: true });
  });

  it('refuses a commit that leaves a gap in the offsets, and changes nothing', async () => {
    const view = newView();
    await h().state.commit(view, P0, change(0, 10, [put('a', 9)]));
    expect(await h().state.commit(view, P0, change(11, 12, [put('a', 11), del('b', 11)]))).toEqual({
      ok: false,
      expected: 10n,
      epoch: 7n,
    });
    expect((await h().state.read(view, 0, ['a'])).entries[0]?.position).toBe(`${STREAM}/0/9`);
    expect((await h().state.changes(view, P0, 9n, 10)).changes).toEqual([]);
  });

  it('refuses redelivered and overlapping batches, and answers the offset to continue from', async () => {
    const view = newView();
    const batch = change(0, 10, [put('a', 9)]);
    expect(await h().state.commit(view, P0, batch)).toEqual({ ok: true });
    expect(await h().state.commit(view, P0, batch)).toEqual({ ok: false, expected: 10n, epoch: 7n });
    expect(await h().state.commit(view, P0, change(8, 14, [put('a', 13)]))).toEqual({
      ok: false,
      expected: 10n,
      epoch: 7n,
    });
    expect(await h().state.commit(view, P0, change(10, 14, [put('a', 13)]))).toEqual({ ok: true });
  });

  it('refuses a commit of an older epoch and answers the newest epoch (fencing); accepts the same and a newer epoch', async () => {
    const view = newView();
    expect(await h().state.commit(view, P0, change(0, 1, [put('a', 0)], { epoch: 9n }))).toEqual({ ok: true });
    expect(await h().state.commit(view, P0, change(1, 2, [put('a', 1)], { epoch: 8n }))).toEqual({
      ok: false,
      expected: 1n,
      epoch: 9n,
    });
    expect(await h().state.commit(view, P0, change(1, 2, [put('a', 1)], { epoch: 9n }))).toEqual({ ok: true });
    expect(await h().state.commit(view, P0, change(2, 3, [put('a', 2)], { epoch: 10n }))).toEqual({ ok: true });
    expect(await h().state.commit(view, P0, change(3, 4, [put('a', 3)], { epoch: 9n }))).toEqual({
      ok: false,
      expected: 3n,
      epoch: 10n,
    });
    // a refused commit does not store its epoch
    expect(await h().state.commit(view, P0, change(9, 10, [], { epoch: 99n }))).toEqual({
      ok: false,
      expected: 3n,
      epoch: 10n,
    });
    expect((await h().state.position(view, P0))?.epoch).toBe(10n);
  });

  it('compares offsets and epochs as exact whole numbers, also above 2^53', async () => {
    const view = newView();
    const big = 2n ** 60n;
    expect(
      await h().state.commit(view, P0, change(big, big + 1n, [put('k', 1, 1, 'part')], { epoch: 999n, low: big })),
    ).toEqual({ ok: true });
    expect(await h().state.commit(view, P0, change(big, big + 2n, [], { epoch: 1000n }))).toEqual({
      ok: false,
      expected: big + 1n,
      epoch: 999n,
    });
    expect(await h().state.commit(view, P0, change(big + 1n, big + 3n, [], { epoch: 1000n }))).toEqual({ ok: true });
    expect(await h().state.commit(view, P0, change(big + 3n, big + 4n, [], { epoch: 999n }))).toEqual({
      ok: false,
      expected: big + 3n,
      epoch: 1000n,
    });
    expect(await h().state.position(view, P0)).toMatchObject({ next: big + 3n, epoch: 1000n });
  });

  it('accepts exactly one of several concurrent commits from the same offset', async () => {
    const view = newView();
    const commits = Array.from({ length: 8 }, (_, i) =>
      h().state.commit(view, P0, change(0, 5, [put('a', 4, { commit: i })])),
    );
    const done = await Promise.all(commits);
    expect(done.filter((one) => one.ok)).toHaveLength(1);
    const winner = done.findIndex((one) => one.ok);
    expect((await h().state.read(view, 0, ['a'])).entries[0]?.value).toBe(JSON.stringify({ commit: winner }));
  });

  it('keeps separate progress for each stream that is folded into one view partition', async () => {
    const view = newView();
    const other = { stream: OTHER, partition: 0 };
    await h().state.commit(view, P0, change(0, 4, [put('a', 3)], { epoch: 3n }));
    expect(await h().state.commit(view, other, change(20, 30, [put('b', 29)], { epoch: 4n, low: 20n }))).toEqual({
      ok: true,
    });
    await h().state.commit(view, P0, change(4, 5, [put('b', 4)], { epoch: 5n }));
    const { entries, progress } = await h().state.read(view, 0, ['a', 'b']);
    expect(entries.map((entry) => entry?.position)).toEqual([`${STREAM}/0/3`, `${STREAM}/0/4`]);
    expect([...progress].sort((x, y) => (x.stream < y.stream ? -1 : 1))).toEqual([
      { stream: OTHER, next: 30n, epoch: 4n, appendTimeMs: T0 + 29 },
      { stream: STREAM, next: 5n, epoch: 5n, appendTimeMs: T0 + 4 },
    ]);
  });

  it('refuses a commit with an epoch older than that of any stream of the view partition, because one entry may come from several streams', async () => {
    const view = newView();
    const other = { stream: OTHER, partition: 0 };
    await h().state.commit(view, P0, change(0, 4, [put('a', 3)], { epoch: 9n }));
    for (const rows of [[put('a', 2, 'usang')], [del('a', 2)], [], [put('x', 2, 1, 'part')]])
      expect(await h().state.commit(view, other, change(0, 3, rows, { epoch: 8n }))).toEqual({
        ok: false,
        expected: 0n,
        epoch: 9n,
      });
    expect(await h().state.position(view, other)).toBeUndefined();
    expect((await h().state.read(view, 0, ['a'])).entries[0]?.position).toBe(`${STREAM}/0/3`);
    expect(await h().state.commit(view, other, change(0, 3, [put('b', 2)], { epoch: 10n }))).toEqual({ ok: true });
    expect(await h().state.commit(view, P0, change(4, 5, [put('a', 4)], { epoch: 9n }))).toEqual({
      ok: false,
      expected: 4n,
      epoch: 10n,
    });
  });

  it('checks the epoch of each stream by itself in a view partition without entries, as the duplicate index is', async () => {
    const view = newView();
    const other = { stream: OTHER, partition: 0 };
    expect(await h().state.commit(view, P0, change(0, 4, [], { epoch: 9n }))).toEqual({ ok: true });
    expect(await h().state.commit(view, other, change(0, 3, [], { epoch: 8n }))).toEqual({ ok: true });
    expect(await h().state.commit(view, P0, change(4, 5, [], { epoch: 8n }))).toMatchObject({ ok: false, epoch: 9n });
  });

  it('keeps entries and progress separate for each view and each partition', async () => {
    const [one, two] = [newView(), newView()];
    await h().state.commit(one, P0, change(0, 1, [put('a', 0, 'satu/0')]));
    await h().state.commit(one, { stream: STREAM, partition: 1 }, change(0, 2, [put('a', 1, 'satu/1')]));
    await h().state.commit(two, P0, change(0, 3, [put('a', 2, 'dua/0')]));
    const values = await Promise.all([
      h().state.read(one, 0, ['a']),
      h().state.read(one, 1, ['a']),
      h().state.read(two, 0, ['a']),
    ]);
    expect(values.map((read) => read.entries[0]?.value)).toEqual(['"satu/0"', '"satu/1"', '"dua/0"']);
    const parts = [0, 1, 2].map((partition) => ({ stream: STREAM, partition }));
    expect((await h().state.positions(one, [...parts, { stream: OTHER, partition: 0 }])).map((at) => at?.next)).toEqual(
      [1n, 2n, undefined, undefined],
    );
    expect(await h().state.positions(one, [])).toEqual([]);
  });

  it('moves the position without values, and keeps the append time of the last known event', async () => {
    const view = newView();
    await h().state.commit(view, P0, change(0, 4));
    expect(await h().state.position(view, P0)).toEqual({ stream: STREAM, next: 4n, epoch: 7n, appendTimeMs: 0 });
    await h().state.commit(view, P0, change(4, 6, [put('a', 4)]));
    await h().state.commit(view, P0, change(6, 9));
    expect((await h().state.position(view, P0))?.appendTimeMs).toBe(T0 + 4);
    await h().state.commit(view, P0, change(9, 12, [put('a', 9)], { appendTimeMs: T0 + 11 }));
    expect((await h().state.position(view, P0))?.appendTimeMs).toBe(T0 + 11);
  });

  it('accepts a commit of 500 events with two rows each', async () => {
    const view = newView();
    const rows = Array.from({ length: 500 }, (_, i) => [put(`k${i}`, i), put(`k${i}`, i, i, 'part')]).flat();
    expect(await h().state.commit(view, P0, change(0, 500, rows))).toEqual({ ok: true });
    const keys = Array.from({ length: 500 }, (_, i) => `k${i}`);
    const { entries } = await h().state.read(view, 0, keys);
    expect(entries.every((entry, i) => entry?.key === keys[i])).toBe(true);
    const deletes = keys.map((key, i) => del(key, 500 + i));
    expect(await h().state.commit(view, P0, change(500, 1000, deletes))).toEqual({ ok: true });
    expect((await h().state.scan(view, 0)).entries).toEqual([]);
    expect((await h().state.scan(view, 0, { space: 'part' })).entries).toHaveLength(500);
  });

  it('rejects a change that has a key twice or ends before it begins, and writes nothing', async () => {
    const view = newView();
    await expect(h().state.commit(view, P0, change(0, 2, [put('a', 0), del('a', 1)]))).rejects.toMatchObject({
      code: 'internal',
    });
    await expect(h().state.commit(view, P0, change(2, 1))).rejects.toMatchObject({ code: 'internal' });
    expect(await h().state.position(view, P0)).toBeUndefined();
  });
}
