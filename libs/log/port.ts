import type { Header } from '#event';

/** What a topic must be. The number of partitions is fixed at creation. */
export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** `keep`: records stay (without limit, or for retentionMs). `compact`: the last record of each key stays, tombstones for a day. */
  readonly cleanup: 'keep' | 'compact';
  /** Only with `keep`; absent = without limit (R6). */
  readonly retentionMs?: number;
}

export interface NewRecord {
  readonly key: Buffer | null;
  /** null = tombstone. */
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
}

export interface LogRecord extends NewRecord {
  readonly offset: bigint;
  /** The log's own clock when it accepted the record, ms since 1970 (LogAppendTime). The gateway's clock is the header `simpul-recordedtime`. */
  readonly appendTimeMs: number;
}

/** `low`: first offset kept. `high`: the next offset to be written. */
export interface PartitionRange {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
}

/** Why the log surely did not write the records. `queue_full` and `not_durable` come from the Appender only: it never sent them. */
export type AppendRefusal =
  | 'wrong_partition'
  | 'unknown_topic'
  | 'record_too_large'
  | 'disk_full'
  | 'log_unavailable'
  | 'queue_full'
  | 'not_durable';

/**
 * The three outcomes of an append:
 * `accepted`: all records are durable (fsynced, or acks=all). The first one lies at offset `base`, the others follow it; `appendTimeMs` is the log's own clock.
 * `refused`: the records were surely not written. Sending them again later cannot make a copy.
 * `uncertain`: the records may or may not be written, now or later. Sending them again may make copies, which the duplicate index finds (R2).
 */
export type AppendOutcome =
  | { readonly kind: 'accepted'; readonly base: bigint; readonly appendTimeMs: number }
  | { readonly kind: 'refused'; readonly code: AppendRefusal; readonly cause?: unknown }
  | { readonly kind: 'uncertain'; readonly cause?: unknown };

/** Outcome of a write of the one writer of a control topic. `fenced`: another writer has claimed the topic since; nothing was written. */
export type WriteOutcome = AppendOutcome | { readonly kind: 'fenced' };

export interface ReadLimits {
  /** @default 500 */
  readonly maxRecords?: number;
  /** Soft limit: at least one record is given. @default 1 MiB */
  readonly maxBytes?: number;
  /** How long to wait for a first record at the end of the log. @default 0 */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

/** Records of one partition in offset order. Offsets may have holes (compaction); `next` is where to go on, also when `records` is empty. */
export interface RecordBatch {
  readonly kind: 'records';
  readonly records: readonly LogRecord[];
  readonly next: bigint;
  readonly low: bigint;
  readonly high: bigint;
}

/** The offset asked for is not in the log: below `low` or above `high`. Never jump silently. */
export interface OutOfRange {
  readonly kind: 'out_of_range';
  readonly low: bigint;
  readonly high: bigint;
}

export interface AssignedPartition {
  readonly topic: string;
  readonly partition: number;
  /** R1: offset of the claim record in `_simpul.owners`; grows with each assignment of group/partition. */
  readonly epoch: bigint;
}

/**
 * What a group member does with its partitions. Partition p of every topic of a group goes to the same member.
 * Calls for one partition never overlap; different partitions run side by side.
 */
export interface GroupMember {
  /** Where to begin, asked after the epoch was claimed and before the first read. The truth lies with the state, never with the group offset. */
  start(at: AssignedPartition): Promise<bigint>;
  /**
   * One batch (never empty). `next` is the offset to read next: usually batch.next, lower to rewind; `waitMs` holds this partition back first.
   * A throw holds the partition for a second and gives the same batch again. `signal` aborts when the partition is lost.
   */
  batch(
    at: AssignedPartition,
    batch: RecordBatch,
    signal: AbortSignal,
  ): Promise<{ readonly next: bigint; readonly waitMs?: number }>;
  /** The partition went to somebody else, or the member leaves. */
  lost?(at: AssignedPartition): void;
  /** The start or next offset is out of range: the partition stands still until seek() (alarm, never a jump). */
  outOfRange?(at: AssignedPartition, range: OutOfRange): void;
}

export interface Membership {
  /** Go on from this offset, also while a batch runs (its outcome is then ignored). */
  seek(topic: string, partition: number, offset: bigint): void;
  /** Read these topics from now on (topics made while the group runs). */
  subscribe(topics: readonly string[]): Promise<void>;
  /**
   * Claims a new epoch for the partitions of this number that are still ours (a commit was refused for an older epoch, R1);
   * the member is asked start() again. false: no longer assigned.
   */
  reclaim(partition: number): Promise<boolean>;
  /** Finishes running batches, then gives the partitions back. */
  leave(): Promise<void>;
}

/** The one writer of a control topic (R4). */
export interface Writer {
  readonly topic: string;
  /** All records or none. After `fenced`: claim again, read to the end, decide again. */
  write(records: readonly NewRecord[]): Promise<WriteOutcome>;
  release(): Promise<void>;
}

/**
 * The durable, partitioned, append-only log. Two adapters (embedded, Kafka) behave alike: libs/log/conformance.
 * Only read() sees committed records: what a fenced writer left behind is never read.
 */
export interface EventLog {
  /** Idempotent; an existing topic with another partition count, cleanup or retention is a Fault `conflict`. */
  ensureTopic(spec: TopicSpec): Promise<void>;
  /** Many at once, where an engine can do that quicker. */
  ensureTopics(specs: readonly TopicSpec[]): Promise<void>;
  /** Names of all topics of this deployment. */
  topics(): Promise<readonly string[]>;
  /** Fault `unknown_topic` when it does not exist. Ranges of all partitions, ascending. */
  describe(topic: string): Promise<readonly PartitionRange[]>;
  /** 8 hex digits that change when a topic is deleted and made again (cursors carry them, R13). */
  topicId(topic: string): Promise<string>;
  /**
   * At most 500 records and 900 KB (one single record may be larger, up to 1 MiB + 64 KiB): one record batch, so all or none (R3.4). Never throws for I/O: see AppendOutcome.
   * Callers send one append at a time per partition (Appender does). Order kept.
   */
  append(topic: string, partition: number, records: readonly NewRecord[]): Promise<AppendOutcome>;
  /** Stateless, long-polls up to limits.waitMs. Throws Fault `log_unavailable`, `unknown_topic`, `wrong_partition`. */
  read(topic: string, partition: number, from: bigint, limits?: ReadLimits): Promise<RecordBatch | OutOfRange>;
  /** Offset of the first record with appendTimeMs ≥ t; the high offset when there is none (a future time too). */
  offsetAt(topic: string, partition: number, timeMs: number): Promise<bigint>;
  join(group: string, topics: readonly string[], member: GroupMember): Promise<Membership>;
  claim(topic: string): Promise<Writer>;
  /** Only for topics made for tests and for `simpul` maintenance commands. */
  deleteTopic(topic: string): Promise<void>;
  /** Quick probe that the log answers. Throws Fault `log_unavailable`. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** Limits of one append (R3.4). */
export const MAX_APPEND_RECORDS = 500;
export const MAX_APPEND_BYTES = 900_000;

/** Claim records of group epochs (R1): one partition, compacted, key `group/partition`. */
export const OWNERS_TOPIC = '_simpul.owners';
/** Copies and settled ends (R2). One partition, compacted. */
export const COPIES_TOPIC = '_simpul.copies';
