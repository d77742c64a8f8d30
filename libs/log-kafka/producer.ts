import { Coalescer, pause } from '#concurrency';
import { partitionKey } from '#event';
import { isFault } from '#faults';
import type { NewRecord } from '#log';
import type { KafkaLogOptions } from './options.js';
import { bodyOf, brokerError, codecs, Connections, networkError, type ProducerIdentity } from './platformatic/index.js';
import { decodeProduce, encodeProduce, PRODUCE_VERSION, type ProduceOutcome } from './produce.js';
import { verdictOf } from './produce-errors.js';
import { API, ERROR, NO_LEADER } from './protocol.js';
import { encodeBatch } from './record-batch.js';
import type { Topics } from './topics.js';
import type { TopicShape, Written } from './types.js';

const RETRY_MS = 200;
/** How long a leader waits for the in-sync replicas before it answers REQUEST_TIMED_OUT. */
const REPLICATION_MS = 8_000;
/** Largest Produce request. One larger batch goes alone. */
const REQUEST_BYTES = 8 * 1_048_576;

/** The batch of one send(), from its first try to its outcome. */
interface PendingBatch {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
  /** Why an earlier try may have written the batch; undefined: no try has. */
  doubt: unknown;
  readonly resolve: (written: Written | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** The batches for one broker: one Produce request is in flight, and what arrives meanwhile shares the next. undefined: the answer lacks the batch. */
type BrokerQueue = Coalescer<PendingBatch, ProduceOutcome | 'no_broker' | undefined>;

/**
 * An idempotent producer with acks=all that retries without end: the caller has the deadline, and sends one batch at a time per partition.
 * One Produce request carries the batches of all partitions that wait for a broker, but each batch has an outcome of its own: it is accepted, rejected,
 * or retried as the same bytes with the same sequence number, at the broker that leads its partition then.
 */
export class IdempotentProducer {
  readonly #connections: Connections;
  readonly #topics: Topics;
  readonly #sequences = new Map<string, number>();
  readonly #pending = new Set<PendingBatch>();
  readonly #queues = new Map<number, BrokerQueue>();
  readonly #closing = new AbortController();
  #identity: ProducerIdentity | undefined;
  #identifying: Promise<ProducerIdentity> | undefined;

  constructor(options: KafkaLogOptions, topics: Topics) {
    this.#connections = new Connections(options, 'append');
    this.#topics = topics;
  }

  /**
   * undefined: the answer names no offset. Rejects when the broker gives a final error, and on close(); hasNetworkError() of the rejection: a try may
   * have written the batch.
   */
  async send(topic: string, partition: number, records: readonly NewRecord[]): Promise<Written | undefined> {
    const { id, epoch } = this.#identity ?? (await this.#identify());
    if (this.#closing.signal.aborted) throw networkError('closed before it was sent');
    const key = partitionKey(topic, partition);
    const sequence = this.#sequences.get(key) ?? 0;
    this.#sequences.set(key, sequence + records.length);
    const batch = encodeBatch(records, { producerId: id, epoch, sequence, timeMs: Date.now() }, (bytes) =>
      codecs.crc32c(bytes),
    );
    return new Promise((resolve, reject) => {
      const pending: PendingBatch = { topic, partition, batch, doubt: undefined, resolve, reject };
      this.#pending.add(pending);
      void this.#deliver(pending);
    });
  }

  /** Rejects the sends that have no outcome yet, then closes the connections. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const pending of this.#pending) rejectPending(pending, networkError('closed while it was being sent'));
    await this.#connections.close();
  }

  /** One producer id for the life of this producer; asks the brokers in turn until one gives it. */
  async #identify(): Promise<ProducerIdentity> {
    this.#identity = await (this.#identifying ??= this.#requestIdentity());
    return this.#identity;
  }

  async #requestIdentity(): Promise<ProducerIdentity> {
    for (let tries = 0; ; tries++) {
      try {
        const brokers = await this.#topics.brokers();
        return await this.#connections.producerIdentity(brokers[tries % brokers.length]!);
      } catch (error) {
        if (this.#closing.signal.aborted) throw networkError('closed before it was sent', error);
        this.#topics.forgetBrokers();
        await pause(RETRY_MS);
      }
    }
  }

  /** Tries until a leader has written the batch or a retry cannot succeed; settles the promise of send(). */
  async #deliver(pending: PendingBatch): Promise<void> {
    try {
      for (;;) {
        const written = await this.#try(pending);
        if (written !== 'retry') return pending.resolve(written);
        await pause(RETRY_MS, this.#closing.signal);
        if (this.#closing.signal.aborted) throw networkError('closed while it was being sent');
        // concurrent refreshes of a topic share one request; when it fails, the next try decides with what is known
        await this.#topics.refresh(pending.topic).catch(() => undefined);
      }
    } catch (error) {
      rejectPending(pending, error);
    } finally {
      this.#pending.delete(pending);
    }
  }

  /** undefined: the answer names no offset. Throws when a retry cannot succeed. */
  async #try(pending: PendingBatch): Promise<Written | 'retry' | undefined> {
    const shape = this.#topics.fresh(pending.topic) ?? (await this.#shape(pending.topic));
    const leader = shape?.leaders[pending.partition] ?? NO_LEADER;
    if (leader === NO_LEADER) return 'retry';
    let outcome: ProduceOutcome | 'no_broker' | undefined;
    try {
      outcome = await this.#queueOf(leader).add(pending);
    } catch (error) {
      // no answer: the connection may have broken after the request had reached the broker
      pending.doubt ??= error;
      return 'retry';
    }
    if (outcome === undefined) return undefined;
    if (outcome === 'no_broker') return 'retry';
    const verdict = verdictOf(outcome.error);
    if (verdict === 'written') return writtenOf(outcome);
    const error = brokerError(outcome.error, outcome.text);
    if (verdict === 'give_up') throw error;
    if (verdict === 'retry_uncertain') pending.doubt ??= networkError('not all replicas answered in time', error);
    return 'retry';
  }

  /** undefined: Kafka cannot be asked now. */
  async #shape(topic: string): Promise<TopicShape | undefined> {
    try {
      return await this.#topics.shape(topic);
    } catch (error) {
      if (isFault(error) && error.code === 'unknown_topic') throw brokerError(ERROR.UNKNOWN_TOPIC_OR_PARTITION);
      return undefined;
    }
  }

  #queueOf(broker: number): BrokerQueue {
    let queue = this.#queues.get(broker);
    if (!queue) {
      queue = new Coalescer({
        run: (batches) => this.#produce(broker, batches),
        sizeOf: ({ batch }) => batch.length,
        max: REQUEST_BYTES,
      });
      this.#queues.set(broker, queue);
    }
    return queue;
  }

  /** One Produce request. Rejects when there is no answer. */
  async #produce(
    id: number,
    batches: readonly PendingBatch[],
  ): Promise<readonly (ProduceOutcome | 'no_broker' | undefined)[]> {
    if (this.#closing.signal.aborted) throw networkError('closed before it was sent');
    try {
      const broker = await this.#topics.broker(id);
      if (!broker) return batches.map(() => 'no_broker');
      const body = bodyOf(encodeProduce(batches, REPLICATION_MS));
      const outcomes = await this.#connections.request(broker, API.PRODUCE, PRODUCE_VERSION, body, decodeProduce);
      const byPartition = new Map(outcomes.map((o) => [partitionKey(o.topic, o.partition), o]));
      return batches.map((b) => byPartition.get(partitionKey(b.topic, b.partition)));
    } catch (error) {
      // the broker may come back at another address
      this.#topics.forgetBrokers();
      throw error;
    }
  }
}

function rejectPending(pending: PendingBatch, error: unknown): void {
  pending.reject(
    pending.doubt === undefined ? error : networkError('an earlier try is uncertain', error, pending.doubt),
  );
}

function writtenOf({ partition, base, appendTimeMs }: ProduceOutcome): Written | undefined {
  if (base < 0n) return undefined;
  return { partition, base, appendTimeMs: appendTimeMs >= 0 ? appendTimeMs : Date.now() };
}
