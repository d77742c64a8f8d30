import { describe, expect, it } from '@jest/globals';
import { assign } from './assignment.js';

const wishes = (of: Record<string, string[]>): Map<string, string[]> => new Map(Object.entries(of));

describe('the assignment of a group', () => {
  it('gives partition p of every topic to the same member, whatever the counts', () => {
    const all = ['a', 'b', 'c'];
    const got = assign(wishes({ m2: all, m1: all, m3: all }), new Map(Object.entries({ a: 8, b: 3, c: 1 })));
    const owner = (topic: string, p: number): string =>
      [...got].find(([, topics]) => topics[topic]?.includes(p))?.[0] ?? 'nobody';
    for (let p = 0; p < 8; p++) expect(owner('a', p)).toBe(['m1', 'm2', 'm3'][p % 3]);
    for (let p = 0; p < 3; p++) expect(owner('b', p)).toBe(owner('a', p));
    expect(owner('c', 0)).toBe(owner('a', 0));
  });

  it('gives every partition to exactly one member who reads the topic', () => {
    const got = assign(
      wishes({ m1: ['a'], m2: ['a', 'late'], m3: [] }),
      new Map(Object.entries({ a: 5, late: 4, gone: 0, nobody: 2 })),
    );
    const count = (topic: string): number[] => [...got.values()].flatMap((t) => t[topic] ?? []).sort();
    expect(count('a')).toEqual([0, 1, 2, 3, 4]);
    expect(count('late')).toEqual([0, 1, 2, 3]);
    expect(got.get('m2')!['late']).toEqual([0, 1, 2, 3]);
    expect(got.get('m3')).toEqual({});
    expect(count('nobody')).toEqual([]);
  });
});
