import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Reach } from './reach.js';

describe('Reach', () => {
  const told: unknown[] = [];
  let reach: Reach;
  beforeEach(() => {
    jest.useFakeTimers();
    told.length = 0;
    reach = new Reach({ afterMs: 1_000, lost: (cause) => told.push(cause), back: () => told.push('back') });
  });
  afterEach(() => {
    reach.close();
    jest.useRealTimers();
  });

  it('tells once that a part is away, with its last cause, and once that all are back, however often they fail', () => {
    for (let n = 0; n < 30; n++) {
      reach.failed('a', `a${n}`);
      reach.failed('b', `b${n}`);
      jest.advanceTimersByTime(100);
    }
    expect(told).toEqual(['a9']);
    reach.answered('a');
    reach.answered('a');
    expect(told).toHaveLength(1);
    reach.answered('b');
    expect(told).toEqual(['a9', 'back']);
  });

  it('tells nothing of a part that answers in time, also when there is always one that waits', () => {
    reach.failed('a', 1);
    for (let n = 0; n < 20; n++) {
      jest.advanceTimersByTime(500);
      reach.failed('b', 1);
      reach.answered('a');
      jest.advanceTimersByTime(400);
      reach.failed('a', 1);
      reach.answered('b');
    }
    expect(told).toEqual([]);
  });

  it('is back when the parts that were told answer, beside others that wait since, and tells those later', () => {
    reach.failed('a', 'a');
    jest.advanceTimersByTime(1_500);
    reach.failed('b', 'b');
    reach.answered('a');
    expect(told).toEqual(['a', 'back']);
    jest.advanceTimersByTime(1_000);
    expect(told).toEqual(['a', 'back', 'b']);
  });

  it('does not say that it is back when the part is not asked any more, and tells it again', () => {
    reach.failed('a', 1);
    jest.advanceTimersByTime(1_000);
    reach.forget('a');
    reach.failed('a', 2);
    jest.advanceTimersByTime(1_000);
    expect(told).toEqual([1, 2]);
  });

  it('tells nothing after it was closed', () => {
    reach.failed('a', 'a');
    reach.close();
    jest.advanceTimersByTime(5_000);
    expect(told).toEqual([]);
  });
});
