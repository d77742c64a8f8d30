import { ROLES, type Caller } from '#access';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
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

describe('every route of the hub', () => {
  it('asks for a valid key, except health, metrics, the error page and /openapi.json', async () => {
    const closed = routes.filter(({ path }) => !OPEN.includes(path));
    expect([routes.length - closed.length, closed.length > 25]).toEqual([OPEN.length, true]);
    for (const route of closed) expect([route, await ask(route, '', 'bad')]).toEqual([route, [401, 'unauthenticated']]);
  });

  it('refuses a query parameter that it does not declare; left out are state routes, which look for the view first, and bodies with members that must be there', async () => {
    const free = OPEN.filter((path) => path !== '/health/ready');
    const demanding = ['/v1/keys', '/v1/streams/x/retention', '/v1/conflicts/accept'];
    const checked = routes.filter(
      ({ method, path }) =>
        !free.includes(path) && !path.startsWith('/v1/state/') && !(method === 'POST' && demanding.includes(path)),
    );
    for (const route of checked) {
      const [status, code] = await ask(route, '?unknown=1');
      expect([route, status, code]).toEqual([route, 400, 'invalid_query']);
    }
  });
});
