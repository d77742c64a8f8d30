export { FAULT_CLASSES, FAULTS, type FaultAction, type FaultClass, type FaultCode, type FaultRow } from './table.js';
export {
  actionOf,
  asFault,
  blameOf,
  Fault,
  innermostMessage,
  isFault,
  isRetryable,
  showProblem,
  titleOf,
  type FaultOptions,
  type Problem,
  type ShownProblem,
} from './fault.js';
export { defineTexts, Text, verbatim, type Bilingual, type Language, type TextArg, type Texts } from './text.js';
export { OnceAMinute } from './once.js';
export { startDetail, startLine } from './start-line.js';
export { UnitFault } from './unit-fault.js';
export { UNIT_FAULTS, type UnitFaultCode } from './unit-table.js';
