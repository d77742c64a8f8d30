/** A partition of a stream. A view partition has the same number as the stream partitions whose events it folds. */
export interface StreamPartition {
  readonly stream: string;
  readonly partition: number;
}

/** The two key spaces of a view partition. `entry`: what readers see. `part`: private values of a fold (the contribution of each subject, R5.2); no HTTP door reads them. */
export type Space = 'entry' | 'part';

export interface Put {
  readonly space: Space;
  readonly key: string;
  /** JSON text. */
  readonly value: string;
  /** Offset of the event that this value comes from. */
  readonly offset: bigint;
  /** Append time of that event (LogAppendTime), ms. */
  readonly appendTimeMs: number;
}

export interface Delete {
  readonly space: Space;
  readonly key: string;
  readonly offset: bigint;
  readonly appendTimeMs: number;
}

/** The changes that a batch of events of one stream partition makes in a view. A (space, key) occurs once in puts and deletes together: the projector keeps only the last change of a key. */
export interface StateChange {
  readonly epoch: bigint;
  /** First offset of the batch. Must equal the stored `next`; if nothing is stored, it must equal `low`. */
  readonly from: bigint;
  /** Offset after the batch: the new position. */
  readonly next: bigint;
  /** First offset that the log still has. */
  readonly low: bigint;
  /** Append time of the last event in [from, next), ms. Absent: the append time of the newest put or delete; if there is none, the stored time stays. */
  readonly appendTimeMs?: number;
  /** Which record stands before `next` in the log (placeProof of `#log`): opaque, without white space. Absent: the stored position has no proof. */
  readonly proof?: string;
  /** The feed has no deletes below `next` (the entries come from a snapshot): a reader of the feed from before gets `gap`. @default false */
  readonly feedGap?: boolean;
  readonly puts: readonly Put[];
  readonly deletes: readonly Delete[];
}

/** `ok: false`: the commit was refused and changed nothing. `expected` is the offset to rewind to, `epoch` the newest epoch that the store has seen. */
export type Committed =
  { readonly ok: true } | { readonly ok: false; readonly expected: bigint; readonly epoch: bigint };

export interface Entry {
  readonly key: string;
  /** JSON text. */
  readonly value: string;
  /** Position of the last event that changed this entry: `stream/partition/offset`. */
  readonly position: string;
  readonly appendTimeMs: number;
}

/** The checkpoint of a view partition in one stream: every event below `next` is folded. */
export interface Progress {
  readonly stream: string;
  readonly next: bigint;
  readonly epoch: bigint;
  /** Append time of the last folded event, ms; 0 when there is none yet. */
  readonly appendTimeMs: number;
  /** The proof of the commit that stored `next`; absent when it gave none, and in rows of older releases. */
  readonly proof?: string;
  /** The last reset() of this checkpoint: when, and the log end of that time. Below `until` the partition is being folded again. */
  readonly reset?: FoldReset;
}

export interface FoldReset {
  /** Clock of the caller, ms since 1970. */
  readonly atMs: number;
  readonly until: bigint;
}

/** Where a stream is folded again from after a reset(). */
export interface FoldStart {
  readonly stream: string;
  readonly epoch: bigint;
  /** First offset that the log has. */
  readonly next: bigint;
  /** Log end now. */
  readonly until: bigint;
  /** As in StateChange. */
  readonly proof?: string;
}

/** A checkpoint as it was found; without `next`: none was stored. */
export type FoundCheckpoint = Pick<Progress, 'stream'> & Partial<Pick<Progress, 'next' | 'proof'>>;

/** A row of the duplicate index that does not stand in the log, and the row that takes its place. */
export interface FirstReplacement {
  readonly stale: First;
  readonly by: First;
}

/** Entries and progress of one view partition, read as one consistent snapshot (R7). `entries[i]` is the entry of `keys[i]`, undefined when the key has none. */
export interface ReadResult {
  readonly entries: readonly (Entry | undefined)[];
  readonly progress: readonly Progress[];
}

export interface ScanRange {
  readonly space?: Space;
  /** Exclusive start: the last key of the previous page. */
  readonly after?: string;
  /** Only keys that start with this text. */
  readonly prefix?: string;
  /** @default 500 */
  readonly limit?: number;
}

export interface Page {
  /** Sorted by key, ascending in UTF-8 byte order. */
  readonly entries: readonly Entry[];
  /** true: more entries follow. */
  readonly more: boolean;
  readonly progress: readonly Progress[];
}

/** An item of the change feed. `value` null is a tombstone: the key was deleted at that offset. Tombstones are kept for `DELETE_RETENTION_MS`. */
export interface Change {
  readonly key: string;
  readonly value: string | null;
  readonly offset: bigint;
  readonly appendTimeMs: number;
}

export interface ChangePage {
  /**
   * Each key of space `entry` that this stream changed at an offset > `after`, once, with its newest value; in offset order, keys of equal offset in key order.
   * A page never ends between two keys of one offset, so it may be longer than `limit`. The next page starts after the last offset of this one.
   */
  readonly changes: readonly Change[];
  readonly more: boolean;
  /** true: tombstones at offsets > `after` may have expired, so the reader may have missed deletes and must start again with a scan. */
  readonly gap: boolean;
  readonly progress: readonly Progress[];
}

/** A row of the duplicate index (R2): the place of the first event with this (source, id). */
export interface First {
  readonly source: string;
  readonly id: string;
  readonly stream: string;
  readonly partition: number;
  readonly offset: bigint;
  /** SHA-256 of the content, 64 hex digits. */
  readonly digest: string;
  readonly schemaId: number;
  /** Recorded time (the gateway's clock, header simpul-recordedtime), ms. */
  readonly recordedTimeMs: number;
}

/**
 * The store of the entries of views, of the position up to which each view is folded, and of the duplicate index. All of it can be rebuilt from the log.
 * The conformance suite (libs/state/conformance) proves that both adapters, embedded and Redis, behave the same.
 * Every method rejects with Fault `state_unavailable` when the store cannot be reached; after that failure of a commit, the commit may or may not be applied.
 * ping(), commit(), reset() and the methods of the duplicate index reject with Fault `state_untrusted`, and change nothing, while the store may drop rows by itself.
 */
export interface State {
  /**
   * Applies epoch, position and values in one atomic step, or nothing (R5.6). Idempotent: a repeated commit is refused, because its `from` is no longer the stored position.
   * At most 500 events per commit. Rejects with Fault `internal` for a change that `checkChange` refuses.
   */
  commit(view: string, part: StreamPartition, change: StateChange): Promise<Committed>;
  /**
   * Put-if-absent in the duplicate index. Answers, in request order, the row that the index holds afterwards: the caller's own row, or the earlier one.
   * Atomic per (source, id). If one call has the same (source, id) twice, the first of the two wins. A row expires after `INDEX_RETENTION_MS`.
   */
  putFirst(ids: readonly First[]): Promise<readonly First[]>;
  /**
   * Compare-and-set in the duplicate index: where the index still holds `stale` (or nothing), it then holds `by`. Answers, in request order, the row that
   * the index holds afterwards. `stale` and `by` have one (source, id). Atomic per (source, id).
   */
  replaceFirst(rows: readonly FirstReplacement[]): Promise<readonly First[]>;
  /** Looks the ids up in the duplicate index without writing; in request order. */
  findFirst(ids: readonly { readonly source: string; readonly id: string }[]): Promise<readonly (First | undefined)[]>;
  /** Entries of one view partition and its progress, as one snapshot. @default space entry */
  read(view: string, partition: number, keys: readonly string[], space?: Space): Promise<ReadResult>;
  /** One page of the entries of a view partition in key order, and its progress, as one snapshot. */
  scan(view: string, partition: number, range?: ScanRange): Promise<Page>;
  /** One page of the change feed of a view partition: what one stream changed after an offset. */
  changes(view: string, part: StreamPartition, after: bigint, limit: number): Promise<ChangePage>;
  /** The checkpoint to continue from after a restart. undefined: nothing was ever committed. */
  position(view: string, part: StreamPartition): Promise<Progress | undefined>;
  /** The checkpoints of several stream partitions of one view, in request order. */
  positions(view: string, parts: readonly StreamPartition[]): Promise<readonly (Progress | undefined)[]>;
  /**
   * Empties one view partition, because the log is not the one that it was folded from: all entries, contributions, tombstones and change feeds go, the
   * checkpoints of `starts` begin anew with their epoch, whatever epoch was stored; checkpoints of other streams stay. Atomic, and a compare-and-set:
   * false, and nothing is changed, when `found` is not the stored checkpoint any more (next and proof are compared). The same begins the fill of a view
   * partition from a snapshot, also where nothing is stored.
   */
  reset(
    view: string,
    partition: number,
    found: FoundCheckpoint,
    starts: readonly FoldStart[],
    atMs: number,
  ): Promise<boolean>;
  /** Removes the partitions 0 to partitions-1 of a view (an old generation after a rebuild). Readers see them empty at once; disk space or memory is freed in the background. Idempotent. */
  drop(view: string, partitions: number): Promise<void>;
  /** Health check. */
  ping(): Promise<void>;
  /**
   * The connection epoch: it grows with every new connection to the store, and when the store is seen to have evicted rows. Such a store may have lost rows,
   * so after a change the projector checks the duplicate index against the log again (R2.2). Constant in the embedded adapter.
   */
  connection(): number;
  /**
   * How many keys the store is known to have evicted; 0 in the embedded adapter. When it grows, connection() grows too. Rows of the duplicate index of any age
   * may be among them, so the projector fills the index in again for all of its retention (R2.2).
   */
  evictions(): number;
  /** Finishes or rejects the calls that run. Every later call rejects with Fault `state_unavailable`. */
  close(): Promise<void>;
}
