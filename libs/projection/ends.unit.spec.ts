import { describe, expect, it } from '@jest/globals';
import type { EventLog } from '#log';
import type { Progress } from '#state';
import { Ends } from './ends.js';

/** Reads of one view partition, by a clock that stands until it is moved. A record is as old as `ageOf` says. */
function reads(ageOf: (offset: bigint) => number = () => 0) {
  let now = 1_000_000;
  let topicId = 'satu';
  let looks = 0;
  const log = {
    read: (_s: string, _p: number, offset: bigint) => {
      looks++;
      return Promise.resolve({ kind: 'records', records: [{ offset, appendTimeMs: now - ageOf(offset) }] });
    },
    describe: () => Promise.resolve([{ partition: 0, low: 0n, high: 1n << 40n }]),
  } as unknown as EventLog;
  const ends = new Ends({ log, state: { connection: () => 1 }, now: () => now });
  const judge = (next: bigint, high: bigint, began = ends.begin(), more: Partial<Progress> = {}) =>
    ends.judge(
      'v~1',
      { partition: 0, low: 0n, high, topicId, atMs: now },
      's',
      { stream: 's', next, epoch: 0n, appendTimeMs: 0, ...more },
      began,
    );
  return {
    ...{ ends, judge },
    pass: (ms: number) => (now += ms),
    recreate: () => (topicId = 'dua'),
    now: () => now,
    looks: () => looks,
  };
}

describe('the freshness of a read (R7)', () => {
  it('is not stale while the fold keeps up with a growing log, and the log is not read for it', async () => {
    const { judge, pass, now, looks } = reads(() => 60_000);
    for (let n = 0n; n < 2_000n; n += 20n) {
      expect(await judge(n, n + 40n, undefined, { appendTimeMs: now() - 100 })).toMatchObject({
        stale: false,
        reached: false,
      });
      pass(100);
    }
    expect(looks()).toBe(0);
  });

  it('is stale at the first look of a process when the first record that is not folded is 20 s old, however few there are', async () => {
    const { judge } = reads((offset) => (offset === 19n ? 20_000 : 0));
    expect(await judge(19n, 20n)).toMatchObject({ stale: true, reached: false });
    expect(await reads(() => 4_000).judge(19n, 20n)).toMatchObject({ stale: false, reached: false });
  });

  it('is stale at once when the store is behind what this process has read, until it has caught up', async () => {
    const { judge } = reads();
    expect(await judge(10n, 10n)).toMatchObject({ stale: false, reached: true });
    for (const next of [6n, 9n]) expect(await judge(next, 10n)).toMatchObject({ stale: true, reached: false });
    // An end of the log that was read before the events came.
    expect(await judge(9n, 9n)).toMatchObject({ stale: true, reached: false });
    expect((await judge(10n, 12n)).stale).toBe(false);
  });

  it('is not stale for a read that a later read overtook', async () => {
    const { ends, judge } = reads();
    const first = ends.begin();
    await judge(12n, 12n);
    expect((await judge(11n, 12n, first)).stale).toBe(false);
    expect((await judge(11n, 12n)).stale).toBe(true);
  });

  it('forgets the progress of a topic that was deleted and made again, and of a fold that began anew', async () => {
    const { judge, recreate, now } = reads();
    await judge(10n, 10n);
    recreate();
    expect(await judge(2n, 2n)).toMatchObject({ stale: false, reached: true });
    expect((await judge(1n, 2n)).stale).toBe(true);
    const reset = { atMs: now(), until: 1n };
    expect(await judge(1n, 1n, undefined, { reset })).toMatchObject({ stale: false, reached: true });
  });

  it('is stale after more than 5 s behind the same log end', async () => {
    const { judge, pass } = reads(() => 5_001);
    await judge(10n, 10n);
    pass(5_001);
    expect((await judge(10n, 20n)).stale).toBe(true);
  });
});

describe('a view partition that is folded again from another log (R5.9)', () => {
  it('is not trusted until it has reached the log end of the reset, or the log end itself', async () => {
    const { judge } = reads();
    const reset = { atMs: 1, until: 50n };
    expect(await judge(10n, 100n, undefined, { reset })).toMatchObject({ trusted: false, stale: true, reached: false });
    expect(await judge(50n, 100n, undefined, { reset })).toMatchObject({ trusted: true, reached: false });
    // The log is shorter now than at the reset.
    expect(await judge(60n, 60n, undefined, { reset: { atMs: 2, until: 90n } })).toMatchObject({ trusted: true });
  });

  it('is not trusted while it is filled from a snapshot', async () => {
    const { judge } = reads();
    expect(await judge(10n, 10n, undefined, { proof: 'filling' })).toMatchObject({ trusted: false, reached: false });
  });
});
