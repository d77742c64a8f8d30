import { describe, expect, it } from '@jest/globals';
import { backoffMs } from './connection.js';
import { createIds } from './ids.js';
import { Lanes } from './lanes.js';
import { Seen } from './seen.js';
import { Sequences } from './sequence.js';

describe('ids', () => {
  it('sort in the order they were made and never repeat, with a clock that stands still or goes back', () => {
    const times = [1000, 1000, 1000, 900, 2000];
    const next = createIds({ now: () => times.shift() ?? 2000, random: () => 0.999 });
    const made = Array.from({ length: 200 }, next);
    expect(new Set(made).size).toBe(200);
    expect(made.every((id) => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(id))).toBe(true);
    expect(made[3]! > made[0]! || made[3] !== made[0]).toBe(true);
    expect(made[4]! > made[3]!).toBe(true);
  });
  it('are the same for the same clock and chance', () => {
    const a = createIds({ now: () => 5, random: () => 0.25 });
    const b = createIds({ now: () => 5, random: () => 0.25 });
    expect(a()).toBe(b());
  });
});

describe('urutanunit', () => {
  it('counts per stream, and the number of a refused event is used again', () => {
    const s = new Sequences({ 'pas.hunian': 7 });
    expect([s.take('pas.hunian'), s.take('pas.hunian'), s.take('pas.remisi')]).toEqual([8, 9, 1]);
    s.giveBack('pas.hunian', 8);
    expect(s.take('pas.hunian')).toBe(8);
    expect(s.take('pas.hunian')).toBe(10);
    s.giveBack('pas.hunian', 10);
    expect(s.snapshot()).toEqual({ 'pas.hunian': 9, 'pas.remisi': 1 });
  });
});

describe('lanes', () => {
  it('run one lane in order and others side by side, a job in two lanes after both', async () => {
    const lanes = new Lanes(8);
    const log: string[] = [];
    const gate = Promise.withResolvers<void>();
    const all = [
      lanes.run(['a'], async () => {
        await gate.promise;
        log.push('a1');
      }),
      lanes.run(['a', 'b'], async () => void log.push('ab')),
      lanes.run(['b'], async () => void log.push('b2')),
      lanes.run(['c'], async () => void log.push('c1')),
    ];
    await all[3];
    expect(log).toEqual(['c1']);
    gate.resolve();
    await lanes.idle();
    expect(log).toEqual(['c1', 'a1', 'ab', 'b2']);
    expect(lanes.pending).toBe(0);
  });
  it('go on after a job that failed, and never run more than their width at once', async () => {
    const lanes = new Lanes(2);
    let now = 0;
    let most = 0;
    const jobs = Array.from({ length: 9 }, (_, i) =>
      lanes.run([String(i % 5)], async () => {
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

describe('waiting', () => {
  it('doubles up to its limit with jitter, and never less than the hub asked', () => {
    expect(backoffMs(1, undefined, () => 1)).toBe(100);
    expect(backoffMs(3, undefined, () => 0)).toBe(200);
    expect(backoffMs(30, undefined, () => 1)).toBe(5000);
    expect(backoffMs(1, 2000, () => 0)).toBe(2000);
  });
});

describe('copies', () => {
  const e = (id: string, digest?: string) => ({ source: 's', id, ...(digest === undefined ? {} : { digest }) });
  it('are dropped by source and id, other content under a used id is kept', () => {
    const seen = new Seen();
    expect([e('1', 'x'), e('1', 'x'), e('2', 'x'), e('1', 'y'), e('1', 'y'), e('1')].map((x) => seen.first(x))).toEqual(
      [true, false, true, true, false, false],
    );
  });
});
