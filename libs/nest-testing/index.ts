export { SimpulTestFault, type SimpulTestFaultCode } from './fault.js';
export { SimpulMemory, type Delivered } from './memory.js';
export { SimpulTestingModule, type SimpulTestingOptions, type TestedApp } from './module.js';
export type { ParkedEvent } from './counted-source.js';
export { SimpulTest } from './with-hub.js';
