import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const INSTALLED = '/usr/lib/postgresql';
/** PostgreSQL does not run as root. */
const NOBODY = 65_534;

/** Folder of the programs of a PostgreSQL on this machine. */
function binaries(): string | undefined {
  const places = [
    ...(existsSync(INSTALLED) ? readdirSync(INSTALLED).map((v) => join(INSTALLED, v, 'bin')) : []),
    ...(process.env['PATH'] ?? '').split(':'),
  ];
  return places.find((dir) => existsSync(join(dir, 'initdb')) && existsSync(join(dir, 'postgres')));
}

/** Why a spec of PostgreSQL cannot run here; undefined: it can. With `CI=true` nothing is skipped. */
export function whyNoPostgres(): string | undefined {
  return binaries() !== undefined || process.env['CI'] === 'true'
    ? undefined
    : 'no PostgreSQL on this machine (apt install postgresql)';
}

export interface Postgres {
  readonly url: string;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Starts a PostgreSQL in a folder of its own. */
export async function startPostgres(): Promise<Postgres> {
  const bin = binaries();
  if (bin === undefined) throw new Error('no PostgreSQL on this machine: apt install postgresql');
  const dir = mkdtempSync(join(tmpdir(), 'simpul-postgres-'));
  const own = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if ('uid' in own) chownSync(dir, NOBODY, NOBODY);
  const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' };
  const data = join(dir, 'data');
  const made = ['-D', data, '-U', 'uji', '-A', 'trust', '-E', 'UTF8', '--no-sync', '--no-instructions'];
  execFileSync(join(bin, 'initdb'), made, { ...own, env, cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
  const port = await freePort();
  const args = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', '', '-c', 'fsync=off'];
  const child = spawn(join(bin, 'postgres'), args, { ...own, env, cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
  const closed = once(child, 'close');
  let log = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-4_000);
      if (log.includes('ready to accept connections')) resolve();
    });
    child.on('error', reject);
    void closed.then(() => reject(new Error(`PostgreSQL ended: ${log}`)));
  });
  return {
    url: `postgres://uji@127.0.0.1:${port}/postgres`,
    async stop() {
      child.kill('SIGINT');
      await closed;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
