import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Membership } from '#log';
import { Claims, type EpochsRaised, type EpochUnbelievable } from './claims.js';

describe('the claims of a process', () => {
  let stored: bigint;
  let asked: number;
  let end: bigint;
  let reclaims: [number, bigint | undefined][];
  let raised: EpochsRaised[];
  let disputes: [number, number][];
  let unbelievable: EpochUnbelievable[];
  let claims: Claims;

  beforeEach(() => {
    [stored, asked, end, reclaims, raised, disputes, unbelievable] = [-1n, 0, 100n, [], [], [], []];
    const membership: Pick<Membership, 'reclaim'> = {
      reclaim: (partition, above) => {
        reclaims.push([partition, above]);
        const skipped = above !== undefined && above > end ? above - end : 0n;
        end += skipped + 1n;
        return Promise.resolve({ kind: 'claimed', epoch: end, skipped });
      },
    };
    claims = new Claims({
      newest: () => {
        asked++;
        return Promise.resolve(stored);
      },
      membership: () => membership as Membership,
      report: {
        epochsRaised: (r) => raised.push(r),
        disputed: (...d) => disputes.push(d),
        epochUnbelievable: (u) => unbelievable.push(u),
      },
    });
  });
  const refused = { code: 'fenced' };

  it('compare an epoch with the stores once, before the first write under it', async () => {
    stored = 99n;
    await Promise.all([1, 2, 3].map(() => claims.verify({ partition: 0, epoch: 100n })));
    // what is stored now is our own
    stored = 100n;
    await claims.verify({ partition: 0, epoch: 100n });
    expect([asked, reclaims]).toEqual([1, []]);
  });

  it('are made again above a stored epoch that is greater; all streams of the partition number share the one new claim', async () => {
    stored = 5_000n;
    const starts = [1, 2, 3].map(() => claims.verify({ partition: 0, epoch: 100n }));
    for (const start of starts) await expect(start).rejects.toMatchObject(refused);
    expect([reclaims, raised]).toEqual([[[0, 5_000n]], [{ partition: 0, stored: 5_000n, epoch: end }]]);
    await claims.verify({ partition: 0, epoch: end });
    expect(reclaims).toHaveLength(1);
  });

  it('are made again above the very same stored epoch, which another owners log must have given', async () => {
    stored = 100n;
    await expect(claims.verify({ partition: 0, epoch: 100n })).rejects.toMatchObject(refused);
    expect([reclaims, raised.length]).toEqual([[[0, 100n]], 1]);
  });

  it('are not made above an epoch that was never claimed: the partition number stands still with one alarm until the row is gone', async () => {
    const damaged = 1n << 60n;
    stored = damaged;
    for (let n = 0; n < 3; n++)
      await expect(claims.verify({ partition: 0, epoch: 100n })).rejects.toMatchObject({ code: 'state_unavailable' });
    await expect(claims.again(0, 100n, damaged)).rejects.toMatchObject({ code: 'state_unavailable' });
    expect([reclaims, unbelievable]).toEqual([[], [{ partition: 0, stored: damaged, epoch: 100n }]]);
    stored = -1n;
    await claims.verify({ partition: 0, epoch: 100n });
    expect(reclaims).toEqual([]);
  });

  it('raise no alarm when a newer owner has claimed in the same log', async () => {
    [end, stored] = [200n, 150n];
    await expect(claims.verify({ partition: 0, epoch: 100n })).rejects.toMatchObject(refused);
    expect([reclaims, raised]).toEqual([[[0, 150n]], []]);
  });

  it('can be doubted: the stores are asked again', async () => {
    await claims.verify({ partition: 0, epoch: 100n });
    claims.doubt({ partition: 0, epoch: 100n });
    stored = 120n;
    await expect(claims.verify({ partition: 0, epoch: 100n })).rejects.toMatchObject(refused);
  });

  it('that are fenced three times in a row without a commit between are a dispute', async () => {
    for (const epoch of [1n, 2n]) await claims.fenced(4, epoch);
    claims.committed(4);
    for (const epoch of [3n, 4n]) await Promise.all([claims.fenced(4, epoch), claims.fenced(4, epoch)]);
    expect(disputes).toEqual([]);
    await claims.fenced(4, 5n);
    expect([disputes, reclaims.length]).toEqual([[[4, 3]], 5]);
  });
});
