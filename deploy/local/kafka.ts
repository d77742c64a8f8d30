import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Fault } from '#faults';

/** One line for a person who watches the start. */
export type Log = (line: string) => void;

export interface KafkaOptions {
  /** Data, settings, logs and pid files of the brokers; kept, so a second start is quick. */
  readonly dir: string;
  /** Folder for what is fetched once (jars). */
  readonly cache: string;
  readonly nodes?: 1 | 3;
  /** Port of the first broker; a free one when absent or taken. */
  readonly port?: number;
  /** Java heap of one broker. @default '512m' */
  readonly heap?: string;
  /** TLS and SCRAM-SHA-512 on the door of one broker, as a ministry runs it. PEM texts; users by name. */
  readonly secured?: KafkaSecurity;
  readonly log?: Log;
}

export interface KafkaSecurity {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
  /** The first one is also the broker's own. */
  readonly users: Readonly<Record<string, string>>;
}

export interface KafkaNode {
  readonly pid: number;
  readonly port: number;
}

/** Brokers of our own on 127.0.0.1. They end with this process. */
export interface KafkaCluster {
  /** `host:port[,host:port]` for clients. */
  readonly bootstrap: string;
  /** Nodes are numbered from 1. */
  node(n: number): KafkaNode;
  kill(n: number, signal: NodeJS.Signals): void;
  /** Starts a node that was killed; resolves when it takes requests. */
  start(n: number): Promise<void>;
  stop(): Promise<void>;
}

const INSTALL = 'apt-get install openjdk-17-jre-headless maven';
const POM = [
  join(import.meta.dirname, 'kafka-pom.xml'),
  resolve(import.meta.dirname, '../../../deploy/local/kafka-pom.xml'),
];
const READY = 'Kafka Server started';
const READY_MS = 90_000;
const STOP_MS = 15_000;

function missing(piece: string, install = INSTALL): Fault {
  return new Fault('missing_tool', { detail: `${piece} not found. Install it: ${install}` });
}

/** Java of at least 17 on the PATH. Throws Fault `missing_tool`. */
function checkJava(): void {
  const run = spawnSync('java', ['-version'], { encoding: 'utf8' });
  if (run.error || run.status !== 0) throw missing('java (17 or later)');
  const version = Number(/version "(\d+)/.exec(run.stderr)?.[1] ?? 0);
  if (version < 17) throw missing(`java 17 or later (this is ${version})`);
}

/** True when brokers could be started here without docker: java, and either the jars or mvn. */
export function canRunKafka(cache: string): boolean {
  const works = (tool: string, flag: string): boolean => spawnSync(tool, [flag], { stdio: 'ignore' }).status === 0;
  return works('java', '-version') && (existsSync(join(cache, 'jars.ok')) || works('mvn', '-v'));
}

/**
 * The folder with Kafka's jars, fetched through Maven once (about 50 MB) and never again while the pom stays the same.
 * Throws Fault `missing_tool` naming the missing piece and its install line, or with Maven's last line.
 */
export async function ensureKafkaJars(cache: string, log: Log = () => {}): Promise<string> {
  const pom = POM.find((path) => existsSync(path));
  if (pom === undefined) throw missing('deploy/local/kafka-pom.xml', 'git checkout deploy/local/kafka-pom.xml');
  const print = createHash('sha256').update(readFileSync(pom)).digest('hex');
  // Maven takes a relative folder from where the pom lies.
  const jars = resolve(cache, 'jars');
  const stamp = resolve(cache, 'jars.ok');
  checkJava();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === print && holdsKafka(jars)) return jars;
  if (spawnSync('mvn', ['-v'], { stdio: 'ignore' }).status !== 0) throw missing('mvn');
  log('Kafka: fetching the broker once through Maven (about 50 MB)');
  rmSync(jars, { recursive: true, force: true });
  mkdirSync(jars, { recursive: true });
  const { code, text } = await runMaven([
    '-q',
    '-B',
    '-f',
    pom,
    'dependency:copy-dependencies',
    `-DoutputDirectory=${jars}`,
  ]);
  if (code !== 0 || !holdsKafka(jars)) {
    const line = text.split('\n').find((row) => row.includes('ERROR')) ?? 'mvn failed';
    throw new Fault('missing_tool', { detail: `Kafka could not be fetched through Maven: ${line.trim()}` });
  }
  writeFileSync(stamp, print);
  return jars;
}

function holdsKafka(jars: string): boolean {
  return existsSync(jars) && readdirSync(jars).some((file) => file.startsWith('kafka_2.13-'));
}

function runMaven(args: readonly string[]): Promise<{ readonly code: number | null; readonly text: string }> {
  return new Promise((done) => {
    const child = spawn('mvn', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    const keep = (chunk: Buffer): void => {
      text = (text + chunk.toString()).slice(-100_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (e) => done({ code: 1, text: e.message }));
    child.on('close', (code) => done({ code, text }));
  });
}

/** A free TCP port of 127.0.0.1; `wish` when nobody holds it. */
export function freePort(wish = 0): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', (error) => (wish === 0 ? fail(error) : done(freePort(0))));
    server.listen(wish, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => done(port));
    });
  });
}

interface Layout {
  readonly uuid: string;
  readonly ports: readonly { readonly broker: number; readonly controller: number }[];
}

async function layoutOf(dir: string, nodes: number, port: number | undefined): Promise<Layout> {
  const path = join(dir, 'cluster.json');
  const old = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Layout) : undefined;
  if (old !== undefined && old.ports.length !== nodes)
    throw new Fault('data_format', { detail: `${dir} holds ${old.ports.length} brokers, not ${nodes}` });
  const ports = [];
  for (let n = 0; n < nodes; n++) {
    const wish = n === 0 && port !== undefined ? port : (old?.ports[n]?.broker ?? 0);
    ports.push({ broker: await freePort(wish), controller: await freePort(old?.ports[n]?.controller ?? 0) });
  }
  const uuid = old?.uuid ?? newClusterId();
  const layout: Layout = { uuid, ports };
  writeFileSync(path, JSON.stringify(layout));
  return layout;
}

/** Settings of a door with TLS and passwords; its PEM files are written beside the data. */
function securedDoor(dir: string, port: number, secured: KafkaSecurity): Record<string, string> {
  const [keystore, truststore] = [join(dir, 'door.pem'), join(dir, 'ca.pem')];
  writeFileSync(keystore, `${secured.key}${secured.cert}`, { mode: 0o600 });
  writeFileSync(truststore, secured.ca);
  const [name, password] = Object.entries(secured.users)[0]!;
  const login = 'org.apache.kafka.common.security.scram.ScramLoginModule';
  return {
    'inter.broker.listener.name': 'SASL_SSL',
    'listener.security.protocol.map': 'SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT',
    'advertised.listeners': `SASL_SSL://127.0.0.1:${port}`,
    'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
    'sasl.mechanism.inter.broker.protocol': 'SCRAM-SHA-512',
    'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': `${login} required username="${name}" password="${password}";`,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keystore,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': truststore,
  };
}

function properties(dir: string, layout: Layout, n: number, secured?: KafkaSecurity): string {
  const copies = layout.ports.length >= 3 ? 3 : 1;
  const inSync = copies === 3 ? 2 : 1;
  const { broker, controller } = layout.ports[n - 1]!;
  const voters = layout.ports.map((p, i) => `${i + 1}@127.0.0.1:${p.controller}`).join(',');
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': n,
    'controller.quorum.voters': voters,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    listeners: `${secured ? 'SASL_SSL' : 'PLAINTEXT'}://127.0.0.1:${broker},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${broker}`,
    'log.dirs': join(dir, `data${n}`),
    'num.partitions': 8,
    'auto.create.topics.enable': false,
    'log.message.timestamp.type': 'LogAppendTime',
    'log.segment.bytes': 104_857_600,
    'log.cleaner.dedupe.buffer.size': 16_777_216,
    'log.cleaner.backoff.ms': 5_000,
    'log.retention.check.interval.ms': 10_000,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'default.replication.factor': copies,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': copies,
    'offsets.topic.num.partitions': 8,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.num.partitions': 8,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': inSync,
    // a broker killed hard may come back only when its old session has ended
    'broker.session.timeout.ms': 6_000,
    'broker.heartbeat.interval.ms': 1_000,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1000,
    ...(secured ? securedDoor(dir, broker, secured) : {}),
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

const JVM = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];

function runJava(args: readonly string[], out: string): ChildProcess {
  const fd = openSync(out, 'a');
  try {
    // its own process group: Ctrl-C reaches us alone, and we stop the brokers after our clients
    return spawn('java', args, { detached: true, stdio: ['ignore', fd, fd] });
  } finally {
    closeSync(fd);
  }
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((done) => child.once('exit', (code) => done(code)));
}

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

/** A UUID in Kafka's form. One that begins with `-` would be taken for an option by its tools. */
function newClusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

/** Ends a broker that an earlier process left behind (that process was killed), so that its data folder is free. */
async function endOrphan(dir: string, n: number): Promise<void> {
  const path = join(dir, `n${n}.pid`);
  if (!existsSync(path)) return;
  const pid = Number(readFileSync(path, 'utf8'));
  const isOurs = (): boolean => {
    const ps = spawnSync('ps', ['-p', String(pid), '-o', 'args='], { encoding: 'utf8' });
    return ps.status === 0 && ps.stdout.includes(join(dir, `n${n}.properties`));
  };
  if (pid > 0 && isOurs()) {
    process.kill(pid, 'SIGCONT');
    process.kill(pid, 'SIGTERM');
    for (const end = Date.now() + STOP_MS; isOurs(); await pause(100)) {
      if (Date.now() > end) process.kill(pid, 'SIGKILL');
    }
  }
  rmSync(path, { force: true });
}

/**
 * Starts Apache Kafka (KRaft, broker and controller in one) with 1 or 3 nodes on free ports of 127.0.0.1. The folder is formatted once.
 * Throws Fault `missing_tool`, or `log_unavailable` with the last line of a broker that did not come up.
 */
export async function startKafka(options: KafkaOptions): Promise<KafkaCluster> {
  const { nodes = 1, heap = '512m', secured, log = () => {} } = options;
  const dir = resolve(options.dir);
  const jars = `${await ensureKafkaJars(options.cache, log)}/*`;
  mkdirSync(dir, { recursive: true });
  const numbers = Array.from({ length: nodes }, (_, i) => i + 1);
  for (const n of numbers) await endOrphan(dir, n);
  const layout = await layoutOf(dir, nodes, options.port);
  const children = new Map<number, ChildProcess>();
  const stopAll = (): void => {
    for (const n of children.keys()) signal(n, 'SIGTERM');
  };

  function signal(n: number, name: NodeJS.Signals): void {
    const child = children.get(n);
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    if (name === 'SIGTERM') child.kill('SIGCONT');
    child.kill(name);
  }

  async function format(n: number): Promise<void> {
    const config = join(dir, `n${n}.properties`);
    writeFileSync(config, properties(dir, layout, n, secured));
    if (existsSync(join(dir, `data${n}`, 'meta.properties'))) return;
    const args = [...JVM, '-Xmx128m', '-cp', jars, 'kafka.tools.StorageTool', 'format', '-t', layout.uuid];
    const users = Object.entries(secured?.users ?? {}).flatMap(([name, password]) => [
      '--add-scram',
      `SCRAM-SHA-512=[name=${name},password=${password}]`,
    ]);
    const child = runJava([...args, '-c', config, ...users], join(dir, 'format.log'));
    const file = join(dir, 'format.log');
    if ((await ended(child)) !== 0)
      throw new Fault('log_unavailable', {
        detail: `formatting failed: ${readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) ?? ''} (${file})`,
      });
  }

  async function start(n: number): Promise<void> {
    const file = join(dir, `n${n}.log`);
    const from = existsSync(file) ? statSync(file).size : 0;
    const config = join(dir, `n${n}.properties`);
    const child = runJava([...JVM, `-Xmx${heap}`, '-Xms128m', '-cp', jars, 'kafka.Kafka', config], file);
    children.set(n, child);
    writeFileSync(join(dir, `n${n}.pid`), String(child.pid));
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

  async function stop(): Promise<void> {
    process.removeListener('exit', stopAll);
    stopAll();
    await Promise.all(
      [...children].map(async ([n, child]) => {
        const timer = setTimeout(() => signal(n, 'SIGKILL'), STOP_MS);
        await ended(child);
        clearTimeout(timer);
        rmSync(join(dir, `n${n}.pid`), { force: true });
      }),
    );
    children.clear();
  }

  process.once('exit', stopAll);
  try {
    await Promise.all(numbers.map(format));
    log(`Kafka: starting ${nodes === 1 ? 'a broker' : `${nodes} brokers`} in ${dir}`);
    await Promise.all(numbers.map(start));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    bootstrap: layout.ports.map((p) => `127.0.0.1:${p.broker}`).join(','),
    node: (n) => ({ pid: children.get(n)?.pid ?? 0, port: layout.ports[n - 1]?.broker ?? 0 }),
    kill: signal,
    start,
    stop,
  };
}
