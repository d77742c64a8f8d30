import { Mutex, pause } from '#concurrency';
import { Fault } from '#faults';
import { sealed, type EventLog, type LogRecord, type NewRecord, type Writer } from '#log';
import { randomUUID } from 'node:crypto';
import type { TableReport } from './damaged.js';
import { failWhenReset, TopicTail } from './topic-tail.js';
import { Turns, type Turn } from './turns.js';

/** Header of every record: which write it belongs to. So a write with an uncertain outcome is found again, and no other one is taken for it. */
const WRITE_HEADER = 'simpul-write';
/** After a fence: a pause of up to this long, twice as long with each further fence, up to MAX_BACKOFF_MS. */
const BACKOFF_MS = 20;
const MAX_BACKOFF_MS = 1_000;
/** Writes of one process that follow each other at once share a turn and a claim, up to this many and this long: a claim costs more than a write. */
const MAX_WRITES_A_TURN = 10;
const MAX_TURN_MS = 1_000;

export interface TableOptions<V> {
  readonly log: EventLog;
  /** Created when it does not exist: one partition, compacted. */
  readonly topic: string;
  /**
   * The row of a record's value. A throw says that the record cannot be read: its key then has no row, whatever row it had before, it is in `damaged`, and
   * `report` is told.
   */
  readonly parse: (value: Buffer, key: string) => V;
  readonly serialise: (row: V, key: string) => Buffer;
  /** Called after a row changed (undefined: deleted, or its record cannot be read), in log order, whichever process wrote it. */
  readonly onChange?: (key: string, row: V | undefined, at: Pick<LogRecord, 'offset' | 'appendTimeMs'>) => void;
  readonly report?: TableReport | undefined;
}

/** `row` undefined deletes the key. */
export interface Change<V> {
  readonly key: string;
  readonly row: V | undefined;
}

export interface Row<V> {
  readonly row: V;
  /** Offset of the record: grows with each change of the table. */
  readonly offset: bigint;
}

/** What `decide` answers: the changes to write (none: nothing is written) and the result that write() then answers. */
export interface Decision<V, R> {
  readonly changes: readonly Change<V>[];
  readonly result: R;
  /** Called under the claim, directly before the changes are written; once more when the write was fenced and decided again. A throw writes nothing. */
  readonly beforeWrite?: () => void;
}

export interface TableReads<V> {
  get(key: string): V | undefined;
  entries(): IterableIterator<[string, V]>;
  readonly size: number;
  /** First offset not read yet. */
  readonly next: bigint;
  /** How many records could not be read. */
  readonly bad: number;
  /** Reads what other processes wrote until now. Faults `log_unavailable`, `offset_out_of_range` (the topic was deleted and created again). */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface Table<V> extends TableReads<V> {
  /** The row with the offset of its record. */
  row(key: string): Row<V> | undefined;
  /** The keys whose last record cannot be read. They have no row. A decision that would take such a key for a new one must refuse instead. */
  readonly damaged: ReadonlySet<string>;
  /**
   * Reads to the end and calls `decide` with the rows; a decision without changes is answered and claims nothing. Otherwise waits for its turn among the
   * writers of all processes, claims the topic, reads to the end, calls `decide` again if other rows were written meanwhile, and writes the changes
   * in one transaction (all or none). Answers the result once they are durable and visible in this table. Fenced by another writer: takes a new turn after
   * a pause and decides again, so `decide` must have no side effects (`beforeWrite` may). At most 500 changes. When `decide` throws, nothing is written
   * and the error is passed on. Writes of one process are done in the order of the calls.
   * Faults `not_durable` (it is unknown whether the changes were written, and the log did not answer when asked again), `disk_full`, `record_too_large`,
   * `log_unavailable`, `draining` (after close).
   */
  write<R>(decide: (rows: ReadonlyMap<string, V>) => Decision<V, R>): Promise<R>;
}

/** A turn of this process: it holds the claim. */
interface Session {
  readonly turn: Turn;
  readonly writer: Writer;
  readonly since: number;
  writes: number;
}

class FencedTable<V> implements Table<V> {
  readonly #options: TableOptions<V>;
  readonly #tail: TopicTail<Change<V>>;
  readonly #turns: Turns;
  readonly #rows = new Map<string, V>();
  readonly #offsets = new Map<string, bigint>();
  readonly #damaged = new Set<string>();
  readonly #writes = new Mutex();
  readonly #closing = new AbortController();
  #session: Session | undefined;
  /** Calls of write(). */
  #asked = 0;

  constructor(options: TableOptions<V>) {
    this.#options = options;
    this.#turns = new Turns(options.log, options.topic);
    this.#tail = new TopicTail({
      log: options.log,
      topic: { name: options.topic, partitions: 1, cleanup: 'compact' },
      parse: ({ key, value }) => (key === null ? undefined : this.#parse(key.toString(), value)),
      apply: ({ key, row }, record) => {
        this.#turns.worked();
        this.#damaged.delete(key);
        this.#show(key, row, record);
      },
      onBad: (record, cause) => {
        const key = record.key!.toString();
        this.#damaged.add(key);
        options.report?.unreadable?.({ topic: options.topic, key, offset: record.offset, cause });
        this.#show(key, undefined, record);
      },
      onReset: failWhenReset(options.topic),
      report: options.report,
    });
  }

  get(key: string): V | undefined {
    return this.#rows.get(key);
  }

  row(key: string): Row<V> | undefined {
    const row = this.#rows.get(key);
    const offset = this.#offsets.get(key);
    return row === undefined || offset === undefined ? undefined : { row, offset };
  }

  entries(): IterableIterator<[string, V]> {
    return this.#rows.entries();
  }

  get size(): number {
    return this.#rows.size;
  }

  get next(): bigint {
    return this.#tail.next;
  }

  get bad(): number {
    return this.#tail.bad;
  }

  get damaged(): ReadonlySet<string> {
    return this.#damaged;
  }

  open(): Promise<void> {
    return this.#tail.open();
  }

  write<R>(decide: (rows: ReadonlyMap<string, V>) => Decision<V, R>): Promise<R> {
    this.#asked++;
    return this.#writes.run(async () => {
      try {
        return await this.#writeNow(decide);
      } finally {
        await this.#leave();
      }
    });
  }

  refresh(): Promise<void> {
    return this.#tail.refresh();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#turns.stop();
    await this.#writes.run(() => this.#end());
    await this.#turns.close();
    await this.#tail.close();
  }

  async #writeNow<R>(decide: (rows: ReadonlyMap<string, V>) => Decision<V, R>): Promise<R> {
    for (let fences = 0; ; fences++) {
      if (this.#closing.signal.aborted) throw new Fault('draining');
      let decided = this.#session && tryDecide(decide, this.#rows);
      let { next } = this.#tail;
      if (decided === undefined) {
        await this.#tail.refresh();
        ({ next } = this.#tail);
        decided = decide(this.#rows);
        if (decided.changes.length === 0) return decided.result;
      }
      if (this.#session === undefined) {
        await this.#begin();
        await this.#tail.refresh();
        if (this.#tail.next !== next) decided = decide(this.#rows);
        ({ next } = this.#tail);
      }
      if (decided.changes.length === 0 || (await this.#commit(decided, next))) return decided.result;
      const backoff = Math.min(BACKOFF_MS * 2 ** fences, MAX_BACKOFF_MS);
      await pause(backoff * Math.random(), this.#closing.signal);
    }
  }

  async #begin(): Promise<void> {
    const { log, topic } = this.#options;
    const turn = await this.#turns.take();
    try {
      this.#session = { turn, writer: await log.claim(topic), since: performance.now(), writes: 0 };
    } catch (e) {
      turn.end();
      throw e;
    }
  }

  /** Writes the changes that were decided at `next`. False: they were surely not written, and the turn has ended. */
  async #commit<R>({ changes, beforeWrite }: Decision<V, R>, next: bigint): Promise<boolean> {
    const { serialise } = this.#options;
    const session = this.#session!;
    const id = Buffer.from(randomUUID());
    const records = changes.map(({ key, row }): NewRecord =>
      sealed({
        key: Buffer.from(key),
        value: row === undefined ? null : serialise(row, key),
        headers: [[WRITE_HEADER, id]],
      }),
    );
    beforeWrite?.();
    session.writes++;
    const outcome = await session.writer.write(records);
    switch (outcome.kind) {
      case 'accepted':
        await this.#tail.readTo(outcome.base + BigInt(records.length));
        return true;
      case 'fenced':
        await this.#end();
        return false;
      case 'refused':
        await this.#end();
        throw new Fault(outcome.code, { cause: outcome.cause });
      case 'uncertain':
        try {
          return await this.#isWritten(id, next, outcome.cause);
        } finally {
          await this.#end();
        }
    }
  }

  /** Ends the turn, unless the next write of this process follows at once and the turn has room for it. */
  async #leave(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    if (session.writes >= MAX_WRITES_A_TURN || performance.now() - session.since > MAX_TURN_MS) {
      await this.#end();
      return;
    }
    const asked = this.#asked;
    setImmediate(() => {
      if (this.#asked === asked) void this.#writes.run(() => this.#end());
    });
  }

  async #end(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    session?.turn.end();
    await session?.writer.release().catch(() => undefined);
  }

  /**
   * Whether a write with an uncertain outcome is in the log at or above `from`. The next claim ends what the write began, so behind it the log says so for
   * good. Fault `not_durable` when the log does not answer.
   */
  async #isWritten(id: Buffer, from: bigint, cause: unknown): Promise<boolean> {
    const { log, topic } = this.#options;
    try {
      const writer = await log.claim(topic);
      try {
        await this.#tail.refresh();
        const end = this.#tail.next;
        for (let at = from; at < end;) {
          const read = await log.read(topic, 0, at);
          if (read.kind !== 'records') throw new Error(`${topic} cannot be read at ${at}`);
          if (read.records.some((r) => r.headers.some(([name, value]) => name === WRITE_HEADER && value?.equals(id))))
            return true;
          at = read.next;
        }
        return false;
      } finally {
        await writer.release().catch(() => undefined);
      }
    } catch {
      throw new Fault('not_durable', { detail: topic, cause });
    }
  }

  #parse(key: string, value: Buffer | null): Change<V> {
    return { key, row: value === null ? undefined : this.#options.parse(value, key) };
  }

  #show(key: string, row: V | undefined, record: LogRecord): void {
    if (row === undefined) {
      this.#rows.delete(key);
      this.#offsets.delete(key);
    } else {
      this.#rows.set(key, row);
      this.#offsets.set(key, record.offset);
    }
    this.#options.onChange?.(key, row, record);
  }
}

/**
 * The decision on the rows that this process knows, while it holds the claim: when they are old, another writer has claimed since, and the write is fenced. So only an
 * answer without a write must be decided on newer rows: undefined.
 */
function tryDecide<V, R>(
  decide: (rows: ReadonlyMap<string, V>) => Decision<V, R>,
  rows: ReadonlyMap<string, V>,
): Decision<V, R> | undefined {
  try {
    const decided = decide(rows);
    return decided.changes.length > 0 ? decided : undefined;
  } catch {
    return undefined;
  }
}

/** Opens a table with one fenced writer at a time (R4): loads it to the end of its topic, then follows it. Fault `log_unavailable`. */
export async function openTable<V>(options: TableOptions<V>): Promise<Table<V>> {
  const table = new FencedTable(options);
  await table.open();
  return table;
}
