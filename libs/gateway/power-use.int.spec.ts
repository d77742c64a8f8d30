import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { recordUse } from '#access';
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

it('names of restricted types, streams and views that an earlier version has written into audit records are not shown, and no filter finds them', async () => {
  const admin = readFileSync(core.adminKey.path!, 'utf8').trim();
  const { log, now } = core;
  const who = { keyId: 'lama', owner: 'SU00013', system: 'uji' };
  const [before, why] = [{ streams: ['itjen.wbs', 'imigrasi.paspor'], at: 'itjen.wbs/0/7' }, 'itjen.wbs: surat 4'];
  for (const [what, target, after] of [
    ['key.use', 'lama', { door: 'GET /v1/streams/:stream/events itjen.wbs', roles: ['steward'] }],
    ['stream.retention', 'itjen.wbs', { type: 'itjen.wbs.laporan-diterima', not: 'itjen.wbs-lain' }],
  ] as const)
    await recordUse({ log, now }, { who, what, target, why, before, after });
  const { records } = await ask('/v1/audit?limit=500&by=lama', admin);
  const open = {
    why: 'restricted: surat 4',
    before: { streams: ['restricted', 'imigrasi.paspor'], at: 'restricted/0/7' },
  };
  expect(records).toMatchObject([
    { what: 'key.use', target: 'lama', after: { door: 'GET /v1/streams/:stream/events restricted' }, ...open },
    { what: 'stream.retention', target: 'restricted', after: { type: 'restricted', not: 'itjen.wbs-lain' }, ...open },
  ]);
  expect((await ask('/v1/audit?limit=500&target=itjen.wbs', admin))['records']).toEqual([]);
  expect((await ask('/v1/audit?limit=500&target=restricted', admin))['records']).toHaveLength(1);
});
