export { FAULTS, type FaultCode, type FaultRow } from './table.js';
export { inIndonesian } from './translate.js';
export { asFault, Fault, innermostMessage, isFault, type FaultOptions, type Problem } from './fault.js';
export { OnceAMinute } from './once.js';
export { startLine } from './start-line.js';
