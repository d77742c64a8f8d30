import { Mutex, pause, withDeadline } from '#concurrency';
import { innermostMessage } from '#faults';
import { fitsOneAppend, tooLarge, type NewRecord, type WriteOutcome, type Writer } from '#log';
import type { KafkaLogOptions } from './options.js';
import { hasCode, hasNetworkError, Transactor } from './platformatic/index.js';
import { FENCED, INVALID, TOO_LARGE } from './produce-errors.js';
import type { Reads } from './reads.js';
import { noAnswer, unavailable } from './retry.js';
import type { Topics } from './topics.js';

const DEADLINE_MS = 60_000;
/** Control topics have one partition (R4). */
const PARTITION = 0;
/** How long write() waits for its records to become visible after the commit. */
const VISIBLE_TRIES = 500;
const VISIBLE_PAUSE_MS = 2;

interface Parts {
  readonly options: KafkaLogOptions;
  readonly topics: Topics;
  readonly reads: Reads;
  /** Called when the writer has given back its producer. */
  released(writer: Writer): void;
}

/**
 * Claims a control topic with a transactional producer whose id is the name of the topic: before this resolves, the coordinator fences the earlier
 * owner and aborts its open transaction. Throws Fault `unknown_topic`, `log_unavailable`.
 */
export async function claimWriter(parts: Parts, topic: string, name: string): Promise<Writer> {
  await parts.topics.shape(name);
  const transactor = new Transactor(parts.options, name);
  try {
    const limit = parts.options.appendDeadlineMs ?? DEADLINE_MS;
    await withDeadline(transactor.begin(), limit, noAnswer(`claim of ${topic}`, limit));
  } catch (error) {
    void transactor.close().catch(() => undefined);
    throw unavailable(error);
  }
  return new KafkaWriter(parts, topic, name, transactor);
}

class KafkaWriter implements Writer {
  readonly topic: string;
  readonly #name: string;
  readonly #parts: Parts;
  readonly #transactor: Transactor;
  readonly #mutex = new Mutex();
  #ended = false;

  constructor(parts: Parts, topic: string, name: string, transactor: Transactor) {
    this.#parts = parts;
    this.topic = topic;
    this.#name = name;
    this.#transactor = transactor;
  }

  write(records: readonly NewRecord[]): Promise<WriteOutcome> {
    return this.#mutex.run(() => this.#one(records));
  }

  async #one(records: readonly NewRecord[]): Promise<WriteOutcome> {
    if (this.#ended) return { kind: 'fenced' };
    if (!fitsOneAppend(records)) return tooLarge(records);
    const limit = this.#parts.options.appendDeadlineMs ?? DEADLINE_MS;
    try {
      const writing = this.#transactor.write(this.#name, PARTITION, records);
      const written = await withDeadline(writing, limit, noAnswer('transaction', limit));
      if (written?.partition !== PARTITION) throw new Error('the answer names no offset');
      await this.#visible(written.base + BigInt(records.length));
      return { kind: 'accepted', base: written.base, appendTimeMs: written.appendTimeMs };
    } catch (cause) {
      // after any error the state of the transaction is unknown: this writer ends, and the next claim aborts an open transaction
      await this.release();
      // after a try without an answer, the fence may have come behind our own commit
      if (hasCode(cause, ...FENCED) && !hasNetworkError(cause)) return { kind: 'fenced' };
      // refused: the broker checks the size and the records before it writes, and the transaction is never committed
      if (hasCode(cause, ...TOO_LARGE)) return { kind: 'refused', code: 'record_too_large', cause };
      if (hasCode(cause, ...INVALID)) return { kind: 'refused', code: 'invalid_record', cause };
      // uncertain: the commit may have been written before the connection broke
      this.#parts.options.report?.appendUncertain?.(this.topic, PARTITION, innermostMessage(cause));
      return { kind: 'uncertain', cause };
    }
  }

  /** Waits until readers see the records: the coordinator answers a commit before it has written the commit marker into the partition. */
  async #visible(end: bigint): Promise<void> {
    for (let tries = 0; tries < VISIBLE_TRIES; tries++) {
      if ((await this.#parts.reads.range(this.#name, PARTITION)).high > end) break;
      await pause(VISIBLE_PAUSE_MS);
    }
    this.#parts.reads.wake((await this.#parts.topics.shape(this.#name)).id, PARTITION, end);
  }

  async release(): Promise<void> {
    this.#ended = true;
    this.#parts.released(this);
    await this.#transactor.close().catch(() => undefined);
  }
}
