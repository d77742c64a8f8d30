import { deferred, pause } from '#concurrency';
import { Fault } from '#faults';
import type { EventLog } from '#log';
import { randomUUID } from 'node:crypto';
import { TopicAppends } from './topic-appends.js';
import { TopicTail } from './topic-tail.js';

/** The queues of the writers of all fenced tables: key `table/ticket`, and a tombstone when the turn has ended. One partition, compacted. */
export const TURNS_TOPIC = '_simpul.turns';
/** How long the first ticket may stand without an end, and without a record of the table, until the next writer passes it: its writer has crashed, or stands still. */
const PATIENCE_MS = 3_000;
/** After each ticket that was passed the patience with the next one is half as long, down to this. */
const LEAST_PATIENCE_MS = 500;
/** A ticket that is this much older than our own, by the clock of the log, was left behind by a process that is gone. */
const LEFT_BEHIND_MS = 30_000;

interface Ticket {
  readonly id: string;
  readonly offset: bigint;
  readonly appendTimeMs: number;
}

/** A turn, from take() until end(). */
export interface Turn {
  /** Lets the next writer go on. Returns at once. */
  end(): void;
}

/**
 * The queue of the writers of one table, over all processes, in the order of the log (a ticket lock). A claim fences the claim before it, so writers
 * that all claim at once fence each other and hardly anyone finishes (livelock): with turns one writer claims at a time.
 * A turn is advice, not a lock: a ticket whose writer does not end it is passed after 3 s. The fence of the claim keeps the table right (R4.1).
 */
export class Turns {
  readonly #prefix: string;
  readonly #appends: TopicAppends;
  readonly #tail: TopicTail<string>;
  readonly #closing = new AbortController();
  /** Tickets without an end, in the order of the log. */
  readonly #tickets = new Map<string, Ticket>();
  #changed = deferred<void>();
  #opened: Promise<void> | undefined;
  #first: string | undefined;
  #firstSince = 0;
  /** Tickets passed since one ended by itself. */
  #passed = 0;

  constructor(log: EventLog, table: string) {
    this.#prefix = `${table}/`;
    this.#appends = new TopicAppends(log, TURNS_TOPIC);
    this.#tail = new TopicTail({
      log,
      topic: { name: TURNS_TOPIC, partitions: 1, cleanup: 'compact' },
      parse: ({ key }) => (key?.toString().startsWith(this.#prefix) === true ? key.toString() : undefined),
      apply: (id, { value, offset, appendTimeMs }) => {
        if (value === null) this.#passed = this.#tickets.has(id) ? 0 : this.#passed;
        if (value === null) this.#tickets.delete(id);
        else this.#tickets.set(id, { id, offset, appendTimeMs });
        this.#wake();
      },
      // The queue was deleted and made again: the tickets of before have no meaning.
      onReset: (range) => {
        this.#tickets.clear();
        return range.low;
      },
    });
  }

  /**
   * Waits until every writer that asked before has ended its turn or was passed. Faults `log_unavailable`, `disk_full` (no turn, nothing is queued),
   * `draining` (after close).
   */
  async take(): Promise<Turn> {
    await (this.#opened ??= this.#open());
    const id = `${this.#prefix}${randomUUID()}`;
    const outcome = await this.#appends.append([{ key: Buffer.from(id), value: Buffer.from('{}'), headers: [] }]);
    if (outcome.kind === 'refused') throw new Fault(outcome.code, { detail: TURNS_TOPIC, cause: outcome.cause });
    const turn = { end: () => this.#end(id) };
    // Uncertain: without a place in the queue the writer goes on at once, and the fence decides.
    if (outcome.kind === 'uncertain') return turn;
    try {
      await this.#tail.readTo(outcome.base + 1n);
      await this.#wait(outcome.base, outcome.appendTimeMs);
      return turn;
    } catch (e) {
      turn.end();
      throw e;
    }
  }

  /** Nobody waits any more: take() fails with `draining`. Turns that were given can still end. */
  stop(): void {
    this.#closing.abort();
    this.#wake();
  }

  /** The table has a new record: the writer whose turn it is works, however slow the machine is. */
  worked(): void {
    this.#firstSince = performance.now();
  }

  /** Waits until the turns that have ended are told to the other processes. */
  async close(): Promise<void> {
    this.stop();
    await this.#appends.idle();
    await this.#opened?.catch(() => undefined);
    await this.#tail.close();
  }

  #open(): Promise<void> {
    return this.#tail.open().catch((e: unknown) => {
      this.#opened = undefined;
      throw e;
    });
  }

  async #wait(offset: bigint, appendTimeMs: number): Promise<void> {
    for (;;) {
      if (this.#closing.signal.aborted) throw new Fault('draining');
      const first = this.#tickets.values().next().value;
      if (first === undefined || first.offset >= offset) return;
      const left = this.#patienceWith(first, appendTimeMs);
      if (left <= 0) {
        this.#passed++;
        this.#end(first.id);
        continue;
      }
      const stop = new AbortController();
      await Promise.race([this.#changed.promise, pause(left, stop.signal)]);
      stop.abort();
    }
  }

  /** How much longer to wait for the end of the first ticket, ms. */
  #patienceWith(first: Ticket, now: number): number {
    if (now - first.appendTimeMs > LEFT_BEHIND_MS) return 0;
    if (this.#first !== first.id) {
      this.#first = first.id;
      this.#firstSince = performance.now();
    }
    const patience = Math.max(LEAST_PATIENCE_MS, PATIENCE_MS / 2 ** this.#passed);
    return this.#firstSince + patience - performance.now();
  }

  #end(id: string): void {
    this.#tickets.delete(id);
    this.#wake();
    void this.#appends.append([{ key: Buffer.from(id), value: null, headers: [] }]);
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = deferred<void>();
  }
}
