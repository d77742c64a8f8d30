export { openEmbeddedLog, type EmbeddedLog, type EmbeddedLogOptions, type EmbeddedLogReport } from './log.js';
export type { DamagedRange } from './reader.js';
