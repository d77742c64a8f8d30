import { innermostMessage } from '#faults';
import { fitsOneAppend, type NewRecord, type WriteOutcome, type Writer } from '#log';
import type { KafkaLogOptions } from './options.js';
import { hasCode, Transactor } from './platformatic.js';
import type { Reads } from './reads.js';
import type { Topics } from './topics.js';
import { unavailable, within } from './trying.js';

const DEADLINE_MS = 60_000;
/** Control topics have one partition (R4). */
const PARTITION = 0;

/** The broker says that another producer took this id, or that it has forgotten ours: in both cases claim again, read, decide again. */
const FENCED = [
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'INVALID_TXN_STATE',
  'INVALID_PRODUCER_ID_MAPPING',
  'UNKNOWN_PRODUCER_ID',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'TRANSACTION_ABORTABLE',
];

interface Parts {
  readonly options: KafkaLogOptions;
  readonly topics: Topics;
  readonly reads: Reads;
  /** The writer holds nothing any more. */
  released(writer: Writer): void;
}

/**
 * Claims a control topic: a transactional producer whose id is the topic's name, so that the coordinator fences the earlier owner and
 * aborts what it left open, before this resolves. Throws Fault `unknown_topic`, `log_unavailable`.
 */
export async function claimWriter(parts: Parts, topic: string, name: string): Promise<Writer> {
  await parts.topics.shape(name);
  const transactor = new Transactor(parts.options, name);
  try {
    await within(parts.options.appendDeadlineMs ?? DEADLINE_MS, `claim of ${topic}`, transactor.begin());
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
  #tail: Promise<unknown> = Promise.resolve();
  #ended = false;

  constructor(parts: Parts, topic: string, name: string, transactor: Transactor) {
    this.#parts = parts;
    this.topic = topic;
    this.#name = name;
    this.#transactor = transactor;
  }

  write(records: readonly NewRecord[]): Promise<WriteOutcome> {
    const mine = this.#tail.then(() => this.#one(records));
    this.#tail = mine;
    return mine;
  }

  async #one(records: readonly NewRecord[]): Promise<WriteOutcome> {
    if (this.#ended) return { kind: 'fenced' };
    if (!fitsOneAppend(records)) return { kind: 'refused', code: 'record_too_large' };
    const limit = this.#parts.options.appendDeadlineMs ?? DEADLINE_MS;
    try {
      const sent = await within(limit, 'transaction', this.#transactor.write(this.#name, PARTITION, records));
      if (sent?.partition !== PARTITION) throw new Error('the answer names no place');
      await this.#visible(sent.base + BigInt(records.length));
      return { kind: 'accepted', base: sent.base, appendTimeMs: sent.timeMs };
    } catch (cause) {
      // whatever it was, this producer's state is in doubt: the next claim aborts what it left open
      await this.release();
      if (hasCode(cause, ...FENCED)) return { kind: 'fenced' };
      if (hasCode(cause, 'MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD'))
        return { kind: 'refused', code: 'record_too_large', cause };
      this.#parts.options.onEvent?.({ kind: 'append_unknown', topic: this.topic, detail: innermostMessage(cause) });
      return { kind: 'uncertain', cause };
    }
  }

  /** The coordinator answers a commit before its marker lies in the partition; readers see the records from then on. */
  async #visible(end: bigint): Promise<void> {
    for (let i = 0; i < 500; i++) {
      if ((await this.#parts.reads.range(this.#name, PARTITION)).high > end) break;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    this.#parts.reads.wake((await this.#parts.topics.shape(this.#name)).id, PARTITION);
  }

  async release(): Promise<void> {
    this.#ended = true;
    this.#parts.released(this);
    await this.#transactor.close().catch(() => undefined);
  }
}
