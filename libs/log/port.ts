import type { Header, HeaderPlaces } from '#event';

/** The shape of a topic. */
export interface TopicSpec {
  readonly name: string;
  /** Fixed at creation: the partition of a key depends on it. */
  readonly partitions: number;
  /** `keep`: records stay (without limit, or for retentionMs). `compact`: the last record of each key stays, tombstones for a day. */
  readonly cleanup: 'keep' | 'compact';
  /** Only with `keep`; absent = without limit (R6). */
  readonly retentionMs?: number;
}

/** A record as a caller gives it. Header order, repeated header names and null values are kept. */
export interface NewRecord {
  /** The key for compaction. The port does not route by it: the caller names the partition. */
  readonly key: Buffer | null;
  /** null: a tombstone, which deletes the key in a compacted topic. */
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
}

export interface LogRecord extends NewRecord {
  /** Place in the partition: 0, 1, 2, … in the order of the appends. Never used twice. */
  readonly offset: bigint;
  /** The log's own clock when it accepted the record, ms since 1970 (LogAppendTime). The gateway's clock is the header `simpul-recordedtime`. */
  readonly appendTimeMs: number;
  /** Kafka: the epoch of the partition leader that wrote the record. Embedded: 0. Part of the proof of a place (place-proof.ts). */
  readonly leaderEpoch: number;
  /** The bytes at this offset fail their checksum, or are gone. Key, value and headers are empty; no record of a control topic is given like this. */
  readonly damaged?: true;
  /** Written in a transaction, ended or not. Only a gateway writes streams, and it writes none, so the record is foreign whatever it holds (R10.1). */
  readonly foreign?: true;
  /** Bytes of the record as the log holds it, where that is known without cutting key, value and headers out of them. */
  readonly size?: number;
  /** The headers as places in the bytes of the log, where it has the record as bytes: the list `headers` costs more. */
  placeHeaders?(places: HeaderPlaces): void;
}

/** `low`: the first offset that is kept. `high`: the offset of the next record to be written (the log end). Equal: the partition is empty. */
export interface PartitionRange {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
}

/**
 * Why the log surely did not write the records. `queue_full` and `not_durable` come from the Appender only: it never sent them. `record_too_large` and
 * `invalid_record` are about a record of the list: sent without it, the others may be accepted. `broker_unsupported`: the broker lacks the request.
 */
export type AppendRefusal =
  | 'wrong_partition'
  | 'unknown_topic'
  | 'record_too_large'
  | 'invalid_record'
  | 'disk_full'
  | 'broker_unsupported'
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
  | {
      readonly kind: 'refused';
      readonly code: AppendRefusal;
      readonly cause?: unknown;
      /** With `record_too_large`: what the log takes at most, in bytes. On Kafka the max.message.bytes of the topic: a whole batch with its head. */
      readonly limit?: number;
    }
  | { readonly kind: 'uncertain'; readonly cause?: unknown };

/** Outcome of a write of the one writer of a control topic. `fenced`: another writer has claimed the topic since; nothing was written. */
export type WriteOutcome = AppendOutcome | { readonly kind: 'fenced' };

export interface DescribeLimits {
  /**
   * The ranges may be this old: then what reads were told meanwhile is used, without a request of its own. They hold every record that this process has
   * appended. @default 0: as of now
   */
  readonly maxAgeMs?: number;
}

export interface ReadLimits {
  /**
   * The id of the topic that the offset was taken from: all 32 digits, or the first 8 as cursors carry them. Another topic of that name answers
   * `recreated`. Absent: not compared.
   */
  readonly topicId?: string;
  /**
   * `lastEpoch` of the batch that ended at this offset (KIP-320). A log that has lost this place since answers `truncated`, also after it has grown
   * again. Absent, or on the embedded log: only an offset above `high` shows a truncation.
   */
  readonly lastEpoch?: number;
  /** @default 500 */
  readonly maxRecords?: number;
  /** Soft limit: at least one record is given, whatever its size. @default 1 MiB */
  readonly maxBytes?: number;
  /** Long poll: how long to wait for a first record at the log end. @default 0 */
  readonly waitMs?: number;
  /** Ends the long poll early; the read then answers an empty batch. */
  readonly signal?: AbortSignal;
  /** The caller gives the event loop back by itself: a log that has the records in memory may read them in this call. @default false */
  readonly atOnce?: boolean;
}

/** Records of one partition in offset order. Offsets may have holes (compaction): `next` is where to read on, also when `records` is empty. */
export interface RecordBatch {
  readonly kind: 'records';
  /** See EventLog.topicId. */
  readonly topicId: string;
  readonly records: readonly LogRecord[];
  readonly next: bigint;
  /** Leader epoch at `next − 1`, for the read that goes on at `next`; absent when this batch does not show it. */
  readonly lastEpoch?: number;
  readonly low: bigint;
  readonly high: bigint;
}

/** The offset of a read is not in the log: it is below `low` (retention has passed it) or above `high`. A reader never jumps silently. */
export interface OutOfRange {
  readonly kind: 'out_of_range';
  readonly low: bigint;
  readonly high: bigint;
}

/** The topic was deleted and made again: no offset of the old topic means anything in it. */
export interface Recreated {
  readonly kind: 'recreated';
  /** The id of the topic that has the name now. */
  readonly topicId: string;
}

/**
 * The log has lost records that the reader has read, for example because a replica without them was elected leader. At `from`, and perhaps at lower
 * offsets too, the log does not hold what was read there.
 */
export interface Truncated {
  readonly kind: 'truncated';
  readonly from: bigint;
}

/** Why a read gives no records: the log is not the one, or not at the place, that the reader believes in. */
export type Interruption = OutOfRange | Recreated | Truncated;

export type ReadAnswer = RecordBatch | Interruption;

export interface AssignedPartition {
  readonly topic: string;
  /** See EventLog.topicId. */
  readonly topicId: string;
  readonly partition: number;
  /** Offset of the claim record in `_simpul.owners` (R1): grows with every assignment of this partition number in this group. */
  readonly epoch: bigint;
}

export interface StartPlace {
  readonly offset: bigint;
  readonly lastEpoch?: number;
}

/**
 * The handler of one member of a group. PartitionLoop calls it, for both adapters alike.
 * start() and batch() of one partition never overlap; those of different partitions run side by side. lost() may come while a call runs.
 * Delivery is at least once: after a crash or a rebalance the next owner starts where its start() says.
 */
export interface GroupMember {
  /**
   * The offset to begin at; called after the epoch was claimed and before the first read. The answer comes from the member's own store, never from
   * the committed offset of the group. `lastEpoch` as in ReadLimits, when the store has it (epochOf). A throw: called again after 1 s.
   */
  start(at: AssignedPartition): Promise<StartPlace>;
  /**
   * Handles one batch. It has records, or at least a `next` behind offsets that hold none (compaction, markers of a transaction). Answers the offset to read next: usually `batch.next`, lower to rewind; `waitMs` holds this partition
   * back before that read. A throw: the same batch again after 1 s. `signal` aborts when the partition is lost; commits are then fenced by the epoch.
   */
  batch(
    at: AssignedPartition,
    batch: RecordBatch,
    signal: AbortSignal,
  ): Promise<{ readonly next: bigint; readonly waitMs?: number }>;
  /** The partition was assigned to another member, or this member leaves. Called once, before another start() for the partition. */
  lost?(at: AssignedPartition): void;
  /**
   * The offset to read is not, or no longer, in the log: the partition stands still until seek(), reclaim() or a new assignment. Raise an alarm; there
   * is no jump. After `recreated` these go on in the new topic, with its id in `at`.
   */
  interrupted?(at: AssignedPartition, why: Interruption): void;
}

/**
 * `claimed`: `skipped` epochs were passed over, because `above` was claimed in a log that is no longer there; 0n else.
 * `lost`: none of the partitions is assigned to this member any more, so it stops.
 */
export type Reclaimed =
  { readonly kind: 'claimed'; readonly epoch: bigint; readonly skipped: bigint } | { readonly kind: 'lost' };

/** A member's own end of EventLog.join. Calls for a partition that is not assigned to this member do nothing. */
export interface Membership {
  /**
   * False while another member may own the partitions of this one already, because its session has lapsed, it was frozen, or the group rebalances (R1.6). Work beside batches that
   * nobody fences, such as a request to another system, starts only while it is true.
   */
  readonly isSure: boolean;
  /** Goes on from this offset. While a batch runs: after it, and its outcome is ignored. Ends a hold and an interruption. */
  seek(topic: string, partition: number, offset: bigint): void;
  /** Reads these topics too, from now on (rebalance). Throws Fault `unknown_topic` on the embedded log; on Kafka a topic that is missing gets no partition. */
  subscribe(topics: readonly string[]): Promise<void>;
  /**
   * Claims a new epoch for the partitions of this number, after a commit was refused because of a newer epoch (R1); start() is then called again.
   * `above`: an epoch that a store holds; the new one is greater, also when `_simpul.owners` was made again or is older than the store (R1.7).
   */
  reclaim(partition: number, above?: bigint): Promise<Reclaimed>;
  /** Finishes the batches that run, calls lost() for every partition and leaves the group. */
  leave(): Promise<void>;
}

/** The one writer of a control topic (R4), until another claim fences it. */
export interface Writer {
  readonly topic: string;
  /** Appends to partition 0: all records or none. Limits as append(). After `fenced`: claim again, read to the end, decide again. */
  write(records: readonly NewRecord[]): Promise<WriteOutcome>;
  /** Gives the claim back. A later write answers `fenced`. */
  release(): Promise<void>;
}

/**
 * The durable, partitioned, append-only log. The adapters (embedded, Kafka) keep the same promises, proven by libs/log/conformance; README.md explains
 * them. Only committed records of a control topic are read: what a fenced writer left behind is never seen.
 * Every call but append() and Writer.write() throws Fault `log_unavailable` when the log cannot be reached in time or is closed.
 */
export interface EventLog {
  /** See ensureTopics. */
  ensureTopic(spec: TopicSpec): Promise<void>;
  /** Makes the topics that are missing. Idempotent. Throws Fault `conflict`, or `topic_unsafe` where an operator can mend it, when one exists with other partitions, cleanup or retention. */
  ensureTopics(specs: readonly TopicSpec[]): Promise<void>;
  /**
   * Sets how long a `keep` topic keeps its records; undefined: without limit. The caller decides whether that is allowed (R6). Idempotent. Throws Fault
   * `unknown_topic`.
   */
  setRetention(topic: string, retentionMs: number | undefined): Promise<void>;
  /** The names of all topics of this deployment. */
  topics(): Promise<readonly string[]>;
  /** The ranges of all partitions, ascending. Throws Fault `unknown_topic`. */
  describe(topic: string, limits?: DescribeLimits): Promise<readonly PartitionRange[]>;
  /**
   * 32 hex digits that change when a topic is deleted and made again, and that differ in another log. Cursors carry the first 8 (R13.4).
   * On Kafka it may be 5 s old; read() with an id compares it with the topic as it is. Throws Fault `unknown_topic`.
   */
  topicId(topic: string): Promise<string>;
  /**
   * Appends records to one partition as ONE record batch: all or none (R3.4). Never throws: see AppendOutcome. At most 500 records and 900 KB
   * together, or one single record of at most 1 MiB + 64 KiB; more, or none, is refused with `record_too_large`.
   *
   * Calls for one partition may overlap: the adapter writes them one after the other in the order of the calls, and each ends before the next begins.
   * A caller that must not write behind an uncertain batch awaits each outcome itself (Appender does).
   *
   * `bytes`: the sum of bytesOf() of the records, if the caller has measured them already (the publish path measures once).
   * `withdraw`: aborted, records that have not left the process are given up, and the outcome is `refused` (`log_unavailable`) at once. Records that have
   * left are not touched.
   */
  append(
    topic: string,
    partition: number,
    records: readonly NewRecord[],
    bytes?: number,
    withdraw?: AbortSignal,
  ): Promise<AppendOutcome>;
  /** What the log takes at most in one append to this topic, as far as it knows now: bytes as bytesOf(), and 64 for each record. Total. */
  appendLimit(topic: string): number;
  /**
   * The limit of the topic, as AppendOutcome.limit, when this record alone is larger than the topic takes now; undefined: it is not, or the log does not
   * tell within a second. Never rejects.
   */
  limitExceeded(topic: string, record: NewRecord): Promise<number | undefined>;
  /** Reads from an offset; keeps no position and belongs to no group. Throws Fault `unknown_topic`, `wrong_partition`. */
  read(topic: string, partition: number, from: bigint, limits?: ReadLimits): Promise<ReadAnswer>;
  /** Offset of the first record with appendTimeMs ≥ t, or the high offset when there is none, also for a future time. Throws as read(). */
  offsetAt(topic: string, partition: number, timeMs: number): Promise<bigint>;
  /**
   * Joins a group: its members share the partitions of their topics, each partition has one owner, and partition p of every topic goes to the same
   * member (assignPartitions). Resolves when the first assignment is claimed. Throws Fault `unknown_topic`.
   */
  join(group: string, topics: readonly string[], member: GroupMember): Promise<Membership>;
  /** Becomes the one writer of a control topic (isControlTopic) and fences the earlier one (R4). Throws Fault `unknown_topic`. */
  claim(topic: string): Promise<Writer>;
  /** Deletes a topic with its records. No role of the hub calls it: it is for tests and for scripts of an operator. */
  deleteTopic(topic: string): Promise<void>;
  /** Resolves when the log has answered (health checks). */
  ping(): Promise<void>;
  /** Resolves when the log would take an append now, as far as it knows its disk. Faults `disk_full`, `folder_unusable`. Absent: an append tells. */
  checkWritable?(): Promise<void>;
  /** Leaves all groups, lets appends in flight end (on Kafka at most 10 s, then they are `uncertain`) and closes. A later append is `refused`, `log_unavailable`. */
  close(): Promise<void>;
}

/**
 * Control topics are the hub's own tables: their names begin with `_`. They are read committed, so that what a fenced writer left behind is never seen
 * (R4). A stream is read to its end: a transaction in it is foreign (R10.1), and must not hide what is acknowledged behind it.
 */
export function isControlTopic(topic: string): boolean {
  return topic.startsWith('_');
}

/** Limits of one append of several records (R3.4). Bytes as bytesOf() counts them. */
export const MAX_APPEND_RECORDS = 500;
export const MAX_APPEND_BYTES = 900_000;
/** The largest single record: an event of 1 MiB, and 64 KiB for key and headers. */
export const MAX_RECORD_BYTES = 1_048_576 + 65_536;

/** Claim records of group epochs (R1): one partition, compacted, key `group/partition`. */
export const OWNERS_TOPIC = '_simpul.owners';
/** Copies and settled ends (R2). One partition, compacted. */
export const COPIES_TOPIC = '_simpul.copies';
/**
 * Test events (R10.11): one partition, so that they are in the order of their receipts. On Kafka an event may stay for a second day: a segment is deleted
 * when its newest record is a day old.
 */
export const TEST_EVENTS: TopicSpec = {
  name: '_simpul.test',
  partitions: 1,
  cleanup: 'keep',
  retentionMs: 86_400_000,
};
