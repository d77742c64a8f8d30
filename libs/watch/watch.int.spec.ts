import { afterEach, describe, expect, it } from '@jest/globals';
import { noKafkaHub } from '../../test/kit/kafka-hub.js';
import { until } from '../../test/kit/projection/stage.js';
import { OCCUPANCY, PASSPORTS, WatchStage, type EngineName } from '../../test/kit/watch/stage.js';
import { FINDING_BEGAN, FINDING_ENDED } from './hub-events.js';
import type { WatchOptions } from './watch-runner.js';

const ENGINES: readonly EngineName[] = noKafkaHub() === undefined ? ['embedded', 'kafka'] : ['embedded'];
const KANIM = 'SU00123';
const MINUTE = 60_000;

describe.each(ENGINES)('the watch (%s)', (engine) => {
  let stack = new AsyncDisposableStack();
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
  });
  const open = async (options?: WatchOptions, at?: string): Promise<WatchStage> =>
    stack.use(await WatchStage.open(engine, options, at));
  const told = async (hub: WatchStage, count: number) => {
    await until(async () => (await hub.events()).length >= count);
    return (await hub.events()).map(({ type, data }) => [type, data['jenis'], data['pihak'], data['seharusnya']]);
  };

  it('finds missing numbers, tells the unit by an event, and tells that they have come', async () => {
    const hub = await open({ limits: { graceMs: 50 } });
    for (const n of [1, 2, 5]) await hub.publish(KANIM, PASSPORTS, { urutanunit: n });
    expect(await told(hub, 1)).toEqual([[FINDING_BEGAN, 'nomor_hilang', KANIM, '3-4']]);
    expect(hub.findings).toMatchObject([
      { kind: 'gap', unit: KANIM, system: 'uji', stream: 'imigrasi.paspor', expected: '3-4', seen: '5' },
    ]);
    for (const n of [4, 3]) await hub.publish(KANIM, PASSPORTS, { urutanunit: n });
    expect((await told(hub, 2))[1]).toEqual([FINDING_ENDED, 'nomor_hilang', KANIM, expect.any(String)]);
    expect(hub.findings).toMatchObject([{ kind: 'gap', untilMs: expect.any(Number) as unknown }]);
  });

  it('finds a wrong clock, and numbers that come again and again', async () => {
    const hub = await open({ limits: { resends: 2 } });
    const waktuterkirim = new Date(hub.now - 60 * MINUTE).toISOString();
    await hub.publish(KANIM, PASSPORTS, { waktuterkirim });
    expect(await told(hub, 1)).toEqual([[FINDING_BEGAN, 'jam_salah', KANIM, expect.any(String)]]);
    expect(hub.findings[0]!.seen).toBe(waktuterkirim);
    for (let n = 0; n < 10; n++) await hub.publish(KANIM, PASSPORTS, { urutanunit: 7 });
    expect((await told(hub, 2)).at(-1)).toEqual([FINDING_BEGAN, 'kirim_ulang', KANIM, '2']);
  });

  it('finds a source that sends the same events again and again, although duplicates are in no stream', async () => {
    const hub = await open();
    // Not at the end of a minute: counts are by the minute.
    hub.clock('2026-11-30T05:00:05Z');
    const time = new Date(hub.now).toISOString();
    for (let n = 0; n < 70; n++) await hub.publish(KANIM, PASSPORTS, { id: 'sama', time });
    expect(await told(hub, 1)).toEqual([[FINDING_BEGAN, 'kirim_ulang', KANIM, '60']]);
    expect(hub.findings[0]!.seen).toBe('69');
  });

  it('finds the units that sent no report by 10:00 WIB, and that one has reported late', async () => {
    // Before the deadline.
    const hub = await open({}, '2026-11-30T02:30:00Z');
    const prisons = ['lapas', 'rutan', 'lpka'].flatMap((type) => hub.core.units.units.list({ type }));
    const [diligent, late] = prisons.map(({ id }) => id) as [string, string];
    await hub.publish(diligent, OCCUPANCY, { data: { unit: diligent, tanggal: '2026-11-30' } });
    // A type is judged from when it is first watched.
    await until(() => hub.runner.judged(OCCUPANCY) !== undefined);
    expect(hub.findings).toEqual([]);
    hub.clock('2026-11-30T03:02:00Z');
    await until(() => hub.findings.length === prisons.length - 1);
    const silent = hub.findings.find(({ unit }) => unit === late)!;
    expect(silent).toMatchObject({
      kind: 'silent',
      stream: 'pas.hunian',
      type: OCCUPANCY,
      sinceMs: Date.parse('2026-11-30T03:00:00Z'),
      expected: '2026-11-30T03:00:00.000Z',
      seen: '',
    });
    expect(hub.findings.some(({ unit }) => unit === diligent)).toBe(false);
    await hub.publish(late, OCCUPANCY, { data: { unit: late, tanggal: '2026-11-30' } });
    await until(() => hub.findings.some(({ unit, untilMs }) => unit === late && untilMs !== undefined));
  });

  it('goes on after a restart: nothing is told twice, and a gap that spans the restart is found', async () => {
    const hub = await open({ limits: { graceMs: 50 } });
    for (const n of [1, 3]) await hub.publish(KANIM, PASSPORTS, { urutanunit: n });
    await told(hub, 1);
    await until(() => hub.findings.some((f) => f.told === 'begin'));
    await hub.stop();
    await hub.start();
    await hub.publish(KANIM, PASSPORTS, { urutanunit: 2 });
    await told(hub, 2);
    await hub.stop();
    await hub.start();
    await hub.publish(KANIM, PASSPORTS, { urutanunit: 6 });
    const all = await told(hub, 3);
    expect(all.map(([type]) => type).sort()).toEqual([FINDING_BEGAN, FINDING_BEGAN, FINDING_ENDED]);
    expect(hub.findings).toMatchObject([{ expected: '4-5' }, { expected: '2' }]);
  });

  if (engine === 'kafka')
    it('runs in one of two processes; when that one ends the other goes on, and nothing is told twice', async () => {
      const first = await open({ limits: { graceMs: 50 } });
      const second = stack.use(await first.beside());
      const watching = () => [first, second].filter(({ runner }) => runner.isWatching);
      await until(() => watching().length === 1);
      for (const n of [1, 3]) await second.publish(KANIM, PASSPORTS, { urutanunit: n });
      await told(second, 1);
      const [owner] = watching() as [WatchStage];
      const other = owner === first ? second : first;
      await owner.stop();
      await until(() => other.runner.isWatching);
      await other.publish(KANIM, PASSPORTS, { urutanunit: 2 });
      const all = await told(other, 2);
      expect(all.map(([type]) => type).sort()).toEqual([FINDING_BEGAN, FINDING_ENDED]);
      await owner.start();
    });
});
