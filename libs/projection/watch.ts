import type { BadRecord } from '#duplicates';
import type { AssignedPartition } from '#log';
import type { StreamPartition } from '#state';

/** What the projector tells while it works. All calls return at once. */
export interface ProjectorWatch {
  settled?(stream: string, partition: number, end: bigint): void;
  folded?(view: string, storage: string, part: StreamPartition, next: bigint, events: number): void;
  copies?(stream: string, partition: number, count: number): void;
  bad?(record: BadRecord): void;
  /** A view that catches up could not go on: told once a minute for each view and cause. It tries again. */
  trouble?(view: string, part: StreamPartition, cause: unknown): void;
  /** The flow stands still at an offset that the log no longer (or not yet) holds. */
  outOfRange?(at: AssignedPartition, low: bigint, high: bigint): void;
}
