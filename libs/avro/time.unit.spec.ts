import { expect, it } from '@jest/globals';
import { formatDate, formatTimestamp, MAX_DAY, MAX_MS, MIN_DAY, MIN_MS } from './time.js';

it('a time is written as RFC 3339 in UTC with milliseconds, whatever times were written before it', () => {
  const day = 86_400_000;
  // days whose numbers have the same last bits, before and after 1970
  const times = [0, 64, -64, 128, 1, 65, 20_000, 20_064].flatMap((n) => [n * day, n * day - 1, n * day + 1_234]);
  const all = [...times, MIN_MS, MAX_MS, ...times.toReversed(), ...times];
  expect(all.map(formatTimestamp)).toEqual(all.map((ms) => new Date(ms).toISOString()));
});

it('a date is written as YYYY-MM-DD: each day around the ends of the years 0001 to 9999 and of centuries with and without a leap day, and every 97th day', () => {
  const around = [MIN_DAY + 400, MAX_DAY - 400, -25_508, 11_016].flatMap((middle) =>
    Array.from({ length: 801 }, (_, i) => middle - 400 + i),
  );
  const between = Array.from({ length: Math.floor((MAX_DAY - MIN_DAY) / 97) }, (_, i) => MIN_DAY + i * 97);
  const all = [...around, ...between];
  expect(all.map(formatDate)).toEqual(all.map((day) => new Date(day * 86_400_000).toISOString().slice(0, 10)));
});
