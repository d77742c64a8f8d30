import { describe, expect, it } from '@jest/globals';
import type { Caller } from '#access';
import { pause } from '#concurrency';
import { Fault } from '#faults';
import { Limits } from '#limits';
import { Guesses } from './guesses.js';

const caller = (keyId: string, owner = `unit of ${keyId}`): Caller => ({
  keyId,
  owner,
  system: 'uji',
  roles: new Set(['reader']),
});
const throttled = (limit: string): unknown =>
  expect.objectContaining({ code: 'too_many_requests', limit, retryAfterMs: expect.any(Number) });

describe('a key that tries values', () => {
  it('may miss so often; then it is refused before anything is looked up, until misses come back; hits cost nothing, and other keys go on', async () => {
    let at = 0;
    let looked = 0;
    const guesses = new Guesses({ limits: new Limits({ now: () => at, values: { misses_per_key: 1 } }) });
    const miss = (keyId: string): Promise<never> =>
      guesses.one(caller(keyId), () => {
        looked++;
        return Promise.reject(new Fault('not_found'));
      });
    for (let n = 0; n < 50; n++) await expect(miss('a')).rejects.toMatchObject({ code: 'not_found' });
    await expect(miss('a')).rejects.toEqual(throttled('misses_per_key'));
    await expect(guesses.one(caller('a'), () => Promise.resolve('there'))).rejects.toEqual(throttled('misses_per_key'));
    expect(looked).toBe(50);
    await expect(miss('b')).rejects.toMatchObject({ code: 'not_found' });
    for (let n = 0; n < 60; n++) expect(await guesses.one(caller('c'), () => Promise.resolve('there'))).toBe('there');
    at += 1_000;
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
    const guesses = new Guesses({ limits: new Limits({ now: () => 0, values: { lookups_per_key: 1 } }), record });
    await guesses.lookup(caller('a'), 'pas.penghuni-aktif');
    expect(recorded).toEqual([[caller('a'), 'pas.penghuni-aktif']]);
    durable = false;
    for (let n = 0; n < 99; n++)
      await expect(guesses.lookup(caller('a'), 'v')).rejects.toMatchObject({ code: 'not_durable' });
    await expect(guesses.lookup(caller('a'), 'v')).rejects.toEqual(throttled('lookups_per_key'));
  });

  it('has no more misses and look-ups with many keys of one unit than the unit has', async () => {
    const limits = new Limits({ now: () => 0, values: { misses_per_key: 1, misses_per_unit: 2 } });
    const guesses = new Guesses({ limits });
    const miss = (keyId: string, owner: string): Promise<never> =>
      guesses.one(caller(keyId, owner), () => Promise.reject(new Fault('not_found')));
    const unit = 'SU00123';
    for (let n = 0; n < 100; n++) await expect(miss(`K${n}`, unit)).rejects.toMatchObject({ code: 'not_found' });
    await expect(miss('new', unit)).rejects.toEqual(throttled('misses_per_unit'));
    await expect(miss('new', 'SU00124')).rejects.toMatchObject({ code: 'not_found' });
    for (let n = 0; n < 200; n++) await guesses.lookup(caller(`K${n}`, unit), 'v');
    await expect(guesses.lookup(caller('new', unit), 'v')).rejects.toEqual(throttled('lookups_per_unit'));
    await guesses.lookup(caller('new', 'SU00124'), 'v');
  });

  it('gets 404 for an event of somebody else after the same time, however long it took to see that there is nothing to show', async () => {
    const guesses = new Guesses({ missMs: 80 });
    const missAfter = async (ms: number): Promise<number> => {
      const began = performance.now();
      const look = (): Promise<never> => pause(ms).then(() => Promise.reject(new Fault('not_found')));
      await expect(guesses.event(caller('a'), look)).rejects.toMatchObject({ code: 'not_found' });
      return performance.now() - began;
    };
    const [none, hidden] = await Promise.all([missAfter(0), missAfter(40)]);
    // A timer may end a millisecond early.
    expect(none).toBeGreaterThanOrEqual(78);
    expect(hidden).toBeGreaterThanOrEqual(78);
  });

  it('gets an event that it may see, and every other fault, without a wait', async () => {
    const guesses = new Guesses({ missMs: 3_600_000 });
    expect(await guesses.event(caller('a'), () => Promise.resolve('there'))).toBe('there');
    const broken = (): Promise<never> => Promise.reject(new Fault('log_unavailable'));
    await expect(guesses.event(caller('a'), broken)).rejects.toMatchObject({ code: 'log_unavailable' });
  });
});
