import type { BadRecord, DuplicatesReport, Refold } from '#duplicates';
import type { AssignedPartition, Interruption } from '#log';
import type { StreamPartition } from '#state';
import type { ClaimsReport } from '#table';
import type { CompiledView } from './compile.js';
import type { RefusedEvent } from './refused.js';
import type { FillOutcome } from './snapshot-fill.js';

/** What the projector reports while it works. All calls return at once. */
export interface ProjectionReport extends DuplicatesReport, ClaimsReport {
  folded?(view: string, storage: string, part: StreamPartition, next: bigint, events: number): void;
  badRecord?(record: BadRecord): void;
  /** A view has refused events, durably: they changed nothing (R5.10, R5.11). Told again for each fold of the same events. */
  refused?(view: CompiledView, events: readonly RefusedEvent[]): void;
  /** A view's catch-up reader failed and will try again. Reported once a minute for each view and cause. */
  catchUpFailed?(view: string, part: StreamPartition, cause: unknown): void;
  /** A partition stands still: its next offset is not in the log (any more, or yet). */
  interrupted?(at: AssignedPartition, why: Interruption): void;
  /** An empty view partition was filled from its snapshot, or why it was not (then it is folded from the beginning of the log). */
  filledFromSnapshot?(view: string, storage: string, partition: number, outcome: FillOutcome, entries: number): void;
  /** The snapshot of a view partition could not be written. It is tried again. Reported once a minute for each storage and cause. */
  snapshotFailed?(view: string, storage: string, partition: number, cause: unknown): void;
  /** A view partition, or the duplicate index of one, was folded from a log that is not there: it is emptied and folded again. */
  refolding?(refold: Refold): void;
  /** A step or a background job failed and will be tried again. */
  failed?(cause: unknown): void;
}
