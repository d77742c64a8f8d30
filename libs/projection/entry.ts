/**
 * Of the event that last wrote an entry or a part of it: its source, and the part of its data that decides who may read it (levelData of `#access`, R12).
 * Entries of earlier versions have unit fields only.
 */
export type Witness = readonly [source: string, data: Readonly<Record<string, unknown>>];

/** An entry as the state store holds it. Short names, because it is written with every event. */
export interface Stored {
  /** The value that readers see. Of a timeline: its events, oldest first. */
  v: Record<string, unknown>;
  /** Witnesses by index of the source in the view file. Absent in counts. */
  e?: Record<number, Witness>;
  /** merge: which source last wrote a field that several may write. */
  w?: Record<string, number>;
  /** latest: the values of the fields in `by`, to compare with the next event. */
  b?: unknown[];
  /** Owner `first`: the office whose event made the entry. Absent in entries of older releases: then the office of a witness (R5.10). */
  o?: string;
  /**
   * merge: by index of the source the offices of its earlier witnesses that its witness now does not name, each with the offset of the event that left it out,
   * the oldest first: a change feed tells them that the entry is gone. Absent in entries of earlier versions.
   */
  f?: Record<number, readonly (readonly [office: string, offset: string])[]>;
  /** timeline: source index and witness of each event. */
  m?: (readonly [index: number, ...Witness])[];
}

/** What a subject adds to a count: under which key, with which sums. */
export interface Contribution {
  /** Key of the entry that it counts in. */
  readonly k: string;
  /** Dimensions of that entry. */
  readonly d: Readonly<Record<string, unknown>>;
  /** Values of the sums, in the order of the view. */
  readonly s: readonly (number | string)[];
  /** Who may change it (R5.10). */
  readonly o?: string;
}

/** `set`: whose a removed entry was, so that nobody else makes it again (R5.10), and that there was one (R5.13). In the key space of the contributions, under the key of the entry. */
export interface Removed {
  /** Absent: nobody's. */
  readonly o?: string;
}

/** An event that a view has refused (R5.10, R5.11). */
export interface StoredRefusal {
  /** Which it is of this view partition, from 0. */
  readonly n: number;
  readonly r: RefusalReason;
  /** Key of the entry that it would have changed. */
  readonly k: string;
  readonly t: string;
  readonly p: string;
  /** Recorded time, RFC 3339. */
  readonly at: string;
  readonly w: Witness;
  /** The owner of the entry. */
  readonly o?: string;
}

/** How many events a view partition has refused, and of which sources how many are no longer kept. Releases before have `n` alone. */
export interface RefusedCount {
  readonly n: number;
  readonly out?: Readonly<Record<string, number>>;
}
/** `step_missing`: the entry is not where the step before the event leads, or there is none (R5.10, R5.13). */
export type RefusalReason = 'not_owner' | 'too_far_ahead' | 'step_missing';
