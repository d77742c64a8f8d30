import { describe, expect, it } from '@jest/globals';
import { judgeDeliveries, type Arrival, type Due, type Fault, type Standing } from './judge.js';

const event = (n: number, subject = 'a'): Due => ({ id: `e${n}`, source: 's', subject, position: `x/0/${n}` });
const arrival = (n: number, at: number, more: Partial<Arrival> = {}): Arrival => ({
  ...{
    to: 'satu',
    at,
    answeredAt: at,
    webhookId: `m${n}`,
    id: `e${n}`,
    source: 's',
    position: `x/0/${n}`,
    taken: true,
  },
  ...more,
});
const KILL: Fault = { what: 'hub', from: 5_000, until: 5_000, beforeMs: 1_000 };
const judge = (arrivals: readonly Arrival[], faults: readonly Fault[] = [], stands: Standing['stands'] = []) =>
  judgeDeliveries([event(1), event(2), event(3), event(9, 'b')], arrivals, faults, new Map([['satu', { stands }]]));
const ALL = [arrival(1, 10), arrival(2, 20), arrival(9, 15), arrival(3, 30)];

describe('the judge of deliveries', () => {
  it('finds nothing when every event came once, in order per subject, whatever other subjects do', () => {
    expect(judge(ALL)).toEqual({
      ...{ due: 4, delivered: 4, repeated: 0, oldestRepeatMs: 0 },
      ...{ missing: [], early: [], again: [], otherIds: [], unknown: [] },
    });
  });

  it('finds what neither came nor stands; what is held behind a parked event is not missing', () => {
    expect(judge([arrival(1, 10), arrival(9, 15)]).missing).toEqual(['satu: x/0/2 e2', 'satu: x/0/3 e3']);
    const refused = [arrival(1, 10), arrival(2, 20, { taken: false }), arrival(9, 15)];
    expect(judge(refused, [], [{ position: 'x/0/2', held: 1 }]).missing).toEqual([]);
    expect(judge(refused, [], [{ position: 'x/0/2', held: 0 }]).missing).toEqual([
      'satu: 1 events behind x/0/2, 0 held',
    ]);
    // It was taken, and the answer was cut off.
    const cut = [arrival(1, 10), arrival(2, 20), arrival(9, 15)];
    expect(judge(cut, [], [{ position: 'x/0/2', held: 1 }]).missing).toEqual([]);
    expect(judge(cut, [], [{ position: 'x/0/2', held: 0 }]).missing).toEqual(['satu: 1 events behind x/0/2, 0 held']);
  });

  it('finds an event that came before an earlier one of its subject was taken', () => {
    expect(judge([arrival(2, 5), ...ALL]).early).toEqual(['satu: x/0/2 e2: x/0/1 was not taken yet']);
    const refused = arrival(2, 20, { taken: false });
    expect(judge([arrival(1, 10), refused, arrival(3, 30), arrival(9, 31)]).early).toHaveLength(1);
  });

  it('allows a repeat only of what ended at most a second before a kill, and only after it', () => {
    const ended = (at: number, again: number, faults: readonly Fault[]) => {
      const { repeated, again: wrong } = judge([...ALL.slice(0, 3), arrival(3, at), arrival(3, again)], faults);
      return [repeated, wrong.length];
    };
    expect(ended(4_200, 6_000, [KILL])).toEqual([1, 0]);
    expect(ended(3_900, 6_000, [KILL])).toEqual([0, 1]);
    expect(ended(4_200, 4_900, [KILL])).toEqual([0, 1]);
    expect(ended(5_100, 6_000, [KILL])).toEqual([0, 1]);
    expect(ended(4_200, 6_000, [])).toEqual([0, 1]);
    expect(ended(4_200, 6_000, [{ ...KILL, receiver: 'dua' }])).toEqual([0, 1]);
  });

  it('allows what came again to come again after the next kill', () => {
    const twice = [arrival(3, 4_800), arrival(3, 6_000), arrival(3, 7_000)];
    const { repeated, again } = judge([...ALL.slice(0, 3), ...twice], [KILL, { ...KILL, from: 6_500, until: 6_500 }]);
    expect([repeated, again.length]).toEqual([2, 0]);
  });

  it('finds another webhook-id or position at a repeat, one webhook-id for two events, and an event that nobody published', () => {
    expect(judge([...ALL, arrival(3, 40, { webhookId: 'm9x' })]).otherIds).toHaveLength(1);
    expect(judge([...ALL.slice(0, 3), arrival(3, 30, { position: 'x/0/4' })]).otherIds).toHaveLength(1);
    expect(judge([...ALL.slice(0, 3), arrival(3, 30, { webhookId: 'm1' })]).otherIds).toHaveLength(1);
    expect(judge([...ALL, arrival(7, 50)]).unknown).toHaveLength(1);
  });
});
