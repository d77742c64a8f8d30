import { describe, expect, it } from '@jest/globals';
import { Usage } from './usage.js';
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
    ['UTF-16LE without a byte order mark', Buffer.from(text, 'utf16le')],
    ['UTF-16BE without a byte order mark', Buffer.from(text, 'utf16le').swap16()],
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

  const lines = '{"nama":"José"}\n{"nama":"日本"}\n';
  it.each([
    [
      'a lone surrogate on line 3 of UTF-16LE',
      Buffer.from(`\ufeff${lines}X\ud800Y\n`, 'utf16le'),
      'byte 64 (line 3) is not UTF-16LE',
    ],
    ['one without a byte order mark', Buffer.from(`${lines}X\ud800Y\n`, 'utf16le'), 'byte 62 (line 3) is not UTF-16LE'],
    ['a lone surrogate on line 1', Buffer.from('\ufeffa\ud800b\n\n', 'utf16le'), 'byte 4 (line 1) is not UTF-16LE'],
    ['one in UTF-16BE', Buffer.from(`\ufeff${lines}\udc00`, 'utf16le').swap16(), 'byte 62 (line 3) is not UTF-16BE'],
    [
      'half a character at the end',
      Buffer.concat([Buffer.from(`\ufeff${lines}`, 'utf16le'), Buffer.from([0x0a])]),
      'byte 62 (line 3) is not UTF-16LE',
    ],
    ['UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x7b, 0, 0, 0]), 'this file is UTF-32; save it as UTF-8'],
    ['UTF-32 without a mark', Buffer.from([0x7b, 0, 0, 0, 0x7d, 0, 0, 0]), 'this file is UTF-32; save it as UTF-8'],
    ['UTF-32BE', Buffer.from([0, 0, 0xfe, 0xff, 0, 0, 0, 0x7b]), 'this file is UTF-32; save it as UTF-8'],
  ])('with %s is refused with its place in the file and its line', (_what, bytes, why) => {
    expect(refusal(bytes)).toBe(`event.json: ${why}`);
  });

  it('that was put together of files with byte order marks is read without them, as every line is an event', () => {
    const two = `\ufeff{"a":1}\n\ufeff{"a":"\ufeffx"}\n`;
    for (const bytes of [Buffer.from(two), Buffer.from(two, 'utf16le')])
      expect(textOf(bytes, 'f')).toBe('{"a":1}\n{"a":"\ufeffx"}\n');
  });
});
