import { afterEach, describe, expect, it } from '@jest/globals';
import type { Caller } from '#access';
import { Limits } from '#limits';
import { connect, type Socket } from 'node:net';
import { serveEdge } from '../../test/kit/doors/edge.js';
import type { Door, HttpLimits, HttpOptions, HttpServer } from './index.js';

const caller: Caller = { keyId: 'k', owner: 'SU00123', system: 'simkim', roles: new Set(['reader']) };
const door: Door = (edge) => {
  edge.app.get('/v1/live', (req, reply) => {
    edge.sse(req, reply);
  });
  edge.app.get('/v1/things', (req, reply) => edge.page(req, reply, 'things', [1, 2], 'abc'));
  edge.app.get('/v1/quick', (req, reply) => edge.json(req, reply, 200, { fine: true }));
};
let server: HttpServer | undefined;
const opened: AbortController[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const o of opened.splice(0)) o.abort();
  for (const s of sockets.splice(0)) s.destroy();
  await server?.close();
  server = undefined;
});

const serve = async (options: Partial<HttpOptions> = {}, limits: Partial<HttpLimits> = {}): Promise<HttpServer> =>
  (server = await serveEdge(
    {
      doors: [door],
      authenticate: () => caller,
      limits,
      budgets: new Limits({ values: { live_streams_per_key: 100, live_streams_per_address: 2 } }),
    },
    {},
    options,
  ));
async function live(from: string): Promise<number> {
  const stop = new AbortController();
  opened.push(stop);
  const headers = { authorization: 'Bearer k', 'x-forwarded-for': from };
  return (await fetch(`${server!.url}/v1/live`, { headers, signal: stop.signal })).status;
}

/** A kept-alive connection: sends one request and answers the socket when the answer has come. */
function keptAlive(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(server!.url).port), '127.0.0.1', () =>
      socket.write('GET /v1/things HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\r\n'),
    );
    sockets.push(socket);
    socket.once('data', () => resolve(socket)).once('error', reject);
  });
}

describe('behind a proxy', () => {
  it('the limit per address counts the address that a trusted proxy names, and so does not stop all units together', async () => {
    await serve({ trustProxy: ['loopback'] });
    expect(await Promise.all(['10.1.1.1', '10.1.1.1', '10.1.1.2'].map(live))).toEqual([200, 200, 200]);
    expect([await live('10.1.1.1'), await live('10.1.1.2')]).toEqual([429, 200]);
  });

  it('believes no X-Forwarded-For of a sender that is no trusted proxy', async () => {
    await serve({ trustProxy: ['192.0.2.1'] });
    expect([await live('10.1.1.1'), await live('10.1.1.2'), await live('10.1.1.3')]).toEqual([200, 200, 429]);
  });

  it('an idle connection stays open longer than the 60 s of most proxies, and says so', async () => {
    await serve();
    expect(server!.app.getHttpServer().keepAliveTimeout).toBe(72_000);
    const r = await fetch(`${server!.url}/v1/things`, { headers: { authorization: 'Bearer k' } });
    expect(r.headers.get('keep-alive')).toBe('timeout=72');
  });

  it('closes idle connections at once when it drains', async () => {
    await serve({ keepAliveMs: 3_600_000 });
    const socket = await keptAlive();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const done = server!.close();
    server = undefined;
    await Promise.all([closed, done]);
  });
});

describe('a drain is not held by', () => {
  const open = (head: string): Promise<Socket> =>
    new Promise((resolve) => {
      const socket = connect(Number(new URL(server!.url).port), '127.0.0.1', () => {
        if (head !== '') socket.write(head);
        resolve(socket);
      });
      sockets.push(socket.on('error', () => undefined));
    });

  it('a connection that has never sent a request', async () => {
    await serve({ keepAliveMs: 3_600_000 });
    await open('');
    const done = server!.close();
    server = undefined;
    await done;
  });

  it('a request head that never ends, for longer than a head may take', async () => {
    await serve({ keepAliveMs: 3_600_000 }, { headersMs: 300 });
    await open('GET /v1/things HTTP/1.1\r\n');
    const done = server!.close();
    server = undefined;
    await done;
  });

  it('a live stream that it ends, for the keep-alive time of its connection', async () => {
    await serve({ keepAliveMs: 3_600_000 });
    const r = await fetch(`${server!.url}/v1/live`, { headers: { authorization: 'Bearer k' } });
    const read = r.text();
    const done = server!.close();
    server = undefined;
    await Promise.all([done, read]);
  });
});

describe('HEAD', () => {
  const ask = (path: string, method: string) =>
    fetch(`${server!.url}${path}`, { method, headers: { authorization: 'Bearer k' } });
  it.each(['/v1/things', '/v1/quick', '/openapi.json', '/docs/errors'])(
    'answers %s as GET does, with the same length and without a body',
    async (path) => {
      await serve();
      const [get, head] = [await ask(path, 'GET'), await ask(path, 'HEAD')];
      expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
        200,
        get.headers.get('content-type'),
        '',
      ]);
      expect(Number(head.headers.get('content-length'))).toBe((await get.arrayBuffer()).byteLength);
    },
  );

  it('on a live stream gives the head and ends, and frees its place in the quota', async () => {
    await serve();
    for (let i = 0; i < 4; i++) {
      const r = await ask('/v1/live', 'HEAD');
      expect([r.status, r.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    }
  });

  it('on an unknown path answers 404 without a body, and 405 names HEAD beside GET', async () => {
    await serve();
    const r = await ask('/v1/nowhere', 'HEAD');
    expect([r.status, await r.text()]).toEqual([404, '']);
    expect((await ask('/v1/things', 'DELETE')).headers.get('allow')).toBe('GET, HEAD');
  });
});
