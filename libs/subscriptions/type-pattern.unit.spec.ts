import { describe, expect, it } from '@jest/globals';
import { typePattern } from './index.js';

describe('a pattern of event types', () => {
  it.each([
    ['sdm.presensi.tercatat', 'sdm.presensi.tercatat', true],
    ['sdm.presensi.tercatat', 'sdm.presensi.tercatat-lagi', false],
    ['sdm.presensi', 'sdm.presensi.tercatat', false],
    ['sdm.*.tercatat', 'sdm.presensi.tercatat', true],
    ['sdm.*', 'sdm.presensi.tercatat', false],
    ['*.*.tercatat', 'imigrasi.perlintasan.tercatat', true],
    ['*.tercatat', 'imigrasi.perlintasan.tercatat', false],
    ['sdm.#', 'sdm.presensi.tercatat', true],
    ['sdm.#', 'sdmx.presensi.tercatat', false],
    ['sdm.presensi.tercatat.#', 'sdm.presensi.tercatat', true],
    ['sdm.presensi.tercatat.lagi.#', 'sdm.presensi.tercatat', false],
    ['*.presensi.#', 'sdm.presensi.tercatat', true],
    ['#', 'sdm.presensi.tercatat', true],
  ])('%s stands for %s: %s', (text, type, yes) => {
    expect(typePattern(text)?.matches(type)).toBe(yes);
  });

  it.each([
    '',
    '.',
    'sdm.',
    '.sdm',
    '#.a',
    'a.#.b',
    'a.#.#',
    'a.*b',
    'a.**',
    'a.b#',
    'SDM.presensi',
    'sdm.présensi',
    'sdm\u2024presensi.a',
    'a .b',
    'a/b',
    '__proto__',
    'a.\u202eb',
    `${'a.'.repeat(150)}b`,
  ])('%j is none', (text) => {
    expect(typePattern(text)).toBeUndefined();
  });
});
