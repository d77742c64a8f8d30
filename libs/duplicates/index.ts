export { IndexCertainty } from './certainty.js';
export {
  confirmsCheckpoint,
  contradicts,
  endOf,
  markRefold,
  trustedCheckpoint,
  type CheckpointDeps,
  type Refold,
} from './checkpoint.js';
export { openCopies, SETTLED_TOPIC, type Copies } from './copies.js';
export type { CopiesReport, ListedCopy } from './listed.js';
export {
  DuplicateIndex,
  type DuplicateIndexDeps,
  type DuplicatesReport,
  type IndexedPartition,
  type IndexStep,
  type JudgedEvents,
} from './duplicate-index.js';
export { IndexLookup, type Known } from './index-lookup.js';
export type { IdConflict } from './index-step.js';
export { INDEX_VIEW } from './index-view.js';
export type { BadRecord } from './open-records.js';
export { conflictId, lookAtPlaces, type PlaceContent, type PlacedEvent } from './places.js';
export { sameContent, type ComparedEvent, type OriginalContent } from './same-content.js';
export { StoredPlaces, type LogEnd, type Standing } from './stored-places.js';
export { openSettled, type Settled, type SettledDeps, type SettledReport } from './settled.js';
