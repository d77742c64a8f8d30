import type { Caller, Role } from '#access';
import { Fault } from '#faults';
import { Controller, Get, Header, Post } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect } from 'node:net';
import { z } from 'zod';
import { serveEdge } from '../../test/kit/doors/edge.js';
import { CheckedBody, CheckedQuery, CurrentCaller, RouteConfig } from './controllers.js';
import type { Door, DoorProfile, HttpServer } from './index.js';

const caller = (keyId: string, ...roles: Role[]): Caller => ({
  keyId,
  owner: 'SU00123',
  system: 'simkim',
  roles: new Set(roles),
});
const KEYS: Record<string, Caller> = { 'Bearer good': caller('k1', 'reader'), 'Bearer admin': caller('k2', 'admin') };
const BODY = z.strictObject({ name: z.string() });
const QUERY = z.strictObject({ limit: z.coerce.number().int().optional() });
type Body = z.output<typeof BODY>;

/** One invented door per kind of authentication, as Fastify routes. */
const door: Door = (edge) => {
  for (const prefix of ['/registry', '/console', '/hooks']) {
    edge.app.get(`${prefix}/who`, (req) => ({ keyId: req.caller?.keyId ?? null }));
    edge.app.get(`${prefix}/broken`, () => {
      throw new Fault('queue_full', { detail: 'the queue is full', retryAfterMs: 2_000 });
    });
    edge.app.post(`${prefix}/body`, (req) => edge.body(req, BODY));
  }
};

/** The same as a Nest controller. */
@Controller('registry/nest')
class RegistryLikeController {
  @Get('who')
  @Header('content-type', 'application/json')
  @RouteConfig({ summary: 'Who', query: QUERY })
  who(@CheckedQuery() _q: object, @CurrentCaller() { keyId }: Caller): object {
    return { keyId };
  }

  @Post('body')
  @RouteConfig({ summary: 'A body', body: BODY, roles: ['admin'] })
  body(@CheckedBody() body: Body): object {
    return body;
  }
}

const profiles: DoorProfile[] = [
  { prefix: '/registry', auth: 'basic', errors: 'registry', limits: { bodyBytes: 100 } },
  {
    prefix: '/console',
    auth: 'session',
    errors: 'problem',
    session: { name: 'sid', callerOf: (value) => (value === 's1' ? caller('session') : undefined) },
  },
  { prefix: '/hooks', auth: 'none', errors: 'problem', limits: { receivingBytes: 400 } },
];
const BASIC = `Basic ${Buffer.from('anyone:good').toString('base64')}`;
const ADMIN = `Basic ${Buffer.from('anyone:admin').toString('base64')}`;
let server: HttpServer;
beforeAll(async () => {
  server = await serveEdge(
    { doors: [door], profiles, authenticate: (h) => KEYS[h ?? ''] },
    { controllers: [RegistryLikeController] },
  );
});
afterAll(() => server.close());

async function ask(path: string, headers: Record<string, string> = {}, body?: string) {
  const r = await fetch(`${server.url}${path}`, {
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { method: 'POST', body }),
  });
  return { status: r.status, headers: r.headers, body: (await r.json()) as Record<string, unknown> };
}

/** The answer to a request whose body is never sent. */
function head(text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1', () => socket.write(text));
    let out = '';
    socket.setEncoding('utf8').on('data', (d: string) => (out += d));
    socket.on('close', () => {
      resolve(out);
    });
  });
}

describe('a door with Basic credentials and registry errors', () => {
  const routes = ['/registry/who', '/registry/nest/who'];

  it('takes the API key as the password, in a Fastify route and in a controller', async () => {
    for (const path of routes) {
      expect(await ask(path, { authorization: BASIC })).toMatchObject({ status: 200, body: { keyId: 'k1' } });
      expect((await ask(path, { authorization: 'Bearer good' })).status).toBe(401);
    }
  });

  it('answers 401 with a Basic challenge, error_code and message and nothing else', async () => {
    for (const path of routes) {
      const { status, headers, body } = await ask(path);
      expect([status, headers.get('www-authenticate')]).toEqual([401, 'Basic realm="simpul", charset="UTF-8"']);
      expect(headers.get('content-type')).toBe('application/vnd.schemaregistry.v1+json');
      expect(Object.keys(body)).toEqual(['error_code', 'message']);
      expect(body['error_code']).toBe(401);
    }
  });

  it('answers every error in that shape: unknown paths, methods, queries, bodies, faults of a handler', async () => {
    const auth = { authorization: ADMIN };
    for (const [status, answer] of [
      [404, await ask('/registry/nowhere', auth)],
      [405, await ask('/registry/who', auth, '{}')],
      [400, await ask('/registry/nest/who?x=1', auth)],
      [403, await ask('/registry/nest/body', { authorization: BASIC }, '{}')],
      [400, await ask('/registry/nest/body', auth, '{')],
      [413, await ask('/registry/nest/body', auth, JSON.stringify({ name: 'x'.repeat(200) }))],
      [503, await ask('/registry/broken', auth)],
    ] as const) {
      expect([answer.status, Object.keys(answer.body)]).toEqual([status, ['error_code', 'message']]);
      expect(answer.body['error_code']).toBe(status);
    }
    expect((await ask('/registry/broken', auth)).headers.get('retry-after')).toBe('2');
    expect(await ask('/registry/nest/body', auth, '{"name":"a"}')).toMatchObject({ status: 201, body: { name: 'a' } });
  });

  it('decides about credentials and roles before the body of a controller is read', async () => {
    const lines =
      'POST /registry/nest/body HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 90\r\n';
    expect(await head(`${lines}\r\n`)).toMatch(/^HTTP\/1.1 401 [^]*connection: close/i);
    expect(await head(`${lines}authorization: ${BASIC}\r\n\r\n`)).toMatch(/^HTTP\/1.1 403 [^]*connection: close/i);
  });
});

describe('a door with sessions', () => {
  it('takes the caller of the session cookie, answers problem documents and offers no challenge', async () => {
    expect((await ask('/console/who', { cookie: 'sid=s1' })).body).toEqual({ keyId: 'session' });
    const { status, headers, body } = await ask('/console/who', { cookie: 'sid=s2', authorization: 'Bearer good' });
    expect([status, body['code'], headers.get('www-authenticate')]).toEqual([401, 'unauthenticated', null]);
  });
});

describe('a door without authentication', () => {
  it('takes every request without a caller, and answers problem documents', async () => {
    expect((await ask('/hooks/who', { authorization: 'Bearer good' })).body).toEqual({ keyId: null });
    expect((await ask('/hooks/broken')).body).toMatchObject({ code: 'queue_full', status: 503 });
  });

  it('receives no more bytes at once than its profile allows, a quarter of them for one key', async () => {
    const body = (bytes: number): string => JSON.stringify({ name: 'x'.repeat(bytes - 11) });
    expect((await ask('/hooks/body', {}, body(100))).status).toBe(200);
    const { status, body: problem } = await ask('/hooks/body', {}, body(101));
    expect([status, problem['code']]).toEqual([503, 'queue_full']);
  });
});

describe('a door without a profile of its own', () => {
  it('takes API keys and answers problem documents', async () => {
    const { status, headers, body } = await ask('/elsewhere');
    expect([status, body['code']]).toEqual([404, 'not_found']);
    expect(headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  });
});
