import { describe, expect, it } from '@jest/globals';
import { random } from '../../test/kit/random.js';
import { count, giveUp, missingText, numberIn, type Numbers } from './numbers.js';

const SEEDS = Array.from({ length: 40 }, (_, n) => n + 1);

function shuffled(numbers: readonly number[], next: () => number): number[] {
  const out = [...numbers];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

describe('numbers of a source', () => {
  it.each(SEEDS)(
    'in any order leave exactly those missing that did not come, and a repeat is told (seed %i)',
    (seed) => {
      const next = random(seed);
      const all = Array.from({ length: 30 }, (_, n) => n + 1).filter(() => next() < 0.75);
      const order = shuffled(all, next);
      // Some come twice, at a later place.
      for (let n = 0; n < 5; n++)
        order.splice(Math.floor(next() * order.length) + 1, 0, order[Math.floor(next() * order.length)]!);
      const seen = new Set<number>();
      let numbers: Numbers | undefined;
      for (const [ms, n] of order.entries()) {
        const counted = count(numbers, n, ms);
        expect(counted.isRepeat).toBe(seen.has(n));
        seen.add(n);
        ({ numbers } = counted);
        const [low, last] = [Math.min(...seen), Math.max(...seen)];
        const missing = Array.from({ length: last - low + 1 }, (_, i) => low + i).filter((m) => !seen.has(m));
        const told = numbers.missing.flatMap(({ from, to }) =>
          Array.from({ length: to - from + 1 }, (_, i) => from + i),
        );
        expect([numbers.low, numbers.last, told]).toEqual([low, last, missing]);
      }
    },
  );

  it('keep the time at which a gap was first seen when only a part of it is filled', () => {
    let { numbers } = count(undefined, 1, 10);
    ({ numbers } = count(numbers, 9, 20));
    ({ numbers } = count(numbers, 5, 30));
    expect(numbers.missing).toEqual([
      { from: 2, to: 4, sinceMs: 20 },
      { from: 6, to: 8, sinceMs: 20 },
    ]);
    expect(missingText(numbers.missing)).toBe('2-4, 6-8');
  });

  it('take no more memory than 20 gaps, whatever a source sends', () => {
    let numbers: Numbers | undefined;
    for (let n = 1; n < 10_000; n += 2) ({ numbers } = count(numbers, n, n));
    expect(numbers!.missing).toHaveLength(20);
    expect(numbers!.missing.at(-1)).toEqual({ from: 9_998, to: 9_998, sinceMs: 9_999 });
  });

  it('are given up when they are missing for too long', () => {
    let { numbers } = count(undefined, 1, 0);
    ({ numbers } = count(numbers, 3, 100));
    ({ numbers } = count(numbers, 5, 200));
    expect(giveUp(numbers, 150).missing).toEqual([{ from: 4, to: 4, sinceMs: 200 }]);
    expect(giveUp(numbers, 100)).toBe(numbers);
  });

  it.each([
    ['7', 7],
    ['9007199254740991', 9_007_199_254_740_991],
    ['9007199254740993', undefined],
    ['0', undefined],
    ['-1', undefined],
    ['07', undefined],
    ['1e3', undefined],
    ['tujuh', undefined],
    [undefined, undefined],
  ])('urutanunit %p is the number %p', (text, n) => {
    expect(numberIn(text)).toBe(n);
  });
});
