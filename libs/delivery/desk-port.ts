import type { Caller } from '#access';
import type { Subscription, SubscriptionSpec } from '#subscriptions';
import type { AttemptRow, Place } from './port.js';
import type { LiveReader } from './pull/live.js';
import type { CommitOutcome, Pulled, PullWish } from './pull/leases.js';

/**
 * What a subscription has not ended: events that wait, are in flight, or are held behind a parked one, and the records of its streams that it has not looked at yet.
 * Parked events and dead letters are not in it: they wait for a person, and have counts of their own.
 */
export interface Lag {
  readonly events: number;
  /** Age of the oldest of them. */
  readonly seconds: number;
  /** Not everything was looked at (it is paused, or behind): no more than `events` are due, and none is older. */
  readonly atMost?: true;
}

/** How one subscription stands now, at its owner. */
export interface Standing {
  readonly subscription: Subscription;
  /** `waiting`: the target is down (R8.2), or has not said yet that it wants webhooks (`why`). */
  readonly status: 'active' | 'paused' | 'waiting' | 'disabled';
  /** Why it waits, when that is known. */
  readonly why?: string;
  readonly lag: Lag;
  /** Attempts that run, or events that are leased. */
  readonly inFlight: number;
  /** Parked subjects, without dead letters, and streams that stand (R8.4). */
  readonly parked: number;
  readonly dead: number;
  /** Events that wait behind parked ones. */
  readonly held: number;
}

/** A subject that stands at an event; of a stream with `ordering: stream` the whole stream does (R8.4). */
export interface ParkedSubject {
  /** `webhook-id` of the event that could not be delivered. */
  readonly id: string;
  readonly subject: string;
  /** Position of the event that could not be delivered. */
  readonly position: string;
  readonly since: string;
  readonly cause: string;
  readonly tries: number;
  readonly lastStatus?: number;
  readonly held: number;
  readonly nextAt?: string;
}

export interface DeadLetter {
  readonly id: string;
  readonly subject: string;
  readonly position: string;
  readonly cause: string;
  readonly tries: number;
  readonly lastStatus?: number;
  readonly firstAt: string;
  readonly lastAt: string;
  readonly held: number;
}

/** One attempt, as its owner sees it. */
export type DeliveryAttempt = Omit<AttemptRow, 'subscription'>;

export interface Paging {
  readonly limit: number;
  /** The `next` of the page before. */
  readonly cursor?: string | undefined;
}
export interface ListPage<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

/** Which parked and dead events a redrive takes, and what it sends. */
export interface RedriveOrder {
  readonly ids?: readonly string[];
  readonly filter?: { readonly subject?: string; readonly cause?: string; readonly before?: string };
  readonly all?: true;
  /** Data in the place of the event's own, for one id: a new event for this subscription only (R8.8). */
  readonly edited?: Readonly<Record<string, unknown>>;
  /** Events a second. */
  readonly rate: number;
  readonly why: string;
}
export interface RedriveJob {
  readonly job: string;
  readonly state: 'running' | 'done';
  readonly done: number;
  readonly failed: number;
  readonly left: number;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly why: string;
}
/** How many events a redrive takes. */
export interface Taken {
  readonly count: number;
  /** Ids of the order that no parked or dead event has. */
  readonly unknown?: readonly string[];
}
export interface Skipped {
  readonly skipped: number;
  readonly unknown?: readonly string[];
}

export type SeekTarget = 'earliest' | 'end' | string;
export interface SeekPreview {
  /** Where each stream goes on: positions by partition. */
  readonly streams: Readonly<Record<string, readonly string[]>>;
  /** `again` without `passedOver`. */
  readonly events: number;
  /** Events that were delivered, or skipped, and are due again. */
  readonly again: number;
  /** Events that were not delivered, and will not be. */
  readonly passedOver: number;
  /** Not everything was looked at: `again` and `passedOver` are the least that they can be. */
  readonly incomplete?: true;
  /** Parked events, dead letters, and what is held behind them: they stay, wherever the subscription goes on. */
  readonly parked: number;
  readonly dead: number;
  readonly held: number;
}

export interface RotatedSecret {
  readonly subscription: Subscription;
  readonly secret: string;
  /** RFC 3339. */
  readonly previousValidUntil: string;
}

/** What one reader made of one event. */
export interface ReaderReceipt {
  readonly subscription: string;
  readonly owner: string;
  readonly state: 'pending' | 'delivered' | 'parked' | 'dead' | 'filtered';
  /** What it got last was other data that a person sent in the place of the event's own. */
  readonly edited?: true;
  readonly at?: string;
  readonly tries?: number;
  readonly status?: number;
  /** No record of an attempt was found where it would be: the state is what its filter of now and how far it is make likely. */
  readonly assumed?: true;
}

/**
 * The subscriptions of one partition, at the courier that owns it. Every write is durable when it resolves. Rights are checked by the door; the desk checks versions
 * and names. Faults: `not_found`, `conflict` (name taken, version, a state in which it cannot be done), `fenced` is answered as `not_owner` (421), `log_unavailable`,
 * `not_durable`.
 */
export interface SubscriptionDesk {
  /** The secret is in the answer of these two calls only. `starts`: by stream, a cursor or a place, in the place of `start`. */
  create(
    spec: SubscriptionSpec,
    by: Caller,
    starts?: Readonly<Record<string, string>>,
  ): Promise<{ readonly subscription: Subscription; readonly secret?: string }>;
  rotateSecret(id: string): Promise<RotatedSecret>;
  standing(id: string): Promise<Standing>;
  /**
   * `appliesFrom`: by stream, the position in each partition from which a changed filter holds. What lies before was decided by the one before: what waits is delivered
   * all the same (unless the owner may not read it any more), what was left out does not come (R8.9).
   */
  change(
    id: string,
    version: number,
    spec: Partial<SubscriptionSpec>,
  ): Promise<{
    readonly subscription: Subscription;
    readonly appliesFrom: Readonly<Record<string, readonly string[]>>;
  }>;
  remove(id: string): Promise<void>;
  pause(id: string, why: string): Promise<Subscription>;
  resume(id: string): Promise<Subscription>;
  seek(id: string, to: SeekTarget, dryRun: boolean): Promise<SeekPreview>;
  /**
   * Leases events of a pull subscription: in order in each partition, a lane to one puller at a time. undefined: nothing was due within the time, or the signal
   * aborted. Faults: conflict (another target), fenced.
   */
  pull(id: string, wish: PullWish, signal: AbortSignal): Promise<Pulled | undefined>;
  /**
   * What a lease was sent up to these positions, each in its partition, but for `except` and what follows it in its lane, is delivered; durable when it resolves. Again is no error. Faults: lease_lost (expired,
   * released, or from before a seek), conflict, fenced, not_durable.
   */
  commit(id: string, token: string, through: readonly Place[], except?: readonly Place[]): Promise<CommitOutcome>;
  /** What the lease has not committed may be leased again; no try is counted, unless it has `failed` (a code). Faults as commit(). */
  release(id: string, token: string, failed?: string, final?: boolean): Promise<CommitOutcome>;
  /**
   * The connection of a subscription with the target `sse`; the one before is over. `seen`: its cursor as the reader saw it last: what it has not taken since comes
   * again. Faults: conflict (another target), invalid_cursor, fenced.
   */
  live(id: string, seen: string | undefined): Promise<LiveReader>;
  deliveries(
    id: string,
    filter: { readonly subject?: string | undefined; readonly state?: string | undefined },
    page: Paging,
  ): Promise<ListPage<DeliveryAttempt>>;
  parked(id: string, page: Paging): Promise<ListPage<ParkedSubject>>;
  deadLetters(id: string, page: Paging): Promise<ListPage<DeadLetter>>;
  /** How many events it would take. Faults as redrive(). */
  redriveCount(id: string, order: RedriveOrder): Promise<Taken>;
  /** Faults: not_found (none of the ids is there), schema_mismatch (edited data). */
  redrive(id: string, order: RedriveOrder): Promise<Taken & { readonly job: string }>;
  /** The newest first: those that run, and the last ones that have ended. */
  redriveJobs(id: string): Promise<readonly RedriveJob[]>;
  redriveJob(id: string, job: string): Promise<RedriveJob>;
  /** Ends parked events and dead letters as not delivered; what they held goes on. Fault not_found: none of the ids is there. */
  skip(id: string, ids: readonly string[], why: string): Promise<Skipped>;
  /** Of the subscriptions of this partition. `position`: of the first record of the event. */
  receipts(position: string): Promise<readonly ReaderReceipt[]>;
}

/** Who runs the subscriptions of a partition now (R9.2). */
export type DeskPlace =
  | { readonly kind: 'here'; readonly desk: SubscriptionDesk }
  | { readonly kind: 'there'; readonly address: string }
  /** No courier has claimed it, or the one that did does not run any more: try again. */
  | { readonly kind: 'nobody' };

export interface Desks {
  of(partition: number): DeskPlace;
}

/** Every subscription, as a process reads it from the table; how they stand is known at their owners only. */
export interface SubscriptionList {
  get(id: string): Subscription | undefined;
  all(): IterableIterator<Subscription>;
}
