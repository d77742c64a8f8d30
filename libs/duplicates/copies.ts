import { partitionKey } from '#event';
import { Fault } from '#faults';
import { COPIES_TOPIC, MAX_APPEND_RECORDS } from '#log';
import { openOwnedTable, type OwnedTable, type ParsedRow, type TableLog } from '#table';

const KEY = /^(?:(end)\/)?([^/]+)\/(\d+)(?:\/(\d+))?$/;
const WRITE_ENDS_MS = 1_000;

const endKey = (stream: string, partition: number): string => `end/${partitionKey(stream, partition)}`;
const copyKey = (stream: string, partition: number, offset: bigint): string =>
  `${partitionKey(stream, partition)}/${offset}`;

interface MovedEnd {
  readonly stream: string;
  readonly partition: number;
  readonly end: bigint;
  readonly epoch: bigint;
  readonly topicId: string;
}

/** A copy: its offset, and the offset of the original, in one partition. */
export interface ListedCopy {
  readonly offset: bigint;
  readonly first: bigint;
}

type EndListener = (stream: string, partition: number, end: bigint) => void;

/**
 * The copies and settled ends of `_simpul.copies` (R2.2, R2.3), as an owned table of `#table`: key `stream/partition/offset` holds the offset of the
 * original, key `end/stream/partition` the settled end. The projector that is assigned a partition owns its end under its epoch (R1). A listed copy
 * has no owner: which record is a copy follows from the log, so every projector lists the same.
 */
export class Copies {
  #table: OwnedTable<bigint> | undefined;
  /** Partitions with a listed copy: most have none, and then no key needs to be built for each event. */
  readonly #withCopies = new Set<string>();
  readonly #ends = new Map<string, bigint>();
  readonly #moved = new Map<string, MovedEnd>();
  readonly #listeners = new Set<EndListener>();
  #writingEnds: NodeJS.Timeout | undefined;

  async open(log: TableLog): Promise<void> {
    this.#table = await openOwnedTable<bigint>({
      log,
      topic: COPIES_TOPIC,
      parse: parseRow,
      serialise: (row, epoch, key) =>
        Buffer.from(
          JSON.stringify(key.startsWith('end/') ? { end: `${row}`, epoch: `${epoch}` } : { first: `${row}` }),
        ),
      onChange: (key, row) => this.#changed(key, row),
    });
  }

  /** Reads what other processes wrote until now; concurrent callers share one read. Faults of the log. */
  async refresh(): Promise<void> {
    await this.#open.refresh();
  }

  /** Offset of the original when the record at `offset` is a listed copy. */
  originalOf(stream: string, partition: number, offset: bigint): bigint | undefined {
    if (!this.#withCopies.has(partitionKey(stream, partition))) return undefined;
    return this.#open.get(copyKey(stream, partition, offset));
  }

  /** The greatest settled end known in this process; 0n when none. */
  end(stream: string, partition: number): bigint {
    return this.#ends.get(partitionKey(stream, partition)) ?? 0n;
  }

  /**
   * Lists copies of the topic with this id, as the owner of the partition under this epoch: durable when it resolves. Fault `log_unavailable` (surely not
   * listed, or unknown): list them again, which does no harm.
   */
  async list(
    stream: string,
    partition: number,
    _topicId: string,
    copies: readonly ListedCopy[],
    _epoch: bigint,
  ): Promise<void> {
    const rows = copies.map(({ offset, first }) => ({ key: copyKey(stream, partition, offset), row: first }));
    try {
      for (let i = 0; i < rows.length; i += MAX_APPEND_RECORDS)
        await this.#open.write(rows.slice(i, i + MAX_APPEND_RECORDS));
    } catch (cause) {
      throw new Fault('log_unavailable', { detail: 'copies could not be listed', cause });
    }
  }

  /** The duplicate index has folded the partition of the topic with this id up to `end`, under this epoch. Known here at once, in other processes within a second. */
  settle(stream: string, partition: number, end: bigint, epoch: bigint, topicId: string): void {
    this.raise(stream, partition, end);
    this.#moved.set(partitionKey(stream, partition), { stream, partition, end, epoch, topicId });
    this.#tellEnds();
  }

  /**
   * The log of the partition is not what was folded before: the settled end goes down to `from`, and the copies at or above `from` that were listed under
   * older epochs count no more; with another topic id, none of the older ones counts. Durable when it resolves. Call it under an epoch that is newer than every
   * settle() and list() before. Fault `log_unavailable`: call it again.
   */
  async reset(stream: string, partition: number, topicId: string, epoch: bigint, from = 0n): Promise<void> {
    this.#ends.set(partitionKey(stream, partition), from);
    this.#moved.set(partitionKey(stream, partition), { stream, partition, end: from, epoch, topicId });
    await this.writeEnds();
  }

  #tellEnds(): void {
    this.#writingEnds ??= setTimeout(() => {
      this.#writingEnds = undefined;
      void this.writeEnds();
    }, WRITE_ENDS_MS).unref();
  }

  /** Writes the ends that moved since the last call. Never throws: the state store holds them too, and the next call writes newer ones. */
  async writeEnds(): Promise<void> {
    const moved = [...this.#moved.values()];
    this.#moved.clear();
    await Promise.all(
      moved.map(({ stream, partition, end, epoch }) =>
        this.#open.write([{ key: endKey(stream, partition), row: end, epoch }]).catch(() => undefined),
      ),
    );
  }

  /** Calls the listener whenever a settled end grows. Answers how to stop that. */
  onEnd(listener: EndListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The state store says that the index has come this far. Call it only after a refresh(): the copies below the end must be known first. */
  raise(stream: string, partition: number, end: bigint): void {
    if (end <= this.end(stream, partition)) return;
    this.#ends.set(partitionKey(stream, partition), end);
    for (const listener of this.#listeners) listener(stream, partition, end);
  }

  async close(): Promise<void> {
    clearTimeout(this.#writingEnds);
    await this.writeEnds();
    await this.#open.close();
  }

  get #open(): OwnedTable<bigint> {
    if (this.#table === undefined) throw new Error('the table of copies is not open');
    return this.#table;
  }

  #changed(key: string, row: bigint | undefined): void {
    const [, end, stream, partition] = KEY.exec(key) ?? [];
    if (stream === undefined || partition === undefined || row === undefined) return;
    if (end === undefined) this.#withCopies.add(partitionKey(stream, Number(partition)));
    else this.raise(stream, Number(partition), row);
  }
}

function parseRow(value: Buffer, key: string): ParsedRow<bigint> {
  const [, isEnd, , , offset] = KEY.exec(key) ?? [];
  const row = JSON.parse(value.toString()) as Readonly<Record<'first' | 'end' | 'epoch', unknown>>;
  if (isEnd !== undefined) return { row: BigInt(String(row.end)), epoch: BigInt(String(row.epoch)) };
  if (offset !== undefined) return { row: BigInt(String(row.first)) };
  throw new TypeError('neither a copy nor a settled end');
}

/** Opens the table of copies and settled ends: loads it, then follows it. Fault `log_unavailable`. */
export async function openCopies(log: TableLog): Promise<Copies> {
  const copies = new Copies();
  await copies.open(log);
  return copies;
}
