import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { serveEdge } from '../../../test/kit/doors/edge.js';
import {
  HEALTH_DOOR,
  HealthController,
  type Door,
  type DoorHealth,
  type HealthDoorDeps,
  type HttpServer,
  type Sse,
} from '../index.js';

let server: HttpServer;
let phase: 'starting' | 'serving' | 'draining' = 'starting';
let doors: DoorHealth[] = [];
let live: Sse | undefined;
const flood: Door = (edge) => {
  edge.app.get('/flood', { config: { open: true } }, (req, reply) => {
    live = edge.sse(req, reply);
  });
};
beforeAll(async () => {
  const health: HealthDoorDeps = {
    doors: () => doors,
    phase: () => phase,
    metrics: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4', text: 'simpul_up 1\n' }),
  };
  server = await serveEdge(
    { doors: [flood], limits: { liveBytes: 100_000, stallMs: 100 } },
    { controllers: [HealthController], providers: [{ provide: HEALTH_DOOR, useValue: health }] },
  );
});
afterAll(() => server.close());
const ask = async (path: string) => {
  const r = await fetch(`${server.url}${path}`);
  return { status: r.status, text: await r.text(), type: r.headers.get('content-type') };
};

describe('health', () => {
  it('is live without a key in every phase', async () => {
    expect(await ask('/health/live')).toMatchObject({ status: 200, text: '{"status":"live"}' });
  });
  it('is ready while at least one door works, names the state of each door, and answers for one door with ?door=', async () => {
    doors = [
      { name: 'publish', ok: true },
      { name: 'state', ok: false, reason: 'state_unavailable' },
    ];
    expect(await ask('/health/ready')).toMatchObject({ status: 503 });
    phase = 'serving';
    const r = await ask('/health/ready');
    expect([r.status, JSON.parse(r.text)]).toEqual([200, { status: 'ready', doors }]);
    expect((await ask('/health/ready?door=publish')).status).toBe(200);
    expect((await ask('/health/ready?door=state')).status).toBe(503);
    const nowhere = await ask('/health/ready?door=nowhere');
    expect([nowhere.status, JSON.parse(nowhere.text)]).toMatchObject([
      400,
      { code: 'invalid_query', errors: [{ pointer: '?door', expected: 'publish · read · state' }] },
    ]);
    doors = [{ name: 'publish', ok: false }];
    expect((await ask('/health/ready')).status).toBe(503);
    expect((await ask('/health/ready?x=1')).status).toBe(400);
  });
  it('gives metrics as Prometheus text', async () => {
    expect(await ask('/metrics')).toEqual({ status: 200, text: 'simpul_up 1\n', type: 'text/plain; version=0.0.4' });
  });
});

describe('a live reader that receives nothing', () => {
  it('is disconnected when more bytes wait for it than the limit, and costs no more memory', async () => {
    await fetch(`${server.url}/flood`);
    const big = 'x'.repeat(50_000);
    let sent = 0;
    while (live!.send({ data: big })) sent += big.length;
    expect(live!.closed.aborted).toBe(true);
    expect(sent).toBeLessThan(20_000_000);
    expect(live!.send({ data: 'x' })).toBe(false);
  });
  it('is disconnected when it stalls', async () => {
    await fetch(`${server.url}/flood`);
    const big = 'x'.repeat(30_000_000);
    live!.send({ data: big });
    await live!.drained();
    expect(live!.closed.aborted).toBe(true);
  });
});
