import { jittered, pause, withDeadline } from '#concurrency';
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
const NO_LEADER = '';

const require = createRequire(import.meta.url);
const { createErrorFromCode } = require('kafkajs/src/protocol/error') as { createErrorFromCode(code: number): Error };

/** A partition that is read, by the names of Kafka. */
export interface Fetching {
  readonly topic: string;
  readonly partition: number;
  /** The next offset that it needs; undefined: nothing now. After a change from undefined call wake(). */
  wanted(): number | undefined;
  /** Record batches from that offset on. Never when it has changed meanwhile. */
  take(bytes: Buffer, aborted: readonly AbortedTransaction[]): void;
  /** That offset is not in the log. It must want nothing then. */
  outOfRange(): void;
}

export interface FetcherReport {
  answered(): void;
  /** It is asked again. */
  failed(error: unknown): void;
  /** The same request would fail again. */
  refused(error: unknown): void;
}

/**
 * Reads partitions over the connections of a cluster of kafkajs: one fetch at a time for all partitions of a broker that want records. Brokers that are away, and
 * leaders that move, are waited for.
 */
export class Fetcher {
  readonly #cluster: Cluster;
  readonly #told: FetcherReport;
  readonly #reads = new Set<Fetching>();
  /** By node id. */
  readonly #loops = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(cluster: Cluster, told: FetcherReport) {
    this.#cluster = cluster;
    this.#told = told;
  }

  add(read: Fetching): void {
    this.#reads.add(read);
    this.wake();
  }

  remove(read: Fetching): void {
    this.#reads.delete(read);
  }

  /** A partition wants records again. */
  wake(): void {
    if (this.#closing.signal.aborted) return;
    for (const leader of this.#byLeader().keys())
      if (!this.#loops.has(leader)) {
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
    this.#closing.abort();
    this.#reads.clear();
    await withDeadline(Promise.all(this.#loops.values()), CLOSE_MS, () => undefined);
  }

  #byLeader(): Map<string, Fetching[]> {
    const all = new Map<string, Fetching[]>();
    for (const read of this.#reads) {
      if (read.wanted() === undefined) continue;
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
      try {
        if (leader !== NO_LEADER) {
          const at = turn % reads.length;
          // A broker fills its answer in this order.
          if (await this.#fetch(leader, [...reads.slice(at), ...reads.slice(0, at)])) continue;
        }
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        if (isFinal(error)) {
          this.#told.refused(error);
          return;
        }
        this.#told.failed(error);
      }
      await pause(jittered(RETRY_MS), this.#closing.signal);
      if (!this.#closing.signal.aborted) await this.#cluster.refreshMetadata().catch(() => undefined);
    }
  }

  /** false: a partition has to be looked for. Rejects with errors of kafkajs. */
  async #fetch(nodeId: string, reads: readonly Fetching[]): Promise<boolean> {
    const broker = await this.#cluster.findBroker({ nodeId });
    if (this.#closing.signal.aborted) {
      await broker.disconnect();
      return true;
    }
    const wanted = reads.map((read) => ({ read, topic: read.topic, partition: read.partition, from: read.wanted() }));
    const asked = wanted.filter((w): w is (typeof wanted)[number] & { from: number } => w.from !== undefined);
    const answer = await this.#ask(broker, asked);
    this.#told.answered();
    if (answer.error !== 0) throw createErrorFromCode(answer.error);
    let isWhole = true;
    for (const found of answer.partitions) {
      const one = asked.find((w) => w.partition === found.partition && w.topic === found.topic);
      if (one === undefined || !this.#reads.has(one.read) || one.read.wanted() !== one.from) continue;
      isWhole = this.#take(one.read, found) && isWhole;
    }
    return isWhole;
  }

  async #ask(broker: Broker, asked: Parameters<typeof fetchRecords>[1]): ReturnType<typeof fetchRecords> {
    try {
      const limits = { maxWaitMs: MAX_WAIT_MS, maxBytes: MAX_BYTES, partitionBytes: PARTITION_BYTES };
      return await fetchRecords(broker, asked, limits);
    } catch (error) {
      // As kafkajs does it: both connections are made anew.
      if ((error as { name?: unknown }).name === 'KafkaJSConnectionClosedError') await broker.disconnect();
      throw error;
    }
  }

  #take(read: Fetching, { error, records, aborted }: FetchedPartition): boolean {
    if (error === 0) {
      if (records.length > 0) read.take(records, aborted);
      return true;
    }
    if (error === OFFSET_OUT_OF_RANGE) {
      read.outOfRange();
      return true;
    }
    const failed = createErrorFromCode(error);
    if (isFinal(failed)) throw failed;
    return false;
  }
}
