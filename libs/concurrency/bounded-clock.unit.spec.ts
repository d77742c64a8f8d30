import { beforeEach, describe, expect, it } from '@jest/globals';
import { BoundedClock } from './bounded-clock.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const BEGAN = Date.parse('2026-01-01T00:00:00Z');
let steady: number;
let offset: number;
let told: number[];
let clock: BoundedClock;
beforeEach(() => {
  [steady, offset, told] = [0, 0, []];
  clock = new BoundedClock({
    wall: () => BEGAN + steady + offset,
    steady: () => steady,
    differs: (byMs) => told.push(byMs),
  });
});
/** How far the clock is from the true time after each second of this time. */
function pass(ms: number): number {
  for (const end = steady + ms; steady < end;) {
    steady += 1_000;
    clock.now();
  }
  return clock.now() - (BEGAN + steady);
}

describe('the clock of a process', () => {
  it('is the wall clock, also when that is corrected by seconds or an hour', () => {
    expect(pass(HOUR)).toBe(0);
    offset = 3_000;
    expect(pass(1_000)).toBe(3_000);
    expect(pass(5 * MINUTE)).toBe(3_000);
    offset = HOUR;
    expect(pass(1_000)).toBe(HOUR);
    expect(told).toEqual([]);
  });

  it('is at most some hours ahead when the wall clock was nine days ahead for a minute, and is right again later', () => {
    pass(HOUR);
    offset = 9 * DAY;
    expect(pass(65_000)).toBeLessThan(2.2 * HOUR);
    offset = 0;
    expect(pass(DAY)).toBe(0);
    expect(told).toHaveLength(2);
    expect(told[0]).toBeGreaterThan(8 * DAY);
    expect(told[1]).toBe(0);
  });

  it('follows a jump that stays, in hours', () => {
    offset = 9 * DAY;
    pass(HOUR);
    expect(pass(HOUR)).toBeLessThan(9 * DAY);
    expect(pass(3 * HOUR)).toBe(9 * DAY);
    expect(told.at(-1)).toBe(0);
  });

  it('begins at the newest thing whose age it tells: a start under a wrong clock makes nothing old', () => {
    offset = 9 * DAY;
    const ages = new BoundedClock({ wall: () => BEGAN + steady + offset, steady: () => steady, start: BEGAN });
    expect(ages.now()).toBe(BEGAN + HOUR);
    steady += MINUTE;
    offset = 0;
    expect(ages.now()).toBeLessThan(BEGAN + 2 * HOUR);
    const fresh = new BoundedClock({ wall: () => BEGAN + steady, steady: () => steady, start: 0 });
    expect(fresh.now()).toBe(BEGAN + steady);
  });

  it('never goes back: while the wall clock is behind, it runs at half the speed', () => {
    pass(HOUR);
    offset = -HOUR;
    let last = clock.now();
    for (let i = 0; i < 7_300; i++) {
      steady += 1_000;
      const now = clock.now();
      expect(now).toBeGreaterThan(last);
      last = now;
    }
    expect(last).toBe(BEGAN + steady + offset);
  });
});
