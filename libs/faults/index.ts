export { FAULTS, type FaultCode, type FaultRow } from './table.js';
export { inIndonesian } from './translate.js';
export {
  asFault,
  Fault,
  innermostMessage,
  isFault,
  showProblem,
  type FaultOptions,
  type Problem,
  type ShownProblem,
} from './fault.js';
export { defineTexts, Text, verbatim, type Bilingual, type Language, type TextArg, type Texts } from './text.js';
export { OnceAMinute } from './once.js';
export { startLine } from './start-line.js';
