import { describe, expect, it } from '@jest/globals';
import { TokenBucket } from './token-bucket.js';

function bucket(options: { perSecond?: number; burst?: number; owners?: number } = {}) {
  let at = 1_000;
  const made = new TokenBucket({ perSecond: 10, burst: 5, now: () => at, ...options });
  return { made, pass: (ms: number) => void (at += ms) };
}

describe('TokenBucket', () => {
  it('gives the burst at once, then as many tokens as come back in the time', () => {
    const { made, pass } = bucket();
    expect(Array.from({ length: 6 }, () => made.take('a'))).toEqual([0, 0, 0, 0, 0, 100]);
    pass(100);
    expect([made.take('a'), made.take('a')]).toEqual([0, 100]);
  });

  it('answers a refused request with the time after which it will be granted, and takes nothing', () => {
    const { made, pass } = bucket();
    made.take('a', 4);
    expect(made.take('a', 3)).toBe(200);
    expect(made.take('a', 1)).toBe(0);
    pass(300);
    expect(made.take('a', 3)).toBe(0);
  });

  it('keeps the owners apart', () => {
    const { made } = bucket();
    made.take('a', 5);
    expect([made.take('a'), made.take('b')]).toEqual([100, 0]);
  });

  it('never holds more than the burst, however long nobody takes', () => {
    const { made, pass } = bucket();
    made.take('a');
    pass(3_600_000);
    expect([made.take('a', 5), made.take('a')]).toEqual([0, 100]);
  });

  it('lets a measured cost be charged beyond what is there, and waits until the debt is paid', () => {
    const { made, pass } = bucket();
    made.charge('a', 25);
    expect(made.waitMs('a')).toBe(2_100);
    pass(2_000);
    expect(made.waitMs('a')).toBe(100);
    pass(100);
    expect(made.take('a')).toBe(0);
  });

  it('grants a cost above the burst from a full bucket only', () => {
    const { made, pass } = bucket();
    expect(made.take('a', 20)).toBe(0);
    expect(made.waitMs('a', 20)).toBe(2_000);
    pass(2_000);
    expect(made.take('a', 20)).toBe(0);
  });

  it('remembers no more owners than its bound: full buckets are forgotten first, then the least recently used', () => {
    const { made, pass } = bucket({ owners: 3 });
    made.take('full');
    pass(100);
    for (const owner of ['a', 'b', 'c']) made.take(owner, 5);
    expect([made.size, made.waitMs('a')]).toEqual([3, 100]);
    made.charge('a', 1);
    made.take('d', 5);
    expect(made.size).toBe(3);
    expect([made.waitMs('a'), made.waitMs('b'), made.waitMs('c'), made.waitMs('d')]).toEqual([200, 0, 100, 100]);
  });
});
