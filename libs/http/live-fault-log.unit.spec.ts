import { expect, it } from '@jest/globals';
import { Fault } from '#faults';
import { LiveFaultLog } from './live-fault-log.js';

it('logs an outage of the log or the store once a minute for each place and cause, however many live streams meet it; any other error is not transient and is logged as an error', () => {
  const lines: string[] = [];
  let now = 0;
  const line = (level: string) => (fields: object) => lines.push(`${level} ${JSON.stringify(fields)}`);
  const faults = new LiveFaultLog({ warn: line('warn'), error: line('error') }, () => now);
  const outage = new Fault('state_unavailable', { cause: new Error('ECONNREFUSED') });
  for (let i = 0; i < 200; i++) expect(faults.isTransient({ view: 'a' }, outage)).toBe(true);
  expect(lines).toEqual(['warn {"view":"a","code":"state_unavailable","cause":"ECONNREFUSED"}']);
  expect(faults.isTransient({ view: 'b' }, outage)).toBe(true);
  expect(faults.isTransient({ view: 'a' }, new TypeError('x is not a function'))).toBe(false);
  expect(lines.at(-1)).toBe('error {"view":"a","code":"internal","cause":"x is not a function"}');
  now = 60_000;
  faults.isTransient({ view: 'a' }, outage);
  expect(lines).toHaveLength(4);
});
