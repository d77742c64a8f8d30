/** What goes to the writer thread: columns instead of objects, since copying 500 small objects costs more than writing them. */
export interface CommitOrder {
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
  readonly now: number;
  /** 0 entry, 1 part. */
  readonly spaces: Uint8Array;
  readonly keys: readonly string[];
  /** null: delete. */
  readonly values: readonly (string | null)[];
  readonly offsets: BigInt64Array;
  readonly times: Float64Array;
}

export interface FirstRow {
  readonly stream: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly digest: string;
  readonly schemaId: number;
  readonly recordedTimeMs: number;
}

export interface FirstOrder {
  readonly kind: 'first';
  readonly id: number;
  readonly now: number;
  readonly sources: readonly string[];
  readonly ids: readonly string[];
  readonly rows: readonly FirstRow[];
}

export interface DropOrder {
  readonly kind: 'drop';
  readonly id: number;
  readonly view: string;
  readonly partitions: number;
}

/** One bounded step of forgetting. Answers true when there is more to do. */
export interface ForgetOrder {
  readonly kind: 'forget';
  readonly id: number;
  readonly deletesUntil: number;
  readonly firstsUntil: number;
}

export interface CloseOrder {
  readonly kind: 'close';
  readonly id: number;
}

export type Order = CommitOrder | FirstOrder | DropOrder | ForgetOrder | CloseOrder;

/** null: applied. Else the offset and epoch that refused it. */
export type CommitAnswer = { readonly expected: bigint; readonly epoch: bigint } | null;
/** null: the row of the request was put. */
export type FirstAnswer = readonly (FirstRow | null)[];

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly message: string; readonly errcode: number };
}

/** `ready` once, then a list of answers for each transaction. */
export type FromWriter =
  { readonly ready: true } | { readonly failed: string } | { readonly answers: readonly Answer[] };
