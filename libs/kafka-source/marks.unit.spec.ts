import { describe, expect, it } from '@jest/globals';
import { isOther, markOf, marksText, parseMarks } from './marks.js';

const [ONE, OTHER] = ['0123abcd'.repeat(4), 'f'.repeat(32)];

describe('the marks of a group', () => {
  it('know a topic that was made again, and nothing of a stream that the group has not read', () => {
    const marks = parseMarks(marksText(new Map([['imigrasi.paspor', markOf(ONE)]])));
    expect([ONE, OTHER].map((id) => isOther(marks, 'imigrasi.paspor', id))).toEqual([false, true]);
    expect(isOther(marks, 'imigrasi.visa', OTHER)).toBe(false);
  });

  it.each([null, undefined, '', '0:12:3', 'simpul2 a=b', 'simpul1 a', 'simpul1'])('are none in %p', (text) => {
    expect([...parseMarks(text)]).toEqual([]);
  });

  it('fit into the metadata of a place, the same text whatever the order', () => {
    const many = Array.from({ length: 400 }, (_, n): [string, string] => [`aliran.nomor-${n}`, markOf(ONE)]);
    expect(marksText(new Map(many)).length).toBeLessThanOrEqual(3_500);
    expect(marksText(new Map(many.slice(0, 9).reverse()))).toBe(marksText(new Map(many.slice(0, 9))));
  });
});
