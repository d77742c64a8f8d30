import { describe, expect, it } from '@jest/globals';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { random } from '../../test/kit/random.js';
import { CopySet } from './copy-set.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

describe('a set of copies', () => {
  it.each(['ascending', 'descending', 'mixed'])('answers as a map does, for copies that come in %s order', (order) => {
    const next = random(7);
    const offsets = Array.from({ length: 5_000 }, (_, i) => i * 3);
    if (order === 'descending') offsets.reverse();
    if (order === 'mixed') offsets.sort(() => next() - 0.5);
    const [set, map] = [new CopySet(), new Map<number, number>()];
    for (const offset of [...offsets, ...offsets.slice(0, 100)]) {
      const first = Math.floor(next() * offset);
      set.add(offset, first);
      map.set(offset, first);
    }
    expect(set.size).toBe(map.size);
    const asked = Array.from({ length: 15_002 }, (_, i) => i - 1);
    expect(asked.map((offset) => set.get(offset))).toEqual(asked.map((offset) => map.get(offset)));
    expect([...set.entries()]).toEqual([...map].sort(([a], [b]) => a - b));
  });

  it('takes 16 bytes a copy, and little more', () => {
    const sets = Array.from({ length: 64 }, () => new CopySet());
    gc();
    const before = process.memoryUsage();
    for (let i = 0; i < 500_000; i++) sets[i % 64]!.add(i * 7, i * 7 - 3);
    gc();
    const after = process.memoryUsage();
    const used = after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers;
    expect(used / 500_000).toBeLessThan(20);
  });
});
