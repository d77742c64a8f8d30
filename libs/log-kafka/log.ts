import { withDeadline } from '#concurrency';
import { Fault } from '#faults';
import {
  OWNERS_SPEC,
  type AppendOutcome,
  type DescribeLimits,
  type EventLog,
  type GroupMember,
  type Membership,
  type NewRecord,
  type PartitionRange,
  type ReadAnswer,
  type ReadLimits,
  type TopicSpec,
  type Writer,
} from '#log';
import { Appends } from './append.js';
import { Group } from './group.js';
import type { KafkaLogOptions } from './options.js';
import { ClusterClient, isUnknownTopic } from './platformatic/index.js';
import { publicId, Reads } from './reads.js';
import { noAnswer, retry, unavailable } from './retry.js';
import { batchBytes } from '#kafka-records';
import { checkCluster } from './topic-checks.js';
import { Topics } from './topics.js';
import type { Broker } from './types.js';
import { claimWriter } from './writer.js';

const PING_MS = 5_000;
const DELETE_MS = 30_000;
const ALTER_MS = 30_000;
/** What a record batch has before its records. */
const BATCH_HEAD_BYTES = 61;
/** The limit that an event is refused by before it is sent may be this old. */
const LIMIT_AGE_MS = 1_000;

/**
 * The event log on Apache Kafka (3.1 or later). Resolves when a broker has answered.
 * Throws Fault `log_unavailable` with the innermost cause: connection refused, wrong password, unknown certificate authority, TLS expected. Throws Fault
 * `broker_unsupported`, with its name, for a broker that lacks a request which the hub needs.
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<EventLog> {
  const log = new KafkaLog(options);
  try {
    await log.start();
  } catch (error) {
    await log.close();
    throw error;
  }
  return log;
}

class KafkaLog implements EventLog {
  readonly #options: KafkaLogOptions;
  readonly #prefix: string;
  readonly #cluster: ClusterClient;
  readonly #topics: Topics;
  readonly #appends: Appends;
  readonly #reads: Reads;
  readonly #groups = new Set<Group>();
  readonly #writers = new Set<Writer>();
  #owners: Promise<void> | undefined;

  constructor(options: KafkaLogOptions) {
    this.#options = options;
    this.#prefix = options.prefix ?? '';
    this.#cluster = new ClusterClient(options);
    this.#topics = new Topics(this.#cluster, options);
    this.#appends = new Appends(options, this.#topics);
    this.#reads = new Reads(options, this.#cluster, this.#topics);
  }

  #kafkaName = (name: string): string => this.#prefix + name;
  #portName = (name: string): string => name.slice(this.#prefix.length);

  ensureTopic(spec: TopicSpec): Promise<void> {
    return this.ensureTopics([spec]);
  }

  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    if (specs.length === 0) return;
    const { factor, minInSync } = this.#options.replication ?? (await this.#replication());
    const small = checkCluster(await this.#topics.brokerCount());
    if (small) this.#options.report?.topicConcern?.(small);
    await this.#topics.ensure(
      specs.map((spec) => ({ ...spec, name: this.#kafkaName(spec.name) })),
      factor,
      minInSync,
    );
  }

  /** A cluster of three shows two brokers while one is down: then the default of the cluster decides, so that no topic gets a single replica by mistake. */
  async #replication(): Promise<{ factor: number; minInSync: number | undefined }> {
    return (await this.#topics.brokerCount()) >= 3 ? { factor: 3, minInSync: 2 } : { factor: -1, minInSync: undefined };
  }

  async topics(): Promise<readonly string[]> {
    const all = await retry(PING_MS, () => this.#cluster.topics());
    return all.filter((name) => name.startsWith(this.#prefix) && !name.startsWith('__')).map(this.#portName);
  }

  async describe(topic: string, { maxAgeMs = 0 }: DescribeLimits = {}): Promise<readonly PartitionRange[]> {
    const name = this.#kafkaName(topic);
    const recent = maxAgeMs > 0 ? await this.#reads.recentRanges(name, maxAgeMs) : undefined;
    return recent ?? this.#reads.ranges(name);
  }

  async topicId(topic: string): Promise<string> {
    return publicId((await this.#topics.shape(this.#kafkaName(topic))).id);
  }

  async append(
    topic: string,
    partition: number,
    records: readonly NewRecord[],
    bytes?: number,
    withdraw?: AbortSignal,
  ): Promise<AppendOutcome> {
    const name = this.#kafkaName(topic);
    const done = await this.#appends.append(name, partition, records, bytes, withdraw);
    if (done.kind === 'accepted') {
      const { id } = this.#topics.fresh(name) ?? (await this.#topics.shape(name).catch(() => ({ id: '' })));
      this.#reads.wake(id, partition, done.base + BigInt(records.length));
    }
    return done;
  }

  appendLimit(topic: string): number {
    return this.#topics.limit(this.#kafkaName(topic)) - BATCH_HEAD_BYTES;
  }

  async limitExceeded(topic: string, record: NewRecord): Promise<number | undefined> {
    const name = this.#kafkaName(topic);
    const bytes = batchBytes([record]);
    if (bytes <= this.#topics.limit(name)) return undefined;
    const limit = await this.#topics.freshLimit(name, LIMIT_AGE_MS);
    return bytes > limit ? limit : undefined;
  }

  read(topic: string, partition: number, from: bigint, limits?: ReadLimits): Promise<ReadAnswer> {
    return this.#reads.read(this.#kafkaName(topic), partition, from, limits);
  }

  offsetAt(topic: string, partition: number, timeMs: number): Promise<bigint> {
    return this.#reads.offsetAt(this.#kafkaName(topic), partition, timeMs);
  }

  async join(group: string, topics: readonly string[], member: GroupMember): Promise<Membership> {
    await (this.#owners ??= this.ensureTopic(OWNERS_SPEC).catch((error: unknown) => {
      this.#owners = undefined;
      throw error;
    }));
    for (const topic of topics) await this.#topics.shape(this.#kafkaName(topic));
    const joined = new Group(
      {
        log: this,
        options: this.#options,
        group,
        kafkaName: this.#kafkaName,
        portName: this.#portName,
        member,
        existing: async (names) => {
          const all = await this.topics().catch(() => names);
          return names.filter((name) => all.includes(name));
        },
        owns: (topic, partition) => this.#topics.owns(this.#kafkaName(topic), partition),
        topicId: (topic) => this.topicId(topic),
        left: (gone) => this.#groups.delete(gone),
      },
      topics,
    );
    this.#groups.add(joined);
    try {
      await joined.join();
    } catch (error) {
      await joined.leave();
      throw unavailable(error);
    }
    return joined;
  }

  async claim(topic: string): Promise<Writer> {
    const parts = {
      options: this.#options,
      topics: this.#topics,
      reads: this.#reads,
      released: (gone: Writer) => this.#writers.delete(gone),
    };
    const writer = await claimWriter(parts, topic, this.#kafkaName(topic));
    this.#writers.add(writer);
    return writer;
  }

  async setRetention(topic: string, retentionMs: number | undefined): Promise<void> {
    const name = this.#kafkaName(topic);
    await this.#topics.refresh(name);
    await retry(ALTER_MS, () => this.#cluster.alter(name, { 'retention.ms': String(retentionMs ?? -1) }));
  }

  async deleteTopic(topic: string): Promise<void> {
    const name = this.#kafkaName(topic);
    await retry(DELETE_MS, async () => {
      try {
        await this.#cluster.delete(name);
      } catch (error) {
        if (!isUnknownTopic(error)) throw error;
      }
    });
    this.#topics.forget(name);
    // brokers drop the topic from their metadata a moment after the answer
    await retry(DELETE_MS, async () => {
      if ((await this.#cluster.topics()).includes(name)) throw new Error(`${topic} still exists`);
    });
    this.#topics.forget(name);
  }

  async ping(): Promise<void> {
    try {
      const brokers = await withDeadline(this.#cluster.brokers(), PING_MS, noAnswer('Kafka', PING_MS));
      if (brokers.size === 0) throw new Fault('log_unavailable', { detail: 'no broker in the cluster' });
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** ping(), and the API versions of the brokers that can be reached. Throws also Fault `broker_unsupported`. */
  async start(): Promise<void> {
    // a broker that is too old may not answer the ping either: what it lacks is the better reason
    const given = this.#options.brokers.map(addressOf);
    const [checked, answered] = await Promise.allSettled([this.#appends.check(given), this.ping()]);
    for (const one of [checked, answered]) if (one.status === 'rejected') throw one.reason;
    await this.#appends.check(await this.#topics.brokers());
    await this.#topics.readRequestLimit();
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#groups].map((group) => group.leave()));
    await Promise.allSettled([...this.#writers].map((writer) => writer.release()));
    await this.#appends.close();
    await this.#reads.close();
    await this.#cluster.close().catch(() => undefined);
  }
}

/** `host:port`; an IPv6 host may stand in brackets. */
function addressOf(text: string): Broker {
  const at = text.lastIndexOf(':');
  return { id: -1, host: text.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(at + 1)) };
}
