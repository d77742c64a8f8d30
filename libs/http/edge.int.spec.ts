import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Fault } from '#faults';
import { connect } from 'node:net';
import { z } from 'zod';
import type { Caller } from '#access';
import { serveEdge } from '../../test/kit/doors/edge.js';
import type { Door, HttpServer } from './index.js';

const caller: Caller = { keyId: 'k1', owner: 'SU00123', system: 'simkim', roles: new Set(['reader']) };
let valid = true;
let server: HttpServer;
const opened: string[] = [];

const door: Door = (edge) => {
  edge.app.get(
    '/v1/things',
    { config: { summary: 'Things', query: z.strictObject({ limit: z.coerce.number().int().max(10).optional() }) } },
    (req, reply) => {
      const q = edge.query(req, z.strictObject({ limit: z.coerce.number().int().max(10).optional() }));
      return edge.page(req, reply, 'things', [q.limit ?? 0], 'abc');
    },
  );
  edge.app.post('/v1/things', (req, reply) =>
    reply.code(201).send(edge.body(req, z.strictObject({ name: z.string() }))),
  );
  edge.app.get('/v1/things/:id', { config: { roles: ['admin'] } }, () => 'never');
  edge.app.get('/v1/broken', () => {
    throw new Error('secret of the inside');
  });
  edge.app.get('/v1/busy', () => {
    throw new Fault('queue_full', { retryAfterMs: 2_500 });
  });
  edge.app.get('/open', { config: { open: true } }, () => ({ fine: true }));
  edge.app.get('/v1/live', (req, reply) => {
    const live = edge.sse(req, reply);
    opened.push('open');
    live.send({ id: '1', event: 'tick', data: '{"a":1}' });
    live.closed.addEventListener('abort', () => opened.push('closed'));
  });
};

beforeAll(async () => {
  server = await serveEdge({
    doors: [door],
    authenticate: (h) => (h === 'Bearer good' && valid ? caller : undefined),
    limits: { headersMs: 1_000, requestMs: 1_500, recheckMs: 20, bodyBytes: 1_000 },
  });
});
afterAll(() => server.close());

const ask = (path: string, init: RequestInit = {}) =>
  fetch(`${server.url}${path}`, { ...init, headers: { authorization: 'Bearer good', ...init.headers } });
const problem = async (r: Response) => (await r.json()) as Record<string, unknown>;

function raw(text: string, hold = false): Promise<string> {
  return new Promise((resolve) => {
    const { port } = new URL(server.url);
    const socket = connect(Number(port), '127.0.0.1', () => {
      if (hold) socket.write(text);
      else socket.end(text);
    });
    let out = '';
    socket.setEncoding('utf8').on('data', (d: string) => (out += d));
    socket.on('close', () => {
      resolve(out);
    });
    socket.on('error', () => undefined);
  });
}

describe('the HTTP edge', () => {
  it.each([
    ['a body over the limit', 'authorization: Bearer good\r\n', 'POST /v1/things', 'body_too_large'],
    ['a body of a sender without a key', '', 'POST /v1/things', 'unauthenticated'],
    [
      'a body over the limit of an unknown path',
      'authorization: Bearer good\r\n',
      'POST /v1/nowhere',
      'body_too_large',
    ],
    [
      'a body over the limit that does not wait for 100 Continue',
      'authorization: Bearer good\r\nexpect: 100-continue\r\n',
      'POST /v1/things',
      'body_too_large',
    ],
  ])('%s: the refusal reaches a client that sends everything before it reads', async (_what, head, line, code) => {
    const { port } = new URL(server.url);
    // More than the buffers of both sockets hold, and no more: a busy machine must read it within the bound of the rest of a body.
    const bytes = 16 * 1_048_576;
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect({ port: Number(port), host: '127.0.0.1' });
      let out = '';
      socket.setEncoding('utf8').pause();
      socket.write(
        `${line} HTTP/1.1\r\nhost: a\r\n${head}content-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`,
      );
      socket.write(Buffer.alloc(bytes, ' '), (e) => {
        if (e) reject(e);
        else
          socket
            .on('data', (d: string) => (out += d))
            .on('close', () => resolve(out))
            .resume();
      });
      socket.on('error', reject);
    });
    expect(answer).toContain(`"code":"${code}"`);
    expect(answer).toMatch(/connection: close/i);
  });

  it('a client that goes on sending after its refusal for longer than the bound is cut', async () => {
    const { port } = new URL(server.url);
    const socket = connect({ port: Number(port), host: '127.0.0.1' });
    socket.on('error', () => undefined);
    let sent = 0;
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.write('POST /v1/things HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n');
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(0x100000), Buffer.from('\r\n')]);
    const more = (): void => {
      if (socket.destroyed || sent > 400 * 0x100000) return;
      sent += 0x100000;
      // a failed write must not begin the next: it fails in the same turn of the event loop, for ever
      socket.write(chunk, (e) => (e ? undefined : setImmediate(more)));
    };
    more();
    socket.resume();
    await closed;
    expect(sent).toBeLessThan(300 * 0x100000);
  });

  it('answers every refusal as a problem document with code, title, instance and hint', async () => {
    const r = await ask('/v1/nowhere', { headers: { 'x-request-id': 'req-12345678' } });
    expect(r.status).toBe(404);
    expect(r.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(await problem(r)).toEqual({
      type: '/docs/errors#not_found',
      title: 'Tidak ditemukan',
      status: 404,
      instance: 'urn:simpul:request:req-12345678',
      code: 'not_found',
      hint: 'Periksa alamatnya, atau hak kunci Anda.',
    });
  });

  it('answers in English when Accept-Language prefers it', async () => {
    const r = await ask('/v1/nowhere', { headers: { 'accept-language': 'en-GB, id;q=0.4' } });
    expect(await problem(r)).toMatchObject({ title: 'Not found' });
    expect(r.headers.get('content-language')).toBe('en');
  });

  it('answers 405 with Allow for a method that the path does not have', async () => {
    const r = await ask('/v1/things', { method: 'DELETE' });
    expect([r.status, r.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
    expect(await problem(r)).toMatchObject({ code: 'method_not_allowed', status: 405 });
    expect(
      (
        await raw('TRACE /v1/things HTTP/1.1\r\nhost: a\r\nauthorization: Bearer good\r\nconnection: close\r\n\r\n')
      ).slice(9, 12),
    ).toBe('405');
  });

  it('answers 401 before one byte of the body is read', async () => {
    const out = await raw(
      'POST /v1/things HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n',
      true,
    );
    expect(out).toMatch(/^HTTP\/1.1 401 /);
    expect(out).toMatch(/connection: close/i);
    expect(out).toContain('"code":"unauthenticated"');
  });

  it('answers 403 when the caller has none of the roles of the route', async () => {
    const r = await ask('/v1/things/7');
    expect(r.status).toBe(403);
    expect(await problem(r)).toMatchObject({ code: 'forbidden' });
  });

  it('names the wrong query parameter by pointer, never its value', async () => {
    for (const [query, pointer] of [
      ['limit=1000000000', '?limit'],
      ['limit=x', '?limit'],
      ['limit=1&limit=2', '?limit'],
      ['a[]=1', '?a[]'],
      ['limit=%00', '?limit'],
    ] as const) {
      const r = await ask(`/v1/things?${query}`);
      expect(r.status).toBe(400);
      expect(await problem(r)).toMatchObject({ code: 'invalid_query', errors: [{ pointer }] });
    }
  });

  it('names the wrong members of a body by pointer', async () => {
    const post = (body: string, type = 'application/json') =>
      ask('/v1/things', { method: 'POST', body, headers: { 'content-type': type } });
    expect((await post('{"name":"a"}')).status).toBe(201);
    expect(await problem(await post('{"name":1,"x":2}'))).toMatchObject({
      code: 'invalid_request',
      errors: [{ pointer: '/name', expected: 'string' }, { pointer: '/x' }],
    });
    expect(await problem(await post('{"name":"a"}', 'text/xml'))).toMatchObject({
      status: 415,
      code: 'unsupported_media_type',
    });
    expect(await problem(await post('{'))).toMatchObject({ status: 400, code: 'invalid_json' });
    expect(await problem(await post('a'.repeat(1_001)))).toMatchObject({ status: 413, code: 'body_too_large' });
  });

  it('never shows the text or the stack of an internal error', async () => {
    const r = await ask('/v1/broken');
    const text = await r.text();
    expect(r.status).toBe(500);
    expect(text).not.toContain('secret');
    expect(text).not.toContain('at ');
  });

  it('answers Retry-After in whole seconds, rounded up', async () => {
    const r = await ask('/v1/busy');
    expect([r.status, r.headers.get('retry-after')]).toEqual([503, '3']);
  });

  it('answers 415 to a compressed body', async () => {
    const r = await ask('/v1/things', {
      method: 'POST',
      body: '{}',
      headers: { 'content-encoding': 'gzip', 'content-type': 'application/json' },
    });
    expect(r.status).toBe(415);
  });

  it('answers open routes without a key', async () => {
    const r = await fetch(`${server.url}/open`);
    expect(await r.json()).toEqual({ fine: true });
  });

  it('gives the next page in the body and in a Link header', async () => {
    const r = await ask('/v1/things?limit=2&cursor=x');
    expect(r.status).toBe(400);
    const page = await ask('/v1/things?limit=2');
    expect(page.headers.get('link')).toBe('</v1/things?limit=2&cursor=abc>; rel="next"');
    expect(await page.json()).toEqual({ things: [2], next: 'abc' });
  });

  it('answers broken HTTP with a problem document too', async () => {
    const cases: [string, string, string][] = [
      ['NONSENSE\r\n\r\n', '400', 'bad_request_line'],
      [`GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, '431', 'header_too_large'],
      [
        'POST /v1/things HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
        '400',
        'bad_request_line',
      ],
      [
        'POST /v1/things HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd',
        '400',
        'bad_request_line',
      ],
      [
        'POST /v1/things HTTP/1.1\r\nhost: a\r\nauthorization: Bearer good\r\ncontent-type: application/json\r\ncontent-length: 40\r\n\r\n{"a":1}',
        '400',
        'length_mismatch',
      ],
    ];
    for (const [text, status, code] of cases) {
      const out = await raw(text);
      expect([out.slice(9, 12), out.includes(`"code":"${code}"`) ? code : out]).toEqual([status, code]);
    }
  });

  it('sends 100 Continue only after authentication, and then reads the body', async () => {
    const head = 'POST /v1/things HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n';
    const statuses = (out: string) => [...out.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((m) => m[1]);
    const body = 'connection: close\r\ncontent-length: 12\r\n\r\n{"name":"a"}';
    expect(statuses(await raw(`${head}authorization: Bearer good\r\n${body}`))).toEqual(['100', '201']);
    expect(statuses(await raw(`${head}authorization: Bearer bad\r\n${body}`))).toEqual(['401']);
  });

  it('answers 408 to a request whose head or body comes too slowly', async () => {
    const slowHead = raw('GET / HTTP/1.1\r\nhost: a\r\nx', true);
    const slowBody = raw(
      'POST /v1/things HTTP/1.1\r\nhost: a\r\nauthorization: Bearer good\r\ncontent-type: application/json\r\ncontent-length: 40\r\n\r\n{"a"',
      true,
    );
    expect((await slowHead).slice(9, 12)).toBe('408');
    expect((await slowBody).slice(9, 12)).toBe('408');
  });

  it('describes every declared route in /openapi.json', async () => {
    const doc = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { parameters?: { name: string }[] }>>;
    };
    expect(Object.keys(doc.paths)).toEqual(
      expect.arrayContaining(['/v1/things', '/v1/things/{id}', '/open', '/openapi.json']),
    );
    expect(doc.paths['/v1/things']!['get']!.parameters!.map((p) => p.name)).toEqual(['limit']);
  });

  it('ends a live stream when its key is revoked', async () => {
    const r = await ask('/v1/live');
    expect(r.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    valid = false;
    const text = await r.text();
    valid = true;
    expect(text).toContain('id: 1\nevent: tick\ndata: {"a":1}\n\n');
    expect(opened).toEqual(['open', 'closed']);
  });
});

describe('closing the server', () => {
  it('ends live streams, so that it need not wait for their readers', async () => {
    const other = await serveEdge({
      doors: [door],
      authenticate: () => caller,
    });
    const live = await fetch(`${other.url}/v1/live`);
    const ended = live.text();
    await other.close();
    expect(await ended).toContain('event: tick');
  });
});

describe('bytes behind a complete request', () => {
  it('never replace its answer: the request is answered first, the broken bytes get 400 after it', async () => {
    const out = await raw(
      'POST /v1/things HTTP/1.1\r\nhost: a\r\nauthorization: Bearer good\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n{"name":"a"}rest of it',
      true,
    );
    expect([...out.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((m) => m[1])).toEqual(['201', '400']);
  });
});
