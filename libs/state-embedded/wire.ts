import type { First } from '#state';

/** Requests to the writer thread. A commit is sent as columns instead of objects: the structured clone of 500 small objects costs more than writing them. */
export interface CommitRequest {
  readonly kind: 'commit';
  readonly id: number;
  readonly view: string;
  readonly partition: number;
  readonly stream: string;
  readonly epoch: bigint;
  readonly from: bigint;
  readonly next: bigint;
  readonly low: bigint;
  /** null: the stored time stays. */
  readonly appendTimeMs: number | null;
  readonly proof: string | null;
  readonly feedGap: boolean;
  readonly now: number;
  /** 0 entry, 1 part. */
  readonly spaces: Uint8Array;
  readonly keys: readonly string[];
  /** null: delete. */
  readonly values: readonly (string | null)[];
  readonly offsets: BigInt64Array;
  readonly appendTimes: Float64Array;
}

export interface FirstRow {
  readonly stream: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly digest: string;
  readonly schemaId: number;
  readonly recordedTimeMs: number;
}

/** Without source and id, which are sent beside the rows. */
export const rowOf = ({ stream, partition, offset, digest, schemaId, recordedTimeMs }: First): FirstRow => ({
  stream,
  partition,
  offset,
  digest,
  schemaId,
  recordedTimeMs,
});

export interface PutFirstRequest {
  readonly kind: 'putFirst';
  readonly id: number;
  readonly now: number;
  readonly sources: readonly string[];
  readonly ids: readonly string[];
  readonly rows: readonly FirstRow[];
}

export interface ReplaceFirstRequest {
  readonly kind: 'replaceFirst';
  readonly id: number;
  readonly now: number;
  readonly sources: readonly string[];
  readonly ids: readonly string[];
  readonly stale: readonly FirstRow[];
  readonly rows: readonly FirstRow[];
}

/** Its reply is true when the reset was done. */
export interface ResetRequest {
  readonly kind: 'reset';
  readonly id: number;
  readonly view: string;
  readonly partition: number;
  /** `next` null: nothing is stored. */
  readonly found: { readonly stream: string; readonly next: bigint | null; readonly proof: string | null };
  readonly starts: readonly {
    readonly stream: string;
    readonly epoch: bigint;
    readonly next: bigint;
    readonly until: bigint;
    readonly proof: string | null;
  }[];
  readonly atMs: number;
}

export interface DropRequest {
  readonly kind: 'drop';
  readonly id: number;
  readonly view: string;
  readonly partitions: number;
}

/** One bounded step of retention: removes expired tombstones, expired rows of the duplicate index and rows of dropped views. Its reply is true when more is left to remove. */
export interface ExpireRequest {
  readonly kind: 'expire';
  readonly id: number;
  /** Tombstones written at or before this time expire, ms. */
  readonly tombstonesUntil: number;
  /** Rows of the duplicate index written at or before this time expire, ms. */
  readonly indexUntil: number;
}

export interface CloseRequest {
  readonly kind: 'close';
  readonly id: number;
}

export type WriterRequest =
  CommitRequest | PutFirstRequest | ReplaceFirstRequest | ResetRequest | DropRequest | ExpireRequest | CloseRequest;

/** null: applied. Else the commit was refused, with the stored position and epoch. */
export type CommitReply = { readonly expected: bigint; readonly epoch: bigint } | null;
/** Of putFirst and replaceFirst, per id: null when the row of the request was put, else the row that the index already held. */
export type PutFirstReply = readonly (FirstRow | null)[];

export interface WriterReply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly message: string; readonly errcode: number };
}

/** What the writer thread sends: `ready` once (or `failed`), then the replies of one transaction at a time. */
export type WriterMessage =
  | { readonly ready: true }
  | { readonly failed: string; readonly errcode: number }
  | { readonly replies: readonly WriterReply[] };
