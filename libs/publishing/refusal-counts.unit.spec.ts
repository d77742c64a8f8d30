import { describe, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { until } from '#log/conformance';
import { HOUR_MS, MINUTE_MS, RefusalCounts, type CountedRefusal } from './refusal-counts.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
async function memory(): Promise<number> {
  // Buffers are freed after a collection, in another turn of the event loop.
  for (let i = 0; i < 3; i++) {
    gc();
    await setImmediate();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
const START = Date.UTC(2026, 10, 1);
const kind = (n: number) => ({ type: `type.${n % 20}`, code: `code_${Math.floor(n / 20)}`, pointer: '/data' });
const all = (c: RefusalCounts, from = 0, until = Infinity): CountedRefusal[] => [...c.rows(from, until)];
const sum = (rows: readonly CountedRefusal[]): number => rows.reduce((n, r) => n + r.count, 0);

describe('counts of refusals', () => {
  it('of one unit that is refused in 200 kinds a minute for a week take less than 2 MB and lose no refusal; a minute is exact for a day, then an hour', async () => {
    let now = START;
    const fill = (minutes: number): RefusalCounts => {
      const filled = new RefusalCounts(16_000_000);
      for (let m = 0; m < minutes; m++, now += MINUTE_MS) {
        for (let k = 0; k < 200; k++) filled.add('SU00123', now, kind((m + k) % 200), 1, now);
        filled.tidy(now);
      }
      return filled;
    };
    // Compiled code takes memory too: it is there before the first measurement.
    fill(2_000);
    const before = await memory();
    now = START;
    const counts = fill(7 * 24 * 60);
    // The engine frees buffers some time after they are garbage, later on a busy machine.
    await until('less than 2 MB', async () => (await memory()) - before < 2_000_000);
    const rows = all(counts);
    expect(sum(rows)).toBe(7 * 24 * 60 * 200);
    const lastDay = now - 24 * HOUR_MS;
    expect(new Set(all(counts, lastDay + HOUR_MS).map((r) => r.per))).toEqual(new Set(['minute']));
    expect(new Set(all(counts, 0, lastDay - HOUR_MS).map((r) => r.per))).toEqual(new Set(['hour']));
    expect(counts.keeping.minutesFromMs).toBe(lastDay - MINUTE_MS - ((lastDay - MINUTE_MS) % HOUR_MS));
    expect(counts.bytes).toBeLessThan(2_000_000);
  });

  it('keep 20 kinds of a unit in an hour, then count by code, then in one sum, each with the pointer …', () => {
    const counts = new RefusalCounts(16_000_000);
    for (let n = 0; n < 60; n++) counts.add('SU00123', START, { type: 't', code: `c${n}`, pointer: '/data' }, 1, START);
    const rows = all(counts);
    expect(rows.filter((r) => r.pointer === '/data')).toHaveLength(20);
    expect(rows.filter((r) => r.pointer === '…' && r.code !== '')).toHaveLength(10);
    expect(rows.filter((r) => r.code === '')).toMatchObject([{ type: '', pointer: '…', count: 30 }]);
    counts.add('SU00123', START, { type: 't', code: 'c0', pointer: '/data' }, 5, START);
    expect(all(counts).find((r) => r.code === 'c0')?.count).toBe(6);
  });

  it('of many units stay below the limit: the oldest are summarised by the hour, then without kinds, then dropped, and keeping says from when on what is exact', () => {
    const max = 2_000_000;
    const counts = new RefusalCounts(max);
    let total = 0;
    let now = START;
    for (let hour = 0; hour < 24; hour++, now += HOUR_MS)
      for (let unit = 0; unit < 500; unit++)
        for (let n = 0; n < 40; n++, total++)
          counts.add(`SU${unit}`, now + n * MINUTE_MS, kind(n), 1, now + n * MINUTE_MS);
    counts.tidy(now);
    expect(counts.bytes).toBeLessThanOrEqual(max);
    const { fromMs, kindsFromMs, minutesFromMs } = counts.keeping;
    expect(minutesFromMs).toBeGreaterThan(now - 24 * HOUR_MS);
    expect(kindsFromMs).toBeLessThanOrEqual(minutesFromMs);
    expect(fromMs).toBeLessThanOrEqual(START);
    expect(sum(all(counts))).toBe(total);
    const few = new RefusalCounts(100_000);
    for (let unit = 0; unit < 500; unit++)
      for (let h = 0; h < 24; h++) few.add(`SU${unit}`, START + h * HOUR_MS, kind(h), 1, now);
    few.tidy(now);
    expect(few.keeping.fromMs).toBeGreaterThan(START);
    expect(all(few).every((r) => r.startMs >= few.keeping.fromMs)).toBe(true);
  });

  it('are answered newest first, then by unit, type, code and pointer, in the asked time only, and together with those of another set', () => {
    const [a, b] = [new RefusalCounts(16_000_000), new RefusalCounts(16_000_000)];
    a.add('SU2', START, kind(1), 1, START);
    a.add('SU1', START, kind(1), 2, START);
    b.add('SU1', START, kind(1), 3, START);
    b.add('SU1', START + 5 * MINUTE_MS, kind(2), 4, START);
    b.add('SU1', START, kind(1), 7, START, 'hour');
    const shown = (from: number, until: number) =>
      [...a.rows(from, until, {}, b)].map((r) => [r.unit, (r.startMs - START) / MINUTE_MS, r.per, r.count]);
    expect(shown(0, Infinity)).toEqual([
      ['SU1', 5, 'minute', 4],
      ['SU1', 0, 'hour', 7],
      ['SU1', 0, 'minute', 5],
      ['SU2', 0, 'minute', 1],
    ]);
    expect(shown(START + MINUTE_MS, START + 5 * MINUTE_MS)).toEqual([['SU1', 0, 'hour', 7]]);
    expect([...a.rows(0, Infinity, { unit: 'SU2' }, b)]).toHaveLength(1);
  });

  it('of units and kinds that are not asked for are not merged, and a list gives its caller the event loop at each minute, also where it finds nothing', () => {
    const counts = new RefusalCounts(16_000_000);
    for (let m = 0; m < 200; m++)
      for (let u = 0; u < 50; u++) counts.add(`SU${u}`, START + m * MINUTE_MS, kind(m % 10), 1, START + m * MINUTE_MS);
    const minutes = [...counts.minutes(0, Infinity, { isWanted: (_kind, unit) => unit === 'SU99' })];
    expect([minutes.flat(), minutes.length >= 200]).toEqual([[], true]);
    const ofKind = [...counts.minutes(0, Infinity, { isWanted: ({ type }) => type === 'type.7' })];
    expect(ofKind.length).toBeGreaterThanOrEqual(200);
    expect(ofKind.flat().every(({ type }) => type === 'type.7')).toBe(true);
    expect(ofKind.flat()).toHaveLength(1_000);
  });
});
