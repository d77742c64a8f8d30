import type { TableReport } from '#table';

/** A copy: its offset, and the offset of the original, in one partition. */
export interface ListedCopy {
  readonly offset: bigint;
  readonly first: bigint;
}

export interface CopiesReport extends TableReport {
  /** The topic of an earlier version exists and was read; it is followed as well. Called once, when the table is opened. */
  readonly earlierCopies?: (found: { readonly topic: string; readonly copies: number }) => void;
  /** `_simpul.settled` was made again, or has lost rows: the owners of partitions list their copies again. Called in each process. Alarm. */
  readonly listLost?: (table: { readonly topic: string; readonly partition: number }) => void;
}

/** A partition that this process owns. */
export interface Owned {
  readonly stream: string;
  readonly partition: number;
  readonly epoch: bigint;
  /** The chunk that grows, and the copies in it. */
  chunk: number;
  copies: ListedCopy[];
  /** Copies of the chunk are not known to be durable. */
  unsure: boolean;
  /** The reset row of the partition is not known to be durable. */
  resetUntold: boolean;
  /** The table lacks copies that are known here: all of them are listed again before anything else. */
  listUntold: boolean;
}
