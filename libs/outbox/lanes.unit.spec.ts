import { describe, expect, it } from '@jest/globals';
import { random } from '../../test/kit/random.js';
import { Lanes, type Item, type TakeLimits } from './lanes.js';

const item = (seq: number, key: string, urgent = false): Item => ({ seq, key, urgent, bytes: 10 });
const ONE = { events: 1, bytes: 1e9 };
const ALL = { events: 1e9, bytes: 1e9 };
const take = (lanes: Lanes, limits: TakeLimits = ALL): number[] => lanes.take(limits).map((i) => i.seq);

describe('the order of an outbox', () => {
  it('is the order of queueing between keys, and one after another within a key', () => {
    const lanes = new Lanes();
    const items = [item(1, 'a'), item(2, 'b'), item(3, 'a'), item(4, 'c')];
    for (const i of items) lanes.add(i);
    expect(take(lanes)).toEqual([1, 2, 4]);
    expect(take(lanes)).toEqual([]);
    lanes.settle(items[1]!);
    expect(take(lanes)).toEqual([]);
    lanes.settle(items[0]!);
    expect(take(lanes)).toEqual([3]);
  });

  it('lets an urgent event overtake other keys, together with the earlier events of its own key and never before them', () => {
    const lanes = new Lanes();
    for (const i of [item(1, 'a'), item(2, 'b'), item(3, 'c'), item(4, 'b', true), item(5, 'b')]) lanes.add(i);
    const order: number[] = [];
    for (let next = lanes.take(ONE); next.length > 0; next = lanes.take(ONE)) {
      order.push(next[0]!.seq);
      lanes.settle(next[0]!);
    }
    expect(order).toEqual([2, 4, 1, 3, 5]);
    expect(lanes.waiting).toBe(0);
  });

  it('keeps a place for urgent events: with urgentOnly no other event is taken', () => {
    const lanes = new Lanes();
    lanes.add(item(1, 'a'));
    expect(take(lanes, { ...ALL, urgentOnly: true })).toEqual([]);
    lanes.add(item(2, 'a', true));
    expect(take(lanes, { ...ALL, urgentOnly: true })).toEqual([1]);
  });

  it('takes no more than the limits of events and bytes, and a larger event alone', () => {
    const lanes = new Lanes();
    for (let i = 1; i <= 5; i++) lanes.add({ ...item(i, `k${i}`), bytes: i === 4 ? 1_000 : 10 });
    expect(take(lanes, { events: 2, bytes: 1e9 })).toEqual([1, 2]);
    expect(take(lanes, { events: 9, bytes: 15 })).toEqual([3]);
    expect(take(lanes, { events: 9, bytes: 15 })).toEqual([4]);
  });

  it('holds the later events of a stopped key and no others, also after an event of it was put back', () => {
    const lanes = new Lanes();
    const first = item(1, 'a');
    for (const i of [first, item(2, 'a'), item(3, 'b')]) lanes.add(i);
    expect(take(lanes)).toEqual([1, 3]);
    lanes.stop('a');
    lanes.settle(first);
    expect([take(lanes), lanes.stopped, lanes.stoppedKeys()]).toEqual([[], 1, ['a']]);
    lanes.add(first);
    lanes.go('a');
    expect([take(lanes), lanes.stopped]).toEqual([[1], 0]);
  });

  it.each([3, 17, 92, 2021])('keeps the order of every key under random use, and loses nothing (seed %d)', (seed) => {
    const rnd = random(seed);
    const lanes = new Lanes();
    const sent = new Map<string, number[]>();
    let open: Item[] = [];
    let seq = 0;
    const step = (): void => {
      const dice = rnd();
      if (dice < 0.4 && seq < 3_000) lanes.add(item(++seq, `k${Math.floor(rnd() * 20)}`, rnd() < 0.1));
      else if (dice < 0.7) open.push(...lanes.take({ events: 1 + Math.floor(rnd() * 8), bytes: 60 }));
      else if (dice < 0.75) {
        // the request failed as a whole
        for (const i of open) lanes.putBack(i);
        open = [];
      } else {
        for (const i of open) {
          sent.set(i.key, [...(sent.get(i.key) ?? []), i.seq]);
          lanes.settle(i);
        }
        open = [];
      }
    };
    while (seq < 3_000 || lanes.waiting > 0 || open.length > 0) step();
    const all = [...sent.values()];
    expect(all.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 3_000 }, (_, i) => i + 1));
    for (const own of all) expect(own).toEqual(own.toSorted((a, b) => a - b));
  });
});
