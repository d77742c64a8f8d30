import { Mutex } from '#concurrency';
import type { Rechecked } from '#duplicates';
import type { AssignedPartition } from '#log';
import type { CompiledView } from './compile.js';

/** One generation of a view over one stream partition. */
export interface Slot {
  readonly view: CompiledView;
  readonly storage: string;
  next: bigint;
  /** Folded by the flow; else a reader of its own catches up. */
  live: boolean;
}

/** What this member knows of a partition it holds. Batches and hand-overs take turns by `turn`. */
export class Assigned {
  readonly stream: string;
  readonly partition: number;
  readonly epoch: bigint;
  readonly low: bigint;
  readonly turn = new Mutex();
  readonly slots = new Map<string, Slot>();
  readonly lost = new AbortController();
  index: bigint;
  /** state.connection() when the duplicate index was last checked again. */
  connection: number | undefined;
  rechecked: Rechecked = new Map();
  catchingUp: Promise<void>[] = [];

  constructor(at: AssignedPartition, low: bigint, index: bigint) {
    this.stream = at.topic;
    this.partition = at.partition;
    this.epoch = at.epoch;
    this.low = low;
    this.index = index;
  }

  /** Where the flow reads on: the least of the index and the live views. */
  next(): bigint {
    let least = this.index;
    for (const s of this.slots.values()) if (s.live && s.next < least) least = s.next;
    return least;
  }
}
