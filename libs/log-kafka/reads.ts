import { setTimeout as pause } from 'node:timers/promises';
import { Fault } from '#faults';
import { bytesOf, type LogRecord, type OutOfRange, type PartitionRange, type ReadLimits, type RecordBatch } from '#log';
import { Fetcher } from './fetcher.js';
import { BrokerReads } from './fetching.js';
import type { KafkaLogOptions } from './options.js';
import type { Control } from './platformatic.js';
import type { Topics } from './topics.js';
import { trying, unavailable } from './trying.js';

const MAX_RECORDS = 500;
const MAX_BYTES = 1_048_576;
/** How long a read looks for the leader of its partition before it says that the log is unavailable. */
const LEADER_MS = 10_000;
const ASK_MS = 10_000;
/** What one fetch brought beyond the limits of a read is kept for the read that goes on there. */
const REST_MS = 5_000;
const MOST_RESTS = 64;

interface Rest {
  readonly from: bigint;
  readonly records: readonly LogRecord[];
  readonly next: bigint;
  readonly low: bigint;
  readonly high: bigint;
  readonly at: number;
}

/** Stateless reads over the leaders of all partitions. Topic names are Kafka's own. */
export class Reads {
  readonly #topics: Topics;
  readonly #control: Control;
  readonly #quick: Fetcher;
  readonly #long: Fetcher;
  readonly #brokers = new Map<number, BrokerReads>();
  readonly #rests = new Map<string, Rest>();
  #version: Promise<number> | undefined;
  #closed = false;

  constructor(options: KafkaLogOptions, control: Control, topics: Topics) {
    this.#topics = topics;
    this.#control = control;
    this.#quick = new Fetcher(options, 'read');
    this.#long = new Fetcher(options, 'wait');
  }

  async read(
    topic: string,
    partition: number,
    from: bigint,
    limits: ReadLimits = {},
  ): Promise<RecordBatch | OutOfRange> {
    const { waitMs = 0, signal } = limits;
    const until = Date.now() + waitMs;
    let giveUp: number | undefined;
    for (;;) {
      const { id, leaders } = await this.#topics.shape(topic);
      const leader = leaders[partition];
      if (leader === undefined || partition < 0)
        throw new Fault('wrong_partition', { detail: `${topic}/${partition}` });
      const rest = this.#takeRest(`${id}/${partition}`, from);
      if (rest) return this.#cut(`${id}/${partition}`, from, rest, limits);
      let cause: unknown = new Error(`${topic}/${partition} has no leader`);
      try {
        const reads = await this.#broker(leader);
        const left = Math.max(0, until - Date.now());
        const fetched = reads && (await reads.read(id, partition, from, left, signal));
        if (fetched?.kind === 'records')
          return this.#cut(`${id}/${partition}`, from, { ...fetched, from, at: Date.now() }, limits);
        if (fetched?.kind === 'empty')
          return { kind: 'records', records: [], next: from, low: fetched.low, high: fetched.high };
        if (fetched?.kind === 'out_of_range') {
          const range = await this.range(topic, partition);
          // the log may have grown to here between the fetch and this look
          if (from < range.low || from > range.high) return { kind: 'out_of_range', low: range.low, high: range.high };
        } else if (fetched) cause = fetched.cause;
      } catch (error) {
        if (error instanceof Fault && error.code !== 'log_unavailable') throw error;
        cause = error;
      }
      giveUp ??= Date.now() + LEADER_MS;
      if (this.#closed || Date.now() > giveUp) throw unavailable(cause);
      if (signal?.aborted) return { kind: 'records', records: [], next: from, low: 0n, high: from };
      await pause(100);
      this.#topics.forgetNodes();
      await this.#topics.refresh(topic).catch((error: unknown) => {
        if (error instanceof Fault && error.code === 'unknown_topic') throw error;
      });
    }
  }

  /** Low and high of these partitions, or all. Throws Fault `unknown_topic`, `log_unavailable`. */
  async ranges(topic: string): Promise<PartitionRange[]> {
    const { leaders } = await this.#topics.refresh(topic);
    const partitions = leaders.map((_, p) => p);
    const [low, high] = await this.#offsets(topic, partitions, [-2n, -1n]);
    return partitions.map((p) => ({ partition: p, low: low![p]!, high: high![p]! }));
  }

  async range(topic: string, partition: number): Promise<{ low: bigint; high: bigint }> {
    const [low, high] = await this.#offsets(topic, [partition], [-2n, -1n]);
    return { low: low![partition]!, high: high![partition]! };
  }

  async offsetAt(topic: string, partition: number, timeMs: number): Promise<bigint> {
    const { leaders } = await this.#topics.shape(topic);
    if (leaders[partition] === undefined) throw new Fault('wrong_partition', { detail: `${topic}/${partition}` });
    const time = BigInt(Math.max(0, Math.ceil(timeMs)));
    const [at, high] = await this.#offsets(topic, [partition], [time, -1n]);
    return at![partition]! < 0n ? high![partition]! : at![partition]!;
  }

  #offsets(topic: string, partitions: readonly number[], times: readonly bigint[]): Promise<bigint[][]> {
    return trying(ASK_MS, async () => {
      const found = await Promise.all(times.map((time) => this.#control.offsets(topic, partitions, time)));
      if (found.some((f) => partitions.some((p) => f[p] === undefined))) throw new Error(`no offsets of ${topic}`);
      return found;
    });
  }

  /** A record was made durable by this process. */
  wake(topicId: string, partition: number): void {
    const key = `${topicId}/${partition}`;
    for (const reads of this.#brokers.values()) reads.wake(key);
  }

  async #broker(leader: number): Promise<BrokerReads | undefined> {
    const known = this.#brokers.get(leader);
    if (known && this.#topics.knowsNode(leader)) return known;
    const node = await this.#topics.node(leader);
    if (!node) return undefined;
    this.#version ??= this.#control.fetchVersion();
    let version: number;
    try {
      version = await this.#version;
    } catch (error) {
      this.#version = undefined;
      throw error;
    }
    const now = this.#brokers.get(leader);
    if (now?.isAt(node)) return now;
    const reads = new BrokerReads(node, version, this.#quick, this.#long);
    this.#brokers.set(leader, reads);
    now?.close();
    return reads;
  }

  #takeRest(key: string, from: bigint): Rest | undefined {
    const rest = this.#rests.get(key);
    if (!rest) return undefined;
    const old = Date.now() - rest.at > REST_MS;
    if (old || rest.from === from) this.#rests.delete(key);
    return rest.from === from && !old ? rest : undefined;
  }

  /** Keeps to the limits; what is beyond them waits for the read that goes on there. */
  #cut(key: string, from: bigint, rest: Rest, limits: ReadLimits): RecordBatch {
    const { maxRecords = MAX_RECORDS, maxBytes = MAX_BYTES } = limits;
    const all = rest.records;
    let count = 0;
    for (let bytes = 0; count < all.length && count < maxRecords; count++) {
      bytes += bytesOf(all[count]!);
      if (count > 0 && bytes > maxBytes) break;
    }
    const { low, high } = rest;
    if (count >= all.length) return { kind: 'records', records: all, next: rest.next, low, high };
    const records = all.slice(0, count);
    const next = records.at(-1)!.offset + 1n;
    if (this.#rests.size >= MOST_RESTS) this.#rests.delete(this.#rests.keys().next().value!);
    this.#rests.set(key, { from: next, records: all.slice(count), next: rest.next, low, high, at: rest.at });
    return { kind: 'records', records, next, low, high };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const reads of this.#brokers.values()) reads.close();
    await Promise.allSettled([this.#quick.close(), this.#long.close()]);
  }
}
