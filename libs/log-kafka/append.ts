import { innermostMessage, isFault } from '#faults';
import { fitsOneAppend, type AppendOutcome, type NewRecord } from '#log';
import type { KafkaEvent, KafkaLogOptions } from './options.js';
import { hasCode, hasNetworkError, isUnknownTopic } from './platformatic.js';
import { Sender } from './sending.js';
import type { Topics } from './topics.js';
import { within } from './trying.js';
import type { Sent, TopicShape } from './wire.js';

/** Sequence numbers do not wrap in the client: a producer is replaced well before 2^31 records of one partition. */
const RECORDS_PER_PRODUCER = 2_000_000_000;
const DEADLINE_MS = 60_000;
const CLOSE_MS = 10_000;

/** The broker answered, and by these answers nothing was written. */
const NOT_WRITTEN = [
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
];

/** A producer and what runs on it. A retired one takes nothing new and is closed when the last of it has ended. */
interface Line {
  readonly sender: Sender;
  readonly counts: Map<string, number>;
  running: number;
  retired: boolean;
}

/**
 * The discipline without which records are lost, repeated or reordered: the partition is checked against the topic first, one send in flight a
 * partition, an own deadline, and a new producer after any rejection or deadline. Topic names are Kafka's own.
 */
export class Appends {
  readonly #options: KafkaLogOptions;
  readonly #topics: Topics;
  readonly #deadlineMs: number;
  readonly #tails = new Map<string, Promise<unknown>>();
  #line: Line | undefined;
  #renewed = 0;
  #closed = false;

  constructor(options: KafkaLogOptions, topics: Topics) {
    this.#options = options;
    this.#topics = topics;
    this.#deadlineMs = options.appendDeadlineMs ?? DEADLINE_MS;
  }

  /** How often the producer was replaced since the opening. */
  get renewed(): number {
    return this.#renewed;
  }

  /** Never throws. This is where the appends of a partition are serialised: one in flight, in the order of the calls. */
  append(topic: string, partition: number, records: readonly NewRecord[], bytes?: number): Promise<AppendOutcome> {
    const key = `${topic}/${partition}`;
    const before = this.#tails.get(key);
    const mine = before
      ? before.then(() => this.#one(topic, partition, records, bytes))
      : this.#one(topic, partition, records, bytes);
    this.#tails.set(key, mine);
    void mine.then(() => {
      if (this.#tails.get(key) === mine) this.#tails.delete(key);
    });
    return mine;
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
    const refusal = known ? refusedPlace(known, partition) : await this.#refusal(topic, partition);
    if (refusal) return refusal;
    const line = this.#lineFor(topic, partition, records.length);
    line.running++;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), this.#deadlineMs);
    });
    try {
      const sent = await Promise.race([line.sender.send(topic, partition, records), late]);
      if (sent === 'late') return this.#afterDeadline(line, topic, partition);
      return this.#afterSend(line, topic, partition, sent);
    } catch (error) {
      return this.#afterRejection(line, topic, partition, error);
    } finally {
      clearTimeout(timer);
      line.running--;
      if (line.retired && line.running === 0) void line.sender.close().catch(() => undefined);
    }
  }

  /** What the topic has against it, before anything is sent. */
  async #refusal(topic: string, partition: number): Promise<AppendOutcome | undefined> {
    try {
      return refusedPlace(await this.#topics.shape(topic), partition);
    } catch (cause) {
      const unknown = isFault(cause) && cause.code === 'unknown_topic';
      return { kind: 'refused', code: unknown ? 'unknown_topic' : 'log_unavailable', cause };
    }
  }

  #lineFor(topic: string, partition: number, count: number): Line {
    const key = `${topic}/${partition}`;
    const used = this.#line?.counts.get(key) ?? 0;
    if (this.#line && used + count > RECORDS_PER_PRODUCER) this.#retire(this.#line, 'sequence numbers used up');
    this.#line ??= { sender: new Sender(this.#options, this.#topics), counts: new Map(), running: 0, retired: false };
    this.#line.counts.set(key, (this.#line.counts.get(key) ?? 0) + count);
    return this.#line;
  }

  #afterSend(line: Line, topic: string, partition: number, sent: Sent | undefined): AppendOutcome {
    if (sent?.partition === partition) return { kind: 'accepted', base: sent.base, appendTimeMs: sent.timeMs };
    this.#retire(line, 'an answer for another partition');
    const where = sent ? `partition ${sent.partition} at ${sent.base}` : 'no place';
    this.#tell({ kind: 'wrote_elsewhere', topic, partition, detail: `the broker names ${where}` });
    return { kind: 'uncertain' };
  }

  #afterDeadline(line: Line, topic: string, partition: number): AppendOutcome {
    this.#retire(line, `no answer in ${this.#deadlineMs} ms`);
    // closed at once, so that what is still retrying cannot be written behind what the next producer sends
    void line.sender.close().catch(() => undefined);
    this.#tell({ kind: 'append_unknown', topic, partition, detail: `no answer in ${this.#deadlineMs} ms` });
    return { kind: 'uncertain' };
  }

  #afterRejection(line: Line, topic: string, partition: number, cause: unknown): AppendOutcome {
    const detail = innermostMessage(cause);
    this.#retire(line, detail);
    if (hasCode(cause, 'MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'))
      return { kind: 'refused', code: 'record_too_large', cause };
    // after a cut line an earlier try may have been written, whatever the last answer says
    const certain = !hasNetworkError(cause);
    if (isUnknownTopic(cause)) {
      this.#topics.forget(topic);
      if (certain) return { kind: 'refused', code: 'unknown_topic', cause };
    }
    if (certain && hasCode(cause, ...NOT_WRITTEN)) return { kind: 'refused', code: 'log_unavailable', cause };
    this.#tell({ kind: 'append_unknown', topic, partition, detail });
    return { kind: 'uncertain', cause };
  }

  #retire(line: Line, why: string): void {
    if (line.retired) return;
    line.retired = true;
    if (this.#line === line) this.#line = undefined;
    this.#renewed++;
    this.#tell({ kind: 'producer_renewed', detail: why });
  }

  #tell(event: KafkaEvent): void {
    this.#options.onEvent?.(event);
  }

  /** What is in flight ends first, or becomes `uncertain` after 10 s. */
  async close(): Promise<void> {
    this.#closed = true;
    await within(CLOSE_MS, 'appends', Promise.allSettled(this.#tails.values())).catch(() => undefined);
    await this.#line?.sender.close().catch(() => undefined);
    this.#line = undefined;
  }
}

/** A client would take a wrong partition modulo the count, and write elsewhere without a word. */
function refusedPlace({ leaders }: TopicShape, partition: number): AppendOutcome | undefined {
  if (Number.isInteger(partition) && partition >= 0 && partition < leaders.length) return undefined;
  return { kind: 'refused', code: 'wrong_partition' };
}
