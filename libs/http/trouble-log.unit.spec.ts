import { expect, it } from '@jest/globals';
import { Fault } from '#faults';
import { TroubleLog } from './trouble-log.js';

it('what keeps many live streams waiting is told once a minute for each place and cause; what is broken is an error and does not pass', () => {
  const told: string[] = [];
  let now = 0;
  const tell = (level: string) => (fields: object) => told.push(`${level} ${JSON.stringify(fields)}`);
  const troubles = new TroubleLog({ warn: tell('warn'), error: tell('error') }, () => now);
  const away = new Fault('state_unavailable', { cause: new Error('ECONNREFUSED') });
  for (let i = 0; i < 200; i++) expect(troubles.passes({ view: 'a' }, away)).toBe(true);
  expect(told).toEqual(['warn {"view":"a","code":"state_unavailable","cause":"ECONNREFUSED"}']);
  expect(troubles.passes({ view: 'b' }, away)).toBe(true);
  expect(troubles.passes({ view: 'a' }, new TypeError('x is not a function'))).toBe(false);
  expect(told.at(-1)).toBe('error {"view":"a","code":"internal","cause":"x is not a function"}');
  now = 60_000;
  troubles.passes({ view: 'a' }, away);
  expect(told).toHaveLength(4);
});
