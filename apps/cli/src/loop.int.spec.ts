import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { GatewayModule } from '#gateway';
import { CoreModule } from '#core';
import { openHttp, type HttpServer } from '#http';
import { ProjectorModule } from '#projector';
import { readHubSettings } from '#settings';
import { Module } from '@nestjs/common';
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { silentHub } from '../../../test/kit/hub/hub-module.js';
import { scriptedHub } from '../../../test/kit/scripted-hub.js';
import { until } from '../../../test/kit/projection/stage.js';
import { SCRIPTS } from './completion-scripts.js';
import { EXIT } from './refusal.js';
import { runCommand } from './run.js';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a JSON answer, which matchers check
type Body = Record<string, any>;
const TYPE = 'imigrasi.paspor.diterbitkan';
const dir = mkdtempSync(join(tmpdir(), 'simpul-loop-'));
let http: HttpServer;
let unitKey: string;
const before = { ...process.env };

beforeAll(async () => {
  for (const name of ['SIMPUL_URL', 'SIMPUL_KEY', 'SIMPUL_CTX', 'VISUAL']) delete process.env[name];
  process.env['XDG_CONFIG_HOME'] = join(dir, 'config');
  process.env['SIMPUL_DATA'] = join(dir, 'hub');
  const settings = readHubSettings(silentHub(join(dir, 'hub')));
  @Module({ imports: [CoreModule.forRoot({ name: 'hub', settings }), GatewayModule, ProjectorModule] })
  class HubModule {}
  http = await openHttp(HubModule, { port: 0 });
  unitKey = (await simpul('key', 'create', 'SU00123', '--system', 'simkim')).out.trim();
});
afterAll(async () => {
  await http.close();
  process.env = before;
  rmSync(dir, { recursive: true, force: true });
});

let out = '';
let err = '';
beforeEach(() => {
  out = err = '';
});
afterEach(() => {
  jest.restoreAllMocks();
});
function quiet(): void {
  jest.spyOn(process.stdout, 'write').mockImplementation((t) => ((out += String(t)), true));
  jest.spyOn(process.stderr, 'write').mockImplementation((t) => ((err += String(t)), true));
}
async function simpul(...args: string[]) {
  out = err = '';
  quiet();
  const code = await runCommand(['--url', http.url, '--lang', 'en', ...args]);
  jest.restoreAllMocks();
  return { code, out, err };
}
/** A command that goes on, once it has told that it listens. */
async function started(...args: string[]): Promise<{ readonly ends: Promise<number> }> {
  quiet();
  const ends = runCommand(['--url', http.url, '--lang', 'en', ...args]);
  let over = false;
  void ends.finally(() => (over = true));
  await until(async () => over || err.includes('listening to'));
  return { ends };
}
const rows = (): Body[] =>
  out
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Body);

async function receiver(status: number): Promise<{ url: string; got: Body[]; types: unknown[]; server: Server }> {
  const got: Body[] = [];
  const types: unknown[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (c: Buffer) => chunks.push(c));
    req.on('end', () => {
      got.push(JSON.parse(Buffer.concat(chunks).toString()) as Body);
      types.push(req.headers['content-type']);
      res.writeHead(status).end('ok');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, got, types, server };
}

describe('simpul trigger', () => {
  it('with the admin key of the hub alone: a test event of a unit that may publish the type, with a key that is made once', async () => {
    const first = await simpul('trigger', TYPE);
    expect([first.code, first.out]).toEqual([
      EXIT.ok,
      expect.stringMatching(/^✔ accepted as a test {2}\S+ {2}\S+ {2}_simpul\.test\/0\/\d+\n$/),
    ]);
    expect(first.err).toContain('was made for tests');
    const second = await simpul('trigger', TYPE, '-o', 'json');
    expect([second.code, second.err]).toEqual([EXIT.ok, '']);
    expect(JSON.parse(second.out)).toMatchObject({ type: TYPE, test: true });
    const kept = join(dir, 'config/simpul/test-keys.json');
    expect(statSync(kept).mode & 0o777).toBe(0o600);
    const [key] = Object.values(JSON.parse(readFileSync(kept, 'utf8')) as Record<string, string>);
    expect([first, second].map((r) => r.out + r.err).join()).not.toContain(key);
    // A key that is revoked is made anew.
    const id = /key (\S+) was made/.exec(first.err)![1]!;
    await simpul('key', 'revoke', id);
    expect((await simpul('trigger', TYPE)).err).toContain('was made for tests');
  });

  it('with the key of a unit: in the name of that unit, with the fields of --set, and with --real a fact', async () => {
    const set = ['--set', 'nomorPermohonan=007', '--attr', 'korelasi=K-1'];
    const { code, out: said } = await simpul('--key', unitKey, 'trigger', TYPE, ...set, '-o', 'json');
    expect(code).toBe(EXIT.ok);
    const { position } = JSON.parse(said) as Body;
    const shown = JSON.parse((await simpul('--key', unitKey, 'event', position as string)).out) as Body;
    expect(shown).toMatchObject({
      source: 'urn:simpul:unit:SU00123:simkim',
      korelasi: 'K-1',
      simpultest: 'true',
      subject: '007',
    });
    expect(shown['data']).toMatchObject({ nomorPermohonan: '007', unitPenerbit: 'SU00123' });
    const real = await simpul('--key', unitKey, 'trigger', TYPE, '--real', '--set', 'nomorPermohonan=008');
    expect(real.out).toMatch(/^✔ recorded {2}.*imigrasi\.paspor\/\d\/\d+\n$/);
    expect((await simpul('trigger', TYPE, '--real')).err).toContain('simpul key create');
  });

  it('prints what it would send, and sends what the editor leaves', async () => {
    const printed = await simpul('--key', unitKey, 'trigger', TYPE, '--print', '--set', 'nomorPermohonan=CETAK');
    expect(JSON.parse(printed.out)).toMatchObject({ type: TYPE, simpultest: true, data: { nomorPermohonan: 'CETAK' } });
    const editor = join(dir, 'editor.sh');
    writeFileSync(editor, '#!/bin/sh\nsed -i "s/CETAK/SUNTING/; $1" "$2"\n');
    chmodSync(editor, 0o755);
    process.env['EDITOR'] = `${editor} ""`;
    const edited = await simpul(
      '--key',
      unitKey,
      'trigger',
      TYPE,
      '--set',
      'nomorPermohonan=CETAK',
      '--edit',
      '-o',
      'json',
    );
    expect(edited.code).toBe(EXIT.ok);
    const shown = await simpul('--key', unitKey, 'event', (JSON.parse(edited.out) as Body)['position'] as string);
    expect((JSON.parse(shown.out) as Body)['data'].nomorPermohonan).toBe('SUNTING');
    // What the hub refuses is kept, and said where.
    process.env['EDITOR'] = `${editor} "s/\\"nomorPermohonan\\"/\\"nomorPermohonn\\"/"`;
    const refused = await simpul('--key', unitKey, 'trigger', TYPE, '--edit');
    expect([refused.code, refused.err]).toEqual([EXIT.failed, expect.stringContaining('/data/nomorPermoho')]);
    const file = /kept in (\S+)/.exec(refused.err)![1]!;
    expect(readFileSync(file, 'utf8')).toContain('nomorPermohonn');
    rmSync(join(file, '..'), { recursive: true });
    process.env['EDITOR'] = 'false';
    expect((await simpul('trigger', TYPE, '--edit')).err).toContain('false failed (1)');
  });

  it('refuses in one line with the way out: an unknown type, field and value, a key without the role, a type of the hub', async () => {
    const one = async (...args: string[]): Promise<string> => {
      const r = await simpul(...args);
      expect([r.code, r.out, r.err.trim().split('\n').length]).toEqual([EXIT.usage, '', 1]);
      return r.err;
    };
    expect(await one('trigger', 'imigrasi.paspor.diterbitkn')).toContain(TYPE);
    expect(await one('trigger', TYPE, '--set', 'nomorPermohona=1')).toContain('nomorPermohonan');
    expect(await one('trigger', TYPE, '--set', 'jenisPaspor=XX')).toMatch(/^✗ \/data\/jenisPaspor: wrong value {2}→ /);
    const reader = (await simpul('key', 'create', 'SU00123', '--system', 'baca', '--roles', 'reader')).out.trim();
    expect(await one('--key', reader, 'trigger', TYPE)).toContain('no role publisher');
    expect(await one('--key', unitKey, 'trigger', TYPE, '--unit', 'SU00124')).toContain('SU00124');
    expect(await one('trigger', 'simpul.katalog.versi-terdaftar')).toContain('the hub itself');
    expect((await simpul('--key', 'salah', 'trigger', TYPE)).code).toBe(EXIT.login);
    const silent = await runCommandQuiet('--url', 'http://127.0.0.1:9', '--key', 'x', '--lang', 'en', 'trigger', TYPE);
    expect([silent, err]).toEqual([EXIT.unreachable, expect.stringContaining('does not answer')]);
  });

  it('never lets a hub that does not know test events record a fact', async () => {
    const old = await scriptedHub(({ path, query }) => {
      if (path === '/v1/me')
        return { status: 200, body: { keyId: 'K', unit: 'SU00123', system: 'x', source: 's', roles: ['publisher'] } };
      if (path.endsWith('/sample'))
        return { status: 200, body: { type: TYPE, source: 'urn:simpul:unit:SU00123:x', data: {} } };
      if (path === `/v1/event-types/${TYPE}`)
        return { status: 200, body: { type: TYPE, schema: { type: 'record', name: 'x', fields: [] } } };
      return query.has('dryRun')
        ? { status: 200, body: { type: TYPE, stream: 'imigrasi.paspor', problems: [] } }
        : { status: 201, body: {} };
    });
    expect(await runCommandQuiet('--url', old.url, '--key', 'x', 'trigger', TYPE)).toBe(EXIT.usage);
    expect(old.requests.filter(({ method }) => method === 'POST').map(({ query }) => query.get('dryRun'))).toEqual([
      'true',
    ]);
    await old.close();
  });
});

async function runCommandQuiet(...args: string[]): Promise<number> {
  out = err = '';
  quiet();
  const code = await runCommand(args);
  jest.restoreAllMocks();
  return code;
}

describe('simpul listen', () => {
  it('shows events of the types from now on, facts and tests, in order, and forwards each as a CloudEvent', async () => {
    const to = await receiver(202);
    const { ends } = await started('listen', 'imigrasi.#', '--test', '--forward-to', to.url, '-n', '3', '-o', 'jsonl');
    const send = (...args: string[]) => runCommand(['--url', http.url, '--key', unitKey, 'trigger', TYPE, ...args]);
    await send('--real', '--set', 'nomorPermohonan=L-1');
    await until(async () => to.got.length === 1);
    await send('--set', 'nomorPermohonan=L-2');
    await until(async () => to.got.length === 2);
    await send('--set', 'nomorPermohonan=L-3');
    expect(await ends).toBe(EXIT.ok);
    jest.restoreAllMocks();
    const shown = rows().filter((row) => row['specversion'] !== undefined);
    expect(shown.map((e) => [e['data'].nomorPermohonan, e['simpultest'], String(e['position']).split('/')[0]])).toEqual(
      [
        ['L-1', undefined, 'imigrasi.paspor'],
        ['L-2', 'true', '_simpul.test'],
        ['L-3', 'true', '_simpul.test'],
      ],
    );
    expect(to.got).toEqual(shown);
    expect(to.types).toEqual(Array(3).fill('application/cloudevents+json; charset=utf-8'));
    expect(err).toMatch(/<-- {2}\[202\] POST http:\S+ {2}\S+ {2}\d+ ms/);
    to.server.close();
  });

  it('tells a failed forward and goes on; in a script the exit code says so', async () => {
    const down = await receiver(500);
    const { ends } = await started('listen', TYPE, '--test-only', '--forward-to', down.url, '-n', '2');
    const trigger = () => runCommand(['--url', http.url, '--key', unitKey, 'trigger', TYPE]);
    await trigger();
    await until(async () => down.got.length === 1);
    down.server.closeAllConnections();
    await new Promise((done) => down.server.close(done));
    await trigger();
    expect(await ends).toBe(EXIT.part);
    expect(err).toContain('[500]');
    expect(err).toContain('[ECONNREFUSED]');
  });

  it('on a terminal has lines with --> and <--, in two where it is narrow, without what the terminal would obey', async () => {
    const terminal = { isTTY: process.stdout.isTTY, columns: process.stdout.columns };
    Object.assign(process.stdout, { isTTY: true, columns: 60 });
    const to = await receiver(200);
    try {
      const { ends } = await started('listen', TYPE, '--test-only', '--forward-to', to.url, '-n', '1');
      await runCommand(['--url', http.url, '--key', unitKey, 'trigger', TYPE, '--set', 'nomorPermohonan=N-\u00adX']);
      expect(await ends).toBe(EXIT.ok);
    } finally {
      Object.assign(process.stdout, terminal);
      to.server.close();
    }
    const lines = stripVTControlCharacters(out)
      .split('\n')
      .filter((line) => !line.startsWith('✔'));
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d \S+ {2}--> {2}\[test\] imigrasi\.paspor\.diterbitkan$/);
    expect(lines[1]).toMatch(/^ {6}N-\S+ {2}_simpul\.test\/0\/\d+$/);
    expect(lines[2]).toMatch(/^\d\d:\d\d:\d\d \S+ {2}<-- {2}\[200\] POST http/);
  });

  it('says why there is nothing: no such type, with those that are like it, and a type that the key may not read', async () => {
    const unknown = await simpul('listen', 'imigrasi.paspor.diterbitkn');
    expect([unknown.code, unknown.err]).toEqual([EXIT.nothing, expect.stringContaining(`→ ${TYPE}`)]);
    const hidden = await simpul('--key', unitKey, 'listen', 'itjen.wbs.*');
    expect([hidden.code, hidden.err]).toEqual([EXIT.nothing, expect.stringContaining('may not read')]);
    expect((await simpul('listen', '(')).code).toBe(EXIT.usage);
    expect((await simpul('listen', '--limit', '0')).code).toBe(EXIT.usage);
    expect((await simpul('listen', '--forward-to', 'ftp://x')).code).toBe(EXIT.usage);
    expect((await simpul('listen', '--from', 'kemarin')).code).toBe(EXIT.failed);
    const proxy = await scriptedHub(
      ({ res }) => void res.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    );
    expect(await runCommandQuiet('--url', proxy.url, '--key', 'k', 'listen')).toBe(EXIT.unreachable);
    await proxy.close();
  });
});

describe('words after Tab', () => {
  const words = async (...line: string[]): Promise<string[]> =>
    (await simpul('__complete', '--', '--url', http.url, ...line)).out.split('\n').filter((w) => w !== '');

  it('are commands, options and the names of the hub', async () => {
    expect(await words('str')).toEqual(['stream']);
    expect(await words('stream', '')).toEqual(['ls', 'retention', 'tail']);
    expect(await words('stream', 'tail', '--fo')).toEqual(['--follow']);
    expect(await words('stream', 'tail', 'imigrasi.pas')).toEqual(['imigrasi.paspor']);
    expect(await words('trigger', 'imigrasi.paspor.di')).toContain(TYPE);
    expect(await words('listen', TYPE, 'imigrasi.paspor.di')).toContain(TYPE);
    expect(await words('state', 'ls', 'imigrasi.cegah-a')).toEqual(['imigrasi.cegah-aktif']);
    expect(await words('unit', 'get', 'SU0012')).toContain('SU00123');
    expect(await words('--lang', '')).toEqual(['en', 'id']);
    expect(await words('ctx', 'use', 'lo')).toEqual(['local']);
    expect(await words('')).not.toContain('__complete');
  });

  it('are fewer, and no error, without a hub, without a key, and with a hub that does not answer in time', async () => {
    const quietly = async (...line: string[]): Promise<unknown[]> => {
      const began = performance.now();
      const code = await runCommandQuiet('__complete', '--', ...line);
      expect(performance.now() - began).toBeLessThan(3_000);
      return [code, out, err];
    };
    expect(await quietly('--url', 'http://127.0.0.1:9', 'trigger', 'im')).toEqual([EXIT.ok, '', '']);
    expect(await quietly('--url', http.url, '--key', 'salah', 'trigger', 'im')).toEqual([EXIT.ok, '', '']);
    expect(await quietly('--url', 'http://127.0.0.1:9', 'tri')).toEqual([EXIT.ok, 'trigger\n', '']);
    const slow = await scriptedHub(() => undefined);
    expect(await quietly('--url', slow.url, '--key', 'k', 'trigger', 'im')).toEqual([EXIT.ok, '', '']);
    await slow.close();
  });

  it('come to bash by its script, which asks the command on the line', async () => {
    const fake = join(dir, 'simpul');
    writeFileSync(fake, `#!/bin/sh\nprintf '%s\\n' "$@" > ${join(dir, 'asked')}\nprintf 'satu dua\\ntiga\\n'\n`);
    chmodSync(fake, 0o755);
    const line = `${SCRIPTS['bash']}\nCOMP_WORDS=(${fake} trigger 'a b' im); COMP_CWORD=3; _simpul; printf '<%s>' "\${COMPREPLY[@]}"; complete -p simpul`;
    const { stdout } = await promisify(execFile)('bash', ['-c', line]);
    expect(stdout).toBe('<satu dua><tiga>complete -o default -F _simpul simpul\n');
    expect(readFileSync(join(dir, 'asked'), 'utf8')).toBe('__complete\n--\ntrigger\na b\nim\n');
    expect((await simpul('completion', 'tcsh')).code).toBe(EXIT.usage);
    for (const shell of ['bash', 'zsh', 'fish']) expect((await simpul('completion', shell)).out).toBe(SCRIPTS[shell]);
  });
});

it('nothing of a key is left in the folder of temporary files', () => {
  expect(readdirSync(tmpdir()).filter((name) => /^simpul-[A-Za-z0-9]{6}$/.test(name)).length).toBe(0);
});
