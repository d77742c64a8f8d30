import { expect, it } from '@jest/globals';
import { digestOfFacts, digestOfState, facts, fold } from './fold.js';
import { change, newView, put, STREAM, type StateHarness } from './harness.js';

const P0 = { stream: STREAM, partition: 0 };

/** A store may lose all data or its newest commits at any time; folding the log again must give the same state. */
export function lossCases(h: () => StateHarness): void {
  it('keeps values, progress and change feed when it is closed and opened again', async () => {
    const view = newView();
    const log = facts(1, 300);
    await fold(h().state, view, P0, log, { batch: 37 });
    const feed = await h().state.changes(view, P0, 100n, 1_000);
    await h().reopen();
    expect(await digestOfState(h().state, view, 0)).toBe(digestOfFacts(log, 300, P0));
    expect(await h().state.position(view, P0)).toMatchObject({ next: 300n, epoch: 1n });
    expect(await h().state.changes(view, P0, 100n, 1_000)).toEqual(feed);
  });

  it('has the same digest for every batch size of the fold', async () => {
    const log = facts(2, 400);
    for (const batch of [1, 7, 100, 400]) {
      const view = newView();
      await fold(h().state, view, P0, log, { batch });
      expect(await digestOfState(h().state, view, 0)).toBe(digestOfFacts(log, 400, P0));
    }
  });

  it('refuses the next commit after it was emptied, so that a running projector cannot leave a hole', async () => {
    const view = newView();
    await h().state.commit(view, P0, change(0, 50, [put('a', 49)]));
    await h().empty();
    expect(await h().state.commit(view, P0, change(50, 60, [put('b', 59)]))).toEqual({
      ok: false,
      expected: 0n,
      epoch: 0n,
    });
    expect(await h().state.scan(view, 0)).toEqual({ entries: [], more: false, progress: [] });
  });

  it('has the same digest after it was emptied in the middle of a fold', async () => {
    const view = newView();
    const log = facts(3, 300);
    let emptied = false;
    const { rewinds } = await fold(h().state, view, P0, log, {
      batch: 20,
      afterCommit: async (next) => {
        if (next !== 140 || emptied) return;
        emptied = true;
        await h().empty();
      },
    });
    expect(rewinds).toBe(1);
    expect(await digestOfState(h().state, view, 0)).toBe(digestOfFacts(log, 300, P0));
  });

  it('has the same digest after it lost its newest commits in the middle of a fold', async () => {
    const view = newView();
    const log = facts(4, 300);
    let set = false;
    const { rewinds } = await fold(h().state, view, P0, log, {
      batch: 20,
      afterCommit: async (next) => {
        if (next !== 200 || set) return;
        set = true;
        await h().empty();
        await fold(h().state, view, P0, log, { batch: 50, until: 90 });
      },
    });
    expect(rewinds).toBe(1);
    expect(await digestOfState(h().state, view, 0)).toBe(digestOfFacts(log, 300, P0));
  });

  it('has the same digest, progress and change feed after it was emptied and folded again', async () => {
    const view = newView();
    const log = facts(5, 500);
    await fold(h().state, view, P0, log, { batch: 50 });
    const before = [
      await digestOfState(h().state, view, 0),
      await h().state.position(view, P0),
      await h().state.changes(view, P0, -1n, 1_000),
    ];
    await h().empty();
    expect(await h().state.position(view, P0)).toBeUndefined();
    await fold(h().state, view, P0, log, { batch: 50 });
    expect([
      await digestOfState(h().state, view, 0),
      await h().state.position(view, P0),
      await h().state.changes(view, P0, -1n, 1_000),
    ]).toEqual(before);
  });

  it('has an empty duplicate index after it was emptied', async () => {
    const first = {
      source: 'urn:simpul:hub:clock',
      id: newView(),
      stream: STREAM,
      partition: 0,
      offset: 5n,
      digest: 'b'.repeat(64),
      schemaId: 1,
      recordedTimeMs: 9,
    };
    await h().state.putFirst([first]);
    await h().empty();
    expect(await h().state.findFirst([first])).toEqual([undefined]);
    expect(await h().state.putFirst([{ ...first, offset: 6n }])).toEqual([{ ...first, offset: 6n }]);
  });

  it('rejects every call with state_unavailable after close()', async () => {
    const { state } = h();
    await h().reopen();
    await expect(state.ping()).rejects.toMatchObject({ code: 'state_unavailable' });
    await expect(state.commit(newView(), P0, change(0, 1))).rejects.toMatchObject({ code: 'state_unavailable' });
    await expect(state.read(newView(), 0, ['a'])).rejects.toMatchObject({ code: 'state_unavailable' });
    await expect(
      state.putFirst([
        {
          source: 's',
          id: 'i',
          stream: STREAM,
          partition: 0,
          offset: 0n,
          digest: 'c'.repeat(64),
          schemaId: 1,
          recordedTimeMs: 0,
        },
      ]),
    ).rejects.toMatchObject({ code: 'state_unavailable' });
    await expect(state.close()).resolves.toBeUndefined();
  });
}
