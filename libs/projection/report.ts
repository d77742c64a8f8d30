import type { BadRecord, DuplicatesReport } from '#duplicates';
import type { AssignedPartition, Interruption } from '#log';
import type { StreamPartition } from '#state';

/** What the projector reports while it works. All calls return at once. */
export interface ProjectionReport extends DuplicatesReport {
  folded?(view: string, storage: string, part: StreamPartition, next: bigint, events: number): void;
  badRecord?(record: BadRecord): void;
  /** A view's catch-up reader failed and will try again. Reported once a minute for each view and cause. */
  catchUpFailed?(view: string, part: StreamPartition, cause: unknown): void;
  /** A partition stands still: its next offset is not in the log (any more, or yet). */
  interrupted?(at: AssignedPartition, why: Interruption): void;
  /** A step or a background job failed and will be tried again. */
  failed?(cause: unknown): void;
}
