import type { RedriveOrder } from './desk-port.js';

/** Where an event lies. */
export interface Place {
  readonly stream: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** A row of `_simpul.attempts`: one attempt of one event, when it had ended. */
export interface AttemptRow {
  /** `webhook-id`. */
  readonly id: string;
  readonly subscription: string;
  readonly position: string;
  readonly subject: string;
  readonly try: number;
  /** RFC 3339: when it began. */
  readonly at: string;
  readonly ms: number;
  readonly status?: number | undefined;
  readonly outcome: 'delivered' | 'failed' | 'parked' | 'dead';
  readonly reason?: string | undefined;
  readonly head?: string | undefined;
  /** The redrive that sent other data in the place of the event (R8.8). */
  readonly edited?: string | undefined;
}

/** A row of `_simpul.cursors`, key `<subscription>/<stream>` (R8.6). */
export interface CursorRow {
  /** First 8 digits of the id of the topic. */
  readonly topicId: string;
  /** Lowest offset of each partition that is neither finished nor spoken for by a row of `_simpul.lanes`. */
  readonly next: readonly bigint[];
  /** Offsets above `next` that are, by partition, ascending; at most 1,000 together, 8,000 of a subscription whose events are leased. */
  readonly done: Readonly<Record<number, readonly bigint[]>>;
  /** Where each partition began, or was sought to: what lies below was never due. */
  readonly start: readonly bigint[];
  /** What lies below was decided by an earlier filter, and rows of `_simpul.lanes` speak for what of it is unfinished. Absent: the filter has not changed. */
  readonly since?: readonly bigint[];
}

/** Why a lane stands: the first event of the lane that could not be delivered. */
export interface ParkedRow {
  readonly kind: 'parked';
  readonly position: string;
  readonly lane: string;
  readonly subject: string;
  readonly cause: string;
  readonly tries: number;
  /** Scheduled tries since the parking, the one that was about to start included; redrives are none. */
  readonly step: number;
  readonly lastStatus?: number;
  /** RFC 3339. */
  readonly firstAt: string;
  readonly lastAt: string;
  readonly since: string;
  /** When the next try is due; absent: it is a dead letter, and only a redrive or a person goes on. */
  readonly nextAt?: string;
  /** Set with the dead letter. */
  readonly deadAt?: string;
}

/** An event that waits behind another one of its lane, or so long that the cursor could not wait for it: it is unfinished, wherever the cursor stands. */
export interface HeldRow {
  readonly kind: 'held';
  readonly position: string;
  readonly lane: string;
  readonly subject: string;
  /** RFC 3339: when the log took the event. */
  readonly at?: string;
}

/** Recorded before a try ≥ 2 starts (R8.7): a takeover counts this try as failed. The event is unfinished, wherever the cursor stands. */
export interface RetryRow {
  readonly kind: 'retry';
  readonly position: string;
  readonly lane: string;
  readonly subject: string;
  /** The try that was about to start. */
  readonly try: number;
  readonly firstAt: string;
  readonly cause: string;
  /** RFC 3339: when the log took the event. */
  readonly at?: string;
}

/** A redrive (key letter `j`, with the job in the place of a position). */
export interface RedriveRow {
  readonly kind: 'redrive';
  readonly job: string;
  readonly order: RedriveOrder;
  readonly startedAt: string;
  readonly state: 'running' | 'done';
  readonly done: number;
  readonly failed: number;
}

/**
 * A row of `_simpul.lanes`. Key: `<subscription>/<kind letter>/<position>` with `p`, `h`, `r`. Within a lane, order is the offset. What lies in a lane of a parked
 * row is delivered only after it.
 */
export type LaneRow = ParkedRow | HeldRow | RetryRow;

/** Something of the subscription may be leased (key letter `l`); absent: nothing is (R9.4). */
export interface LeaseRow {
  readonly kind: 'lease';
  /** RFC 3339: no lease is open for longer. */
  readonly until: string;
  /** RFC 3339: tokens that were given before are void, because the subscription was sought to another place. */
  readonly voidBefore?: string;
  /** Only the tokens are remembered: nothing is leased. */
  readonly isOver?: true;
}

/** Key `owner`: under its epoch an owner has written every row of the partition. A row of an older epoch came after that, and counts for nothing. */
export interface OwnerRow {
  readonly kind: 'owner';
  /** Which process it is: two that may live at the same time have different ones. Rows of the first version have none. */
  readonly holder?: string;
  /** It makes no attempt any more, and everything that it knew is stored. */
  readonly left?: true;
}

/** What lies in `_simpul.lanes`. */
export type StoredRow = LaneRow | RedriveRow | LeaseRow | OwnerRow;

/** A write to `_simpul.lanes`; undefined deletes. */
export interface LaneChange {
  readonly key: string;
  readonly row: LaneRow | undefined;
}
