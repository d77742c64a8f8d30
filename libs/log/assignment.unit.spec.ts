import { describe, expect, it } from '@jest/globals';
import { assignPartitions } from './assignment.js';

const assign = (subscriptions: Record<string, string[]>, counts: Record<string, number>) =>
  assignPartitions(new Map(Object.entries(subscriptions)), new Map(Object.entries(counts)));
type Assignment = ReturnType<typeof assign>;

const owner = (got: Assignment, topic: string, p: number): string =>
  [...got]
    .filter(([, topics]) => topics.get(topic)?.includes(p))
    .map(([id]) => id)
    .join(' and ');
const owners = (got: Assignment, topic: string, count: number): string[] =>
  Array.from({ length: count }, (_, p) => owner(got, topic, p));

describe('the assignment of a group', () => {
  it('gives partition p of every topic to the same member, whatever the partition counts', () => {
    const all = ['a', 'b', 'c'];
    const got = assign({ m2: all, m1: all, m3: all }, { a: 8, b: 3, c: 1 });
    expect(owners(got, 'a', 8)).toEqual(['m1', 'm2', 'm3', 'm1', 'm2', 'm3', 'm1', 'm2']);
    expect(owners(got, 'b', 3)).toEqual(['m1', 'm2', 'm3']);
    expect(owners(got, 'c', 1)).toEqual(['m1']);
  });

  it('gives partition p of every topic to the same member also when one member reads only some topics', () => {
    const got = assign({ a: ['t1'], b: ['t1', 't2'], c: ['t1', 't2'] }, { t1: 6, t2: 6 });
    expect(owners(got, 't1', 6)).toEqual(['b', 'c', 'b', 'c', 'b', 'c']);
    expect(owners(got, 't2', 6)).toEqual(owners(got, 't1', 6));
  });

  it('lets a member with fewer topics share the partitions that only its topics have', () => {
    const got = assign({ a: ['t1'], b: ['t1', 't2'] }, { t1: 6, t2: 2 });
    expect(owners(got, 't1', 6)).toEqual(['b', 'b', 'a', 'b', 'a', 'b']);
    expect(owners(got, 't2', 2)).toEqual(['b', 'b']);
  });

  it('gives a topic to the next member that reads it when no member reads all topics', () => {
    const got = assign({ a: ['t1'], b: ['t2'], c: ['t2'] }, { t1: 4, t2: 4 });
    expect(owners(got, 't1', 4)).toEqual(['a', 'a', 'a', 'a']);
    expect(owners(got, 't2', 4)).toEqual(['b', 'b', 'c', 'b']);
  });

  it('gives every partition to exactly one member that reads the topic, and lists members without partitions', () => {
    const got = assign({ m1: ['a'], m2: ['a', 'late'], m3: [] }, { a: 5, late: 4, deleted: 0, unread: 2 });
    for (const o of owners(got, 'a', 5)) expect(['m1', 'm2']).toContain(o);
    expect(owners(got, 'late', 4)).toEqual(['m2', 'm2', 'm2', 'm2']);
    expect(got.get('m3')).toEqual(new Map());
    expect(owners(got, 'unread', 2)).toEqual(['', '']);
  });
});
