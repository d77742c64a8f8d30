import { jittered, pause } from '#concurrency';
import { partitionKey } from '#event';
import { Fault } from '#faults';
import { isControlTopic, type PartitionRange, type ReadAnswer, type ReadLimits, type RecordBatch } from '#log';
import { BrokerReads } from './broker-reads.js';
import { FetchCache, type Fetched } from './fetch-cache.js';
import { endOf, takeRecords, type FetchPlace } from '#kafka-records';
import { Fetcher } from './fetch.js';
import type { KafkaLogOptions } from './options.js';
import { codecs, type ClusterClient } from './platformatic/index.js';
import { EARLIEST, LATEST } from './protocol.js';
import { retry, unavailable } from './retry.js';
import { StableWatch } from './stable-watch.js';
import type { Topics } from './topics.js';
import type { FetchPosition, TopicShape } from './types.js';

const MAX_RECORDS = 500;
const MAX_BYTES = 1_048_576;
/** How long a read looks for the leader of its partition before it throws `log_unavailable`. */
const LEADER_MS = 10_000;
const LEADER_RETRY_MS = 100;
const OFFSETS_MS = 10_000;
/** A read asks for at least so much: one round trip costs more than these bytes. A broker gives the first batch whole, whatever its size (KIP-74). */
const LEAST_FETCH_BYTES = 65_536;
const LEAST_FETCH_BYTES_OF_ONE = 16_384;
/** A reader that goes on where a fetch ended gets twice what that one asked for, up to this: so many bytes of each partition wait for its next pages. */
const AHEAD_BYTES = 262_144;
/** Bytes of a record while no record of the topic has been read. */
const USUAL_RECORD_BYTES = 1_000;
/** The weight of a read in the mean size of the records of its topic. */
const SIZE_WEIGHT = 0.2;
/** The broker says out of range, and the log says that it holds the offset: so often it may be a race with an append or a change of leaders. */
const MAX_DOUBTS = 3;
/** In the protocol: no epoch to compare. */
const NO_EPOCH = -1;

/** The id of a topic as the port gives it: the UUID without hyphens. */
export function publicId(uuid: string): string {
  return uuid.replaceAll('-', '');
}

/** Stateless reads at the leaders of the partitions. Names of topics are Kafka's own, with the prefix of the deployment. */
export class Reads {
  readonly #options: KafkaLogOptions;
  readonly #topics: Topics;
  readonly #cluster: ClusterClient;
  readonly #fetcher: Fetcher;
  /** Kafka answers the requests of a connection in order, and the isolation level belongs to a request: streams and control topics each have a long poll. */
  readonly #longPolls: { readonly committed: Fetcher; readonly uncommitted: Fetcher };
  /** By broker and isolation level. */
  readonly #brokers = new Map<string, BrokerReads>();
  readonly #cache = new FetchCache();
  /** The end of the last append of this process, by partition key. */
  readonly #appended = new Map<string, bigint>();
  readonly #watch: StableWatch;
  /** Name of the topic by its UUID. */
  readonly #names = new Map<string, string>();
  /** Mean bytes of a record as it lies in a batch, by UUID of the topic. */
  readonly #recordBytes = new Map<string, number>();
  /** By partition key: where the last fetch ended, and how much it asked for. */
  readonly #lastFetches = new Map<string, { readonly end: bigint; readonly bytes: number }>();
  #closed = false;

  constructor(options: KafkaLogOptions, cluster: ClusterClient, topics: Topics) {
    this.#options = options;
    this.#topics = topics;
    this.#cluster = cluster;
    this.#fetcher = new Fetcher(options, 'read');
    this.#longPolls = { committed: new Fetcher(options, 'wait'), uncommitted: new Fetcher(options, 'wait') };
    this.#watch = new StableWatch((open) => options.report?.transactionOpen?.(open));
  }

  async read(topic: string, partition: number, from: bigint, limits: ReadLimits = {}): Promise<ReadAnswer> {
    const { waitMs = 0, signal, lastEpoch } = limits;
    const place = { from, lastEpoch };
    const until = performance.now() + waitMs;
    let giveUp: number | undefined;
    let doubts = 0;
    for (;;) {
      const { id, leaders, epochs } = await this.#shapeFor(topic, limits.topicId);
      const topicId = publicId(id);
      if (limits.topicId !== undefined && !topicId.startsWith(limits.topicId)) return { kind: 'recreated', topicId };
      const leader = leaders[partition];
      if (leader === undefined || partition < 0)
        throw new Fault('wrong_partition', { detail: `${topic}/${partition}` });
      const kept = this.#cache.find(partitionKey(id, partition), place);
      if (kept) {
        // a batch never tells an end that is lower than one that was told before
        const known = this.#brokers.get(this.#brokerKey(leader, topic))?.rangeOf(partitionKey(id, partition));
        const now = known && known.high > kept.high ? { ...kept, low: known.low, high: known.high } : kept;
        return this.#take(topic, id, partition, place, now, limits);
      }
      const end = { kind: 'records', topicId, records: [], next: from, ...(lastEpoch === undefined ? {} : { lastEpoch }) } as const; // prettier-ignore
      let cause: unknown = new Error(`${topic}/${partition} has no leader`);
      try {
        const reads = await this.#readsAt(leader, topic);
        const position: FetchPosition = {
          topicId: id,
          partition,
          from,
          maxBytes: this.#bytesFor(id, partitionKey(id, partition), from, limits),
          leaderEpoch: epochs[partition] ?? NO_EPOCH,
          lastEpoch: lastEpoch ?? NO_EPOCH,
        };
        const answer = reads && (await reads.read(position, Math.max(0, until - performance.now()), signal));
        if (answer?.kind === 'records') {
          const fetched = endOf(answer.batches.bytes) ?? from;
          this.#lastFetches.set(partitionKey(id, partition), { end: fetched, bytes: position.maxBytes });
          return this.#take(topic, id, partition, place, { ...answer, place }, limits);
        }
        if (answer?.kind === 'empty') return { ...end, low: answer.low, high: answer.high };
        if (answer?.kind === 'diverging') return truncatedAt(from, answer.end);
        if (answer?.kind === 'out_of_range') {
          const range = await this.range(topic, partition);
          if (from < range.low || from > range.high) return { kind: 'out_of_range', low: range.low, high: range.high };
          // the log may have grown up to this offset since the fetch. It also says so when it has never had the epoch of the last record
          if (lastEpoch !== undefined && ++doubts >= MAX_DOUBTS) return truncatedAt(from, from);
          cause = new Error(`offset ${from} is out of range`);
        } else if (answer) cause = answer.cause;
      } catch (error) {
        if (error instanceof Fault && error.code !== 'log_unavailable') throw error;
        cause = error;
      }
      giveUp ??= performance.now() + LEADER_MS;
      if (this.#closed || performance.now() > giveUp) throw unavailable(cause);
      if (signal?.aborted) return { ...end, low: 0n, high: from };
      await pause(jittered(LEADER_RETRY_MS), signal);
      this.#topics.forgetBrokers();
      await this.#topics.refresh(topic).catch((error: unknown) => {
        if (error instanceof Fault && error.code === 'unknown_topic') throw error;
      });
    }
  }

  /** The metadata; asked anew when the reader believes in another topic, because the cache may be the older of the two. */
  async #shapeFor(topic: string, believed: string | undefined): Promise<TopicShape> {
    const shape = await this.#topics.shape(topic);
    if (!this.#names.has(shape.id)) this.#names.set(shape.id, topic);
    if (believed === undefined || publicId(shape.id).startsWith(believed)) return shape;
    return this.#topics.refresh(topic);
  }

  /** Low and high offset of every partition. Throws Fault `unknown_topic`, `log_unavailable`. */
  async ranges(topic: string): Promise<PartitionRange[]> {
    const { leaders } = await this.#topics.refresh(topic);
    const partitions = leaders.map((_, p) => p);
    const [low, high] = await this.#offsets(topic, partitions, [EARLIEST, LATEST]);
    return partitions.map((p) => ({ partition: p, low: low![p]!, high: high![p]! }));
  }

  async range(topic: string, partition: number): Promise<{ low: bigint; high: bigint }> {
    const [low, high] = await this.#offsets(topic, [partition], [EARLIEST, LATEST]);
    return { low: low![partition]!, high: high![partition]! };
  }

  async offsetAt(topic: string, partition: number, timeMs: number): Promise<bigint> {
    const { leaders } = await this.#topics.shape(topic);
    if (leaders[partition] === undefined) throw new Fault('wrong_partition', { detail: `${topic}/${partition}` });
    const time = BigInt(Math.max(0, Math.ceil(timeMs)));
    const [at, high] = await this.#offsets(topic, [partition], [time, LATEST]);
    return at![partition]! < 0n ? high![partition]! : at![partition]!;
  }

  #offsets(topic: string, partitions: readonly number[], times: readonly bigint[]): Promise<bigint[][]> {
    const committed = this.#isControl(topic);
    return retry(OFFSETS_MS, async () => {
      const found = await Promise.all(times.map((time) => this.#cluster.offsets(topic, partitions, time, committed)));
      if (found.some((f) => partitions.some((p) => f[p] === undefined))) throw new Error(`no offsets of ${topic}`);
      return found;
    });
  }

  /**
   * The ranges as the answers to reads have told them in the last `maxAgeMs`, and no lower than what this process has appended. undefined: not of every
   * partition. Throws as Topics.shape().
   */
  async recentRanges(topic: string, maxAgeMs: number): Promise<PartitionRange[] | undefined> {
    const { id, leaders } = await this.#topics.shape(topic);
    const oldest = performance.now() - maxAgeMs;
    const ranges: PartitionRange[] = [];
    for (const [partition, leader] of leaders.entries()) {
      const key = partitionKey(id, partition);
      const known = this.#brokers.get(this.#brokerKey(leader, topic))?.rangeOf(key);
      if (known === undefined || known.at < oldest) return undefined;
      const appended = this.#appended.get(key) ?? 0n;
      ranges.push({ partition, low: known.low, high: appended > known.high ? appended : known.high });
    }
    return ranges;
  }

  /** This process has appended records up to `end`: parked reads of the partition fetch now. */
  wake(topicId: string, partition: number, end: bigint): void {
    const key = partitionKey(topicId, partition);
    this.#appended.set(key, end);
    for (const reads of this.#brokers.values()) reads.wake(key);
  }

  async #readsAt(leader: number, topic: string): Promise<BrokerReads | undefined> {
    const committed = this.#isControl(topic);
    const key = this.#brokerKey(leader, topic);
    const known = this.#brokers.get(key);
    if (known && this.#topics.knowsBroker(leader)) return known;
    const broker = await this.#topics.broker(leader);
    if (!broker) return undefined;
    const now = this.#brokers.get(key);
    if (now?.isAt(broker)) return now;
    const reads = new BrokerReads({
      broker,
      fetcher: this.#fetcher,
      longPollFetcher: this.#longPolls[committed ? 'committed' : 'uncommitted'],
      committed,
      seen: (partKey, { topicId, partition, lastStable, highWatermark }) =>
        this.#watch.seen(partKey, {
          topic: this.#portName(this.#names.get(topicId) ?? topicId),
          partition,
          lastStable,
          highWatermark,
        }),
    });
    this.#brokers.set(key, reads);
    now?.close();
    return reads;
  }

  #brokerKey(leader: number, topic: string): string {
    return `${leader} ${this.#isControl(topic)}`;
  }

  /** Only a control topic has transactions of ours. In a stream an open transaction, which is foreign, must not hide what is acknowledged behind it. */
  #isControl(topic: string): boolean {
    return isControlTopic(this.#portName(topic));
  }

  #portName(topic: string): string {
    return topic.slice(this.#options.prefix?.length ?? 0);
  }

  /**
   * How much to ask for: what the read needs, by the mean size of the records; a read of a whole batch takes what one answer may hold. A reader that goes on
   * where the last fetch ended gets more each time, because a round trip costs the same for any number of bytes; not while much is kept that nobody has read.
   */
  #bytesFor(
    id: string,
    key: string,
    from: bigint,
    { maxRecords = MAX_RECORDS, maxBytes = MAX_BYTES }: ReadLimits,
  ): number {
    if (maxRecords >= MAX_RECORDS) return MAX_BYTES;
    if (maxRecords <= 1) return LEAST_FETCH_BYTES_OF_ONE;
    const wanted = Math.min(maxBytes, maxRecords * (this.#recordBytes.get(id) ?? USUAL_RECORD_BYTES));
    const needed = Math.ceil(Math.min(MAX_BYTES, Math.max(LEAST_FETCH_BYTES, wanted * 1.1)));
    const last = this.#lastFetches.get(key);
    if (last?.end !== from || !this.#cache.hasRoom) return needed;
    return Math.max(needed, Math.min(AHEAD_BYTES, last.bytes * 2));
  }

  /** The records within the limits of the read; the others are kept, as bytes, for the read that goes on there. */
  #take(
    topic: string,
    id: string,
    partition: number,
    place: FetchPlace,
    fetched: Fetched,
    { maxRecords = MAX_RECORDS, maxBytes = MAX_BYTES }: ReadLimits,
  ): RecordBatch {
    const { batches, low, high } = fetched;
    const taken = takeRecords(batches, place, { maxRecords: Math.max(1, maxRecords), maxBytes }, codecs);
    const { records, next, lastEpoch, size, unreadable } = taken;
    if (records.length > 0) this.#learnSize(id, size / records.length);
    if (unreadable) this.#options.report?.batchUnreadable?.(this.#portName(topic), partition, unreadable);
    // whoever asks for one record does not read on
    if (maxRecords > 1) this.#cache.keep(partitionKey(id, partition), fetched, next);
    const epoch = lastEpoch === undefined ? {} : { lastEpoch };
    return { kind: 'records', topicId: publicId(id), records, next, ...epoch, low, high };
  }

  #learnSize(id: string, bytes: number): void {
    const known = this.#recordBytes.get(id);
    this.#recordBytes.set(id, known === undefined ? bytes : known + (bytes - known) * SIZE_WEIGHT);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const reads of this.#brokers.values()) reads.close();
    this.#cache.close();
    this.#watch.close();
    await Promise.allSettled(
      [this.#fetcher, this.#longPolls.committed, this.#longPolls.uncommitted].map((f) => f.close()),
    );
  }
}

/** `end`: where the log of the leader ends in the epochs that the reader knows. The record before `from` differs in any case. */
function truncatedAt(from: bigint, end: bigint): ReadAnswer {
  const last = from > 0n ? from - 1n : 0n;
  return { kind: 'truncated', from: end >= 0n && end < last ? end : last };
}
