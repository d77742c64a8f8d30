import { describe, expect, it } from '@jest/globals';
import { random } from '../../test/kit/random.js';
import { WATCH_LIMITS as LIMITS } from './limits.js';
import { isWaiting, look, resent, tick, type Sighting, type SourceRow } from './source-watch.js';

const MINUTE = 60_000;
const START = Date.parse('2026-11-30T01:00:00Z');

const at = (offset: number, more: Partial<Sighting> = {}): Sighting => ({
  source: 'urn:simpul:unit:SU00123:simkim',
  unit: 'SU00123',
  system: 'simkim',
  stream: 'imigrasi.paspor',
  partition: 0,
  offset: BigInt(offset),
  position: `imigrasi.paspor/0/${offset}`,
  recordedMs: START + offset * 1_000,
  timeMs: undefined,
  sentMs: undefined,
  number: undefined,
  ...more,
});
const all = (sightings: readonly Sighting[], row?: SourceRow): SourceRow =>
  sightings.reduce<SourceRow | undefined>((known, s) => look(known, s, LIMITS), row)!;
const shown = ({ findings }: SourceRow) =>
  findings.map(({ kind, sinceMs, untilMs, expected, seen }) => [
    kind,
    sinceMs - START,
    untilMs === undefined ? undefined : untilMs - START,
    expected,
    seen,
  ]);

describe('a gap', () => {
  const gap = all([at(0, { number: 1 }), at(1, { number: 2 }), at(2, { number: 5 })]);

  it('is no finding while its numbers may be on their way, and one when they are missing for 5 minutes', () => {
    const due = 2_000 + LIMITS.graceMs;
    expect(tick(gap, START + due - 1, LIMITS)).toBe(gap);
    expect(isWaiting(gap)).toBe(true);
    const found = tick(gap, START + due, LIMITS);
    expect(shown(found)).toEqual([['gap', 2_000, undefined, '3-4', '5']]);
    expect(tick(found, START + due + 1, LIMITS)).toBe(found);
  });

  it('is over when the last missing number comes late, with the number of a refused event that was corrected too', () => {
    const found = tick(gap, START + 10 * MINUTE, LIMITS);
    const partly = tick(all([at(900, { number: 3 })], found), START + 20 * MINUTE, LIMITS);
    expect(shown(partly)).toEqual([['gap', 2_000, undefined, '4', '5']]);
    const over = all([at(2_000, { number: 4 })], partly);
    expect(shown(over)).toEqual([['gap', 2_000, 2_000_000, '4', '5']]);
    expect(isWaiting(over)).toBe(false);
  });

  it('is given up after 30 days', () => {
    const found = tick(gap, START + 10 * MINUTE, LIMITS);
    const later = tick(found, START + LIMITS.giveUpMs + 3_000, LIMITS);
    expect(later.findings[0]!.untilMs).toBe(START + LIMITS.giveUpMs + 3_000);
    expect(isWaiting(later)).toBe(false);
  });

  it('has the same id in every process, and another one when it is another gap', () => {
    const [a, b] = [1, 2].map(() => tick(gap, START + 10 * MINUTE, LIMITS).findings[0]!.id);
    expect(a).toBe(b);
    const other = all([at(3, { number: 9 })], all([at(2, { number: 3 }), at(2, { number: 4, partition: 1 })], gap));
    const filled = all([at(4, { number: 3 }), at(5, { number: 4 })], other);
    const found = tick(filled, START + 10 * MINUTE, LIMITS);
    expect(found.findings).toHaveLength(1);
    expect(found.findings[0]!.id).not.toBe(a);
  });
});

describe('a wrong clock', () => {
  const minutes = (n: number) => START + n * MINUTE;
  it.each([
    ['waktuterkirim 6 minutes behind', { sentMs: START - 6 * MINUTE }, true],
    ['waktuterkirim 6 minutes ahead', { sentMs: START + 6 * MINUTE }, true],
    ['waktuterkirim 5 minutes behind', { sentMs: START - 5 * MINUTE }, false],
    ['time 6 minutes ahead', { timeMs: START + 6 * MINUTE }, true],
    ['time 3 days behind: late, not skew', { timeMs: START - 3 * 24 * 60 * MINUTE }, false],
    ['no word about the time', {}, false],
  ])('%s', (_what, more, isSkew) => {
    const row = all([at(0, { recordedMs: START, ...more })]);
    expect(row.findings.map(({ kind }) => kind)).toEqual(isSkew ? ['skew'] : []);
  });

  it('says what the clock said and when that was recorded, is one finding, and is over when the clock is right for 15 minutes', () => {
    const wrong = (n: number) => at(n, { recordedMs: minutes(n), sentMs: minutes(n + 60) });
    const right = (n: number) => at(n, { recordedMs: minutes(n), sentMs: minutes(n) });
    const row = all([wrong(0), right(1), wrong(2), right(16)]);
    expect(shown(row)).toEqual([['skew', 0, undefined, '2026-11-30T01:00:00.000Z', '2026-11-30T02:00:00.000Z']]);
    // An event that says nothing about the clock does not end it.
    expect(shown(all([at(20, { recordedMs: minutes(20) })], row))[0]![2]).toBeUndefined();
    expect(shown(all([right(17)], row))[0]![2]).toBe(17 * MINUTE);
  });
});

describe('a storm', () => {
  it('is a finding when more numbers come again in a minute than usual, shows the greatest count, and is over after 15 calm minutes', () => {
    const again = (n: number) => at(n, { number: 1, recordedMs: START + n });
    const calm = all(Array.from({ length: 61 }, (_, n) => again(n)));
    expect(calm.findings).toEqual([]);
    const storm = all([again(61), again(62)], calm);
    expect(shown(storm)).toEqual([['storm', 0, undefined, '60', '62']]);
    const over = tick(storm, START + 16 * MINUTE, LIMITS);
    expect(shown(tick(storm, START + 16 * MINUTE - 1, LIMITS))).toEqual(shown(storm));
    expect(shown(over)).toEqual([['storm', 0, 16 * MINUTE, '60', '62']]);
    expect(isWaiting(over)).toBe(false);
  });

  it('counts what gateways have answered as duplicates, minute by minute', () => {
    const minute = START / MINUTE;
    const row = all([at(0)]);
    const calm = resent(resent(row, minute, 60, LIMITS), minute + 1, 60, LIMITS);
    expect(calm.findings).toEqual([]);
    expect(shown(resent(calm, minute + 1, 40, LIMITS))).toEqual([['storm', MINUTE, undefined, '60', '100']]);
  });
});

it.each(Array.from({ length: 30 }, (_, n) => n + 1))(
  'events that are read again after a restart at any place change nothing (seed %i)',
  (seed) => {
    const next = random(seed);
    const offsets = [0, 0, 0];
    const sightings = Array.from({ length: 80 }, (_, n) => {
      const partition = Math.floor(next() * 3);
      const offset = offsets[partition]!++;
      const recordedMs = START + n * 20_000;
      const sentMs = next() < 0.2 ? recordedMs + (next() - 0.5) * 60 * MINUTE : recordedMs;
      const number = next() < 0.1 ? undefined : Math.floor(next() * 100) + 1;
      return at(offset, { partition, recordedMs, sentMs, number, position: `imigrasi.paspor/${partition}/${offset}` });
    });
    const once = all(sightings);
    const from = Math.floor(next() * sightings.length);
    const half = JSON.parse(JSON.stringify(all(sightings.slice(0, Math.max(from, 1))))) as SourceRow;
    const begin = Math.floor(next() * from);
    expect(all(sightings.slice(begin), half)).toEqual(once);
  },
);

it('keeps the open findings and the last that ended, however often a clock jumps', () => {
  let row: SourceRow | undefined;
  for (let n = 0; n < 400; n++) {
    const recordedMs = START + n * 20 * MINUTE;
    row = look(row, at(n, { recordedMs, sentMs: n % 2 === 0 ? recordedMs + 60 * MINUTE : recordedMs }), LIMITS);
  }
  expect(row!.findings.length).toBeLessThanOrEqual(11);
  const told = {
    ...row!,
    findings: row!.findings.map((f) => ({
      ...f,
      told: f.untilMs === undefined ? ('begin' as const) : ('end' as const),
    })),
  };
  const after = look(told, at(400, { recordedMs: START + 400 * 20 * MINUTE, sentMs: 0 }), LIMITS);
  expect(after.findings.filter((f) => f.untilMs !== undefined)).toHaveLength(3);
});
