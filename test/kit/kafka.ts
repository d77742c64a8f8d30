import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startKafka, type KafkaCluster } from '../../deploy/local/kafka.js';
import { canRunKafka } from '../../deploy/local/kafka-jars.js';
import type { KafkaSecurity } from '../../deploy/local/kafka-settings.js';
import { dockerAnswers, provisionKafka } from '../../deploy/local/provision-kafka.js';

const CACHE = resolve(import.meta.dirname, '../../.simpul/kafka');
const GIVEN = process.env['SIMPUL_TEST_KAFKA'];

/** Why no Kafka can be had here; undefined when one can. Under CI nothing is skipped: the start itself then fails and says why. */
export async function noKafka(): Promise<string | undefined> {
  if (process.env['CI'] !== undefined || (GIVEN !== undefined && GIVEN !== '')) return undefined;
  if (canRunKafka(CACHE) || (await dockerAnswers())) return undefined;
  return 'no SIMPUL_TEST_KAFKA, no docker engine, no java with mvn';
}

/** Why no broker of our own, to be killed and paused, can be had here. */
export function noOwnKafka(): string | undefined {
  if (process.env['CI'] !== undefined || canRunKafka(CACHE)) return undefined;
  return 'no java 17 with mvn: a broker to kill cannot be started';
}

export interface TestKafka {
  readonly brokers: readonly string[];
  /** Of this use alone: topics and groups of others on the same broker are not seen. */
  readonly prefix: string;
  stop(): Promise<void>;
}

function newPrefix(): string {
  return `t${randomBytes(5).toString('hex')}.`;
}

/** The Kafka of SIMPUL_TEST_KAFKA, or one that lives as long as the test. */
export async function testKafka(): Promise<TestKafka> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-kafka-'));
  const kafka = await provisionKafka({ dir, cache: CACHE, given: GIVEN });
  const stop = async (): Promise<void> => {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { brokers: kafka.bootstrap.split(','), prefix: newPrefix(), stop };
}

/** Brokers that this test may kill. */
export async function ownKafka(
  nodes: 1 | 3 = 1,
  secured?: KafkaSecurity,
): Promise<TestKafka & { readonly cluster: KafkaCluster }> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-kafka-'));
  const heap = nodes === 3 ? '400m' : '512m';
  const cluster = await startKafka({ dir, cache: CACHE, nodes, heap, ...(secured ? { secured } : {}) });
  const stop = async (): Promise<void> => {
    await cluster.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { brokers: cluster.bootstrap.split(','), prefix: newPrefix(), cluster, stop };
}
