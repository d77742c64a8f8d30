import {
  Admin,
  compressionsAlgorithmsByBitmask,
  ConfigResourceTypes,
  ConnectionPool,
  crc32c,
  FetchIsolationLevels,
  fetchV13,
  fetchV14,
  fetchV15,
  fetchV16,
  fetchV17,
  findErrorBy,
  kGetApi,
  kGetBootstrapConnection,
  kMetadata,
  Producer,
  Writer,
  ProtocolError,
  NetworkError,
  MultipleErrors,
  initProducerIdV4,
  type API,
  type Base,
  type BaseOptions,
  type Callback,
  type produceV11,
} from '@platformatic/kafka';
import type { NewRecord } from '#log';
import type { Codecs } from './decode.js';
import { decodeProduce, type ProduceOutcome } from './decode-produce.js';
import { encodeProduce, type ProducedPartition } from './encode.js';
import type { KafkaLogOptions } from './options.js';
import type { Node, Sent, TopicShape } from './wire.js';

/** The only file that knows @platformatic/kafka. Names of topics are Kafka's own here, with the prefix. */

const REQUEST_MS = 10_000;
const CONNECT_MS = 3_000;
const ASK_MS = 4_000;
const ADMIN_MS = 20_000;

interface Connecting {
  clientId: string;
  bootstrapBrokers: string[];
  requestTimeout: number;
  connectTimeout: number;
  sasl?: { mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; username: string; password: string };
  tls?: { ca?: string };
}

function connecting(options: KafkaLogOptions, role: string): Connecting {
  const out: Connecting = {
    clientId: `${options.clientId}-${role}`,
    bootstrapBrokers: [...options.brokers],
    requestTimeout: REQUEST_MS,
    connectTimeout: CONNECT_MS,
  };
  if (options.sasl) out.sasl = { ...options.sasl };
  if (options.tls) out.tls = { ...options.tls };
  return out;
}

/** Whether an error chain holds this Kafka error, as `UNKNOWN_TOPIC_OR_PARTITION`. Total. */
export function hasCode(error: unknown, ...ids: readonly string[]): boolean {
  return typeof error === 'object' && error !== null && ids.some((id) => findErrorBy(error as Error, 'apiId', id));
}

/** Whether a request may have been on its way when the line was cut or went silent. Total. */
export function hasNetworkError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && findErrorBy(error as Error, 'code', 'PLT_KFK_NETWORK') !== null;
}

/** The client names a missing topic only in its text. */
export function isUnknownTopic(error: unknown): boolean {
  const text =
    error instanceof Error || (typeof error === 'object' && error !== null) ? String((error as Error).message) : '';
  return text.startsWith('Unknown topic') || hasCode(error, 'UNKNOWN_TOPIC_OR_PARTITION');
}

export const codecs: Codecs = {
  crc32c: (bytes) => crc32c(bytes),
  decompress: (codec, bytes) =>
    (compressionsAlgorithmsByBitmask as Record<number, { decompressSync(data: Buffer): Buffer } | undefined>)[
      codec
    ]?.decompressSync(bytes),
};

/**
 * The library asks the first broker of its list for metadata, on every try. One that is frozen or cut off takes the question and never answers,
 * so with it no leader would ever be found again. Here a question without answer makes the next broker the first one.
 */
function askInTurn<C extends Base<BaseOptions>>(client: C): C {
  let turn = 0;
  const bootstrap = client[kGetBootstrapConnection].bind(client);
  const metadata = client[kMetadata].bind(client);
  client[kGetBootstrapConnection] = (callback, attempt = 0) => bootstrap(callback, attempt + turn);
  client[kMetadata] = (options, callback) => {
    const asked = turn;
    metadata(options, (error, found) => {
      // of many who waited for the same answer, one turns
      if (hasNetworkError(error) && turn === asked) turn++;
      callback(error, found as never);
    });
  };
  return client;
}

/** Metadata and administration. One try each (`retries: 0`): who calls decides about another. */
export class Control {
  /** Questions that are answered at once, or not at all. */
  readonly #ask: Admin;
  readonly #admin: Admin;

  constructor(options: KafkaLogOptions) {
    const base = { ...connecting(options, 'control'), retries: 0, metadataMaxAge: 0 };
    this.#ask = askInTurn(new Admin({ ...base, requestTimeout: ASK_MS }));
    this.#admin = askInTurn(new Admin({ ...base, requestTimeout: ADMIN_MS, timeout: ADMIN_MS }));
  }

  async nodes(): Promise<ReadonlyMap<number, Node>> {
    const { brokers } = await this.#ask.metadata({ topics: [], forceUpdate: true });
    return new Map([...brokers].map(([id, { host, port }]) => [id, { id, host, port }]));
  }

  /** Throws an isUnknownTopic error when one of them is missing. */
  async shapes(topics: readonly string[]): Promise<Map<string, TopicShape>> {
    const found = await this.#ask.metadata({ topics: [...topics], forceUpdate: true });
    const out = new Map<string, TopicShape>();
    for (const topic of topics) {
      const shape = found.topics.get(topic);
      if (!shape) continue;
      const behind = shape.partitions.filter((p) => p.isr.length < p.replicas.length).length;
      out.set(topic, { id: shape.id, leaders: shape.partitions.map((p) => p.leader), behind });
    }
    return out;
  }

  async topics(): Promise<string[]> {
    // this call does not turn to another broker by itself
    await this.#ask.metadata({ topics: [], forceUpdate: true });
    return this.#ask.listTopics();
  }

  /** `copies` -1: as the cluster is set. The call is refused as a whole when one exists already (TOPIC_ALREADY_EXISTS); the others are made all the same. */
  async create(
    topics: readonly { readonly name: string; readonly partitions: number }[],
    copies: number,
    configs: Readonly<Record<string, string>>,
  ): Promise<void> {
    await this.#admin.createTopics({
      topics: topics.map((t) => ({ topic: t.name, partitions: t.partitions, replicas: copies })),
      configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
    });
  }

  async delete(topic: string): Promise<void> {
    await this.#admin.deleteTopics({ topics: [topic] });
  }

  async configs(topics: readonly string[], name: string): Promise<Map<string, string | null>> {
    const found = await this.#admin.describeConfigs({
      resources: topics.map((t) => ({
        resourceType: ConfigResourceTypes.TOPIC,
        resourceName: t,
        configurationKeys: [name],
      })),
    });
    return new Map(found.map((r) => [r.resourceName, r.configs.find((c) => c.name === name)?.value ?? null]));
  }

  /** Changes these settings of a topic and leaves the others (the plain AlterConfigs call would reset them). */
  async alter(topic: string, configs: Readonly<Record<string, string>>): Promise<void> {
    await this.#admin.incrementalAlterConfigs({
      resources: [
        {
          resourceType: ConfigResourceTypes.TOPIC,
          resourceName: topic,
          configs: Object.entries(configs).map(([name, value]) => ({ name, value, configOperation: 0 })),
        },
      ],
    });
  }

  /** By partition. Timestamp -1: the end of what is committed; -2: the first offset; else the first record of that time or later, -1 when none. */
  async offsets(topic: string, partitions: readonly number[], timestamp: bigint): Promise<bigint[]> {
    const [found] = await this.#ask.listOffsets({
      topics: [{ name: topic, partitions: partitions.map((partitionIndex) => ({ partitionIndex, timestamp })) }],
      isolationLevel: FetchIsolationLevels.READ_COMMITTED,
    });
    const out: bigint[] = [];
    for (const p of found?.partitions ?? []) out[p.partitionIndex] = p.offset;
    return out;
  }

  /** Rejects while the leader of one of these partitions does not answer as its leader yet: a moment after the metadata names it. */
  async led(counts: ReadonlyMap<string, number>): Promise<void> {
    await this.#ask.listOffsets({
      topics: [...counts].map(([name, count]) => ({
        name,
        partitions: Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1n })),
      })),
    });
  }

  async fetchVersion(): Promise<number> {
    const apis = await this.#ask.listApis();
    return apis.find((a) => a.name === 'Fetch')?.maxVersion ?? 0;
  }

  close(): Promise<void> {
    return Promise.all([this.#ask.close(), this.#admin.close()]).then(() => undefined);
  }
}

/** Header names are few and come with every record. */
const NAMES = new Map<string, Buffer>();
const MOST_NAMES = 1_000;

function nameBytes(name: string): Buffer {
  let bytes = NAMES.get(name);
  if (bytes === undefined) {
    bytes = Buffer.from(name);
    if (NAMES.size < MOST_NAMES) NAMES.set(name, bytes);
  }
  return bytes;
}

function headersOf(record: NewRecord): Map<Buffer, Buffer> {
  const out = new Map<Buffer, Buffer>();
  for (const [name, value] of record.headers) {
    const bytes = nameBytes(name);
    // a name that repeats stays apart because it is another Buffer object; the library writes a null value as null
    out.set(out.has(bytes) ? Buffer.from(bytes) : bytes, value as Buffer);
  }
  return out;
}

interface Message {
  topic: string;
  partition: number;
  timestamp: bigint;
  key: Buffer;
  value: Buffer;
  headers: Map<Buffer, Buffer>;
}

function messagesOf(topic: string, partition: number, records: readonly NewRecord[], now: number): Message[] {
  const timestamp = BigInt(now);
  // null is written as null, whatever the library's types say
  return records.map((r) => ({
    topic,
    partition,
    timestamp,
    key: r.key as Buffer,
    value: r.value as Buffer,
    headers: headersOf(r),
  }));
}

/** The library answers with offsets alone; this keeps the time at which the broker says it took each batch. */
class TimedProducer extends Producer {
  readonly #times = new Map<string, { base: bigint; timeMs: number }>();

  override [kGetApi]<A extends unknown[], R>(name: string, callback: Callback<API<A, R>>): void {
    super[kGetApi]<A, R>(name, (error, api) => {
      callback(error, error || !api || name !== 'Produce' ? api : (this.#noting(api as never) as never));
    });
  }

  #noting(api: (...args: unknown[]) => void): (...args: unknown[]) => void {
    return (...args) => {
      const done = args.pop() as Callback<produceV11.ProduceResponse>;
      api(...args, (error: Error | null, answer?: produceV11.ProduceResponse) => {
        for (const topic of answer?.responses ?? [])
          for (const p of topic.partitionResponses)
            this.#times.set(`${topic.name}/${p.index}`, { base: p.baseOffset, timeMs: Number(p.logAppendTimeMs) });
        done(error, answer);
      });
    };
  }

  timeOf(topic: string, partition: number, base: bigint): number | undefined {
    const seen = this.#times.get(`${topic}/${partition}`);
    return seen !== undefined && seen.base === base && seen.timeMs >= 0 ? seen.timeMs : undefined;
  }
}

function sentOf(
  producer: TimedProducer,
  topic: string,
  offsets: readonly { topic: string; partition: number; offset: bigint }[] | undefined,
  now: number,
): Sent | undefined {
  const only = offsets?.length === 1 ? offsets[0] : undefined;
  if (only?.topic !== topic || only.offset < 0n) return undefined;
  return {
    partition: only.partition,
    base: only.offset,
    timeMs: producer.timeOf(topic, only.partition, only.offset) ?? now,
  };
}

export interface ProducerIdentity {
  readonly id: bigint;
  readonly epoch: number;
}

const PRODUCE = 0;
const PRODUCE_VERSION = 9;
/** How long the leader waits for the other copies. */
const PRODUCE_MS = 8_000;

/** Produce requests of our own, each over as many partitions as wait for its broker: the library's retries take a request as a whole. */
export class ProduceLine {
  readonly #pool: ConnectionPool;

  constructor(options: KafkaLogOptions) {
    this.#pool = newPool(options, 'append');
  }

  /** A producer id for idempotent batches. Rejects when this broker does not give one. */
  async identify(node: Node): Promise<ProducerIdentity> {
    const connection = await this.#pool.get(node);
    const given = await initProducerIdV4.api.async(connection, null, PRODUCE_MS, -1n, -1);
    return { id: given.producerId, epoch: given.producerEpoch };
  }

  /** Rejects when the line breaks or no answer comes: then each of them may have been written. */
  async produce(node: Node, parts: readonly ProducedPartition[]): Promise<ProduceOutcome[]> {
    const connection = await this.#pool.get(node);
    return new Promise((resolve, reject) => {
      connection.send(
        PRODUCE,
        PRODUCE_VERSION,
        () => Writer.create().append(encodeProduce(parts, PRODUCE_MS)),
        (_id, _key, _version, reader) => decodeProduce(reader.buffer.slice(reader.position)),
        true,
        true,
        (error, answer) => (answer ? resolve(answer) : reject(error ?? new Error('no answer'))),
      );
    });
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}

/** The error of a code that a broker answered, as hasCode knows it. */
export function answerError(code: number, text?: string): Error {
  try {
    return new ProtocolError(code, text ?? null);
  } catch {
    return new Error(`Kafka error ${code}${text === undefined ? '' : `: ${text}`}`);
  }
}

/** An error as hasNetworkError knows it, with what lies behind. */
export function lineError(text: string, ...causes: readonly unknown[]): Error {
  const errors = causes.filter((c): c is Error => typeof c === 'object' && c !== null);
  return new MultipleErrors(text, [new NetworkError(text), ...errors]);
}

/** The producer of one transactional id. begin() fences every earlier one of this id. */
export class Transactor {
  readonly #producer: TimedProducer;

  constructor(options: KafkaLogOptions, transactionalId: string) {
    this.#producer = askInTurn(
      new TimedProducer({
        ...connecting(options, 'writer'),
        transactionalId,
        idempotent: true,
        // without these two the successor of an earlier owner is fenced itself and can never start
        producerId: -1n,
        producerEpoch: -1,
        timeout: 10_000,
        retries: Number.MAX_SAFE_INTEGER,
        retryDelay: 20,
        autocreateTopics: false,
      }),
    );
  }

  /** Takes the id (first time only), ready for one write. */
  async begin(): Promise<void> {
    if (!this.#producer.transaction) await this.#producer.beginTransaction();
  }

  /** One transaction: all or none. */
  async write(topic: string, partition: number, records: readonly NewRecord[]): Promise<Sent | undefined> {
    await this.begin();
    const now = Date.now();
    const transaction = this.#producer.transaction!;
    const { offsets } = (await transaction.send({
      messages: messagesOf(topic, partition, records, now),
    })) as { offsets?: { topic: string; partition: number; offset: bigint }[] };
    const sent = sentOf(this.#producer, topic, offsets, now);
    await transaction.commit();
    return sent;
  }

  async close(): Promise<void> {
    await this.#producer.close(true);
  }
}

/** For the fetcher: how connections are made, and the request of each version. */
export const FETCH = { 13: fetchV13, 14: fetchV14, 15: fetchV15, 16: fetchV16, 17: fetchV17 } as const;
export const READ_COMMITTED = FetchIsolationLevels.READ_COMMITTED;

export function newPool(options: KafkaLogOptions, role: string): ConnectionPool {
  const { clientId, bootstrapBrokers: _brokers, ...rest } = connecting(options, role);
  return new ConnectionPool(clientId, { ...rest, maxInflights: 1 });
}
