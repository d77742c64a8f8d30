import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openAccess, type Access } from '#access';
import { openEmbeddedLog } from '#log-embedded';
import { Limits, type LimitOwner, type LongWork, type WorkKind } from '#limits';
import type { EventLog } from '#log';
import { openMeta, openRegistry, type Registry } from '#registry';
import { openUnits, readUnitSeed, type UnitRegistry } from '#units';
import { globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serveEdge } from '../../../test/kit/doors/edge.js';
import type { HttpServer } from '../index.js';
import { KEYS_DOOR, KeysController } from './keys.js';
import { TYPES_DOOR, TypesController } from './types.js';
import { UNITS_DOOR, UnitsController } from './units.js';

const schemas = new URL('../../../schemas/', import.meta.url).pathname;
let dir: string;
let log: EventLog;
let units: UnitRegistry;
let registry: Registry;
let access: Access;
let server: HttpServer;
let admin: string;
/** The keys that worked in turns. */
const worked: (string | undefined)[] = [];
/** How often work gave the event loop back, and how many entries it looked at. */
const seen = { turns: 0, entries: 0 };
/** Every turn is over at once. */
class ShortTurns extends Limits {
  override workOf(owner: LimitOwner, kind?: WorkKind, gone?: AbortSignal): LongWork {
    worked.push(owner.key);
    const long = super.workOf(owner, kind, gone);
    return {
      run: (work) =>
        long.run((turn) =>
          work({
            isOver: true,
            next: () => Promise.resolve(void seen.turns++),
            scanned: (what, n) => {
              seen.entries += n;
              turn.scanned(what, n);
            },
          }),
        ),
    };
  }
}
const limits = new ShortTurns();
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-doors-'));
  log = await openEmbeddedLog({ dir });
  const seed = readUnitSeed(readFileSync(join(schemas, 'units.json'), 'utf8'));
  units = await openUnits({ log, now: () => Date.parse('2021-07-15T03:00:00Z') });
  await units.seed(seed);
  const meta = await openMeta({ log });
  registry = await openRegistry({ log, meta, defaultPartitions: 8 });
  await registry.registerMissing(
    globSync('**/*.avsc', { cwd: schemas }).map((f) => readFileSync(join(schemas, f), 'utf8')),
  );
  access = await openAccess({
    log,
    units: units.units,
    parties: new Set(seed.externalParties.map((p) => p.code)),
    types: () => registry.catalogue.types(),
    now: Date.now,
  });
  await access.ensureAdmin(dir);
  admin = readFileSync(join(dir, 'admin.key'), 'utf8').trim();
  const { catalogue } = registry;
  server = await serveEdge(
    { authenticate: (h) => access.authenticate(h) },
    {
      controllers: [UnitsController, TypesController, KeysController],
      providers: [
        { provide: UNITS_DOOR, useValue: { limits, units: units.units } },
        { provide: TYPES_DOOR, useValue: { limits, catalogue, units: units.units } },
        { provide: KEYS_DOOR, useValue: { limits, access, units: units.units, log } },
      ],
    },
  );
  closers.push(
    () => server.close(),
    () => access.close(),
    () => registry.close(),
    () => units.close(),
    () => meta.close(),
    () => log.close(),
  );
});
afterAll(async () => {
  for (const close of closers) await close();
  rmSync(dir, { recursive: true, force: true });
});

/** Matchers check the shape of an answer. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Body = Record<string, any>;
interface Answer {
  readonly status: number;
  readonly body: Body;
  readonly headers: Headers;
}
async function ask(path: string, init: { method?: string; body?: unknown; key?: string } = {}): Promise<Answer> {
  const r = await fetch(`${server.url}${path}`, {
    method: init.method ?? 'GET',
    headers: { authorization: `Bearer ${init.key ?? admin}`, 'content-type': 'application/json' },
    ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
  });
  return { status: r.status, body: (await r.json()) as Body, headers: r.headers };
}
async function all(path: string, name: string): Promise<Body[]> {
  const out: Body[] = [];
  let cursor: string | null = null;
  do {
    const { body } = await ask(`${path}${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    out.push(...body[name]);
    cursor = body['next'];
  } while (cursor !== null);
  return out;
}

/** Every audit record that the conditions leave, in pages that may be empty. */
async function records(conditions: string): Promise<Body[]> {
  const out: Body[] = [];
  let cursor = '';
  for (;;) {
    const { body } = await ask(`/v1/audit?limit=7${conditions}${cursor}`);
    out.push(...body['records']);
    if (body['end'] === true) return out;
    cursor = `&cursor=${body['next']}`;
  }
}

describe('the units door', () => {
  it('pages through all 770 units by cursor, each once, ordered by id', async () => {
    const rows = await all('/v1/units?limit=300', 'units');
    expect(rows.map((u) => u['id'])).toEqual(
      Array.from({ length: 770 }, (_, i) => `SU${String(i + 1).padStart(5, '0')}`),
    );
    expect((await ask('/v1/units?limit=300')).headers.get('link')).toMatch(/rel="next"/);
  });

  it('filters by type, province and words; a regional office serves both its provinces', async () => {
    expect((await all('/v1/units?type=kanim&province=65', 'units')).map((u) => u['code']).sort()).toEqual([
      'KANIM-65-NUNUKAN',
      'KANIM-65-TARAKAN',
    ]);
    expect((await ask('/v1/units/resolve?function=kanwil&province=65')).body['units']).toMatchObject([
      { code: 'KANWIL-64' },
    ]);
    expect((await all('/v1/units?text=wahai&limit=5', 'units')).length).toBe(1);
  });

  it('answers one unit by id or code, its children along either line, and its history', async () => {
    const kanwil = (await ask('/v1/units/KANWIL-91')).body;
    expect(kanwil).toMatchObject({ type: 'kanwil', version: 1, validFrom: '2021-07-15', basis: 'known' });
    const below = await all(`/v1/units/${kanwil['id']}/children?limit=500`, 'units');
    expect(below.length).toBeGreaterThan(5);
    expect(below.every((u) => u['parent'] === kanwil['id'])).toBe(true);
    const djim = (await ask('/v1/units/ES1-DJIM')).body;
    const guided = await all(`/v1/units/${djim['id']}/children?line=technical&limit=500`, 'units');
    expect(guided.filter((u) => u['type'] === 'kanim')).toHaveLength(125);
    expect((await ask(`/v1/units/${djim['id']}/history`)).body['versions']).toHaveLength(1);
  });

  it('answers 404 for a unit that did not exist on the asked day, and names the wrong query parameter', async () => {
    expect((await ask('/v1/units/KUMHAM?asOf=2024-10-20')).status).toBe(200);
    expect((await ask('/v1/units/SU00001?asOf=2024-10-21')).status).toBe(404);
    expect((await ask('/v1/units/SU99999')).status).toBe(404);
    for (const q of ['asOf=2021-02-30', 'province=6', 'limit=0', 'cursor=%21', 'colour=red', 'type=a&type=b'])
      expect((await ask(`/v1/units?${q}`)).status).toBe(400);
    expect((await ask('/v1/units/SU00001?knownAt=2021-08-01T00:00:00Z')).body['errors']).toMatchObject([
      { pointer: '?knownAt' },
    ]);
  });
});

describe('a name in a query that the registry does not know', () => {
  it.each([
    ['/v1/units?type=nonsense', '?type'],
    ['/v1/units?type=nonsense&asOf=2021-07-15', '?type'],
    ['/v1/units?class=nonsense', '?class'],
    ['/v1/units/resolve?function=nonsense', '?function'],
    ['/v1/event-types?stream=nonsense', '?stream'],
    ['/v1/event-types?owner=nonsense', '?owner'],
  ])('is no empty list: %s is 400', async (path, pointer) => {
    const { status, body } = await ask(path);
    expect([status, body['code'], body['errors']]).toMatchObject([400, 'invalid_query', [{ pointer }]]);
  });

  it('a known one that matches nothing is an empty list', async () => {
    expect((await ask('/v1/units?type=kanim&province=99')).body['units']).toEqual([]);
    expect((await ask('/v1/event-types?stream=imigrasi.paspor&text=tidakadakata')).body['types']).toEqual([]);
  });
});

describe('the event types door', () => {
  it('lists all types, one with its fields and schema, its versions', async () => {
    const rows = await all('/v1/event-types?limit=20', 'types');
    expect(rows.length).toBeGreaterThanOrEqual(44);
    const { body } = await ask('/v1/event-types/imigrasi.paspor.diterbitkan');
    expect(body).toMatchObject({
      version: 1,
      stream: 'imigrasi.paspor',
      dataschema: 'urn:simpul:schema:imigrasi.paspor.diterbitkan:1',
    });
    expect(body['fields'].length).toBeGreaterThan(5);
    expect(body['schema'].type).toBe('record');
    expect((await ask('/v1/event-types/imigrasi.paspor.diterbitkan/versions')).body['versions']).toMatchObject([
      { version: 1 },
    ]);
    expect((await ask('/v1/event-types/a.b.c')).status).toBe(404);
    expect((await ask('/v1/event-types/a.b.c/sample')).status).toBe(404);
  });

  it('gives a sample that its contract accepts, with a new id each time', async () => {
    const one = await ask('/v1/event-types/pas.hunian.dilaporkan/sample');
    const two = await ask('/v1/event-types/pas.hunian.dilaporkan/sample');
    expect(one.headers.get('content-type')).toMatch(/^application\/cloudevents\+json/);
    expect(registry.catalogue.newest('pas.hunian.dilaporkan')!.contract.encode(one.body['data'], 1)).toMatchObject({
      ok: true,
    });
    expect(one.body['id']).not.toBe(two.body['id']);
    expect(one.body['data']).toEqual(two.body['data']);
  });
});

describe('the keys door', () => {
  it('keeps the admin key in a file that only its owner can read', () => {
    expect(statSync(join(dir, 'admin.key')).mode & 0o777).toBe(0o600);
  });

  it('makes a key whose text is shown once and which is valid at once; after revocation it is refused at once', async () => {
    const made = await ask('/v1/keys', {
      method: 'POST',
      body: { unit: 'SU00123', system: 'simkim', roles: ['publisher', 'reader'] },
    });
    expect(made.status).toBe(201);
    expect(made.headers.get('cache-control')).toBe('no-store');
    const { id, key } = made.body as { id: string; key: string };
    expect(key).toMatch(/^simpul_[0-9a-f]{8}_[A-Za-z0-9_-]{43}$/);
    expect((await ask('/v1/me', { key })).body).toMatchObject({
      keyId: id,
      unit: 'SU00123',
      roles: ['publisher', 'reader'],
      source: 'urn:simpul:unit:SU00123:simkim',
      timezone: expect.stringMatching(/^Asia\//),
      today: '2021-07-15',
    });
    const listed = JSON.stringify(await all('/v1/keys?limit=1', 'keys'));
    expect(listed).toContain(id);
    expect(listed).not.toContain(key);
    expect(listed).not.toMatch(/sha256|[0-9a-f]{64}/);
    expect((await ask('/v1/keys', { key })).status).toBe(403);
    expect((await ask(`/v1/keys/${id}`, { method: 'DELETE' })).body).toMatchObject({
      id,
      revokedAt: expect.any(String),
    });
    expect((await ask('/v1/me', { key })).status).toBe(401);
    expect((await ask(`/v1/keys/${id}`, { method: 'DELETE' })).status).toBe(200);
    expect((await ask('/v1/keys/K00000000', { method: 'DELETE' })).status).toBe(404);
  });

  it('makes one key for every unit of a type', async () => {
    const { status, body } = await ask('/v1/keys', {
      method: 'POST',
      body: { all: 'kanim', system: 'simkim', roles: ['publisher'] },
    });
    expect(status).toBe(201);
    expect(new Set((body['keys'] as { unit: string }[]).map((k) => k.unit)).size).toBe(125);
    expect((await ask('/v1/me', { key: body['keys'][124].key })).body['unit']).toBe(body['keys'][124].unit);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['an unknown unit', { unit: 'SU09999', system: 'a', roles: ['reader'] }, '/unit'],
    ['an unknown party', { unit: 'EXT-NASA', system: 'a', roles: ['reader'] }, '/unit'],
    ['a bad system name', { unit: 'SU00123', system: 'A b', roles: ['reader'] }, '/system'],
    ['roles twice', { unit: 'SU00123', system: 'a', roles: ['reader', 'reader'] }, '/roles'],
    ['a publishing hub', { unit: 'hub', system: 'clock', roles: ['publisher'] }, '/roles'],
    ['an expiry in the past', { unit: 'SU00123', system: 'a', roles: ['reader'], expires: '2020-01-01' }, '/expires'],
    ['a type without units', { all: 'layanan', system: 'a', roles: ['reader'] }, '/all'],
  ])('refuses %s and points at it', async (_what, body, pointer) => {
    const before = access.listKeys().length;
    const r = await ask('/v1/keys', { method: 'POST', body });
    expect([r.status, r.body['code'], r.body['errors'][0].pointer]).toEqual([400, 'invalid_request', pointer]);
    expect(access.listKeys()).toHaveLength(before);
  });

  it('a wish for a powerful key is 202 and pending, and a second admin of the hub approves or refuses it', async () => {
    const post = (path: string, key: string, body?: object) =>
      ask(path, { method: 'POST', key, ...(body ? { body } : {}) });
    const second = (await post('/v1/keys', admin, { unit: 'hub', system: 'dua', roles: ['admin'], expires: '30d' }))
      .body;
    expect(second).toMatchObject({ state: 'valid', expiresAt: expect.any(String) });
    const wish = { unit: 'SU00013', system: 'a', roles: ['steward'] };
    const asked = await post('/v1/keys', admin, wish);
    expect([asked.status, asked.body['state']]).toEqual([202, 'pending']);
    const { id, key } = asked.body as { id: string; key: string };
    expect((await ask('/v1/me', { key })).status).toBe(401);
    expect((await all('/v1/keys?state=pending', 'keys')).map((k) => k['id'])).toEqual([id]);
    const decide = (what: string, of: string, by: string) => post(`/v1/keys/${of}/${what}`, by);
    expect((await decide('approve', id, admin)).body['code']).toBe('second_admin_needed');
    expect((await decide('approve?why=surat', id, second['key'])).body['state']).toBe('valid');
    expect((await ask('/v1/me', { key })).body).toMatchObject({ keyId: id, expiresAt: expect.any(String) });
    const other = (await post('/v1/keys', admin, wish)).body;
    expect((await decide('refuse', other['id'], second['key'])).body['state']).toBe('refused');
    expect((await decide('approve', other['id'], second['key'])).status).toBe(409);
    expect((await ask(`/v1/keys/${second['id']}`, { method: 'DELETE', key: second['key'] })).status).toBe(200);
  });

  it('an admin of a unit works on the keys of its tree only, at every door of keys', async () => {
    const kanwil = 'SU00041';
    const make = (body: object, key?: string) => ask('/v1/keys', { method: 'POST', body, ...(key ? { key } : {}) });
    const { key } = (await make({ unit: kanwil, system: 'a', roles: ['admin'] })).body as { key: string };
    const below = (await make({ unit: 'SU00123', system: 'a', roles: ['reader'] }, key)).body;
    expect(below['unit']).toBe('SU00123');
    const kanims = (await make({ all: 'kanim', system: 'b', roles: ['reader'] }, key)).body['keys'] as Body[];
    expect(kanims.length).toBeGreaterThan(1);
    expect(kanims.length).toBeLessThan(125);
    for (const unit of ['SU00001', 'SU00003', 'hub', 'EXT-KPK']) {
      const { status, body } = await make({ unit, system: 'a', roles: ['reader'] }, key);
      expect([unit, status, body['code'], body['errors'][0].pointer]).toEqual([
        unit,
        403,
        'grant_exceeds_rights',
        '/unit',
      ]);
    }
    expect((await make({ unit: kanwil, system: 'a', roles: ['steward'] }, key)).body['errors'][0].pointer).toBe(
      '/roles',
    );
    const [hub] = access.listKeys().filter((k) => k.owner === 'hub');
    expect((await ask(`/v1/keys/${hub!.id}`, { method: 'DELETE', key })).status).toBe(404);
    expect((await ask(`/v1/keys/${below['id']}`, { method: 'DELETE', key })).status).toBe(200);
    const seen = (await ask('/v1/keys?limit=500', { key })).body['keys'] as Body[];
    expect(seen.some((k) => k['unit'] === 'hub')).toBe(false);
    const audit = (await ask('/v1/audit?limit=500', { key })).body['records'] as Body[];
    expect(audit.length).toBeGreaterThan(0);
    expect(JSON.stringify(audit)).not.toContain('EXT-KPK');
  });

  it('an admin of a unit makes 2,000 keys at once, and then a few an hour: every process keeps each of them', async () => {
    const make = (body: object, key: string) => ask('/v1/keys', { method: 'POST', body, key });
    const lapas = 'SU00208';
    const { key } = (await make({ unit: lapas, system: 'a', roles: ['admin'] }, admin)).body as { key: string };
    const many = (n: number) => ({
      keys: Array.from({ length: 1_000 }, (_, i) => ({ unit: lapas, system: `s${n}-${i}`, roles: ['reader'] })),
    });
    const wrong = many(0).keys.with(999, { unit: 'SU00001', system: 'a', roles: ['reader'] });
    for (let i = 0; i < 3; i++) expect((await make({ keys: wrong }, key)).status).toBe(403);
    for (const n of [1, 2]) expect((await make(many(n), key)).status).toBe(201);
    const own = (): number => access.listKeys(lapas).length;
    expect(own()).toBe(2_001);
    const { status, body, headers } = await make({ unit: lapas, system: 'b', roles: ['admin'] }, key);
    expect([status, body['code'], body['limit']]).toEqual([429, 'too_many_requests', 'grants_per_key']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(own()).toBe(2_001);
    const another = async (system: string): Promise<string> =>
      (await make({ unit: lapas, system, roles: ['admin'] }, admin)).body['key'] as string;
    const second = await another('c');
    for (const n of [3, 4]) expect((await make(many(n), second)).status).toBe(201);
    expect((await make(many(5), await another('e'))).body['limit']).toBe('grants_per_unit');
    expect((await make({ unit: 'SU00209', system: 'a', roles: ['reader'] }, admin)).status).toBe(201);
  });

  it('lists keys in turns, page by page, whatever their number', async () => {
    const lapas = 'SU00208';
    const key = (await ask('/v1/keys', { method: 'POST', body: { unit: lapas, system: 'd', roles: ['admin'] } })).body[
      'key'
    ] as string;
    const ids: string[] = [];
    Object.assign(seen, { turns: 0, entries: 0 });
    let pages = 0;
    for (let cursor: string | null = '', more = true; more; pages++) {
      const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor!)}`;
      const { body } = await ask(`/v1/keys?limit=500&state=valid${query}`, { key });
      ids.push(...(body['keys'] as Body[]).map((k) => k['id'] as string));
      cursor = body['next'] as string | null;
      more = cursor !== null;
    }
    expect(ids).toEqual(access.listKeys(lapas).map(({ id }) => id));
    expect(pages).toBe(Math.ceil(ids.length / 500));
    expect(seen.turns).toBeGreaterThanOrEqual(ids.length);
    expect(seen.entries).toBe(seen.turns);
  });

  it('finds audit records by action, actor, target, phase and time, page by page, and refuses what is no such condition', async () => {
    const everything = await records('');
    const what = await records('&what=key.create&phase=done');
    expect(what.length).toBeGreaterThan(3);
    expect(what).toEqual(everything.filter((r) => r['what'] === 'key.create' && r['phase'] === 'done'));
    const [first] = what;
    expect(await records(`&target=${first!['target']}`)).toEqual(
      everything.filter((r) => r['target'] === first!['target']),
    );
    for (const by of [first!['who'].owner, first!['who'].keyId])
      expect(await records(`&by=${by}`)).toEqual(
        everything.filter((r) => [r['who'].owner, r['who'].keyId].includes(by)),
      );
    expect(await records('&what=key.')).toEqual(everything.filter((r) => String(r['what']).startsWith('key.')));
    expect(await records('&what=key')).toEqual([]);
    const { at } = everything.at(-1)!;
    expect((await records(`&from=${encodeURIComponent(at as string)}`)).length).toBeLessThan(everything.length);
    expect(await records('&from=2999-01-01T00:00:00Z')).toEqual([]);
    for (const query of ['phase=x', 'from=kemarin', 'siapa=x', 'what='])
      expect((await ask(`/v1/audit?${query}`)).status).toBe(400);
  });

  it('never revokes the last admin key', async () => {
    const [own] = access.listKeys().filter((k) => k.owner === 'hub' && k.state === 'valid');
    const r = await ask(`/v1/keys/${own!.id}`, { method: 'DELETE' });
    expect([r.status, r.body['code']]).toEqual([409, 'last_admin']);
  });

  it('keeps an audit record of the intent and of the outcome of every change, without secrets', async () => {
    const made = await ask('/v1/keys', {
      method: 'POST',
      body: { unit: 'EXT-KPK', system: 'portal', roles: ['reader'], why: 'surat 12' },
    });
    const records: Body[] = [];
    let path = '/v1/audit?limit=3';
    for (;;) {
      const { body } = await ask(path);
      records.push(...body['records']);
      if (body['end'] === true) break;
      path = `/v1/audit?limit=3&cursor=${body['next']}`;
    }
    const own = records.filter((r) => r['target'] === made.body['id']);
    expect(own).toMatchObject([
      { phase: 'intent', what: 'key.create', why: 'surat 12', after: [{ owner: 'EXT-KPK' }], who: { owner: 'hub' } },
      { phase: 'done', id: own[0]!['id'] },
    ]);
    expect(records.some((r) => r['phase'] === 'failed' && r['code'] === 'last_admin')).toBe(true);
    expect(JSON.stringify(records)).not.toContain(made.body['key']);
  });
});

it.each(['/v1/units', '/v1/units/resolve?function=kanim', '/v1/event-types', '/v1/keys', '/v1/audit'])(
  'the list %s is made in turns of the key that asks',
  async (path) => {
    worked.length = 0;
    expect((await ask(path)).status).toBe(200);
    expect(worked).toEqual([expect.any(String)]);
  },
);
