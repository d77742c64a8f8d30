import { Fault } from '#faults';
import { MAX_RECORD_BYTES, type TopicSpec } from '#log';
import { hasCode, isUnknownTopic, type ClusterClient } from './platformatic/index.js';
import { retry } from './retry.js';
import type { Broker, TopicShape } from './types.js';

/** How long the cached metadata of a topic is used without asking again. */
const FRESH_MS = 5_000;
const ADMIN_MS = 30_000;
/** Shorter than the 5 s that a publisher waits (R3). */
const METADATA_MS = 4_000;
/** Known topics are asked again with a shorter limit, because their cached metadata can stand in. */
const REFRESH_MS = 1_000;
/** Topics in one request of metadata or configuration. */
const TOPICS_PER_REQUEST = 200;
/** The setting of a topic that bounds a record batch, with its head; the broker's message.max.bytes where the topic has none of its own. */
const MAX_BATCH = 'max.message.bytes';

interface CachedShape {
  readonly shape: TopicShape;
  readonly at: number;
}

/** The metadata cache of topics and brokers, and the creation of topics. Names of topics are Kafka's own, with the prefix of the deployment. */
export class Topics {
  readonly #cluster: ClusterClient;
  readonly #known = new Map<string, CachedShape>();
  readonly #refreshing = new Map<string, Promise<TopicShape>>();
  /** max.message.bytes, as last read. */
  readonly #limits = new Map<string, number>();
  #brokers: ReadonlyMap<number, Broker> = new Map();

  constructor(cluster: ClusterClient) {
    this.#cluster = cluster;
  }

  /** The cached metadata while it is younger than 5 s; undefined: call shape(). Without a promise, because every append calls it. */
  fresh(topic: string): TopicShape | undefined {
    const known = this.#known.get(topic);
    return known && Date.now() - known.at < FRESH_MS ? known.shape : undefined;
  }

  /** The metadata, from the cache or from Kafka. While Kafka does not answer, older metadata stands in. Throws Fault `unknown_topic`, `log_unavailable`. */
  async shape(topic: string): Promise<TopicShape> {
    const fresh = this.fresh(topic);
    if (fresh) return fresh;
    const known = this.#known.get(topic);
    try {
      return await this.refresh(topic);
    } catch (error) {
      if (known && (error as { code?: unknown }).code === 'log_unavailable') return known.shape;
      throw error;
    }
  }

  /** Asks Kafka now. Concurrent calls for the same topic share one request (single-flight). Throws as shape(). */
  refresh(topic: string): Promise<TopicShape> {
    const running = this.#refreshing.get(topic);
    if (running) return running;
    const refreshing = this.#request(topic).finally(() => this.#refreshing.delete(topic));
    this.#refreshing.set(topic, refreshing);
    return refreshing;
  }

  async #request(topic: string): Promise<TopicShape> {
    const known = this.#known.has(topic);
    const shape = await retry(known ? REFRESH_MS : METADATA_MS, async () => {
      try {
        return (await this.#cluster.shapes([topic])).get(topic);
      } catch (error) {
        if (isUnknownTopic(error)) return undefined;
        throw error;
      }
    });
    if (!shape) {
      this.#known.delete(topic);
      throw new Fault('unknown_topic', { detail: topic });
    }
    this.#known.set(topic, { shape, at: Date.now() });
    return shape;
  }

  forget(topic: string): void {
    this.#known.delete(topic);
  }

  /** max.message.bytes of the topic, as last read: the largest batch that it takes, in bytes. undefined: not read yet. */
  limit(topic: string): number | undefined {
    return this.#limits.get(topic);
  }

  /** Asks Kafka for max.message.bytes now. Rejects when it cannot be asked. */
  async readLimit(topic: string): Promise<number | undefined> {
    this.#keepLimits(await this.#cluster.configs([topic], MAX_BATCH));
    return this.limit(topic);
  }

  #keepLimits(found: ReadonlyMap<string, string | null>): void {
    for (const [name, text] of found) if (text !== null && Number(text) > 0) this.#limits.set(name, Number(text));
  }

  /** The address of a broker; undefined: it is not in the cluster now. Rejects when Kafka cannot be asked. */
  async broker(id: number): Promise<Broker | undefined> {
    const broker = this.#brokers.get(id);
    if (broker) return broker;
    this.#brokers = await this.#cluster.brokers();
    return this.#brokers.get(id);
  }

  /** Every broker of the cluster, at least one. Rejects when Kafka cannot be asked. */
  async brokers(): Promise<readonly Broker[]> {
    if (this.#brokers.size === 0) this.#brokers = await this.#cluster.brokers();
    if (this.#brokers.size === 0) throw new Error('no broker in the cluster');
    return [...this.#brokers.values()];
  }

  knowsBroker(id: number): boolean {
    return this.#brokers.has(id);
  }

  /** After a connection broke: a broker may come back at another address. */
  forgetBrokers(): void {
    this.#brokers = new Map();
  }

  /** Number of brokers in the cluster now. */
  async brokerCount(): Promise<number> {
    return (await retry(METADATA_MS, () => this.#cluster.brokers())).size;
  }

  /**
   * Creates the topics that are missing and waits until every partition has a leader that knows it. `replicas` -1 and `minInSync` undefined: the defaults
   * of the cluster. Throws Fault `conflict` when a topic exists with another number of partitions, cleanup or retention.
   */
  async ensure(specs: readonly TopicSpec[], replicas: number, minInSync: number | undefined): Promise<void> {
    const wanted = new Map(specs.map((s) => [s.name, s]));
    const existing = new Set(await retry(ADMIN_MS, () => this.#cluster.topics()));
    const missing = [...wanted.values()].filter((s) => !existing.has(s.name));
    // one request for all topics with the same configuration
    const byConfig = Map.groupBy(missing, (spec) => `${spec.cleanup} ${spec.retentionMs ?? ''}`);
    for (const alike of byConfig.values()) {
      await retry(ADMIN_MS, async () => {
        try {
          await this.#cluster.create(alike, replicas, configsOf(alike[0]!, minInSync));
        } catch (error) {
          // another process created it at the same moment: it is checked below like every topic that exists
          if (!hasCode(error, 'TOPIC_ALREADY_EXISTS')) throw error;
        }
      });
    }
    for (const name of wanted.keys()) this.forget(name);
    const names = [...wanted.keys()];
    for (let at = 0; at < names.length; at += TOPICS_PER_REQUEST)
      await this.#check(names.slice(at, at + TOPICS_PER_REQUEST), wanted);
    for (let at = 0; at < missing.length; at += TOPICS_PER_REQUEST) {
      const created = new Map(missing.slice(at, at + TOPICS_PER_REQUEST).map((s) => [s.name, s.partitions]));
      await retry(ADMIN_MS, () => this.#cluster.expectLeaders(created));
    }
  }

  /** Waits for the leaders, then compares each topic with its spec. */
  async #check(names: readonly string[], wanted: ReadonlyMap<string, TopicSpec>): Promise<void> {
    const shapes = await retry(ADMIN_MS, async () => {
      const now = await this.#cluster.shapes(names);
      const open = names.filter((n) => now.get(n)?.leaders.every((leader) => leader >= 0) !== true);
      if (open.length > 0) throw new Error(`no leader yet: ${open.slice(0, 3).join(', ')}`);
      return now;
    });
    const cleanups = await retry(ADMIN_MS, () => this.#cluster.configs(names, 'cleanup.policy'));
    const kept = await retry(ADMIN_MS, () => this.#cluster.configs(names, 'retention.ms'));
    this.#keepLimits(await retry(ADMIN_MS, () => this.#cluster.configs(names, MAX_BATCH)));
    for (const [name, shape] of shapes) {
      const spec = wanted.get(name)!;
      if (shape.leaders.length !== spec.partitions)
        throw new Fault('conflict', {
          detail: `${name} has ${shape.leaders.length} partitions, not ${spec.partitions}`,
        });
      const cleanup = spec.cleanup === 'compact' ? 'compact' : 'delete';
      if (cleanups.get(name) !== cleanup)
        throw new Fault('conflict', { detail: `${name} has cleanup.policy ${cleanups.get(name)}, not ${cleanup}` });
      const keep = String(spec.retentionMs ?? -1);
      if (kept.get(name) !== keep)
        throw new Fault('conflict', { detail: `${name} has retention.ms ${kept.get(name)}, not ${keep}` });
      this.#known.set(name, { shape, at: Date.now() });
    }
  }
}

function configsOf(spec: TopicSpec, minInSync: number | undefined): Record<string, string> {
  return {
    'cleanup.policy': spec.cleanup === 'compact' ? 'compact' : 'delete',
    'retention.ms': String(spec.retentionMs ?? -1),
    'retention.bytes': '-1',
    'message.timestamp.type': 'LogAppendTime',
    // the largest record, and room for the head of its batch
    [MAX_BATCH]: String(MAX_RECORD_BYTES + 65_536),
    ...(minInSync === undefined ? {} : { 'min.insync.replicas': String(minInSync) }),
  };
}
