import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { pause, withDeadline } from '#concurrency';
import { Fault } from '#faults';
import { endOrphan } from './end-orphan.js';
import { ensureKafkaJars, type Log } from './kafka-jars.js';
import {
  brokerProperties,
  type BrokerSettings,
  layoutOf,
  type KafkaLayout,
  type KafkaSecurity,
  type ProxiedPort,
} from './kafka-settings.js';

export interface KafkaOptions {
  /** Data, settings, logs and pid files of the brokers. They are kept, so a second start is quick. */
  readonly dir: string;
  /** Folder for files that are fetched once (jars). */
  readonly cache: string;
  /** @default 1 */
  readonly nodes?: 1 | 3;
  /** Port of the first broker; another free port when it is absent or taken. */
  readonly port?: number;
  /** Java heap of one broker. @default '512m' */
  readonly heap?: string;
  /** TLS and SCRAM-SHA-512 on the listener, for one broker. @default plaintext */
  readonly secured?: KafkaSecurity;
  /** A second listener for each broker, which clients reach through a proxy. @default none */
  readonly proxied?: readonly ProxiedPort[] | undefined;
  /** More settings of every broker. @default none */
  readonly properties?: BrokerSettings | undefined;
  readonly log?: Log;
}

export interface KafkaNode {
  /** 0 when the broker was never started. */
  readonly pid: number;
  readonly port: number;
}

/** Brokers on 127.0.0.1 that this process started. They stop when this process exits. */
export interface KafkaCluster {
  /** `host:port[,host:port]` for clients. */
  readonly bootstrap: string;
  /** Nodes are numbered from 1. */
  node(n: number): KafkaNode;
  kill(n: number, signal: NodeJS.Signals): void;
  /** Starts a node that was killed. Resolves when it accepts requests; rejects with Fault `log_unavailable`. */
  start(n: number): Promise<void>;
  /** SIGTERM to every node, SIGKILL after 15 s. */
  stop(): Promise<void>;
}

const READY = 'Kafka Server started';
const READY_MS = 90_000;
const STOP_MS = 15_000;

const JVM = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];

function runJava(args: readonly string[], out: string): ChildProcess {
  const fd = openSync(out, 'a');
  try {
    // A process group of its own: Ctrl-C then reaches the launcher only, which stops the brokers after their clients.
    return spawn('java', args, { detached: true, stdio: ['ignore', fd, fd] });
  } finally {
    closeSync(fd);
  }
}

/** The exit code; null when a signal ended the process. */
function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((done) => child.once('exit', (code) => done(code)));
}

/** The text of a file after the first `from` bytes. */
function textFrom(path: string, from: number): string {
  const size = statSync(path).size;
  if (size <= from) return '';
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(size - from);
    readSync(fd, bytes, 0, bytes.length, from);
    return bytes.toString();
  } finally {
    closeSync(fd);
  }
}

/** Stops broker `n` of an earlier launcher on this folder, if it still runs. */
function endOrphanBroker(dir: string, n: number): Promise<void> {
  const isOurs = (pid: number): boolean => {
    const ps = spawnSync('ps', ['-p', String(pid), '-o', 'args='], { encoding: 'utf8' });
    return ps.status === 0 && ps.stdout.includes(join(dir, `n${n}.properties`));
  };
  return endOrphan({
    pidFile: join(dir, `n${n}.pid`),
    isOurs,
    isRunning: isOurs,
    stopMs: STOP_MS,
    late: (pid) => process.kill(pid, 'SIGKILL'),
  });
}

interface BrokerOptions {
  readonly dir: string;
  /** Class path. */
  readonly jars: string;
  readonly layout: KafkaLayout;
  readonly heap: string;
  readonly secured?: KafkaSecurity | undefined;
  readonly proxied?: readonly ProxiedPort[] | undefined;
  readonly properties?: BrokerSettings | undefined;
}

class LocalBrokers implements KafkaCluster {
  readonly #options: BrokerOptions;
  readonly #children = new Map<number, ChildProcess>();
  readonly #terminateAll = (): void => {
    for (const n of this.#children.keys()) this.kill(n, 'SIGTERM');
  };

  constructor(options: BrokerOptions) {
    this.#options = options;
    process.once('exit', this.#terminateAll);
  }

  get bootstrap(): string {
    return this.#options.layout.ports.map((p) => `127.0.0.1:${p.broker}`).join(',');
  }

  node(n: number): KafkaNode {
    return { pid: this.#children.get(n)?.pid ?? 0, port: this.#options.layout.ports[n - 1]?.broker ?? 0 };
  }

  kill(n: number, signal: NodeJS.Signals): void {
    const child = this.#children.get(n);
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    if (signal === 'SIGTERM') child.kill('SIGCONT');
    child.kill(signal);
  }

  /** Writes the settings of a node, and formats its data folder unless this was done before. */
  async format(n: number): Promise<void> {
    const { dir, jars, layout, secured, proxied, properties } = this.#options;
    const config = this.#file(n, 'properties');
    writeFileSync(config, brokerProperties(dir, layout, n, { secured, proxied: proxied?.[n - 1], properties }));
    if (existsSync(join(dir, `data${n}`, 'meta.properties'))) return;
    const args = [...JVM, '-Xmx128m', '-cp', jars, 'kafka.tools.StorageTool', 'format', '-t', layout.uuid];
    const users = Object.entries(secured?.users ?? {}).flatMap(([name, password]) => [
      '--add-scram',
      `SCRAM-SHA-512=[name=${name},password=${password}]`,
    ]);
    const file = join(dir, 'format.log');
    if ((await exitOf(runJava([...args, '-c', config, ...users], file))) !== 0)
      throw new Fault('log_unavailable', {
        detail: `formatting failed: ${readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) ?? ''} (${file})`,
      });
  }

  async start(n: number): Promise<void> {
    const { jars, heap } = this.#options;
    const file = this.#file(n, 'log');
    const from = existsSync(file) ? statSync(file).size : 0;
    const args = [...JVM, `-Xmx${heap}`, '-Xms128m', '-cp', jars, 'kafka.Kafka', this.#file(n, 'properties')];
    const child = runJava(args, file);
    this.#children.set(n, child);
    writeFileSync(this.#file(n, 'pid'), String(child.pid));
    const end = Date.now() + READY_MS;
    while (!textFrom(file, from).includes(READY)) {
      if (child.exitCode !== null || child.signalCode !== null || Date.now() > end) {
        const lines = textFrom(file, from).trimEnd().split('\n');
        const line = lines.find((text) => text.includes('ERROR') || text.includes('Exception')) ?? lines.at(-1) ?? '';
        throw new Fault('log_unavailable', { detail: `Kafka broker ${n} did not start: ${line} (${file})` });
      }
      await pause(50);
    }
  }

  async stop(): Promise<void> {
    process.removeListener('exit', this.#terminateAll);
    this.#terminateAll();
    await Promise.all(
      [...this.#children].map(async ([n, child]) => {
        await withDeadline(exitOf(child), STOP_MS, () => {
          this.kill(n, 'SIGKILL');
          return exitOf(child);
        });
        rmSync(this.#file(n, 'pid'), { force: true });
      }),
    );
    this.#children.clear();
  }

  #file(n: number, ending: string): string {
    return join(this.#options.dir, `n${n}.${ending}`);
  }
}

/**
 * Starts Apache Kafka (KRaft, broker and controller in one process) with 1 or 3 nodes on free ports of 127.0.0.1.
 * Throws Fault `missing_tool`, or `log_unavailable` with the error line of a broker that did not start.
 */
export async function startKafka(options: KafkaOptions): Promise<KafkaCluster> {
  const { nodes = 1, heap = '512m', secured, proxied, properties, log = () => {} } = options;
  const dir = resolve(options.dir);
  const jars = `${await ensureKafkaJars(options.cache, log)}/*`;
  mkdirSync(dir, { recursive: true });
  const numbers = Array.from({ length: nodes }, (_, i) => i + 1);
  for (const n of numbers) await endOrphanBroker(dir, n);
  const layout = await layoutOf(dir, nodes, options.port);
  const brokers = new LocalBrokers({ dir, jars, layout, heap, secured, proxied, properties });
  try {
    await Promise.all(numbers.map((n) => brokers.format(n)));
    log(`Kafka: starting ${nodes === 1 ? 'a broker' : `${nodes} brokers`} in ${dir}`);
    await Promise.all(numbers.map((n) => brokers.start(n)));
  } catch (error) {
    await brokers.stop();
    throw error;
  }
  return brokers;
}
