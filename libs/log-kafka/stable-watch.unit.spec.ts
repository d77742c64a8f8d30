import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { StableWatch, type OpenTransaction } from './stable-watch.js';

const part = (lastStable: bigint, highWatermark: bigint): Omit<OpenTransaction, 'openMs'> => ({
  topic: 'layanan.kasus',
  partition: 2,
  lastStable,
  highWatermark,
});

describe('a partition whose last stable offset stands below its high watermark', () => {
  let told: OpenTransaction[];
  let watch: StableWatch;

  beforeEach(() => {
    jest.useFakeTimers();
    told = [];
    watch = new StableWatch((open) => told.push(open));
  });
  afterEach(() => {
    watch.close();
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  it('is told after 60 s, although no further answer names it, and every ten minutes while it goes on', () => {
    watch.seen('t/2', part(5n, 7n));
    jest.advanceTimersByTime(50_000);
    watch.seen('t/2', part(5n, 9n));
    expect(told).toEqual([]);
    jest.advanceTimersByTime(10_000);
    expect(told).toEqual([{ ...part(5n, 9n), openMs: 60_000 }]);
    jest.advanceTimersByTime(590_000);
    expect(told).toHaveLength(1);
    jest.advanceTimersByTime(10_000);
    expect(told).toHaveLength(2);
  });

  it('is not told when its transactions end in time, one after the other, or when the broker does not know', () => {
    watch.seen('t/2', part(5n, 7n));
    jest.advanceTimersByTime(40_000);
    watch.seen('t/2', part(6n, 8n));
    jest.advanceTimersByTime(40_000);
    watch.seen('t/2', part(9n, 9n));
    watch.seen('t/3', part(-1n, 9n));
    jest.advanceTimersByTime(600_000);
    expect(told).toEqual([]);
    // and no timer is left while there is nothing to watch
    expect(jest.getTimerCount()).toBe(0);
  });
});
