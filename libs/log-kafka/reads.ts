import { pause } from '#concurrency';
import { partitionKey } from '#event';
import { Fault } from '#faults';
import { bytesOf, type LogRecord, type PartitionRange, type ReadAnswer, type ReadLimits, type RecordBatch } from '#log';
import { BrokerReads } from './broker-reads.js';
import { Fetcher } from './fetch.js';
import type { KafkaLogOptions } from './options.js';
import type { ClusterClient } from './platformatic/index.js';
import { EARLIEST, LATEST } from './protocol.js';
import { retry, unavailable } from './retry.js';
import type { Topics } from './topics.js';
import type { TopicShape } from './types.js';

const MAX_RECORDS = 500;
const MAX_BYTES = 1_048_576;
/** How long a read looks for the leader of its partition before it throws `log_unavailable`. */
const LEADER_MS = 10_000;
const LEADER_RETRY_MS = 100;
const OFFSETS_MS = 10_000;
/** Records of a fetch beyond the limits of a read are kept for the read that goes on there, so that they are not fetched twice. */
const LEFTOVER_MS = 5_000;
const MAX_LEFTOVERS = 64;

interface Leftover {
  readonly from: bigint;
  readonly records: readonly LogRecord[];
  readonly next: bigint;
  readonly low: bigint;
  readonly high: bigint;
  /** When it was fetched, ms since 1970. */
  readonly at: number;
}

/** The id of a topic as the port gives it: the UUID without hyphens. */
export function publicId(uuid: string): string {
  return uuid.replaceAll('-', '');
}

/** Stateless reads at the leaders of the partitions. Names of topics are Kafka's own, with the prefix of the deployment. */
export class Reads {
  readonly #topics: Topics;
  readonly #cluster: ClusterClient;
  readonly #fetcher: Fetcher;
  readonly #longPollFetcher: Fetcher;
  readonly #brokers = new Map<number, BrokerReads>();
  readonly #leftovers = new Map<string, Leftover>();
  #closed = false;

  constructor(options: KafkaLogOptions, cluster: ClusterClient, topics: Topics) {
    this.#topics = topics;
    this.#cluster = cluster;
    this.#fetcher = new Fetcher(options, 'read');
    this.#longPollFetcher = new Fetcher(options, 'wait');
  }

  async read(topic: string, partition: number, from: bigint, limits: ReadLimits = {}): Promise<ReadAnswer> {
    const { waitMs = 0, signal } = limits;
    const until = Date.now() + waitMs;
    let giveUp: number | undefined;
    for (;;) {
      const { id, leaders } = await this.#shapeFor(topic, limits.topicId);
      const topicId = publicId(id);
      if (limits.topicId !== undefined && !topicId.startsWith(limits.topicId)) return { kind: 'recreated', topicId };
      const leader = leaders[partition];
      if (leader === undefined || partition < 0)
        throw new Fault('wrong_partition', { detail: `${topic}/${partition}` });
      const leftover = this.#takeLeftover(partitionKey(id, partition), from);
      if (leftover) return this.#cut(id, partition, leftover, limits);
      let cause: unknown = new Error(`${topic}/${partition} has no leader`);
      try {
        const reads = await this.#readsAt(leader);
        const left = Math.max(0, until - Date.now());
        const fetched = reads && (await reads.read(id, partition, from, left, signal));
        if (fetched?.kind === 'records') return this.#cut(id, partition, { ...fetched, from, at: Date.now() }, limits);
        if (fetched?.kind === 'empty')
          return { kind: 'records', topicId, records: [], next: from, low: fetched.low, high: fetched.high };
        if (fetched?.kind === 'out_of_range') {
          const range = await this.range(topic, partition);
          // the log may have grown up to this offset since the fetch
          if (from < range.low || from > range.high) return { kind: 'out_of_range', low: range.low, high: range.high };
        } else if (fetched) cause = fetched.cause;
      } catch (error) {
        if (error instanceof Fault && error.code !== 'log_unavailable') throw error;
        cause = error;
      }
      giveUp ??= Date.now() + LEADER_MS;
      if (this.#closed || Date.now() > giveUp) throw unavailable(cause);
      if (signal?.aborted) return { kind: 'records', topicId, records: [], next: from, low: 0n, high: from };
      await pause(LEADER_RETRY_MS, signal);
      this.#topics.forgetBrokers();
      await this.#topics.refresh(topic).catch((error: unknown) => {
        if (error instanceof Fault && error.code === 'unknown_topic') throw error;
      });
    }
  }

  /** The metadata; asked anew when the reader believes in another topic, because the cache may be the older of the two. */
  async #shapeFor(topic: string, believed: string | undefined): Promise<TopicShape> {
    const shape = await this.#topics.shape(topic);
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
    return retry(OFFSETS_MS, async () => {
      const found = await Promise.all(times.map((time) => this.#cluster.offsets(topic, partitions, time)));
      if (found.some((f) => partitions.some((p) => f[p] === undefined))) throw new Error(`no offsets of ${topic}`);
      return found;
    });
  }

  /** This process has appended records: parked reads of the partition fetch now. */
  wake(topicId: string, partition: number): void {
    const key = partitionKey(topicId, partition);
    for (const reads of this.#brokers.values()) reads.wake(key);
  }

  async #readsAt(leader: number): Promise<BrokerReads | undefined> {
    const known = this.#brokers.get(leader);
    if (known && this.#topics.knowsBroker(leader)) return known;
    const broker = await this.#topics.broker(leader);
    if (!broker) return undefined;
    const now = this.#brokers.get(leader);
    if (now?.isAt(broker)) return now;
    const reads = new BrokerReads(broker, this.#fetcher, this.#longPollFetcher);
    this.#brokers.set(leader, reads);
    now?.close();
    return reads;
  }

  #takeLeftover(key: string, from: bigint): Leftover | undefined {
    const leftover = this.#leftovers.get(key);
    if (!leftover) return undefined;
    const old = Date.now() - leftover.at > LEFTOVER_MS;
    if (old || leftover.from === from) this.#leftovers.delete(key);
    return leftover.from === from && !old ? leftover : undefined;
  }

  /** The records within the limits of the read; the others are kept for the read that goes on behind them. */
  #cut(id: string, partition: number, leftover: Leftover, limits: ReadLimits): RecordBatch {
    const topicId = publicId(id);
    const key = partitionKey(id, partition);
    const { maxRecords = MAX_RECORDS, maxBytes = MAX_BYTES } = limits;
    const all = leftover.records;
    let count = 0;
    for (let bytes = 0; count < all.length && count < maxRecords; count++) {
      bytes += bytesOf(all[count]!);
      if (count > 0 && bytes > maxBytes) break;
    }
    const { low, high } = leftover;
    if (count >= all.length) return { kind: 'records', topicId, records: all, next: leftover.next, low, high };
    const records = all.slice(0, count);
    const next = records.at(-1)!.offset + 1n;
    if (this.#leftovers.size >= MAX_LEFTOVERS) this.#leftovers.delete(this.#leftovers.keys().next().value!);
    this.#leftovers.set(key, {
      from: next,
      records: all.slice(count),
      next: leftover.next,
      low,
      high,
      at: leftover.at,
    });
    return { kind: 'records', topicId, records, next, low, high };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const reads of this.#brokers.values()) reads.close();
    await Promise.allSettled([this.#fetcher.close(), this.#longPollFetcher.close()]);
  }
}
