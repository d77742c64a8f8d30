import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { NewRecord } from '#log';
import { FetchCache, type Fetched } from './fetch-cache.js';
import { codecs } from './platformatic/index.js';
import { encodeBatch } from '#kafka-records';

/** One batch of ten records of this size at an offset. */
function tenAt(base: bigint, bytes = 10, leaderEpoch = 0): Buffer {
  const records: NewRecord[] = Array.from({ length: 10 }, () => ({
    key: null,
    value: Buffer.alloc(bytes),
    headers: [],
  }));
  const origin = { producerId: -1n, epoch: -1, sequence: -1, timeMs: 1 };
  const batch = encodeBatch(records, origin, (b) => codecs.crc32c(b));
  batch.writeBigInt64BE(base);
  batch.writeInt32BE(leaderEpoch, 12);
  return batch;
}

const fetched = (bytes: Buffer, from: bigint, lastEpoch?: number): Fetched => ({
  batches: { bytes, committed: false, aborted: [] },
  place: { from, lastEpoch },
  low: 0n,
  high: 100n,
});
const at = (from: bigint, lastEpoch?: number): { from: bigint; lastEpoch: number | undefined } => ({ from, lastEpoch });

describe('what a fetch brought and a read did not take', () => {
  let cache: FetchCache;
  beforeEach(() => {
    jest.useFakeTimers();
    cache = new FetchCache();
  });
  afterEach(() => {
    cache.close();
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  it('is found by a read that goes on in it, until a read has taken its end', () => {
    const all = fetched(Buffer.concat([tenAt(0n), tenAt(10n)]), 0n);
    cache.keep('a', all, 5n);
    for (const from of [0n, 5n, 19n]) expect(cache.find('a', at(from))?.batches.bytes).toEqual(all.batches.bytes);
    for (const from of [20n, 30n]) expect(cache.find('a', at(from))).toBeUndefined();
    expect(cache.find('b', at(5n))).toBeUndefined();
    cache.keep('a', cache.find('a', at(5n))!, 20n);
    expect([cache.find('a', at(5n)), cache.bytes]).toEqual([undefined, 0]);
  });

  it('is nothing when the read took all of it', () => {
    cache.keep('a', fetched(tenAt(0n), 0n), 10n);
    expect([cache.find('a', at(0n)), cache.bytes]).toEqual([undefined, 0]);
  });

  it('is not given to a reader that has seen another leader epoch before it: the log decides', () => {
    const bytes = Buffer.concat([tenAt(10n, 10, 3), tenAt(20n, 10, 5)]);
    cache.keep('a', fetched(bytes, 10n, 2), 12n);
    const found = (from: bigint, epoch?: number): boolean => cache.find('a', at(from, epoch)) !== undefined;
    expect([found(10n), found(10n, 2), found(10n, 1)]).toEqual([true, true, false]);
    expect([found(15n, 3), found(20n, 3), found(20n, 4), found(21n, 5), found(21n, 3)]).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
  });

  it('is swept after 5 s, although nobody asks', () => {
    for (let i = 0; i < 50; i++) cache.keep(`p${i}`, fetched(tenAt(0n, 10_000), 0n), 1n);
    expect(cache.bytes).toBeGreaterThan(50 * 100_000);
    jest.advanceTimersByTime(7_000);
    expect(cache.bytes).toBe(0);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('never holds more than 32 MiB, and no more memory than that: a small part of a large answer is copied out of it', () => {
    for (let i = 0; i < 500; i++) cache.keep(`p${i}`, fetched(tenAt(0n, 20_000), 0n), 1n);
    expect(cache.bytes).toBeLessThanOrEqual(32 * 1_048_576);
    expect(cache.find('p499', at(1n))).toBeDefined();
    expect(cache.find('p0', at(1n))).toBeUndefined();
    const answer = Buffer.alloc(4_000_000);
    const small = tenAt(0n, 1_000);
    answer.set(small, 1_000_000);
    cache.keep('small', fetched(answer.subarray(1_000_000, 1_000_000 + small.length), 0n), 1n);
    expect(cache.find('small', at(1n))!.batches.bytes.buffer.byteLength).toBeLessThan(100_000);
  });
});
