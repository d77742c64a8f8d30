import { describe, expect, it } from '@jest/globals';
import type { EventLog } from '#log';
import { Ends } from './ends.js';

/** Reads of one view partition, by a clock that stands until it is moved. */
function reads() {
  let now = 1_000_000;
  const ends = new Ends({} as EventLog, () => now);
  const judge = (next: bigint, high: bigint, began = ends.begin()) =>
    ends.judge('v~1', { partition: 0, low: 0n, high }, 's', { stream: 's', next, epoch: 0n, appendTimeMs: 0 }, began);
  return { ends, judge, pass: (ms: number) => (now += ms) };
}

describe('the freshness of a read (R7)', () => {
  it('is not stale while the fold keeps up with a growing log', () => {
    const { judge, pass } = reads();
    for (let n = 0n; n < 2_000n; n += 20n) {
      expect(judge(n, n + 40n)).toMatchObject({ stale: false, reached: false });
      pass(100);
    }
  });

  it('is stale at once when the store is behind what this process has read, until it has caught up', () => {
    const { judge } = reads();
    expect(judge(10n, 10n)).toMatchObject({ stale: false, reached: true });
    for (const next of [6n, 9n]) expect(judge(next, 10n)).toMatchObject({ stale: true, reached: false });
    // An end of the log that was read before the events came.
    expect(judge(9n, 9n)).toMatchObject({ stale: true, reached: false });
    expect(judge(10n, 12n).stale).toBe(false);
  });

  it('is not stale for a read that a later read overtook', () => {
    const { ends, judge } = reads();
    const first = ends.begin();
    judge(12n, 12n);
    expect(judge(11n, 12n, first).stale).toBe(false);
    expect(judge(11n, 12n).stale).toBe(true);
  });

  it('forgets the progress of a topic that was deleted and made again', () => {
    const { judge, pass } = reads();
    judge(10n, 10n);
    pass(5_001);
    expect(judge(2n, 2n)).toMatchObject({ stale: false, reached: true });
    expect(judge(1n, 2n).stale).toBe(true);
  });

  it('is stale after more than 5 s behind the same log end', () => {
    const { judge, pass } = reads();
    judge(10n, 20n);
    pass(5_001);
    expect(judge(11n, 20n).stale).toBe(true);
  });
});
