export { IndexCertainty } from './certainty.js';
export { openCopies, type Copies, type ListedCopy } from './copies.js';
export { IndexLookup, type Known } from './index-lookup.js';
export { findCopies, recheck, type IdConflict, type IndexDeps, type Rechecked } from './index-step.js';
export { INDEX_VIEW } from './index-view.js';
export { decodeOrTell, openRecords, type BadRecord } from './open-records.js';
export { openSettled, type Settled, type SettledDeps } from './settled.js';
