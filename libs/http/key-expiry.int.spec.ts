import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Caller } from '#access';
import { serveEdge } from '../../test/kit/doors/edge.js';
import type { Door, HttpServer } from './index.js';

const NOTICE = Date.parse('2026-11-01T00:00:00Z');
const END = Date.parse('2026-12-01T00:00:00Z');
const caller: Caller = {
  keyId: 'k1',
  owner: 'SU00123',
  system: 'uji',
  roles: new Set(['reader']),
  expiry: { noticeMs: NOTICE, atMs: END },
};
let now: number;
let server: HttpServer;

const door: Door = (edge) => {
  edge.app.get('/v1/thing', () => ({ fine: true }));
  edge.app.get('/v1/hot', (req, reply) => {
    edge.json(req, reply, 200, { fine: true });
  });
  edge.app.get('/v1/live', (req, reply) => {
    edge.sse(req, reply).send({ data: '{}' });
  });
  edge.app.get('/open', { config: { open: true } }, () => ({ fine: true }));
};

beforeAll(async () => {
  server = await serveEdge({
    doors: [door],
    now: () => now,
    authenticate: (h) => (h === 'Bearer good' && now < END ? caller : undefined),
    isExpired: (h) => h === 'Bearer good' && now >= END,
    limits: { recheckMs: 20 },
  });
});
afterAll(() => server.close());

const ask = (path: string, key = 'good') =>
  fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${key}` } });

describe('a key with an expiry', () => {
  it('is told in the header simpul-key-expires of every answer, also of hot doors and live streams, as soon as it expires soon', async () => {
    for (const path of ['/v1/thing', '/v1/hot', '/v1/live']) {
      for (const [at, told] of [
        [NOTICE - 1, null],
        [NOTICE, '2026-12-01T00:00:00.000Z'],
      ] as const) {
        now = at;
        const { headers, body } = await ask(path);
        expect([path, headers.get('simpul-key-expires')]).toEqual([path, told]);
        await body?.cancel();
      }
    }
  });

  it('that has expired is refused with 401 key_expired, and its open live streams end; a wrong key is unauthenticated', async () => {
    now = END - 1;
    const live = await ask('/v1/live');
    now = END;
    expect(await live.text()).toContain('data: {}');
    const answer = await ask('/v1/thing');
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([401, 'key_expired']);
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(((await (await ask('/v1/thing', 'wrong')).json()) as { code: string }).code).toBe('unauthenticated');
    expect((await ask('/open')).status).toBe(200);
  });
});
