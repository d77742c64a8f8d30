import { partitionKey, partitionOf } from '#event';
import { Fault } from '#faults';
import { COPIES_TOPIC, type EventLog } from '#log';
import { openJournal, type Journal, type TableLog } from '#table';
import type { CopiesReport, ListedCopy, Owned } from './listed.js';
import { PartitionCopies } from './partition-copies.js';
import {
  CHUNK,
  keyOfRow,
  parseEarlierRow,
  parseRow,
  valueOfRow,
  type EarlierRow,
  type SettledRow,
} from './settled-rows.js';

/** Copies and settled ends (R2), by a hash of the stream: compacted. */
export const SETTLED_TOPIC = '_simpul.settled';
const PARTITIONS = 8;
const WRITE_ENDS_MS = 1_000;
/** Settled ends that a process tells in a second. Every process reads all of them, so the number must not grow with the number of streams. */
const ENDS_A_SECOND = 50;

const MAX_OFFSET = BigInt(Number.MAX_SAFE_INTEGER);

type EndListener = (stream: string, partition: number, end: bigint) => void;

/**
 * The copies and settled ends of `_simpul.settled` (R2.2, R2.3). Which record is a copy follows from the log, so a copy that any owner has listed counts:
 * rows only add, until the owner of the partition resets it. An end belongs to the owner of the partition under its epoch (R1). Rows name the id of
 * the topic of their stream; rows of another topic count as absent. Memory: 16 bytes a copy.
 */
export class Copies {
  readonly #report: CopiesReport;
  readonly #rows: Journal<SettledRow>[] = [];
  #earlier: Journal<EarlierRow> | undefined;
  #earlierCopies = 0;
  readonly #partitions = new Map<string, PartitionCopies[]>();
  /** The topic of each stream, where it is known. */
  readonly #topics = new Map<string, string>();
  readonly #owned = new Map<string, Owned>();
  /** Partitions of which the table, as it is now, has an end: the copies below it are in the table. */
  readonly #listed = new Set<string>();
  /** Partitions whose end was not told since it moved, the longest waiting first. */
  readonly #moved = new Map<string, Owned>();
  readonly #listeners = new Set<EndListener>();
  #writingEnds: NodeJS.Timeout | undefined;

  constructor(report: CopiesReport = {}) {
    this.#report = report;
  }

  async open(log: TableLog & Pick<EventLog, 'topics'>): Promise<void> {
    await this.#openEarlier(log);
    const topic = { name: SETTLED_TOPIC, partitions: PARTITIONS, cleanup: 'compact' as const };
    await log.ensureTopic(topic);
    const opening = Array.from({ length: PARTITIONS }, (_, partition) =>
      openJournal<SettledRow>({
        log,
        topic,
        partition,
        keyOf: keyOfRow,
        parse: parseRow,
        serialise: valueOfRow,
        onRow: (row, table) => this.#take(row, table.slice(0, 8)),
        onAnew: () => this.#lost(partition),
        report: this.#report,
      }),
    );
    const opened = await Promise.allSettled(opening);
    for (const o of opened) if (o.status === 'fulfilled') this.#rows.push(o.value);
    const failed = opened.find((o) => o.status === 'rejected');
    if (failed === undefined) return;
    await this.close();
    throw failed.reason;
  }

  /** Reads what other processes wrote until now, of these streams; concurrent callers share one read. Faults of the log. */
  async refresh(streams: readonly string[] = []): Promise<void> {
    const rows = streams.length === 0 ? this.#rows : new Set(streams.map((s) => this.#rowsOf(s)));
    await Promise.all([this.#earlier?.refresh(), ...[...rows].map((r) => r.refresh())]);
  }

  /** The topic of a stream has this id now: copies and ends of another topic are absent until an owner of the new topic writes. */
  identify(stream: string, topicId: string): void {
    this.#topics.set(stream, topicId);
  }

  /** Offset of the original when the record at `offset` is a listed copy. */
  originalOf(stream: string, partition: number, offset: bigint): bigint | undefined {
    return this.#current(stream, partition)?.originalOf(offset);
  }

  /** The greatest settled end known in this process; 0n when none. */
  end(stream: string, partition: number): bigint {
    return this.#current(stream, partition)?.end ?? 0n;
  }

  /** Whether the table has the copies of a partition: without its end row they may be lost, and no end that the store has may be believed. */
  isListed(stream: string, partition: number): boolean {
    return this.#listed.has(partitionKey(stream, partition));
  }

  /**
   * The owner has opened the partition, and everything below `end` is judged: known copies and end are in the table when it resolves, also when the table was
   * lost. Fault `log_unavailable`: call it again.
   */
  async opened(stream: string, partition: number, topicId: string, epoch: bigint, end: bigint): Promise<void> {
    const own = this.#own(stream, partition, topicId, epoch);
    if (this.isListed(stream, partition)) return;
    own.listUntold = true;
    this.#raiseTo(stream, partition, end);
    await this.#writeEnd(own);
  }

  /** The greatest epoch in rows of other owners; −1n: none. Under one that is not greater their copies would be written over. Call it after a refresh(). */
  newestEpoch(stream: string, partition: number): bigint {
    return this.#at(stream, partition).othersEpoch;
  }

  /**
   * Lists copies of the topic with this id, as the owner of the partition under this epoch: durable when it resolves. Fault `log_unavailable` (surely not
   * listed, or unknown): list them again, which does no harm. Calls for one partition must not overlap.
   */
  async list(
    stream: string,
    partition: number,
    topicId: string,
    copies: readonly ListedCopy[],
    epoch: bigint,
  ): Promise<void> {
    const own = this.#own(stream, partition, topicId, epoch);
    await this.#tellList(own);
    await this.#tellReset(own);
    const { reset } = this.#at(stream, partition);
    const known = new Set(own.copies.map((c) => c.offset));
    await this.#append(
      own,
      reset,
      topicId,
      copies.filter((c) => !known.has(c.offset)),
    );
  }

  /**
   * The duplicate index has folded the partition of the topic with this id up to `end`, under this epoch. Known here at once; told to other processes after a
   * second, later when very many ends move (the store knows them too).
   */
  settle(stream: string, partition: number, end: bigint, epoch: bigint, topicId: string): void {
    const own = this.#own(stream, partition, topicId, epoch);
    this.#raiseTo(stream, partition, end);
    this.#tellLater(own);
  }

  /**
   * The log of the partition is not what was folded before: the settled end goes down to `from`, and the copies at or above `from` that were listed under
   * older epochs count no more; with another topic id, none of the older ones counts. Durable when it resolves. Call it under an epoch that is newer than every
   * settle() and list() before. Fault `log_unavailable`: call it again.
   */
  async reset(stream: string, partition: number, topicId: string, epoch: bigint, from = 0n): Promise<void> {
    const state = this.#at(stream, partition);
    const isSame = state.topicId === undefined || state.topicId === topicId;
    const kept = isSame ? state.below(from) : [];
    const own = this.#claim(stream, partition, epoch);
    await this.#append(own, epoch, topicId, kept);
    state.begin(topicId, epoch);
    state.add(kept);
    state.raise(from);
    this.identify(stream, topicId);
    Object.assign(own, { resetUntold: true, listUntold: false });
    await this.#tellReset(own);
    await this.#writeEnd(own);
  }

  /** Tells the ends that moved and were not told yet, all of them. Never throws: the state store holds them too, and a later end says more. */
  async writeEnds(): Promise<void> {
    await this.#writeMoved(this.#moved.size);
  }

  /** Calls the listener whenever a settled end grows. Answers how to stop that. */
  onEnd(listener: EndListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The state store says that the index has come this far, under this epoch. Call it only after a refresh(): the copies below the end must be known first.
   * An epoch before the last reset of the partition is ignored, and so is an end while copies of another topic are all that is known, or while the table does
   * not have the copies of the partition (isListed).
   */
  raise(stream: string, partition: number, end: bigint, epoch?: bigint): void {
    if (!this.isListed(stream, partition)) return;
    const state = this.#at(stream, partition);
    if (epoch !== undefined && epoch < state.reset) return;
    const topic = this.#topics.get(stream);
    // What is known belongs to the topic that had the name before: only its owner says what counts in the new one.
    if (topic !== undefined && !state.adopt(topic)) return;
    this.#raiseTo(stream, partition, end);
  }

  async close(): Promise<void> {
    clearTimeout(this.#writingEnds);
    await this.writeEnds();
    await Promise.all([this.#earlier?.close(), ...this.#rows.map((r) => r.close())]);
  }

  #at(stream: string, partition: number): PartitionCopies {
    let all = this.#partitions.get(stream);
    if (all === undefined) this.#partitions.set(stream, (all = []));
    return (all[partition] ??= new PartitionCopies());
  }

  /** What counts of a partition: undefined when what is known belongs to another topic than the current one. */
  #current(stream: string, partition: number): PartitionCopies | undefined {
    const state = this.#partitions.get(stream)?.[partition];
    const topic = this.#topics.get(stream);
    return topic === undefined || state?.topicId === undefined || state.topicId === topic ? state : undefined;
  }

  #rowsOf(stream: string): Journal<SettledRow> {
    const rows = this.#rows[partitionOf(Buffer.from(stream), PARTITIONS)];
    if (rows === undefined) throw new Error('the table of copies is not open');
    return rows;
  }

  #own(stream: string, partition: number, topicId: string, epoch: bigint): Owned {
    const own = this.#claim(stream, partition, epoch);
    const state = this.#at(stream, partition);
    if (!state.adopt(topicId)) {
      // The topic was made again, and nothing of the old one counts.
      state.begin(topicId, epoch);
      Object.assign(own, { copies: [], unsure: false, resetUntold: true });
    }
    this.identify(stream, topicId);
    return own;
  }

  #claim(stream: string, partition: number, epoch: bigint): Owned {
    const key = partitionKey(stream, partition);
    let own = this.#owned.get(key);
    if (own === undefined || own.epoch < epoch) {
      own = { stream, partition, epoch, chunk: 0, copies: [], unsure: false, resetUntold: false, listUntold: false };
      this.#owned.set(key, own);
    }
    return own;
  }

  /** Appends copies to the chunk of the owner, and begins a new chunk when it is full. */
  async #append(own: Owned, reset: bigint, topicId: string, copies: readonly ListedCopy[]): Promise<void> {
    const { stream, partition, epoch } = own;
    for (let at = 0; at < copies.length || own.unsure;) {
      const added = copies.slice(at, at + CHUNK - own.copies.length);
      at += added.length;
      own.copies.push(...added);
      own.unsure = true;
      const { chunk } = own;
      await this.#write({ kind: 'chunk', stream, partition, topicId, reset, epoch, chunk, copies: [...own.copies] });
      own.unsure = false;
      if (reset === this.#at(stream, partition).reset) this.#at(stream, partition).add(own.copies);
      if (own.copies.length >= CHUNK) Object.assign(own, { chunk: own.chunk + 1, copies: [] });
    }
  }

  async #tellReset(own: Owned): Promise<void> {
    if (!own.resetUntold) return;
    const { stream, partition } = own;
    const { topicId, reset } = this.#at(stream, partition);
    await this.#write({ kind: 'reset', stream, partition, topicId: topicId!, reset });
    own.resetUntold = false;
  }

  /** Lists all known copies again, in new chunks: the table may lack those of older ones. */
  async #tellList(own: Owned): Promise<void> {
    if (!own.listUntold) return;
    const { stream, partition } = own;
    const { topicId, reset } = this.#at(stream, partition);
    const known = this.#at(stream, partition).below(MAX_OFFSET);
    // The table may be lost once more meanwhile.
    Object.assign(own, { listUntold: false, resetUntold: own.resetUntold || reset >= 0n });
    if (topicId === undefined || known.length === 0) return;
    Object.assign(own, { chunk: own.chunk + 1, copies: [], unsure: false });
    try {
      await this.#append(own, reset, topicId, known);
    } catch (e) {
      own.listUntold = true;
      throw e;
    }
  }

  async #write(row: SettledRow): Promise<void> {
    const outcome = await this.#rowsOf(row.stream).append(row);
    if (outcome.kind !== 'accepted')
      throw new Fault('log_unavailable', { detail: `${SETTLED_TOPIC}: ${keyOfRow(row)}`, cause: outcome.cause });
  }

  #tellLater(own: Owned): void {
    this.#moved.set(partitionKey(own.stream, own.partition), own);
    this.#writingEnds ??= setTimeout(() => {
      this.#writingEnds = undefined;
      void this.#writeMoved(ENDS_A_SECOND).then(() => {
        const next = this.#moved.values().next().value;
        if (next !== undefined) this.#tellLater(next);
      });
    }, WRITE_ENDS_MS).unref();
  }

  async #writeMoved(max: number): Promise<void> {
    const told = [...this.#moved].slice(0, max);
    for (const [key] of told) this.#moved.delete(key);
    await Promise.all(told.map(([, own]) => this.#writeEnd(own).catch(() => undefined)));
  }

  async #writeEnd(own: Owned): Promise<void> {
    await this.#tellList(own);
    await this.#tellReset(own);
    const { stream, partition, epoch } = own;
    const { topicId, reset, end } = this.#at(stream, partition);
    if (this.#owned.get(partitionKey(stream, partition)) !== own || topicId === undefined) return;
    const table = this.#rowsOf(stream).topicId.slice(0, 8);
    await this.#write({ kind: 'end', stream, partition, topicId, reset, epoch, end, table });
    if (table === this.#rowsOf(stream).topicId.slice(0, 8) && !own.listUntold)
      this.#listed.add(partitionKey(stream, partition));
  }

  /** The table may lack what it had. What this process knows stays, and its partitions are listed again. */
  #lost(table: number): void {
    const isIn = (stream: string): boolean => partitionOf(Buffer.from(stream), PARTITIONS) === table;
    for (const key of this.#listed) if (isIn(key.slice(0, key.lastIndexOf('/')))) this.#listed.delete(key);
    this.#report.listLost?.({ topic: SETTLED_TOPIC, partition: table });
    for (const own of this.#owned.values())
      if (isIn(own.stream)) {
        own.listUntold = true;
        this.#tellLater(own);
      }
  }

  #take(row: SettledRow, table: string): void {
    const { stream, partition } = row;
    // Written by an owner who did not know yet that the table was made again: the copies below it are not in this one.
    if (row.kind === 'end' && row.table !== undefined && row.table !== table) return;
    const state = this.#at(stream, partition);
    const taken = state.take(row);
    const key = partitionKey(stream, partition);
    if (row.kind === 'end' && row.topicId === state.topicId && row.reset === state.reset) this.#listed.add(key);
    const own = this.#owned.get(key);
    state.seen(row, own?.epoch);
    if (taken === 'reset') {
      this.identify(stream, row.topicId);
      // Another process has reset the partition under a newer epoch.
      this.#owned.delete(key);
      this.#moved.delete(key);
    } else if (row.kind === 'end' && own !== undefined && row.epoch < own.epoch)
      // A former owner was late. Compaction must not keep its end as the last one of the key.
      this.#tellLater(own);
    if (taken !== 'nothing') this.#notify(stream, partition);
  }

  #raiseTo(stream: string, partition: number, end: bigint): void {
    if (this.#at(stream, partition).raise(end)) this.#notify(stream, partition);
  }

  #notify(stream: string, partition: number): void {
    const end = this.end(stream, partition);
    for (const listener of this.#listeners) listener(stream, partition, end);
  }

  /** Earlier versions wrote `_simpul.copies`, and may still do so during an upgrade. Those rows name no topic: they belong to a partition until its first reset. */
  async #openEarlier(log: TableLog & Pick<EventLog, 'topics'>): Promise<void> {
    if (!(await log.topics()).includes(COPIES_TOPIC)) return;
    this.#earlier = await openJournal<EarlierRow>({
      log,
      topic: { name: COPIES_TOPIC, partitions: 1, cleanup: 'compact' },
      keyOf: () => '',
      parse: parseEarlierRow,
      serialise: () => Buffer.alloc(0),
      onRow: ({ stream, partition, fact }) => this.#takeEarlier(stream, partition, fact),
      report: this.#report,
    });
    this.#report.earlierCopies?.({ topic: COPIES_TOPIC, copies: this.#earlierCopies });
  }

  #takeEarlier(stream: string, partition: number, fact: EarlierRow['fact']): void {
    const state = this.#at(stream, partition);
    if (state.reset >= 0n) return;
    if ('end' in fact) {
      this.#listed.add(partitionKey(stream, partition));
      this.#raiseTo(stream, partition, fact.end);
    } else {
      this.#earlierCopies++;
      state.add([fact]);
    }
  }
}

/** Opens the table of copies and settled ends: loads it, then follows it. Fault `log_unavailable`. */
export async function openCopies(log: TableLog & Pick<EventLog, 'topics'>, report: CopiesReport = {}): Promise<Copies> {
  const copies = new Copies(report);
  await copies.open(log);
  return copies;
}
