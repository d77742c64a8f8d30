import { Coalescer, jittered, pause, withDeadline } from '#concurrency';
import { partitionKey } from '#event';
import { Fault, isFault } from '#faults';
import type { NewRecord } from '#log';
import { OWN } from './api-versions.js';
import type { KafkaLogOptions } from './options.js';
import { PartitionSequences } from './partition-sequences.js';
import { bodyOf, brokerError, codecs, Connections, networkError, type ProducerIdentity } from './platformatic/index.js';
import { decodeProduce, encodeProduce, type ProduceOutcome } from './produce.js';
import { NOT_WRITTEN, verdictOf } from './produce-errors.js';
import { ERROR, NO_LEADER } from './protocol.js';
import { encodeBatch } from '#kafka-records';
import { REQUEST_HEAD_BYTES, type Topics } from './topics.js';
import type { Broker, TopicShape, Written } from './types.js';

const RETRY_MS = 200;
/** How long a retry waits for newer metadata. A broker that does not answer must not hold it up until its deadline. */
const REFRESH_MS = 1_000;
/** How long a leader waits for the in-sync replicas before it answers REQUEST_TIMED_OUT. */
const REPLICATION_MS = 8_000;
/** How long a Produce request waits for its answer; a shorter deadline of the appends shortens it, so that the next append gets a new connection. */
const REQUEST_MS = 10_000;
/** Largest Produce request. One larger batch goes alone. */
const REQUEST_BYTES = 8 * 1_048_576;
/** Largest Produce request of partitions in doubt: a request that no broker reads, because of its size, is cut by it. */
const SUSPECT_REQUEST_BYTES = 1_310_720;

/**
 * What became of one batch.
 * `written`: by all in-sync replicas. `no_offset`: a broker acknowledged it without an offset, so its place is not known.
 * `refused`: no try has written it and none can any more. `uncertain`: a try may have written it.
 */
export type SendOutcome =
  | { readonly kind: 'written'; readonly written: Written }
  | { readonly kind: 'no_offset' }
  | { readonly kind: 'refused' | 'uncertain'; readonly error: unknown };

export interface SendOptions {
  readonly deadlineMs: number;
  /** Aborted: a batch that has not left the process is given up, as at its deadline. One that has left goes on. */
  readonly signal?: AbortSignal | undefined;
}

export interface ProducerReport {
  /** The next batch of the partition has a new epoch (`id` false), or a new producer id. */
  renewed(topic: string, partition: number, id: boolean, reason: unknown): void;
}

interface Partition {
  readonly sequences: PartitionSequences;
  /** The last try had no answer, or not all replicas answered: its batches go by a connection of their own, so that no other partition waits for them. */
  suspect: boolean;
}

/** The batch of one send(), from its first try to its outcome. */
interface PendingBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly NewRecord[];
  readonly of: Partition;
  /** Encoded before the first try; every retry sends the same bytes, unless no try can have written them. */
  batch: Buffer | undefined;
  /** A try left the process with the numbers of this batch. */
  left: boolean;
  /** A request with this batch has no answer yet. */
  inFlight: boolean;
  /** Why an earlier try may have written the batch; undefined: no try has. */
  doubt: unknown;
  /** Why the last try did not write it. */
  reason: unknown;
  ended: boolean;
  end(outcome: SendOutcome): void;
}

/** What one Produce request says about one of its batches. `unsent`: it did not leave the process. */
type TryOutcome =
  | { readonly kind: 'answer'; readonly answer: ProduceOutcome | undefined }
  | { readonly kind: 'unsent' | 'lost'; readonly error: unknown };

type BrokerQueue = Coalescer<PendingBatch, TryOutcome>;

/**
 * An idempotent producer with acks=all that retries until the deadline of a batch. The caller sends one batch at a time per partition. One Produce request
 * carries the batches of all partitions that wait for a broker, but each batch has an outcome of its own: a batch that is refused, late or in doubt
 * renews the epoch of its partition only. It closes no connection, and no other partition's batch fails.
 */
export class IdempotentProducer {
  readonly #topics: Topics;
  readonly #report: ProducerReport;
  /** For batches whose partition is well, and for those of suspect partitions. */
  readonly #lines: { readonly well: Connections; readonly suspect: Connections };
  /** Producer ids have a connection of their own: a batch that waits behind the question for one, in the client library, counts as sent. */
  readonly #identities: Connections;
  readonly #partitions = new Map<string, Partition>();
  readonly #pending = new Set<PendingBatch>();
  readonly #queues = { well: new Map<number, BrokerQueue>(), suspect: new Map<number, BrokerQueue>() };
  readonly #closing = new AbortController();
  #identity: ProducerIdentity | undefined;
  #identifying: Promise<ProducerIdentity> | undefined;

  constructor(options: KafkaLogOptions, topics: Topics, report: ProducerReport, deadlineMs: number) {
    const requestMs = Math.min(REQUEST_MS, deadlineMs);
    this.#topics = topics;
    this.#report = report;
    this.#lines = {
      well: new Connections(options, 'append', { requestMs }),
      suspect: new Connections(options, 'append-retry', { requestMs }),
    };
    this.#identities = new Connections(options, 'append-id', { requestMs });
  }

  /** Resolves at the latest at the deadline, and on close(). Never rejects. */
  send(
    topic: string,
    partition: number,
    records: readonly NewRecord[],
    { deadlineMs, signal }: SendOptions,
  ): Promise<SendOutcome> {
    const key = partitionKey(topic, partition);
    let of = this.#partitions.get(key);
    if (of === undefined) this.#partitions.set(key, (of = { sequences: new PartitionSequences(), suspect: false }));
    return new Promise((resolve) => {
      const late = (): void => this.#giveUp(pending, networkError(`no answer in ${deadlineMs} ms`));
      const timer = setTimeout(late, deadlineMs);
      const withdraw = (): void => {
        if (!pending.inFlight && pending.doubt === undefined) this.#giveUp(pending, networkError('withdrawn'));
      };
      const pending: PendingBatch = {
        topic,
        partition,
        records,
        of,
        batch: undefined,
        left: false,
        inFlight: false,
        doubt: undefined,
        reason: undefined,
        ended: false,
        end: (outcome) => {
          if (pending.ended) return;
          pending.ended = true;
          clearTimeout(timer);
          signal?.removeEventListener('abort', withdraw);
          this.#pending.delete(pending);
          this.#settleNumbers(pending, outcome);
          resolve(outcome);
        },
      };
      this.#pending.add(pending);
      if (this.#closing.signal.aborted) this.#giveUp(pending, networkError('closed before it was sent'));
      else if (signal?.aborted === true) withdraw();
      else {
        signal?.addEventListener('abort', withdraw, { once: true });
        void this.#deliver(pending);
      }
    });
  }

  /** Throws Fault `broker_unsupported` when one of these brokers lacks a request that the hub needs. One that cannot be reached is passed over. */
  async check(brokers: readonly Broker[]): Promise<void> {
    const found = await Promise.allSettled(brokers.map((broker) => this.#lines.well.check(broker)));
    for (const one of found) if (one.status === 'rejected' && lacksRequest(one.reason)) throw one.reason;
  }

  /** Ends the sends that have no outcome yet, then closes the connections. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const pending of this.#pending) this.#giveUp(pending, networkError('closed while it was being sent'));
    await Promise.allSettled([this.#lines.well, this.#lines.suspect, this.#identities].map((c) => c.close()));
  }

  /** No further try: refused when no try can have written the batch, else uncertain. */
  #giveUp(pending: PendingBatch, why: unknown): void {
    const { inFlight, doubt, reason } = pending;
    const kind = inFlight || doubt !== undefined ? 'uncertain' : 'refused';
    const causes = [reason, doubt].filter((c) => c !== undefined);
    pending.end({ kind, error: causes.length === 0 ? why : networkError((why as Error).message, ...causes) });
  }

  #settleNumbers({ topic, partition, records, of, left }: PendingBatch, outcome: SendOutcome): void {
    if (outcome.kind === 'written') {
      of.suspect = false;
      of.sequences.written(records.length);
    } else if (left && !of.sequences.needsId) {
      // the numbers are in doubt: a late try of this batch must not be written behind the next batch
      const renewed = of.sequences.newEpoch();
      this.#report.renewed(topic, partition, renewed === 'new_id', 'error' in outcome ? outcome.error : undefined);
    }
  }

  /** Tries until a leader has written the batch, a retry cannot succeed, or the batch has ended. Never rejects. */
  async #deliver(pending: PendingBatch): Promise<void> {
    try {
      for (;;) {
        await this.#try(pending);
        if (pending.ended) return;
        await pause(jittered(RETRY_MS), this.#closing.signal);
        if (pending.ended) return;
        // concurrent refreshes of a topic share one request; when it fails, the next try decides with what is known
        const refreshed = this.#topics.refresh(pending.topic).catch(() => undefined);
        await withDeadline(refreshed, REFRESH_MS, () => undefined);
        if (pending.ended) return;
      }
    } catch (error) {
      this.#final(pending, error, false);
    }
  }

  /** Ends the batch when its outcome is known. Throws when a retry cannot succeed and this try wrote nothing. */
  async #try(pending: PendingBatch): Promise<void> {
    const shape = this.#topics.fresh(pending.topic) ?? (await this.#shape(pending));
    // made again with fewer partitions since the append was checked
    if (shape !== undefined && pending.partition >= shape.leaders.length)
      throw new Fault('wrong_partition', { detail: `${pending.topic}/${pending.partition}` });
    const leader = shape?.leaders[pending.partition] ?? NO_LEADER;
    if (leader === NO_LEADER) {
      pending.reason ??= networkError(`${pending.topic}/${pending.partition} has no leader`);
      return;
    }
    if (pending.batch === undefined) {
      const { sequences } = pending.of;
      if (sequences.needsId && !(await this.#identify(pending))) return;
      pending.batch = encodeBatch(pending.records, { ...sequences.forBatch(), timeMs: Date.now() }, (bytes) =>
        codecs.crc32c(bytes),
      );
    }
    // a broker closes the connection of a larger request: the batch would be in doubt for ever
    if (pending.batch.length > this.#topics.requestLimit - REQUEST_HEAD_BYTES)
      throw brokerError(ERROR.MESSAGE_TOO_LARGE);
    const tried = await this.#queueOf(pending.of.suspect ? 'suspect' : 'well', leader).add(pending);
    if (pending.ended) return;
    if (tried.kind !== 'answer') {
      pending.reason = tried.error;
      if (lacksRequest(tried.error)) throw tried.error;
    } else if (tried.answer === undefined) pending.end({ kind: 'no_offset' });
    else this.#follow(pending, tried.answer);
  }

  /** What follows from the answer of a leader. */
  #follow(pending: PendingBatch, answer: ProduceOutcome): void {
    const verdict = verdictOf(answer.error);
    if (verdict === 'written') {
      const written = writtenOf(answer);
      return pending.end(written === undefined ? { kind: 'no_offset' } : { kind: 'written', written });
    }
    const error = brokerError(answer.error, answer.text);
    pending.reason = error;
    if (verdict === 'give_up') return this.#final(pending, error, !NOT_WRITTEN_CODES.has(answer.error));
    if (verdict === 'retry_uncertain') {
      pending.of.suspect = true;
      pending.doubt ??= networkError('not all replicas answered in time', error);
    } else if (verdict === 'retry_moved') {
      pending.doubt ??= networkError('the leader has lost the partition', error);
    } else if (verdict === 'new_epoch' || verdict === 'new_id') {
      // with a doubt, an earlier try may be the one that the broker knows: new numbers could write the batch twice
      if (pending.doubt !== undefined) return this.#final(pending, error, true);
      const { sequences } = pending.of;
      const renewed = verdict === 'new_id' ? sequences.newId() : sequences.newEpoch();
      this.#report.renewed(pending.topic, pending.partition, renewed === 'new_id', error);
      pending.batch = undefined;
    }
  }

  /** The batch ends with this error. `unsure`: this last try itself may have written it. */
  #final(pending: PendingBatch, error: unknown, unsure: boolean): void {
    const { doubt } = pending;
    if (doubt === undefined) pending.end({ kind: unsure ? 'uncertain' : 'refused', error });
    else pending.end({ kind: 'uncertain', error: networkError('an earlier try is uncertain', error, doubt) });
  }

  /** undefined: Kafka cannot be asked now. */
  async #shape(pending: PendingBatch): Promise<TopicShape | undefined> {
    try {
      return await this.#topics.shape(pending.topic);
    } catch (error) {
      if (isFault(error) && error.code === 'unknown_topic') throw brokerError(ERROR.UNKNOWN_TOPIC_OR_PARTITION);
      pending.reason = error;
      return undefined;
    }
  }

  /** Gives the partition a producer id: the shared one, or a new one when the partition has used that up. False: not now. */
  async #identify(pending: PendingBatch): Promise<boolean> {
    const { sequences } = pending.of;
    try {
      let identity = this.#identity;
      if (identity === undefined || !sequences.accepts(identity)) {
        this.#identifying ??= this.#requestIdentity().finally(() => (this.#identifying = undefined));
        identity = await this.#identifying;
      }
      if (!sequences.accepts(identity)) return false;
      if (sequences.needsId) sequences.take(identity);
      return !pending.ended;
    } catch (error) {
      pending.reason = error;
      if (lacksRequest(error)) throw error;
      return false;
    }
  }

  /** Asks each broker once, in turn. */
  async #requestIdentity(): Promise<ProducerIdentity> {
    let last: unknown;
    try {
      for (const broker of await this.#topics.brokers()) {
        try {
          return (this.#identity = await this.#identities.producerIdentity(broker));
        } catch (error) {
          last = error;
        }
      }
    } catch (error) {
      last = error;
    }
    this.#topics.forgetBrokers();
    throw last;
  }

  #queueOf(line: 'well' | 'suspect', broker: number): BrokerQueue {
    const queues = this.#queues[line];
    let queue = queues.get(broker);
    if (!queue) {
      queue = new Coalescer({
        run: (batches) => this.#produce(this.#lines[line], broker, batches),
        sizeOf: ({ batch }) => batch!.length,
        max: Math.min(
          line === 'well' ? REQUEST_BYTES : SUSPECT_REQUEST_BYTES,
          this.#topics.requestLimit - REQUEST_HEAD_BYTES,
        ),
      });
      queues.set(broker, queue);
    }
    return queue;
  }

  /** One Produce request with the batches that have not ended while they waited. Never rejects. */
  async #produce(
    connections: Connections,
    id: number,
    batches: readonly PendingBatch[],
  ): Promise<readonly TryOutcome[]> {
    let sending: Promise<{ readonly outcomes: readonly ProduceOutcome[] }>;
    let live: PendingBatch[] = [];
    try {
      const broker = await this.#topics.broker(id);
      if (!broker) return unsent(batches, networkError(`broker ${id} is not in the cluster`));
      const line = await connections.line(broker, OWN.PRODUCE);
      live = batches.filter((b) => !b.ended);
      if (live.length === 0) return unsent(batches, undefined);
      for (const b of live) b.left = b.inFlight = true;
      const parts = live.map(({ topic, partition, batch }) => ({ topic, partition, batch: batch! }));
      sending = line.send(bodyOf(encodeProduce(parts, REPLICATION_MS)), decodeProduce);
    } catch (error) {
      // the broker may come back at another address
      this.#topics.forgetBrokers();
      return unsent(batches, error);
    }
    try {
      const { outcomes } = await sending;
      const byPartition = new Map(outcomes.map((o) => [partitionKey(o.topic, o.partition), o]));
      for (const b of live) b.inFlight = false;
      return batches.map((b) => ({ kind: 'answer', answer: byPartition.get(partitionKey(b.topic, b.partition)) }));
    } catch (error) {
      this.#topics.forgetBrokers();
      for (const b of live) {
        b.inFlight = false;
        b.of.suspect = true;
        // the connection may have broken after the request had reached the broker
        b.doubt ??= error;
      }
      return batches.map(() => ({ kind: 'lost', error }));
    }
  }
}

const NOT_WRITTEN_CODES: ReadonlySet<number> = new Set(NOT_WRITTEN.map((name) => ERROR[name]));

const lacksRequest = (error: unknown): boolean => isFault(error) && error.code === 'broker_unsupported';

function unsent(batches: readonly PendingBatch[], error: unknown): TryOutcome[] {
  return batches.map(() => ({ kind: 'unsent', error }));
}

function writtenOf({ partition, base, appendTimeMs }: ProduceOutcome): Written | undefined {
  if (base < 0n) return undefined;
  return { partition, base, appendTimeMs: appendTimeMs >= 0 ? appendTimeMs : Date.now() };
}
