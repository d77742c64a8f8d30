import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { noKafkaHub } from '../../test/kit/kafka-hub.js';
import { until } from '../../test/kit/projection/stage.js';
import { OCCUPANCY, PASSPORTS, WatchStage, type EngineName } from '../../test/kit/watch/stage.js';
import type { Finding } from './finding.js';
import { FINDING_BEGAN, FINDING_ENDED } from './hub-events.js';

const ENGINES: readonly EngineName[] = noKafkaHub() === undefined ? ['embedded', 'kafka'] : ['embedded'];
const MINUTE = 60_000;

/** Every case has a unit of its own. */
const [GAP, CLOCK, RESENDING, RESTART, TWO] = ['SU00123', 'SU00124', 'SU00125', 'SU00126', 'SU00127'] as const;

describe.each(ENGINES)('the watch (%s)', (engine) => {
  let hub: WatchStage;
  beforeAll(async () => {
    hub = await WatchStage.open(engine, { limits: { graceMs: 50, resends: 2 } });
    // The first hub on a cluster makes all of its topics.
  }, 120_000);
  afterAll(() => hub[Symbol.asyncDispose](), 60_000);
  /** What the hub has told of this unit, when there are so many events. */
  const told = async (unit: string, count: number, by = hub) => {
    const all = async () => (await by.events()).filter(({ data }) => data['pihak'] === unit);
    await until(async () => (await all()).length >= count);
    return (await all()).map(({ type, data }) => [type, data['jenis'], data['pihak'], data['seharusnya']]);
  };
  const findings = (of: string): readonly Finding[] => hub.findings.filter(({ unit }) => unit === of);

  it('finds missing numbers, tells the unit by an event, and tells that they have come', async () => {
    for (const n of [1, 2, 5]) await hub.publish(GAP, PASSPORTS, { urutanunit: n });
    expect(await told(GAP, 1)).toEqual([[FINDING_BEGAN, 'nomor_hilang', GAP, '3-4']]);
    expect(findings(GAP)).toMatchObject([
      { kind: 'gap', unit: GAP, system: 'uji', stream: 'imigrasi.paspor', expected: '3-4', seen: '5' },
    ]);
    for (const n of [4, 3]) await hub.publish(GAP, PASSPORTS, { urutanunit: n });
    expect((await told(GAP, 2))[1]).toEqual([FINDING_ENDED, 'nomor_hilang', GAP, expect.any(String)]);
    expect(findings(GAP)).toMatchObject([{ kind: 'gap', untilMs: expect.any(Number) as unknown }]);
  });

  it('finds a wrong clock, and numbers that come again and again', async () => {
    const waktuterkirim = new Date(hub.now - 60 * MINUTE).toISOString();
    await hub.publish(CLOCK, PASSPORTS, { waktuterkirim });
    expect(await told(CLOCK, 1)).toEqual([[FINDING_BEGAN, 'jam_salah', CLOCK, expect.any(String)]]);
    expect(findings(CLOCK)[0]!.seen).toBe(waktuterkirim);
    for (let n = 0; n < 10; n++) await hub.publish(CLOCK, PASSPORTS, { urutanunit: 7 });
    expect((await told(CLOCK, 2)).at(-1)).toEqual([FINDING_BEGAN, 'kirim_ulang', CLOCK, '2']);
  });

  it('finds a source that sends the same events again and again, although duplicates are in no stream', async () => {
    const time = new Date(hub.now).toISOString();
    // Not at the end of a minute: counts are by the minute, and are written when it is over.
    const minute = Math.ceil(hub.now / MINUTE) * MINUTE;
    hub.clock(minute + 5_000);
    for (let n = 0; n < 15; n++) await hub.publish(RESENDING, PASSPORTS, { id: 'sama', time });
    hub.clock(minute + MINUTE);
    await hub.publish(RESENDING, PASSPORTS, { id: 'sama', time });
    expect(await told(RESENDING, 1)).toEqual([[FINDING_BEGAN, 'kirim_ulang', RESENDING, '2']]);
    expect(findings(RESENDING)[0]!.seen).toBe('14');
  });

  it('goes on after a restart: nothing is told twice, and a gap that spans the restart is found', async () => {
    for (const n of [1, 3]) await hub.publish(RESTART, PASSPORTS, { urutanunit: n });
    await told(RESTART, 1);
    await until(() => findings(RESTART).some((f) => f.told === 'begin'));
    await hub.stop();
    await hub.start();
    await hub.publish(RESTART, PASSPORTS, { urutanunit: 2 });
    await told(RESTART, 2);
    await hub.stop();
    await hub.start();
    await hub.publish(RESTART, PASSPORTS, { urutanunit: 6 });
    const all = await told(RESTART, 3);
    expect(all.map(([type]) => type).sort()).toEqual([FINDING_BEGAN, FINDING_BEGAN, FINDING_ENDED]);
    expect(findings(RESTART)).toMatchObject([{ expected: '4-5' }, { expected: '2' }]);
  });

  if (engine === 'kafka')
    it('runs in one of two processes; when that one ends the other goes on, and nothing is told twice', async () => {
      await using second = await hub.beside();
      const watching = () => [hub, second].filter(({ runner }) => runner.isWatching);
      await until(() => watching().length === 1);
      for (const n of [1, 3]) await second.publish(TWO, PASSPORTS, { urutanunit: n });
      await told(TWO, 1, second);
      const [owner] = watching() as [WatchStage];
      const other = owner === hub ? second : hub;
      await owner.stop();
      await until(() => other.runner.isWatching);
      await other.publish(TWO, PASSPORTS, { urutanunit: 2 });
      const all = await told(TWO, 2, other);
      expect(all.map(([type]) => type).sort()).toEqual([FINDING_BEGAN, FINDING_ENDED]);
      await owner.start();
    });

  it('finds the units that sent no report by 10:00 WIB, and that one has reported late', async () => {
    // Before the deadline.
    await using morning = await WatchStage.open(engine, {}, '2026-11-30T02:30:00Z');
    const prisons = ['lapas', 'rutan', 'lpka'].flatMap((type) => morning.core.units.units.list({ type }));
    const [diligent, late] = prisons.map(({ id }) => id) as [string, string];
    await morning.publish(diligent, OCCUPANCY, { data: { unit: diligent, tanggal: '2026-11-30' } });
    // A type is judged from when it is first watched.
    await until(() => morning.runner.judged(OCCUPANCY) !== undefined);
    expect(morning.findings).toEqual([]);
    morning.clock('2026-11-30T03:02:00Z');
    await until(() => morning.findings.length === prisons.length - 1);
    expect(morning.findings.find(({ unit }) => unit === late)).toMatchObject({
      kind: 'silent',
      stream: 'pas.hunian',
      type: OCCUPANCY,
      sinceMs: Date.parse('2026-11-30T03:00:00Z'),
      expected: '2026-11-30T03:00:00.000Z',
      seen: '',
    });
    expect(morning.findings.some(({ unit }) => unit === diligent)).toBe(false);
    await morning.publish(late, OCCUPANCY, { data: { unit: late, tanggal: '2026-11-30' } });
    await until(() => morning.findings.some(({ unit, untilMs }) => unit === late && untilMs !== undefined));
  });
});
