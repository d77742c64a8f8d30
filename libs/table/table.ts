import { Fault } from '#faults';
import type { EventLog, LogRecord, NewRecord, Writer } from '#log';

export interface TableOptions<V> {
  readonly log: EventLog;
  /** Made when lacking: one partition, compacted. */
  readonly topic: string;
  /** The row of a record's value. A throw marks the record as bad: counted, skipped. */
  readonly parse: (value: Buffer, key: string) => V;
  readonly serialise: (row: V, key: string) => Buffer;
  /** Told after a row changed (undefined: deleted), in log order, whoever wrote it. */
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

/** What a write does with the rows it was shown: changes (none = nothing is written), or a refusal that is handed back. */
export type Decision<V, R> = { readonly changes: readonly Change<V>[]; readonly result: R };

export type Written<R> = R;

export interface Table<V> {
  get(key: string): V | undefined;
  /** With its offset. */
  row(key: string): Row<V> | undefined;
  entries(): IterableIterator<[string, V]>;
  readonly size: number;
  /** First offset not read yet. */
  readonly next: bigint;
  /** Records that could not be parsed. */
  readonly bad: number;
  /**
   * Claims the topic if need be, reads to its end, asks `decide` with the rows as they are then, writes its changes in one step (all or none)
   * and answers its result once they are durable and visible here. Fenced meanwhile: claims and asks again, so `decide` must have no side effects.
   * At most 500 changes. A throw of `decide` is thrown, nothing is written. Faults `not_durable` (unknown whether written), `disk_full`, `log_unavailable`.
   */
  write<R>(decide: (rows: ReadonlyMap<string, V>) => Decision<V, R>): Promise<Written<R>>;
  /** Reads what others wrote until now. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

const FOLLOW_WAIT_MS = 5_000;
const RETRY_MS = 500;
const READ_RECORDS = 500;

class LogTable<V> implements Table<V> {
  readonly #options: TableOptions<V>;
  readonly #rows = new Map<string, V>();
  readonly #offsets = new Map<string, bigint>();
  readonly #closing = new AbortController();
  #next = 0n;
  #bad = 0;
  #writer: Writer | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #following: Promise<void> = Promise.resolve();

  constructor(options: TableOptions<V>) {
    this.#options = options;
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
    return this.#next;
  }

  get bad(): number {
    return this.#bad;
  }

  async open(): Promise<void> {
    const { log, topic } = this.#options;
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'compact' });
    const [range] = await log.describe(topic);
    this.#next = range?.low ?? 0n;
    await this.#readTo(range?.high ?? 0n);
    this.#following = this.#follow();
  }

  async write<R>(decide: (rows: ReadonlyMap<string, V>) => Decision<V, R>): Promise<Written<R>> {
    const mine = this.#turn.then(() => this.#writeNow(decide));
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async refresh(): Promise<void> {
    const [range] = await this.#options.log.describe(this.#options.topic);
    await this.#readTo(range?.high ?? 0n);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#turn;
    await this.#following;
    await this.#writer?.release();
    this.#writer = undefined;
  }

  async #writeNow<R>(decide: (rows: ReadonlyMap<string, V>) => Decision<V, R>): Promise<R> {
    const { log, topic, serialise } = this.#options;
    for (;;) {
      if (this.#closing.signal.aborted) throw new Fault('draining');
      const writer = (this.#writer ??= await log.claim(topic));
      await this.refresh();
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
          await this.#readTo(outcome.base + BigInt(records.length));
          return result;
        case 'fenced':
          await this.#forget();
          continue;
        case 'refused':
          throw new Fault(outcome.code, { cause: outcome.cause });
        case 'uncertain':
          await this.#forget();
          throw new Fault('not_durable', { detail: topic, cause: outcome.cause });
      }
    }
  }

  async #forget(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    await writer?.release().catch(() => undefined);
  }

  #apply(record: LogRecord): void {
    if (record.offset < this.#next) return;
    this.#next = record.offset + 1n;
    if (record.key === null) return;
    const key = record.key.toString();
    let row: V | undefined;
    if (record.value !== null) {
      try {
        row = this.#options.parse(record.value, key);
      } catch {
        this.#bad++;
        return;
      }
    }
    if (row === undefined) {
      this.#rows.delete(key);
      this.#offsets.delete(key);
    } else {
      this.#rows.set(key, row);
      this.#offsets.set(key, record.offset);
    }
    this.#options.onChange?.(key, row, record);
  }

  async #step(waitMs: number, signal?: AbortSignal): Promise<void> {
    const { log, topic } = this.#options;
    const from = this.#next;
    const batch = await log.read(topic, 0, from, {
      maxRecords: READ_RECORDS,
      waitMs,
      ...(signal === undefined ? {} : { signal }),
    });
    if (batch.kind === 'out_of_range') {
      // A table's topic only loses records that a later one of the same key replaces, so going on from its first record misses nothing.
      if (batch.low > this.#next) this.#next = batch.low;
      else throw new Fault('offset_out_of_range', { detail: `${topic}: ${this.#next} of ${batch.high}` });
      return;
    }
    for (const record of batch.records) this.#apply(record);
    if (batch.next > this.#next) this.#next = batch.next;
  }

  async #readTo(end: bigint): Promise<void> {
    while (this.#next < end) await this.#step(1_000);
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted)
      try {
        await this.#step(FOLLOW_WAIT_MS, signal);
      } catch {
        if (signal.aborted) return;
        await new Promise<void>((done) => {
          const timer = setTimeout(done, RETRY_MS);
          signal.addEventListener('abort', () => (clearTimeout(timer), done()), { once: true });
        });
      }
  }
}

/** Loads the table to the end of its topic, then follows it. Fault `log_unavailable`. */
export async function openTable<V>(options: TableOptions<V>): Promise<Table<V>> {
  const table = new LogTable(options);
  await table.open();
  return table;
}
