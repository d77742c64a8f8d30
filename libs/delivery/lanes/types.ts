import type { CursorRow, LaneChange, ParkedRow, Place } from '../port.js';

/** An event that a subscription is due, as the feed found it. */
export interface Item<E> {
  readonly place: Place;
  /** `laneOf(stream, subject)`, or `laneOf(stream)` for a stream with `ordering: stream` (R8.1). */
  readonly lane: string;
  readonly subject: string;
  /** What it counts for in memory. */
  readonly bytes: number;
  readonly event: E;
  /** RFC 3339: when the log took it. Absent: not known. */
  readonly at?: string | undefined;
}

/** Key of a lane (R8.1). Without a subject: the lane is the whole stream, and never parks by itself (R8.4). */
export function laneOf(stream: string, subject?: string): string {
  return subject === undefined ? stream : `${stream}\n${subject}`;
}

export interface AttemptItem<E> {
  readonly place: Place;
  readonly lane: string;
  readonly subject: string;
  /** Absent: not in memory (held, parked, or of an earlier owner); whoever runs the attempt reads it by its place. It is dropped when the event ends. */
  readonly event: E | undefined;
}

/**
 * What is to be tried now. First `before` must be durable, then the attempt runs, then it ends with exactly one call of `settle` or `release` (or with `commit` of all
 * its items). When `before` cannot be made durable: `release`.
 */
export interface Attempt<E> {
  /** Of one lane: consecutive, in order. */
  readonly items: readonly AttemptItem<E>[];
  /** Of the first item, from 1. Several items: always 1. */
  readonly try: number;
  readonly before: readonly LaneChange[];
  /** The target is down, and this attempt finds out whether it still is (R8.2). */
  readonly probe: boolean;
}

/** What an attempt came to, as the lanes need it: an `AttemptOutcome` of the room webhooks fits. */
export type Outcome =
  | { readonly kind: 'delivered' }
  /** No attempt was made: the owner may not read the event any more. It ends so, unless a person has asked for this try; of the target it says nothing. */
  | { readonly kind: 'withdrawn'; readonly reason: string }
  | {
      /**
       * `failed`: may succeed later. `refused`: this event will not be taken. `unreachable`: no connection, so the event is not the cause. `gone`: the receiver wants
       * nothing more.
       */
      readonly kind: 'failed' | 'refused' | 'gone' | 'unreachable';
      readonly status?: number;
      /** Becomes the cause of what is parked. */
      readonly reason: string;
      readonly retryAfterMs?: number;
    };

export type FailedOutcome = Exclude<Outcome, { readonly kind: 'delivered' | 'withdrawn' }>;

/** `skipped`: a person ended the event while the attempt ran, and the attempt did not deliver it. `withdrawn`: it ended without an attempt. */
export type ItemResult = 'delivered' | 'failed' | 'parked' | 'dead' | 'skipped' | 'withdrawn';

export type Ended = Extract<Outcome, { readonly kind: 'delivered' | 'withdrawn' }>;

export interface Alarm {
  /**
   * `parked`, `dead`: that event. `stream_stands`: a stream-ordered lane failed 3 times (R8.4). `held_limit`: R8.5. `target_down`, `target_up`: R8.2. `gone`: the
   * receiver wants nothing more.
   */
  readonly kind: 'parked' | 'dead' | 'stream_stands' | 'held_limit' | 'target_down' | 'target_up' | 'gone';
  readonly position?: string;
  readonly subject?: string;
  readonly cause?: string;
}

/**
 * What follows from a call. `changes` are to be made durable in the order in which they (and the `before` of attempts) were handed out, also across calls: a crash may
 * lose the last ones, never one in the middle. Then `durable(effects)`. Without changes the call of `durable` may be left out.
 */
export interface Effects {
  readonly changes: readonly LaneChange[];
  /** For `settle` and `commit`: by item. Empty for an answer 429: it ends no try. */
  readonly results: readonly ItemResult[];
  readonly alarms: readonly Alarm[];
  /** Why the subscription pauses (`held_limit`): the lanes have paused already; the state must be written. */
  readonly pause?: string;
  /** The subscription is to be disabled (410); the lanes have paused already. */
  readonly disable?: true;
}

export interface ParkedLane extends ParkedRow {
  /** Events that wait behind it. */
  readonly held: number;
}

export interface LaneCounts {
  /** Attempts that run. */
  readonly attempts: number;
  /** Items of these. */
  readonly items: number;
  /** Parked events without dead letters, and heads of stream-ordered lanes that stand. */
  readonly parked: number;
  readonly dead: number;
  /** Events that wait in held rows. */
  readonly held: number;
  /** Unfinished events in memory. */
  readonly waiting: number;
  /** Unfinished events in memory or in held rows, each once. */
  readonly unfinished: number;
  /** Limit of attempts that run together now. */
  readonly window: number;
}

/** Times in ms. */
export interface Policy {
  /** Waits before try 2 and 3: at 5 and 30 s. */
  readonly retryMs: readonly number[];
  /** From the parking, or the scheduled try before, to the next scheduled try; then the dead letter. */
  readonly parkedMs: readonly number[];
  /** Share by which a wait is longer or shorter at most. */
  readonly jitter: number;
  /** false: outcomes say nothing of a target (pull). It never is down, and the window always is `windowMax`. */
  readonly probes: boolean;
  /** Down when so many attempts in a row failed … */
  readonly downAttempts: number;
  /** … over at least so many subjects. */
  readonly downSubjects: number;
  readonly probeMs: number;
  readonly probeMaxMs: number;
  readonly windowStart: number;
  readonly windowMax: number;
  readonly retryAfterMaxMs: number;
  /** Unfinished events in memory. */
  readonly maxItems: number;
  readonly maxBytes: number;
  /** Offsets in a cursor row (R8.6). */
  readonly maxDone: number;
  readonly maxHeldOfLane: number;
  readonly maxHeld: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export const POLICY: Policy = {
  retryMs: [5_000, 25_000],
  parkedMs: [5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR],
  jitter: 0.1,
  probes: true,
  downAttempts: 20,
  downSubjects: 3,
  probeMs: 1_000,
  probeMaxMs: MINUTE,
  windowStart: 4,
  windowMax: 64,
  retryAfterMaxMs: HOUR,
  maxItems: 1_000,
  maxBytes: 16 * 1024 * 1024,
  maxDone: 1_000,
  maxHeldOfLane: 10_000,
  maxHeld: 100_000,
};

/**
 * The lanes of one subscription (R8.1 to R8.7) as a synchronous state machine without I/O: built from the rows of the owner before it, fed in offset order, asked for
 * attempts, told their outcomes. It says which rows must be durable, and how far the cursor may go: past what is finished, and past what a durable row speaks for.
 */
export interface LaneMachine<E> {
  /** Before anything of the stream is offered, at a takeover and at the first start: where each partition begins. */
  restore(stream: string, row: CursorRow): void;
  /**
   * In offset order within a partition, at most `roomOf` its stream. What is finished, or known from a row, is not doubled. When the lane stands, held rows are due: `pending`.
   */
  offer(item: Item<E>): void;
  /** Everything of the partition below `next` has been looked at; what was not offered is finished. */
  scanned(stream: string, partition: number, next: bigint): void;
  /** So many unfinished events in memory from now on, at most `maxItems`. Fewer than there are: call it only where they are about to end, for there is no room until then. */
  hold(items: number): void;
  /** How many further items it takes, of whichever stream. 0: the feed waits (backpressure). */
  readonly room: number;
  /** How many further items of this stream it takes: a stream that stands takes no room from the others. */
  roomOf(stream: string): number;
  /**
   * The next attempt that may start now: one attempt in flight per lane, within the window, one probe while the target is down. `max`: items of one attempt (batch,
   * lease). `perLane`: consecutive items of a lane in it. `maxBytes`: of all items but the first. undefined: nothing now; ask again after any other call, or at
   * `nextDueMs`.
   */
  take(max?: number, perLane?: number, maxBytes?: number): Attempt<E> | undefined;
  /**
   * Ends an attempt. `through`: only so many items from the front had this outcome, the others go back as if they had not been taken. A failure of several items
   * counts no try: they come again in halves, until it is one item that fails.
   */
  settle(attempt: Attempt<E>, outcome: Outcome, through?: number): Effects;
  /** Items of an attempt that goes on (a lease) are delivered, or withdrawn: of each lane the first ones. */
  commit(attempt: Attempt<E>, taken: (item: AttemptItem<E>) => boolean, as?: Ended): Effects;
  /**
   * Events that a lease of an earlier owner was sent are delivered: of each lane the first ones. They may be in memory, in a row, or not looked at yet; those that
   * are finished, or belong to an attempt, are left out. `results` is empty.
   */
  deliveredBefore(places: readonly Place[]): Effects;
  /** Ends an attempt that was not made, or whose end nobody knows: no try is counted. */
  release(attempt: Attempt<E>): void;
  /** Rows are to speak for everything that is unfinished; when they are durable, the cursor may pass everything that was looked at, in stream-ordered lanes too. */
  holdAll(): Effects;
  /** Changes that no attempt caused: held rows, what a takeover found. undefined: none. */
  pending(): Effects | undefined;
  /** The changes are durable: only now the cursor may pass these places. Of an attempt: its `before`; may be left out, because `settle` says the same. */
  durable(of: Effects | Attempt<E>): void;
  /** What may be stored now (R8.6). */
  cursor(stream: string): CursorRow;
  /** Grows whenever `cursor` of the stream would be another one. */
  moves(stream: string): number;
  /** Time (as `now`) at which `take` may have something that it has not now; undefined: only another call changes that. */
  nextDueMs(): number | undefined;
  /** `waiting`: the target is down (R8.2). */
  readonly status: 'active' | 'waiting';
  readonly paused: boolean;
  /** No attempts start, and there is no room. What runs goes on. */
  pause(): void;
  resume(): void;
  /** The parked event, the dead letter, or the failing head of a stream-ordered lane is tried as soon as possible. false: there is none at this position. */
  redrive(position: string): boolean;
  /** Ends a parked event, a dead letter, or the failing head of a stream-ordered lane as not delivered. undefined: there is none at this position. */
  skip(position: string): Effects | undefined;
  /** By the time of parking, dead letters among them; then heads of stream-ordered lanes that failed 3 times (R8.4), with what waits behind them in memory. */
  parked(): IterableIterator<ParkedLane>;
  parkedAt(position: string): ParkedLane | undefined;
  counts(): LaneCounts;
  /**
   * When the log took the oldest unfinished event (ms since 1970), in flight and held ones included; parked events and dead letters, which wait for a person, are not.
   * undefined: there is none, or it is not known. Looks at the first event of each lane.
   */
  oldestMs(): number | undefined;
}
