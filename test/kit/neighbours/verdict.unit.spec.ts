import { describe, expect, it } from '@jest/globals';
import { verdictOf } from './verdict.js';

const waits = (p99: number, p50 = 4) => ({ p50, p99 });

describe('the verdict on a publisher beside an attack', () => {
  it('goes by the publisher alone on a calm machine, however long it waits beside the control', () => {
    expect(verdictOf([waits(8), waits(12)], waits(60), waits(49))).toEqual({
      isCalm: true,
      timesQuiet: 4.9,
      timesControl: 0.8,
      bound: { p50: 20, p99: 50 },
    });
  });

  it('takes a machine for calm while one quiet measurement is at most twice the other, whichever is first', () => {
    for (const quiet of [
      [waits(10), waits(20)],
      [waits(20), waits(10)],
    ] as const)
      expect(verdictOf(quiet, waits(10), waits(10)).isCalm).toBe(true);
    for (const quiet of [
      [waits(10), waits(21)],
      [waits(21), waits(10)],
    ] as const)
      expect(verdictOf(quiet, waits(10), waits(10)).isCalm).toBe(false);
  });

  it('goes by the longest of the quiet ones and the control elsewhere, and still tells how many times the quiet wait it is', () => {
    expect(verdictOf([waits(10), waits(50, 6)], waits(60, 5), waits(90))).toEqual({
      isCalm: false,
      timesQuiet: 3,
      timesControl: 1.5,
      bound: { p50: 30, p99: 300 },
    });
    expect(verdictOf([waits(10), waits(90)], waits(60), waits(1)).bound.p99).toBe(450);
  });
});
