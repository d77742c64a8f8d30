/** A partition of a stream. A view partition has the same number as the stream partitions that it folds. */
export interface StreamPartition {
  readonly stream: string;
  readonly partition: number;
}

/** `entry`: what readers see. `part`: what a fold keeps for itself (contributions of a subject, R5.2), never scanned by doors. */
export type Space = 'entry' | 'part';

export interface Put {
  readonly space: Space;
  readonly key: string;
  /** JSON text. */
  readonly value: string;
  /** Offset of the event that made this value. */
  readonly offset: bigint;
  /** Recorded time of that event, ms. */
  readonly appendTimeMs: number;
}

export interface Delete {
  readonly space: Space;
  readonly key: string;
  readonly offset: bigint;
  readonly appendTimeMs: number;
}

/** One step of a view over a stream partition. Keys are unique within puts and deletes together (the projector collapses a batch). */
export interface StateChange {
  readonly epoch: bigint;
  /** Must equal the stored next offset; nothing stored: must equal `low`, the first offset of the log. */
  readonly from: bigint;
  readonly next: bigint;
  readonly low: bigint;
  /** Recorded time of the last event in [from, next), ms. Absent: that of the newest put or delete; none: the stored time stays. */
  readonly appendTimeMs?: number;
  readonly puts: readonly Put[];
  readonly deletes: readonly Delete[];
}

/** Refused: nothing changed. `expected` is the offset to rewind to, `epoch` the newest epoch seen. */
export type Committed =
  { readonly ok: true } | { readonly ok: false; readonly expected: bigint; readonly epoch: bigint };

export interface Entry {
  readonly key: string;
  /** JSON text. */
  readonly value: string;
  /** Position of the last event that changed it: `stream/partition/offset`. */
  readonly position: string;
  readonly appendTimeMs: number;
}

/** How far a view partition has folded one stream. `next` = first offset not folded. */
export interface Progress {
  readonly stream: string;
  readonly next: bigint;
  readonly epoch: bigint;
  /** Recorded time of the last folded event, ms; 0 when none yet. */
  readonly appendTimeMs: number;
}

/** Entries and progress of one view partition, read in one step (R7). `entries[i]` belongs to `keys[i]`. */
export interface ReadResult {
  readonly entries: readonly (Entry | undefined)[];
  readonly progress: readonly Progress[];
}

export interface ScanRange {
  readonly space?: Space;
  /** Exclusive start: the last key of the page before. */
  readonly after?: string;
  /** Only keys that begin with this. */
  readonly prefix?: string;
  /** @default 500 */
  readonly limit?: number;
}

export interface Page {
  /** By key, ascending in UTF-8 byte order. */
  readonly entries: readonly Entry[];
  /** Whether more entries follow. */
  readonly more: boolean;
  readonly progress: readonly Progress[];
}

/** `value` null: the key was deleted at that offset (kept 7 days). */
export interface Change {
  readonly key: string;
  readonly value: string | null;
  readonly offset: bigint;
  readonly appendTimeMs: number;
}

export interface ChangePage {
  /**
   * The newest value of every key of space `entry` changed by this stream at an offset > after, in offset order (equal offsets: by key).
   * A page never ends between two keys of one offset, so it may be longer than `limit`; go on after the last offset.
   */
  readonly changes: readonly Change[];
  readonly more: boolean;
  /** true: deletes at offsets > after may have been forgotten; the reader must start over from a scan. */
  readonly gap: boolean;
  readonly progress: readonly Progress[];
}

/** An entry of the duplicate index (R2): where the first event with this (source, id) lies. */
export interface First {
  readonly source: string;
  readonly id: string;
  readonly stream: string;
  readonly partition: number;
  readonly offset: bigint;
  /** 64 hex digits. */
  readonly digest: string;
  readonly schemaId: number;
  /** Recorded time, ms. */
  readonly recordedTimeMs: number;
}

/**
 * Current state of views, the folded position of each, and the duplicate index. Everything in it can be rebuilt from the log.
 * Two adapters (embedded, Redis) behave alike: libs/state/conformance. All methods throw Fault `state_unavailable` when the store cannot be reached.
 */
export interface State {
  /** One atomic step: epoch, offset and values together, or nothing (R5.6). Safe to repeat. At most 500 events' worth of puts and deletes. */
  commit(view: string, part: StreamPartition, change: StateChange): Promise<Committed>;
  /** Put-if-absent, result in request order: what stands in the index afterwards. Two ids in one call that are equal: the first wins. Kept 8 days. */
  putFirst(ids: readonly First[]): Promise<readonly First[]>;
  /** The same without putting. */
  findFirst(ids: readonly { readonly source: string; readonly id: string }[]): Promise<readonly (First | undefined)[]>;
  /** Entries of one view partition with its progress, in one step. */
  read(view: string, partition: number, keys: readonly string[], space?: Space): Promise<ReadResult>;
  scan(view: string, partition: number, range?: ScanRange): Promise<Page>;
  changes(view: string, part: StreamPartition, after: bigint, limit: number): Promise<ChangePage>;
  /** Where to go on after a crash. undefined: never filled. */
  position(view: string, part: StreamPartition): Promise<Progress | undefined>;
  /** Positions of many stream partitions of one view at once, in request order. */
  positions(view: string, parts: readonly StreamPartition[]): Promise<readonly (Progress | undefined)[]>;
  /** Removes every partition 0..partitions-1 of a view (an old generation after a rebuild). Idempotent. */
  drop(view: string, partitions: number): Promise<void>;
  /** Quick probe. Throws Fault `state_unavailable`. */
  ping(): Promise<void>;
  /** Grows with each new connection to the store: after a change the projector re-checks the duplicate index (R2.2). Embedded: constant. */
  connection(): number;
  close(): Promise<void>;
}
