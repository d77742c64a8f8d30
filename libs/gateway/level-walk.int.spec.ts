import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CORE, CoreModule, type Core } from '#core';
import { CourierModule } from '#courier';
import { openHttp, type HttpServer } from '#http';
import { ProjectorModule } from '#projector';
import { readHubSettings } from '#settings';
import { subscriptionId } from '#subscriptions';
import { Module } from '@nestjs/common';
import { execFile } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentHub } from '../../test/kit/hub/hub-module.js';
import { until } from '../../test/kit/projection/stage.js';
import { GatewayModule } from './index.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Body = Record<string, any>;
type Level = 'full' | 'masked' | 'none';

const [KANIM, FAR, ITJEN, CENTRE] = ['SU00123', 'SU00124', 'SU00003', 'SU00013'];
const KANWIL = 'kanwil';
const VIEW = 'imigrasi.paspor-status';
const WHO = {
  source: [KANIM, 'reader'],
  kanwil: [KANWIL, 'reader'],
  operator: [CENTRE, 'operator'],
  steward: [CENTRE, 'steward'],
  admin: [CENTRE, 'admin'],
  hubAdmin: ['hub', 'admin'],
  itjen: [ITJEN, 'reader'],
  far: [FAR, 'reader'],
  publisher: [FAR, 'publisher'],
} as const satisfies Record<string, readonly [string, string]>;
type Who = keyof typeof WHO;
const ALL = Object.keys(WHO) as Who[];
/** A masked type, one with a masked unit, and a restricted one, with the level of each caller (R12); `none` where it is not named. */
const TYPES: Record<string, { readonly by: string; readonly levels: Partial<Record<Who, Level>> }> = {
  'imigrasi.paspor.diterbitkan': {
    by: KANIM,
    levels: { source: 'full', steward: 'full', kanwil: 'masked', operator: 'masked', hubAdmin: 'masked' },
  },
  'ham.pengaduan.diterima': {
    by: KANIM,
    levels: {
      source: 'full',
      steward: 'full',
      kanwil: 'masked',
      operator: 'masked',
      hubAdmin: 'masked',
      itjen: 'masked',
    },
  },
  'itjen.wbs.laporan-diterima': { by: ITJEN, levels: { itjen: 'full' } },
};

/** An event that was published, and what of it which level must not show. */
interface Sent {
  readonly type: string;
  readonly stream: string;
  readonly event: Body;
  readonly position: string;
  /** The position of a test event with the same data. */
  readonly tested: string;
  readonly subject: string;
  readonly digest: string;
  /** Of the change feed of VIEW, from before the event. */
  readonly mark: string;
  /** Values that masks hide, and those that only `none` hides. */
  readonly masked: readonly string[];
  readonly hidden: readonly string[];
}
/** One request of the walk. `live`: a stream of messages that does not end. */
interface Request {
  readonly path: string;
  readonly method?: string;
  readonly body?: unknown;
  readonly accept?: string;
  readonly contentType?: string;
  readonly live?: boolean;
  readonly lastEventId?: string;
}
/** How a door is asked about an event. `catalogue`: it names types and streams to every key. */
interface Row {
  readonly asks: (sent: Sent) => readonly Request[];
  readonly catalogue?: true;
}
const at = (...requests: readonly (string | Request)[]): readonly Request[] =>
  requests.map((r) => (typeof r === 'string' ? { path: r } : r));
const post = (path: string, body: unknown, contentType = 'application/json'): Request => ({
  path,
  method: 'POST',
  body,
  contentType,
});
const ACCEPTS = [
  'application/json',
  'application/x-ndjson',
  'application/avro',
  'text/event-stream',
  'text/html',
  '*/*',
];
const accepting = (path: string): Request[] => ACCEPTS.map((accept) => ({ path, accept }));
const events = ({ stream }: Sent): string => `/v1/streams/${stream}/events`;
const KEY = encodeURIComponent;
/** Subscriptions of these units, to every type that each may know: the walk asks for all of them with every key. */
const SUBSCRIBERS = [KANIM, ITJEN, FAR];
const subscriptions = (then: (path: string) => readonly Request[]): readonly Request[] =>
  SUBSCRIBERS.flatMap((unit) => then(`/v1/subscriptions/${subscriptionId(unit, 'jalan')}`));
/** No subscription: what changes one must not change what the walk reads. */
const NO_SUBSCRIPTION = '/v1/subscriptions/sub_aaaaaaaaaaaaaaaaaaaa';

/** One row for each door of /openapi.json: a new door without one fails this spec. */
const DOORS: Readonly<Record<string, Row>> = {
  'GET /v1/events/{stream}/{partition}/{offset}': {
    asks: ({ position, tested }) =>
      at(
        ...accepting(`/v1/events/${position}`),
        `/v1/events/${tested}`,
        `/v1/events/${tested}?encoding=avro`,
        `/v1/events/${position}?encoding=avro`,
        `/v1/events/${position}?encoding=json`,
      ),
  },
  'GET /v1/streams': { asks: () => at('/v1/streams') },
  'GET /v1/streams/{stream}': { asks: ({ stream }) => at(`/v1/streams/${stream}`, '/v1/streams/_simpul.test') },
  'GET /v1/streams/{stream}/events': {
    asks: (sent) =>
      at(
        ...accepting(`${events(sent)}?from=earliest`).filter(({ accept }) => accept !== 'text/event-stream'),
        `${events(sent)}?from=earliest&encoding=avro`,
        `${events(sent)}?from=earliest&copies=true`,
        `${events(sent)}?from=earliest&subject=${KEY(sent.subject)}&wait=0.1`,
        `${events(sent)}?from=${sent.position}&type=${sent.type}&unit=${KANIM}&wait=0.1`,
        `${events(sent)}?from=latest&wait=0.1`,
        ...accepting('/v1/streams/_simpul.test/events').filter(({ accept }) => accept !== 'text/event-stream'),
        '/v1/streams/_simpul.test/events?encoding=avro',
        `/v1/streams/_simpul.test/events?type=${sent.type}&unit=${KANIM}&wait=0.1`,
      ),
  },
  'GET /v1/streams/{stream}/live': {
    asks: ({ stream, position }) =>
      at(
        { path: `/v1/streams/${stream}/live?from=${position}`, live: true },
        { path: '/v1/streams/_simpul.test/live?from=earliest', live: true },
      ),
  },
  'POST /v1/streams/{stream}/retention': { asks: () => at(post('/v1/streams/tidak.ada/retention', { days: 30 })) },
  'POST /v1/events': {
    asks: ({ event }) =>
      ['', '?dryRun=true', '?partial=true'].flatMap((query) => [
        post(`/v1/events${query}`, { ...event, data: {} }, 'application/cloudevents+json'),
        post(`/v1/events${query}`, [{ ...event, data: {} }], 'application/cloudevents-batch+json'),
      ]),
  },
  'GET /v1/receipts': {
    asks: ({ event }) =>
      at(...accepting(`/v1/receipts?source=${KEY(event['source'] as string)}&id=${KEY(event['id'] as string)}`)),
  },
  'GET /v1/refusals': { asks: ({ type }) => at('/v1/refusals', `/v1/refusals?type=${type}`) },
  'GET /v1/conflicts': { asks: () => at('/v1/conflicts', `/v1/conflicts?view=${VIEW}`) },
  // Of a type that a steward may accept, no real position: the event would be stated again while others walk.
  'POST /v1/conflicts/accept': {
    asks: ({ type, stream, position }) => {
      const asked = type.startsWith('itjen.') ? position : `${stream}/0/999999`;
      return at(post('/v1/conflicts/accept', { position: asked, why: 'uji' }));
    },
  },
  'POST /v1/dead-letters/{group}': {
    asks: ({ position }) =>
      [KANIM, FAR, ITJEN, CENTRE].map((unit) =>
        post(`/v1/dead-letters/${unit.toLowerCase()}.uji`, {
          position,
          cause: { message: 'uji' },
          attempts: 3,
          lasttime: '2026-01-01T00:00:00Z',
        }),
      ),
  },
  'GET /v1/dead-letters/{group}': {
    asks: () => [KANIM, FAR, ITJEN, CENTRE].map((unit) => ({ path: `/v1/dead-letters/${unit.toLowerCase()}.uji` })),
  },
  'GET /v1/state/{view}': {
    asks: ({ subject }) =>
      at(
        ...accepting(`/v1/state/${VIEW}`),
        `/v1/state/${VIEW}?subject=${KEY(subject)}`,
        `/v1/state/${VIEW}?unitPenerbit=${KANIM}`,
      ),
  },
  'GET /v1/state/{view}/{key}': {
    asks: ({ subject, position }) =>
      at(...accepting(`/v1/state/${VIEW}/${KEY(subject)}`), `/v1/state/${VIEW}/${KEY(subject)}?after=${position}`),
  },
  'GET /v1/state/{view}/changes': {
    asks: ({ mark }) => at({ path: `/v1/state/${VIEW}/changes`, live: true, lastEventId: mark }),
  },
  'POST /v1/state/{view}/lookup': {
    asks: ({ event }) =>
      at(post(`/v1/state/${VIEW}/lookup`, { nomorPermohonan: event['data'].nomorPermohonan ?? 'x' })),
  },
  'GET /v1/views': { asks: () => at('/v1/views'), catalogue: true },
  'POST /v1/views/{view}/rebuild': { asks: () => at(post('/v1/views/tidak.ada/rebuild', {})) },
  'GET /v1/event-types': { asks: () => at('/v1/event-types?limit=500'), catalogue: true },
  'GET /v1/event-types/{type}': { asks: ({ type }) => at(`/v1/event-types/${type}`), catalogue: true },
  'GET /v1/event-types/{type}/sample': {
    asks: ({ type }) => at(`/v1/event-types/${type}/sample?seed=77`),
    catalogue: true,
  },
  'GET /v1/event-types/{type}/versions': {
    asks: ({ type }) => at(`/v1/event-types/${type}/versions`),
    catalogue: true,
  },
  'POST /v1/subscriptions': {
    asks: ({ type }) =>
      at(
        post('/v1/subscriptions?dryRun=true', {
          name: 'coba',
          types: [type],
          start: 'earliest',
          target: { kind: 'pull' },
        }),
      ),
  },
  'GET /v1/attempts': { asks: () => at('/v1/attempts?limit=1000') },
  'GET /v1/subscriptions': { asks: () => at('/v1/subscriptions?limit=100') },
  'GET /v1/subscriptions/{id}': { asks: () => subscriptions((path) => at(path)) },
  'POST /v1/subscriptions/{id}/pull': {
    asks: () => subscriptions((path) => at(post(`${path}/pull?limit=100&lease=0.2`, undefined))),
  },
  'POST /v1/subscriptions/{id}/commit': {
    asks: ({ position }) => subscriptions((path) => at(post(`${path}/commit`, { token: 'x', through: position }))),
  },
  'POST /v1/subscriptions/{id}/release': {
    asks: () => subscriptions((path) => at(post(`${path}/release`, { token: 'x' }))),
  },
  'GET /v1/subscriptions/{id}/live': {
    asks: () => subscriptions((path) => at({ path: `${path}/live`, live: true })),
  },
  'GET /v1/subscriptions/{id}/deliveries': { asks: () => subscriptions((path) => at(`${path}/deliveries?limit=100`)) },
  'GET /v1/subscriptions/{id}/parked': { asks: () => subscriptions((path) => at(`${path}/parked`)) },
  'GET /v1/subscriptions/{id}/dead-letters': { asks: () => subscriptions((path) => at(`${path}/dead-letters`)) },
  'POST /v1/subscriptions/{id}/redrive': {
    asks: () => subscriptions((path) => at(post(`${path}/redrive`, { all: true, why: 'uji', dryRun: true }))),
  },
  'GET /v1/subscriptions/{id}/redrives': { asks: () => subscriptions((path) => at(`${path}/redrives`)) },
  'GET /v1/subscriptions/{id}/redrives/{job}': { asks: () => subscriptions((path) => at(`${path}/redrives/x`)) },
  'POST /v1/subscriptions/{id}/skip': {
    asks: ({ position }) => subscriptions((path) => at(post(`${path}/skip`, { ids: [position], why: 'uji' }))),
  },
  'POST /v1/subscriptions/{id}/seek': {
    asks: () => subscriptions((path) => at(post(`${path}/seek`, { to: 'earliest', dryRun: true }))),
  },
  'PATCH /v1/subscriptions/{id}': {
    asks: ({ type }) => at({ ...post(NO_SUBSCRIPTION, { types: [type] }), method: 'PATCH' }),
  },
  'DELETE /v1/subscriptions/{id}': { asks: () => at({ path: `${NO_SUBSCRIPTION}?why=uji`, method: 'DELETE' }) },
  'POST /v1/subscriptions/{id}/pause': { asks: () => at(post(`${NO_SUBSCRIPTION}/pause`, { why: 'uji' })) },
  'POST /v1/subscriptions/{id}/resume': { asks: () => at(post(`${NO_SUBSCRIPTION}/resume`, undefined)) },
  'POST /v1/subscriptions/{id}/rotate-secret': {
    asks: () => at(post(`${NO_SUBSCRIPTION}/rotate-secret`, undefined)),
  },
  'GET /v1/units': { asks: () => at('/v1/units?limit=5') },
  'GET /v1/units/{id}': { asks: () => at(`/v1/units/${KANIM}`) },
  'GET /v1/units/{id}/children': { asks: () => at(`/v1/units/${KANIM}/children`) },
  'GET /v1/units/{id}/history': { asks: () => at(`/v1/units/${KANIM}/history`) },
  'GET /v1/units/resolve': { asks: () => at('/v1/units/resolve?function=kanim') },
  'GET /v1/audit': { asks: () => at('/v1/audit?limit=500') },
  'GET /v1/keys': { asks: () => at('/v1/keys') },
  'POST /v1/keys': { asks: () => at(post('/v1/keys', { unit: 'SU99999', system: 'x', roles: ['reader'] })) },
  'DELETE /v1/keys/{id}': { asks: () => at({ path: '/v1/keys/tidak-ada', method: 'DELETE' }) },
  'POST /v1/keys/{id}/approve': { asks: () => at(post('/v1/keys/tidak-ada/approve', {})) },
  'POST /v1/keys/{id}/refuse': { asks: () => at(post('/v1/keys/tidak-ada/refuse', {})) },
  'GET /v1/me': { asks: () => at('/v1/me') },
  'GET /docs/errors': { asks: () => at('/docs/errors') },
  'GET /health/live': { asks: () => at('/health/live') },
  'GET /health/ready': { asks: () => at('/health/ready', '/health/ready?door=read') },
  'GET /metrics': { asks: () => at('/metrics') },
  'GET /openapi.json': { asks: () => at('/openapi.json') },
};
/** How long a stream of messages is listened to where nothing must come. */
const LISTEN_MS = 300;
/** A text that only this event has. */
const isTelling = (value: unknown): value is string =>
  typeof value === 'string' && value.length >= 8 && /\d/.test(value) && !/^\d{4}-\d{2}-\d{2}/.test(value);

const root = new URL('../../', import.meta.url).pathname;

describe('every door of /openapi.json', () => {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-walk-'));
  let core: Core;
  let http: HttpServer;
  const keys = new Map<Who, string>();
  const all: Sent[] = [];

  /** Status, headers and body as one text; what is packed in it is unpacked. */
  async function ask(
    key: string,
    { path, method = 'GET', body, accept, contentType, live = false, lastEventId }: Request,
    wanted?: string,
  ) {
    const stop = new AbortController();
    const r = await fetch(`${http.url}${path}`, {
      method,
      signal: stop.signal,
      headers: {
        authorization: `Bearer ${key}`,
        ...(accept === undefined ? {} : { accept }),
        ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    let text = '';
    if (live && r.status === 200) {
      const end = wanted === undefined ? setTimeout(() => stop.abort(), LISTEN_MS) : undefined;
      try {
        for await (const chunk of r.body!) {
          text += Buffer.from(chunk as Uint8Array).toString();
          if (wanted !== undefined && text.includes(wanted)) break;
        }
      } catch {
        // It was ended here.
      }
      clearTimeout(end);
      stop.abort();
    } else text = Buffer.from(await r.arrayBuffer()).toString();
    const packed = [...text.matchAll(/"data_base64":"([^"]*)"/g)].map((m) => Buffer.from(m[1]!, 'base64').toString());
    const headers = JSON.stringify([...r.headers]);
    return { status: r.status, text: [headers, text, ...packed].join('\n') };
  }
  const admin = (): string => readFileSync(core.adminKey.path!, 'utf8').trim();
  const json = async (key: string, request: Request): Promise<Body> => {
    const { text } = await ask(key, request);
    return JSON.parse(text.slice(text.indexOf('\n') + 1)) as Body;
  };
  const keyOf = async (unit: string, ...roles: string[]): Promise<string> =>
    (await json(admin(), post('/v1/keys', { unit, system: 'uji', roles })))['key'] as string;

  async function publish(type: string, by: string, mark: string): Promise<Sent> {
    const key = await keyOf(by, 'publisher', 'reader');
    const sample = await json(key, { path: `/v1/event-types/${type}/sample?seed=4711` });
    const more = type.startsWith('ham.') ? { tahap: 'registrasi', posPenerima: KANIM, unitPenangan: KANIM } : {};
    const data = { ...(sample['data'] as Body), ...more };
    const event = { ...sample, id: `JALAN-${type}`, source: `urn:simpul:unit:${by}:uji`, data };
    const receipt = await json(key, post('/v1/events', event, 'application/cloudevents+json'));
    const position = receipt['position'] as string;
    const test = { ...event, id: `UJI-${type}`, simpultest: true };
    const tested = (await json(key, post('/v1/events', test, 'application/cloudevents+json')))['position'] as string;
    await until(async () => (await ask(key, { path: `/v1/events/${position}` })).status === 200);
    const shown = await json(key, { path: `/v1/events/${position}` });
    // Refused, so that there is a refusal of each type.
    await ask(
      key,
      post(
        '/v1/events',
        { ...event, id: 'R', data: { ...data, waktu: 7, unitPenerbit: 7 } },
        'application/cloudevents+json',
      ),
    );
    const { contract } = core.registry.catalogue.newest(type)!;
    const of = (...classes: string[]): string[] =>
      contract.fields
        .filter((f) => classes.includes(f.pii))
        .flatMap((f) => [(data as Body)[f.name]].flat())
        .filter(isTelling);
    const masked = of('umum-identitas', 'terbatas', 'spesifik');
    return {
      type,
      stream: type.slice(0, type.lastIndexOf('.')),
      event,
      position,
      tested,
      subject: shown['subject'] as string,
      digest: receipt['digest'] as string,
      mark,
      masked,
      hidden: [...masked, ...of('umum'), event.id, test.id],
    };
  }

  beforeAll(async () => {
    const settings = readHubSettings(silentHub(dir));
    @Module({ imports: [CoreModule.forRoot({ name: 'hub', settings }), GatewayModule, ProjectorModule, CourierModule] })
    class HubModule {}
    http = await openHttp(HubModule, { port: 0 });
    core = http.app.get<Core>(CORE, { strict: false });
    const kanwil = core.units.units.get(KANIM)!.parent!;
    for (const who of ALL) {
      const [unit, role] = WHO[who];
      keys.set(who, unit === 'hub' ? admin() : await keyOf(unit === KANWIL ? kanwil : unit, role));
    }
    const changes = { path: `/v1/state/${VIEW}/changes`, live: true };
    const mark = /^id: ?(\S+)$/m.exec((await ask(keys.get('steward')!, changes, '\n\n')).text)![1]!;
    for (const [type, { by }] of Object.entries(TYPES)) all.push(await publish(type, by, mark));
    const [passport] = all;
    const entry = { path: `/v1/state/${VIEW}/${KEY(passport!.subject)}` };
    await until(async () => (await ask(keys.get('source')!, entry)).status === 200);
    for (const who of ['source', 'itjen', 'far'] as const)
      for (const type of Object.keys(TYPES)) {
        const target = { kind: 'pull' };
        const spec = { name: 'jalan', types: [type], start: 'earliest', target };
        // The first type that the unit may know makes it; another one of that name is refused.
        await ask(keys.get(who)!, post('/v1/subscriptions', spec));
      }
  });
  afterAll(async () => {
    await http.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** What of an event must not stand in an answer to a caller at this level. */
  const forbidden = ({ masked, hidden, digest }: Sent, level: Level): readonly string[] =>
    level === 'full' ? [] : [digest, ...(level === 'none' ? hidden : masked)];
  const levelOf = (sent: Sent, who: Who): Level => TYPES[sent.type]!.levels[who] ?? 'none';

  it('has a row in this spec', async () => {
    const { paths } = await json(admin(), { path: '/openapi.json' });
    const doors = Object.entries(paths as Body).flatMap(([path, methods]) =>
      Object.keys(methods as Body).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(doors.length).toBeGreaterThan(30);
    expect(doors.filter((door) => !(door in DOORS))).toEqual([]);
    expect(Object.keys(DOORS).filter((door) => !doors.includes(door))).toEqual([]);
  });

  it('is a door that the walk can tell: each type has values that a mask hides, and a digest', () => {
    for (const { type, masked, digest } of all)
      expect([type, masked.length > 1, digest.startsWith('sha-256:')]).toEqual([type, true, true]);
  });

  it.each(Object.keys(DOORS))(
    '%s shows no caller more of an event than its level: masked, restricted, and of a foreign unit',
    async (door) => {
      const { asks, catalogue } = DOORS[door]!;
      const walks = all.flatMap((sent) => ALL.map((who) => ({ sent, who, level: levelOf(sent, who) })));
      await Promise.all(
        walks.map(async ({ sent, who, level }) => {
          for (const request of asks(sent)) {
            // A publisher's own words are not an answer of the hub.
            const { status, text } = await ask(keys.get(who)!, request);
            const found = forbidden(sent, level).filter(
              (secret) => text.includes(secret) && !(door === 'POST /v1/events' && secret === sent.event['id']),
            );
            const isAsked = request.path.includes('/receipts?')
              ? found.filter((secret) => secret !== sent.event['id'])
              : found;
            expect([who, request.path, request.accept, status, isAsked]).toEqual([
              who,
              request.path,
              request.accept,
              status,
              [],
            ]);
            // That something happens in a restricted stream is for its named consumers alone.
            // A unit sees the refusals of what it has sent itself: the walk of the publish door.
            const isOwn = door === 'GET /v1/refusals' && WHO[who][0] === FAR;
            if (!catalogue && !isOwn && level === 'none' && sent.type.startsWith('itjen.') && status < 300)
              expect([who, request.path, text.includes('itjen.wbs')]).toEqual([who, request.path, false]);
          }
        }),
      );
    },
  );

  it.each([
    'GET /v1/events/{stream}/{partition}/{offset}',
    'GET /v1/streams/{stream}/events',
    'GET /v1/streams/{stream}/live',
  ])('%s shows the event to whoever has a level: the walk looks at real answers', async (door) => {
    for (const sent of all)
      for (const who of ALL.filter((one) => levelOf(sent, one) !== 'none')) {
        const { text } = await ask(keys.get(who)!, DOORS[door]!.asks(sent)[0]!, sent.event['id'] as string);
        expect([who, sent.type, text.includes(sent.event['id'] as string)]).toEqual([who, sent.type, true]);
        expect([who, sent.type, text.includes(sent.digest)]).toEqual([who, sent.type, levelOf(sent, who) === 'full']);
      }
  });

  it('GET /v1/state/{view}/changes shows the entry to whoever has a level, with nothing that its level hides', async () => {
    const [passport] = all;
    for (const who of ALL.filter((one) => levelOf(passport!, one) !== 'none')) {
      const [request] = DOORS['GET /v1/state/{view}/changes']!.asks(passport!);
      const { text } = await ask(keys.get(who)!, request!, passport!.subject);
      const secrets = forbidden(passport!, levelOf(passport!, who));
      expect([who, secrets.filter((secret) => text.includes(secret))]).toEqual([who, []]);
    }
  });

  it('is all that the command line asks, so that no command sees more than its door shows', async () => {
    const paths = Object.keys(DOORS).map((door) => door.slice(door.indexOf(' ') + 1));
    // A gateway has no watch; who sees which finding: libs/watch/watch.int.spec.ts.
    paths.push('/v1/watch');
    const asked = globSync('apps/cli/src/**/*.ts', { cwd: root, exclude: ['**/*.spec.ts'] }).flatMap((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(/['`](\/(?:v1|health)\/[^'`]*)/g)].map((m) => m[1]!),
    );
    expect(asked.length).toBeGreaterThan(15);
    // A part that the command fills in may be any; a position fills in three.
    const parts = (path: string): string[] => path.split('/').map((part) => (/[{$]/.test(part) ? '*' : part));
    const asks = (command: string): string =>
      command
        .replace(/\$\{(?:query|q\b|suffix|view === )[^]*$/, '')
        .replace(/\?.*$/, '')
        .replace(/\$\{position[^]*$/, '${}/${}/${}');
    const isDoor = (command: string): boolean =>
      paths.map(parts).some((known) => {
        const mine = parts(asks(command));
        return known.length === mine.length && known.every((part, i) => [part, '*'].includes(mine[i]!) || part === '*');
      });
    const unknown = asked.filter((command) => !isDoor(command));
    expect(unknown).toEqual([]);
  });

  it('shows a command the same: event, receipt, state and the lists of a key that reads masked, or nothing', async () => {
    const [passport] = all;
    const { position, subject, event, stream } = passport!;
    const commands = [
      ['event', position],
      ['receipt', event['source'] as string, event['id'] as string],
      ['state', 'get', VIEW, subject],
      ['state', 'ls', VIEW],
      ['stream', 'tail', stream, '--from', 'earliest'],
    ];
    const main = new URL('../../dist/apps/cli/src/main.js', import.meta.url).pathname;
    const run = (key: string, args: readonly string[]) =>
      new Promise<string>((done) => {
        const child = execFile(
          process.execPath,
          [main, '--url', http.url, '--key', key, '-o', 'json', ...args],
          (_e, out, err) => done(out + err),
        );
        if (args[0] === 'stream') setTimeout(() => child.kill(), 4_000).unref();
      });
    await Promise.all(
      (['kanwil', 'far'] as const).flatMap((who) =>
        commands.map(async (args) => {
          const out = await run(keys.get(who)!, args);
          const secrets = forbidden(passport!, levelOf(passport!, who)).filter((s) => !args.includes(s));
          expect([who, args[0], secrets.filter((s) => out.includes(s))]).toEqual([who, args[0], []]);
        }),
      ),
    );
  });
});
