import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { pause } from '#concurrency';
import { deploy, type Deployment } from '../kit/deployment.js';

const open: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});
const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-e2e-'));
  open.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
};
const hub = async (env: Record<string, string> = {}, app?: string): Promise<Deployment> => {
  const d = await deploy(env, app);
  open.push(() => d.close());
  return d;
};
const node = (file: string, args: readonly string[], env: Record<string, string> = {}) =>
  spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', resolve('dist', file), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', LANG: 'en_US.UTF-8', ...env },
    timeout: 30_000,
  });
const up = (...args: string[]) => node('deploy/local/up.js', args);
const cli = (d: Deployment, key: string, ...args: string[]) =>
  node('apps/cli/src/main.js', ['--url', d.url, '--key', key, ...args]);
const post = (d: Deployment, key: string, body: unknown) =>
  fetch(`${d.url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify(body),
  });
const sample = async (d: Deployment, unit: string): Promise<Record<string, unknown>> => {
  const answer = await fetch(`${d.url}/v1/event-types/layanan.kasus.status-berubah/sample`, {
    headers: { authorization: `Bearer ${d.adminKey}` },
  });
  const made = (await answer.json()) as { readonly data: object };
  return {
    ...made,
    source: `urn:simpul:unit:${unit}:sistem`,
    data: { ...made.data, unitPemegang: unit },
    unitasal: undefined,
    unitkode: undefined,
    subject: undefined,
  };
};

describe('the launcher', () => {
  it('exits with 1 and one line that names the pid of the owner when the data folder is locked', async () => {
    const d = await hub();
    const second = up('--no-demo', '--port', '0', '--data', d.dir);
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/^✗ The data folder is in use: .*, pid \d+\. Stop that process/m);
  });

  it('exits with 1 and suggests another port when the port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const r = up('--no-demo', '--port', String(port), '--data', folder());
    expect([r.status, r.stderr]).toEqual([1, expect.stringContaining(`npm start -- --port ${port + 1}`)]);
  });

  it('refuses a data folder that cannot be written, a file in place of a folder, and an unknown option', () => {
    expect(up('--no-demo', '--data', '/proc/simpul').stderr).toMatch(/✗ The data folder cannot be written/);
    expect(up('--no-demo', '--data', resolve('package.json')).stderr).toMatch(/✗ .* is not a folder/);
    const wrong = up('--bogus');
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining('--engine NAME')]);
  });

  it('keeps an empty hub running with --no-demo until a signal, exits with 0, and starts again on the same data folder', async () => {
    const dir = folder();
    for (const round of [1, 2]) {
      const child = spawn(
        process.execPath,
        [resolve('dist/deploy/local/up.js'), '--no-demo', '--port', '0', '--data', dir],
        {
          stdio: ['ignore', 'ignore', 'pipe'],
          env: { PATH: process.env['PATH'] ?? '', LANG: 'en_US.UTF-8' },
        },
      );
      let output = '';
      for await (const chunk of child.stderr) {
        output += String(chunk);
        if (output.includes('Stop: Ctrl-C')) break;
      }
      child.kill('SIGINT');
      const [code] = (await once(child, 'exit')) as [number];
      expect([round, code]).toEqual([round, 0]);
    }
    expect(statSync(join(dir, 'admin.key')).mode & 0o777).toBe(0o600);
  });
});

describe('the hub process', () => {
  it('answers the requests in flight on SIGTERM, exits with 0, and has every acknowledged event after the next start', async () => {
    const d = await hub();
    const key = await d.key('SU00518', 'sistem', ['publisher', 'reader']);
    const one = await sample(d, 'SU00518');
    const answers = Array.from({ length: 50 }, (_, i) =>
      post(d, key, { ...one, id: `drain-${i}` }).then(
        (r) => r.status,
        () => 0,
      ),
    );
    await answers[0];
    expect(await d.stop('SIGTERM')).toBe(0);
    const statuses = await Promise.all(answers);
    // A refused connection after the server closed is no answer; every answer of 201 is a receipt.
    expect(statuses.filter((s) => s === 201).length).toBeGreaterThan(0);
    // A request that arrives while the hub closes gets 503: retry.
    expect(statuses.filter((s) => s !== 0 && s !== 201 && s !== 503)).toEqual([]);
    await d.start();
    const list = await fetch(`${d.url}/v1/streams/layanan.kasus/events?limit=500`, {
      headers: { authorization: `Bearer ${key}` },
    });
    const { events } = (await list.json()) as { events: unknown[] };
    expect(events.length).toBeGreaterThanOrEqual(statuses.filter((s) => s === 201).length);
  });

  it('announces every registered version of an event type once, also when it is killed right after its start', async () => {
    const d = await hub();
    await d.crash();
    const ask = async (path: string): Promise<Record<string, { id: string; type: string; version: number }[]>> =>
      (await (await fetch(d.url + path, { headers: { authorization: `Bearer ${d.adminKey}` } })).json()) as Record<
        string,
        { id: string; type: string; version: number }[]
      >;
    const types = (await ask('/v1/event-types?limit=1000'))['types'];
    const wanted = types!.map((t) => `${t.type}:${t.version}`).toSorted();
    let announced: string[] = [];
    while (announced.length < wanted.length) {
      const { events } = await ask('/v1/streams/simpul.katalog/events?limit=1000&wait=1');
      announced = events!.map((e) => e.id).toSorted();
    }
    expect(announced).toEqual(wanted);
  });

  it('names all wrong settings at once, and exits with 1', () => {
    const r = node('apps/hub/src/main.js', [], { SIMPUL_ENGINE: 'rabbit', SIMPUL_PORT: 'x' });
    expect(r.status).toBe(1);
    expect(r.stderr).toMatch(/invalid_settings: .*SIMPUL_ENGINE.*SIMPUL_PORT/);
  });

  const kafka = process.env['SIMPUL_TEST_KAFKA'];
  const redis = process.env['SIMPUL_TEST_REDIS'];
  ((kafka && redis) || process.env['CI'] === 'true' ? it : it.skip)(
    'works as gateways and projector in separate processes; a revoked key is refused by both gateways within 5 s',
    async () => {
      const env = {
        SIMPUL_ENGINE: 'kafka',
        SIMPUL_KAFKA: kafka ?? '',
        SIMPUL_REDIS: redis ?? '',
        SIMPUL_KAFKA_PREFIX: `two-${randomBytes(4).toString('hex')}`,
      };
      const gateway = await hub(env, 'apps/gateway/src/main.js');
      const shared = { ...env, SIMPUL_PSEUDONYM_KEY_FILE: join(gateway.dir, 'pseudonym.key') };
      await hub(shared, 'apps/projector/src/main.js');
      const other = await hub(shared, 'apps/gateway/src/main.js');
      const key = await gateway.key('SU00518', 'sistem', ['publisher', 'reader']);
      const one = await sample(gateway, 'SU00518');
      const published = await post(gateway, key, one);
      const receipt = (await published.json()) as { position: string };
      expect(published.status).toBe(201);
      const kasus = (one['data'] as { nomorKasus: string }).nomorKasus;
      const ask = (d: Deployment, path: string) =>
        fetch(d.url + path, { headers: { authorization: `Bearer ${key}`, prefer: 'wait=20' } });
      let state = await ask(
        other,
        `/v1/state/layanan.kasus-papan/${encodeURIComponent(kasus)}?after=${receipt.position}`,
      );
      for (let i = 0; state.status === 503 && i < 10; i++)
        state = await ask(
          other,
          `/v1/state/layanan.kasus-papan/${encodeURIComponent(kasus)}?after=${receipt.position}`,
        );
      expect([state.status, ((await state.json()) as { position?: string }).position]).toEqual([200, receipt.position]);
      const live = await ask(other, '/v1/streams/layanan.kasus/live');
      const ended = (async () => {
        for await (const _ of live.body!) continue;
      })();
      const me = (await (await ask(gateway, '/v1/me')).json()) as { keyId: string };
      await fetch(`${gateway.url}/v1/keys/${me.keyId}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${gateway.adminKey}` },
      });
      const began = Date.now();
      while ((await ask(other, '/v1/me')).status !== 401) await pause(50);
      expect((await ask(gateway, '/v1/me')).status).toBe(401);
      await ended;
      expect(Date.now() - began).toBeLessThan(5_000);
    },
    120_000,
  );
});

describe('the command line tool simpul', () => {
  it('publishes a sample with position and link in its output, and shows it in the stream and in the state', async () => {
    const d = await hub();
    const key = await d.key('SU00518', 'sistem', ['publisher', 'reader']);
    const file = join(folder(), 'event.json');
    const one = await sample(d, 'SU00518');
    writeFileSync(file, JSON.stringify(one));
    const published = cli(d, key, 'publish', file);
    expect([published.status, published.stderr]).toEqual([0, '']);
    const position = /layanan\.kasus\/\d+\/\d+/.exec(published.stdout)![0];
    expect(published.stdout.trim()).toMatch(new RegExp(`${position} {2}${d.url}/v1/events/${position}$`));
    expect(cli(d, key, 'publish', file).stdout).toContain('already recorded');
    expect(cli(d, key, 'stream', 'tail', 'layanan.kasus', '-o', 'jsonl').stdout).toContain(`"position":"${position}"`);
    expect(cli(d, key, 'event', position).stdout).toContain('"nomorKasus"');
    const kasus = (one['data'] as { nomorKasus: string }).nomorKasus;
    expect(cli(d, key, 'state', 'get', 'layanan.kasus-papan', kasus, '--after', position).stdout).toContain(position);
    expect(cli(d, key, 'unit', 'resolve', '--function', 'kanim', '--province', '64').stdout.split('\n')[0]).toMatch(
      /^SU\d+\tKANIM-64-/,
    );
  });

  it('lists streams, views, types, keys, refusals and units, and ends quietly when the pipe is closed', async () => {
    const d = await hub();
    const lines = (...args: string[]): string[] => {
      const r = cli(d, d.adminKey, ...args);
      expect([args, r.status, r.stderr]).toEqual([args, 0, '']);
      return r.stdout.trimEnd().split('\n');
    };
    expect(lines('stream', 'ls')).toContainEqual(expect.stringMatching(/^imigrasi\.cegah\t1\tstream\t/));
    expect(lines('view', 'ls')).toContainEqual(expect.stringMatching(/^imigrasi\.cegah-aktif\tset\timigrasi\.cegah\t/));
    expect(lines('type', 'ls').length).toBeGreaterThan(40);
    expect(lines('key', 'ls')).toContainEqual(expect.stringContaining('admin'));
    lines('refusals');
    expect(lines('unit', 'ls')).toHaveLength(770);
    expect(JSON.parse(lines('doctor').join('\n'))).toMatchObject({ status: 'ready' });
    const listing = `'${process.execPath}' --disable-warning=ExperimentalWarning dist/apps/cli/src/main.js --url ${d.url} unit ls -o json`;
    const cut = spawnSync('bash', ['--norc', '-o', 'pipefail', '-c', `${listing} | head -c 1`], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', SIMPUL_KEY: d.adminKey },
      timeout: 30_000,
    });
    expect([cut.status, cut.stdout, cut.stderr]).toEqual([0, '[', '']);
  });

  it('makes keys for many units only when the key file can be written', async () => {
    const d = await hub();
    const file = join(folder(), 'keys.csv');
    const make = (out: string) => cli(d, d.adminKey, 'key', 'create', '--all', 'rudenim', '--out', out);
    const count = (): number => cli(d, d.adminKey, 'key', 'ls').stdout.split('\n').length;
    const before = count();
    expect(make('/no/such/folder/keys.csv')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('no key was made'),
    });
    expect(count()).toBe(before);
    expect(make(file)).toMatchObject({ status: 0 });
    const [, ...lines] = readFileSync(file, 'utf8').trim().split('\n');
    expect(lines.length).toBe(count() - before);
    expect(make(file)).toMatchObject({ status: 2, stderr: expect.stringContaining('exists already') });
    expect(readFileSync(file, 'utf8').trim().split('\n').slice(1)).toEqual(lines);
  });

  it('has an exit code for a dry run with problems, a partial success and a wrong option, and needs no key for doctor', async () => {
    const d = await hub();
    const key = await d.key('SU00518', 'sistem', ['publisher', 'reader']);
    const file = join(folder(), 'event.json');
    const one = await sample(d, 'SU00518');
    writeFileSync(file, JSON.stringify(one));
    expect(cli(d, key, 'publish', file, '--dry-run')).toMatchObject({ status: 0 });
    writeFileSync(file, JSON.stringify({ ...one, data: {} }));
    expect(cli(d, key, 'publish', file, '--dry-run')).toMatchObject({ status: 1 });
    writeFileSync(file, JSON.stringify([one, { ...one, id: 'lain', data: {} }]));
    expect(cli(d, key, 'publish', file)).toMatchObject({ status: 1, stderr: expect.stringContaining('--partial') });
    expect(cli(d, key, 'publish', file, '--partial')).toMatchObject({
      status: 5,
      stdout: expect.stringMatching(/^✔ recorded .*\n$/),
      stderr: expect.stringMatching(/^#1\n✗ 422 {2}schema_mismatch/),
    });
    expect(cli(d, '', 'doctor')).toMatchObject({ status: 0, stdout: expect.stringContaining('"ready"') });
    expect(cli(d, key, '--lang', 'xx', 'stream', 'ls')).toMatchObject({ status: 2 });
    expect(cli(d, 'a\nb', 'stream', 'ls')).toMatchObject({ status: 2, stderr: expect.stringContaining('no key has') });
  });

  it('reports a failure by exit code, pointer and next step', async () => {
    const d = await hub();
    const key = await d.key('SU00518', 'sistem', ['publisher', 'reader']);
    expect(cli(d, key, 'stream', 'tial')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('Did you mean tail?'),
    });
    expect(cli(d, key, 'publish', '/no/such/file')).toMatchObject({ status: 2 });
    expect(cli(d, 'simpul_wrongkey_x', 'stream', 'ls')).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('unauthenticated'),
    });
    expect(cli(d, key, 'unit', 'ls', '--type', 'kapal')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('400  invalid_query'),
    });
    expect(cli(d, key, 'event', 'layanan.kasus/0/99')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('404  not_found'),
    });
    const gone = node('apps/cli/src/main.js', ['--url', 'http://127.0.0.1:9', '--key', key, 'stream', 'ls']);
    expect([gone.status, gone.stderr]).toEqual([6, expect.stringContaining('Start it: simpul up')]);
    const file = join(folder(), 'wrong.json');
    writeFileSync(file, JSON.stringify({ ...(await sample(d, 'SU00518')), data: { nomorKasus: 7 } }));
    const wrong = cli(d, key, 'publish', file);
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toMatch(/422 {2}schema_mismatch/);
    expect(wrong.stderr).toMatch(/\/data\/nomorKasus: /);
    expect(wrong.stderr).toMatch(/Next: /);
  });

  it('has an example in the help of every command', () => {
    const seen: string[] = [];
    const walk = (words: string[]): void => {
      const { stdout, status } = node('apps/cli/src/main.js', [...words, '--help']);
      expect(status).toBe(0);
      const commands = /Commands:\n([\s\S]*?)(\n\n|$)/.exec(stdout)?.[1] ?? '';
      const names = [...commands.matchAll(/^ {2}([a-z-]+)/gm)].map((m) => m[1]!).filter((n) => n !== 'help');
      if (names.length === 0)
        expect([words.join(' '), stdout]).toEqual([words.join(' '), expect.stringContaining('Example:')]);
      seen.push(words.join(' '));
      for (const n of names) walk([...words, n]);
    };
    walk([]);
    expect(seen.length).toBeGreaterThan(15);
  });

  it('is built together with the ministry, which starts', () => {
    expect(existsSync('dist/apps/ministry/src/main.js')).toBe(true);
    const keys = JSON.parse(node('apps/ministry/src/main.js', ['--print-keys']).stdout) as unknown[];
    expect(keys.length).toBeGreaterThan(200);
  });
});
