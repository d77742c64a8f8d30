import { withDeadline } from '#concurrency';
import { partitionKey } from '#event';
import { innermostMessage, isFault } from '#faults';
import { fitsOneAppend, type AppendOutcome, type NewRecord } from '#log';
import type { KafkaLogOptions } from './options.js';
import { hasCode, hasNetworkError, isUnknownTopic } from './platformatic/index.js';
import { NOT_WRITTEN, TOO_LARGE } from './produce-errors.js';
import { IdempotentProducer } from './producer.js';
import type { Topics } from './topics.js';
import type { TopicShape, Written } from './types.js';

/** Sequence numbers of a partition end at 2^31 and do not wrap here: the producer is replaced well before. */
const RECORDS_PER_PRODUCER = 2_000_000_000;
const DEADLINE_MS = 60_000;
const CLOSE_MS = 10_000;

/** A producer with the appends in flight on it. A retired one gets no new appends and is closed when the last of its appends has ended. */
interface ActiveProducer {
  readonly producer: IdempotentProducer;
  /** Records sent, by partition. */
  readonly counts: Map<string, number>;
  inFlight: number;
  retired: boolean;
}

/**
 * Appends with an idempotent producer, so that no record is lost, repeated or reordered: the partition is checked against the topic first, one append
 * per partition is in flight, each append has a deadline, and after a rejection or a passed deadline the next append uses a new producer id.
 * Names of topics are Kafka's own.
 */
export class Appends {
  readonly #options: KafkaLogOptions;
  readonly #topics: Topics;
  readonly #deadlineMs: number;
  readonly #tails = new Map<string, Promise<unknown>>();
  #active: ActiveProducer | undefined;
  #closed = false;

  constructor(options: KafkaLogOptions, topics: Topics) {
    this.#options = options;
    this.#topics = topics;
    this.#deadlineMs = options.appendDeadlineMs ?? DEADLINE_MS;
  }

  /** Never throws. The appends of a partition are serialised here: one in flight, in the order of the calls. */
  append(topic: string, partition: number, records: readonly NewRecord[], bytes?: number): Promise<AppendOutcome> {
    const key = partitionKey(topic, partition);
    const before = this.#tails.get(key);
    const outcome = before
      ? before.then(() => this.#one(topic, partition, records, bytes))
      : this.#one(topic, partition, records, bytes);
    this.#tails.set(key, outcome);
    void outcome.then(() => {
      if (this.#tails.get(key) === outcome) this.#tails.delete(key);
    });
    return outcome;
  }

  async #one(
    topic: string,
    partition: number,
    records: readonly NewRecord[],
    bytes: number | undefined,
  ): Promise<AppendOutcome> {
    if (!fitsOneAppend(records, bytes)) return { kind: 'refused', code: 'record_too_large' };
    if (this.#closed) return { kind: 'refused', code: 'log_unavailable' };
    const known = this.#topics.fresh(topic);
    const refusal = known ? wrongPartition(known, partition) : await this.#refusal(topic, partition);
    if (refusal) return refusal;
    const active = this.#activeFor(topic, partition, records.length);
    active.inFlight++;
    try {
      const sending = active.producer.send(topic, partition, records);
      const written = await withDeadline(sending, this.#deadlineMs, () => 'late' as const);
      if (written === 'late') return this.#afterDeadline(active, topic, partition);
      return this.#afterSend(active, topic, partition, written);
    } catch (error) {
      return this.#afterRejection(active, topic, partition, error);
    } finally {
      active.inFlight--;
      if (active.retired && active.inFlight === 0) void active.producer.close().catch(() => undefined);
    }
  }

  /** Whether the topic refuses the append before anything is sent: the topic or the partition does not exist, or Kafka cannot be asked. */
  async #refusal(topic: string, partition: number): Promise<AppendOutcome | undefined> {
    try {
      return wrongPartition(await this.#topics.shape(topic), partition);
    } catch (cause) {
      const unknown = isFault(cause) && cause.code === 'unknown_topic';
      return { kind: 'refused', code: unknown ? 'unknown_topic' : 'log_unavailable', cause };
    }
  }

  #activeFor(topic: string, partition: number, count: number): ActiveProducer {
    const key = partitionKey(topic, partition);
    const used = this.#active?.counts.get(key) ?? 0;
    if (this.#active && used + count > RECORDS_PER_PRODUCER) this.#retire(this.#active, 'sequence numbers used up');
    this.#active ??= {
      producer: new IdempotentProducer(this.#options, this.#topics),
      counts: new Map(),
      inFlight: 0,
      retired: false,
    };
    this.#active.counts.set(key, (this.#active.counts.get(key) ?? 0) + count);
    return this.#active;
  }

  #afterSend(active: ActiveProducer, topic: string, partition: number, written: Written | undefined): AppendOutcome {
    if (written?.partition === partition)
      return { kind: 'accepted', base: written.base, appendTimeMs: written.appendTimeMs };
    // uncertain: by its sequence number the broker may know the batch as written before, and no longer know the offset
    this.#retire(active, 'append acknowledged at an unexpected offset');
    this.#options.report?.wroteElsewhere?.(topic, partition, written);
    return { kind: 'uncertain' };
  }

  #afterDeadline(active: ActiveProducer, topic: string, partition: number): AppendOutcome {
    const reason = `no answer in ${this.#deadlineMs} ms`;
    this.#retire(active, reason);
    // closed at once, so that no retry of this batch is written behind newer batches of the next producer
    void active.producer.close().catch(() => undefined);
    this.#options.report?.appendUncertain?.(topic, partition, reason);
    return { kind: 'uncertain' };
  }

  #afterRejection(active: ActiveProducer, topic: string, partition: number, cause: unknown): AppendOutcome {
    const reason = innermostMessage(cause);
    this.#retire(active, reason);
    // refused, also after a broken connection: each leader checks the size before it writes
    if (hasCode(cause, ...TOO_LARGE)) return { kind: 'refused', code: 'record_too_large', cause };
    // after a broken connection an earlier try may have been written, whatever the last answer says
    const certain = !hasNetworkError(cause);
    if (isUnknownTopic(cause)) {
      this.#topics.forget(topic);
      if (certain) return { kind: 'refused', code: 'unknown_topic', cause };
    }
    if (certain && hasCode(cause, ...NOT_WRITTEN)) return { kind: 'refused', code: 'log_unavailable', cause };
    // every other final error: nothing proves that the batch was not written
    this.#options.report?.appendUncertain?.(topic, partition, reason);
    return { kind: 'uncertain', cause };
  }

  #retire(active: ActiveProducer, reason: string): void {
    if (active.retired) return;
    active.retired = true;
    if (this.#active === active) this.#active = undefined;
    this.#options.report?.producerReplaced?.(reason);
  }

  /** Waits for the appends in flight; after 10 s they become `uncertain`. */
  async close(): Promise<void> {
    this.#closed = true;
    await withDeadline(Promise.allSettled(this.#tails.values()), CLOSE_MS, () => undefined);
    await this.#active?.producer.close().catch(() => undefined);
    this.#active = undefined;
  }
}

/** Kafka's clients take a partition that does not exist modulo the number of partitions, and write to another one. */
function wrongPartition({ leaders }: TopicShape, partition: number): AppendOutcome | undefined {
  if (Number.isInteger(partition) && partition >= 0 && partition < leaders.length) return undefined;
  return { kind: 'refused', code: 'wrong_partition' };
}
