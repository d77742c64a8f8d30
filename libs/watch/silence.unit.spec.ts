import { describe, expect, it } from '@jest/globals';
import { todayOf } from '#event';
import { UnitTree, type Unit } from '#units';
import { deadlineMs, deadlinesBetween, expectationOf, type Expectation } from './expectation.js';
import { judged, reported, unitsOwing, type ReportRow } from './silence.js';

const DAILY: Expectation = {
  type: 'pas.hunian.dilaporkan',
  stream: 'pas.hunian',
  every: 'day',
  until: '10:00',
  zone: 'WIB',
  from: ['type:lapas', 'unit:SU9'],
  day: 'tanggal',
};
const { zone: _zone, ...LOCAL } = DAILY;
const ms = (time: string): number => Date.parse(time);
const unit = (id: string, tz: Unit['tz'], more: Partial<Unit> = {}): Unit => ({
  id,
  version: 1,
  code: id,
  name: id,
  shortName: id,
  type: 'lapas',
  provinceCode: '31',
  city: 'Kota',
  timezone: { WIB: 'Asia/Jakarta', WITA: 'Asia/Makassar', WIT: 'Asia/Jayapura' }[tz],
  tz,
  validFrom: '2021-01-01',
  knownSince: '2021-01-01T00:00:00Z',
  ...more,
});
const units = new UnitTree(todayOf(() => ms('2026-11-30T12:00:00Z')));
for (const one of [
  unit('SU1', 'WIB'),
  unit('SU2', 'WITA'),
  unit('SU3', 'WIT'),
  unit('SU4', 'WIB', { validTo: '2026-11-29' }),
  unit('SU5', 'WIB', { validFrom: '2026-12-01' }),
  unit('SU6', 'WIB', { type: 'kanim' }),
  unit('SU9', 'WIB', { type: 'rutan' }),
])
  units.put(one.id, [one]);

describe('a deadline', () => {
  it.each([
    ['WIB', '2026-11-30T03:00:00Z'],
    ['WITA', '2026-11-30T02:00:00Z'],
    ['WIT', '2026-11-30T01:00:00Z'],
  ] as const)('10:00 in %s is %s', (zone, time) => {
    expect(deadlineMs(DAILY, zone, '2026-11-30')).toBe(ms(time));
  });

  it('with a zone is one moment for every unit, and without one it is a moment in each of the three zones', () => {
    const [from, until] = [ms('2026-11-29T22:00:00Z'), ms('2026-11-30T03:00:00Z')];
    expect(deadlinesBetween(DAILY, from, until).map(({ zone, day }) => [zone, day])).toEqual([['WIB', '2026-11-30']]);
    expect(deadlinesBetween(LOCAL, from, until).map(({ zone, day }) => [zone, day])).toEqual([
      ['WIT', '2026-11-30'],
      ['WITA', '2026-11-30'],
      ['WIB', '2026-11-30'],
    ]);
  });

  it('is passed once, whatever the steps of the clock are', () => {
    const from = ms('2026-11-25T00:00:00Z');
    const whole = deadlinesBetween(LOCAL, from, from + 5 * 86_400_000);
    const steps: unknown[] = [];
    for (let at = from; at < from + 5 * 86_400_000; at += 7_000_000)
      steps.push(...deadlinesBetween(LOCAL, at, Math.min(at + 7_000_000, from + 5 * 86_400_000)));
    expect(steps).toEqual(whole);
    expect(whole).toHaveLength(15);
  });

  it('of workdays leaves out Saturday and Sunday, and nothing that is older than seven days is asked for', () => {
    const week = (every: 'day' | 'workday') =>
      deadlinesBetween({ ...DAILY, every }, ms('2026-11-01T04:00:00Z'), ms('2026-11-30T04:00:00Z')).map(
        ({ day }) => day,
      );
    expect(week('workday')).toEqual(['2026-11-24', '2026-11-25', '2026-11-26', '2026-11-27', '2026-11-30']);
    expect(week('day')).toHaveLength(7);
  });
});

it('is expected of the units of the type and of single units that exist on that day, in the zone of the deadline', () => {
  const owing = (e: Expectation, zone: Unit['tz'], day: string) =>
    unitsOwing(e, { zone, day, ms: 0 }, units).map(({ id }) => id);
  expect(owing(DAILY, 'WIB', '2026-11-30')).toEqual(['SU1', 'SU2', 'SU3', 'SU9']);
  expect(owing(DAILY, 'WIB', '2026-11-29')).toEqual(['SU1', 'SU2', 'SU3', 'SU4', 'SU9']);
  expect(owing(DAILY, 'WIB', '2026-12-01')).toEqual(['SU1', 'SU2', 'SU3', 'SU5', 'SU9']);
  expect(owing(LOCAL, 'WITA', '2026-11-30')).toEqual(['SU2']);
});

it('a type without the property expects nothing', () => {
  expect(expectationOf({ type: 'a.b.c', stream: 'a.b', expected: undefined })).toBeUndefined();
});

describe('a unit', () => {
  const noon = (day: string) => ({ zone: 'WIB' as const, day, ms: deadlineMs(DAILY, 'WIB', day) });
  const report = (row: ReportRow | undefined, day: string, time: string) =>
    reported(row, DAILY, { unit: 'SU1', day, recordedMs: ms(time), today: time.slice(0, 10) });
  const judge = (row: ReportRow | undefined, day: string) => judged(row, { id: 'SU1' }, DAILY, noon(day));

  it('that has reported is not silent; one that has not is, since the deadline, once over several days', () => {
    const first = judge(report(undefined, '2026-11-28', '2026-11-28T02:00:00Z'), '2026-11-28');
    expect(first.findings).toEqual([]);
    const second = judge(first, '2026-11-29');
    const third = judge(second, '2026-11-30');
    expect(third.findings).toMatchObject([
      {
        kind: 'silent',
        unit: 'SU1',
        type: DAILY.type,
        sinceMs: noon('2026-11-29').ms,
        expected: '2026-11-29T03:00:00.000Z',
        seen: '2026-11-28T02:00:00.000Z',
      },
    ]);
    expect(third.findings[0]!.id).toBe(second.findings[0]!.id);
  });

  it('is silent no more when the late report comes; a report for an older day does not end it, and the next missing day is another finding', () => {
    const silent = judge(undefined, '2026-11-29');
    const old = report(silent, '2026-11-20', '2026-11-29T04:00:00Z')!;
    expect(old.findings[0]!.untilMs).toBeUndefined();
    const late = report(old, '2026-11-29', '2026-11-29T05:00:00Z')!;
    expect(late.findings[0]).toMatchObject({ untilMs: ms('2026-11-29T05:00:00Z'), seen: '2026-11-29T05:00:00.000Z' });
    const again = judge(late, '2026-11-30');
    expect(again.findings.map(({ untilMs }) => untilMs === undefined)).toEqual([true, false]);
    expect(again.findings[0]!.id).not.toBe(again.findings[1]!.id);
  });

  it('cannot report for days that are further away than tomorrow', () => {
    expect(report(undefined, '2026-12-02', '2026-11-30T02:00:00Z')).toBeUndefined();
    expect(report(undefined, '2026-12-01', '2026-11-30T02:00:00Z')!.days).toEqual(['2026-12-01']);
    const tomorrow = report(undefined, '2026-12-01', '2026-11-30T02:00:00Z');
    expect(judge(tomorrow, '2026-11-30').findings).toHaveLength(1);
  });
});
