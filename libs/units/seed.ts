import { Fault } from '#faults';
import { isDay } from './day.js';
import type { Unit } from './unit.js';

export interface UnitType {
  readonly code: string;
  readonly nameId: string;
  readonly nameEn: string;
}

export interface ExternalParty {
  /** `EXT-…` */
  readonly code: string;
  readonly name: string;
}

/** The units of a new deployment: one version each, valid and known since `asOf`. */
export interface UnitSeed {
  readonly asOf: string;
  readonly units: readonly Unit[];
  readonly unitTypes: readonly UnitType[];
  readonly externalParties: readonly ExternalParty[];
}

type SeedRow = Omit<Unit, 'version' | 'validFrom' | 'knownSince' | 'basis'> & { readonly basis: string };

/** Reads the text of `schemas/units.json`. Fault `invalid_settings` when a part is missing; SyntaxError when it is no JSON. */
export function readUnitSeed(json: string): UnitSeed {
  const file = JSON.parse(json) as {
    meta?: { asOf?: unknown };
    units?: readonly SeedRow[];
    unitTypes?: readonly UnitType[];
    externalParties?: readonly ExternalParty[];
  };
  const asOf = file.meta?.asOf;
  if (!isDay(asOf) || !file.units || !file.unitTypes || !file.externalParties)
    throw new Fault('invalid_settings', {
      detail: 'units seed: meta.asOf, units, unitTypes, externalParties expected',
    });
  return {
    asOf,
    unitTypes: file.unitTypes,
    externalParties: file.externalParties,
    units: file.units.map(({ basis, ...row }) => ({
      ...row,
      version: 1,
      validFrom: asOf,
      knownSince: `${asOf}T00:00:00Z`,
      basis: 'known',
      evidence: basis,
    })),
  };
}
