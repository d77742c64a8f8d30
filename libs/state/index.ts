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
export { checkChange, DELETES_KEPT_MS, FIRSTS_KEPT_MS, timeOfChange } from './change.js';
