import { deferred, jittered, pause, withDeadline } from '#concurrency';
import type { EventSource, Interest, Sink } from '#consuming';
import { isTypeName, partitionKey, streamOf } from '#event';
import { innermostMessage } from '#faults';
import { hookJoin, kafkaClient } from '#kafka-client';
import { beginOf } from '#kafka-records';
import type { Cluster, Consumer } from 'kafkajs';
import { ClusterLog, clusterOf, isFinal } from './cluster-log.js';
import { forbidden, KafkaSourceFault } from './faults.js';
import { Feed } from './feed.js';
import { Fetcher, type Fetching } from './fetcher.js';
import { Lines, type MissingSchema } from './lines.js';
import { markOf, marksText, type Marks } from './marks.js';
import type { KafkaCounts, KafkaOptions } from './options.js';
import { Places } from './places.js';
import { startsOf, tellRange, tellRecreated, type Start } from './range.js';
import { Reach } from './reach.js';
import { explained, unknownType, untilOpened } from './start.js';
import { CONTROL_TOPICS, MARKED, Tables } from './tables.js';

const SESSION_MS = 30_000;
const START_MS = 30_000;
const PATIENCE_MS = 30_000;
/** How long Kafka may fail before it is told: an election of a leader takes less. */
const LOST_MS = 1_000;
const BUFFER_BYTES = 64 * 1_048_576;
const LEAST_BUFFER = 2 * 1_048_576;
/** Pause of the loop of kafkajs, in which it sends heartbeats. */
const LOOP_MS = 200;
const IDENTIFY_MS = 5_000;
/** Kafka forgets a place of a topic that the group does not read after offsets.retention.minutes, 7 days by default. */
const REMARK_MS = 12 * 3_600_000;
const MARK_MS = 1_000;
const RETRY_MS = 500;
const START_RETRY = { initialRetryTime: 200, maxRetryTime: 2_000, retries: 3 };
const RETRY = { initialRetryTime: 200, maxRetryTime: 2_000, retries: 30 };

/** A source of events straight from Kafka, as `kafka()` makes it. */
export interface KafkaSource extends EventSource {
  readonly counts: KafkaCounts;
}

/**
 * The event source of a unit in the data centre: a consumer group of kafkajs over the streams of the hub. Delivery is at least once, in order in each partition, and so
 * for each subject. What is delivered is what the hub shows to a reader at level full: below the settled end, without copies (R2.3), never a record that no gateway
 * wrote (R10.1). Rights are the ACLs of Kafka: nothing is masked.
 *
 * `run` rejects with a KafkaSourceFault, in one line with the remedy, when it can never go on. It rides out brokers that are away for any time once it has started.
 */
export function kafka(options: KafkaOptions): KafkaSource {
  return new GroupSource(options);
}

interface Open {
  readonly feed: Feed;
  readonly stream: string;
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  readonly fetching: Fetching;
}

class GroupSource implements KafkaSource {
  readonly counts = { delivered: 0, copies: 0, foreign: 0, damaged: 0 };
  readonly #options: KafkaOptions;
  readonly #prefix: string;
  readonly #sessionMs: number;
  /** By Kafka's topic and partition. */
  readonly #open = new Map<string, Open>();
  readonly #places: Places;
  readonly #lines: Lines;
  /** Kafka, the hub, schemas: what is waited for. */
  readonly #reach: Reach;
  readonly #hub: Reach;
  readonly #schemas: Reach;
  readonly #ended = deferred<void>();
  readonly #ready = deferred<void>();
  /** Grows with each assignment and each loss: what belongs to an earlier one changes nothing. */
  #generation = 0;
  #sink: Sink | undefined;
  #types: ReadonlySet<string> = new Set();
  #topics: readonly string[] = [];
  #log: ClusterLog | undefined;
  #tables: Tables | undefined;
  #consumer: Consumer | undefined;
  #cluster: Cluster | undefined;
  #fetcher: Fetcher | undefined;
  #identifying: NodeJS.Timeout | undefined;
  readonly #renewing = new Map<string, Promise<void>>();
  readonly #read = new Map<string, string>();
  #marks: Marks = new Map();
  #markedAt = Number.NEGATIVE_INFINITY;
  #stopping: Promise<void> | undefined;

  constructor(options: KafkaOptions) {
    this.#options = options;
    this.#prefix = options.prefix ?? '';
    this.#sessionMs = options.sessionMs ?? SESSION_MS;
    this.#lines = new Lines(options);
    const lines = this.#lines;
    const afterMs = options.patienceMs ?? PATIENCE_MS;
    this.#reach = new Reach({ afterMs: LOST_MS, lost: (e) => lines.unreachable(e), back: () => lines.reachable() });
    this.#hub = new Reach({ afterMs, lost: (at) => lines.hubSilent(at as string), back: () => lines.hubBack() });
    this.#schemas = new Reach({
      afterMs,
      lost: (missing) => lines.schemaMissing(missing as MissingSchema),
      back: () => lines.schemaFound(),
    });
    this.#places = new Places(async (places) => {
      const offsets = places.map(({ topic, partition, offset, above }) => ({
        topic,
        partition,
        offset: String(offset),
        metadata: above ?? null,
      }));
      await this.#consumer!.commitOffsets(offsets);
    });
    this.#ended.promise.catch(() => undefined);
  }

  async run(sink: Sink, { types }: Interest): Promise<void> {
    this.#sink = sink;
    this.#types = new Set(types);
    try {
      await this.#start(types);
    } catch (error) {
      const fault = await explained(error, this.#log, this.#topics, this.#options);
      await this.#close();
      if (this.#stopping === undefined) throw fault;
    }
    await this.#ended.promise;
  }

  /** At once unless `from` is latest: then when the group has given this process its partitions, and their beginnings are stored. */
  ready(): Promise<void> {
    return this.#options.from === 'latest' ? this.#ready.promise : Promise.resolve();
  }

  get readyMs(): number {
    return (this.#options.startMs ?? START_MS) + this.#sessionMs;
  }

  tellTo(tell: (line: string) => void): void {
    this.#lines.tell = tell;
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  async #stop(): Promise<void> {
    await withDeadline(this.#mark(), MARK_MS, () => undefined);
    await this.#revokeAll(this.#options.drainMs ?? this.#sessionMs / 2);
    await this.#close();
    this.#ended.resolve();
  }

  async #start(types: readonly string[]): Promise<void> {
    const wrong = types.find((t) => !isTypeName(t));
    if (wrong !== undefined) throw unknownType(wrong, this.#options);
    const streams = [...new Set(types.map(streamOf))];
    this.#topics = [...streams, ...CONTROL_TOPICS];
    const { group } = this.#options;
    const log = new ClusterLog(this.#kafka(START_RETRY), group, this.#prefix, {
      answered: () => this.#reach.answered('tables'),
      failed: (error) => this.#reach.failed('tables', error),
      refused: (error) => {
        if (this.#consumer !== undefined) this.#fail(error);
      },
    });
    this.#log = log;
    this.#tables = await untilOpened(
      async () => {
        await log.connect();
        const missing = await log.missingRights(this.#topics);
        if (missing.length > 0) throw forbidden(missing, this.#options.language);
        return Tables.open(log);
      },
      {
        patienceMs: this.#options.startMs ?? START_MS,
        isStopping: () => this.#stopping !== undefined,
        failed: (error) => this.#reach.failed('tables', error),
      },
    );
    if (this.#stopping !== undefined) {
      await this.#close();
      return;
    }
    for (const type of types)
      if (this.#tables.catalogue.newest(type) === undefined) throw unknownType(type, this.#options);
    await Promise.all(streams.map((s) => this.#tables!.identify(s)));
    this.#tables.onEnd((stream, partition) => {
      this.#open.get(partitionKey(this.#prefix + stream, partition))?.feed.wake();
    });
    this.#identifying = setInterval(() => void this.#identifyAll(), IDENTIFY_MS);
    if (this.#stopping === undefined) await this.#join(streams);
  }

  #kafka(retry: typeof RETRY): ReturnType<typeof kafkaClient> {
    const { brokers, clientId, group, ssl, sasl, report } = this.#options;
    const logged = (message: string): void => report?.clientError?.(message);
    return kafkaClient({ brokers, clientId: clientId ?? group, ssl, sasl, retry, logged });
  }

  async #join(streams: readonly string[]): Promise<void> {
    const { consumer, cluster } = clusterOf(this.#kafka(RETRY), {
      groupId: this.#options.group,
      sessionTimeout: this.#sessionMs,
      rebalanceTimeout: Math.max(60_000, this.#sessionMs),
      heartbeatInterval: Math.min(3_000, Math.floor(this.#sessionMs / 6)),
      maxWaitTimeInMs: LOOP_MS,
      retry: {
        ...RETRY,
        restartOnFailure: (error) => Promise.resolve(this.#stopping === undefined && !isFinal(error)),
      },
    });
    this.#consumer = consumer;
    this.#cluster = cluster;
    this.#fetcher = new Fetcher(cluster, {
      answered: () => this.#reach.answered('records'),
      failed: (error) => this.#reach.failed('records', error),
      refused: (error) => this.#fail(error),
    });
    hookJoin(cluster, (lost) =>
      this.#revokeAll(lost ? 0 : Math.min(this.#options.drainMs ?? Infinity, this.#sessionMs / 2)),
    );
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      // kafkajs gives the membership only. Its own fetches cost more than all that follows, and it jumps to its default place when one is out of range.
      consumer.pause(streams.map((s) => ({ topic: this.#prefix + s })));
      for (const part of ['group', 'records']) this.#reach.answered(part);
      void this.#assigned(payload.memberAssignment, ++this.#generation);
    });
    consumer.on(consumer.events.HEARTBEAT, () => this.#reach.answered('group'));
    consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
      void this.#revokeAll(0);
      if (restart) {
        this.#reach.failed('group', error);
        this.#options.report?.rejoining?.(innermostMessage(error));
      } else this.#fail(error);
    });
    await consumer.connect();
    await consumer.subscribe({ topics: streams.map((s) => this.#prefix + s), fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: () => Promise.resolve(),
    });
  }

  /** Retention may have passed a slow reader between two fetches. True: it has, and that is told. */
  async #missed(open: Open, first: number): Promise<boolean> {
    const range = await this.#rangeOf(open.topic, open.partition);
    if (range === undefined || Number(range.low) <= open.feed.expected) return false;
    return first > open.feed.expected && (await this.#leftRange(open), true);
  }

  async #assigned(assignment: Readonly<Record<string, readonly number[]>>, generation: number): Promise<void> {
    while (generation === this.#generation && this.#stopping === undefined)
      try {
        const { starts, marks } = await startsOf(assignment, {
          options: this.#options,
          lines: this.#lines,
          cluster: this.#cluster!,
          log: this.#log!,
          tables: this.#tables!,
          read: this.#read,
        });
        if (generation !== this.#generation || this.#stopping !== undefined) return;
        if (this.#options.from === 'latest') await this.#begin(starts.filter((s) => s.isFirst));
        if (generation !== this.#generation || this.#stopping !== undefined) return;
        this.#marks = marks;
        for (const start of starts) this.#openFeed(start);
        this.#ready.resolve();
        return;
      } catch (error) {
        if (error instanceof KafkaSourceFault || isFinal(error)) {
          this.#fail(error);
          return;
        }
        this.#options.report?.rejoining?.(innermostMessage(error));
        await pause(jittered(RETRY_MS));
      }
  }

  /** A group finds its end once: what comes from then on is its own, also when another member, or a later process, gets the partition before the first event is finished. */
  async #begin(starts: readonly Start[]): Promise<void> {
    if (starts.length === 0) return;
    try {
      await this.#consumer!.commitOffsets(
        starts.map(({ topic, partition, from }) => ({ topic, partition, offset: String(from) })),
      );
    } catch (cause) {
      // Nothing of it is final here: a member that is none any more is told so by its heartbeat.
      throw new Error(`the beginnings of the group are not stored: ${innermostMessage(cause)}`, { cause });
    }
  }

  #openFeed({ topic, partition, topicId, from, above }: Omit<Start, 'isFirst'>): void {
    const stream = topic.slice(this.#prefix.length);
    const { bufferBytes = BUFFER_BYTES, batchEvents = 500 } = this.#options;
    const sizes = Math.max(1, this.#open.size + 1);
    let paused = false;
    const deps = {
      stream,
      partition,
      sink: this.#sink!,
      tables: this.#tables!,
      types: this.#types,
      batchEvents,
      counts: this.counts,
      above,
      store: (offset: number, finished: string | undefined) =>
        this.#places.store({ topic, partition, offset, above: finished, isOwn: () => !feed.isClosed }),
      drained: () => this.#fetcher!.wake(),
      damaged: (position: string) => this.#lines.damaged(position),
      corrupt: (position: string, cause: unknown) => {
        this.#options.report?.clientError?.(`${position}: ${innermostMessage(cause)}; it is fetched again`);
        paused = true;
        void pause(jittered(RETRY_MS)).then(() => {
          paused = false;
          this.#fetcher!.wake();
        });
      },
      schemaMissing: (missing: MissingSchema) => this.#schemas.failed(feed.name, missing),
      schemaFound: () => this.#schemas.answered(feed.name),
      unsettled: (position: string) => this.#hub.failed(feed.name, position),
      settled: () => this.#hub.answered(feed.name),
      closed: () => {
        this.#hub.forget(feed.name);
        this.#schemas.forget(feed.name);
      },
      failed: (error: unknown) => this.#fail(error),
    };
    const feed: Feed = new Feed(deps, from, Math.max(LEAST_BUFFER, bufferBytes / Math.max(4, sizes)));
    const fetching: Fetching = {
      topic,
      partition,
      wanted: () => (paused || feed.isFull || !feed.isOpen ? undefined : feed.expected),
      take: (bytes, aborted) => {
        const first = Number(beginOf(bytes) ?? 0);
        if (first <= feed.expected) {
          feed.take(bytes, aborted);
          return;
        }
        paused = true;
        void this.#missed(open, first)
          .then((missed) => {
            if (!missed) feed.take(bytes, aborted);
          })
          // It is fetched again.
          .catch(() => undefined)
          .finally(() => {
            paused = false;
            this.#fetcher!.wake();
          });
      },
      outOfRange: () => void this.#leftRange(open),
    };
    const open: Open = { feed, stream, topic, partition, topicId, fetching };
    this.#open.set(partitionKey(topic, partition), open);
    this.#read.set(stream, markOf(topicId));
    this.#fetcher!.add(fetching);
  }

  /** The place of an open feed is said not to be in its log any more. */
  async #leftRange(open: Open): Promise<void> {
    const { topic, partition, stream, feed } = open;
    const generation = this.#generation;
    const isOver = (): boolean => generation !== this.#generation || this.#stopping !== undefined;
    while (!isOver())
      try {
        this.#log!.forgetId(stream);
        const topicId = await this.#tables!.identify(stream);
        if (topicId !== open.topicId) {
          await this.#recreated(stream, topicId);
          return;
        }
        const { low, high } = (await this.#rangeOf(topic, partition)) ?? { low: 0n, high: 0n };
        if (isOver()) return;
        if (feed.expected >= low && feed.expected <= high) {
          // A former leader said it, which did not know yet that it leads no more.
          await pause(jittered(RETRY_MS));
          if (!isOver() && feed.isOpen) this.#fetcher!.add(open.fetching);
          return;
        }
        const found = { feed: feed.name, wanted: String(feed.expected), low: String(low), high: String(high) };
        if (feed.expected < low) {
          tellRange({ ...found, why: 'retention' }, this.#options, this.#lines);
          feed.skipTo(Number(low));
          this.#fetcher!.add(open.fetching);
          return;
        }
        await this.#revoke([open], this.#sessionMs / 2);
        if (isOver()) return;
        tellRange({ ...found, why: 'truncated' }, this.#options, this.#lines);
        this.#openFeed({ topic, partition, topicId, from: Number(low), above: undefined });
        return;
      } catch (error) {
        if (error instanceof KafkaSourceFault || isFinal(error)) {
          this.#fail(error);
          return;
        }
        this.#options.report?.clientError?.(innermostMessage(error));
        await pause(jittered(RETRY_MS));
      }
  }

  async #rangeOf(topic: string, partition: number): Promise<{ low: bigint; high: bigint } | undefined> {
    const ranges = await this.#log!.describe(topic.slice(this.#prefix.length));
    return ranges.find((r) => r.partition === partition);
  }

  /** Another topic has the name of the stream: all its partitions are read from their beginning, or the source ends. Several of them notice it. */
  #recreated(stream: string, topicId: string): Promise<void> {
    let running = this.#renewing.get(stream);
    if (running === undefined) {
      running = this.#renew(stream, topicId).finally(() => this.#renewing.delete(stream));
      this.#renewing.set(stream, running);
    }
    return running;
  }

  async #renew(stream: string, topicId: string): Promise<void> {
    const opens = [...this.#open.values()].filter((o) => o.stream === stream && o.topicId !== topicId);
    const [first] = opens;
    if (first === undefined) return;
    const generation = this.#generation;
    // First: what can fail leaves the partitions open, and they are looked at again.
    const ranges = new Map((await this.#log!.describe(stream)).map((range) => [range.partition, range]));
    await this.#revoke(opens, this.#sessionMs / 2);
    if (generation !== this.#generation || this.#stopping !== undefined) return;
    const range = ranges.get(first.partition) ?? { low: 0n, high: 0n };
    tellRecreated(stream, first.feed.expected, range, this.#options, this.#lines);
    for (const { topic, partition } of opens) {
      const from = Number(ranges.get(partition)?.low ?? 0);
      this.#openFeed({ topic, partition, topicId, from, above: undefined });
    }
  }

  /** A topic that was made again has other events at the same offsets. */
  async #identifyAll(): Promise<void> {
    for (const stream of new Set([...this.#open.values()].map((open) => open.stream)))
      try {
        await this.#recreated(stream, await this.#tables!.identify(stream));
      } catch (error) {
        if (error instanceof KafkaSourceFault) this.#fail(error);
        // Anything else is asked again in 5 s.
      }
    await this.#mark();
  }

  /** Not right after a join: all members are to read the former marks. */
  async #mark(): Promise<void> {
    const marks = new Map(this.#marks);
    for (const { stream, topicId } of this.#open.values()) marks.set(stream, markOf(topicId));
    const metadata = marksText(marks);
    const isOld = performance.now() - this.#markedAt > REMARK_MS;
    if (marks.size === 0 || (metadata === marksText(this.#marks) && !isOld)) return;
    try {
      await this.#consumer!.commitOffsets([{ topic: this.#prefix + MARKED, partition: 0, offset: '0', metadata }]);
      this.#marks = marks;
      this.#markedAt = performance.now();
    } catch {
      // Stored again in 5 s.
    }
  }

  #revokeAll(withinMs: number): Promise<void> {
    this.#generation++;
    return this.#revoke([...this.#open.values()], withinMs);
  }

  async #revoke(opens: readonly Open[], withinMs: number): Promise<void> {
    await Promise.all(
      opens.map(async ({ feed, topic, partition, fetching }) => {
        const key = partitionKey(topic, partition);
        this.#fetcher?.remove(fetching);
        feed.halt();
        await this.#sink!.revoke(feed.name, withinMs).catch(() => undefined);
        feed.close();
        if (this.#open.get(key)?.feed === feed) this.#open.delete(key);
      }),
    );
  }

  #fail(error: unknown): void {
    if (this.#stopping !== undefined) return;
    this.#stopping = (async () => {
      const fault = await explained(error, this.#log, this.#topics, this.#options);
      await this.#revokeAll(0);
      await this.#close();
      this.#ended.reject(fault);
    })();
  }

  async #close(): Promise<void> {
    for (const reach of [this.#reach, this.#hub, this.#schemas]) reach.close();
    clearInterval(this.#identifying);
    this.#generation++;
    await this.#fetcher?.close();
    await Promise.allSettled([this.#consumer?.disconnect(), this.#tables?.close()]);
    await this.#log?.close().catch(() => undefined);
  }
}
