import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { CORE, CoreModule, type Core } from '#core';
import { openHttp, type HttpServer } from '#http';
import { ProjectorModule } from '#projector';
import { readHubSettings } from '#settings';
import { Module } from '@nestjs/common';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentHub } from '../../test/kit/hub/hub-module.js';
import { until } from '../../test/kit/projection/stage.js';
import { GatewayModule } from './index.js';

const BILL = 'keu.pnbp.tagihan-diterbitkan';
const VIEW = 'keu.tagihan-belum-lunas';
const NUMBER = '820210715000077';
const [TRUE, OTHER, CENTRE] = ['SU00123', 'SU00124', 'SU00013'] as const;

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a JSON answer, which matchers check
type Body = Record<string, any>;
const dir = mkdtempSync(join(tmpdir(), 'simpul-accept-'));
const keys: Record<string, string> = {};
let core: Core;
let http: HttpServer;

async function ask(path: string, key: string, body?: unknown, type = 'application/json') {
  const r = await fetch(`${http.url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': type }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: r.status, body: (await r.json()) as Body };
}

beforeAll(async () => {
  const settings = readHubSettings(silentHub(dir));
  @Module({ imports: [CoreModule.forRoot({ name: 'hub', settings }), GatewayModule, ProjectorModule] })
  class HubModule {}
  http = await openHttp(HubModule, { port: 0 });
  core = http.app.get<Core>(CORE, { strict: false });
  const admin = readFileSync(core.adminKey.path!, 'utf8').trim();
  for (const [name, unit, roles] of [
    ['true', TRUE, ['publisher', 'reader']],
    ['other', OTHER, ['publisher', 'reader']],
    ['steward', CENTRE, ['steward']],
    ['operator', 'hub', ['operator']],
  ] as const)
    keys[name] = (await ask('/v1/keys', admin, { unit, system: 'uji', roles })).body['key'] as string;
});
afterAll(async () => {
  await http.close();
  rmSync(dir, { recursive: true, force: true });
});

let serial = 0;
async function bill(by: 'true' | 'other', data: Body = {}, more: Body = {}): Promise<string> {
  const unit = by === 'true' ? TRUE : OTHER;
  const { data: sample } = (await ask(`/v1/event-types/${BILL}/sample`, keys[by]!)).body;
  const r = await ask(
    '/v1/events',
    keys[by]!,
    {
      specversion: '1.0',
      id: `B-${++serial}`,
      source: `urn:simpul:unit:${unit}:uji`,
      type: BILL,
      ...more,
      data: { ...sample, kodeBilling: NUMBER, unit, status: 'terbit', ...data },
    },
    'application/cloudevents+json',
  );
  expect([r.status, r.body['errors']]).toEqual([201, undefined]);
  return r.body['position'] as string;
}
const entry = async (after: string) =>
  (await ask(`/v1/state/${VIEW}/${NUMBER}?after=${encodeURIComponent(after)}`, keys['steward']!)).body['value'] as Body;
const accept = (key: string, position: string) =>
  ask('/v1/conflicts/accept', keys[key]!, { position, why: 'the number was taken by mistake' });

it('a steward accepts the refused event of the true office: the entry follows, also after a rebuild, and the act is on record once', async () => {
  const taken = await bill('other');
  const mine = await bill('true');
  expect(await entry(mine)).toMatchObject({ unit: OTHER });
  for (const key of ['true', 'other']) expect((await accept(key, mine)).status).toBe(403);
  expect((await accept('steward', 'keu.pnbp/0/999999')).status).toBe(404);
  expect((await accept('steward', 'tidak-ada')).status).toBe(404);

  const done = await accept('steward', mine);
  expect([done.status, done.body]).toEqual([200, { position: mine, accepted: expect.any(String) }]);
  const accepted = done.body['accepted'] as string;
  expect(await entry(accepted)).toMatchObject({ unit: TRUE });
  expect((await accept('steward', mine)).body['accepted']).toBe(accepted);
  expect((await accept('steward', accepted)).status).toBe(404);

  const again = await bill('other', { status: 'dibatalkan' });
  expect(await entry(again)).toMatchObject({ unit: TRUE });
  const paid = await bill('true', { mataUang: 'USD' });
  expect(await entry(paid)).toMatchObject({ unit: TRUE, mataUang: 'USD' });
  const { conflicts } = (await ask(`/v1/conflicts?view=${VIEW}`, keys['steward']!)).body;
  expect(conflicts.map((c: Body) => [c['position'], c['owner']]).sort()).toEqual(
    [
      [again, TRUE],
      [mine, OTHER],
    ].sort(),
  );

  const event = (await ask(`/v1/events/${accepted}`, keys['steward']!)).body;
  expect(event).toMatchObject({ source: 'urn:simpul:hub:steward', atasnama: `urn:simpul:unit:${TRUE}:uji` });
  // The event is one of the true office: for an operator or admin of the hub it is masked, like the refused one.
  const receipt = `/v1/receipts?source=urn:simpul:hub:steward&id=${encodeURIComponent(`accepted/${mine}`)}`;
  for (const key of [keys['operator']!, readFileSync(core.adminKey.path!, 'utf8').trim()]) {
    const [original, again] = await Promise.all([mine, accepted].map((at) => ask(`/v1/events/${at}`, key)));
    expect(again!.body['data']).toEqual(original!.body['data']);
    expect([again!.body['digest'], (await ask(receipt, key)).body['digest']]).toEqual([undefined, undefined]);
    expect((await ask(receipt, key)).status).toBe(200);
  }
  const { records } = (await ask('/v1/audit?what=conflict.accept', keys['steward']!)).body;
  expect(records.map((r: Body) => [r['phase'], r['target']])).toContainEqual(['done', mine]);

  const admin = readFileSync(core.adminKey.path!, 'utf8').trim();
  const before = (await ask(`/v1/views`, admin)).body['views'].find((v: Body) => v['view'] === VIEW)['generation'];
  expect((await ask(`/v1/views/${VIEW}/rebuild`, admin, {})).status).toBe(202);
  await until(async () => {
    const row = (await ask(`/v1/views`, admin)).body['views'].find((v: Body) => v['view'] === VIEW);
    return row['generation'] > before;
  });
  expect(await entry(paid)).toMatchObject({ unit: TRUE, mataUang: 'USD' });
  expect(taken).not.toBe(mine);
});

it('a type whose contract names no steward is refused with what to do, and nothing is on record', async () => {
  const type = 'imigrasi.izin-tinggal.berubah';
  const { data: sample } = (await ask(`/v1/event-types/${type}/sample`, keys['true']!)).body;
  const event = { specversion: '1.0', id: 'I-1', source: `urn:simpul:unit:${TRUE}:uji`, type, data: sample };
  const stated = await ask('/v1/events', keys['true']!, event, 'application/cloudevents+json');
  expect([stated.status, stated.body['errors']]).toEqual([201, undefined]);
  const position = stated.body['position'] as string;
  const refused = await accept('steward', position);
  expect([refused.status, refused.body['code'], refused.body['errors'][0]['pointer']]).toEqual([
    403,
    'type_not_yours',
    '/position',
  ]);
  expect(JSON.stringify(refused.body['errors'])).toContain('hub:steward');
  const { records } = (await ask('/v1/audit?what=conflict.accept', keys['steward']!)).body;
  expect(records.map((r: Body) => r['target'])).not.toContain(position);
});

it('an accepted event has the unit of the office that stated it first, so that a view whose key is made of its code folds it there', async () => {
  const number = { kodeBilling: '820210715000078' };
  await bill('other', number);
  const mine = await bill('true', number);
  await entry(mine);
  const { accepted } = (await accept('steward', mine)).body;
  const [first, again] = await Promise.all(
    [mine, accepted as string].map(async (at) => (await ask(`/v1/events/${at}`, keys['steward']!)).body),
  );
  expect([again!['unitasal'], again!['unitkode']]).toEqual([TRUE, first!['unitkode']]);
  expect(first!['unitkode']).toEqual(expect.any(String));
});

it('an event that no view has refused is not stated again, and nothing is on record: it would take the place of what is newer', async () => {
  const number = { kodeBilling: '820210715000079' };
  const first = await bill('true', { ...number, mataUang: 'IDR' });
  const newer = await bill('true', { ...number, mataUang: 'USD' });
  await entry(newer);
  const refused = await accept('steward', first);
  expect([refused.status, refused.body['code'], refused.body['errors']]).toEqual([
    409,
    'conflict',
    [{ pointer: '/position', reason: 'tidak ada ringkasan yang menolak kejadian ini', expected: '/v1/conflicts' }],
  ]);
  const shown = await ask(`/v1/state/${VIEW}/${number.kodeBilling}`, keys['steward']!);
  expect([shown.body['position'], shown.body['value']['mataUang']]).toEqual([newer, 'USD']);
  const { records } = (await ask('/v1/audit?what=conflict.accept', keys['steward']!)).body;
  expect(records.map((r: Body) => r['target'])).not.toContain(first);
});

it('a test event is stated by nobody again, whatever a steward sees of it', async () => {
  const tested = await bill('true', {}, { simpultest: true });
  expect((await ask(`/v1/events/${tested}`, keys['steward']!)).status).toBe(200);
  expect((await accept('steward', tested)).status).toBe(404);
});
