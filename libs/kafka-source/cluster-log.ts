import { deferred, jittered, pause } from '#concurrency';
import { Fault } from '#faults';
import type { Header } from '#event';
import type { AppendOutcome, LogRecord, PartitionRange, ReadAnswer, ReadLimits, TopicSpec } from '#log';
import type { Broker, Cluster, Consumer, Kafka, KafkaMessage, PartitionAssigner } from 'kafkajs';
import { PartitionAssigners } from 'kafkajs';
import { createRequire } from 'node:module';
import { isForbidden, isUnknown, topicFacts } from './topic-ids.js';

const require = createRequire(import.meta.url);

/** A batch of a fetch: leaves out control records and records of aborted transactions. */
interface FetchedBatch {
  readonly rawMessages: readonly RawMessage[];
  readonly messages: readonly RawMessage[];
}
export type RawMessage = KafkaMessage & {
  readonly batchContext?: {
    readonly firstOffset: string;
    readonly lastOffsetDelta: number;
    readonly partitionLeaderEpoch: number;
    readonly inTransaction: boolean;
  };
};
const Batch = require('kafkajs/src/consumer/batch') as new (
  topic: string,
  fetchedOffset: string,
  data: FetchedPartition,
) => FetchedBatch;

interface FetchedPartition {
  readonly partition: number;
  readonly highWatermark: string;
  readonly lastStableOffset?: string;
  readonly lastStartOffset?: string;
}
interface FetchAnswer {
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[];
}

/** The cluster of a consumer of kafkajs, which gives it to its assigners only. */
export function clusterOf(
  kafka: Kafka,
  options: Omit<Parameters<Kafka['consumer']>[0] & object, 'partitionAssigners' | 'allowAutoTopicCreation'>,
): { readonly consumer: Consumer; readonly cluster: Cluster } {
  let cluster: Cluster | undefined;
  const capture: PartitionAssigner = (config) => {
    cluster = config.cluster;
    return PartitionAssigners.roundRobin(config);
  };
  const consumer = kafka.consumer({ ...options, partitionAssigners: [capture], allowAutoTopicCreation: false });
  return { consumer, cluster: cluster! };
}

/** Hears how the cluster answers. */
export interface ClusterWatch {
  answered(): void;
  /** It is tried again. */
  failed(error: unknown): void;
  /** The same request fails again: a login, a right. */
  refused(error: unknown): void;
}

interface Waiting {
  readonly topic: string;
  readonly partition: number;
  readonly from: bigint;
  readonly until: number;
  settle(answer: ReadAnswer): void;
  fail(error: unknown): void;
}

const READ_COMMITTED = 1;
/** Longest wait of a fetch: a read that comes meanwhile waits for its end. */
const ROUND_MS = 150;
const RETRY_MS = 200;
const MAX_BYTES = 1_048_576;
/** How old the id of a topic may be. */
const FRESH_MS = 5_000;
/** How long a call looks for a broker that answers. */
const GIVE_UP_MS = 10_000;

/**
 * Control topics of the hub, read through kafkajs without a consumer group: one fetch at a time for all partitions that somebody waits for, read committed.
 * Appends nothing. Names of topics are without the prefix of the deployment. Throws Fault `log_unavailable`, and errors of kafkajs that are final (login, ACL).
 */
export class ClusterLog {
  readonly #consumer: Consumer;
  readonly #cluster: Cluster;
  readonly #prefix: string;
  readonly #watch: ClusterWatch;
  readonly #waiting = new Set<Waiting>();
  readonly #asking = new Map<string, Promise<string>>();
  readonly #ids = new Map<string, { readonly id: string; readonly at: number }>();
  readonly #closing = new AbortController();
  #fetching: Promise<void> | undefined;
  #recovering: Promise<boolean> | undefined;

  constructor(kafka: Kafka, group: string, prefix: string, watch: ClusterWatch) {
    const made = clusterOf(kafka, { groupId: group, maxWaitTimeInMs: ROUND_MS });
    this.#consumer = made.consumer;
    this.#cluster = made.cluster;
    this.#prefix = prefix;
    this.#watch = watch;
  }

  /** Fault log_unavailable: closed meanwhile. */
  async connect(): Promise<void> {
    await this.#consumer.connect();
    if (!this.#closing.signal.aborted) return;
    // disconnect() of kafkajs does not know a connect() that is under way.
    await this.#consumer.disconnect();
    throw closed();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const w of this.#waiting) w.fail(closed());
    this.#waiting.clear();
    await this.#fetching;
    await this.#consumer.disconnect();
  }

  /** Makes nothing: the topics are the hub's. Fault `unknown_topic` when it is not there. */
  async ensureTopic({ name }: Pick<TopicSpec, 'name'>): Promise<void> {
    await this.topicId(name);
  }

  append(): Promise<AppendOutcome> {
    return Promise.resolve({ kind: 'refused', code: 'log_unavailable' });
  }

  /** Those of the earlier versions that exist. */
  async existing(topics: readonly string[]): Promise<readonly string[]> {
    const facts = await this.#facts(topics);
    return topics.filter((t) => facts.get(this.#prefix + t)?.error === 0);
  }

  /** See EventLog.topicId; up to 5 s old. One question for all partitions of a topic that ask at the same time. */
  topicId(topic: string): Promise<string> {
    const known = this.#ids.get(topic);
    if (known !== undefined && performance.now() - known.at < FRESH_MS) return Promise.resolve(known.id);
    let asking = this.#asking.get(topic);
    if (asking === undefined) {
      asking = this.#askId(topic).finally(() => this.#asking.delete(topic));
      this.#asking.set(topic, asking);
    }
    return asking;
  }

  async #askId(topic: string): Promise<string> {
    const facts = (await this.#facts([topic])).get(this.#prefix + topic);
    if (facts !== undefined && isForbidden(facts)) {
      const error = new ForbiddenTopic(this.#prefix + topic);
      this.#watch.refused(error);
      throw error;
    }
    if (facts === undefined || isUnknown(facts)) throw new Fault('unknown_topic', { detail: this.#prefix + topic });
    if (facts.error !== 0) throw new Fault('log_unavailable', { detail: `${topic}: Metadata answers ${facts.error}` });
    this.#ids.set(topic, { id: facts.id, at: performance.now() });
    return facts.id;
  }

  /** Rights that the user lacks to read these topics: `READ on topic`. */
  async missingRights(topics: readonly string[]): Promise<readonly string[]> {
    const facts = await this.#facts(topics);
    return [...facts].filter(([, fact]) => isForbidden(fact)).map(([name]) => `READ on ${name}`);
  }

  /** The next topicId() asks the cluster. */
  forgetId(topic: string): void {
    this.#ids.delete(topic);
  }

  async describe(topic: string): Promise<PartitionRange[]> {
    const name = this.#prefix + topic;
    return this.#retrying(async () => {
      await this.#cluster.addTargetTopic(name);
      const partitions = this.#cluster.findTopicPartitionMetadata(name).map((p) => ({ partition: p.partitionId }));
      const ends = async (fromBeginning: boolean): Promise<Map<number, bigint>> => {
        const [found] = await this.#cluster.fetchTopicsOffset([{ topic: name, partitions, fromBeginning }]);
        return new Map(found?.partitions.map((p) => [p.partition, BigInt(p.offset)]));
      };
      const [low, high] = await Promise.all([ends(true), ends(false)]);
      return partitions
        .map(({ partition }) => ({ partition, low: low.get(partition)!, high: high.get(partition)! }))
        .sort((a, b) => a.partition - b.partition);
    });
  }

  async read(topic: string, partition: number, from: bigint, limits: ReadLimits = {}): Promise<ReadAnswer> {
    const topicId = await this.topicId(topic);
    if (limits.topicId !== undefined && !topicId.startsWith(limits.topicId)) return { kind: 'recreated', topicId };
    await this.#retrying(() => this.#cluster.addTargetTopic(this.#prefix + topic));
    const { waitMs = 0, signal } = limits;
    if (signal?.aborted === true) return { kind: 'records', topicId, records: [], next: from, low: 0n, high: from };
    // Nothing would answer it.
    if (this.#closing.signal.aborted) throw closed();
    const { promise, resolve, reject } = deferred<ReadAnswer>();
    const w: Waiting = { topic, partition, from, until: performance.now() + waitMs, settle: resolve, fail: reject };
    this.#waiting.add(w);
    const leave = (): void => resolve({ kind: 'records', topicId, records: [], next: from, low: 0n, high: from });
    signal?.addEventListener('abort', leave, { once: true });
    this.#fetching ??= this.#fetchAll().finally(() => (this.#fetching = undefined));
    try {
      return await promise;
    } finally {
      this.#waiting.delete(w);
      signal?.removeEventListener('abort', leave);
    }
  }

  async #fetchAll(): Promise<void> {
    while (this.#waiting.size > 0 && !this.#closing.signal.aborted)
      try {
        await this.#round();
        this.#watch.answered();
      } catch (error) {
        await this.#failed(error);
      }
  }

  async #round(): Promise<void> {
    const now = performance.now();
    const byLeader = new Map<string, Waiting[]>();
    let waitMs = ROUND_MS;
    for (const w of this.#waiting) {
      const leader = Object.keys(this.#cluster.findLeaderForPartitions(this.#prefix + w.topic, [w.partition]))[0];
      if (leader === undefined) throw new Fault('log_unavailable', { detail: `${w.topic} has no leader` });
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), w]);
      waitMs = Math.min(waitMs, Math.max(0, w.until - now));
    }
    await Promise.all([...byLeader].map(([nodeId, reads]) => this.#fetch(nodeId, reads, Math.ceil(waitMs))));
  }

  async #fetch(nodeId: string, reads: readonly Waiting[], maxWaitTime: number): Promise<void> {
    const broker = await this.#cluster.findBroker({ nodeId });
    const lowest = new Map<string, Waiting>();
    // Two reads of one partition: the lower offset answers both.
    for (const w of reads) {
      const key = `${w.topic}/${w.partition}`;
      const other = lowest.get(key);
      if (other === undefined || w.from < other.from) lowest.set(key, w);
    }
    const topics = [...lowest.values()].map(({ topic, partition, from }) => ({
      topic: this.#prefix + topic,
      partitions: [{ partition, fetchOffset: String(from), maxBytes: MAX_BYTES }],
    }));
    const answer = (await broker.fetch({ topics, maxWaitTime, isolationLevel: READ_COMMITTED })) as FetchAnswer;
    for (const { topicName, partitions } of answer.responses)
      for (const data of partitions) {
        const key = `${topicName.slice(this.#prefix.length)}/${data.partition}`;
        for (const w of reads) if (`${w.topic}/${w.partition}` === key) this.#answer(w, data, lowest.get(key)!.from);
      }
  }

  #answer(w: Waiting, data: FetchedPartition, fetched: bigint): void {
    const high = BigInt(data.lastStableOffset ?? data.highWatermark);
    const low = BigInt(data.lastStartOffset ?? 0);
    const batch = new Batch(w.topic, String(fetched), data);
    const last = batch.rawMessages.at(-1);
    // A batch whose records compaction has removed holds none, and kafkajs does not say how far it reaches.
    const behind = last === undefined ? (w.from < high ? w.from + 1n : w.from) : behindBatch(last);
    const next = behind < w.from ? w.from : behind;
    if (next === w.from && performance.now() < w.until) return;
    const records = batch.messages.map(recordOf).filter((r) => r.offset >= w.from);
    const topicId = this.#ids.get(w.topic)!.id;
    this.#waiting.delete(w);
    w.settle({ kind: 'records', topicId, records, next, low, high });
  }

  async #failed(error: unknown): Promise<void> {
    const { name, topic, partition } = error as { name?: string; topic?: string; partition?: number };
    if (name === 'KafkaJSOffsetOutOfRange' && topic !== undefined && partition !== undefined) {
      const of = topic.slice(this.#prefix.length);
      const range = (await this.describe(of).catch(() => [])).find((r) => r.partition === partition);
      for (const w of [...this.#waiting])
        if (range !== undefined && w.topic === of && w.partition === partition) {
          this.#waiting.delete(w);
          w.settle({ kind: 'out_of_range', low: range.low, high: range.high });
        }
      return;
    }
    if (isFinal(error)) {
      for (const w of this.#waiting) w.fail(error);
      this.#waiting.clear();
      this.#watch.refused(error);
      return;
    }
    this.#watch.failed(error);
    await this.#recover();
    const now = performance.now();
    for (const w of [...this.#waiting])
      if (now > w.until) {
        this.#waiting.delete(w);
        w.fail(new Fault('log_unavailable', { cause: error }));
      }
  }

  #facts(topics: readonly string[]): ReturnType<typeof topicFacts> {
    return this.#retrying(async () => {
      // Without it no node is known, and kafkajs would not say why.
      if (this.#cluster.getNodeIds().length === 0) await this.#cluster.refreshMetadata();
      const [nodeId] = this.#cluster.getNodeIds();
      const broker: Broker =
        nodeId === undefined
          ? await this.#cluster.findControllerBroker()
          : await this.#cluster.findBroker({ nodeId: String(nodeId) });
      return topicFacts(
        broker,
        topics.map((t) => this.#prefix + t),
      );
    });
  }

  async #retrying<T>(call: () => Promise<T>): Promise<T> {
    const end = performance.now() + GIVE_UP_MS;
    for (;;)
      try {
        const answer = await call();
        this.#watch.answered();
        return answer;
      } catch (error) {
        if (isFinal(error)) throw error;
        this.#watch.failed(error);
        if (this.#closing.signal.aborted || performance.now() > end)
          throw new Fault('log_unavailable', { cause: error });
        while (!(await this.#recover()) && performance.now() < end && !this.#closing.signal.aborted);
      }
  }

  /** Whether a broker answers now. One look for all that wait: kafkajs would open and close a connection for each of them, at the same time. */
  #recover(): Promise<boolean> {
    return (this.#recovering ??= this.#look().finally(() => (this.#recovering = undefined)));
  }

  async #look(): Promise<boolean> {
    await pause(jittered(RETRY_MS), this.#closing.signal);
    try {
      await this.#cluster.refreshMetadata();
      return true;
    } catch (error) {
      this.#watch.failed(error);
      // A final one is for the caller that meets it.
      return isFinal(error);
    }
  }
}

/** As kafkajs says it of a fetch. */
class ForbiddenTopic extends Error {
  readonly type = 'TOPIC_AUTHORIZATION_FAILED';
  readonly retriable = false;

  constructor(topic: string) {
    super(`no right to ${topic}`);
  }
}

/** Errors after which the same request fails again: login, ACL, a topic that is not there. */
export function isFinal(error: unknown): boolean {
  return error instanceof Fault
    ? error.code === 'unknown_topic'
    : (error as { retriable?: unknown }).retriable === false &&
        (error as { name?: unknown }).name !== 'KafkaJSNumberOfRetriesExceeded';
}

function behindBatch({ offset, batchContext }: RawMessage): bigint {
  if (batchContext === undefined) return BigInt(offset) + 1n;
  return BigInt(batchContext.firstOffset) + BigInt(batchContext.lastOffsetDelta) + 1n;
}

function recordOf(message: RawMessage): LogRecord {
  return {
    offset: BigInt(message.offset),
    appendTimeMs: Number(message.timestamp),
    leaderEpoch: message.batchContext?.partitionLeaderEpoch ?? 0,
    key: message.key,
    value: message.value,
    headers: headersOf(message),
  };
}

/** Headers in their order; of a repeated name all values lie where it came first, as kafkajs keeps them. */
export function headersOf({ headers }: Pick<KafkaMessage, 'headers'>): Header[] {
  const all: Header[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (Array.isArray(value)) for (const v of value) all.push([name, v as Buffer]);
    else all.push([name, (value as Buffer | undefined) ?? null]);
  }
  return all;
}

const closed = (): Fault => new Fault('log_unavailable', { detail: 'closed' });
