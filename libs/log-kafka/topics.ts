import { withDeadline } from '#concurrency';
import { Fault, verbatim } from '#faults';
import type { TopicSpec } from '#log';
import { KAFKA_CHECKS } from '#settings';
import { hasCode, type ClusterClient } from './platformatic/index.js';
import type { KafkaLogOptions } from './options.js';
import { retry } from './retry.js';
import { addedPartitions, BATCH_BYTES, CHECKED_CONFIGS, checkTopic, type TopicConcern } from './topic-checks.js';
import { ShapeRequests } from './shape-requests.js';
import { texts } from './texts.js';
import type { Broker, TopicShape } from './types.js';

/** How long the cached metadata of a topic is used without asking again. */
const FRESH_MS = 5_000;
const ADMIN_MS = 30_000;
/** Shorter than the 5 s that a publisher waits (R3). */
const METADATA_MS = 4_000;
/** Known topics are asked again with a shorter limit, because their cached metadata can stand in. */
const REFRESH_MS = 1_000;
/** How long a refusal waits for the limit that it names: the next append of the partition waits too. */
const LIMIT_MS = 1_000;
/** Topics in one request of metadata or configuration. */
const TOPICS_PER_REQUEST = 200;
/** What a Produce request has beside a batch: its head and the names of the client and the topic. */
export const REQUEST_HEAD_BYTES = 1_024;
/** The setting of a topic that bounds a record batch, with its head; the broker's message.max.bytes where the topic has none of its own. */
const MAX_BATCH = 'max.message.bytes';

/** Metadata of this age is asked for again along with that of another topic. */
const STALE_MS = FRESH_MS / 2;

interface CachedShape {
  readonly shape: TopicShape;
  readonly at: number;
  /** Used since it was read: only such a topic is asked for again without being needed now. */
  used: boolean;
}

/** The metadata cache of topics and brokers, and the creation of topics. Names of topics are Kafka's own, with the prefix of the deployment. */
export class Topics {
  readonly #cluster: ClusterClient;
  readonly #known = new Map<string, CachedShape>();
  readonly #refreshing = new Map<string, Promise<TopicShape>>();
  readonly #requests: ShapeRequests;
  /** max.message.bytes, as last read. */
  readonly #limits = new Map<string, number>();
  readonly #limitReads = new Map<string, { readonly at: number; readonly read: Promise<number> }>();
  #requestLimit = Number.POSITIVE_INFINITY;
  #brokers: ReadonlyMap<number, Broker> = new Map();
  /** A broker may have another address by now. */
  #brokersStale = false;
  #askingBrokers: Promise<ReadonlyMap<number, Broker>> | undefined;

  readonly #options: Pick<KafkaLogOptions, 'accept' | 'report'>;
  /** The partitions of topics that were ensured: those above belong to nobody, because keys are mapped to these. */
  readonly #partitions = new Map<string, number>();
  /** Numbers of partitions, above the ensured ones, that were reported. */
  readonly #told = new Map<string, number>();

  constructor(cluster: ClusterClient, options: Pick<KafkaLogOptions, 'accept' | 'report'> = {}) {
    this.#cluster = cluster;
    this.#options = options;
    this.#requests = new ShapeRequests({
      ask: (topics) => cluster.shapes(topics),
      stale: () => this.#stale(),
      took: (topic, shape) => this.#keep(topic, this.#withOwnPartitions(topic, shape) ?? shape),
      most: TOPICS_PER_REQUEST,
    });
  }

  /** The cached metadata while it is younger than 5 s; undefined: call shape(). Without a promise, because every append calls it. */
  fresh(topic: string): TopicShape | undefined {
    const known = this.#known.get(topic);
    if (known === undefined) return undefined;
    known.used = true;
    return performance.now() - known.at < FRESH_MS ? known.shape : undefined;
  }

  /** The metadata, from the cache or from Kafka. While Kafka does not answer, older metadata stands in. Throws Fault `unknown_topic`, `log_unavailable`. */
  async shape(topic: string): Promise<TopicShape> {
    const fresh = this.fresh(topic);
    if (fresh) return fresh;
    const known = this.#known.get(topic);
    try {
      const refreshed = this.refresh(topic);
      // the append of a healthy partition must not wait for a broker that does not answer
      return await (known ? withDeadline(refreshed, REFRESH_MS, () => known.shape) : refreshed);
    } catch (error) {
      if (known && (error as { code?: unknown }).code === 'log_unavailable') return known.shape;
      throw error;
    }
  }

  /** Asks Kafka now. Concurrent calls share one request (single-flight), which asks for the stale topics in use too. Throws as shape(). */
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
      return this.#withOwnPartitions(topic, await this.#requests.get(topic));
    });
    if (!shape) {
      this.#known.delete(topic);
      throw new Fault('unknown_topic', { detail: topic });
    }
    this.#keep(topic, shape);
    return shape;
  }

  #keep(topic: string, shape: TopicShape): void {
    this.#known.set(topic, { shape, at: performance.now(), used: false });
  }

  #stale(): string[] {
    const before = performance.now() - STALE_MS;
    return [...this.#known].filter(([, known]) => known.used && known.at < before).map(([topic]) => topic);
  }

  owns(topic: string, partition: number): boolean {
    return partition < (this.#partitions.get(topic) ?? Number.POSITIVE_INFINITY);
  }

  #withOwnPartitions(topic: string, shape: TopicShape | undefined): TopicShape | undefined {
    const count = this.#partitions.get(topic);
    if (shape === undefined || count === undefined) return shape;
    const found = shape.leaders.length;
    const added = addedPartitions(topic, count, found);
    if (added === undefined) return shape;
    if (this.#told.get(topic) !== found) this.#options.report?.topicConcern?.(added);
    this.#told.set(topic, found);
    return { ...shape, leaders: shape.leaders.slice(0, count) };
  }

  forget(topic: string): void {
    this.#known.delete(topic);
  }

  /** The largest batch that the topic takes, in bytes: its max.message.bytes as last read, and what fits into a request. Infinity: not read yet. */
  limit(topic: string): number {
    return Math.min(this.#limits.get(topic) ?? Number.POSITIVE_INFINITY, this.#requestLimit - REQUEST_HEAD_BYTES);
  }

  /** The largest Produce request that every broker reads, in bytes (socket.request.max.bytes). Infinity: not read yet. */
  get requestLimit(): number {
    return this.#requestLimit;
  }

  /** Asks the brokers for their socket.request.max.bytes. A cluster that does not tell it is used without a limit. */
  async readRequestLimit(): Promise<void> {
    const brokers = (await this.brokers()).map((b) => b.id);
    const asked = this.#cluster.requestLimits(brokers).catch(() => []);
    const limits = await withDeadline(asked, METADATA_MS, () => []);
    this.#requestLimit = Math.min(Number.POSITIVE_INFINITY, ...limits.filter((n) => n > 0));
  }

  /** limit() as Kafka has it now, or had `maxAgeMs` ago; as last known when Kafka does not tell it in a second. Never rejects. */
  freshLimit(topic: string, maxAgeMs = 0): Promise<number> {
    const last = this.#limitReads.get(topic);
    if (last !== undefined && performance.now() - last.at < maxAgeMs) return last.read;
    const asked = this.#cluster.configs([topic], MAX_BATCH).then(
      (found) => this.#keepLimits(found),
      () => undefined,
    );
    const read = withDeadline(asked, LIMIT_MS, () => undefined).then(() => this.limit(topic));
    this.#limitReads.set(topic, { at: performance.now(), read });
    return read;
  }

  #keepLimits(found: ReadonlyMap<string, string | null>): void {
    for (const [name, text] of found) if (text !== null && Number(text) > 0) this.#limits.set(name, Number(text));
  }

  /**
   * The address of a broker; undefined: it is not in the cluster now. While Kafka does not answer, the last known address stands in. Rejects when Kafka
   * cannot be asked and no address is known.
   */
  async broker(id: number): Promise<Broker | undefined> {
    const known = this.#brokers.get(id);
    if (known && !this.#brokersStale) return known;
    if (!known) return (await this.#askBrokers()).get(id);
    const asked = this.#askBrokers().catch(() => this.#brokers);
    // asked at a broker that does not answer, it would hold up the requests to the others
    return (await withDeadline(asked, REFRESH_MS, () => this.#brokers)).get(id);
  }

  /** Every broker of the cluster, at least one. Rejects when Kafka cannot be asked. */
  async brokers(): Promise<readonly Broker[]> {
    const known = this.#brokers.size === 0 || this.#brokersStale ? await this.#askBrokers() : this.#brokers;
    if (known.size === 0) throw new Error('no broker in the cluster');
    return [...known.values()];
  }

  /** Concurrent calls share one request (single-flight). */
  #askBrokers(): Promise<ReadonlyMap<number, Broker>> {
    this.#askingBrokers ??= this.#cluster
      .brokers()
      .then((found) => {
        this.#brokersStale = false;
        return (this.#brokers = found);
      })
      .finally(() => (this.#askingBrokers = undefined));
    return this.#askingBrokers;
  }

  knowsBroker(id: number): boolean {
    return !this.#brokersStale && this.#brokers.has(id);
  }

  /** After a connection broke: a broker may come back at another address. */
  forgetBrokers(): void {
    this.#brokersStale = true;
  }

  /** Number of brokers in the cluster now. */
  async brokerCount(): Promise<number> {
    return (await retry(METADATA_MS, () => this.#cluster.brokers())).size;
  }

  /**
   * Creates the topics that are missing and waits until every partition has a leader that knows it. `replicas` -1 and `minInSync` undefined: the defaults
   * of the cluster. A topic that exists is checked as it is, whoever made it (checkTopic). Throws Fault `topic_unsafe`, which names every topic that
   * breaks a promise in a way that the operator does not accept. More partitions are a concern only: keys go on being mapped to the recorded number.
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
    const settings = await retry(ADMIN_MS, () => this.#cluster.settings(names, CHECKED_CONFIGS));
    const brokers = await this.brokerCount();
    const unsafe: TopicConcern[] = [];
    for (const [name, shape] of shapes) {
      const spec = wanted.get(name)!;
      const configs = settings.get(name) ?? {};
      this.#keepLimits(new Map([[name, configs[MAX_BATCH] ?? null]]));
      const found = { partitions: shape.leaders.length, replicas: shape.replicas, configs };
      for (const concern of checkTopic(name, spec, found, brokers)) {
        const { check, breaks } = concern;
        if (breaks && !(this.#options.accept as readonly string[] | undefined)?.includes(check)) unsafe.push(concern);
        else this.#options.report?.topicConcern?.(concern);
      }
      this.#partitions.set(name, spec.partitions);
      this.#told.set(name, shape.leaders.length);
      this.#keep(name, this.#withOwnPartitions(name, shape)!);
    }
    if (unsafe.length > 0) throw unsafeTopics(unsafe);
  }
}

/** One problem for each topic and setting, with the command that mends it. */
function unsafeTopics(concerns: readonly TopicConcern[]): Fault {
  const problems = concerns.map(({ topic, check, setting, actual, needed, command }) => ({
    pointer: topic,
    reason: (KAFKA_CHECKS as readonly string[]).includes(check)
      ? texts.topic_setting({ setting, actual, needed, check })
      : texts.topic_fixed({ setting, actual, needed }),
    ...(command === undefined ? {} : { expected: verbatim(command) }),
  }));
  return new Fault('topic_unsafe', {
    problems: problems.slice(0, 50),
    detail: problems
      .slice(0, 3)
      .map((p) => `${p.pointer}: ${p.reason} → ${p.expected ?? ''}`)
      .join('; '),
  });
}

const WEEK_MS = 7 * 86_400_000;
/**
 * Kafka compacts only segments that are closed, and by default one is closed at 1 GiB or after a week. Who opens a table reads everything until then: a courier that takes
 * over would read a day of cursor rows first.
 */
const COMPACTED = { 'segment.bytes': String(8 * 1_048_576), 'segment.ms': String(86_400_000) };

function configsOf(spec: TopicSpec, minInSync: number | undefined): Record<string, string> {
  return {
    'cleanup.policy': spec.cleanup === 'compact' ? 'compact' : 'delete',
    'retention.ms': String(spec.retentionMs ?? -1),
    'retention.bytes': '-1',
    ...(spec.cleanup === 'compact' ? COMPACTED : {}),
    // A segment is deleted when its newest record is old enough: one of a week would keep what is to stay for a day.
    ...(spec.retentionMs !== undefined && spec.retentionMs < WEEK_MS ? { 'segment.ms': String(spec.retentionMs) } : {}),
    'message.timestamp.type': 'LogAppendTime',
    [MAX_BATCH]: String(BATCH_BYTES),
    ...(minInSync === undefined ? {} : { 'min.insync.replicas': String(minInSync) }),
  };
}
