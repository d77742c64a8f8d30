import { describe, expect, it } from '@jest/globals';
import { IndexLookup } from './index.js';

describe('IndexLookup', () => {
  it('asks the store once for lookups of the same event-loop turns', async () => {
    const calls: number[] = [];
    const lookup = new IndexLookup((ids) => {
      calls.push(ids.length);
      return Promise.resolve(ids.map(() => undefined));
    }, 1_000);
    await Promise.all(['a', 'b', 'c'].map((id) => lookup.ask([{ source: 's', id }])));
    expect(calls).toEqual([3]);
  });
  it('collects lookups while a call is in flight, asks them together next, and gives each caller its own answers', async () => {
    const calls: number[] = [];
    let answer!: () => void;
    const lookup = new IndexLookup((ids) => {
      calls.push(ids.length);
      const first = (x: { source: string; id: string }) => ({
        ...x,
        stream: 's',
        partition: 0,
        offset: 0n,
        digest: '',
        schemaId: 1,
        recordedTimeMs: 0,
      });
      return new Promise((resolve) => {
        const all = ids.map(first);
        if (calls.length === 1) answer = () => resolve(all);
        else resolve(all);
      });
    }, 1_000);
    const ask = (id: string) => lookup.ask([{ source: 's', id }]);
    const first = ask('a');
    while (calls.length === 0) await new Promise(setImmediate);
    const asks = [first, ask('b'), ask('c')];
    answer();
    const got = await Promise.all(asks);
    expect(got.map((g) => g?.[0]?.id)).toEqual(['a', 'b', 'c']);
    expect(calls).toEqual([1, 2]);
  });
  it('answers undefined when the store fails or is slower than the deadline, and asks again for the next lookup', async () => {
    let n = 0;
    const lookup = new IndexLookup(
      () =>
        n++ === 0
          ? new Promise(() => undefined)
          : n === 2
            ? Promise.reject(new Error('x'))
            : Promise.resolve([undefined]),
      5,
    );
    expect(await lookup.ask([{ source: 's', id: 'a' }])).toBeUndefined();
    expect(await lookup.ask([{ source: 's', id: 'a' }])).toBeUndefined();
    expect(await lookup.ask([{ source: 's', id: 'a' }])).toEqual([undefined]);
  });
});
