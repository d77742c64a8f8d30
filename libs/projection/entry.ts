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
}
