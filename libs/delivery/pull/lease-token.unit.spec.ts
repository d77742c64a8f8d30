import { describe, expect, it } from '@jest/globals';
import { leaseKey, openLease, sealLease, type LeaseClaims } from './lease-token.js';

const KEY = leaseKey(Buffer.alloc(32, 1));
const CLAIMS: LeaseClaims = {
  subscription: 'sub_abc',
  createdAt: '2021-07-15T00:00:00.000Z',
  epoch: 4n,
  lease: '7',
  issuedAt: 1_000,
  until: 31_000,
  places: [
    { stream: 'a.b', partition: 0, offsets: [0n, 1n, 300n, 9_007_199_254_740_993n] },
    {
      stream: 'a.c',
      partition: 11,
      offsets: [127n, 128n, 16_384n, 268_435_455n, 536_870_912n, 805_306_367n, 1_073_741_823n],
    },
  ],
};

describe('a lease token', () => {
  it('says all of it to whoever has the key, in some bytes an event', () => {
    expect(openLease(sealLease(CLAIMS, KEY), KEY)).toEqual(CLAIMS);
    const offsets = Array.from({ length: 1_000 }, (_, n) => BigInt(n * 20));
    const many = sealLease({ ...CLAIMS, places: [{ stream: 'a.b', partition: 0, offsets }] }, KEY);
    expect(many.length).toBeLessThan(2_000);
  });

  it('that no hub of the deployment has made, or that was changed, is none', () => {
    const token = sealLease(CLAIMS, KEY);
    const other = leaseKey(Buffer.alloc(32, 2));
    const changed = (n: number): string => `${token.slice(0, n)}${token[n] === 'A' ? 'B' : 'A'}${token.slice(n + 1)}`;
    for (const text of ['', '.', 'a.b.c', changed(3), changed(token.indexOf('.') + 1), token.slice(1), `${token}A`])
      expect(openLease(text, KEY)).toBeUndefined();
    expect(openLease(token, other)).toBeUndefined();
  });
});
