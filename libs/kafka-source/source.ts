import { deferred, withDeadline } from '#concurrency';
import type { EventSource, Interest, Sink } from '#consuming';
import { isTypeName, streamOf } from '#event';
import { innermostMessage } from '#faults';
import { hookJoin, kafkaClient } from '#kafka-client';
import type { Consumer } from 'kafkajs';
import { ClusterLog, clusterOf, isFinal } from './cluster-log.js';
import { forbidden } from './faults.js';
import { Fetcher } from './fetcher.js';
import { Lines, type MissingSchema } from './lines.js';
import type { KafkaCounts, KafkaOptions } from './options.js';
import { Partitions } from './partitions.js';
import { Reach } from './reach.js';
import { explained, unknownType, untilOpened } from './start.js';
import { CONTROL_TOPICS, Tables } from './tables.js';

const SESSION_MS = 30_000;
const START_MS = 30_000;
const PATIENCE_MS = 30_000;
/** How long Kafka may fail before it is told: an election of a leader takes less. */
const LOST_MS = 1_000;
/** Pause of the loop of kafkajs, in which it sends heartbeats. */
const LOOP_MS = 200;
const IDENTIFY_MS = 5_000;
const MARK_MS = 1_000;
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

class GroupSource implements KafkaSource {
  readonly counts = { delivered: 0, copies: 0, foreign: 0, damaged: 0 };
  readonly #options: KafkaOptions;
  readonly #prefix: string;
  readonly #sessionMs: number;
  readonly #lines: Lines;
  /** Kafka, the hub, schemas: what is waited for. */
  readonly #reach: Reach;
  readonly #hub: Reach;
  readonly #schemas: Reach;
  readonly #ended = deferred<void>();
  readonly #ready = deferred<void>();
  #sink: Sink | undefined;
  #types: ReadonlySet<string> = new Set();
  #topics: readonly string[] = [];
  #log: ClusterLog | undefined;
  #tables: Tables | undefined;
  #consumer: Consumer | undefined;
  #fetcher: Fetcher | undefined;
  #partitions: Partitions | undefined;
  #identifying: NodeJS.Timeout | undefined;
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
    this.#ended.promise.catch(() => undefined);
  }

  async run(sink: Sink, { types }: Interest): Promise<void> {
    this.#sink = sink;
    this.#types = new Set(types);
    const starting = this.#start(types);
    // stop() does not wait for a start, and what that opens meanwhile would stay open.
    const opened = (): unknown => this.#stopping?.then(() => this.#close());
    starting.then(opened, opened);
    try {
      await Promise.race([starting, this.#ended.promise]);
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
    await withDeadline(this.#partitions?.mark() ?? Promise.resolve(), MARK_MS, () => undefined);
    await this.#partitions?.revokeAll(this.#options.drainMs ?? this.#sessionMs / 2);
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
    if (this.#stopping !== undefined) return;
    for (const type of types)
      if (this.#tables.catalogue.newest(type) === undefined) throw unknownType(type, this.#options);
    await Promise.all(streams.map((s) => this.#tables!.identify(s)));
    this.#tables.onEnd((stream, partition) => this.#partitions?.settled(stream, partition));
    if (this.#stopping !== undefined) return;
    this.#identifying = setInterval(() => void this.#partitions?.identifyAll(), IDENTIFY_MS);
    await this.#join(streams);
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
    const fetcher = new Fetcher(cluster, {
      answered: () => this.#reach.answered('records'),
      failed: (error) => this.#reach.failed('records', error),
      refused: (error) => this.#fail(error),
    });
    this.#fetcher = fetcher;
    const partitions = new Partitions({
      options: this.#options,
      sessionMs: this.#sessionMs,
      sink: this.#sink!,
      types: this.#types,
      counts: this.counts,
      tables: this.#tables!,
      log: this.#log!,
      lines: this.#lines,
      hub: this.#hub,
      schemas: this.#schemas,
      cluster,
      fetcher,
      commit: (offsets) => consumer.commitOffsets(offsets),
      isStopping: () => this.#stopping !== undefined,
      placed: () => this.#ready.resolve(),
      fail: (error) => this.#fail(error),
    });
    this.#partitions = partitions;
    hookJoin(cluster, (lost) =>
      partitions.revokeAll(lost ? 0 : Math.min(this.#options.drainMs ?? Infinity, this.#sessionMs / 2)),
    );
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      // kafkajs gives the membership only. Its own fetches cost more than all that follows, and it jumps to its default place when one is out of range.
      consumer.pause(streams.map((s) => ({ topic: this.#prefix + s })));
      for (const part of ['group', 'records']) this.#reach.answered(part);
      void partitions.assign(payload.memberAssignment);
    });
    consumer.on(consumer.events.HEARTBEAT, () => this.#reach.answered('group'));
    consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
      void partitions.revokeAll(0);
      if (restart) {
        this.#reach.failed('group', error);
        this.#options.report?.rejoining?.(innermostMessage(error));
      } else this.#fail(error);
    });
    const steps = [
      () => consumer.connect(),
      () => consumer.subscribe({ topics: streams.map((s) => this.#prefix + s), fromBeginning: true }),
      () => consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: () => Promise.resolve() }),
    ];
    for (const step of steps) if (this.#stopping === undefined) await step();
  }

  #fail(error: unknown): void {
    if (this.#stopping !== undefined) return;
    this.#stopping = (async () => {
      const fault = await explained(error, this.#log, this.#topics, this.#options);
      await this.#partitions?.revokeAll(0);
      await this.#close();
      this.#ended.reject(fault);
    })();
  }

  async #close(): Promise<void> {
    for (const reach of [this.#reach, this.#hub, this.#schemas]) reach.close();
    clearInterval(this.#identifying);
    this.#partitions?.end();
    await this.#fetcher?.close();
    await Promise.allSettled([this.#consumer?.disconnect(), this.#tables?.close()]);
    await this.#log?.close().catch(() => undefined);
  }
}
