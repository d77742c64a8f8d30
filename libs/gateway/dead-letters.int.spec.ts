import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { CORE, CoreModule, type Core } from '#core';
import { DEAD_TOPICS } from '#dead-letters';
import { openHttp, type HttpServer } from '#http';
import type { AppendOutcome } from '#log';
import { ProjectorModule } from '#projector';
import { readHubSettings } from '#settings';
import { Module } from '@nestjs/common';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentHub } from '../../test/kit/hub/hub-module.js';
import { kafkaHub, noKafkaHub, type KafkaHub } from '../../test/kit/kafka-hub.js';
import { until } from '../../test/kit/projection/stage.js';
import { GatewayModule } from './index.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Body = Record<string, any>;

const [KANIM, FAR, ITJEN] = ['SU00123', 'SU00124', 'SU00003'];
const PASSPORT = 'imigrasi.paspor.diterbitkan';
const STREAM = 'imigrasi.paspor';
const LETTER = {
  cause: { code: 'E_UJI', message: 'tidak terbaca\nbaris kedua' },
  attempts: 3,
  firsttime: '2026-01-01T00:00:00+07:00',
  lasttime: '2026-01-01T00:00:09Z',
};

async function ask(url: string, key: string | undefined, body?: unknown, type = 'application/json') {
  const r = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': type }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await r.text();
  return { status: r.status, text, headers: r.headers, body: (text.startsWith('{') ? JSON.parse(text) : {}) as Body };
}
const pointers = ({ body }: { body: Body }): string[] =>
  ((body['errors'] ?? []) as { pointer: string }[]).map((e) => e.pointer);
/** Positions at which no unit finds an event: no position, no stream, no partition, no record, topics of the hub. */
const NOWHERE = [
  'x',
  '',
  '../0/0',
  `${STREAM}/0/-1`,
  `${STREAM}/0/00`,
  `${STREAM}/0\u0000/0`,
  `${STREAM}/0/999999`,
  `${STREAM}/0/9223372036854775807`,
  `${STREAM}/0/9999999999999999999`,
  `${STREAM}/999999/0`,
  'tidak.ada/0/0',
  '_simpul.audit/0/0',
  '_simpul.keys/0/0',
  '_simpul.dead.su00123.uji/0/0',
];

describe('the doors of dead letters', () => {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-letters-'));
  let core: Core;
  let http: HttpServer;
  const keys: Record<'kanim' | 'kanwil' | 'far' | 'itjen' | 'publisher', string> = {
    kanim: '',
    kanwil: '',
    far: '',
    itjen: '',
    publisher: '',
  };
  let kanwil: string;
  let own: readonly string[];
  let foreign: string;
  let restricted: string;
  let data: Body;

  const open = async (): Promise<void> => {
    const settings = readHubSettings(silentHub(dir));
    @Module({ imports: [CoreModule.forRoot({ name: 'hub', settings }), GatewayModule, ProjectorModule] })
    class HubModule {}
    http = await openHttp(HubModule, { port: 0 });
    core = http.app.get<Core>(CORE, { strict: false });
  };
  const keyOf = async (unit: string, ...roles: string[]): Promise<string> => {
    const admin = readFileSync(core.adminKey.path!, 'utf8').trim();
    return (await ask(`${http.url}/v1/keys`, admin, { unit, system: 'uji', roles })).body['key'] as string;
  };
  const publish = async (type: string, unit: string, id: string): Promise<string> => {
    const key = await keyOf(unit, 'publisher', 'reader');
    const sample = (await ask(`${http.url}/v1/event-types/${type}/sample`, key)).body;
    const event = { ...sample, id, source: `urn:simpul:unit:${unit}:uji` };
    if (type === PASSPORT) ({ data } = event as Body as { data: Body });
    const { status, body } = await ask(`${http.url}/v1/events`, key, event, 'application/cloudevents+json');
    expect([type, status]).toEqual([type, 201]);
    await until(async () => (await ask(`${http.url}/v1/events/${body['position']}`, key)).status === 200);
    return body['position'] as string;
  };
  const add = (group: string, position: string, more: object = {}, key: string | undefined = keys.kanim) =>
    ask(`${http.url}/v1/dead-letters/${group}`, key, { position, ...LETTER, ...more });
  const list = (group: string, query = '', key: string | undefined = keys.kanim) =>
    ask(`${http.url}/v1/dead-letters/${group}${query}`, key);

  beforeAll(async () => {
    await open();
    kanwil = core.units.units.get(KANIM!)!.parent!;
    keys.kanim = await keyOf(KANIM!, 'reader');
    keys.kanwil = await keyOf(kanwil, 'reader');
    keys.far = await keyOf(FAR!, 'reader');
    keys.itjen = await keyOf(ITJEN!, 'reader');
    keys.publisher = await keyOf(KANIM!, 'publisher');
    foreign = await publish(PASSPORT, FAR!, 'F');
    restricted = await publish('itjen.wbs.laporan-diterima', ITJEN!, 'R');
    own = [];
    for (const id of ['A', 'B', 'C', 'D', 'E']) own = [...own, await publish(PASSPORT, KANIM!, id)];
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });
  afterAll(async () => {
    await http.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('a new letter is 201, its repeat 200 with the first one, also after a restart of the hub; the list has it once', async () => {
    const first = await add('su00123.ulang', own[0]!);
    expect([first.status, first.body]).toEqual([
      201,
      {
        group: 'su00123.ulang',
        position: own[0],
        ...LETTER,
        type: PASSPORT,
        system: 'uji',
        recordedtime: expect.stringMatching(/^\d{4}-.*Z$/),
      },
    ]);
    const again = await add('su00123.ulang', own[0]!, { attempts: 9 });
    expect([again.status, again.body]).toEqual([200, first.body]);
    await http.close();
    await open();
    const restarted = await add('su00123.ulang', own[0]!, { attempts: 9 });
    expect([restarted.status, restarted.body]).toEqual([200, first.body]);
    const { group: _group, ...letter } = first.body;
    expect((await list('su00123.ulang')).body).toEqual({ letters: [letter], next: null });
  });

  it('the answer comes after the append of the log has ended, and not before', async () => {
    const append = core.log.append.bind(core.log);
    const held = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    jest.spyOn(core.log, 'append').mockImplementation(async (topic, ...rest) => {
      if (topic.startsWith(DEAD_TOPICS)) {
        asked.resolve();
        await held.promise;
      }
      return append(topic, ...rest);
    });
    const seen: string[] = [];
    const adding = add('su00123.tahan', own[0]!).then((r) => (seen.push('answered'), r));
    try {
      await Promise.race([asked.promise.then(() => seen.push('append')), adding]);
      // A round trip through the same server: an answer that was on its way has come.
      expect((await list('su00123.tahan')).body['letters']).toEqual([]);
      expect(seen).toEqual(['append']);
    } finally {
      held.resolve();
    }
    expect((await adding).status).toBe(201);
  });

  it.each<[string, AppendOutcome, string]>([
    ['refused', { kind: 'refused', code: 'log_unavailable' }, 'log_unavailable'],
    ['uncertain', { kind: 'uncertain' }, 'not_durable'],
  ])('an append that is %s is 503, and nothing is shown', async (name, outcome, code) => {
    const group = `su00123.gagal-${name}`;
    const append = core.log.append.bind(core.log);
    const spy = jest
      .spyOn(core.log, 'append')
      .mockImplementation((topic, ...rest) =>
        topic.startsWith(DEAD_TOPICS) ? Promise.resolve(outcome) : append(topic, ...rest),
      );
    const failed = await add(group, own[0]!);
    expect([failed.status, failed.body['code']]).toEqual([503, code]);
    expect((await list(group)).body['letters']).toEqual([]);
    spy.mockRestore();
    expect((await add(group, own[0]!)).status).toBe(201);
  });

  it('a unit writes and reads groups of its own name only; without the role or a key nobody does', async () => {
    for (const group of [
      'su00124.uji',
      'su001234.uji',
      'su00123',
      'su00123.',
      'SU00123.uji',
      'su00123.Uji',
      'su00123.a%2Fb',
      'su00123.a%00',
      'su00123.a%0a',
      `su00123.${'a'.repeat(62)}`,
      '_simpul.audit',
    ]) {
      const refused = [await add(group, own[0]!), await list(group)];
      expect([group, ...refused.map((r) => r.status)]).toEqual([group, 403, 403]);
      for (const r of refused) expect(r.body['code']).toBe('forbidden');
    }
    expect((await add('su00123.uji', own[0]!, {}, keys.far)).status).toBe(403);
    expect((await list('su00123.ulang', '', keys.kanwil)).status).toBe(403);
    expect((await add('su00123.uji', own[0]!, {}, keys.publisher)).status).toBe(403);
    expect((await list('su00123.ulang', '', keys.publisher)).status).toBe(403);
    expect((await list('su00123.ulang', '', 'x')).status).toBe(401);
    expect((await core.log.topics()).filter((t) => t.startsWith(`${DEAD_TOPICS}su00124`))).toEqual([]);
  });

  it('an event that the key may not read, one that does not exist and a topic of the hub are answered alike, and store nothing', async () => {
    const normal = (text: string): string => text.replace(/"instance":"[^"]*"/, '');
    const missing = await add('su00123.tiada', `${STREAM}/1/999999`);
    expect([missing.status, missing.body['code']]).toEqual([404, 'not_found']);
    for (const position of [foreign, restricted, ...NOWHERE]) {
      const r = await add('su00123.tiada', position);
      expect([position, r.status, normal(r.text)]).toEqual([position, 404, normal(missing.text)]);
    }
    expect((await list('su00123.tiada')).body['letters']).toEqual([]);
    expect(await core.log.topics()).not.toContain(`${DEAD_TOPICS}su00123.tiada`);
    expect((await add('su00003.uji', restricted, {}, keys.itjen)).status).toBe(201);
  });

  it('a unit that sees the event masked may write a letter, which has nothing of the event but its type and position', async () => {
    const group = `${kanwil.toLowerCase()}.uji`;
    const made = await add(group, own[0]!, {}, keys.kanwil);
    expect(made.status).toBe(201);
    const text = made.text + (await list(group, '', keys.kanwil)).text;
    const values = Object.values(data)
      .flat()
      .filter((v) => typeof v === 'string' && v.length >= 8 && v !== KANIM);
    expect(values.length).toBeGreaterThan(3);
    expect((values as string[]).filter((v) => text.includes(v))).toEqual([]);
    expect(Object.keys(made.body).sort()).toEqual(
      ['attempts', 'cause', 'firsttime', 'group', 'lasttime', 'position', 'recordedtime', 'system', 'type'].sort(),
    );
  });

  it('what a steward writes of an event that its unit may not read is not for the readers of the unit, who have letters of their own', async () => {
    const group = 'su00123.walidata';
    const steward = await keyOf(KANIM!, 'reader', 'steward');
    const said = { cause: { message: 'nama: Eka Bayangan' } };
    const made = await add(group, foreign, said, steward);
    expect([made.status, made.body['cause']]).toEqual([201, said.cause]);
    expect(made.body).not.toHaveProperty('roles');
    // The unit sees this one as the steward does: its letter is for all of them.
    expect((await add(group, own[0]!, said, steward)).status).toBe(201);
    const positions = async (key?: string): Promise<string[]> =>
      ((await list(group, '', key)).body['letters'] as { position: string }[]).map((l) => l.position);
    expect(await positions()).toEqual([own[0]]);
    expect(await positions(steward)).toEqual([foreign, own[0]]);
    expect((await add(group, foreign)).status).toBe(404);
    // Seen masked by one and in full by the other: the repeat answers its own words.
    const office = `${kanwil.toLowerCase()}.walidata`;
    const above = await keyOf(kanwil, 'reader', 'steward');
    expect((await add(office, own[1]!, said, above)).status).toBe(201);
    const repeat = await add(office, own[1]!, {}, keys.kanwil);
    expect([repeat.status, repeat.body['cause']]).toEqual([200, LETTER.cause]);
    expect((await list(office, '', keys.kanwil)).text).not.toContain('Bayangan');
  });

  it.each<[string, object, string]>([
    ['data of the event', { data: { nik: '9900000000000001' } }, '/data'],
    ['an unknown member', { type: PASSPORT }, '/type'],
    ['an unknown member of cause', { cause: { message: 'x', stack: 'y' } }, '/cause/stack'],
    ['no cause', { cause: undefined }, '/cause'],
    ['a cause that is a text', { cause: 'x' }, '/cause'],
    ['an empty message', { cause: { message: '' } }, '/cause/message'],
    ['a message of 501 characters', { cause: { message: 'x'.repeat(501) } }, '/cause/message'],
    ['a huge message', { cause: { message: 'x'.repeat(30_000) } }, '/cause/message'],
    ['a code of 61 characters', { cause: { code: 'x'.repeat(61), message: 'x' } }, '/cause/code'],
    ['a control character in the code', { cause: { code: 'a\u001b[31m', message: 'x' } }, '/cause/code'],
    ['a line break in the code', { cause: { code: 'a\n', message: 'x' } }, '/cause/code'],
    ['no attempts', { attempts: undefined }, '/attempts'],
    ['0 attempts', { attempts: 0 }, '/attempts'],
    ['1.5 attempts', { attempts: 1.5 }, '/attempts'],
    ['attempts as a text', { attempts: '3' }, '/attempts'],
    ['too many attempts', { attempts: 1_000_001 }, '/attempts'],
    ['a day for a time', { lasttime: '2026-01-01' }, '/lasttime'],
    ['a day that does not exist', { lasttime: '2026-02-30T00:00:00Z' }, '/lasttime'],
    ['a number for a time', { firsttime: 7 }, '/firsttime'],
    ['null for a time', { firsttime: null }, '/firsttime'],
    ['a position that is a number', { position: 7 }, '/position'],
    ['a position of 251 characters', { position: 'a'.repeat(251) }, '/position'],
    ['no position', { position: undefined }, '/position'],
  ])('%s is refused with its pointer', async (_name, more, pointer) => {
    const r = await add('su00123.buruk', own[0]!, more);
    expect([r.status, r.body['code'], pointers(r)]).toEqual([400, 'invalid_request', [pointer]]);
    expect((await list('su00123.buruk')).body['letters']).toEqual([]);
  });

  it('a body that is no object of JSON, and one that is too large, are refused; texts at their limits are accepted', async () => {
    const path = `${http.url}/v1/dead-letters/su00123.buruk`;
    for (const body of ['[]', 'null', '7', '"x"', '', '{', '{"position":1,"position":2}', '{"cause":"\\ud800"}'])
      expect([body, (await ask(path, keys.kanim, body)).status]).toEqual([body, 400]);
    expect((await ask(path, keys.kanim, '{}', 'text/plain')).status).toBe(415);
    expect((await ask(path, keys.kanim, `"${'x'.repeat(200_000)}"`)).status).toBe(413);
    const longest = { cause: { code: 'é'.repeat(60), message: '\u0000\u001b'.repeat(250) }, attempts: 1_000_000 };
    const group = `su00123.${'a'.repeat(61)}`;
    expect((await add(group, own[0]!, longest)).status).toBe(201);
    expect((await list(group)).body['letters']).toMatchObject([longest]);
  });

  it('pages hold each letter once, in order; a cursor that is made up, and a limit that is none, are refused with a pointer', async () => {
    const group = 'su00123.halaman';
    for (const position of own) expect((await add(group, position)).status).toBe(201);
    const seen: string[] = [];
    let query: string | undefined = '?limit=2';
    let pages = 0;
    while (query !== undefined) {
      const page = await list(group, query);
      expect(page.status).toBe(200);
      pages++;
      seen.push(...(page.body['letters'] as { position: string }[]).map((l) => l.position));
      const next = page.body['next'] as string | null;
      query = next === null ? undefined : `?limit=2&cursor=${encodeURIComponent(next)}`;
      expect(page.headers.has('link')).toBe(next !== null);
    }
    expect([pages, [...seen].sort()]).toEqual([3, [...own].sort()]);
    const times = ((await list(group)).body['letters'] as { recordedtime: string }[]).map((l) => l.recordedtime);
    expect(times).toEqual([...times].sort());
    const forged = Buffer.from(JSON.stringify({ after: 7 })).toString('base64url');
    for (const cursor of ['x', forged, '%00', 'e30', 'x'.repeat(9_000)]) {
      const r = await list(group, `?cursor=${cursor}`);
      expect([cursor, r.status, String(r.body['code'])]).toEqual([cursor, 400, expect.stringMatching(/^invalid_/)]);
    }
    for (const limit of ['0', '-1', '1.5', 'x', '1001', '']) {
      const r = await list(group, `?limit=${limit}`);
      expect([limit, r.status, pointers(r)]).toEqual([limit, 400, ['?limit']]);
    }
    expect(pointers(await list(group, '?tidak=1'))).toEqual(['?tidak']);
  });

  it('the 21st group of a unit is 409', async () => {
    const position = foreign;
    const statuses: number[] = [];
    for (let n = 0; n < 21; n++) statuses.push((await add(`su00124.g${n}`, position, {}, keys.far)).status);
    expect(statuses).toEqual([...Array<number>(20).fill(201), 409]);
    const r = await add('su00124.lagi', position, {}, keys.far);
    expect([r.status, r.body['code']]).toEqual([409, 'conflict']);
    expect((await add('su00124.g0', position, {}, keys.far)).status).toBe(200);
  });

  it('a key that has tried too many positions is 429 before anything is looked up; its lists go on', async () => {
    const key = await keyOf('SU00300', 'reader');
    const miss = (n: number) => add('su00300.uji', `${STREAM}/0/${1_000_000 + n}`, {}, key);
    let last = 404;
    for (let sent = 0; sent < 3_000 && last === 404; sent += 50) {
      const statuses = (await Promise.all(Array.from({ length: 50 }, (_, n) => miss(sent + n)))).map((r) => r.status);
      for (const s of statuses) expect([404, 429]).toContain(s);
      last = Math.max(...statuses);
    }
    expect(last).toBe(429);
    expect((await list('su00300.uji', '', key)).status).toBe(200);
  });
});

const reason = noKafkaHub();
if (reason === undefined)
  describe('the doors of dead letters on Kafka', () => {
    let hub: KafkaHub;
    beforeAll(async () => {
      hub = await kafkaHub();
    });
    afterAll(() => hub.close());

    it('a letter is stored once, and listed; positions beyond every log are 404', async () => {
      const key = await hub.key(KANIM!, 'publisher', 'reader');
      const sample = (await ask(`${hub.url}/v1/event-types/${PASSPORT}/sample`, key)).body;
      const [position] = await hub.publish(key, [{ ...sample, id: 'A', source: `urn:simpul:unit:${KANIM}:uji` }]);
      const add = (at: string) =>
        ask(`${hub.url}/v1/dead-letters/su00123.uji`, key, { position: at, ...LETTER }).then((r) => r.status);
      for (const nowhere of NOWHERE) expect([nowhere, await add(nowhere)]).toEqual([nowhere, 404]);
      for (const offset of [2n ** 63n - 1n, 2n ** 63n, 10n ** 19n - 1n])
        expect((await ask(`${hub.url}/v1/events/${STREAM}/0/${offset}`, key)).status).toBe(404);
      expect([await add(position!), await add(position!)]).toEqual([201, 200]);
      const { body } = await ask(`${hub.url}/v1/dead-letters/su00123.uji`, key);
      expect(body).toMatchObject({ letters: [{ position, type: PASSPORT }], next: null });
      expect(await hub.core.log.topics()).toContain(`${DEAD_TOPICS}su00123.uji`);
    });
  });
else describe('the doors of dead letters on Kafka', () => it.skip(`skipped: ${reason}`, () => {}));
