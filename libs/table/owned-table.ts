import { jittered, pause } from '#concurrency';
import { Fault } from '#faults';
import type { LogRecord, NewRecord } from '#log';
import type { TableReport } from './damaged.js';
import type { TableReads } from './table.js';
import { TopicAppends } from './topic-appends.js';
import { TopicTail, type TableLog } from './topic-tail.js';

/** Header of a tombstone: the epoch of the owner who deleted the row, as decimal text. A row with a value carries its epoch in the value. */
const EPOCH_HEADER = 'simpul-epoch';
const RETRY_MS = 500;
/** Below every epoch: rows that belong to no owner, and records of a format that had no epochs. */
const UNOWNED = -1n;

export interface ParsedRow<V> {
  readonly row: V;
  /** Absent: the record belongs to no owner. */
  readonly epoch?: bigint | undefined;
}

export interface OwnedTableOptions<V> {
  readonly log: TableLog;
  /** Created when it does not exist: compacted. */
  readonly topic: string;
  /** Partitions of the topic, and the one that this table is. A key belongs to one of them, for ever. @default 1 and 0 */
  readonly partitions?: number;
  readonly partition?: number;
  /**
   * The row and the owner's epoch of a record's value. A throw says that the record cannot be read: the key then has no row, whatever row it had before, until its
   * owner, who appends its row again, or a later record repairs it; `report` is told.
   */
  readonly parse: (value: Buffer, key: string) => ParsedRow<V>;
  /** The value of a record; it must hold the epoch so that `parse` gives it back. */
  readonly serialise: (row: V, epoch: bigint | undefined, key: string) => Buffer;
  /** Called after a row changed (undefined: deleted), whichever process wrote it. Records of an older epoch change nothing. */
  readonly onChange?: (key: string, row: V | undefined) => void;
  readonly report?: TableReport | undefined;
}

export interface OwnedChange<V> {
  readonly key: string;
  /** undefined deletes the key; only an owner can delete. */
  readonly row: V | undefined;
  /**
   * The R1 epoch under which this process owns the key (offset of its claim record). Absent: a row without an owner, for facts for which every writer
   * writes the same row; the last record wins and nothing is repaired.
   */
  readonly epoch?: bigint | undefined;
}

export interface OwnedTable<V> extends TableReads<V> {
  /** Epoch of the owner who wrote the row of this key; undefined when there is no row, or a row without an owner. */
  epoch(key: string): bigint | undefined;
  /** The keys whose last record cannot be read and was not written anew by their owner. They have no row, and are not new ones (R4.7). */
  readonly damaged: ReadonlySet<string>;
  /**
   * Appends these rows in one append: all or none, at most 500. Resolves once they are durable, and this table shows them then. Calls that come
   * while an append is in flight share the next one. Rows of one key keep the order of the calls.
   * Faults `fenced` (a newer epoch has written one of the keys: stop, or claim a new epoch), `not_durable` (unknown whether written),
   * `log_unavailable`, `disk_full`, `record_too_large` (surely not written), `draining` (after close).
   */
  write(changes: readonly OwnedChange<V>[]): Promise<void>;
}

interface Entry<V> {
  row: V | undefined;
  epoch: bigint;
  offset: bigint;
}

/** A key that this process writes under an epoch. */
interface Ownership<V> {
  readonly epoch: bigint;
  /** Writes that wait or are in flight. */
  pending: number;
  /** The last accepted write. */
  accepted: { readonly row: V | undefined; readonly offset: bigint } | undefined;
  /** A write after the accepted one has an uncertain outcome: its record may still arrive, and then it is the current row. */
  uncertain: boolean;
  /** Highest offset of a record that compaction must not leave as the last one of the key. */
  overwrittenAt: bigint;
  repairing: boolean;
}

/**
 * The current row of a key is decided by (epoch, offset), not by the offset alone: the highest epoch counts, and within one epoch the last record. So every
 * process and every later load has the same rows, even when a paused former owner appends late. But compaction keeps only the last record of a key. So
 * an owner that reads a later record which does not count appends its row again.
 */
class EpochTable<V> implements OwnedTable<V> {
  readonly #options: OwnedTableOptions<V>;
  readonly #tail: TopicTail<OwnedChange<V>>;
  readonly #appends: TopicAppends;
  readonly #entries = new Map<string, Entry<V>>();
  readonly #owned = new Map<string, Ownership<V>>();
  readonly #damaged = new Set<string>();
  readonly #closing = new AbortController();
  #size = 0;

  constructor(options: OwnedTableOptions<V>) {
    this.#options = options;
    this.#appends = new TopicAppends(options.log, options.topic, options.partition);
    this.#tail = new TopicTail({
      log: options.log,
      topic: { name: options.topic, partitions: options.partitions ?? 1, cleanup: 'compact' },
      partition: options.partition,
      parse: (record) => this.#parse(record),
      apply: ({ key, row, epoch }, record) => this.#fold(key, row, epoch ?? UNOWNED, record),
      onBad: (record, cause) => this.#unreadable(record, cause),
      onReset: (range) => {
        // The offsets of the deleted topic mean nothing in the new one; the epochs still only grow (R1.2).
        for (const entry of this.#entries.values()) entry.offset = -1n;
        this.#owned.clear();
        return range.low;
      },
      report: options.report,
    });
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.row;
  }

  epoch(key: string): bigint | undefined {
    const entry = this.#entries.get(key);
    return entry?.row === undefined || entry.epoch === UNOWNED ? undefined : entry.epoch;
  }

  *entries(): IterableIterator<[string, V]> {
    for (const [key, { row }] of this.#entries) if (row !== undefined) yield [key, row];
  }

  get size(): number {
    return this.#size;
  }

  get damaged(): ReadonlySet<string> {
    return this.#damaged;
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

  refresh(): Promise<void> {
    return this.#tail.refresh();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#appends.idle();
    await this.#tail.close();
  }

  async write(changes: readonly OwnedChange<V>[]): Promise<void> {
    if (this.#closing.signal.aborted) throw new Fault('draining');
    if (changes.length === 0) return;
    this.#refuseOlderEpochs(changes);
    const records = changes.map((change) => this.#recordOf(change));
    const owned = changes.map((change) => this.#own(change));
    for (const own of owned) if (own) own.pending++;
    const outcome = await this.#appends.append(records);
    for (const [i, { key, row, epoch }] of changes.entries()) {
      const own = owned[i];
      if (own) own.pending--;
      if (outcome.kind === 'accepted') {
        const offset = outcome.base + BigInt(i);
        if (own) Object.assign(own, { accepted: { row, offset }, uncertain: false });
        this.#set(key, row, epoch ?? UNOWNED, offset);
      } else if (outcome.kind === 'uncertain' && own) own.uncertain = true;
    }
    for (const { key } of changes) this.#settle(key);
    const { topic } = this.#options;
    if (outcome.kind === 'refused') throw new Fault(outcome.code, { detail: topic, cause: outcome.cause });
    if (outcome.kind === 'uncertain') throw new Fault('not_durable', { detail: topic, cause: outcome.cause });
    this.#refuseOlderEpochs(changes);
  }

  #refuseOlderEpochs(changes: readonly OwnedChange<V>[]): void {
    for (const { key, epoch } of changes) {
      if (epoch === undefined) continue;
      const newest = max(this.#entries.get(key)?.epoch ?? UNOWNED, this.#owned.get(key)?.epoch ?? UNOWNED);
      if (newest > epoch) throw new Fault('fenced', { detail: `${key}: epoch ${epoch} is older than ${newest}` });
    }
  }

  #own({ key, epoch }: OwnedChange<V>): Ownership<V> | undefined {
    if (epoch === undefined) return undefined;
    let own = this.#owned.get(key);
    if (own === undefined || own.epoch < epoch) {
      own = { epoch, pending: 0, accepted: undefined, uncertain: false, overwrittenAt: -1n, repairing: false };
      this.#owned.set(key, own);
    }
    return own;
  }

  #recordOf({ key, row, epoch }: OwnedChange<V>): NewRecord {
    if (row !== undefined)
      return { key: Buffer.from(key), value: this.#options.serialise(row, epoch, key), headers: [] };
    const headers = epoch === undefined ? [] : [[EPOCH_HEADER, Buffer.from(`${epoch}`)] as const];
    return { key: Buffer.from(key), value: null, headers };
  }

  #parse(record: LogRecord): OwnedChange<V> | undefined {
    if (record.key === null) return undefined;
    const key = record.key.toString();
    if (record.value === null) return { key, row: undefined, epoch: epochOfTombstone(record) };
    return { key, ...this.#options.parse(record.value, key) };
  }

  /** A record that the tail has read: changes the row, or must not be the last record of its key. */
  #fold(key: string, row: V | undefined, epoch: bigint, record: LogRecord): void {
    const own = this.#owned.get(key);
    if (own && epoch > own.epoch) this.#owned.delete(key);
    else if (own && (epoch < own.epoch || this.#isLate(key, own, record))) {
      const entry = this.#entries.get(key);
      if (entry?.epoch === own.epoch && record.offset > entry.offset) {
        own.overwrittenAt = record.offset;
        this.#settle(key);
        return;
      }
    }
    this.#set(key, row, epoch, record.offset);
  }

  #unreadable(record: LogRecord, cause: unknown): void {
    const { topic, report } = this.#options;
    const key = record.key?.toString() ?? '';
    report?.unreadable?.({ topic, key, offset: record.offset, cause });
    const entry = this.#entries.get(key);
    if (entry === undefined) this.#damaged.add(key);
    if (entry === undefined || record.offset <= entry.offset) return;
    const own = this.#owned.get(key);
    if (own?.epoch === entry.epoch) {
      own.overwrittenAt = record.offset;
      this.#settle(key);
    } else {
      this.#show(key, undefined, entry.epoch, record.offset);
      this.#damaged.add(key);
    }
  }

  /**
   * True for a record of our own epoch after our last accepted record while no write of ours is pending: the log accepted an append of ours with an uncertain
   * outcome late. A newer row of ours was accepted in the meantime, so the late record must not count.
   */
  #isLate(key: string, own: Ownership<V>, record: LogRecord): boolean {
    if (own.pending > 0 || own.uncertain || own.accepted === undefined) return false;
    const ours = this.#recordOf({ key, row: own.accepted.row, epoch: own.epoch }).value;
    if (ours === null || record.value === null) return ours !== record.value;
    return !ours.equals(record.value);
  }

  /** The row counts if its epoch is newer than the epoch of the current row, or if the epoch is the same and its record comes later. */
  #set(key: string, row: V | undefined, epoch: bigint, offset: bigint): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined && (epoch < entry.epoch || (epoch === entry.epoch && offset <= entry.offset))) return;
    this.#show(key, row, epoch, offset);
  }

  #show(key: string, row: V | undefined, epoch: bigint, offset: bigint): void {
    const entry = this.#entries.get(key);
    this.#damaged.delete(key);
    this.#size += (row === undefined ? 0 : 1) - (entry?.row === undefined ? 0 : 1);
    if (entry === undefined) this.#entries.set(key, { row, epoch, offset });
    else Object.assign(entry, { row, epoch, offset });
    this.#options.onChange?.(key, row);
  }

  /** When no write of the key is pending: ensures that our last accepted row is the current row and the last record of its key. */
  #settle(key: string): void {
    const own = this.#owned.get(key);
    const entry = this.#entries.get(key);
    if (!own || own.pending > 0 || entry?.epoch !== own.epoch) return;
    if (own.accepted !== undefined && !own.uncertain && own.accepted.offset < entry.offset) {
      // The tail read a late record of ours while the newer write was still pending.
      own.overwrittenAt = max(own.overwrittenAt, entry.offset);
      this.#show(key, own.accepted.row, own.epoch, own.accepted.offset);
    }
    if (!own.repairing) void this.#repair(key, own);
  }

  /** The current row, when another record is the last one of its key and the row must be appended again. */
  #overwritten(key: string, own: Ownership<V>): Entry<V> | undefined {
    const entry = this.#entries.get(key);
    if (this.#closing.signal.aborted || this.#owned.get(key) !== own || own.pending > 0) return undefined;
    return entry?.epoch === own.epoch && own.overwrittenAt > entry.offset ? entry : undefined;
  }

  async #repair(key: string, own: Ownership<V>): Promise<void> {
    own.repairing = true;
    for (let lost = this.#overwritten(key, own); lost !== undefined; lost = this.#overwritten(key, own))
      await this.write([{ key, row: lost.row, epoch: own.epoch }]).catch(() =>
        pause(jittered(RETRY_MS), this.#closing.signal),
      );
    own.repairing = false;
  }
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);

function epochOfTombstone(record: LogRecord): bigint | undefined {
  const text = record.headers.find(([name]) => name === EPOCH_HEADER)?.[1]?.toString();
  return text === undefined ? undefined : BigInt(text);
}

/**
 * Opens a table with one owner per key under an epoch (R4): loads it to the end of its topic, then follows it. Fault `log_unavailable`.
 * A deleted key stays in memory with its epoch, so that a late record of an older owner does not restore the row.
 */
export async function openOwnedTable<V>(options: OwnedTableOptions<V>): Promise<OwnedTable<V>> {
  const table = new EpochTable(options);
  await table.open();
  return table;
}
