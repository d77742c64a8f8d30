import { Mutex } from '#concurrency';
import type { IndexedPartition } from '#duplicates';
import type { AssignedPartition } from '#log';
import type { CompiledView } from './compile.js';

/** One generation of a view over one stream partition. */
export interface Slot {
  readonly view: CompiledView;
  readonly storage: string;
  /** Offset that is folded next. */
  next: bigint;
  /** Which record of the log stands before `next`; undefined: not known. */
  proof?: string | undefined;
  /** true: folded with each batch of the group; false: a catch-up reader of its own folds it. */
  live: boolean;
}

/** A stream partition that this member holds. `mutex`: batches, a store that was set back, and the hand-over from catch-up to live. */
export class HeldPartition {
  readonly stream: string;
  readonly partition: number;
  readonly mutex = new Mutex();
  readonly slots = new Map<string, Slot>();
  readonly lost = new AbortController();
  /** The greatest log end that was seen. */
  high = 0n;

  constructor(
    readonly at: AssignedPartition,
    readonly low: bigint,
    readonly index: IndexedPartition,
    /** state.connection() when the stored positions were compared with the log. */
    public connection: number,
  ) {
    this.stream = at.topic;
    this.partition = at.partition;
  }

  get epoch(): bigint {
    return this.at.epoch;
  }

  get topicId(): string {
    return this.at.topicId;
  }

  /** The index and the views with the record that stands before their position, as far as it is known. */
  places(): readonly { readonly next: bigint; readonly proof?: string | undefined }[] {
    return [this.index, ...this.slots.values()];
  }

  /** Where the group reads on: the least of the index and the live views. */
  next(): bigint {
    let least = this.index.next;
    for (const s of this.slots.values()) if (s.live && s.next < least) least = s.next;
    return least;
  }
}
