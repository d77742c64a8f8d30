/** The event that last wrote (part of) an entry, as far as reading rights need it (R12): source and its unit fields. */
export type Witness = readonly [source: string, units: Readonly<Record<string, unknown>>];

/** An entry as it lies in the store. Short names: it is written for every event. */
export interface Stored {
  /** The value. Of a timeline: the moments, oldest first. */
  v: Record<string, unknown>;
  /** By index of the source in the view file. Absent in counts. */
  e?: Record<number, Witness>;
  /** merge: which source wrote a field that several may write. */
  w?: Record<string, number>;
  /** latest: the values of `by`, for comparing. */
  b?: unknown[];
  /** timeline: source index and witness of each moment. */
  m?: (readonly [index: number, ...Witness])[];
}

/** What a subject adds to a count: under which key, with which sums. */
export interface Contribution {
  /** Key of the partial. */
  readonly k: string;
  /** Dimensions. */
  readonly d: Readonly<Record<string, unknown>>;
  readonly s: readonly (number | string)[];
}
