import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createReader } from '#sdk';
import { deploy, type Deployment } from '../kit/deployment.js';
import { installBuild } from '../kit/installed.js';
import { noKafkaHub } from '../kit/kafka-hub.js';
import { scriptedHub } from '../kit/scripted-hub.js';

const PRISON = 'SU00518';
const REGIONAL_OFFICE = 'SU00061';
const POST = 'SU00743';
const BANS = 'SU00018';

const DIRECTORATE = 'SU00007';
const TYPESCRIPT = [
  'publisher',
  'subscriber',
  'reactor',
  'webhook-receiver',
  'nest-unit-system',
  'nest-directorate',
] as const;
type TypeScriptExample = (typeof TYPESCRIPT)[number];
/** The copies of the examples, outside this repository. */
const copies = mkdtempSync(join(tmpdir(), 'simpul-examples-'));
const PATH = `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`;
interface Manifest {
  readonly scripts: { readonly start: string };
  readonly dependencies: object;
}
const manifestOf = (example: TypeScriptExample): Manifest =>
  JSON.parse(readFileSync(join(copies, example, 'package.json'), 'utf8')) as Manifest;
/** The commands of `npm start`; the last one is the app. */
const commandsOf = (example: TypeScriptExample): string[] => manifestOf(example).scripts.start.split(' && ');

let hub: Deployment;
const running: ChildProcess[] = [];
beforeAll(async () => {
  hub = await deploy({ SIMPUL_WEBHOOK_ALLOW: '127.0.0.0/8' });
  cpSync('examples', copies, { recursive: true, filter: (path) => !/node_modules|dist/.test(path) });
  for (const example of TYPESCRIPT) {
    const cwd = join(copies, example);
    installBuild(cwd);
    const env = { PATH: `${join(cwd, 'node_modules/.bin')}${delimiter}${PATH}` };
    for (const command of commandsOf(example).slice(0, -1)) execFileSync('sh', ['-c', command], { cwd, env });
  }
});
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'close');
  }
});
afterAll(async () => {
  await hub.close();
  rmSync(copies, { recursive: true, force: true });
});

interface Example {
  /** Resolves with the whole output so far when it matches. */
  line(pattern: RegExp, stream?: 'out' | 'err'): Promise<string>;
  readonly ended: Promise<{ code: number | null; out: string; err: string }>;
  stop(): void;
}

function start(
  example: string,
  command: string,
  key: string,
  url = hub.url,
  more: Readonly<Record<string, string>> = {},
): Example {
  const child = spawn('sh', ['-c', `exec ${command}`], {
    cwd: join(copies, example),
    env: { PATH, SIMPUL_URL: url, SIMPUL_KEY: key, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  let out = '';
  let err = '';
  let onOutput = (): void => undefined;
  child.stdout.setEncoding('utf8').on('data', (t: string) => {
    out += t;
    onOutput();
  });
  child.stderr.setEncoding('utf8').on('data', (t: string) => {
    err += t;
    onOutput();
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  return {
    ended,
    stop: () => child.kill('SIGTERM'),
    line: (pattern, stream = 'out') =>
      new Promise((done, fail) => {
        onOutput = () => {
          const text = stream === 'out' ? out : err;
          if (pattern.test(text)) done(text);
        };
        onOutput();
        void ended.then(() => fail(new Error(`ended without ${String(pattern)}:\n${out}${err}`)));
      }),
  };
}
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const node = (
  example: TypeScriptExample,
  key: string,
  url?: string,
  more?: Readonly<Record<string, string>>,
): Example => start(example, commandsOf(example).at(-1)!, key, url, more);

async function publish(key: string, event: object, url = hub.url): Promise<void> {
  const answer = await fetch(`${url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify(event),
  });
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
}

/** The decision that makes this version of the ban list. */
const ban = (versiDaftar: number): object => ({
  specversion: '1.0',
  id: `cekal-${versiDaftar}`,
  source: `urn:simpul:unit:${BANS}:cekal`,
  type: 'imigrasi.cegah.ditetapkan',
  data: {
    ...(JSON.parse(readFileSync('schemas/golden/imigrasi.cegah.ditetapkan.json', 'utf8')) as object),
    nomorCekal: `CKL-2021-${versiDaftar}`,
    versiDaftar,
  },
});

describe('the examples, in a copy outside this repository and started as their READMEs say', () => {
  it.each(TYPESCRIPT)('%s: depends on every package that it imports, and on nothing of this repository', (example) => {
    const text = globSync(`{*.ts,src/**/*.ts}`, { cwd: join(copies, example) })
      .map((file) => readFileSync(join(copies, example, file), 'utf8'))
      .join('\n');
    const imported = [...text.matchAll(/(?:from|import) '((?:@[^/']+\/)?[^/'.][^/']*)/g)].map((m) => m[1]!);
    const packages = imported.filter((name) => !name.startsWith('node:'));
    expect(packages).toContain('@simpul/sdk');
    expect(Object.keys(manifestOf(example).dependencies)).toEqual(expect.arrayContaining(packages));
  });

  it('publisher and subscriber: the office above receives a report once, also when it restarts at its cursor', async () => {
    const office = await hub.key(REGIONAL_OFFICE, 'pantau', ['reader']);
    const prison = await hub.key(PRISON, 'sdp-a', ['publisher', 'reader']);
    const first = node('subscriber', office);
    const published = await node('publisher', prison).ended;
    expect(published).toMatchObject({ code: 0, err: '' });
    expect(published.out).toMatch(/^recorded at pas\.hunian\/\d+\/\d+\nstate: \{.*"jumlahNarapidana":298/);
    expect(await first.line(/SU00518/)).toMatch(/^\d{4}-\d\d-\d\d SU00518: 331 in 327 places\n$/);
    first.stop();
    expect(await first.ended).toMatchObject({ code: 0, err: '' });

    expect(await node('publisher', prison).ended).toMatchObject({ code: 0 });
    const second = node('subscriber', office);
    await second.line(/SU00518/);
    second.stop();
    expect((await second.ended).out.match(/SU00518/g)).toHaveLength(1);
  });

  it('reactor: an office names each full prison once, also when it starts again: the hub knows how far it is', async () => {
    const office = await hub.key(REGIONAL_OFFICE, 'pantau', ['reader']);
    const prison = await hub.key(PRISON, 'sdp-a', ['publisher', 'reader']);
    expect(await node('publisher', prison).ended).toMatchObject({ code: 0 });
    const first = node('reactor', office);
    await first.line(/SU00518: 331 in 327 places/);
    first.stop();
    const before = await first.ended;
    expect(before).toMatchObject({ code: 0, err: '' });
    expect(await node('publisher', prison).ended).toMatchObject({ code: 0 });
    const second = node('reactor', office);
    const [, position] = /\((.*)\)/.exec(await second.line(/SU00518/))!;
    second.stop();
    expect((await second.ended).out.match(/SU00518/g)).toHaveLength(1);
    expect(before.out).not.toContain(position);
  });

  it('webhook-receiver: the office above gets a report by webhook, signed with the secret of its subscription', async () => {
    const office = await hub.key(REGIONAL_OFFICE, 'pantau-dorong', ['reader']);
    const prison = await hub.key(PRISON, 'sdp-d', ['publisher', 'reader']);
    const port = await freePort();
    const made = await fetch(`${hub.url}/v1/subscriptions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${office}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        name: 'laporan',
        types: ['pas.hunian.#'],
        target: { kind: 'webhook', url: `http://127.0.0.1:${port}/webhooks/simpul` },
      }),
    });
    const { secret } = (await made.json()) as { secret: string };
    const receiver = node('webhook-receiver', office, hub.url, { PORT: String(port), SIMPUL_WEBHOOK_SECRET: secret });
    await receiver.line(/listening at port/);
    expect(await node('publisher', prison).ended).toMatchObject({ code: 0 });
    await receiver.line(/^listening at port \d+\n\d{4}-\d\d-\d\d SU00518: 331 in 327 places\n/);
    receiver.stop();
    expect(await receiver.ended).toMatchObject({ code: 0, err: '' });
  });

  it('nest-unit-system: a border post acknowledges each version of the ban list once, also when its database is lost', async () => {
    const decider = await hub.key(BANS, 'cekal', ['publisher']);
    const post = await hub.key(POST, 'perlintasan', ['publisher', 'reader']);
    const decide = (version: number): Promise<void> => publish(decider, ban(version));
    await decide(1);
    const app = node('nest-unit-system', post);
    await app.line(/list v1 with 1 entries acknowledged at imigrasi\.cegah\/0\/\d+/);
    await decide(2);
    await app.line(/list v2 with 2 entries acknowledged/);
    const reader = createReader({ url: hub.url, key: post });
    const before: string[] = [];
    for await (const e of reader.read('imigrasi.cegah', { type: 'imigrasi.cegah.daftar-diterima' })) before.push(e.id);
    expect(before).toEqual(['terima-cekal-1', 'terima-cekal-2']);
    app.stop();
    expect((await app.ended).err).toBe('');

    // After a restart the post has its list, and the hub knows its place.
    await decide(3);
    const again = node('nest-unit-system', post);
    expect(await again.line(/acknowledged/)).toMatch(/^following[^\n]*\nlist v3 with 3 entries[^\n]*\n$/);
    again.stop();
    await again.ended;
    before.push('terima-cekal-3');

    rmSync(join(copies, 'nest-unit-system/post.sqlite'));
    const auth = { authorization: `Bearer ${post}`, 'content-type': 'application/json' };
    const found = await fetch(`${hub.url}/v1/subscriptions?name=perlintasan`, { headers: auth });
    const [{ id }] = ((await found.json()) as { subscriptions: [{ id: string }] }).subscriptions;
    const body = JSON.stringify({ to: 'earliest' });
    await fetch(`${hub.url}/v1/subscriptions/${id}/seek`, { method: 'POST', headers: auth, body });
    const lost = node('nest-unit-system', post);
    await lost.line(/list v3 with 3 entries acknowledged/);
    const after: string[] = [];
    for await (const e of reader.read('imigrasi.cegah', { type: 'imigrasi.cegah.daftar-diterima' })) after.push(e.id);
    await reader.close();
    expect(after).toEqual(before);
  });

  const why = noKafkaHub();
  (why === undefined ? it : it.skip)(
    `nest-directorate: keeps the list straight from Kafka, learns what a post acknowledges over HTTP, and goes on where it was${why === undefined ? '' : ` (${why})`}`,
    async () => {
      const prefix = `x${Math.random().toString(36).slice(2, 10)}.`;
      const kafka = { SIMPUL_KAFKA: process.env['SIMPUL_TEST_KAFKA'] ?? '', SIMPUL_KAFKA_PREFIX: prefix };
      const redis = { SIMPUL_REDIS: process.env['SIMPUL_TEST_REDIS'] ?? '' };
      const there = await deploy({ SIMPUL_ENGINE: 'kafka', ...kafka, ...redis });
      try {
        const decider = await there.key(BANS, 'cekal', ['publisher']);
        const post = await there.key(POST, 'perlintasan', ['publisher', 'reader']);
        const directorate = await there.key(DIRECTORATE, 'cegah', ['reader']);
        const follow = (): Example => node('nest-directorate', directorate, there.url, kafka);
        await publish(decider, ban(1), there.url);
        const first = follow();
        await first.line(/list v1 with 1 entries\n/);
        const border = node('nest-unit-system', post, there.url, { POST_DATABASE: 'kafka.sqlite' });
        await first.line(/SU00743 has list v1 with 1 entries/);
        await publish(decider, ban(2), there.url);
        await first.line(/list v2 with 2 entries\n[^]*SU00743 has list v2 with 2 entries/);
        border.stop();
        await border.ended;
        first.stop();
        expect((await first.ended).err).toBe('');

        await publish(decider, ban(3), there.url);
        const again = follow();
        expect(await again.line(/list v/)).toBe(
          'following imigrasi.cegah straight from Kafka\nlist v3 with 3 entries\n',
        );
      } finally {
        await there.close();
      }
    },
  );

  for (const [name, command, run] of [
    ['python', 'python3', 'python3 unit.py'],
    ['php', 'php', 'php unit.php'],
  ] as const) {
    const missing = spawnSync(command, ['--version']).error !== undefined && process.env['CI'] !== 'true';
    (missing ? it.skip : it)(
      `${name}: publishes, reads stream and state over plain HTTP, and shows a refusal${missing ? ` (no ${command} here)` : ''}`,
      async () => {
        const ran = await start(name, run, await hub.key(PRISON, `sdp-${name}`, ['publisher', 'reader'])).ended;
        expect(ran).toMatchObject({ code: 0, err: '' });
        const lines = ran.out.trimEnd().split('\n');
        const position = /^recorded at (pas\.hunian\/\d+\/\d+)$/.exec(lines[0]!)?.[1];
        expect(lines[1]).toBe(`in the stream: 1 of ours, last at ${position}`);
        expect(lines[2]).toBe('state: 298 convicts, stale false');
        expect(lines[3]).toMatch(/^refused as it should be: 422 schema_mismatch: .*\/data\/tanggal/);
        expect(lines).toHaveLength(4);
      },
    );
  }

  for (const [name, command, run] of [
    ['python', 'python3', 'python3 unit.py'],
    ['php', 'php', 'php unit.php'],
  ] as const) {
    const missing = spawnSync(command, ['--version']).error !== undefined && process.env['CI'] !== 'true';
    (missing ? it.skip : it)(
      `${name}: takes no answer of a proxy for the hub's, follows no redirect, and waits for a Retry-After that is a date${missing ? ` (no ${command} here)` : ''}`,
      async () => {
        const now = { 'retry-after': '0' };
        const html = { ...now, 'content-type': 'text/html' };
        const vendor = (status: number, code: string) => ({
          status,
          body: { type: `https://gateway.example/errors/${code}`, code, title: code, status },
          headers: now,
        });
        const redirect = (status: number, location: string) => ({ status, headers: { ...html, location } });
        const me = { keyId: 'k', unit: PRISON, system: 'sdp', source: `urn:simpul:unit:${PRISON}:sdp`, roles: [] };
        const receipt = { id: 'other', source: me.source, position: 'pas.hunian/0/1' };
        const refusal = { type: '/docs/errors#unauthenticated', code: 'unauthenticated', hint: 'a key' };
        // 2xx first: their Retry-After is not read, and the waits double.
        const gets = [
          { status: 200, body: '<html>', headers: html },
          { status: 200, body: { status: 'ok' } },
          { status: 404, body: 'default backend', headers: html },
          vendor(404, 'not_found'),
          redirect(301, '/elsewhere'),
          { status: 503, headers: { ...html, 'retry-after': new Date(Date.now() + 1_000).toUTCString() } },
          { status: 200, body: { ...me, today: '2021-07-15' } },
        ];
        const posts = [
          { status: 201, body: receipt },
          redirect(301, '/elsewhere'),
          vendor(403, 'forbidden'),
          vendor(409, 'conflict'),
          redirect(307, '/elsewhere'),
          { status: 403, body: 'blocked', headers: html },
          { status: 401, body: refusal },
        ];
        const proxy = await scriptedHub(({ method }) => (method === 'GET' ? gets : posts).shift() ?? { status: 500 });
        const ran = await start(name, run, 'k', proxy.url).ended;
        await proxy.close();
        expect([gets.length, posts.length, ran.err + ran.out]).toEqual([
          0,
          0,
          expect.stringContaining('401 unauthenticated'),
        ]);
        // A redirect is not followed: it would send the key to another server, and a POST as a GET.
        expect(proxy.requests.map((r) => `${r.method} ${r.path}`)).toEqual([
          ...Array<string>(7).fill('GET /v1/me'),
          ...Array<string>(7).fill('POST /v1/events'),
        ]);
      },
    );
  }

  it('publisher, subscriber, reactor and the Nest apps say in one line within seconds that no hub answers, and exit with 1', async () => {
    // A receiver of webhooks asks no hub.
    const asking = TYPESCRIPT.filter((example) => example !== 'webhook-receiver');
    const all = await Promise.all(asking.map((example) => node(example, 'key', 'http://127.0.0.1:1').ended));
    for (const ran of all) {
      expect(ran.code).toBe(1);
      // A Nest app says in its log that it goes on asking.
      expect(ran.out).toMatch(/^([^\n]*no hub answers at [^\n]* asking on for 5 s[^\n]*\n)?$/);
      expect(ran.err).toMatch(/^[^\n]*no hub answers at http:\/\/127\.0\.0\.1:1 [^\n]*\n$/);
    }
  });

  for (const [name, command, run] of [
    ['python', 'python3', 'python3 unit.py'],
    ['php', 'php', 'php unit.php'],
  ] as const) {
    const missing = spawnSync(command, ['--version']).error !== undefined && process.env['CI'] !== 'true';
    (missing ? it.skip : it)(
      `${name}: says in one line that no hub answers${missing ? ` (no ${command} here)` : ''}`,
      async () => {
        const line = /^no answer from http:\/\/127\.0\.0\.1:1[^\n]*trying again\n$/;
        await start(name, run, 'key', 'http://127.0.0.1:1').line(line, 'err');
      },
    );
  }

  it('print one line for a wrong key, and exit with 1', async () => {
    const ran = await node('publisher', 'wrong').ended;
    expect(ran).toMatchObject({ code: 1, out: '' });
    expect(ran.err).toMatch(/^401 unauthenticated: /);
  });
});
