import { describe, expect, it } from '@jest/globals';
import { bounded } from './lookup.js';

describe('look-ups', () => {
  it('run two at a time, one for each name that is asked for at once, and again later', async () => {
    const asked: string[] = [];
    const ends: (() => void)[] = [];
    const lookup = bounded((name) => {
      asked.push(name);
      return new Promise((done) => ends.push(() => done([name])));
    });
    const all = ['a', 'a', 'b', 'c', 'c'].map((name) => lookup(name));
    await Promise.resolve();
    expect(asked).toEqual(['a', 'b']);
    ends[0]!();
    expect(await all[1]).toEqual(['a']);
    await new Promise(setImmediate);
    expect(asked).toEqual(['a', 'b', 'c']);
    for (const end of ends) end();
    expect(await Promise.all(all)).toEqual([['a'], ['a'], ['b'], ['c'], ['c']]);
    void lookup('a');
    expect(asked).toEqual(['a', 'b', 'c', 'a']);
  });

  it('that fail free their place and are asked again', async () => {
    let n = 0;
    const lookup = bounded(() => (++n < 3 ? Promise.reject(new Error('no')) : Promise.resolve(['x'])), 1);
    await expect(Promise.all([lookup('a'), lookup('b')])).rejects.toThrow('no');
    expect(await lookup('a')).toEqual(['x']);
  });
});
