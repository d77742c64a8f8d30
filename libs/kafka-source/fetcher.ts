import { jittered, pause, withDeadline } from '#concurrency';
import { partitionKey } from '#event';
import type { AbortedTransaction } from '#kafka-records';
import type { Broker, Cluster } from 'kafkajs';
import { createRequire } from 'node:module';
import { isFinal } from './cluster-log.js';
import { fetchRecords, type FetchedPartition } from './fetch-request.js';

/** Longest wait of a fetch: also how long a partition may wait for its next fetch when its buffer has room again. */
const MAX_WAIT_MS = 200;
const MAX_BYTES = 8 * 1_048_576;
const PARTITION_BYTES = 1_048_576;
const RETRY_MS = 500;
const CLOSE_MS = 1_000;
const OFFSET_OUT_OF_RANGE = 1;
const LEADER_NOT_AVAILABLE = 5;
const NO_LEADER = '-1';

const require = createRequire(import.meta.url);
const { createErrorFromCode } = require('kafkajs/src/protocol/error') as { createErrorFromCode(code: number): Error };

/** A partition that is read, by the names of Kafka. */
export interface Fetching {
  readonly topic: string;
  readonly partition: number;
  /** The next offset that it needs; undefined: nothing now. After a change from undefined call wake(). */
  wanted(): number | undefined;
  /** Record batches from that offset on. Never when it has changed meanwhile. When it wants the same offset after them, it is asked again after a while. */
  take(bytes: Buffer, aborted: readonly AbortedTransaction[]): void;
  /** That offset is not in the log. It is removed before. */
  outOfRange(): void;
}

export interface FetcherReport {
  /** No partition is without an answer. */
  answered(): void;
  /** It is asked again. */
  failed(error: unknown): void;
  /** The same request would fail again. Nothing is asked any more. */
  refused(error: unknown): void;
}

/**
 * Reads partitions over the connections of a cluster of kafkajs: one fetch at a time for all partitions of a broker that want records. Brokers that are away, and
 * leaders that move, are waited for; meanwhile the partitions of other brokers go on.
 */
export class Fetcher {
  readonly #cluster: Cluster;
  readonly #told: FetcherReport;
  readonly #reads = new Set<Fetching>();
  /** Not asked before the metadata were asked for again. */
  readonly #resting = new Set<Fetching>();
  /** Failed, and not answered since. */
  readonly #failing = new Set<Fetching>();
  /** By node id. */
  readonly #loops = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();
  #isRecovering = false;
  #recovered: Promise<void> = Promise.resolve();

  constructor(cluster: Cluster, told: FetcherReport) {
    this.#cluster = cluster;
    this.#told = told;
  }

  add(read: Fetching): void {
    if (this.#closing.signal.aborted) return;
    this.#reads.add(read);
    this.wake();
  }

  remove(read: Fetching): void {
    this.#reads.delete(read);
    this.#resting.delete(read);
    this.#failing.delete(read);
  }

  /** A partition wants records again. */
  wake(): void {
    if (this.#closing.signal.aborted) return;
    for (const [leader, reads] of this.#byLeader())
      if (leader === NO_LEADER) this.#rest(reads, createErrorFromCode(LEADER_NOT_AVAILABLE));
      else if (!this.#loops.has(leader)) {
        const ended = this.#loop(leader).finally(() => {
          this.#loops.delete(leader);
          // What was led by this broker may have another leader now.
          this.wake();
        });
        this.#loops.set(leader, ended);
      }
  }

  /** Nothing is taken from now on. */
  async close(): Promise<void> {
    this.#end();
    const ended = Promise.all([...this.#loops.values(), this.#recovered]);
    const isLate = await withDeadline(
      ended.then(() => false),
      CLOSE_MS,
      () => true,
    );
    // A look for a broker that was under way may have made a connection behind the disconnect of the consumer.
    if (isLate) void ended.then(() => this.#cluster.disconnect()).catch(() => undefined);
  }

  #end(): void {
    this.#closing.abort();
    for (const reads of [this.#reads, this.#resting, this.#failing]) reads.clear();
  }

  #byLeader(): Map<string, Fetching[]> {
    const all = new Map<string, Fetching[]>();
    for (const read of this.#reads) {
      if (this.#resting.has(read) || read.wanted() === undefined) continue;
      const leader = this.#leaderOf(read);
      const reads = all.get(leader);
      if (reads === undefined) all.set(leader, [read]);
      else reads.push(read);
    }
    return all;
  }

  #leaderOf({ topic, partition }: Fetching): string {
    try {
      return Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]))[0] ?? NO_LEADER;
    } catch {
      // The metadata names no leader, or is not loaded.
      return NO_LEADER;
    }
  }

  async #loop(leader: string): Promise<void> {
    await Promise.resolve();
    for (let turn = 0; !this.#closing.signal.aborted; turn++) {
      const reads = this.#byLeader().get(leader);
      if (reads === undefined) return;
      const at = turn % reads.length;
      const began = performance.now();
      try {
        // A broker fills its answer in this order.
        const hasMore = await this.#fetch(leader, [...reads.slice(at), ...reads.slice(0, at)]);
        // A broker waits itself when it has nothing.
        if (!hasMore && performance.now() - began < MAX_WAIT_MS / 2) await pause(MAX_WAIT_MS / 2, this.#closing.signal);
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        if (isFinal(error)) {
          this.#end();
          this.#told.refused(error);
          return;
        }
        this.#rest(reads, error);
      }
    }
  }

  /** Whether something came. Rejects with errors of kafkajs. */
  async #fetch(nodeId: string, reads: readonly Fetching[]): Promise<boolean> {
    const broker = await this.#cluster.findBroker({ nodeId });
    if (this.#closing.signal.aborted) {
      await broker.disconnect();
      return true;
    }
    const wanted = reads.map((read) => ({ read, topic: read.topic, partition: read.partition, from: read.wanted() }));
    const asked = wanted.filter((w): w is (typeof wanted)[number] & { from: number } => w.from !== undefined);
    if (asked.length === 0) return true;
    const answer = await this.#ask(broker, asked);
    if (answer.error !== 0) throw errorOf(answer.error);
    const found = new Map(answer.partitions.map((p) => [partitionKey(p.topic, p.partition), p]));
    let hasMore = false;
    for (const { read, topic, partition, from } of asked) {
      if (!this.#reads.has(read) || read.wanted() !== from) continue;
      const part = found.get(partitionKey(topic, partition));
      const failed =
        part === undefined ? new Error(`no answer for ${topic}/${partition}`) : this.#take(read, from, part);
      if (failed === undefined) this.#failing.delete(read);
      else this.#rest([read], failed);
      hasMore ||= failed === undefined && part!.records.length > 0;
    }
    if (this.#failing.size === 0) this.#told.answered();
    return hasMore;
  }

  async #ask(broker: Broker, asked: Parameters<typeof fetchRecords>[1]): ReturnType<typeof fetchRecords> {
    try {
      const limits = { maxWaitMs: MAX_WAIT_MS, maxBytes: MAX_BYTES, partitionBytes: PARTITION_BYTES };
      return await fetchRecords(broker, asked, limits);
    } catch (error) {
      // Both connections are made anew: one that does not answer may be dead without a word.
      const { name } = error as { name?: unknown };
      if (name === 'KafkaJSConnectionClosedError' || name === 'KafkaJSRequestTimeoutError') await broker.disconnect();
      throw error;
    }
  }

  /** Why it is to be asked again later. Throws what is final. */
  #take(read: Fetching, from: number, { error, records, aborted }: FetchedPartition): Error | undefined {
    if (error === OFFSET_OUT_OF_RANGE) {
      this.remove(read);
      read.outOfRange();
      return undefined;
    }
    if (error !== 0) {
      const failed = errorOf(error);
      if (isFinal(failed)) throw failed;
      return failed;
    }
    if (records.length === 0) return undefined;
    read.take(owned(records), aborted);
    if (read.wanted() !== from) return undefined;
    return new Error(`no whole record batch at ${read.topic}/${read.partition}/${from}`);
  }

  /** They are asked again after a while, at the leaders that the cluster names then. */
  #rest(reads: readonly Fetching[], error: unknown): void {
    for (const read of reads)
      if (this.#reads.has(read)) {
        this.#resting.add(read);
        this.#failing.add(read);
      }
    this.#told.failed(error);
    if (!this.#isRecovering) this.#recovered = this.#recover();
  }

  async #recover(): Promise<void> {
    this.#isRecovering = true;
    const { signal } = this.#closing;
    while (this.#resting.size > 0 && !signal.aborted) {
      const waiting = [...this.#resting];
      await pause(jittered(RETRY_MS), signal);
      if (signal.aborted) break;
      await this.#cluster.refreshMetadata().catch((error: unknown) => this.#told.failed(error));
      for (const read of waiting) this.#resting.delete(read);
      this.wake();
    }
    this.#isRecovering = false;
  }
}

/** What kafkajs takes for final only because the code says nothing, is asked again. */
function errorOf(code: number): Error {
  const error = createErrorFromCode(code) as Error & { type?: string; retriable?: boolean };
  if (error.type === 'UNKNOWN' || error.type === 'KAFKAJS_UNKNOWN_ERROR_CODE') error.retriable = true;
  return error;
}

/** A view would keep the whole answer in memory for as long as one partition keeps its part of it. */
function owned(records: Buffer): Buffer {
  if (2 * records.length >= records.buffer.byteLength) return records;
  const own = Buffer.allocUnsafeSlow(records.length);
  records.copy(own);
  return own;
}
