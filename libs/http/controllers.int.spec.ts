import { ROLES, type Caller } from '#access';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PUBLISH_LIMITS } from '#publishing';
import type { Provider, Type } from '@nestjs/common';
import { serveEdge } from '../../test/kit/doors/edge.js';
import * as http from './index.js';

/** Stands for the dependencies of all doors: these requests are refused before a door calls them. */
const nothing: unknown = new Proxy(() => undefined, {
  get: (_t, name) => (name === 'then' || name === Symbol.toPrimitive ? undefined : nothing),
});
const exported = Object.entries(http);
const controllers = exported.filter(([name]) => name.endsWith('Controller')).map(([, c]) => c as Type);
const providers: Provider[] = exported
  .filter(([name]) => name.endsWith('_DOOR'))
  .map(([, token]) => ({ provide: token as symbol, useValue: nothing }));
const caller: Caller = { keyId: 'k1', owner: 'hub', system: 'admin', roles: new Set(ROLES) };
const OPEN = ['/docs/errors', '/health/live', '/health/ready', '/metrics', '/openapi.json'];

let server: http.HttpServer;
let routes: { readonly method: string; readonly path: string }[];
beforeAll(async () => {
  const doors = [http.publishDoor, http.readDoor, http.stateDoor].map((door) => door(nothing as never));
  const authenticate = (h: string | undefined) => (h === 'Bearer good' ? caller : undefined);
  server = await serveEdge({ doors, authenticate }, { controllers, providers });
  const { paths } = (await (await fetch(`${server.url}/openapi.json`)).json()) as { paths: Record<string, object> };
  routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path: path.replace(/\{\w+\}/g, 'x') })),
  );
});
afterAll(() => server.close());

async function ask(route: { method: string; path: string }, query = '', key = 'good'): Promise<[number, unknown]> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const body = route.method === 'POST' ? '{}' : null;
  const r = await fetch(`${server.url}${route.path}${query}`, { method: route.method, headers, body });
  return [r.status, ((await r.json()) as { code: unknown }).code];
}

async function post(path: string, body: string): Promise<[number, unknown, unknown]> {
  const headers = { authorization: 'Bearer good', 'content-type': 'application/json' };
  const r = await fetch(`${server.url}${path}`, { method: 'POST', headers, body });
  const { code, errors } = (await r.json().catch(() => ({}))) as { code?: unknown; errors?: unknown };
  return [r.status, code, errors];
}

describe('every route of the hub', () => {
  it('asks for a valid key, except health, metrics, the error page and /openapi.json', async () => {
    const closed = routes.filter(({ path }) => !OPEN.includes(path));
    expect([routes.length - closed.length, closed.length > 25]).toEqual([OPEN.length, true]);
    for (const route of closed) expect([route, await ask(route, '', 'bad')]).toEqual([route, [401, 'unauthenticated']]);
  });

  it('refuses a query parameter that it does not declare; left out are state routes, which look for the view first, and bodies with members that must be there', async () => {
    const free = OPEN.filter((path) => path !== '/health/ready');
    const demanding = ['/v1/keys', '/v1/dead-letters/x', '/v1/streams/x/retention', '/v1/conflicts/accept'];
    const checked = routes.filter(
      ({ method, path }) =>
        !free.includes(path) && !path.startsWith('/v1/state/') && !(method === 'POST' && demanding.includes(path)),
    );
    for (const route of checked) {
      const [status, code] = await ask(route, '?unknown=1');
      expect([route, status, code]).toEqual([route, 400, 'invalid_query']);
    }
  });

  it('takes a body of at most 64 KiB, unless it is for more: publish, keys, look-ups', async () => {
    const sizes: Readonly<Record<string, number>> = {
      '/v1/events': 8 * 1_048_576,
      '/v1/state/x/lookup': 16_384,
      // An event as `edited`.
      '/v1/subscriptions/x/redrive': PUBLISH_LIMITS.eventBytes + 65_536,
    };
    const posts = routes.filter(({ method }) => method === 'POST');
    expect(posts.length).toBeGreaterThan(5);
    for (const { path } of posts) {
      const most = path === '/v1/keys' ? 262_144 : (sizes[path] ?? 65_536);
      expect([path, await post(path, ' '.repeat(most + 1))]).toMatchObject([path, [413, 'body_too_large']]);
      // One event of this size is refused as an event.
      if (path !== '/v1/events') expect([path, (await post(path, ' '.repeat(most)))[0]]).not.toEqual([path, 413]);
    }
  });

  it.each([
    ['a list of 80,000 keys', `{"keys":[${'{},'.repeat(80_000)}{}]}`, '/keys'],
    ['a list of 100,000 roles', `{"unit":"x","system":"x","roles":[${'1,'.repeat(100_000)}1]}`, '/roles'],
    [
      '100 lists of 900 roles',
      `{"keys":[${Array(100)
        .fill(`{"roles":[${'1,'.repeat(899)}1]}`)
        .join(',')}]}`,
      '',
    ],
  ])('refuses %s as one problem, before it looks at the entries', async (_what, body, pointer) => {
    const [status, code, errors] = await post('/v1/keys', body);
    expect([status, code, errors]).toEqual([400, 'invalid_request', [expect.objectContaining({ pointer })]]);
  });

  it('refuses 20,000 names in a body, before it parses them', async () => {
    const names = Array.from({ length: 20_000 }, (_, i) => `"n${i}":1`).join(',');
    expect(await post('/v1/keys', `{${names}}`)).toMatchObject([413, 'too_many_names', [{ pointer: '' }]]);
  });
});
