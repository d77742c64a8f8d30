import { withDeadline } from '#concurrency';
import { partitionKey } from '#event';
import { innermostMessage, isFault } from '#faults';
import { fitsOneAppend, tooLarge, type AppendOutcome, type AppendRefusal, type NewRecord } from '#log';
import type { KafkaLogOptions } from './options.js';
import { hasCode, isUnknownTopic } from './platformatic/index.js';
import { INVALID, TOO_LARGE } from './produce-errors.js';
import { IdempotentProducer } from './producer.js';
import type { Topics } from './topics.js';
import type { Broker, TopicShape } from './types.js';

const DEADLINE_MS = 60_000;
const CLOSE_MS = 10_000;
const WITHDRAWN: AppendOutcome = { kind: 'refused', code: 'log_unavailable' };

/**
 * Appends with an idempotent producer, so that no record is lost, repeated or reordered: the partition is checked against the topic first, one append
 * per partition is in flight, each append has a deadline, and after a refused, late or doubtful append the partition goes on with the next producer epoch.
 * Names of topics are Kafka's own.
 */
export class Appends {
  readonly #options: KafkaLogOptions;
  readonly #topics: Topics;
  readonly #deadlineMs: number;
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #producer: IdempotentProducer;
  #closed = false;

  constructor(options: KafkaLogOptions, topics: Topics) {
    this.#options = options;
    this.#topics = topics;
    this.#deadlineMs = options.appendDeadlineMs ?? DEADLINE_MS;
    const renewed = (topic: string, partition: number, id: boolean, cause: unknown): void => {
      const reason = cause === undefined ? 'append acknowledged without an offset' : innermostMessage(cause);
      options.report?.producerRenewed?.(topic, partition, id ? 'id' : 'epoch', reason);
    };
    this.#producer = new IdempotentProducer(options, topics, { renewed }, this.#deadlineMs);
  }

  /** Never throws. The appends of a partition are serialised here: one in flight, in the order of the calls. */
  append(
    topic: string,
    partition: number,
    records: readonly NewRecord[],
    bytes?: number,
    withdraw?: AbortSignal,
  ): Promise<AppendOutcome> {
    const key = partitionKey(topic, partition);
    const before = this.#tails.get(key);
    const next = (): Promise<AppendOutcome> => this.#one(topic, partition, records, bytes, withdraw);
    const outcome = before
      ? unlessAborted(before, withdraw).then((turn) => (turn === 'aborted' ? WITHDRAWN : next()))
      : next();
    // an append that was withdrawn while it waited ends before the one in front of it
    const tail = before ? Promise.all([before, outcome]) : outcome;
    this.#tails.set(key, tail);
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    return outcome;
  }

  async #one(
    topic: string,
    partition: number,
    records: readonly NewRecord[],
    bytes: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<AppendOutcome> {
    if (!fitsOneAppend(records, bytes)) return tooLarge(records);
    if (this.#closed) return { kind: 'refused', code: 'log_unavailable' };
    const known = this.#topics.fresh(topic);
    // the cache may hold a topic that was made again with more partitions: it refuses nothing by itself
    const sure = known !== undefined && hasPartition(known, partition);
    const refusal = sure ? undefined : await this.#refusal(topic, partition, signal);
    if (refusal) return refusal;
    const sent = await this.#producer.send(topic, partition, records, { deadlineMs: this.#deadlineMs, signal });
    switch (sent.kind) {
      case 'written': {
        const { base, appendTimeMs } = sent.written;
        if (sent.written.partition === partition) return { kind: 'accepted', base, appendTimeMs };
        this.#options.report?.wroteElsewhere?.(topic, partition, sent.written);
        return { kind: 'uncertain' };
      }
      case 'no_offset':
        // by its sequence number the broker may know the batch as written before, and no longer know the offset
        this.#options.report?.wroteElsewhere?.(topic, partition, undefined);
        return { kind: 'uncertain' };
      case 'uncertain':
        if (isUnknownTopic(sent.error)) this.#topics.forget(topic);
        this.#options.report?.appendUncertain?.(topic, partition, innermostMessage(sent.error));
        return { kind: 'uncertain', cause: sent.error };
      case 'refused':
        return this.#refused(topic, sent.error);
    }
  }

  /** Whether the topic refuses the append before anything is sent: the topic or the partition does not exist, or Kafka cannot be asked. */
  async #refusal(
    topic: string,
    partition: number,
    signal: AbortSignal | undefined,
  ): Promise<AppendOutcome | undefined> {
    try {
      const asked = this.#topics.fresh(topic) ? this.#topics.refresh(topic) : this.#topics.shape(topic);
      const shape = await unlessAborted(asked, signal);
      if (shape === 'aborted') return WITHDRAWN;
      return hasPartition(shape, partition) ? undefined : { kind: 'refused', code: 'wrong_partition' };
    } catch (cause) {
      const unknown = isFault(cause) && cause.code === 'unknown_topic';
      return { kind: 'refused', code: unknown ? 'unknown_topic' : 'log_unavailable', cause };
    }
  }

  async #refused(topic: string, cause: unknown): Promise<AppendOutcome> {
    const code = refusalOf(cause);
    if (code === 'unknown_topic') this.#topics.forget(topic);
    if (code !== 'record_too_large') return { kind: 'refused', code, cause };
    // the limit may have been changed since it was read
    const limit = await this.#topics.freshLimit(topic);
    return { kind: 'refused', code, cause, ...(Number.isFinite(limit) ? { limit } : {}) };
  }

  /** Throws Fault `broker_unsupported` when one of these brokers lacks a request that the hub needs. One that cannot be reached is passed over. */
  check(brokers: readonly Broker[]): Promise<void> {
    return this.#producer.check(brokers);
  }

  /** Waits for the appends in flight; after 10 s they end: `uncertain` when they have left the process. */
  async close(): Promise<void> {
    this.#closed = true;
    await withDeadline(Promise.allSettled(this.#tails.values()), CLOSE_MS, () => undefined);
    await this.#producer.close();
  }
}

function refusalOf(cause: unknown): AppendRefusal {
  if (hasCode(cause, ...TOO_LARGE)) return 'record_too_large';
  if (hasCode(cause, ...INVALID)) return 'invalid_record';
  if (isUnknownTopic(cause)) return 'unknown_topic';
  if (isFault(cause) && (cause.code === 'broker_unsupported' || cause.code === 'wrong_partition')) return cause.code;
  return 'log_unavailable';
}

/** Kafka's clients take a partition that does not exist modulo the number of partitions, and write to another one. */
function hasPartition({ leaders }: TopicShape, partition: number): boolean {
  return Number.isInteger(partition) && partition >= 0 && partition < leaders.length;
}

/** The outcome of the work, or `aborted` as soon as the signal aborts; the work itself goes on. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T | 'aborted'> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve('aborted');
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
