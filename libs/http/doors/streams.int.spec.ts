import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Fault } from '#faults';
import { serveEdge } from '../../../test/kit/doors/edge.js';
import { STREAMS_DOOR, StreamsController, type HttpServer, type StreamsDoorDeps } from '../index.js';

let server: HttpServer;
const asked: unknown[] = [];
let allowed = true;

beforeAll(async () => {
  const deps: StreamsDoorDeps = {
    catalogue: { stream: (name) => (name === 'uji.aliran' ? ({ name } as never) : undefined) },
    setRetention: (stream, retentionMs, by, why) => {
      if (!allowed) return Promise.reject(new Fault('snapshot_incomplete'));
      asked.push([stream, retentionMs, by.keyId, why]);
      return Promise.resolve(retentionMs === undefined ? undefined : []);
    },
  };
  const caller = (role: 'admin' | 'operator', owner = 'hub') => ({
    keyId: role,
    owner,
    system: 'uji',
    roles: new Set([role]),
  });
  server = await serveEdge(
    {
      authenticate: (header) =>
        header === 'Bearer admin'
          ? caller('admin')
          : header === 'Bearer unit'
            ? caller('admin', 'SU00001')
            : header === 'Bearer operator'
              ? caller('operator')
              : undefined,
    },
    { controllers: [StreamsController], providers: [{ provide: STREAMS_DOOR, useValue: deps }] },
  );
});
afterAll(() => server.close());

const ask = async (key: string, stream: string, body: unknown) => {
  const r = await fetch(`${server.url}/v1/streams/${stream}/retention`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return [r.status, ((await r.json()) as { code?: string }).code];
};

it('an admin of the hub sets the retention of a stream in days, or none; anything else, also of an admin of a unit, is refused and sets nothing', async () => {
  expect(await ask('admin', 'uji.aliran', { days: 730, why: 'arsip' })).toEqual([200, undefined]);
  expect(await ask('admin', 'uji.aliran', { days: null })).toEqual([200, undefined]);
  expect(asked).toEqual([
    ['uji.aliran', 730 * 86_400_000, 'admin', 'arsip'],
    ['uji.aliran', undefined, 'admin', undefined],
  ]);
  for (const days of [7, 0, -1, 8.5, '30', undefined])
    expect(await ask('admin', 'uji.aliran', { days })).toEqual([400, 'invalid_request']);
  expect(await ask('operator', 'uji.aliran', { days: 30 })).toEqual([403, 'forbidden']);
  expect(await ask('unit', 'uji.aliran', { days: 30 })).toEqual([403, 'forbidden']);
  expect(await ask('admin', 'uji.lain', { days: 30 })).toEqual([404, 'not_found']);
  allowed = false;
  expect(await ask('admin', 'uji.aliran', { days: 30 })).toEqual([409, 'snapshot_incomplete']);
  expect(asked).toHaveLength(2);
});
