import { describe, expect, it } from '@jest/globals';
import type { Caller } from '#access';
import { Fault } from '#faults';
import { Guesses } from './guesses.js';

const caller = (keyId: string): Caller => ({ keyId, owner: 'SU00123', system: 'uji', roles: new Set(['reader']) });
const throttled = expect.objectContaining({ code: 'too_many_requests', retryAfterMs: expect.any(Number) });

describe('a key that tries values', () => {
  it('may miss so often; then it is refused before anything is looked up, until misses come back; hits cost nothing, and other keys go on', async () => {
    let at = 0;
    let looked = 0;
    const guesses = new Guesses({ now: () => at, misses: { perSecond: 10, burst: 3 } });
    const miss = (keyId: string): Promise<never> =>
      guesses.one(caller(keyId), () => {
        looked++;
        return Promise.reject(new Fault('not_found'));
      });
    for (let n = 0; n < 3; n++) await expect(miss('a')).rejects.toMatchObject({ code: 'not_found' });
    await expect(miss('a')).rejects.toEqual(throttled);
    await expect(guesses.one(caller('a'), () => Promise.resolve('there'))).rejects.toEqual(throttled);
    expect(looked).toBe(3);
    await expect(miss('b')).rejects.toMatchObject({ code: 'not_found' });
    for (let n = 0; n < 9; n++) expect(await guesses.one(caller('c'), () => Promise.resolve('there'))).toBe('there');
    at += 100;
    await expect(miss('a')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('may ask for a clear subject so often, each on record with key and view and without the value; without a durable record it is not asked', async () => {
    const recorded: unknown[] = [];
    let durable = true;
    const record = (...of: unknown[]): Promise<void> => {
      if (!durable) return Promise.reject(new Fault('not_durable'));
      recorded.push(of);
      return Promise.resolve();
    };
    const guesses = new Guesses({ now: () => 0, lookups: { perSecond: 1, burst: 2 }, record });
    await guesses.lookup(caller('a'), 'pas.penghuni-aktif');
    expect(recorded).toEqual([[caller('a'), 'pas.penghuni-aktif']]);
    durable = false;
    await expect(guesses.lookup(caller('a'), 'v')).rejects.toMatchObject({ code: 'not_durable' });
    await expect(guesses.lookup(caller('a'), 'v')).rejects.toEqual(throttled);
  });
});
