export { foldUnitEvent, UNIT_CHANGED, type UnitChange } from './change.js';
export { addDays, isDay } from './day.js';
export { restated, unitChangeProblems, type Registered } from './fits.js';
export { startUnitFold, UNITS_STREAM, type UnitFold, type UnitFoldDeps } from './follow.js';
export {
  openUnits,
  UNITS_TOPIC,
  type SkippedChange,
  type UnitEvent,
  type UnitRegistry,
  type UnitsDeps,
} from './open.js';
export { readUnitSeed, type ExternalParty, type UnitSeed, type UnitType } from './seed.js';
export type { Rows } from './timeline.js';
export { UnitTree } from './tree.js';
export type { Line, Unit, UnitFilter, Units } from './unit.js';
