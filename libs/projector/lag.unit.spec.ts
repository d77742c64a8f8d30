import { expect, it } from '@jest/globals';
import { OpenNames, type Core } from '#core';
import { Ends, type OpenProjector } from '#projection';
import { Metrics } from '#telemetry';
import { lagAtScrape } from './lag.js';

const at = { partition: 0, low: 0n, high: 5n };
const coreOf = (metrics: Metrics, log: object): Core => {
  const read = { topicId: () => Promise.resolve('satu'), ...log } as unknown as Core['log'];
  const catalogue = {
    stream: (name: string) => ({ types: [`${name}.c`] }),
    newest: (type: string) => ({ restricted: type.startsWith('rahasia.') }),
  };
  const openNames = new OpenNames(catalogue as never, []);
  return {
    metrics,
    openNames,
    ends: new Ends({ log: read, state: { connection: () => 1 }, now: Date.now }),
  } as unknown as Core;
};

it('the lag of a view is 0 when it has caught up, and its series are absent while the log does not answer', async () => {
  let answers = true;
  const log = {
    describe: () => (answers ? Promise.resolve([at]) : Promise.reject(new Error('away'))),
    read: () => Promise.resolve({ kind: 'records', records: [{ appendTimeMs: Date.now() - 60_000 }] }),
  };
  let next = 3n;
  const view = { view: 'v', storage: 'v~1', live: true };
  const projector = {
    held: () => [{ stream: 'a.b', partition: 0, index: 5n, views: [{ ...view, next }] }],
  } as unknown as OpenProjector;
  const metrics = new Metrics('t');
  metrics.beforeScrape(lagAtScrape(coreOf(metrics, log), projector));
  const lag = async () =>
    /simpul_view_lag_events{view="v",storage="v~1",stream="a.b",partition="0"[^}]*} (\d+)/.exec(
      await metrics.text(),
    )?.[1];
  expect(await lag()).toBe('2');
  next = 5n;
  expect(await lag()).toBe('0');
  answers = false;
  expect(await lag()).toBeUndefined();
});

it('the age of what waits has no series while the first record that is not folded cannot be read: it is not 0', async () => {
  let read: () => Promise<object> = () => Promise.reject(new Error('away'));
  const log = { describe: () => Promise.resolve([at]), read: () => read() };
  const held = [
    { stream: 'a.b', partition: 0, index: 5n, views: [{ view: 'v', storage: 'v~1', live: true, next: 3n }] },
  ];
  const metrics = new Metrics('t');
  metrics.beforeScrape(lagAtScrape(coreOf(metrics, log), { held: () => held } as unknown as OpenProjector));
  const seconds = async () =>
    [...(await metrics.text()).matchAll(/^simpul_view_lag_seconds{view="([^"]*)"[^}]*} (\S+)$/gm)].map((m) => m[1]);
  expect(await seconds()).toEqual(['duplicate index']);
  expect(await metrics.text()).toMatch(/^simpul_view_lag_events{view="v"[^}]*} 2$/m);
  read = () => Promise.resolve({ kind: 'records', records: [{ appendTimeMs: Date.now() - 60_000 }] });
  expect(await seconds()).toEqual(['duplicate index', 'v']);
});

it('the duplicate index has its name in the label view and its storage name in the label storage, and the help says so', async () => {
  const log = { describe: () => Promise.resolve([at]), read: () => Promise.resolve({ kind: 'records', records: [] }) };
  const projector = {
    held: () => [{ stream: 'a.b', partition: 0, index: 4n, views: [] }],
  } as unknown as OpenProjector;
  const metrics = new Metrics('t');
  metrics.beforeScrape(lagAtScrape(coreOf(metrics, log), projector));
  const text = await metrics.text();
  expect(text).toMatch(/^simpul_view_lag_events{view="duplicate index",storage="~index",stream="a.b"[^}]*} 1$/m);
  expect(text).toMatch(/^# HELP simpul_view_lag_events .*view="duplicate index" and storage="~index"\.$/m);
});

it('names and help of metrics repeat no prefix and name no label value that is never set', async () => {
  const text = await new Metrics('t').text();
  expect(text).not.toContain('process_process');
  expect(text).toMatch(/^simpul_process_cpu_seconds_total/m);
  expect(text).toMatch(/^simpul_live_readers{role="t"} 0$/m);
  expect(text).toMatch(/^# HELP simpul_published_total .*accepted, duplicate/m);
  expect(text).toMatch(/^# HELP simpul_projected_total Events folded, by view\.$/m);
});

it('the lag of restricted streams has one label for all of them together, which names none of them and no partition of theirs', async () => {
  const log = {
    describe: () => Promise.resolve([at, { ...at, partition: 1 }]),
    read: () => Promise.reject(new Error()),
  };
  const held = ['rahasia.satu', 'rahasia.dua', 'a.b'].map((stream) => ({ stream, partition: 0, index: 3n, views: [] }));
  const metrics = new Metrics('t');
  const projector = { held: () => [...held, { ...held[0], partition: 1 }] } as unknown as OpenProjector;
  metrics.beforeScrape(lagAtScrape(coreOf(metrics, log), projector));
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith('simpul_view_lag_events{'));
  expect(lines).toHaveLength(2);
  expect(lines.join('\n')).not.toMatch(/rahasia/);
  expect(lines.find((line) => line.includes('stream="restricted"'))).toMatch(/partition="restricted".*} 6$/);
});
