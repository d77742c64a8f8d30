import { describe, expect, it } from '@jest/globals';
import { decodeStreamCursor, encodeCursor, encodeStreamCursor } from './index.js';

describe('stream cursors', () => {
  const c = {
    stream: 'a.b',
    topicId: '0123abcd',
    next: [1n, 9_007_199_254_740_993n],
    end: [5n, 9_223_372_036_854_775_807n],
  };

  it('carry the next offset of every partition, also above 2^53, and the end of the period', () => {
    expect(decodeStreamCursor(encodeStreamCursor(c), 'a.b', '0123abcd', 2)).toEqual(c);
    expect(() => decodeStreamCursor(encodeStreamCursor(c), 'a.b', '0123abce', 2)).toThrow(
      expect.objectContaining({ code: 'stream_recreated' }),
    );
    expect(() => decodeStreamCursor(encodeStreamCursor(c), 'a.b', '0123abcd', 3)).toThrow(
      expect.objectContaining({ code: 'invalid_cursor' }),
    );
  });

  it('refuse every other shape as invalid_cursor', () => {
    const good = { s: 'a.b', t: '0123abcd', o: '1,2' };
    expect(decodeStreamCursor(encodeCursor(good), 'a.b', '0123abcd', 2).next).toEqual([1n, 2n]);
    for (const bad of [
      null,
      7,
      [],
      {},
      { ...good, s: 'c.d' },
      { ...good, s: 1 },
      { ...good, t: '0123ABCD' },
      { ...good, o: '01,2' },
      { ...good, o: '1,-2' },
      { ...good, o: '1,' },
      { ...good, e: '1' },
      { ...good, e: null },
      { ...good, more: 1 },
    ])
      expect(() => decodeStreamCursor(encodeCursor(bad), 'a.b', '0123abcd', 2)).toThrow(
        expect.objectContaining({ code: 'invalid_cursor' }),
      );
  });
});
