import { describe, expect, it } from '@jest/globals';
import { backoffMs } from './connection.js';
import { createIds } from './ids.js';
import { Deduplicator } from './deduplicator.js';
import { KeyedQueue } from './keyed-queue.js';
import { SequenceNumbers } from './sequence-numbers.js';

describe('ids of one generator', () => {
  it('sort in the order of their creation and never repeat, also when the clock does not move or goes back', () => {
    const times = [1000, 1000, 1000, 900, 2000];
    const next = createIds({ now: () => times.shift() ?? 2000, random: () => 0.999 });
    const made = Array.from({ length: 200 }, next);
    expect(new Set(made).size).toBe(200);
    expect(made.every((id) => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(id))).toBe(true);
    expect(made[3]! > made[0]! || made[3] !== made[0]).toBe(true);
    expect(made[4]! > made[3]!).toBe(true);
  });
  it('are the same for the same clock and the same random numbers', () => {
    const a = createIds({ now: () => 5, random: () => 0.25 });
    const b = createIds({ now: () => 5, random: () => 0.25 });
    expect(a()).toBe(b());
  });
});

describe('sequence numbers (urutanunit)', () => {
  it('count per stream, and the number of a refused event is used again', () => {
    const s = new SequenceNumbers({ 'pas.hunian': 7 });
    expect([s.take('pas.hunian'), s.take('pas.hunian'), s.take('pas.remisi')]).toEqual([8, 9, 1]);
    s.release('pas.hunian', 8);
    expect(s.take('pas.hunian')).toBe(8);
    expect(s.take('pas.hunian')).toBe(10);
    s.release('pas.hunian', 10);
    expect(s.lastUsed()).toEqual({ 'pas.hunian': 9, 'pas.remisi': 1 });
  });
});

describe('KeyedQueue', () => {
  it('runs the jobs of one key in order and jobs of other keys concurrently; a job with two keys runs after both', async () => {
    const queue = new KeyedQueue(8);
    const log: string[] = [];
    const gate = Promise.withResolvers<void>();
    const all = [
      queue.run(['a'], async () => {
        await gate.promise;
        log.push('a1');
      }),
      queue.run(['a', 'b'], async () => void log.push('ab')),
      queue.run(['b'], async () => void log.push('b2')),
      queue.run(['c'], async () => void log.push('c1')),
    ];
    await all[3];
    expect(log).toEqual(['c1']);
    gate.resolve();
    await queue.idle();
    expect(log).toEqual(['c1', 'a1', 'ab', 'b2']);
    expect(queue.pending).toBe(0);
  });
  it('runs later jobs after a failed one, and never more jobs at once than its concurrency', async () => {
    const queue = new KeyedQueue(2);
    let now = 0;
    let most = 0;
    const jobs = Array.from({ length: 9 }, (_, i) =>
      queue.run([String(i % 5)], async () => {
        most = Math.max(most, ++now);
        await new Promise((r) => setImmediate(r));
        now--;
        if (i === 1) throw new Error('refused');
      }),
    );
    const ends = await Promise.allSettled(jobs);
    expect(ends.filter((e) => e.status === 'rejected')).toHaveLength(1);
    expect(most).toBe(2);
  });
});

describe('backoff', () => {
  it('doubles up to its limit, with jitter, and is at least the Retry-After of the hub', () => {
    expect(backoffMs(1, undefined, () => 1)).toBe(100);
    expect(backoffMs(3, undefined, () => 0)).toBe(200);
    expect(backoffMs(30, undefined, () => 1)).toBe(5000);
    expect(backoffMs(1, 2000, () => 0)).toBe(2000);
  });
});

describe('copies', () => {
  const e = (id: string, digest?: string) => ({ source: 's', id, ...(digest === undefined ? {} : { digest }) });
  it('are found by source and id; an event with other content under a used id is no copy', () => {
    const copies = new Deduplicator();
    expect(
      [e('1', 'x'), e('1', 'x'), e('2', 'x'), e('1', 'y'), e('1', 'y'), e('1')].map((x) => copies.isNew(x)),
    ).toEqual([true, false, true, true, false, false]);
  });
});
