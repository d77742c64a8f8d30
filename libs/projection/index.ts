export { STATED_BY } from '#event';
export { STEWARD } from './accepted.js';
export { foldedFields } from './folded-fields.js';
export { publishBounds, isAhead, type TimeBound } from './time-bounds.js';
export { senderOf } from './owner.js';
export { readRefused, REFUSED_KEPT, REFUSED_OF_OFFICE, RefusedRing, type RefusedEvent } from './refused.js';
export { ConflictReader, type Conflict, type Conflicts } from './conflicts.js';
export { parseView, type Expression, type OwnerRule, type ViewDefinition, type ViewSource } from './view.js';
export { checkOwnerSaid, checkView } from './check.js';
export { compileView, type CompiledView, type ViewField } from './compile.js';
export { fold, type Desk, type Refused } from './fold.js';
export type { Contribution, RefusalReason, Removed, Stored, Witness } from './entry.js';
export { mergeEntries, openEntry, type PartitionEntry } from './merge.js';
export { storageOf, type GenerationRow, type Generations } from './generations.js';
export { PROJECTOR_GROUP } from './projector.js';
export type { ProjectionReport } from './report.js';
export { openProjector, type OpenProjector, type OpenProjectorDeps } from './open-projector.js';
export { digestOfView } from './digest.js';
export { needSnapshots } from './history.js';
export type { SnapshotState, SnapshotStatus } from './view-snapshot.js';
export type { SnapshotPolicy } from './view-snapshots.js';
export { fulfils, parseConditions, type Condition } from './filter.js';
export {
  StateReader,
  type GetOptions,
  type Got,
  type Listed,
  type Shown,
  type StateReaderDeps,
} from './state-reader.js';
export { Arrivals } from './arrivals.js';
export { Backlogs, type Backlog, type BacklogsDeps } from './backlog.js';
export { Ends, type EndsDeps, type Freshness } from './ends.js';
export { ChangeFeed, type FeedCursor, type FeedEvent } from './changes.js';
export { PROJECTOR_ACTOR, requestRebuild, type AuditView, type ViewAct } from './rebuild.js';
export { keyText } from './compile.js';
