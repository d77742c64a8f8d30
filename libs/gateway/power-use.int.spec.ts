import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { CORE, CoreModule, type Core } from '#core';
import { openHttp, type HttpServer } from '#http';
import { readHubSettings } from '#settings';
import { Module } from '@nestjs/common';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentHub } from '../../test/kit/hub/hub-module.js';
import { until } from '../../test/kit/projection/stage.js';
import { GatewayModule } from './index.js';

const dir = mkdtempSync(join(tmpdir(), 'simpul-hub-power-'));
let core: Core;
let http: HttpServer;
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Body = Record<string, any>;

beforeAll(async () => {
  const settings = readHubSettings(silentHub(dir));
  @Module({ imports: [CoreModule.forRoot({ name: 'hub', settings }), GatewayModule] })
  class Hub {}
  http = await openHttp(Hub, { port: 0 });
  core = http.app.get<Core>(CORE, { strict: false });
});
afterAll(async () => {
  await http.close();
  rmSync(dir, { recursive: true, force: true });
});

async function ask(path: string, key: string, body?: object): Promise<Body> {
  const r = await fetch(`${http.url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (await r.json()) as Body;
}

it('a steward who reads a stream and an admin who lists keys are in the audit records; a unit that reads is not', async () => {
  const admin = readFileSync(core.adminKey.path!, 'utf8').trim();
  const keyOf = (roles: string[]) => ask('/v1/keys', admin, { unit: 'SU00013', system: 'uji', roles });
  const [steward, unit] = [await keyOf(['steward']), await keyOf(['reader'])];
  for (const { key } of [steward, unit]) await ask('/v1/streams/imigrasi.paspor/events', key as string);
  await ask('/v1/keys', admin);
  const used = async (): Promise<unknown[]> => {
    const { records } = await ask('/v1/audit?limit=500', admin);
    return (records as Body[])
      .filter((r) => r['what'] === 'key.use')
      .map((r) => [r['who'].keyId, r['target'], r['after'].door]);
  };
  await until(async () => (await used()).length >= 4);
  const me = (await ask('/v1/me', admin))['keyId'];
  expect(await used()).toEqual(
    expect.arrayContaining([
      [steward['id'], steward['id'], 'GET /v1/streams/:stream/events imigrasi.paspor'],
      [me, me, 'GET /v1/keys'],
      [me, me, 'POST /v1/keys'],
    ]),
  );
  expect(JSON.stringify(await used())).not.toContain(unit['id']);
});

it('the stream with a restricted type has no name in the audit records: admins and operators may not know of its use', async () => {
  const admin = readFileSync(core.adminKey.path!, 'utf8').trim();
  const steward = await ask('/v1/keys', admin, { unit: 'SU00013', system: 'uji-wbs', roles: ['steward'] });
  await ask('/v1/streams/itjen.wbs/events', steward['key'] as string);
  const doors = async (): Promise<unknown[]> => {
    const { records } = await ask('/v1/audit?limit=500', admin);
    const ofKey = (records as Body[]).filter((r) => r['what'] === 'key.use' && r['target'] === steward['id']);
    return ofKey.map((r) => r['after'].door);
  };
  await until(async () => (await doors()).length > 0);
  expect(await doors()).toEqual(['GET /v1/streams/:stream/events restricted']);
});
