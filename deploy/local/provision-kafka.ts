import { firstAnswer } from './first-answer.js';
import { freePort } from './free-port.js';
import { startKafka } from './kafka.js';
import type { Log } from './kafka-jars.js';

export interface ProvisionOptions {
  /** Data folder of a broker that is started here. */
  readonly dir: string;
  /** Folder for files that are fetched once. */
  readonly cache: string;
  /** Address of a Kafka that already runs (`host:port[,host:port]`); nothing is started then. */
  readonly given?: string | undefined;
  readonly log?: Log;
}

export interface ProvisionedKafka {
  readonly bootstrap: string;
  readonly from: 'given' | 'docker' | 'local';
  /** Stops the broker that was started here; does nothing to a given one. */
  stop(): Promise<void>;
}

export const KAFKA_IMAGE = 'apache/kafka:4.3.1';
const PING_MS = 80;

/** Whether a docker engine answers on its socket; that the docker client is installed proves nothing. Takes at most 80 ms. */
export async function dockerAnswers(host: string | undefined = process.env['DOCKER_HOST']): Promise<boolean> {
  const url = new URL(host ?? 'unix:///var/run/docker.sock');
  const target =
    url.protocol === 'unix:' ? { path: url.pathname } : { host: url.hostname, port: Number(url.port || '2375') };
  const answer = await firstAnswer(target, 'GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n', PING_MS);
  return answer !== undefined && /^HTTP\/1\.[01] 200/.test(answer);
}

/** One broker in a container, on a free port of 127.0.0.1. testcontainers is imported only here, because loading it is slow. */
async function dockerKafka(log: Log): Promise<ProvisionedKafka> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const port = await freePort();
  log(`Kafka: starting ${KAFKA_IMAGE} in docker`);
  const container = await new GenericContainer(KAFKA_IMAGE)
    .withExposedPorts({ container: 9092, host: port })
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093',
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      KAFKA_LOG_MESSAGE_TIMESTAMP_TYPE: 'LogAppendTime',
      KAFKA_LOG_CLEANER_BACKOFF_MS: '5000',
      KAFKA_LOG_RETENTION_CHECK_INTERVAL_MS: '10000',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: '1000',
    })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .start();
  const stop = async (): Promise<void> => {
    await container.stop();
  };
  return { bootstrap: `127.0.0.1:${port}`, from: 'docker', stop };
}

/**
 * A Kafka: the given address, else a container when a docker engine answers, else Java and Maven on this machine.
 * Throws Fault `missing_tool`: its detail names the missing tool and how to install it.
 */
export async function provisionKafka(options: ProvisionOptions): Promise<ProvisionedKafka> {
  const { given, log = () => {} } = options;
  if (given !== undefined && given !== '') return { bootstrap: given, from: 'given', stop: () => Promise.resolve() };
  if (await dockerAnswers()) {
    try {
      return await dockerKafka(log);
    } catch (error) {
      log(`Kafka: docker could not start it (${error instanceof Error ? error.message : String(error)}); trying Java`);
    }
  }
  const cluster = await startKafka({ dir: options.dir, cache: options.cache, log });
  return { bootstrap: cluster.bootstrap, from: 'local', stop: () => cluster.stop() };
}
