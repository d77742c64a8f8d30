import { describe, expect, it } from '@jest/globals';
import { Bench, OK, places, REFUSED } from './lanes.fixture.js';

const at = (...offsets: number[]): { stream: string; partition: number; offset: bigint }[] =>
  offsets.map((offset) => ({ stream: 'a', partition: 0, offset: BigInt(offset) }));

describe('what a lease of an earlier owner was sent', () => {
  it('is finished when it is committed: in memory, before the feed comes to it, and in rows; the rest of its lane follows', () => {
    const b = new Bench({}, [{ kind: 'held', position: 'a/0/3', lane: 'a\ny', subject: 'y' }]);
    b.offer('x');
    b.apply(b.lanes.deliveredBefore(at(0, 1, 3)));
    for (const subject of ['x', 'x', 'y', 'x', 'y']) b.offer(subject);
    expect([...b.rows.keys()]).toEqual([]);
    const rest: (number[] | undefined)[] = [];
    for (let a = b.take(); a !== undefined; a = b.take()) {
      rest.push(places(a));
      b.settle(a, OK);
    }
    expect(rest.flat().toSorted()).toEqual([2, 4, 5]);
    expect(b.next()).toBe(6n);
  });

  it('is stored in the cursor at once, also above events that are not finished', () => {
    const b = new Bench();
    b.offer('x');
    b.offer('y');
    b.apply(b.lanes.deliveredBefore(at(1, 7)));
    expect(b.lanes.cursor('a')).toMatchObject({ next: [0n], done: { 0: [1n, 7n] } });
  });

  it('is left alone where it is not the front of its lane, or is tried now; again is nothing', () => {
    const b = new Bench();
    for (const subject of ['x', 'x', 'y']) b.offer(subject);
    b.apply(b.lanes.deliveredBefore(at(1)));
    const flying = b.take()!;
    expect(places(flying)).toEqual([0]);
    b.apply(b.lanes.deliveredBefore(at(0)));
    b.settle(flying, OK);
    b.apply(b.lanes.deliveredBefore(at(0)));
    expect(b.run(() => OK).toSorted()).toEqual([1, 2]);
  });

  it('ends a parked event that was leased for its redrive, and what it held goes on', () => {
    const b = new Bench();
    b.offer('x');
    b.settle(b.take()!, REFUSED);
    b.offer('x');
    const after = new Bench({}, [...b.rows.values()]);
    after.apply(after.lanes.deliveredBefore(at(0)));
    expect(after.lanes.counts()).toMatchObject({ parked: 0, held: 1 });
    expect(after.run(() => OK)).toEqual([1]);
    expect([...after.rows.keys()]).toEqual([]);
  });
});

describe('an attempt', () => {
  it('has no more bytes than it is asked for, but always one item', () => {
    const b = new Bench({ probes: false });
    for (const subject of ['x', 'x', 'y', 'z']) b.offer(subject);
    const sizes: number[] = [];
    for (let a = b.lanes.take(10, 10, 2); a !== undefined; a = b.lanes.take(10, 10, 2)) sizes.push(a.items.length);
    expect(sizes).toEqual([2, 2]);
    expect(new Bench().lanes.take(10, 10, 0)).toBeUndefined();
  });
});
