import { Mutex } from '#concurrency';
import { Fault } from '#faults';
import type { EventLog, LogRecord, NewRecord, Writer } from '#log';
import { failWhenShorter, TopicTail } from './topic-tail.js';

export interface TableOptions<V> {
  readonly log: EventLog;
  /** Created when it does not exist: one partition, compacted. */
  readonly topic: string;
  /** The row of a record's value. A throw marks the record as bad: it is counted and skipped. */
  readonly parse: (value: Buffer, key: string) => V;
  readonly serialise: (row: V, key: string) => Buffer;
  /** Called after a row changed (undefined: deleted), in log order, whichever process wrote it. */
  readonly onChange?: (key: string, row: V | undefined, at: Pick<LogRecord, 'offset' | 'appendTimeMs'>) => void;
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
export type Decision<V, R> = { readonly changes: readonly Change<V>[]; readonly result: R };

export interface TableReads<V> {
  get(key: string): V | undefined;
  entries(): IterableIterator<[string, V]>;
  readonly size: number;
  /** First offset not read yet. */
  readonly next: bigint;
  /** Records that could not be parsed. */
  readonly bad: number;
  /** Reads what other processes wrote until now. Faults `log_unavailable`, `offset_out_of_range` (the topic was deleted and created again). */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

export interface Table<V> extends TableReads<V> {
  /** The row with the offset of its record. */
  row(key: string): Row<V> | undefined;
  /**
   * Claims the topic if this table does not hold the claim, reads to the end, calls `decide` with the rows as they are then, writes its changes in
   * one transaction (all or none) and answers its result once they are durable and visible in this table. Fenced by another writer: claims again,
   * reads again and calls `decide` again, so `decide` must have no side effects. At most 500 changes. When `decide` throws, nothing is written and
   * the error is passed on. Faults `not_durable` (it is unknown whether the changes were written), `disk_full`, `record_too_large`,
   * `log_unavailable`, `draining` (after close).
   */
  write<R>(decide: (rows: ReadonlyMap<string, V>) => Decision<V, R>): Promise<R>;
}

class FencedTable<V> implements Table<V> {
  readonly #options: TableOptions<V>;
  readonly #tail: TopicTail<Change<V>>;
  readonly #rows = new Map<string, V>();
  readonly #offsets = new Map<string, bigint>();
  readonly #writes = new Mutex();
  #writer: Writer | undefined;
  #closed = false;

  constructor(options: TableOptions<V>) {
    this.#options = options;
    this.#tail = new TopicTail({
      log: options.log,
      topic: { name: options.topic, partitions: 1, cleanup: 'compact' },
      parse: ({ key, value }) => (key === null ? undefined : this.#parse(key.toString(), value)),
      apply: (change, record) => this.#apply(change, record),
      onShorter: failWhenShorter(options.topic),
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

  open(): Promise<void> {
    return this.#tail.open();
  }

  write<R>(decide: (rows: ReadonlyMap<string, V>) => Decision<V, R>): Promise<R> {
    return this.#writes.run(() => this.#writeNow(decide));
  }

  refresh(): Promise<void> {
    return this.#tail.refresh();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#writes.run(() => this.#release());
    await this.#tail.close();
  }

  async #writeNow<R>(decide: (rows: ReadonlyMap<string, V>) => Decision<V, R>): Promise<R> {
    const { log, topic, serialise } = this.#options;
    for (;;) {
      if (this.#closed) throw new Fault('draining');
      const writer = (this.#writer ??= await log.claim(topic));
      await this.#tail.refresh();
      const { changes, result } = decide(this.#rows);
      if (changes.length === 0) return result;
      const records = changes.map(({ key, row }): NewRecord => ({
        key: Buffer.from(key),
        value: row === undefined ? null : serialise(row, key),
        headers: [],
      }));
      const outcome = await writer.write(records);
      switch (outcome.kind) {
        case 'accepted':
          await this.#tail.readTo(outcome.base + BigInt(records.length));
          return result;
        case 'fenced':
          await this.#release();
          continue;
        case 'refused':
          throw new Fault(outcome.code, { cause: outcome.cause });
        case 'uncertain':
          await this.#release();
          throw new Fault('not_durable', { detail: topic, cause: outcome.cause });
      }
    }
  }

  async #release(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    await writer?.release().catch(() => undefined);
  }

  #parse(key: string, value: Buffer | null): Change<V> {
    return { key, row: value === null ? undefined : this.#options.parse(value, key) };
  }

  #apply({ key, row }: Change<V>, record: LogRecord): void {
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

/** Opens a table with one fenced writer at a time (R4): loads it to the end of its topic, then follows it. Fault `log_unavailable`. */
export async function openTable<V>(options: TableOptions<V>): Promise<Table<V>> {
  const table = new FencedTable(options);
  await table.open();
  return table;
}
