import { describe, expect, it } from '@jest/globals';
import { byKey, compareKeys } from './key-order.js';

const entry = (key: string, value = '{}') => ({ key, value, position: 's/0/0', appendTimeMs: 0 });
const KEYS = ['', 'a', 'aa', 'b', 'é', '漢', '\uD7FF', '\uE000', '\uFFFF', '😀', '😀a', '𐀀', 'a😀', 'a\uFFFD'];

describe('the order of keys', () => {
  it('is that of their UTF-8 bytes, also for characters that UTF-16 has as surrogates', () => {
    for (const a of KEYS)
      for (const b of KEYS) expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
  });
});

describe('entries of several partitions', () => {
  it('come by key in key order, those of one key together', () => {
    const pages = [
      { entries: [entry('a', '1'), entry('c')] },
      { entries: [entry('a', '2'), entry('b')] },
      { entries: [] },
    ];
    const got = [...byKey(pages, undefined)].map(([key, entries]) => [key, entries.map((e) => e.value)]);
    expect(got).toEqual([
      ['a', ['1', '2']],
      ['b', ['{}']],
      ['c', ['{}']],
    ]);
  });

  it('end at the bound, which a partition with more has read up to', () => {
    const pages = [{ entries: [entry('a'), entry('b')] }, { entries: [entry('c')] }];
    expect([...byKey(pages, 'b')].map(([key]) => key)).toEqual(['a', 'b']);
  });
});
