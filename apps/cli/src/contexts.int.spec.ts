import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scriptedHub } from '../../../test/kit/scripted-hub.js';
import { EXIT } from './refusal.js';
import { runCommand } from './run.js';

const KEY = 'simpul_rahasia_panjang_1234';
let dir: string;
let hub: Awaited<ReturnType<typeof scriptedHub>>;
let before: NodeJS.ProcessEnv;
beforeEach(async () => {
  before = { ...process.env };
  for (const name of ['SIMPUL_URL', 'SIMPUL_KEY', 'SIMPUL_CTX', 'SIMPUL_DATA']) delete process.env[name];
  dir = mkdtempSync(join(tmpdir(), 'simpul-ctx-'));
  process.env['XDG_CONFIG_HOME'] = dir;
  hub = await scriptedHub(({ path, headers }) => {
    if (headers.authorization === 'Bearer salah')
      return { status: 401, body: { code: 'unauthenticated', status: 401, title: 'no' } };
    if (path === '/v1/me')
      return { status: 200, body: { keyId: 'K', unit: 'SU00123', system: 'uji', source: 'urn:x', roles: ['reader'] } };
    return { status: 200, body: { streams: [{ name: String(headers.authorization) }] } };
  });
});
afterEach(async () => {
  jest.restoreAllMocks();
  process.env = before;
  rmSync(dir, { recursive: true, force: true });
  await hub.close();
});

async function simpul(...args: string[]) {
  let out = '';
  let err = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((t) => ((out += String(t)), true));
  jest.spyOn(process.stderr, 'write').mockImplementation((t) => ((err += String(t)), true));
  const code = await runCommand(['--lang', 'en', ...args]);
  jest.restoreAllMocks();
  return { code, out, err };
}
const file = (...parts: string[]): string => join(dir, 'simpul', ...parts);
const whoAsks = async (...args: string[]): Promise<string> =>
  (await simpul(...args, 'stream', 'ls')).out.split('\t')[0]!.trim();

describe('a named hub', () => {
  it('is used with its address and key, in files that nobody else can read, and its key is never shown whole', async () => {
    const added = await simpul('ctx', 'add', 'pusat', '--url', `${hub.url}/`, '--key', KEY);
    expect([added.code, added.err]).toEqual([EXIT.ok, '· SU00123 uji\n']);
    for (const name of [file('contexts.json'), file('keys', 'pusat.key')])
      expect(statSync(name).mode & 0o777).toBe(0o600);
    expect(statSync(file()).mode & 0o777).toBe(0o700);
    expect(readFileSync(file('contexts.json'), 'utf8')).not.toContain(KEY);
    expect(await whoAsks('--ctx', 'pusat')).toBe(`Bearer ${KEY}`);
    expect((await simpul('ctx', 'use', 'pusat')).code).toBe(EXIT.ok);
    expect(await whoAsks()).toBe(`Bearer ${KEY}`);
    const shown = [await simpul('ctx', 'ls'), await simpul('ctx', 'env'), added]
      .map(({ out, err }) => out + err)
      .join();
    expect(shown).toContain('…1234');
    expect(shown).not.toContain(KEY);
  });

  it('gives lines that a shell runs: the address, and the key from its file', async () => {
    await simpul('ctx', 'add', 'pusat', '--url', hub.url, '--key', KEY);
    const { out } = await simpul('ctx', 'env', 'pusat');
    const set = execFileSync('/bin/sh', ['-c', `${out}\nprintf '%s %s %s' "$SIMPUL_CTX" "$SIMPUL_URL" "$SIMPUL_KEY"`]);
    expect(set.toString()).toBe(`pusat ${hub.url} ${KEY}`);
  });

  it('counts behind flags and the environment, and before the hub of this machine; --ctx is a flag', async () => {
    await simpul('ctx', 'add', 'satu', '--url', hub.url, '--key', 'kunci-satu');
    await simpul('ctx', 'add', 'dua', '--url', hub.url, '--key', 'kunci-dua');
    await simpul('ctx', 'use', 'satu');
    expect(await whoAsks()).toBe('Bearer kunci-satu');
    process.env['SIMPUL_CTX'] = 'dua';
    expect(await whoAsks()).toBe('Bearer kunci-dua');
    process.env['SIMPUL_KEY'] = 'kunci-lingkungan';
    expect(await whoAsks()).toBe('Bearer kunci-lingkungan');
    process.env['SIMPUL_URL'] = 'http://127.0.0.1:9';
    expect((await simpul('stream', 'ls')).code).toBe(EXIT.unreachable);
    expect(await whoAsks('--ctx', 'satu')).toBe('Bearer kunci-satu');
    expect(await whoAsks('--ctx', 'satu', '--key', 'kunci-bendera')).toBe('Bearer kunci-bendera');
    expect(await whoAsks('--url', hub.url)).toBe('Bearer kunci-lingkungan');
  });

  it('never sends its key to another address', async () => {
    const other = await scriptedHub(() => ({ status: 200, body: { streams: [] } }));
    await simpul('ctx', 'add', 'satu', '--url', hub.url, '--key', KEY);
    await simpul('ctx', 'use', 'satu');
    await simpul('--url', other.url, '--data', dir, 'stream', 'ls');
    await simpul('--ctx', 'satu', '--url', other.url, '--data', dir, 'stream', 'ls');
    expect(JSON.stringify(other.requests.map((r) => r.headers))).not.toContain(KEY);
    await other.close();
  });

  it('is left with local, changed back with -, and forgotten with its key', async () => {
    await simpul('ctx', 'add', 'satu', '--url', hub.url, '--key', KEY);
    await simpul('ctx', 'use', 'satu');
    await simpul('ctx', 'use', 'local');
    expect((await simpul('ctx', 'ls')).out).toMatch(/^\tsatu\t/);
    await simpul('ctx', 'use', '-');
    expect((await simpul('ctx', 'ls')).out).toMatch(/^\*\tsatu\t/);
    await simpul('ctx', 'rm', 'satu');
    expect((await simpul('ctx', 'ls')).code).toBe(EXIT.nothing);
    expect(() => statSync(file('keys', 'satu.key'))).toThrow();
  });

  it('is refused with one line: a wrong key, no address, a wrong name, a name that is not there, a broken file', async () => {
    const refused = async (...args: string[]): Promise<unknown[]> => {
      const { code, out, err } = await simpul(...args);
      expect([out, err.trim().split('\n').length]).toEqual(['', 1]);
      return [code, err];
    };
    expect(await refused('ctx', 'add', 'x', '--url', hub.url, '--key', 'salah')).toEqual([
      EXIT.login,
      expect.stringContaining('nothing was stored'),
    ]);
    expect((await simpul('ctx', 'ls')).code).toBe(EXIT.nothing);
    expect(await refused('ctx', 'add', 'x')).toEqual([EXIT.usage, expect.stringContaining('--url')]);
    expect(await refused('ctx', 'add', 'x', '--url', 'hub.go.id')).toEqual([
      EXIT.usage,
      expect.stringContaining('https://'),
    ]);
    for (const name of ['local', '-x', '../x', 'a b'])
      expect(await simpul('ctx', 'add', '--url', hub.url, '--', name)).toMatchObject({ code: EXIT.usage });
    expect(await refused('--ctx', 'tidak-ada', 'stream', 'ls')).toEqual([EXIT.usage, expect.stringContaining('local')]);
    expect(await refused('ctx', 'add', 'y', '--url', hub.url, '--key-file', '/tidak/ada')).toEqual([
      EXIT.usage,
      expect.stringContaining('ENOENT'),
    ]);
    await simpul('ctx', 'add', 'satu', '--url', hub.url);
    writeFileSync(file('contexts.json'), '{');
    expect(await refused('stream', 'ls')).toEqual([EXIT.usage, expect.stringContaining('contexts.json')]);
    expect((await simpul('--ctx', 'local', '--url', hub.url, '--key', 'k', 'stream', 'ls')).code).toBe(EXIT.ok);
  });
});

describe('the hub that runs in a data folder', () => {
  const folder = (pid: number): string => {
    const data = join(dir, 'data');
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, 'admin.key'), `${KEY}\n`);
    writeFileSync(join(data, 'owner.pid'), `${pid}\n`);
    writeFileSync(join(data, 'owner.url'), `${hub.url}\n`);
    return data;
  };

  it('is found with address and key; what names a hub counts before it', async () => {
    const data = folder(process.pid);
    expect(await whoAsks('--data', data)).toBe(`Bearer ${KEY}`);
    process.env['SIMPUL_DATA'] = data;
    expect(await whoAsks()).toBe(`Bearer ${KEY}`);
    process.env['SIMPUL_URL'] = 'http://127.0.0.1:1';
    expect((await simpul('stream', 'ls')).code).toBe(EXIT.unreachable);
    expect(await whoAsks('--ctx', 'local')).toBe(`Bearer ${KEY}`);
  });

  it('is not asked after it has ended: another program may have its port', async () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    await simpul('--data', folder(pid), 'stream', 'ls');
    expect(hub.requests).toEqual([]);
  });
});
