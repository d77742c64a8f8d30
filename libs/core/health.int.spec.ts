import { expect, it } from '@jest/globals';
import { HEALTH_DOOR, HealthController } from '#http';
import type { Core } from './core.js';
import { coreHealth } from './health.js';
import { serveEdge } from '../../test/kit/doors/edge.js';

it('a process is not ready before the duplicate index has caught up once, also when log and store answer', async () => {
  const settled = { ready: false };
  const answers = { ping: () => Promise.resolve() };
  const core = { settled, log: answers, state: answers } as unknown as Core;
  const providers = [{ provide: HEALTH_DOOR, useValue: coreHealth(core) }];
  const server = await serveEdge({}, { controllers: [HealthController], providers });
  const ready = async () => {
    const r = await fetch(`${server.url}/health/ready`);
    return [r.status, ((await r.json()) as { status: string }).status];
  };
  try {
    expect(await ready()).toEqual([503, 'starting']);
    settled.ready = true;
    expect(await ready()).toEqual([200, 'ready']);
  } finally {
    await server.close();
  }
});

it('a door whose port does not answer within a second is not ok, with the code of the port, and the others are', async () => {
  const core = {
    settled: { ready: true },
    log: { ping: () => new Promise(() => undefined) },
    state: { ping: () => Promise.resolve() },
  } as unknown as Core;
  const began = Date.now();
  expect(await coreHealth(core).doors()).toEqual([
    { name: 'publish', ok: false, reason: 'log_unavailable' },
    { name: 'read', ok: false, reason: 'log_unavailable' },
    { name: 'state', ok: true },
  ]);
  expect(Date.now() - began).toBeLessThan(3_000);
});
