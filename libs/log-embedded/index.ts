export { openEmbeddedLog, type EmbeddedLog, type EmbeddedLogOptions, type EmbeddedLogReport } from './log.js';
export type { DamagedRange } from './reader.js';
export {
  acceptLog,
  beginRestore,
  copyLog,
  damagedControlRow,
  endRestore,
  holdsBackup,
  holdsLog,
  isRestoring,
  reserveAfterRestore,
} from './copy.js';
export { inspectLog, type LogSummary, type PartitionSummary } from './inspect.js';
