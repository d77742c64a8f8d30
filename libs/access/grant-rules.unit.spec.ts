import { expect, it } from '@jest/globals';
import { UnitTree } from '#units';
import { isPowerful } from './grant-rules.js';

it('a key that publishes as the steward of the hub is a powerful one', () => {
  const rules = { units: new UnitTree(() => '2021-07-15'), types: () => [] };
  const powerful = (owner: string, system: string, role: 'publisher' | 'reader'): boolean =>
    isPowerful({ owner, system, roles: [role] }, rules);
  expect(powerful('hub', 'steward', 'publisher')).toBe(true);
  expect(powerful('hub', 'steward', 'reader')).toBe(false);
  expect(powerful('hub', 'clock', 'publisher')).toBe(false);
  expect(powerful('SU00123', 'steward', 'publisher')).toBe(false);
});
