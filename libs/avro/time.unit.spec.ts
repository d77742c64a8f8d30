import { expect, it } from '@jest/globals';
import { formatTimestamp, MAX_MS, MIN_MS } from './time.js';

it('a time is written as RFC 3339 in UTC with milliseconds, whatever times were written before it', () => {
  const day = 86_400_000;
  // days whose numbers have the same last bits, before and after 1970
  const times = [0, 64, -64, 128, 1, 65, 20_000, 20_064].flatMap((n) => [n * day, n * day - 1, n * day + 1_234]);
  const all = [...times, MIN_MS, MAX_MS, ...times.toReversed(), ...times];
  expect(all.map(formatTimestamp)).toEqual(all.map((ms) => new Date(ms).toISOString()));
});
