import { describe, expect, it } from '@jest/globals';
import { Usage } from './context.js';
import { textOf } from './text-file.js';

const refusal = (bytes: Buffer): string => {
  try {
    return textOf(bytes, 'event.json');
  } catch (e) {
    if (e instanceof Usage) return e.text.in('en');
    throw e;
  }
};

describe('a file of events', () => {
  const text = '{"nama":"Ma’ruf 😀"}\n';
  it.each([
    ['UTF-8', Buffer.from(text)],
    ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${text}`)],
    ['UTF-16LE with a byte order mark (PowerShell)', Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['UTF-16BE with a byte order mark', Buffer.from(`\ufeff${text}`, 'utf16le').swap16()],
    ['an empty file', Buffer.alloc(0)],
  ])('in %s is read as its text', (_how, bytes) => {
    expect(textOf(bytes, 'f')).toBe(bytes.length === 0 ? '' : text);
  });

  it.each([
    ['a Latin-1 letter', Buffer.from('{"a":1,\n"nama":"Jos\xe9 Rizal"}', 'latin1'), 'byte 19 (line 2)'],
    ['a cut character at the end', Buffer.from('ab\xe2\x82', 'latin1'), 'byte 2 (line 1)'],
    ['a bad first byte', Buffer.from('\xffabc', 'latin1'), 'byte 0 (line 1)'],
    [
      'a bad byte directly after a long character',
      Buffer.from('😀\xff', 'utf8').fill(0xff, 4, 5).subarray(0, 5),
      'byte 4 (line 1)',
    ],
    ['an overlong form', Buffer.from('a\xc0\x80b', 'latin1'), 'byte 1 (line 1)'],
  ])('with %s is refused with its place, never recorded with another letter', (_what, bytes, place) => {
    expect(refusal(bytes)).toBe(`event.json: ${place} is not UTF-8`);
  });

  it('with a lone surrogate in UTF-16 is refused', () => {
    expect(refusal(Buffer.from('\ufeffa\ud800b', 'utf16le'))).toContain('is not UTF-8');
  });
});
