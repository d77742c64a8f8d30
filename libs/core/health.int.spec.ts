import { expect, it } from '@jest/globals';
import { Fault, type FaultCode } from '#faults';
import { HEALTH_DOOR, HealthController } from '#http';
import { Ends } from '#projection';
import { Concerns } from './concerns.js';
import type { Core } from './core.js';
import { coreHealth } from './health.js';
import { ViewReports } from './view-health.js';
import { Readiness } from './readiness.js';
import { serveEdge } from '../../test/kit/doors/edge.js';

const nothingBehind = {
  views: [],
  generations: { row: () => undefined },
  registry: { catalogue: { streams: () => [] } },
  ends: new Ends({ log: {} as Core['log'], state: { connection: () => 1 }, now: Date.now }),
  now: Date.now,
};

it('a process is not ready before the duplicate index has caught up once and its projector had a first assignment, also when log and store answer', async () => {
  const settled = { ready: false };
  const answers = { ping: () => Promise.resolve() };
  const readiness = new Readiness();
  const assigned = readiness.expect('projector');
  const core = {
    ...nothingBehind,
    viewReports: new ViewReports(),
    settled,
    concerns: new Concerns(),
    readiness,
    log: answers,
    state: answers,
  } as unknown as Core;
  const providers = [{ provide: HEALTH_DOOR, useValue: coreHealth(core) }];
  const server = await serveEdge({}, { controllers: [HealthController], providers });
  const ready = async () => {
    const r = await fetch(`${server.url}/health/ready`);
    return [r.status, ((await r.json()) as { status: string }).status];
  };
  try {
    expect(await ready()).toEqual([503, 'starting']);
    settled.ready = true;
    // A process with a projector is not ready before its first assignment.
    expect(await ready()).toEqual([503, 'starting']);
    assigned();
    expect(await ready()).toEqual([200, 'ready']);
  } finally {
    await server.close();
  }
});

it('a door whose port has never answered is not ok, with the code of the port, and the others are', async () => {
  const core = {
    ...nothingBehind,
    settled: { ready: true },
    log: { ping: () => new Promise(() => undefined) },
    state: { ping: () => Promise.resolve() },
    concerns: new Concerns(),
  } as unknown as Core;
  const began = Date.now();
  expect(await coreHealth(core).doors()).toEqual([
    { name: 'publish', ok: false, reason: 'log_unavailable' },
    { name: 'read', ok: false, reason: 'log_unavailable' },
    { name: 'state', ok: true },
  ]);
  expect(Date.now() - began).toBeLessThan(5_000);
});

it('of a view with several partitions the state is that of the partition which an operator must know first', () => {
  const reports = new ViewReports();
  expect(reports.views()).toBeUndefined();
  const at = (partition: number, state: 'complete' | 'filling' | 'writing', next: bigint) => ({
    ...{ view: 'uji.papan', storage: 'uji.papan~2', partition, state },
    places: state === 'writing' ? [] : [{ stream: 'uji.kasus', next, appendTimeMs: 1 }],
  });
  reports.from(() => [at(1, 'complete', 7n), at(0, 'complete', 5n)]);
  const row = { view: 'uji.papan', storage: 'uji.papan~2', partitions: 2 };
  expect(reports.views()).toEqual([{ ...row, snapshot: 'complete', upTo: { 'uji.kasus': { 0: '5', 1: '7' } } }]);
  reports.from(() => [at(1, 'complete', 7n), at(0, 'writing', 0n)]);
  expect(reports.views()).toEqual([{ ...row, snapshot: 'writing', upTo: { 'uji.kasus': { 1: '7' } } }]);
  reports.from(() => [at(1, 'writing', 7n), at(0, 'filling', 5n)]);
  expect(reports.views()).toMatchObject([{ snapshot: 'filling' }]);
});

it('a log that takes no appends is told by the publish door alone, in one line and one alarm, until it takes them again', async () => {
  let code: FaultCode | undefined;
  const lines: unknown[] = [];
  const core = {
    ...nothingBehind,
    settled: { ready: true },
    log: {
      ping: () => Promise.resolve(),
      checkWritable: () => (code === undefined ? Promise.resolve() : Promise.reject(new Fault(code))),
    },
    state: { ping: () => Promise.resolve() },
    concerns: new Concerns(),
    logger: { error: (fields: object) => lines.push(fields), info: (fields: object) => lines.push(fields) },
    metrics: { alarms: { inc: (labels: object) => lines.push(labels) } },
  } as unknown as Core;
  const { doors } = coreHealth(core);
  const publish = async () => (await doors()).map(({ name, ok, reason }) => (ok ? name : `${name} ${reason}`));
  expect(await publish()).toEqual(['publish', 'read', 'state']);
  code = 'disk_full';
  for (let i = 0; i < 3; i++) expect(await publish()).toEqual(['publish disk_full', 'read', 'state']);
  expect(lines).toEqual([{ code }, { code }]);
  code = undefined;
  expect(await publish()).toEqual(['publish', 'read', 'state']);
  expect(lines).toHaveLength(3);
});
