import { describe, expect, it } from '@jest/globals';
import {
  cursorValue,
  decodeStreamCursor,
  encodeCursor,
  encodeHiddenCursor,
  encodeStreamCursor,
  sealCursors,
} from './index.js';

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

// The last block of this file: the seal is a fact of the process.
describe('cursors of a process with a key', () => {
  const invalid = expect.objectContaining({ code: 'invalid_cursor' });
  it('are read only as the hub has given them out; a forged one is invalid_cursor at once, and one of an earlier version until its time is over', () => {
    const value = { s: 'a.b', t: '0123abcd', o: '1,2' };
    const old = encodeCursor(value);
    let acceptsUnsealed = true;
    sealCursors({ key: Buffer.alloc(32, 1), acceptsUnsealed: () => acceptsUnsealed });
    const sealed = encodeCursor(value);
    expect(sealed).toMatch(/^c[\w-]+$/);
    expect([cursorValue(sealed), cursorValue(old)]).toEqual([value, value]);
    for (let at = 0; at < sealed.length; at++) {
      const forged = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
      expect(() => cursorValue(forged)).toThrow(invalid);
    }
    for (const cut of ['c', sealed.slice(0, -1), `${sealed}A`, `c${old}`])
      expect(() => cursorValue(cut)).toThrow(invalid);
    acceptsUnsealed = false;
    expect(() => cursorValue(old)).toThrow(invalid);
    expect(cursorValue(sealed)).toEqual(value);
    sealCursors({ key: Buffer.alloc(32, 2), acceptsUnsealed: () => false });
    expect(() => cursorValue(sealed)).toThrow(invalid);
  });

  it('that hold what their reader may not know are encrypted, and read only as the hub has given them out', () => {
    sealCursors({ key: Buffer.alloc(32, 1), acceptsUnsealed: () => false });
    const hidden = encodeHiddenCursor({ k: 'rahasia', v: 'a.b' });
    expect(cursorValue(hidden)).toEqual({ k: 'rahasia', v: 'a.b' });
    expect(encodeHiddenCursor({ k: 'rahasia', v: 'a.b' })).toBe(hidden);
    expect(Buffer.from(hidden.slice(1), 'base64url').toString('latin1')).not.toMatch(/rahasia|a\.b/);
    for (let at = 0; at < hidden.length; at++) {
      const forged = `${hidden.slice(0, at)}${hidden[at] === 'A' ? 'B' : 'A'}${hidden.slice(at + 1)}`;
      expect(() => cursorValue(forged)).toThrow(invalid);
    }
    for (const cut of ['s', 'sAAAA', hidden.slice(0, -1), `${hidden}A`])
      expect(() => cursorValue(cut)).toThrow(invalid);
    sealCursors({ key: Buffer.alloc(32, 2), acceptsUnsealed: () => false });
    expect(() => cursorValue(hidden)).toThrow(invalid);
  });
});
