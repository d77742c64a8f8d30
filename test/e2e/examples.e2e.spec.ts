import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createReader } from '#sdk';
import { nodeArgs } from '../../deploy/local/child.js';
import { deploy, type Deployment } from '../kit/deployment.js';
import { scriptedHub } from '../kit/scripted-hub.js';

const PRISON = 'SU00518';
const REGIONAL_OFFICE = 'SU00061';
const POST = 'SU00743';
const BANS = 'SU00018';

let hub: Deployment;
const running: ChildProcess[] = [];
beforeAll(async () => {
  hub = await deploy();
});
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'close');
  }
});
afterAll(() => hub.close());

interface Example {
  /** Resolves with the whole output so far when it matches. */
  line(pattern: RegExp): Promise<string>;
  readonly ended: Promise<{ code: number | null; out: string; err: string }>;
  stop(): void;
}

function start(command: string, args: readonly string[], key: string, url = hub.url): Example {
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'] ?? '', SIMPUL_URL: url, SIMPUL_KEY: key },
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
  child.stderr.setEncoding('utf8').on('data', (t: string) => (err += t));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  return {
    ended,
    stop: () => child.kill('SIGTERM'),
    line: (pattern) =>
      new Promise((done, fail) => {
        onOutput = () => {
          if (pattern.test(out)) done(out);
        };
        onOutput();
        void ended.then(() => fail(new Error(`ended without ${String(pattern)}:\n${out}${err}`)));
      }),
  };
}
const node = (example: string, args: readonly string[], key: string): Example =>
  start(process.execPath, nodeArgs(`examples/${example}/main.js`, args), key);

async function publish(key: string, event: object): Promise<void> {
  const answer = await fetch(`${hub.url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify(event),
  });
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
}

describe('the examples, started as their READMEs say', () => {
  it('publisher and subscriber: the office above receives a report once, also when it restarts at its cursor', async () => {
    const place = join(hub.dir, 'subscriber.cursor');
    const office = await hub.key(REGIONAL_OFFICE, 'pantau', ['reader']);
    const prison = await hub.key(PRISON, 'sdp-a', ['publisher', 'reader']);
    const first = node('subscriber', [place], office);
    const published = await node('publisher', [], prison).ended;
    expect(published).toMatchObject({ code: 0, err: '' });
    expect(published.out).toMatch(/^recorded at pas\.hunian\/\d+\/\d+\nstate: \{.*"jumlahNarapidana":298/);
    expect(await first.line(/SU00518/)).toMatch(/^\d{4}-\d\d-\d\d SU00518: 331 in 327 places\n$/);
    first.stop();
    expect(await first.ended).toMatchObject({ code: 0, err: '' });

    expect(await node('publisher', [], prison).ended).toMatchObject({ code: 0 });
    const second = node('subscriber', [place], office);
    await second.line(/SU00518/);
    second.stop();
    expect((await second.ended).out.match(/SU00518/g)).toHaveLength(1);
  });

  it('nest-unit-system: a border post acknowledges each version of the ban list once, also when its cursor file is lost', async () => {
    const places = join(hub.dir, 'places.json');
    const decider = await hub.key(BANS, 'cekal', ['publisher']);
    const post = await hub.key(POST, 'perlintasan', ['publisher', 'reader']);
    const ban = JSON.parse(readFileSync('schemas/golden/imigrasi.cegah.ditetapkan.json', 'utf8')) as object;
    const decide = (versiDaftar: number): Promise<void> =>
      publish(decider, {
        specversion: '1.0',
        id: `cekal-${versiDaftar}`,
        source: `urn:simpul:unit:${BANS}:cekal`,
        type: 'imigrasi.cegah.ditetapkan',
        data: { ...ban, nomorCekal: `CKL-2021-${versiDaftar}`, versiDaftar },
      });
    await decide(1);
    const app = node('nest-unit-system', [places], post);
    await app.line(/list v1 acknowledged at imigrasi\.cegah\/0\/\d+/);
    await decide(2);
    await app.line(/list v2 acknowledged/);
    const reader = createReader({ url: hub.url, key: post });
    const before: string[] = [];
    for await (const e of reader.read('imigrasi.cegah', { type: 'imigrasi.cegah.daftar-diterima' })) before.push(e.id);
    expect(before).toEqual(['terima-cekal-1', 'terima-cekal-2']);
    app.stop();
    expect((await app.ended).err).toBe('');

    const again = node('nest-unit-system', [join(hub.dir, 'lost.json')], post);
    await again.line(/list v2 acknowledged/);
    const after: string[] = [];
    for await (const e of reader.read('imigrasi.cegah', { type: 'imigrasi.cegah.daftar-diterima' })) after.push(e.id);
    await reader.close();
    expect(after).toEqual(before);
  });

  for (const [name, command, file] of [
    ['python', 'python3', 'examples/python/unit.py'],
    ['php', 'php', 'examples/php/unit.php'],
  ] as const) {
    const missing = spawnSync(command, ['--version']).error !== undefined && process.env['CI'] !== 'true';
    (missing ? it.skip : it)(
      `${name}: publishes, reads stream and state over plain HTTP, and shows a refusal${missing ? ` (no ${command} here)` : ''}`,
      async () => {
        const ran = await start(command, [file], await hub.key(PRISON, `sdp-${name}`, ['publisher', 'reader'])).ended;
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

  for (const [name, command, file] of [
    ['python', 'python3', 'examples/python/unit.py'],
    ['php', 'php', 'examples/php/unit.php'],
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
        const ran = await start(command, [file], 'k', proxy.url).ended;
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

  it('print one line for a wrong key, and exit with 1', async () => {
    const ran = await node('publisher', [], 'wrong').ended;
    expect(ran).toMatchObject({ code: 1, out: '' });
    expect(ran.err).toMatch(/^401 unauthenticated: /);
  });
});
