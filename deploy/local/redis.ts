import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Fault } from '#faults';
import { freePort, type Log } from './kafka.js';
import { dockerAnswers } from './provision-kafka.js';
import { findRedisServer } from './redis-binary.js';

export interface RedisOptions {
  /** Append-only file, log and pid file of the server; kept, so that a second start has everything. */
  readonly dir: string;
  /** Folder for what is fetched once (the server, when none is installed). @default `.simpul/redis` */
  readonly cache?: string;
  /** A free one when absent or taken. */
  readonly port?: number;
  /** More options of redis-server, after ours, for tests. */
  readonly args?: readonly string[];
  /** The server to run. @default findRedisServer(cache) */
  readonly server?: string;
  readonly log?: Log;
}

/** A Redis of our own on 127.0.0.1. It ends with this process. */
export interface RedisServer {
  /** `redis://127.0.0.1:port` */
  readonly url: string;
  readonly port: number;
  /** 0 when it does not run. */
  readonly pid: number;
  /** Resolves when the signal has ended the process; at once for SIGSTOP and SIGCONT. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port over the same data; resolves when it takes commands. */
  start(): Promise<void>;
  /** Ends it in order (SIGTERM). Idempotent. */
  stop(): Promise<void>;
}

export const REDIS_IMAGE = 'redis:7';
const READY_MS = 20_000;
const STOP_MS = 10_000;

/** One command in Redis' plain form; the answer's first bytes, undefined when nobody answers. */
function ask(port: number, command: string): Promise<string | undefined> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    const end = (answer?: string): void => {
      clearTimeout(timer);
      socket.destroy();
      done(answer);
    };
    const timer = setTimeout(() => end(), 1_000);
    socket.once('error', () => end());
    socket.once('data', (data) => end(data.toString()));
    socket.write(`${command}\r\n`);
  });
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Waits until it is so. False when `ms` pass before. */
async function until(so: () => boolean | Promise<boolean>, ms: number): Promise<boolean> {
  for (const end = Date.now() + ms; Date.now() < end; await pause(15)) if (await so()) return true;
  return false;
}

/** A server that outlived its launcher (kill -9) still holds the data: two on one append-only file would ruin it. */
async function endLeftover(dir: string, note: string): Promise<void> {
  if (!existsSync(note)) return;
  const [pid = 0, port = 0] = readFileSync(note, 'utf8').split(' ').map(Number);
  const ours = pid > 0 && alive(pid) && ((await ask(port, 'CONFIG GET dir')) ?? '').includes(dir);
  if (ours) {
    process.kill(pid, 'SIGTERM');
    if (!(await until(() => !alive(pid), STOP_MS))) {
      throw new Fault('data_locked', { detail: `redis-server ${pid} still runs on ${dir}` });
    }
  }
  rmSync(note, { force: true });
}

/**
 * Starts redis-server over `dir` and waits until it takes commands.
 * Throws Fault `missing_tool` (no server, no way to fetch one) or `state_unavailable` with the last line of its log.
 */
export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  const { log = () => {}, args = [] } = options;
  const dir = resolve(options.dir);
  const server = options.server ?? findRedisServer(resolve(options.cache ?? '.simpul/redis'), log);
  mkdirSync(dir, { recursive: true });
  const note = join(dir, 'redis.pid');
  const logFile = join(dir, 'redis.log');
  await endLeftover(dir, note);

  let port = await freePort(options.port);
  let child: ChildProcess | undefined;
  let gone = Promise.resolve();
  const atExit = (): void => {
    child?.kill('SIGTERM');
  };

  const launch = async (): Promise<boolean> => {
    const out = openSync(logFile, 'a', 0o600);
    const flags = [
      ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'yes'],
      ['--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction', '--daemonize', 'no'],
    ].flat();
    // a group of its own: Ctrl-C must reach the hub first, which drains while its Redis still answers
    const run = spawn(server, [...flags, ...args], { cwd: dir, stdio: ['ignore', out, out], detached: true });
    closeSync(out);
    let ended = false;
    gone = new Promise((done) => {
      const end = (): void => {
        ended = true;
        if (child === run) child = undefined;
        done();
      };
      run.once('exit', end);
      run.once('error', end);
    });
    child = run;
    const takes = async (): Promise<boolean> => ended || ((await ask(port, 'PING')) ?? '').startsWith('+PONG');
    const ready = (await until(takes, READY_MS)) && !ended;
    if (ready) writeFileSync(note, `${run.pid} ${port}`);
    else run.kill('SIGKILL');
    return ready;
  };
  const fail = (): Fault => {
    const tail = existsSync(logFile) ? readFileSync(logFile, 'utf8').trim().split('\n').at(-1) : undefined;
    return new Fault('state_unavailable', { detail: `redis-server did not start: ${tail ?? server}` });
  };

  // the free port may have been taken between looking and binding
  let up = false;
  for (let tries = 0; tries < 3 && !up; tries++) {
    if (tries > 0) port = await freePort();
    up = await launch();
  }
  if (!up) throw fail();
  process.on('exit', atExit);
  log(`Redis: 127.0.0.1:${port}`);

  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    child?.kill(signal);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await gone;
  };
  return {
    get url() {
      return `redis://127.0.0.1:${port}`;
    },
    get port() {
      return port;
    },
    get pid() {
      return child?.pid ?? 0;
    },
    kill,
    start: async () => {
      if (child === undefined && !(await launch())) throw fail();
    },
    stop: async () => {
      process.off('exit', atExit);
      child?.kill('SIGCONT');
      const late = setTimeout(() => child?.kill('SIGKILL'), STOP_MS);
      await kill('SIGTERM');
      clearTimeout(late);
      rmSync(note, { force: true });
    },
  };
}

export interface RedisProvisionOptions {
  /** Data of a server that we start ourselves. */
  readonly dir: string;
  /** What is fetched once. */
  readonly cache: string;
  /** An address that was given: used as it is. */
  readonly given?: string | undefined;
  readonly log?: Log;
}

export interface ProvisionedRedis {
  readonly url: string;
  readonly from: 'given' | 'docker' | 'local';
  /** Stops what was started here; a given Redis is left alone. */
  stop(): Promise<void>;
}

/** Redis in a container, on a free port of 127.0.0.1. Call only when dockerAnswers(): loading the library is slow. */
async function dockerRedis(log: Log): Promise<ProvisionedRedis> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const port = await freePort();
  log(`Redis: starting ${REDIS_IMAGE} in docker`);
  const container = await new GenericContainer(REDIS_IMAGE)
    .withExposedPorts({ container: 6379, host: port })
    .withCommand(['redis-server', '--save', '', '--appendonly', 'yes', '--maxmemory-policy', 'noeviction'])
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .start();
  const stop = async (): Promise<void> => {
    await container.stop();
  };
  return { url: `redis://127.0.0.1:${port}`, from: 'docker', stop };
}

/**
 * A Redis to work with, in this order: the given address, docker when an engine answers, else a server on this machine.
 * Throws Fault `missing_tool` naming the missing piece and its install line.
 */
export async function provisionRedis(options: RedisProvisionOptions): Promise<ProvisionedRedis> {
  const { given, log = () => {} } = options;
  if (given !== undefined && given !== '') return { url: given, from: 'given', stop: () => Promise.resolve() };
  if (await dockerAnswers()) {
    try {
      return await dockerRedis(log);
    } catch (error) {
      log(`Redis: docker could not start it (${(error as Error).message}); trying this machine`);
    }
  }
  const server = await startRedis({ dir: options.dir, cache: options.cache, log });
  return { url: server.url, from: 'local', stop: () => server.stop() };
}
