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

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Body = Record<string, any>;
type Level = 'full' | 'masked' | 'none';

const KANIM = 'SU00123';
const ITJEN = 'SU00003';
const KANWIL = 'kanwil';
/** Who asks, with unit and roles. `kanwil` stands above the kanim. */
const WHO = {
  source: [KANIM, 'reader'],
  publisherOnly: [KANIM, 'publisher'],
  kanwil: [KANWIL, 'reader'],
  operator: ['SU00013', 'operator'],
  steward: ['SU00013', 'steward'],
  admin: ['SU00013', 'admin'],
  hubAdmin: ['hub', 'admin'],
  itjen: [ITJEN, 'reader'],
  far: ['SU00124', 'reader'],
} as const satisfies Record<string, readonly [string, string]>;
type Who = keyof typeof WHO;

/** The level of each caller for an event of each type (R12). `publisherOnly` reads nothing, and gets the receipts of its own events. */
const TYPES: Record<string, { readonly by: string; readonly levels: Record<Who, Level> }> = {
  'imigrasi.paspor.diterbitkan': {
    by: KANIM,
    levels: {
      source: 'full',
      publisherOnly: 'none',
      kanwil: 'masked',
      operator: 'masked',
      steward: 'full',
      admin: 'none',
      hubAdmin: 'masked',
      itjen: 'none',
      far: 'none',
    },
  },
  'ham.pengaduan.diterima': {
    by: KANIM,
    levels: {
      source: 'full',
      publisherOnly: 'none',
      kanwil: 'masked',
      operator: 'masked',
      steward: 'full',
      admin: 'none',
      hubAdmin: 'masked',
      itjen: 'masked',
      far: 'none',
    },
  },
  'itjen.wbs.laporan-diterima': {
    by: ITJEN,
    levels: {
      source: 'none',
      publisherOnly: 'none',
      kanwil: 'none',
      operator: 'none',
      steward: 'none',
      admin: 'none',
      hubAdmin: 'none',
      itjen: 'full',
      far: 'none',
    },
  },
};
const CASES = Object.entries(TYPES).flatMap(([type, { levels }]) =>
  (Object.keys(WHO) as Who[]).map((who) => [type, who, levels[who]] as const),
);

describe('every door shows an event at one level', () => {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-levels-'));
  let core: Core;
  let http: HttpServer;
  const keys = new Map<string, string>();
  const events = new Map<string, { readonly sent: Body; readonly position: string }>();
  let reported: string;

  const ask = async (path: string, key: string | undefined, body?: unknown, type = 'application/cloudevents+json') => {
    const r = await fetch(`${http.url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await r.text();
    return { status: r.status, text, body: (text.startsWith('{') ? JSON.parse(text) : {}) as Body };
  };
  const admin = (): string => readFileSync(core.adminKey.path!, 'utf8').trim();
  const keyOf = async (unit: string, ...roles: string[]): Promise<string> =>
    (await ask('/v1/keys', admin(), { unit, system: 'uji', roles }, 'application/json')).body['key'] as string;
  const streamOf = (type: string): string => type.slice(0, type.lastIndexOf('.'));
  const normal = (text: string): string => text.replace(/"instance":"[^"]*"/, '');

  beforeAll(async () => {
    const settings = readHubSettings(silentHub(dir));
    @Module({ imports: [CoreModule.forRoot({ name: 'hub', settings }), GatewayModule, ProjectorModule] })
    class HubModule {}
    http = await openHttp(HubModule, { port: 0 });
    core = http.app.get<Core>(CORE, { strict: false });
    const { units } = core.units;
    const unitOf = (unit: string): string => (unit === KANWIL ? units.get(KANIM)!.parent! : unit);
    for (const [who, [unit, role]] of Object.entries(WHO))
      keys.set(who, unit === 'hub' ? admin() : await keyOf(unitOf(unit), role));
    reported = units.list({ type: 'lapas' })[5]!.id;
    const other = units.list({ type: 'kanwil' }).find(({ id }) => id !== unitOf(KANWIL))!.id;
    for (const [type, { by }] of Object.entries(TYPES)) {
      const key = await keyOf(by, 'publisher', 'reader');
      const sample = (await ask(`/v1/event-types/${type}/sample`, key)).body;
      const more =
        type === 'ham.pengaduan.diterima'
          ? { tahap: 'registrasi', posPenerima: KANIM, unitPenangan: other, unitTerlapor: reported }
          : {};
      const sent: Body = {
        ...sample,
        id: `L-${type}`,
        source: `urn:simpul:unit:${by}:uji`,
        data: { ...sample['data'], ...more },
      };
      const { status, body } = await ask('/v1/events', key, sent);
      expect([type, status]).toEqual([type, 201]);
      events.set(type, { sent, position: body['position'] as string });
      await until(async () => (await ask(`/v1/events/${body['position']}`, key)).status === 200);
      // Refused, so that there is a refusal of each type.
      expect(
        (await ask('/v1/events', key, { ...sent, id: 'R', data: { ...sent['data'], waktu: 7, unitPenerbit: 7 } }))
          .status,
      ).toBe(422);
    }
  });
  afterAll(async () => {
    await http.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it.each(CASES)('%s at the door of one event, for %s: %s', async (type, who, level) => {
    const { position } = events.get(type)!;
    const { status, body, text } = await ask(`/v1/events/${position}`, keys.get(who));
    expect([status, typeof body['digest']]).toEqual([
      level === 'none' ? 404 : 200,
      level === 'full' ? 'string' : 'undefined',
    ]);
    const missing = await ask(`/v1/events/${streamOf(type)}/0/999999`, keys.get(who));
    if (level === 'none') expect(normal(text)).toBe(normal(missing.text));
  });

  it.each(CASES)('%s on a page, as a line and live, for %s: %s', async (type, who, level) => {
    const { position, sent } = events.get(type)!;
    const path = `/v1/streams/${streamOf(type)}/events?from=${position}`;
    const page = await ask(path, keys.get(who));
    const own = (page.body['events'] as Body[] | undefined)?.find((e) => e['id'] === sent['id']);
    expect(own === undefined).toBe(level === 'none');
    if (own) expect(typeof own['digest']).toBe(level === 'full' ? 'string' : 'undefined');
    const stop = new AbortController();
    const live = await fetch(`${http.url}/v1/streams/${streamOf(type)}/live?from=${position}`, {
      headers: { authorization: `Bearer ${keys.get(who)}` },
      signal: stop.signal,
    });
    if (level !== 'none') {
      const reader = live.body!.getReader();
      let text = '';
      while (!text.includes('data:')) text += Buffer.from((await reader.read()).value ?? []).toString();
      expect(text.includes(sent['id'] as string)).toBe(true);
      expect(text.includes('"digest"')).toBe(level === 'full');
    }
    stop.abort();
  });

  it.each(CASES)('%s at the door of receipts, for %s: %s', async (type, who, level) => {
    const { sent, position } = events.get(type)!;
    const source = encodeURIComponent(sent['source'] as string);
    const { status, body, text } = await ask(`/v1/receipts?source=${source}&id=${sent['id']}`, keys.get(who));
    const isOwn = WHO[who][0] === TYPES[type]!.by;
    if (level === 'none' && !isOwn) {
      expect(status).toBe(404);
      const missing = await ask(`/v1/receipts?source=${source}&id=tidak-ada`, keys.get(who));
      expect(normal(text)).toBe(normal(missing.text));
    } else {
      expect([status, body['position']]).toEqual([200, position]);
      expect(typeof body['digest']).toBe(level === 'full' || isOwn ? 'string' : 'undefined');
    }
  });

  it('a filter on a unit looks at the unit as the caller sees it: the masked unit of a complaint is found by nobody who sees it masked', async () => {
    const { sent, position } = events.get('ham.pengaduan.diterima')!;
    for (const who of ['source', 'steward', 'kanwil', 'operator', 'itjen'] as const) {
      const found = async (unit: string): Promise<boolean> => {
        const path = `/v1/streams/ham.pengaduan/events?from=${position}&unit=${unit}`;
        return (await ask(path, keys.get(who))).body['events'].some((e: Body) => e['id'] === sent['id']);
      };
      const isFull = who === 'source' || who === 'steward';
      expect([who, await found(reported), await found(KANIM)]).toEqual([who, isFull, true]);
    }
  });

  it('refusals of a restricted type are shown to its publisher and its named consumers alone, also with the filter on the type', async () => {
    const seen = async (who: Who, query: string): Promise<string[]> =>
      (await ask(`/v1/refusals${query}`, keys.get(who))).body['refusals'].map((r: Body) => r['type'] as string);
    const restricted = 'itjen.wbs.laporan-diterima';
    for (const who of ['operator', 'steward', 'admin', 'hubAdmin', 'kanwil', 'far'] as const) {
      expect([who, await seen(who, ''), await seen(who, `?type=${restricted}`)]).toEqual([
        who,
        expect.not.arrayContaining([restricted]),
        [],
      ]);
    }
    expect(await seen('operator', '')).toContain('ham.pengaduan.diterima');
    expect(await seen('itjen', '')).toContain(restricted);
  });

  it('a restricted stream stands in no list of streams, no metric and no health answer of others', async () => {
    for (const who of Object.keys(WHO) as Who[]) {
      const { body } = await ask('/v1/streams', keys.get(who));
      const names = body['streams'].map((s: Body) => s['name'] as string) as string[];
      expect([who, names.includes('itjen.wbs')]).toEqual([who, who === 'itjen']);
      expect((await ask('/v1/streams/itjen.wbs', keys.get(who))).status).toBe(who === 'itjen' ? 200 : 404);
    }
    const metrics = (await ask('/metrics', undefined)).text;
    expect(metrics).toMatch(/stream="imigrasi.paspor"/);
    expect(metrics).toMatch(/stream="restricted"/);
    expect(metrics).not.toMatch(/itjen/);
    expect((await ask('/health/ready', undefined)).text).not.toMatch(/itjen/);
    expect((await ask('/openapi.json', undefined)).text).not.toMatch(/itjen/);
  });

  it('a dry run answers no pseudonym and no partition that is made of one, and no given pseudonym is compared', async () => {
    const lapas = await keyOf(reported, 'publisher');
    const sample = (await ask('/v1/event-types/pas.penghuni.diterima/sample', lapas)).body;
    const event: Body = {
      ...sample,
      source: `urn:simpul:unit:${reported}:uji`,
      data: { ...sample['data'], unitPenerima: reported },
    };
    const tried = await ask('/v1/events?dryRun=true', lapas, event);
    expect([tried.status, tried.body]).toEqual([200, { type: event['type'], stream: 'pas.penghuni', problems: [] }]);
    expect((await ask('/v1/events', lapas, event)).status).toBe(201);
    const subject = (await ask('/v1/streams/pas.penghuni/events', keys.get('steward'))).body['events'][0]['subject'];
    for (const query of ['', '?dryRun=true']) {
      const given = await ask(`/v1/events${query}`, lapas, { ...event, id: 'S', subject });
      const other = await ask(`/v1/events${query}`, lapas, { ...event, id: 'S', subject: 'a'.repeat(26) });
      expect([given.status, normal(given.text)]).toEqual([other.status, normal(other.text)]);
      expect(given.text).toMatch(/subject_mismatch|samaran|pseudonym/);
    }
  });

  it('an event that would make an entry of a megabyte is refused with a pointer: every list that anybody asks for would read it', async () => {
    const lapas = await keyOf(reported, 'publisher');
    const sample = (await ask('/v1/event-types/pas.penghuni.diterima/sample', lapas)).body;
    const data = { ...sample['data'], unitPenerima: reported, namaLengkap: 'x'.repeat(900_000) };
    const event = { ...sample, id: 'BESAR', source: `urn:simpul:unit:${reported}:uji`, data };
    for (const query of ['', '?dryRun=true']) {
      const { status, text } = await ask(`/v1/events${query}`, lapas, event);
      expect([status, text.includes('value_out_of_bounds'), text.includes('/data/namaLengkap')]).toEqual([
        query === '' ? 422 : 200,
        true,
        true,
      ]);
    }
  });

  it('the owner of an entry reads who tried to change it, and of all others the inspectorate alone; whoever tried reads that it was refused', async () => {
    const type = 'layanan.kasus.status-berubah';
    for (const unit of [KANIM, 'SU00124']) {
      const key = await keyOf(unit, 'publisher', 'reader');
      const sample = (await ask(`/v1/event-types/${type}/sample`, key)).body;
      const data = { ...sample['data'], nomorKasus: 'K-RAHASIA', unitPemegang: unit, unitSebelumnya: null };
      const event = { ...sample, id: `K-${unit}`, source: `urn:simpul:unit:${unit}:uji`, subject: 'K-RAHASIA', data };
      expect((await ask('/v1/events', key, event)).status).toBe(201);
    }
    const tried = 'simpul.pengawasan.perubahan-dicoba';
    const read = async (who: Who, query: string): Promise<Body[]> =>
      ((await ask(`/v1/streams/simpul.pengawasan/events?from=earliest${query}`, keys.get(who))).body['events'] ??
        []) as Body[];
    await until(async () => (await read('source', `&type=${tried}`)).length > 0);
    for (const who of ['source', 'itjen'] as const) {
      const [notice] = (await read(who, '')).filter((e) => e['type'] === tried);
      expect(notice!['data']).toMatchObject({ pemilik: KANIM, sumber: 'urn:simpul:unit:SU00124:uji', jumlah: 1 });
    }
    for (const who of Object.keys(WHO).filter((one) => one !== 'source' && one !== 'itjen') as Who[]) {
      const all = [...(await read(who, '')), ...(await read(who, `&type=${tried}`))];
      expect([who, all.filter((e) => e['type'] === tried)]).toEqual([who, []]);
    }
    await until(async () => (await read('far', '')).some((e) => e['type'] === 'simpul.pengawasan.perubahan-ditolak'));
    expect(JSON.stringify(await read('far', ''))).not.toContain(KANIM);
  });

  it('a consumer that is named by a field sees the entry of a view as it sees the event', async () => {
    const kpk = await keyOf('EXT-KPK', 'reader');
    const bans = await keyOf('SU00018', 'publisher', 'reader');
    const sample = (await ask('/v1/event-types/imigrasi.cegah.ditetapkan/sample', bans)).body;
    const data = { ...sample['data'], nomorCekal: 'C-1', jenis: 'cegah', instansiPengusul: 'EXT-KPK' };
    const event = { ...sample, source: 'urn:simpul:unit:SU00018:uji', subject: 'C-1', data };
    const { status, body } = await ask('/v1/events', bans, event);
    expect(status).toBe(201);
    await until(async () => (await ask(`/v1/events/${body['position']}`, kpk)).status === 200);
    const entry = await ask(`/v1/state/imigrasi.cegah-aktif/C-1?after=${body['position']}`, kpk);
    expect([entry.status, entry.body['value']?.['nomorCekal']]).toEqual([200, 'C-1']);
    const list = await ask('/v1/state/imigrasi.cegah-aktif', kpk);
    expect(list.body['entries']).toHaveLength(1);
    expect((await ask('/v1/state/imigrasi.cegah-aktif/C-1', keys.get('far'))).status).toBe(200);
    expect((await ask('/v1/state/imigrasi.cegah-aktif/C-1', await keyOf('EXT-BNN', 'reader'))).status).toBe(404);
  });
});
