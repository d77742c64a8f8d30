export { aboveAt, unitAt } from './at-time.js';
export { UNIT_CHANGED, type UnitChange } from './change.js';
export { isDay } from './day.js';
export { restated, unitChangeProblems } from './fits.js';
export { startUnitFold, UNITS_STREAM, type UnitFold, type UnitFoldDeps, type UnitReadLimits } from './follow.js';
export {
  openUnits,
  type UnitEvent,
  type UnitMismatch,
  type UnitPlace,
  type UnitRegistry,
  type UnitsDeps,
  type UnitsReport,
} from './open.js';
export { readUnitSeed, type ExternalParty, type UnitSeed, type UnitType } from './seed.js';
export { UnitTree } from './tree.js';
export type { Line, Unit, UnitFilter, Units } from './unit.js';
