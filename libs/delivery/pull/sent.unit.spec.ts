import { describe, expect, it } from '@jest/globals';
import { placesOf, sentThrough } from './sent.js';

const SENT = [
  { stream: 'a.b', partition: 0, offsets: [0n, 1n, 300n] },
  { stream: 'a.c', partition: 11, offsets: [127n, 128n, 16_384n] },
];
const at = (offset: bigint): { stream: string; partition: number; offset: bigint } => ({
  stream: 'a.c',
  partition: 11,
  offset,
});

describe('a commit of what a lease was sent', () => {
  it('is cumulative in the partition of each position, without what is left out', () => {
    const all = sentThrough(SENT, [at(128n), { stream: 'a.b', partition: 0, offset: 0n }])!;
    expect(all).toEqual([[0], [0, 1]]);
    expect(placesOf(SENT, all)).toEqual([{ stream: 'a.b', partition: 0, offset: 0n }, at(127n), at(128n)]);
    expect(sentThrough(SENT, [at(16_384n), at(127n)], [at(127n), at(16_384n)])).toEqual([[], [1]]);
  });

  it('names positions that were sent, and no others', () => {
    for (const wrong of [at(5n), at(129n), { ...at(128n), stream: 'a.x' }, { ...at(128n), partition: 1 }]) {
      expect(sentThrough(SENT, [at(127n), wrong])).toBeUndefined();
      expect(sentThrough(SENT, [at(127n)], [wrong])).toBeUndefined();
    }
  });
});
