import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startKafka, type KafkaCluster } from '../../deploy/local/kafka.js';
import { canRunKafka } from '../../deploy/local/kafka-jars.js';
import type { BrokerSettings, KafkaSecurity } from '../../deploy/local/kafka-settings.js';
import { freePort } from '../../deploy/local/free-port.js';
import { dockerAnswers, provisionKafka } from '../../deploy/local/provision-kafka.js';

import { BrokerProxy } from './broker-proxy.js';

const CACHE = resolve(import.meta.dirname, '../../.simpul/kafka');
const GIVEN = process.env['SIMPUL_TEST_KAFKA'];

/** The reason why there is no Kafka for tests on this machine; undefined when there is one. Under CI always undefined: no test is skipped, and the start fails with its reason. */
export async function noKafka(): Promise<string | undefined> {
  if (process.env['CI'] !== undefined || (GIVEN !== undefined && GIVEN !== '')) return undefined;
  if (canRunKafka(CACHE) || (await dockerAnswers())) return undefined;
  return 'no SIMPUL_TEST_KAFKA, no docker engine, no java with mvn';
}

/** The reason why this machine cannot start a broker that a test may kill and stop; undefined when it can. */
export function noOwnKafka(): string | undefined {
  if (process.env['CI'] !== undefined || canRunKafka(CACHE)) return undefined;
  return 'no java 17 with mvn: a broker to kill cannot be started';
}

export interface TestKafka {
  readonly brokers: readonly string[];
  /** Prefix of topics and groups for this test only, because specs share a broker. */
  readonly prefix: string;
  stop(): Promise<void>;
}

function newPrefix(): string {
  return `t${randomBytes(5).toString('hex')}.`;
}

/** The Kafka of SIMPUL_TEST_KAFKA, or one that runs as long as the test. */
export async function testKafka(): Promise<TestKafka> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-kafka-'));
  const kafka = await provisionKafka({ dir, cache: CACHE, given: GIVEN });
  const stop = async (): Promise<void> => {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { brokers: kafka.bootstrap.split(','), prefix: newPrefix(), stop };
}

/** Brokers for one test, which may kill and stop them. */
export async function ownKafka(
  nodes: 1 | 3 = 1,
  secured?: KafkaSecurity,
  properties?: BrokerSettings,
): Promise<TestKafka & { readonly cluster: KafkaCluster }> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-kafka-'));
  const heap = nodes === 3 ? '400m' : '512m';
  const cluster = await startKafka({ dir, cache: CACHE, nodes, heap, properties, ...(secured ? { secured } : {}) });
  const stop = async (): Promise<void> => {
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { brokers: cluster.bootstrap.split(','), prefix: newPrefix(), cluster, stop };
}

/** Three brokers for one test, each behind a proxy. `brokers` and the metadata of the cluster name the proxies; `direct` goes past them. */
export async function proxiedKafka(): Promise<
  TestKafka & { readonly direct: readonly string[]; readonly proxies: readonly BrokerProxy[] }
> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-kafka-'));
  const proxies = await Promise.all([1, 2, 3].map(() => BrokerProxy.open()));
  const proxied = await Promise.all(
    proxies.map(async (proxy) => {
      const listen = await freePort();
      proxy.target = listen;
      return { listen, advertised: proxy.port };
    }),
  );
  const cluster = await startKafka({ dir, cache: CACHE, nodes: 3, heap: '400m', proxied });
  const stop = async (): Promise<void> => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  const brokers = proxies.map((proxy) => `127.0.0.1:${proxy.port}`);
  return { brokers, direct: cluster.bootstrap.split(','), prefix: newPrefix(), proxies, stop };
}
