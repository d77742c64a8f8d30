export type {
  Change,
  ChangePage,
  Committed,
  Delete,
  Entry,
  First,
  Page,
  Progress,
  Put,
  ReadResult,
  ScanRange,
  Space,
  State,
  StateChange,
  StreamPartition,
} from './port.js';
export { checkChange, DELETE_RETENTION_MS, INDEX_RETENTION_MS, appendTimeOf } from './change.js';
