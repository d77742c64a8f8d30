import { expect, it } from '@jest/globals';
import type { First } from '../port.js';
import { change, del, newView, OTHER, put, STREAM, T0, type StateHarness } from './harness.js';

const P0 = { stream: STREAM, partition: 0 };
const O0 = { stream: OTHER, partition: 0 };

/** What a state folded from a log that is not there needs: proofs beside positions, reset() of a view partition, replaceFirst(). */
export function resetCases(h: () => StateHarness): void {
  it('stores the proof of a commit with its position in one step, and none when the commit has none', async () => {
    const view = newView();
    await h().state.commit(view, P0, change(0, 3, [put('a', 0)], { proof: 'bukti:3' }));
    expect(await h().state.position(view, P0)).toMatchObject({ next: 3n, proof: 'bukti:3' });
    expect((await h().state.read(view, 0, ['a'])).progress[0]?.proof).toBe('bukti:3');
    expect((await h().state.scan(view, 0)).progress[0]?.proof).toBe('bukti:3');
    expect(await h().state.commit(view, P0, change(9, 10, [], { proof: 'bukti:10' }))).toMatchObject({ ok: false });
    expect((await h().state.position(view, P0))?.proof).toBe('bukti:3');
    await h().state.commit(view, P0, change(3, 4));
    expect(await h().state.position(view, P0)).toEqual({ stream: STREAM, next: 4n, epoch: 7n, appendTimeMs: T0 });
    await h().state.commit(view, P0, change(4, 4, [], { proof: 'bukti:4' }));
    expect(await h().state.positions(view, [P0])).toMatchObject([{ next: 4n, proof: 'bukti:4', appendTimeMs: T0 }]);
    await expect(h().state.commit(view, P0, change(4, 5, [], { proof: 'a b' }))).rejects.toMatchObject({
      code: 'internal',
    });
  });

  it('reset() empties one view partition in one step, begins its checkpoints anew, and keeps those of other streams and partitions', async () => {
    const view = newView();
    await h().state.commit(view, O0, change(0, 4, [put('c', 3)], { epoch: 4n }));
    await h().state.commit(view, P0, change(0, 9, [put('a', 0), put('p', 1, 1, 'part')], { proof: 'x', epoch: 9n }));
    await h().state.commit(view, P0, change(9, 10, [put('b', 9), del('a', 9)], { proof: 'y', epoch: 9n }));
    await h().state.commit(view, { stream: STREAM, partition: 1 }, change(0, 1, [put('a', 0)]));
    const found = { stream: STREAM, next: 10n, proof: 'y' };
    const start = { stream: STREAM, epoch: 5n, next: 2n, until: 6n };
    expect(await h().state.reset(view, 0, found, [start], T0)).toBe(true);
    expect(await h().state.read(view, 0, ['a', 'b', 'c'])).toEqual({
      entries: [undefined, undefined, undefined],
      progress: [
        { stream: OTHER, next: 4n, epoch: 4n, appendTimeMs: T0 + 3 },
        { stream: STREAM, next: 2n, epoch: 5n, appendTimeMs: 0, reset: { atMs: T0, until: 6n } },
      ],
    });
    expect((await h().state.scan(view, 0, { space: 'part' })).entries).toEqual([]);
    expect(await h().state.changes(view, P0, -1n, 10)).toMatchObject({ changes: [], gap: false });
    expect((await h().state.changes(view, O0, -1n, 10)).changes).toEqual([]);
    expect((await h().state.scan(view, 1)).entries.map((entry) => entry.key)).toEqual(['a']);
    // the new checkpoint fences by its own epoch, and a commit keeps what reset() said
    expect(await h().state.commit(view, P0, change(10, 11, [], { epoch: 9n }))).toEqual({
      ok: false,
      expected: 2n,
      epoch: 5n,
    });
    expect(await h().state.commit(view, P0, change(2, 7, [put('a', 6)], { epoch: 5n, proof: 'z' }))).toEqual({
      ok: true,
    });
    expect(await h().state.position(view, P0)).toEqual({
      stream: STREAM,
      next: 7n,
      epoch: 5n,
      appendTimeMs: T0 + 6,
      proof: 'z',
      reset: { atMs: T0, until: 6n },
    });
    expect((await h().state.scan(view, 0)).entries.map((entry) => entry.key)).toEqual(['a']);
  });

  it('reset() begins several streams anew, also one that had no checkpoint', async () => {
    const view = newView();
    await h().state.commit(view, P0, change(0, 3, [put('a', 0)]));
    const starts = [STREAM, OTHER].map((stream, i) => ({ stream, epoch: 8n, next: BigInt(i), until: 5n }));
    expect(await h().state.reset(view, 0, { stream: STREAM, next: 3n }, starts, T0)).toBe(true);
    const reset = { atMs: T0, until: 5n };
    expect(await h().state.positions(view, [P0, O0])).toEqual([
      { stream: STREAM, next: 0n, epoch: 8n, appendTimeMs: 0, reset },
      { stream: OTHER, next: 1n, epoch: 8n, appendTimeMs: 0, reset },
    ]);
  });

  it('reset() changes nothing when the checkpoint is not the one that was found', async () => {
    const view = newView();
    const start = { stream: STREAM, epoch: 9n, next: 0n, until: 1n };
    expect(await h().state.reset(view, 0, { stream: STREAM, next: 0n }, [start], T0)).toBe(false);
    await h().state.commit(view, P0, change(0, 3, [put('a', 0)], { proof: 'x' }));
    for (const found of [{ next: 3n }, { next: 3n, proof: 'w' }, { next: 4n, proof: 'x' }])
      expect(await h().state.reset(view, 0, { stream: STREAM, ...found }, [start], T0)).toBe(false);
    expect((await h().state.scan(view, 0)).entries).toHaveLength(1);
    expect(await h().state.position(view, P0)).toMatchObject({ next: 3n, proof: 'x', epoch: 7n });
  });

  it('reset() begins the fill of a view partition that holds nothing, with a proof of its own; an older epoch and a second begin are refused', async () => {
    const view = newView();
    const starts = [STREAM, OTHER].map((stream) => ({ stream, epoch: 8n, next: 0n, until: 5n, proof: 'mengisi' }));
    expect(await h().state.reset(view, 0, { stream: STREAM }, starts, T0)).toBe(true);
    expect(await h().state.reset(view, 0, { stream: STREAM }, starts, T0)).toBe(false);
    expect(await h().state.commit(view, P0, change(0, 1, [put('a', 3)]))).toEqual({
      ok: false,
      expected: 0n,
      epoch: 8n,
    });
    const more = { epoch: 8n, proof: 'mengisi' };
    expect(await h().state.commit(view, P0, change(0, 1, [put('a', 3), put('s', 3, 1, 'part')], more))).toEqual({
      ok: true,
    });
    expect(await h().state.commit(view, O0, change(0, 1, [put('b', 2)], more))).toEqual({ ok: true });
    expect(await h().state.positions(view, [P0, O0])).toMatchObject([
      { next: 1n, proof: 'mengisi', reset: { until: 5n } },
      { next: 1n, proof: 'mengisi', reset: { until: 5n } },
    ]);
    expect(await h().state.reset(view, 0, { stream: STREAM, next: 1n, proof: 'mengisi' }, starts, T0)).toBe(true);
    expect((await h().state.scan(view, 0)).entries).toEqual([]);
    expect((await h().state.scan(view, 0, { space: 'part' })).entries).toEqual([]);
  });

  it('a commit with feedGap tells every reader of the change feed from before its position that deletes may be missing', async () => {
    const view = newView();
    await h().state.commit(view, P0, change(0, 5, [put('a', 3)], { feedGap: true }));
    expect(await h().state.changes(view, P0, 2n, 10)).toMatchObject({ gap: true });
    expect(await h().state.changes(view, P0, 4n, 10)).toMatchObject({ gap: false, changes: [] });
    await h().state.commit(view, P0, change(5, 6, [put('b', 5)]));
    expect(await h().state.changes(view, P0, 3n, 10)).toMatchObject({ gap: true });
    expect(await h().state.changes(view, P0, 4n, 10)).toMatchObject({ gap: false, changes: [{ key: 'b' }] });
  });

  it('replaceFirst() puts a row in the place of the stale one, or of none, and obeys any other row that it finds', async () => {
    const run = newView();
    const row = (id: string, offset: number, digit = 'a'): First => ({
      source: 'urn:simpul:unit:SU00123:simkim',
      id: run + id,
      stream: STREAM,
      partition: 3,
      offset: BigInt(offset),
      digest: digit.repeat(64),
      schemaId: 11,
      recordedTimeMs: T0,
    });
    await h().state.putFirst([row('a', 5), row('b', 6)]);
    const answers = await h().state.replaceFirst([
      { stale: row('a', 5), by: row('a', 50, 'b') },
      { stale: row('b', 7), by: row('b', 60) },
      { stale: row('c', 8), by: row('c', 70) },
    ]);
    const want = [row('a', 50, 'b'), row('b', 6), row('c', 70)];
    expect(answers).toEqual(want);
    expect(await h().state.findFirst(want)).toEqual(want);
    expect(await h().state.replaceFirst([])).toEqual([]);
  });
}
