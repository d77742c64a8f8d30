import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Caller } from '#access';
import { Limits } from '#limits';
import { z } from 'zod';
import { until } from '../../test/kit/projection/stage.js';
import { serveEdge } from '../../test/kit/doors/edge.js';
import type { Door, HttpServer } from './index.js';

let server: HttpServer;
const lines: [fields: Record<string, unknown>, text: string | undefined][] = [];
const counted: string[] = [];
let live = 0;
let waiting = 0;
const LIMIT = z.strictObject({ limit: z.coerce.number().int().optional() });

const door: Door = (edge) => {
  edge.app.get('/v1/live', (req, reply) => {
    edge.sse(req, reply);
  });
  edge.app.get('/v1/wait', async (req) => {
    await edge.waiting(req, (over) => {
      waiting++;
      return new Promise((resolve) => over.addEventListener('abort', resolve));
    });
    return {};
  });
  edge.app.get('/v1/things/:id', { config: { roles: ['admin'] } }, () => ({}));
  edge.app.get('/v1/things', (req) => edge.query(req, LIMIT));
};
const caller = (keyId: string): Caller => ({ keyId, owner: 'SU00123', system: 'simkim', roles: new Set(['reader']) });

beforeAll(async () => {
  server = await serveEdge({
    doors: [door],
    authenticate: (h) => (h?.startsWith('Bearer k') === true ? caller(h.slice(7)) : undefined),
    log: {
      info: (fields, text) => lines.push([fields as Record<string, unknown>, text]),
      warn: () => undefined,
      error: () => undefined,
    },
    report: { refused: (code) => counted.push(code), live: (open) => (live = open) },
    budgets: new Limits({ values: { live_streams_per_key: 2, live_streams_per_address: 3 } }),
  });
});
afterAll(() => server.close());

function hold(path: string, key: string) {
  const stop = new AbortController();
  const answer = fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${key}` }, signal: stop.signal });
  answer.catch(() => undefined);
  return { answer, leave: () => stop.abort() };
}
const status = async (path: string, key: string) => {
  const one = hold(path, key);
  const r = await one.answer;
  return { status: r.status, retry: r.headers.get('retry-after'), leave: one.leave };
};

describe('live streams and waiting requests', () => {
  it('have a quota per key and per address: beyond it 429, and the quota is free again after a reader disconnects', async () => {
    const first = await status('/v1/live', 'k1');
    const second = hold('/v1/wait', 'k1');
    await until(() => waiting === 1);
    for (const path of ['/v1/live', '/v1/wait']) {
      const more = await status(path, 'k1');
      expect([more.status, more.retry]).toEqual([429, '5']);
    }
    const other = await status('/v1/live', 'k2');
    expect(live).toBe(2);
    expect((await status('/v1/live', 'k3')).status).toBe(429);
    first.leave();
    second.leave();
    await until(() => live === 1);
    const again = await status('/v1/live', 'k1');
    expect(again.status).toBe(200);
    again.leave();
    other.leave();
    await until(() => live === 0);
  });
});

describe('a refused request', () => {
  it('is one log line with code, route, request id and key id, and never holds what the client sent', async () => {
    lines.length = 0;
    counted.length = 0;
    const headers = { authorization: 'Bearer k1', 'x-request-id': 'req-12345678' };
    await fetch(`${server.url}/v1/things?limit=Budi%20Santoso`, { headers });
    await fetch(`${server.url}/v1/things/9901010101010001`, { headers });
    await fetch(`${server.url}/v1/things/9901010101010001`, { headers: { authorization: 'Bearer salah' } });
    const same = { method: 'GET', request: 'req-12345678', keyId: 'k1' };
    expect(lines.map(([fields]) => fields)).toEqual([
      { ...same, code: 'invalid_query', status: 400, route: '/v1/things' },
      { ...same, code: 'forbidden', status: 403, route: '/v1/things/:id' },
      {
        ...same,
        code: 'unauthenticated',
        status: 401,
        route: '/v1/things/:id',
        request: expect.any(String),
        keyId: null,
      },
    ]);
    expect(JSON.stringify(lines)).not.toMatch(/Budi|9901|salah/);
    expect(counted).toEqual(['invalid_query', 'forbidden', 'unauthenticated']);
  });

  it('cannot flood the log: at most 20 lines a second, then the number of lines left out; every refusal is counted', async () => {
    lines.length = 0;
    counted.length = 0;
    await Promise.all(Array.from({ length: 50 }, () => fetch(`${server.url}/v1/things`)));
    await until(() => lines.some(([fields]) => 'leftOut' in fields));
    const logged = lines.filter(([fields]) => 'code' in fields).length;
    const left = lines.reduce((sum, [fields]) => sum + ((fields['leftOut'] as number | undefined) ?? 0), 0);
    expect([logged + left, counted.length, logged <= 40]).toEqual([50, 50, true]);
  });
});
