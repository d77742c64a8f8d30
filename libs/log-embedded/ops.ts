import type { TopicSpec } from '#log';
import type { ReadRow } from './rows.ts';
import type { IncompleteReason } from './schema.ts';

/** A request to the writer thread. This file holds only types, because Node loads the threads without the rest of the room. */
export type Op =
  | {
      readonly op: 'append';
      readonly part: number;
      readonly nowMs: number;
      readonly count: number;
      /** The records as batch.ts encodes them; the memory is transferred, not copied. */
      readonly data: Uint8Array;
      /** Of a claimed writer (R4): `fenced` unless this is still the newest claim of the topic. */
      readonly claim?: { readonly topic: number; readonly epoch: number };
    }
  | { readonly op: 'topics'; readonly specs: readonly (TopicSpec & { readonly id: string })[] }
  | { readonly op: 'retention'; readonly topic: number; readonly retentionMs: number | null }
  | { readonly op: 'delete'; readonly topic: number }
  | { readonly op: 'claim'; readonly topic: number }
  | { readonly op: 'maintain'; readonly nowMs: number; readonly whole: boolean }
  /** One step of adding checksums to rows that have none; see sealing.ts. */
  | { readonly op: 'seal' }
  /** An orderly stop: everything goes into log.sqlite, and the mark says so. Readers of this process must be closed before. */
  | { readonly op: 'close' };

/** What a step of `seal` has found. */
export interface SealAnswer {
  readonly kind: 'sealed';
  /** There is nothing more to look at. */
  readonly done: boolean;
  /** Records whose row has a checksum now. */
  readonly records: number;
  readonly damaged: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly first: number;
    readonly last: number;
  }[];
}

export type Answer =
  | SealAnswer
  | { readonly kind: 'accepted'; readonly base: number; readonly appendTimeMs: number }
  | { readonly kind: 'done'; readonly epoch?: number }
  /** The partition or topic was deleted. Nothing was written. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'conflict'; readonly topic: string }
  | { readonly kind: 'refused'; readonly code: 'disk_full' | 'log_unavailable'; readonly reason: string }
  | { readonly kind: 'uncertain'; readonly reason: string };

/** A request to the reader thread: reads that are far from the tail, and so may wait for the disk. */
export type ReadOp =
  | {
      readonly op: 'page';
      readonly part: number;
      readonly from: number;
      /** See Rows.from. */
      readonly dense: boolean;
      readonly maxRecords: number;
      readonly maxBytes: number;
    }
  | { readonly op: 'offsetAt'; readonly part: number; readonly timeMs: number };

export type ReadAnswer =
  | { readonly kind: 'page'; readonly low: number; readonly high: number; readonly rows: readonly ReadRow[] }
  | { readonly kind: 'offset'; readonly offset: number }
  /** The partition was deleted. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'failed'; readonly reason: string };

export interface Request<O> {
  readonly id: number;
  readonly op: O;
}

/** Why a file cannot be opened. `why`: with `log_incomplete`, the sentence for the operator and its arguments. */
export interface OpenFailure {
  readonly code: 'data_format' | 'disk_full' | 'log_unavailable' | 'log_damaged' | 'log_incomplete';
  readonly reason: string;
  readonly why?: IncompleteReason;
  readonly detail?: Readonly<Record<string, string | number>>;
}

/** What an operator should know of an open file. */
export interface OpenNotes {
  /** The file was brought to this format. */
  readonly migrated: boolean;
}

/** A message of a thread: many answers at once, or the result of opening the file. A message to it is a list of requests. */
export type FromThread<A> =
  | { readonly opened: true; readonly notes?: OpenNotes }
  | ({ readonly opened: false } & OpenFailure)
  | { readonly answers: readonly (readonly [id: number, answer: A])[] };

export interface WriterStart {
  readonly file: string;
  /** Upper bound of the file in pages of 4 KiB; 0 = none. */
  readonly maxPages: number;
  /** The folder has held a log. */
  readonly held: boolean;
}

export interface ReaderStart {
  readonly file: string;
}
