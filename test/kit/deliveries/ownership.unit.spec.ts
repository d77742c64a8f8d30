import { describe, expect, it } from '@jest/globals';
import { partitionOfSubscription } from '#subscriptions';
import type { ToldSend } from './history.js';
import { movesIn, staleSends } from './ownership.js';

const send = (pid: number, at: number): ToldSend => ({
  ...{ pid, port: 4_000 + pid, at, subscription: 'sub_a', positions: [`x/0/${at}`] },
});
const claim = (pid: number, at: number) => ({ partition: partitionOfSubscription('sub_a'), port: 4_000 + pid, at });

describe('who owned a subscription', () => {
  it('finds attempts that began after another courier had claimed it, until its own next claim', () => {
    const claims = [claim(1, 0), claim(2, 100), claim(1, 200)];
    expect(staleSends([send(1, 50), send(2, 150), send(1, 250)], claims)).toEqual([]);
    expect(staleSends([send(1, 50), send(2, 110), send(1, 120), send(2, 130)], claims)).toEqual([
      `sub_a x/0/120 at 4001: 4002 had claimed it 20 ms before, at 100, partition ${partitionOfSubscription('sub_a')}`,
    ]);
  });

  it('allows repeats of what began right before it went to another process, and none where that process ended in order', () => {
    const sends = [send(1, 1_000), send(1, 2_000), send(2, 3_000), send(2, 4_000)];
    const names = new Map([['sub_a', 'satu']]);
    expect(movesIn(sends, [claim(1, 0), claim(2, 2_500)], names, new Set())).toEqual([
      { what: 'moved', receiver: 'satu', from: 2_000, until: 2_500, beforeMs: 250 },
    ]);
    expect(movesIn(sends, [claim(2, 2_500)], names, new Set([1]))).toEqual([]);
  });
});
