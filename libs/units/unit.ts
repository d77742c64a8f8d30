/**
 * A unit as it is (or was) from `validFrom` to `validTo`, both days included. Dates are `YYYY-MM-DD`.
 * Two time axes: `validFrom`/`validTo` say when it was so, `knownSince`/`knownUntil` when the hub believed so.
 */
export interface Unit {
  /** Opaque and permanent: `SU00123`. */
  readonly id: string;
  /** 1, 2, 3 … per unit: events keep the version of their day. A number never changes its content; only its end may become known. */
  readonly version: number;
  readonly code: string;
  readonly name: string;
  readonly shortName: string;
  readonly nameEn?: string;
  readonly type: string;
  readonly class?: string;
  readonly classBasis?: string;
  /** Administrative line. */
  readonly parent?: string;
  /** Technical line (directorate general). */
  readonly technicalParent?: string;
  /** Kemendagri code, two digits. */
  readonly provinceCode: string;
  readonly provinceCodeBps?: string;
  /** ISO 3166-2. */
  readonly iso?: string;
  readonly coversProvinces?: readonly string[];
  /** Full region code and the edition of the code list, where an event gave them. */
  readonly regionCode?: string;
  readonly regionEdition?: string;
  readonly city: string;
  readonly address?: string;
  readonly lat?: number;
  readonly lon?: number;
  /** IANA zone. */
  readonly timezone: string;
  readonly tz: 'WIB' | 'WITA' | 'WIT';
  readonly letterCode?: string;
  readonly letterCodeBasis?: string;
  readonly checkpointKind?: string;
  readonly specialisation?: string;
  readonly validFrom: string;
  /** Last day. Absent: open. */
  readonly validTo?: string;
  /** When the hub learnt it, RFC 3339. */
  readonly knownSince: string;
  /** When the hub learnt better. Absent: believed now. */
  readonly knownUntil?: string;
  /** What the start date means: `known` (known since), `founded` or `changed`. */
  readonly basis?: string;
  /** What the row rests on: `found`, `general`. */
  readonly evidence?: string;
  readonly note?: string;
  /** The event that made this version (`ganti-nama`, …) and its legal ground. */
  readonly cause?: string;
  readonly legalGround?: string;
  /** Units that this one came from, and that came from it: many to many, filled from both sides. */
  readonly predecessors?: readonly string[];
  readonly successors?: readonly string[];
}

export interface UnitFilter {
  readonly type?: string;
  readonly province?: string;
  readonly class?: string;
  /** Words of the name, code or town, any case. */
  readonly text?: string;
}

export type Line = 'administrative' | 'technical';

/**
 * The effective-dated registry of units. All look-ups in memory.
 *
 * With `asOf` (`YYYY-MM-DD`) only what was valid that day counts. Without it: the tree of today by the hub's clock handed in, made whole:
 * a unit that ended, but that a unit of today still names as parent, stays in the tree; and `get`/`byCode` fall back to the last version
 * known, so that old events and keys still resolve.
 */
export interface Units {
  /** `knownAt` (RFC 3339): what was believed then, strict as with asOf; needs asOf. */
  get(id: string, asOf?: string, knownAt?: string): Unit | undefined;
  byCode(code: string, asOf?: string): Unit | undefined;
  /** Versions of any unit with this code, of any day, as believed now. */
  holders(code: string): readonly Unit[];
  /** By id, ascending. */
  list(filter: UnitFilter, asOf?: string): readonly Unit[];
  children(id: string, line: Line, asOf?: string): readonly Unit[];
  /** Every unit above on either line, the unit itself not included. */
  above(id: string, asOf?: string): ReadonlySet<string>;
  /** Units that serve a function (= unit type) in a province; a kanwil that covers several provinces counts for each. */
  resolve(fn: string, province?: string, asOf?: string): readonly Unit[];
  /** Versions by validFrom, as believed now or at `knownAt`. */
  history(id: string, knownAt?: string): readonly Unit[];
  /** Everything ever believed about a unit, in the order learnt. */
  learnt(id: string): readonly Unit[];
  readonly size: number;
}
