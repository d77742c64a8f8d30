import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
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

const TYPE = 'org.unit.berubah';
const KANIM = 'SU00123';
const OTHER = 'SU00124';
const PLANNING = 'SU00016';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Body = Record<string, any>;

describe('a change of units at the door', () => {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-hub-units-'));
  let core: Core;
  let http: HttpServer;
  let planning: string;
  let other: string;

  const ask = async (path: string, key: string, body?: unknown, type = 'application/cloudevents+json') => {
    const r = await fetch(`${http.url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: r.status, body: (await r.json()) as Body };
  };
  const keyOf = async (unit: string, system: string): Promise<string> => {
    const body = { unit, system, roles: ['publisher', 'reader'] };
    return (await ask('/v1/keys', readFileSync(core.adminKey.path!, 'utf8').trim(), body, 'application/json')).body[
      'key'
    ] as string;
  };
  let serial = 0;
  /** A change event with the unit's present values, except for `more`. */
  const change = async (unitId: string, peristiwa: string, more: Body = {}): Promise<Body> => {
    const now = (await ask(`/v1/units/${more['like'] ?? unitId}`, planning)).body;
    const { like: _like, ...rest } = more;
    return {
      specversion: '1.0',
      id: `U-${++serial}`,
      source: `urn:simpul:unit:${PLANNING}:rocan`,
      type: TYPE,
      data: {
        unitId,
        kode: now['code'],
        peristiwa,
        nama: now['name'],
        jenis: now['type'],
        zonaWaktu: now['timezone'],
        berlakuMulai: '2021-10-01',
        dasarHukum: 'Permenkumham',
        diketahuiSejak: '2021-09-01T00:00:00Z',
        ...rest,
      },
    };
  };
  const records = async (): Promise<number> => Number((await core.log.describe('org.unit'))[0]!.high);

  beforeAll(async () => {
    const settings = readHubSettings(silentHub(dir));
    @Module({ imports: [CoreModule.forRoot({ name: 'hub', settings }), GatewayModule, ProjectorModule] })
    class HubModule {}
    http = await openHttp(HubModule, { port: 0 });
    core = http.app.get<Core>(CORE, { strict: false });
    planning = await keyOf(PLANNING, 'rocan');
    other = await keyOf(OTHER, 'simkim');
  });
  afterAll(async () => {
    await http.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('that contradicts the tree of units is 422 with pointers; nothing is written, and no right changes', async () => {
    const kanwil = core.units.units.get(KANIM)!.parent!;
    const { code } = core.units.units.get(OTHER)!;
    const own = await keyOf(KANIM, 'simkim');
    const made = (await ask('/v1/event-types/imigrasi.paspor.diterbitkan/sample', own)).body;
    const { status, body } = await ask('/v1/events', own, { ...made, source: `urn:simpul:unit:${KANIM}:simkim` });
    expect(status).toBe(201);
    const event = `/v1/events/${body['position']}`;
    await until(async () => (await ask(event, own)).status === 200);
    expect((await ask(event, other)).status).toBe(404);
    const before = [await records(), core.units.units.get(KANIM), [...core.units.units.above(KANIM)]];
    const wrong: [Body, string][] = [
      [await change(KANIM, 'pindah_induk', { indukAdministratif: KANIM }), '/data/indukAdministratif'],
      [await change(kanwil, 'pindah_induk', { indukTeknis: KANIM }), '/data/indukTeknis'],
      [await change(KANIM, 'pindah_induk', { indukTeknis: 'SU99999' }), '/data/indukTeknis'],
      [await change('SU99999', 'ganti_nama', { like: KANIM }), '/data/unitId'],
      [await change(KANIM, 'ganti_jenis', { jenis: 'x y z' }), '/data/jenis'],
      [await change(KANIM, 'ganti_nama', { zonaWaktu: 'Mars/Phobos' }), '/data/zonaWaktu'],
      [await change(KANIM, 'ganti_nama', { kode: code }), '/data/kode'],
      [await change(KANIM, 'ganti_nama', { berlakuSampai: '2021-09-30' }), '/data/berlakuSampai'],
    ];
    for (const [e, pointer] of wrong) {
      const answer = await ask('/v1/events', planning, e);
      expect(answer).toMatchObject({ status: 422, body: { code: 'unit_mismatch', errors: [{ pointer }] } });
      expect(answer.body['errors'][0]).toMatchObject({ reason: expect.any(String), expected: expect.any(String) });
    }
    const batch = await ask(
      '/v1/events',
      planning,
      [await change(KANIM, 'ganti_nama', { nama: 'Baik' }), wrong[0]![0]],
      'application/cloudevents-batch+json',
    );
    expect(batch.status).toBe(422);
    expect([await records(), core.units.units.get(KANIM), [...core.units.units.above(KANIM)]]).toEqual(before);
    expect((await ask(`/v1/units/${code}`, planning)).body['id']).toBe(OTHER);
    expect((await ask(event, other)).status).toBe(404);

    const moved = await change(KANIM, 'pindah_induk', { indukTeknis: OTHER });
    expect((await ask('/v1/events', planning, moved)).status).toBe(201);
    await until(() => core.units.units.above(KANIM).has(OTHER));
    expect((await ask(event, other)).status).toBe(200);
    expect((await ask('/v1/events', planning, moved)).status).toBe(200);
  });

  it('that was accepted gets its first receipt again, also when it would be refused by now', async () => {
    const founded = await change('SU90009', 'dibentuk', { like: KANIM, kode: 'KANIM-31-LAGI', nama: 'Lagi' });
    expect((await ask('/v1/events', planning, founded)).status).toBe(201);
    await until(() => core.units.units.get('SU90009') !== undefined);
    const renamed = await change('SU90009', 'ganti_nama', { nama: 'Baru', berlakuMulai: '2021-12-01' });
    const first = await ask('/v1/events', planning, renamed);
    expect(first.status).toBe(201);
    await until(() => core.units.units.history('SU90009').length > 1);
    // The unit is closed before that day: the same change under a new id is refused, the same event again is a duplicate.
    const closed = await change('SU90009', 'ditutup', { berlakuMulai: '2021-11-01' });
    expect((await ask('/v1/events', planning, closed)).status).toBe(201);
    await until(() => core.units.units.history('SU90009').at(-1)!.validTo === '2021-10-31');
    const anew = await ask('/v1/events', planning, { ...renamed, id: `${String(renamed['id'])}-lagi` });
    expect([anew.status, anew.body['code']]).toEqual([422, 'unit_mismatch']);
    expect(await ask('/v1/events', planning, renamed)).toMatchObject({
      status: 200,
      body: { position: first.body['position'], duplicate: true },
    });
  });

  it('that contradicts another one accepted at the same time is skipped as a whole by the fold, with an alarm', async () => {
    const two = [];
    for (const unitId of ['SU90001', 'SU90002'])
      two.push(await change(unitId, 'dibentuk', { like: KANIM, kode: 'KANIM-31-BARU', nama: unitId }));
    const { status } = await ask('/v1/events', planning, two, 'application/cloudevents-batch+json');
    expect(status).toBe(201);
    const alarmed = async (): Promise<boolean> =>
      (await core.metrics.text()).includes('simpul_alarms_total{code="unit_mismatch"');
    await until(alarmed);
    await until(() => core.units.units.get('SU90001') !== undefined);
    expect(core.units.units.byCode('KANIM-31-BARU')?.id).toBe('SU90001');
    expect((await ask('/v1/units/SU90002', planning)).status).toBe(404);
  });

  it('is taken back, with an alarm and a concern in /health/ready, when org.unit was made again without it', async () => {
    const closed = await change('SU90001', 'ganti_nama', { nama: 'Hilang' });
    expect((await ask('/v1/events', planning, closed)).status).toBe(201);
    await until(() => core.units.units.get('SU90001')?.name === 'Hilang');
    await core.log.deleteTopic('org.unit');
    await core.log.ensureTopic({ name: 'org.unit', partitions: 1, cleanup: 'keep' });
    await until(() => core.units.units.get('SU90001') === undefined);
    expect(core.units.units.above(KANIM).has(OTHER)).toBe(false);
    expect(await core.metrics.text()).toContain('simpul_alarms_total{code="log_mismatch"');
    const { concerns } = (await ask('/health/ready', planning)).body;
    expect(concerns).toMatchObject([{ subject: 'org.unit', needed: expect.stringContaining('published again') }]);
    const again = await change('SU90003', 'dibentuk', { like: KANIM, kode: 'KANIM-31-BARU', nama: 'Lagi' });
    expect((await ask('/v1/events', planning, again)).status).toBe(201);
    await until(() => core.units.units.get('SU90003')?.name === 'Lagi');
  });
});
