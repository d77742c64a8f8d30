import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import type { Caller, Role } from '#access';
import { requestRebuild } from '#projection';
import type { CatalogueIndex } from '#registry';
import { createReader } from '#sdk';
import { readUnitSeed, UnitTree } from '#units';
import {
  catalogueOfFiles,
  DEPLOYMENT_KEY,
  recordOf,
  viewsOf,
  type EventSpec,
} from '../../../test/kit/projection/events.js';
import { Stage, until } from '../../../test/kit/projection/stage.js';
import { serveEdge } from '../../../test/kit/doors/edge.js';
import { encodeCursor, type HttpServer } from '../index.js';
import { Guesses } from './guesses.js';
import { stateDoor } from './state.js';
import { VIEWS_DOOR, ViewsController, type ViewsDoorDeps } from './views.js';

const VIEWS = [
  'imigrasi.cegah-aktif',
  'imigrasi.paspor-status',
  'pas.hunian-unit',
  'pas.hunian-kanwil',
  'pas.penahanan-berakhir',
  'layanan.kasus-papan',
];

/** Matchers check the shape of an answer. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Body = Record<string, any>;

let catalogue: CatalogueIndex;
const lookups: string[][] = [];
let stage: Stage;
let server: HttpServer;
const callers = new Map<string, Caller>();
const unit: Record<string, string> = {};

function key(name: string, owner: string, ...roles: Role[]): void {
  callers.set(`Bearer ${name}`, { keyId: name, owner, system: 'uji', roles: new Set(roles) });
}

beforeAll(async () => {
  catalogue = catalogueOfFiles(3);
  const seed = readUnitSeed(readFileSync(new URL('../../../schemas/units.json', import.meta.url), 'utf8'));
  const units = new UnitTree(() => '2021-07-15');
  for (const u of seed.units) units.put(u.id, [u]);
  const first = (type: string, province?: string) => units.list({ type, ...(province ? { province } : {}) })[0]!.id;
  Object.assign(unit, {
    tpi: first('tpi'),
    rutan: first('rutan', '64'),
    lapas: first('lapas', '64'),
    kanwil64: first('kanwil', '64'),
    kanwil31: first('kanwil', '31'),
    kanim: first('kanim', '31'),
  });
  key('steward', 'hub', 'steward');
  key('admin', 'hub', 'admin');
  key('tpi', unit['tpi']!, 'reader');
  key('kanwil64', unit['kanwil64']!, 'reader');
  key('kanwil31', unit['kanwil31']!, 'reader');
  key('publisher', unit['kanim']!, 'publisher');
  stage = await new Stage(catalogue, viewsOf(catalogue, ...VIEWS), { units }).open();
  await stage.project();
  const { reader } = stage;
  const guesses = new Guesses({
    record: (caller, view) => Promise.resolve(void lookups.push([caller.keyId, view])),
  });
  const views: ViewsDoorDeps = {
    views: reader.views,
    catalogue,
    generations: stage.generations,
    rebuild: (view, by) => requestRebuild(stage, view, by),
  };
  server = await serveEdge(
    {
      doors: [stateDoor({ reader, catalogue, units, pseudonymKey: DEPLOYMENT_KEY, subjectBytes: 512, guesses })],
      authenticate: (h) => callers.get(h ?? ''),
      limits: { recheckMs: 20 },
    },
    { controllers: [ViewsController], providers: [{ provide: VIEWS_DOOR, useValue: views }] },
  );
});
afterAll(async () => {
  await server.close();
  await stage.close();
});

async function ask(
  path: string,
  options: { key?: string; headers?: Record<string, string>; body?: unknown; method?: string } = {},
) {
  const r = await fetch(`${server.url}${path}`, {
    method: options.method ?? (options.body === undefined ? 'GET' : 'POST'),
    headers: {
      authorization: `Bearer ${options.key ?? 'steward'}`,
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
  const text = await r.text();
  return {
    status: r.status,
    etag: r.headers.get('etag'),
    headers: r.headers,
    body: (text ? JSON.parse(text) : {}) as Body,
  };
}

/** Appends an event and answers its position. */
async function put(spec: EventSpec): Promise<string> {
  const placed = recordOf(catalogue, spec);
  const [offset] = await stage.append([placed]);
  return `${placed.stream}/${placed.partition}/${offset}`;
}

const ban = (nomorCekal: string, versiDaftar = 1): EventSpec => ({
  type: 'imigrasi.cegah.ditetapkan',
  source: 'urn:simpul:unit:SU00018:uji',
  data: { nomorCekal, jenis: 'cegah', versiDaftar, nik: '9901010101010001', tindakanDiTpi: 'tolak' },
});
const lifted = (nomorCekal: string): EventSpec => ({
  type: 'imigrasi.cegah.berakhir',
  source: 'urn:simpul:unit:SU00018:uji',
  data: { nomorCekal, versiDaftar: 9 },
});

describe('one entry', () => {
  it('is found under the key "changes" too, by a reader that asks for JSON; a reader of an event stream gets the feed', async () => {
    const after = await put(ban('changes'));
    const path = '/v1/state/imigrasi.cegah-aktif/changes';
    const got = await ask(`${path}?after=${after}`, { headers: { accept: 'application/json' } });
    expect([got.status, got.body['key']]).toEqual([200, 'changes']);
    for (const accept of ['text/event-stream', '*/*', 'text/event-stream, application/json']) {
      const stop = new AbortController();
      const headers = { authorization: 'Bearer steward', accept };
      const feed = await fetch(`${server.url}${path}`, { headers, signal: stop.signal });
      expect(feed.headers.get('content-type')).toContain('text/event-stream');
      stop.abort();
    }
  });

  it('answers the value of its own write (read your write), with the position as ETag, and 304 while it is unchanged', async () => {
    const position = await put(ban('C/1'));
    const path = `/v1/state/imigrasi.cegah-aktif/${encodeURIComponent('C/1')}`;
    const got = await ask(`${path}?after=${position}`);
    expect(got.status).toBe(200);
    expect(got.body).toMatchObject({
      view: 'imigrasi.cegah-aktif',
      key: 'C/1',
      value: { nomorCekal: 'C/1', nik: '9901010101010001' },
      position,
      stale: false,
    });
    expect(got.body['updatedtime']).toMatch(/^\d{4}-.*Z$/);
    expect(got.etag).toBe(`"${position}"`);
    expect((await ask(path, { headers: { 'if-none-match': got.etag! } })).status).toBe(304);
  });

  it('long poll: answers when the entry changes, and 304 when the wait ends', async () => {
    const position = await put(ban('C-2'));
    const path = '/v1/state/imigrasi.cegah-aktif/C-2';
    const { etag } = await ask(`${path}?after=${position}`);
    const headers = { 'if-none-match': etag!, prefer: 'wait=20' };
    const waiting = ask(path, { headers });
    const changed = await put(ban('C-2', 7));
    expect((await waiting).body).toMatchObject({ position: changed, value: { versiDaftar: 7 } });
    const still = await ask(path, { headers: { 'if-none-match': `"${changed}"`, prefer: 'wait=0' } });
    expect([still.status, still.headers.get('preference-applied')]).toEqual([304, 'wait=0']);
  });

  it('long poll: a key that is revoked while it waits gets 401 at once and no entry', async () => {
    const position = await put(ban('C-5'));
    const path = '/v1/state/imigrasi.cegah-aktif/C-5';
    const { etag } = await ask(`${path}?after=${position}`);
    const polls = [
      { path, headers: { 'if-none-match': etag!, prefer: 'wait=20' } },
      { path: `${path}?after=imigrasi.cegah/0/999999`, headers: { prefer: 'wait=20' } },
    ];
    for (const { path: at, headers } of polls) {
      key('sebentar', 'hub', 'steward');
      const began = performance.now();
      const waiting = ask(at, { key: 'sebentar', headers });
      await ask(path);
      callers.delete('Bearer sebentar');
      if (at === path) await put(ban('C-5', 7));
      const r = await waiting;
      expect([r.status, r.body['value'], performance.now() - began < 5_000]).toEqual([401, undefined, true]);
    }
  });

  it('answers 404 after it was deleted, and for a key that never existed', async () => {
    await put(ban('C-3'));
    const position = await put(lifted('C-3'));
    expect((await ask(`/v1/state/imigrasi.cegah-aktif/C-3?after=${position}`)).status).toBe(404);
    expect((await ask('/v1/state/imigrasi.cegah-aktif/TIDAK-ADA')).body['code']).toBe('not_found');
  });

  it('after= a position that the view has not reached is 503 view_behind; of another stream or of another form 400', async () => {
    const path = '/v1/state/imigrasi.cegah-aktif/C-2?after=';
    const headers = { prefer: 'wait=0' };
    expect((await ask(`${path}imigrasi.cegah/0/999999`, { headers })).body).toMatchObject({
      code: 'view_behind',
      status: 503,
    });
    expect((await ask(`${path}keu.pnbp/0/1`)).body).toMatchObject({ code: 'view_not_folding', status: 400 });
    expect((await ask(`${path}besok`)).body).toMatchObject({ code: 'invalid_query', status: 400 });
  });
});

describe('rights (R12)', () => {
  it('a named consumer sees full values, a reader at level masked sees masks, any other key gets 404', async () => {
    const data = {
      nomorRegister: 'A1-99',
      unit: unit['rutan'],
      namaLengkap: 'Orang Rekaan',
      golongan: 'AI',
      penahananBerakhir: '2021-07-20',
    };
    const position = await put({
      type: 'pas.penahanan.akan-berakhir',
      source: `urn:simpul:unit:${unit['rutan']}:sdp`,
      data,
    });
    const read = (name: string) =>
      ask(`/v1/state/pas.penahanan-berakhir/lookup?after=${position}`, {
        key: name,
        body: { subject: { unit: unit['rutan'], nomorRegister: 'A1-99' } },
      });
    expect((await read('steward')).body['value']).toMatchObject({ nomorRegister: 'A1-99', golongan: 'AI' });
    const masked = (await read('admin')).body['value'];
    expect(masked).toMatchObject({ nomorRegister: '••••1-99', golongan: null, unit: unit['rutan'] });
    const stranger = await read('kanwil31');
    expect([stranger.status, stranger.body['code']]).toEqual([404, 'not_found']);
    expect((await read('publisher')).status).toBe(404);
    expect((await read('kanwil64')).status).toBe(200);
  });

  it('each field is masked by the event that wrote it', async () => {
    const nomorPermohonan = 'P-HAK-1';
    const source = `urn:simpul:unit:${unit['kanim']}:simkim`;
    await put({
      type: 'imigrasi.paspor.permohonan-diajukan',
      source,
      data: { nomorPermohonan, unitPenerima: unit['kanim'] },
    });
    const position = await put({
      type: 'imigrasi.paspor.diterbitkan',
      source,
      data: { nomorPermohonan, unitPenerbit: unit['kanim'], nomorPaspor: 'X9900001' },
    });
    const path = `/v1/state/imigrasi.paspor-status/${nomorPermohonan}?after=${position}`;
    const tpi = (await ask(path, { key: 'tpi' })).body['value'];
    expect(tpi).toMatchObject({ status: 'diterbitkan', nomorPaspor: 'X9900001' });
    expect(tpi).not.toHaveProperty('namaPemohon');
    expect((await ask(path)).body['value']).toHaveProperty('namaPemohon');
  });

  it('a clear personal identifier in the URL is refused with 400', async () => {
    expect((await ask('/v1/state/pas.penahanan-berakhir/A1-99')).body['code']).toBe('clear_subject_refused');
    expect((await ask('/v1/state/pas.penahanan-berakhir?subject=A1-99')).body['code']).toBe('clear_subject_refused');
    expect((await ask('/v1/state/imigrasi.cegah-aktif?nik=9901010101010001')).body['code']).toBe(
      'clear_subject_refused',
    );
  });

  it('a look-up by clear subject is on record with its key and view', async () => {
    lookups.length = 0;
    const body = { subject: { unit: unit['rutan'], nomorRegister: 'tidak-ada' } };
    expect((await ask('/v1/state/pas.penahanan-berakhir/lookup', { key: 'tpi', body })).status).toBe(404);
    expect(lookups).toEqual([['tpi', 'pas.penahanan-berakhir']]);
  });

  it('a lookup with more than 20 members, or of more than 16 KiB, is refused before its members are looked at', async () => {
    const subject = (count: number): { subject: Record<string, number> } => ({
      subject: Object.fromEntries(Array.from({ length: count }, (_, n) => [`a${n}`, n])),
    });
    const many = await ask('/v1/state/pas.penahanan-berakhir/lookup', { body: subject(21) });
    expect([many.status, many.body['errors'].map((e: { pointer: string }) => e.pointer)]).toEqual([400, ['/subject']]);
    const large = await ask('/v1/state/pas.penahanan-berakhir/lookup', { body: subject(70_000) });
    expect([large.status, large.body['code']]).toEqual([413, 'body_too_large']);
  });

  it('a lookup must name exactly the fields of the key', async () => {
    const bad = await ask('/v1/state/pas.penahanan-berakhir/lookup', { body: { subject: { nik: '9901' } } });
    expect(bad.body['errors'].map((e: Body) => e['pointer'])).toEqual([
      '/subject/unit',
      '/subject/nomorRegister',
      '/subject/nik',
    ]);
  });
});

describe('lists', () => {
  const report = (name: string, tanggal: string, kapasitas: number): EventSpec => ({
    type: 'pas.hunian.dilaporkan',
    source: `urn:simpul:unit:${unit[name]}:sdp`,
    unitkode: name === 'lapas' ? 'LAPAS-64-A' : 'RUTAN-64-B',
    data: { unit: unit[name], tanggal, kapasitas, petugasJaga: null },
  });

  it('merge the partial entries of all partitions: the newest report per unit, totals per kanwil and day', async () => {
    let last = '';
    for (const day of ['2021-07-13', '2021-07-15', '2021-07-14'])
      for (const name of ['lapas', 'rutan']) last = await put(report(name, day, name === 'lapas' ? 500 : 300));
    await put(report('lapas', '2021-07-15', 510));
    await until(async () => (await stage.caughtUp()) && last !== '');
    const units = await ask('/v1/state/pas.hunian-unit');
    expect(units.body['stale']).toBe(false);
    const byUnit = Object.fromEntries(units.body['entries'].map((e: Body) => [e['key'], e['value']]));
    expect(byUnit[unit['lapas']!]).toMatchObject({ tanggal: '2021-07-15', kapasitas: 510 });
    const total = await ask('/v1/state/pas.hunian-kanwil/KANWIL-64:2021-07-15', { key: 'kanwil31' });
    expect(total.body['value']).toMatchObject({ kanwil: 'KANWIL-64', jumlahUnit: 2, kapasitas: 810 });
    const days = await ask('/v1/state/pas.hunian-kanwil?tanggal.lte=2021-07-14');
    expect(days.body['entries'].map((e: Body) => e['key'])).toEqual(['KANWIL-64:2021-07-13', 'KANWIL-64:2021-07-14']);
    expect((await ask('/v1/state/pas.hunian-unit?kapasitas.gt=400')).body['entries']).toHaveLength(1);
  });

  it('refuse a filter that is no field, whatever its name', async () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'tidakAda']) {
      const { status, body } = await ask(`/v1/state/pas.hunian-unit?${name}=x`);
      expect([name, status, body['code']]).toEqual([name, 400, 'invalid_query']);
    }
  });

  it('page through all entries in key order, each exactly once', async () => {
    const cases = Array.from({ length: 57 }, (_, i) => `K-${String(i).padStart(3, '0')}`);
    for (const nomorKasus of cases)
      await put({
        type: 'layanan.kasus.status-berubah',
        data: { nomorKasus, statusBaru: 'diproses', unitPemegang: unit['kanim'] },
      });
    await stage.untilCaughtUp();
    const keys: string[] = [];
    let path = '/v1/state/layanan.kasus-papan?limit=10&status=diproses';
    for (let pages = 0; pages < 10; pages++) {
      const { body } = await ask(path);
      keys.push(...body['entries'].map((e: Body) => e['key'] as string));
      if (body['next'] === null) break;
      path = `/v1/state/layanan.kasus-papan?limit=10&status=diproses&cursor=${body['next'] as string}`;
    }
    expect(keys).toEqual(cases);
    expect((await ask('/v1/state/layanan.kasus-papan', { key: 'kanwil64' })).body['entries']).toEqual([]);
  });

  it('give an empty page with incomplete and next when the scan budget ends before an entry to show, and a reader that follows next finds it', async () => {
    const held = (nomorKasus: string, unitPemegang: string) =>
      recordOf(catalogue, {
        type: 'layanan.kasus.status-berubah',
        data: { nomorKasus, statusBaru: 'selesai', unitPemegang, unitSebelumnya: null },
      });
    const hidden = Array.from({ length: 5_200 }, (_, i) => held(`T-${String(i).padStart(4, '0')}`, unit['kanim']!));
    await stage.append([...hidden, held('T-SHOWN', unit['lapas']!)]);
    await stage.untilCaughtUp();
    const path = '/v1/state/layanan.kasus-papan?status=selesai';
    const first = (await ask(path, { key: 'kanwil64' })).body;
    expect([first['entries'], first['incomplete'], typeof first['next']]).toEqual([[], true, 'string']);
    const reader = createReader({ url: server.url, key: 'kanwil64' });
    const keys: string[] = [];
    for await (const e of reader.states('layanan.kasus-papan', { status: 'selesai' })) keys.push(e.key);
    await reader.close();
    expect(keys).toContain('T-SHOWN');
  });

  it('of one subject obey the same filters and cursor as every list', async () => {
    const position = await put({
      type: 'layanan.kasus.status-berubah',
      data: { nomorKasus: 'S-1', statusBaru: 'selesai', unitPemegang: unit['kanim'] },
    });
    await ask(`/v1/state/layanan.kasus-papan/S-1?after=${position}`);
    const keys = async (query: string) => {
      const { body } = await ask(`/v1/state/layanan.kasus-papan?subject=S-1${query}`);
      return body['code'] ?? body['entries'].map((e: Body) => e['key']);
    };
    expect(await keys('')).toEqual(['S-1']);
    expect(await keys('&status=selesai&limit=1')).toEqual(['S-1']);
    expect(await keys('&status=diproses')).toEqual([]);
    expect(await keys(`&cursor=${encodeCursor({ k: 'S-0' })}`)).toEqual(['S-1']);
    expect(await keys(`&cursor=${encodeCursor({ k: 'S-1' })}`)).toEqual([]);
    expect(await keys('&cursor=bukan')).toBe('invalid_cursor');
  });

  it('refuse unknown fields and comparisons', async () => {
    expect((await ask('/v1/state/layanan.kasus-papan?warna=biru')).body).toMatchObject({ code: 'invalid_query' });
    expect((await ask('/v1/state/layanan.kasus-papan?status.kira=diproses')).body).toMatchObject({
      code: 'invalid_query',
    });
    expect((await ask('/v1/state/tidak.ada')).status).toBe(404);
  });

  it('refuse the name of a unit that is not in the registry, by id and by code, and take those that are', async () => {
    const answer = async (query: string) => {
      const { status, body } = await ask(`/v1/state/${query}`, { key: 'kanwil64' });
      return [status, body['errors']?.[0].pointer];
    };
    expect(await answer('layanan.kasus-papan?unitPemegang=SU99999')).toEqual([400, '?unitPemegang']);
    expect(await answer('pas.hunian-kanwil?kanwil=KANWIL-99')).toEqual([400, '?kanwil']);
    expect(await answer(`layanan.kasus-papan?unitPemegang=${unit['kanim']}`)).toEqual([200, undefined]);
    expect(await answer('pas.hunian-kanwil?kanwil=KANWIL-64')).toEqual([200, undefined]);
    // a bound of an order is no name
    expect(await answer('pas.hunian-kanwil?kanwil.lt=KANWIL-99')).toEqual([200, undefined]);
  });
});

/** Reads server-sent events until `count` of them with data came. */
async function listen(path: string, name: string, last?: string) {
  const stop = new AbortController();
  const r = await fetch(`${server.url}${path}`, {
    headers: { authorization: `Bearer ${name}`, ...(last ? { 'last-event-id': last } : {}) },
    signal: stop.signal,
  });
  const events: { event: string; id: string; data: Body }[] = [];
  let marks = 0;
  const reading = (async () => {
    let text = '';
    for await (const chunk of r.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (let cut = text.indexOf('\n\n'); cut >= 0; cut = text.indexOf('\n\n')) {
        const of = (k: string) => new RegExp(`^${k}: ?(.*)$`, 'm').exec(text.slice(0, cut))?.[1];
        if (of('event') === 'mark') marks++;
        else if (of('event'))
          events.push({ event: of('event')!, id: of('id')!, data: JSON.parse(of('data')!) as Body });
        text = text.slice(cut + 2);
      }
    }
  })().catch(() => undefined);
  await until(() => marks > 0 || events.length > 0 || last !== undefined);
  return { events, stop: async () => (stop.abort(), reading) };
}

describe('the change feed', () => {
  it('sends entries and deletes in order, and resumes after Last-Event-ID with the newest value of each key', async () => {
    const path = '/v1/state/imigrasi.cegah-aktif/changes';
    const feed = await listen(path, 'steward');
    await put(ban('F-1'));
    await put(ban('F-2'));
    await until(() => feed.events.length >= 2);
    await put(lifted('F-1'));
    await until(() => feed.events.length >= 3);
    expect(feed.events.map((e) => `${e.event} ${e.data['key'] as string}`)).toEqual([
      'entry F-1',
      'entry F-2',
      'delete F-1',
    ]);
    await feed.stop();
    await put(ban('F-2', 5));
    await put(ban('F-2', 6));
    await put(ban('F-3', 7));
    await stage.untilCaughtUp();
    const again = await listen(path, 'steward', feed.events[1]!.id);
    await until(() => again.events.length >= 3);
    await again.stop();
    expect(again.events.map((e) => [e.event, e.data['key'], e.data['value']?.['versiDaftar']])).toEqual([
      ['delete', 'F-1', undefined],
      ['entry', 'F-2', 6],
      ['entry', 'F-3', 7],
    ]);
  });

  it('a cursor of another view is refused: its offsets are those of other streams, and changes would be passed over', async () => {
    const feed = await listen('/v1/state/imigrasi.cegah-aktif/changes', 'steward');
    await put(ban('F-4'));
    await until(() => feed.events.length > 0);
    await feed.stop();
    const headers = { 'last-event-id': feed.events[0]!.id };
    const other = await ask('/v1/state/imigrasi.paspor-status/changes', { headers });
    expect([other.status, other.body['code']]).toEqual([400, 'invalid_cursor']);
  });

  it('sends nothing about entries that the caller may not read', async () => {
    const feed = await listen('/v1/state/layanan.kasus-papan/changes', 'kanwil64');
    const change = (nomorKasus: string, holder: string): EventSpec => ({
      type: 'layanan.kasus.status-berubah',
      data: { nomorKasus, statusBaru: 'selesai', unitPemegang: holder, unitSebelumnya: null },
    });
    await put(change('RAHASIA', unit['kanim']!));
    await put(change('MILIK-64', unit['lapas']!));
    await until(() => feed.events.length > 0);
    await feed.stop();
    expect(feed.events.map((e) => e.data['key'])).toEqual(['MILIK-64']);
  });

  it('sends a gap message when the view was rebuilt: the reader must read the list again', async () => {
    const feed = await listen('/v1/state/imigrasi.cegah-aktif/changes', 'steward');
    const refused = await ask('/v1/views/imigrasi.cegah-aktif/rebuild', { method: 'POST' });
    expect([refused.status, refused.body['code']]).toEqual([403, 'forbidden']);
    const begun = await ask('/v1/views/imigrasi.cegah-aktif/rebuild', { method: 'POST', key: 'admin' });
    expect([begun.status, begun.body['building']]).toEqual([202, 2]);
    await until(async () => {
      const { body } = await ask('/v1/views');
      return body['views'].some((v: Body) => v['view'] === 'imigrasi.cegah-aktif' && v['generation'] === 2);
    });
    await put(ban('F-9'));
    await until(() => feed.events.length >= 2);
    await feed.stop();
    expect(feed.events.map((e) => e.event)).toEqual(['gap', 'entry']);
  });
});

describe('a state store that was emptied', () => {
  it('answers the entry or 503 view_rebuilding while the view is filled again, never 404', async () => {
    await stage.untilCaughtUp();
    const answers = new Set<string>();
    stage.emptyStore();
    do {
      const one = await ask('/v1/state/imigrasi.cegah-aktif/C-2');
      answers.add(`${one.status} ${String(one.body['code'] ?? '')}`);
    } while (!(await stage.caughtUp()));
    expect([...answers].filter((a) => a !== '200 ' && a !== '503 view_rebuilding')).toEqual([]);
    expect((await ask('/v1/state/imigrasi.cegah-aktif/C-2')).status).toBe(200);
  });
});
