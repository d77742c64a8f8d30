/** A unit as it is (or was) during [validFrom, validTo). Dates are `YYYY-MM-DD`. */
export interface Unit {
  /** Opaque and permanent: `SU00123`. */
  readonly id: string;
  /** 1, 2, 3 … per unit: events keep the version of their day. */
  readonly version: number;
  readonly code: string;
  readonly name: string;
  readonly shortName: string;
  readonly nameEn?: string;
  readonly type: string;
  readonly class?: string;
  /** Administrative line. */
  readonly parent?: string;
  /** Technical line (directorate general). */
  readonly technicalParent?: string;
  readonly provinceCode: string;
  readonly coversProvinces?: readonly string[];
  readonly city: string;
  readonly lat?: number;
  readonly lon?: number;
  /** IANA zone. */
  readonly timezone: string;
  readonly tz: 'WIB' | 'WITA' | 'WIT';
  readonly letterCode?: string;
  readonly checkpointKind?: string;
  readonly specialisation?: string;
  readonly validFrom: string;
  readonly validTo?: string;
  /** When the hub learnt it, RFC 3339. */
  readonly knownSince: string;
  /** What the start date means: `known` (known since) or `founded`. */
  readonly basis?: string;
  readonly predecessors?: readonly string[];
  readonly successors?: readonly string[];
}

export interface UnitFilter {
  readonly type?: string;
  readonly province?: string;
  readonly class?: string;
  /** Words of the name or code, any case. */
  readonly text?: string;
}

/** The effective-dated registry of units. `asOf` (`YYYY-MM-DD`) absent = today by the hub's clock handed in. All look-ups in memory. */
export interface Units {
  get(id: string, asOf?: string): Unit | undefined;
  byCode(code: string, asOf?: string): Unit | undefined;
  /** By id, ascending. */
  list(filter: UnitFilter, asOf?: string): readonly Unit[];
  children(id: string, line: 'administrative' | 'technical', asOf?: string): readonly Unit[];
  /** Every unit above on either line, the unit itself not included. */
  above(id: string, asOf?: string): ReadonlySet<string>;
  /** Units that serve a function (= unit type) in a province; a kanwil that covers several provinces counts for each. */
  resolve(fn: string, province?: string, asOf?: string): readonly Unit[];
  history(id: string): readonly Unit[];
  readonly size: number;
}
