import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pause, withDeadline } from '#concurrency';
import { Fault } from '#faults';
import { endOrphan } from './end-orphan.js';
import { firstAnswer } from './first-answer.js';
import { freePort } from './free-port.js';
import type { Log } from './kafka-jars.js';
import { dockerAnswers } from './provision-kafka.js';
import { findRedisServer } from './redis-binary.js';

export interface RedisOptions {
  /** Append-only file, log and pid file of the server. They are kept, so a second start has the same data. */
  readonly dir: string;
  /** Folder for files that are fetched once (the server, when none is installed). @default `.simpul/redis` */
  readonly cache?: string;
  /** Another free port when it is absent or taken. */
  readonly port?: number;
  /** Further options of redis-server, for tests. */
  readonly args?: readonly string[];
  /** Path of redis-server. @default findRedisServer(cache) */
  readonly server?: string;
  readonly log?: Log;
}

/** A Redis on 127.0.0.1 that this process started. It stops when this process exits. */
export interface RedisServer {
  /** `redis://127.0.0.1:port` */
  readonly url: string;
  readonly port: number;
  /** 0 while the server does not run. */
  readonly pid: number;
  /** Resolves when the signal has ended the process; at once for SIGSTOP and SIGCONT. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts the server again on the same port with the same data. Resolves when it accepts commands. */
  start(): Promise<void>;
  /** SIGTERM, and SIGKILL after 10 s. Idempotent. */
  stop(): Promise<void>;
}

export const REDIS_IMAGE = 'redis:7.4.6';
const READY_MS = 20_000;
const STOP_MS = 10_000;
const PID_FILE = 'redis.pid';

/** Sends one inline command. Returns the first bytes of the answer; undefined without an answer within a second. */
const ask = (port: number, command: string): Promise<string | undefined> =>
  firstAnswer({ port, host: '127.0.0.1' }, `${command}\r\n`, 1_000);

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Waits until a condition is true. Returns false when `ms` pass before. */
async function until(condition: () => boolean | Promise<boolean>, ms: number): Promise<boolean> {
  for (const end = Date.now() + ms; Date.now() < end; await pause(15)) if (await condition()) return true;
  return false;
}

interface LaunchOptions {
  readonly dir: string;
  readonly server: string;
  readonly args: readonly string[];
}

class LocalRedis implements RedisServer {
  readonly #options: LaunchOptions;
  readonly #pidFile: string;
  readonly #logFile: string;
  readonly #terminate = (): void => void this.#child?.kill('SIGTERM');
  #port = 0;
  #child: ChildProcess | undefined;
  #ended = Promise.resolve();

  constructor(options: LaunchOptions) {
    this.#options = options;
    this.#pidFile = join(options.dir, PID_FILE);
    this.#logFile = join(options.dir, 'redis.log');
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** The first start. Tries other ports: another process may take a free port before the server binds it. */
  async open(preferredPort: number | undefined): Promise<void> {
    this.#port = await freePort(preferredPort);
    for (let tries = 0; !(await this.#launch()); tries++) {
      if (tries === 2) throw this.#failure();
      this.#port = await freePort();
    }
    process.on('exit', this.#terminate);
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#child?.kill(signal);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await this.#ended;
  }

  async start(): Promise<void> {
    if (this.#child === undefined && !(await this.#launch())) throw this.#failure();
  }

  async stop(): Promise<void> {
    process.off('exit', this.#terminate);
    this.#child?.kill('SIGCONT');
    await withDeadline(this.kill('SIGTERM'), STOP_MS, () => this.kill('SIGKILL'));
    rmSync(this.#pidFile, { force: true });
  }

  /** Starts the process. True when it accepts commands; false when it ended or needs longer than 20 s. */
  async #launch(): Promise<boolean> {
    const { dir, server, args } = this.#options;
    const out = openSync(this.#logFile, 'a', 0o600);
    const flags = [
      ['--port', String(this.#port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'yes'],
      ['--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction', '--daemonize', 'no'],
    ].flat();
    // A process group of its own: Ctrl-C must reach the hub first, which needs Redis while it drains.
    const child = spawn(server, [...flags, ...args], { cwd: dir, stdio: ['ignore', out, out], detached: true });
    closeSync(out);
    let ended = false;
    this.#ended = new Promise((done) => {
      const end = (): void => {
        ended = true;
        if (this.#child === child) this.#child = undefined;
        done();
      };
      child.once('exit', end);
      child.once('error', end);
    });
    this.#child = child;
    const answers = async (): Promise<boolean> => ended || ((await ask(this.#port, 'PING')) ?? '').startsWith('+PONG');
    const ready = (await until(answers, READY_MS)) && !ended;
    if (ready) writeFileSync(this.#pidFile, `${child.pid} ${this.#port}`);
    else child.kill('SIGKILL');
    return ready;
  }

  #failure(): Fault {
    const line = existsSync(this.#logFile)
      ? readFileSync(this.#logFile, 'utf8').trim().split('\n').at(-1)
      : this.#options.server;
    return new Fault('state_unavailable', { detail: `redis-server did not start: ${line}` });
  }
}

/**
 * Starts redis-server on a data folder and waits until it accepts commands.
 * Throws Fault `missing_tool` (no server, and none can be fetched), `data_locked` (a server of an earlier launcher does not stop), or
 * `state_unavailable` with the last line of the log of the server.
 */
export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  const { log = () => {}, args = [] } = options;
  const dir = resolve(options.dir);
  const server = options.server ?? findRedisServer(resolve(options.cache ?? '.simpul/redis'), log);
  mkdirSync(dir, { recursive: true });
  await endOrphan({
    pidFile: join(dir, PID_FILE),
    isOurs: async (pid, port) => alive(pid) && ((await ask(port, 'CONFIG GET dir')) ?? '').includes(dir),
    isRunning: alive,
    stopMs: STOP_MS,
    late: (pid) => {
      throw new Fault('data_locked', { detail: `redis-server ${pid} still runs on ${dir}` });
    },
  });
  const redis = new LocalRedis({ dir, server, args });
  await redis.open(options.port);
  log(`Redis: 127.0.0.1:${redis.port}`);
  return redis;
}

export interface RedisProvisionOptions {
  /** Data folder of a server that is started here. */
  readonly dir: string;
  /** Folder for files that are fetched once. */
  readonly cache: string;
  /** Address of a Redis that already runs; nothing is started then. */
  readonly given?: string | undefined;
  readonly log?: Log;
}

export interface ProvisionedRedis {
  readonly url: string;
  readonly from: 'given' | 'docker' | 'local';
  /** Stops the server that was started here; does nothing to a given one. */
  stop(): Promise<void>;
}

/** Redis in a container, on a free port of 127.0.0.1. testcontainers is imported only here, because loading it is slow. */
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
 * A Redis: the given address, else a container when a docker engine answers, else redis-server on this machine.
 * Throws Fault `missing_tool`: its detail names the missing tool and how to install it.
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
