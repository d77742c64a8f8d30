import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '#faults';
import { freePort } from './free-port.js';

/** TLS and SCRAM-SHA-512 for the listener of a broker. PEM texts; passwords by user name. */
export interface KafkaSecurity {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
  /** The first user is also the one of the broker itself. */
  readonly users: Readonly<Record<string, string>>;
  /** After this time a client must authenticate its connection again (connections.max.reauth.ms). @default never */
  readonly reauthMs?: number;
}

/** Settings of `server.properties` by name. */
export type BrokerSettings = Readonly<Record<string, string | number>>;

/** A second listener of a broker, for clients that reach it through a proxy. */
export interface ProxiedPort {
  /** Port of the listener: where the proxy connects to. */
  readonly listen: number;
  /** Port that the broker tells clients: where the proxy listens. */
  readonly advertised: number;
}

/** Cluster id and ports, kept in `cluster.json` so that a second start uses the same. */
export interface KafkaLayout {
  readonly uuid: string;
  readonly ports: readonly { readonly broker: number; readonly controller: number }[];
}

/** Reads or makes the layout of a data folder. Throws Fault `data_format` when the folder holds another number of brokers. */
export async function layoutOf(dir: string, nodes: number, port: number | undefined): Promise<KafkaLayout> {
  const path = join(dir, 'cluster.json');
  const old = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as KafkaLayout) : undefined;
  if (old !== undefined && old.ports.length !== nodes)
    throw new Fault('data_format', { detail: `${dir} holds ${old.ports.length} brokers, not ${nodes}` });
  const ports = [];
  for (let n = 0; n < nodes; n++) {
    const preferred = n === 0 && port !== undefined ? port : (old?.ports[n]?.broker ?? 0);
    ports.push({ broker: await freePort(preferred), controller: await freePort(old?.ports[n]?.controller ?? 0) });
  }
  const uuid = old?.uuid ?? newClusterId();
  const layout: KafkaLayout = { uuid, ports };
  writeFileSync(path, JSON.stringify(layout));
  return layout;
}

/** Settings of a listener with TLS and passwords; writes its PEM files into the data folder. */
function securedListener(dir: string, port: number, secured: KafkaSecurity): Record<string, string> {
  const [keystore, truststore] = [join(dir, 'listener.pem'), join(dir, 'ca.pem')];
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
    ...(secured.reauthMs === undefined ? {} : { 'connections.max.reauth.ms': String(secured.reauthMs) }),
  };
}

/** Brokers go on speaking to each other without the proxy. */
function proxiedListener(broker: number, controller: number, proxied: ProxiedPort): Record<string, string> {
  return {
    listeners: `PLAINTEXT://127.0.0.1:${broker},CLIENT://127.0.0.1:${proxied.listen},CONTROLLER://127.0.0.1:${controller}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${broker},CLIENT://127.0.0.1:${proxied.advertised}`,
  };
}

/** The text of `server.properties` for broker `n`. */
export function brokerProperties(
  dir: string,
  layout: KafkaLayout,
  n: number,
  {
    secured,
    proxied,
    properties,
  }: {
    readonly secured?: KafkaSecurity | undefined;
    readonly proxied?: ProxiedPort | undefined;
    readonly properties?: BrokerSettings | undefined;
  } = {},
): string {
  const replicas = layout.ports.length >= 3 ? 3 : 1;
  const inSync = replicas === 3 ? 2 : 1;
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
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 8,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.num.partitions': 8,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    // A broker that was killed can register again only when its old session has expired.
    'broker.session.timeout.ms': 6_000,
    'broker.heartbeat.interval.ms': 1_000,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1000,
    ...(secured ? securedListener(dir, broker, secured) : {}),
    ...(proxied ? proxiedListener(broker, controller, proxied) : {}),
    ...properties,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** A random UUID in the format of Kafka. It must not begin with `-`: the tools of Kafka would read it as an option. */
function newClusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}
