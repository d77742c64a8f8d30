import { describe, expect, it } from '@jest/globals';
import { alike, patternsOf, typeMatcher } from './patterns.js';
import { Usage } from './usage.js';

const TYPES = [
  'imigrasi.paspor.diterbitkan',
  'imigrasi.paspor.dibatalkan',
  'imigrasi.izin-tinggal.berubah',
  'pas.hunian.dilaporkan',
];
const matching = (...patterns: string[]): string[] => TYPES.filter(typeMatcher(patterns));

describe('a pattern of types', () => {
  it('is a name, * for a part or the rest of a part, # for all further parts; none is every type', () => {
    expect(matching()).toEqual(TYPES);
    expect(matching('#')).toEqual(TYPES);
    expect(matching('imigrasi.paspor.diterbitkan')).toEqual([TYPES[0]]);
    expect(matching('imigrasi.paspor.*')).toEqual(TYPES.slice(0, 2));
    expect(matching('imigrasi.*')).toEqual([]);
    expect(matching('imigrasi.paspor')).toEqual(TYPES.slice(0, 2));
    expect(matching('imigrasi.pas')).toEqual([]);
    expect(matching('imigrasi.#')).toEqual(TYPES.slice(0, 3));
    expect(matching('*.*.di*')).toEqual([TYPES[0], TYPES[1], TYPES[3]]);
    expect(matching('pas.#', '*.izin-tinggal.berubah')).toEqual([TYPES[2], TYPES[3]]);
    expect(matching('imigrasi.paspor.diterbitkan.#')).toEqual([TYPES[0]]);
  });

  it('is refused when it is none, and its dots are dots', () => {
    for (const wrong of ['', '#.paspor', 'a..b', 'imigrasi.#.x', 'a b', '.*', '(a+)+$'])
      expect(() => typeMatcher([wrong])).toThrow(Usage);
    expect(typeMatcher(['imigrasi.paspor.x'])('imigrasiXpaspor.x')).toBe(false);
  });
});

describe('patterns of a subscription', () => {
  const asked = (...patterns: string[]): readonly string[] => patternsOf(patterns, TYPES);

  it('are those of the command line where it knows them too, so that types of tomorrow belong to it', () => {
    expect(asked()).toEqual(['#']);
    expect(asked('#')).toEqual(['#']);
    expect(asked('imigrasi.#', '*.izin-tinggal.berubah')).toEqual(['imigrasi.#', '*.izin-tinggal.berubah']);
    expect(asked('imigrasi.paspor', 'pas.hunian.dilaporkan')).toEqual(['imigrasi.paspor.#', 'pas.hunian.dilaporkan.#']);
  });

  it('are the types of now where it does not, and none for what matches nothing', () => {
    expect(asked('*.*.dib*', 'imigrasi.paspor.dib*')).toEqual([TYPES[1]]);
    expect(asked('keu.#', 'imigrasi.*', 'pas.#')).toEqual(['pas.#']);
  });
});

it('the names that are most like a text are named, and nothing where none is', () => {
  expect(alike('imigrasi.paspor.diterbitkn', TYPES)[0]).toBe('imigrasi.paspor.diterbitkan');
  expect(alike('imigrasi.pasport.#', TYPES)).toHaveLength(3);
  expect(alike('zzz', TYPES)).toEqual([]);
});
