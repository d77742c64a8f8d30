import { Fault } from '#faults';
import { COPIES_TOPIC, MAX_APPEND_RECORDS, type EventLog, type LogRecord, type NewRecord } from '#log';

const KEY = /^(?:(end)\/)?([^/]+)\/(\d+)(?:\/(\d+))?$/;

interface Told {
  readonly stream: string;
  readonly partition: number;
  readonly end: bigint;
  readonly epoch: bigint;
}

interface Pending {
  readonly records: readonly NewRecord[];
  resolve(): void;
  reject(fault: Fault): void;
}

const record = (key: string, value: object): NewRecord => ({
  key: Buffer.from(key),
  value: Buffer.from(JSON.stringify(value)),
  headers: [],
});

/**
 * The copies and settled ends of `_simpul.copies` (R2.2, R2.3), followed in memory.
 * A listing is durable before list() resolves; ends are told at most once a second for each partition that moved.
 */
export class Copies {
  readonly #log: EventLog;
  readonly #firsts = new Map<string, Map<bigint, bigint>>();
  readonly #ends = new Map<string, bigint>();
  readonly #untold = new Map<string, Told>();
  readonly #listeners = new Set<(stream: string, partition: number, end: bigint) => void>();
  readonly #closing = new AbortController();
  readonly #waiting: Pending[] = [];
  #next = 0n;
  #catching: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #flushing: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  #telling: NodeJS.Timeout | undefined;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** Reads to the end of the topic as it stands at the call or later; those who ask meanwhile share one reading. Faults of the log. */
  catchUp(): Promise<void> {
    if (!this.#catching) {
      this.#catching = this.#readToEnd().finally(() => (this.#catching = undefined));
      return this.#catching;
    }
    this.#queued ??= this.#catching
      .catch(() => undefined)
      .then(() => {
        this.#queued = undefined;
        return this.catchUp();
      });
    return this.#queued;
  }

  async #readToEnd(): Promise<void> {
    const { high, low } = (await this.#log.describe(COPIES_TOPIC))[0]!;
    let at = this.#next < low ? low : this.#next;
    while (at < high) at = await this.#readFrom(at, 0);
  }

  /** Follows the topic in the background until close(). */
  follow(): void {
    this.#following ??= this.#run();
  }

  /** Offset of the first, when the record at `offset` is a listed copy. */
  originalOf(stream: string, partition: number, offset: bigint): bigint | undefined {
    return this.#firsts.get(`${stream}/${partition}`)?.get(offset);
  }

  /** The greatest settled end told so far; 0n when none. */
  end(stream: string, partition: number): bigint {
    return this.#ends.get(`${stream}/${partition}`) ?? 0n;
  }

  /** Lists copies: durable when it resolves. Fault log_unavailable: try again (listing twice does no harm). */
  async list(stream: string, partition: number, copies: readonly { offset: bigint; first: bigint }[]): Promise<void> {
    for (let i = 0; i < copies.length; i += MAX_APPEND_RECORDS) {
      const some = copies.slice(i, i + MAX_APPEND_RECORDS);
      await this.#append(some.map((c) => record(`${stream}/${partition}/${c.offset}`, { first: `${c.first}` })));
      for (const c of some) this.#note(stream, partition, c.offset, c.first);
    }
  }

  /** The duplicate index has come this far. Known here at once, told to others within a second. */
  settle(stream: string, partition: number, end: bigint, epoch: bigint): void {
    this.raise(stream, partition, end);
    this.#untold.set(`${stream}/${partition}`, { stream, partition, end, epoch });
    this.#telling ??= setTimeout(() => {
      this.#telling = undefined;
      void this.tell();
    }, 1_000).unref();
  }

  /** Tells all ends that moved. A failure is made good by the next telling: ends are a hint beside the state store. */
  async tell(): Promise<void> {
    const all = [...this.#untold.values()];
    this.#untold.clear();
    for (let i = 0; i < all.length; i += MAX_APPEND_RECORDS)
      await this.#append(
        all
          .slice(i, i + MAX_APPEND_RECORDS)
          .map((t) => record(`end/${t.stream}/${t.partition}`, { end: `${t.end}`, epoch: `${t.epoch}` })),
      ).catch(() => undefined);
  }

  onEnd(listener: (stream: string, partition: number, end: bigint) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    clearTimeout(this.#telling);
    await this.tell();
    this.#closing.abort();
    await this.#following;
    await this.#flushing;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await this.#readFrom(this.#next, 1_000, signal);
      } catch {
        await new Promise<void>((resolve) => {
          const done = (): void => resolve();
          setTimeout(done, 250);
          signal.addEventListener('abort', done, { once: true });
        });
      }
    }
  }

  async #readFrom(from: bigint, waitMs: number, signal?: AbortSignal): Promise<bigint> {
    const limits = { maxRecords: 2_000, waitMs, ...(signal ? { signal } : {}) };
    const read = await this.#log.read(COPIES_TOPIC, 0, from, limits);
    if (read.kind === 'out_of_range') {
      // The topic was made again or compacted past us: what it holds now is what counts.
      this.#next = read.low;
      return read.low;
    }
    for (const r of read.records) this.#apply(r);
    if (read.next > this.#next) this.#next = read.next;
    return read.next;
  }

  #apply(r: LogRecord): void {
    const m = KEY.exec(r.key?.toString() ?? '');
    if (!m || r.value === null) return;
    const [, end, stream, partition, offset] = m;
    let value: { first?: unknown; end?: unknown };
    try {
      value = JSON.parse(r.value.toString()) as typeof value;
      if (end !== undefined) this.raise(stream!, Number(partition), BigInt(String(value.end)));
      else if (offset !== undefined)
        this.#note(stream!, Number(partition), BigInt(offset), BigInt(String(value.first)));
    } catch {
      // A record that no hub wrote says nothing about copies.
    }
  }

  #note(stream: string, partition: number, offset: bigint, first: bigint): void {
    const key = `${stream}/${partition}`;
    let of = this.#firsts.get(key);
    if (!of) this.#firsts.set(key, (of = new Map<bigint, bigint>()));
    of.set(offset, first);
  }

  /** The index was seen to have come this far, after the copies listed before it were read. */
  raise(stream: string, partition: number, end: bigint): void {
    if (end <= this.end(stream, partition)) return;
    this.#ends.set(`${stream}/${partition}`, end);
    for (const listener of this.#listeners) listener(stream, partition, end);
  }

  /** One append at a time (the port asks it); waiting ones go together. */
  #append(records: readonly NewRecord[]): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#waiting.push({ records, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  async #flush(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const some: Pending[] = [];
      let count = 0;
      while (this.#waiting.length > 0 && count + this.#waiting[0]!.records.length <= MAX_APPEND_RECORDS) {
        const p = this.#waiting.shift()!;
        count += p.records.length;
        some.push(p);
      }
      const done = await this.#log
        .append(
          COPIES_TOPIC,
          0,
          some.flatMap((p) => [...p.records]),
        )
        .catch((cause: unknown) => ({
          kind: 'uncertain' as const,
          cause,
        }));
      for (const p of some) {
        if (done.kind === 'accepted') p.resolve();
        else p.reject(new Fault('log_unavailable', { detail: 'copies could not be listed', cause: done.cause }));
      }
    }
    this.#flushing = undefined;
  }
}
