/**
 * One version of a unit, valid from `validFrom` to `validTo`, both days included. Dates are `YYYY-MM-DD`.
 * Two time axes: `validFrom`/`validTo` say when the row was true, `knownSince`/`knownUntil` say when the hub took it as true.
 */
export interface Unit {
  /** Opaque and permanent: `SU00123`. */
  readonly id: string;
  /** 1, 2, 3 … per unit; an event keeps the version of its day. The content of a version number never changes, only its last day may become known. */
  readonly version: number;
  readonly code: string;
  readonly name: string;
  readonly shortName: string;
  readonly nameEn?: string;
  readonly type: string;
  readonly class?: string;
  readonly classBasis?: string;
  /** Parent on the administrative line. */
  readonly parent?: string;
  /** Parent on the technical line (directorate general). */
  readonly technicalParent?: string;
  /** Kemendagri code, two digits. */
  readonly provinceCode: string;
  readonly provinceCodeBps?: string;
  /** ISO 3166-2. */
  readonly iso?: string;
  readonly coversProvinces?: readonly string[];
  /** Full region code and the edition of the code list, when an event gave them. */
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
  /** Last valid day. Absent: no end is known. */
  readonly validTo?: string;
  /** RFC 3339 time since which the hub knows this row. */
  readonly knownSince: string;
  /** RFC 3339 time at which another row replaced this one. Absent: the row is current. */
  readonly knownUntil?: string;
  /** What `validFrom` means: `known` (the unit existed before, the date is only the first known day), `founded` or `changed`. */
  readonly basis?: string;
  /** Evidence for a row of the seed: `found`, `general`. */
  readonly evidence?: string;
  readonly note?: string;
  /** The cause that made this version (`ganti-nama`, …) and its legal ground. */
  readonly cause?: string;
  readonly legalGround?: string;
  /** Units that this unit came from, and units that came from it: many to many, filled in from both sides. */
  readonly predecessors?: readonly string[];
  readonly successors?: readonly string[];
}

export interface UnitFilter {
  readonly type?: string;
  readonly province?: string;
  readonly class?: string;
  /** Words of the name, code or town; case and accents do not matter. */
  readonly text?: string;
}

export type Line = 'administrative' | 'technical';

/**
 * The effective-dated registry of units. All look-ups are in memory.
 *
 * With `asOf` (`YYYY-MM-DD`) only rows that are valid on that day count. Without `asOf`: the tree of today. Whose midnight: a row takes force and ends by
 * the day of its own zone. The tree is complete: an ended unit that a
 * unit of today still names as parent stays in the tree, and `get` and `byCode` fall back to the last known version, so that the units of old events
 * and keys are still found.
 */
export interface Units {
  /** `knownAt` (RFC 3339) answers from the rows that were current at that time; it needs `asOf`. */
  get(id: string, asOf?: string, knownAt?: string): Unit | undefined;
  byCode(code: string, asOf?: string): Unit | undefined;
  /** The current rows of every unit that has, had or will have this code. */
  holders(code: string): readonly Unit[];
  /** Units that match, by ascending id. */
  list(filter: UnitFilter, asOf?: string): readonly Unit[];
  children(id: string, line: Line, asOf?: string): readonly Unit[];
  /** The ids of all units above on either parent line, without the unit itself. */
  above(id: string, asOf?: string): ReadonlySet<string>;
  /** Units of a type that serve a province; a kanwil that covers several provinces serves each of them. */
  resolve(fn: string, province?: string, asOf?: string): readonly Unit[];
  /** The ids of all units that get() answers with this type today, ended ones too. */
  ofType(type: string): ReadonlySet<string>;
  /** The rows of a unit by validFrom: the current ones, or those that were current at `knownAt`. */
  history(id: string, knownAt?: string): readonly Unit[];
  /** Every row ever known about a unit, in the order in which the hub got to know it, with links filled in. */
  allRows(id: string): readonly Unit[];
  /** The day of today, `YYYY-MM-DD`, in the zone of the unit; in WIB for an id that is no unit (parties, the hub). */
  today(id: string): string;
  readonly size: number;
}
