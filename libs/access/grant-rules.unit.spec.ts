import { expect, it } from '@jest/globals';
import { readUnitSeed, UnitTree } from '#units';
import { readFileSync } from 'node:fs';
import { catalogueOfFiles } from '../../test/kit/projection/events.js';
import type { Role } from './access.js';
import { grantProblems, isPowerful } from './grant-rules.js';

it('a key that publishes as the steward of the hub is a powerful one', () => {
  const rules = { units: new UnitTree(() => '2021-07-15'), types: () => [] };
  const powerful = (owner: string, system: string, role: 'publisher' | 'reader'): boolean =>
    isPowerful({ owner, system, roles: [role] }, rules);
  expect(powerful('hub', 'steward', 'publisher')).toBe(true);
  expect(powerful('hub', 'steward', 'reader')).toBe(false);
  expect(powerful('hub', 'clock', 'publisher')).toBe(false);
  expect(powerful('SU00123', 'steward', 'publisher')).toBe(false);
});

it('a key that publishes changes of units is a powerful one, which no admin of a unit gives: whoever moves a unit below its own has its keys', () => {
  const units = new UnitTree(() => '2021-07-15');
  const seed = new URL('../../schemas/units.json', import.meta.url);
  for (const u of readUnitSeed(readFileSync(seed, 'utf8')).units) units.put(u.id, [u]);
  const types = catalogueOfFiles().types();
  const rules = { units, types: () => types };
  const BUREAU = 'SU00016';
  const powerful = (owner: string, role: Role): boolean => isPowerful({ owner, system: 'uji', roles: [role] }, rules);
  expect(powerful(BUREAU, 'publisher')).toBe(true);
  expect([powerful(BUREAU, 'reader'), powerful(BUREAU, 'admin')]).toEqual([false, false]);
  expect(units.list({}).filter(({ id }) => powerful(id, 'publisher') && !powerful(id, 'reader'))).toMatchObject([
    { id: BUREAU },
  ]);
  // Its own admin, and that of the unit above it.
  for (const by of [BUREAU, units.get(BUREAU)!.parent!]) {
    expect(grantProblems(by, { owner: BUREAU, roles: ['reader', 'publisher'] }, rules)).toMatchObject([
      { pointer: '/roles' },
    ]);
    expect(grantProblems(by, { owner: BUREAU, roles: ['reader', 'admin'] }, rules)).toEqual([]);
  }
  expect(grantProblems('hub', { owner: BUREAU, roles: ['publisher'] }, rules)).toEqual([]);
});
