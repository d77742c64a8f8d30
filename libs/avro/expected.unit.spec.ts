import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { checkNewContract } from './index.js';

const contract = JSON.parse(
  readFileSync(new URL('../../schemas/pas/hunian/dilaporkan.v1.avsc', import.meta.url), 'utf8'),
) as { simpul: Record<string, unknown> };
const given = contract.simpul['expected'] as Record<string, unknown>;
const problems = (expected: unknown): readonly string[] =>
  checkNewContract(JSON.stringify({ ...contract, simpul: { ...contract.simpul, expected } })).map(
    ({ pointer }) => pointer,
  );

describe('what a contract expects', () => {
  it('is complete in the contract of the occupancy report, by 10:00 WIB', () => {
    expect(given).toEqual({
      every: 'day',
      until: '10:00',
      zone: 'WIB',
      from: ['type:lapas', 'type:rutan', 'type:lpka'],
      day: 'tanggal',
    });
    expect(problems(given)).toEqual([]);
    expect(problems({ every: 'workday', until: '23:59', from: ['unit:SU00300'] })).toEqual([]);
  });

  it.each([
    ['a text', 'daily'],
    ['another rhythm', { ...given, every: 'week' }],
    ['an hour that is none', { ...given, until: '24:00' }],
    ['an hour without minutes', { ...given, until: '10' }],
    ['another zone', { ...given, zone: 'UTC' }],
    ['nobody', { ...given, from: [] }],
    ['one unit as a text', { ...given, from: 'type:lapas' }],
    ['any unit', { ...given, from: ['any'] }],
    ['a party', { ...given, from: ['party:EXT-KPK'] }],
    ['a field that is none', { ...given, day: 'hari' }],
    ['a field that is no date', { ...given, day: 'waktuLaporan' }],
    ['a misspelt name', { ...given, zona: 'WIT' }],
  ])('is refused as %s', (_what, expected) => {
    expect(problems(expected)).toEqual(['/simpul/expected']);
  });
});
