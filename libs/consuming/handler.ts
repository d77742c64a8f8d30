import type { EventOf, EventToken, ReadEvent } from '#sdk';
import type { EventSource } from './port.js';
import type { Inbox } from './inbox.js';

/** What a handler gets beside the event. */
export interface HandlerContext {
  readonly feed: string;
  /** Name of the consumer: apps with the same group share one place. */
  readonly group: string;
  /** 1 for the first attempt in this process. */
  readonly attempt: number;
  /** Aborts when the time of the attempt is over, or when the feed is given to another process: work that is done after that may be done again there. */
  readonly signal: AbortSignal;
  /**
   * Runs an effect once for this event: the effect and the mark that it was done commit in one transaction of the unit's own database. Resolves with false when it
   * was done before. Rejects with `no_inbox` when the consumer has no inbox.
   */
  idempotent<Tx = unknown>(effect: (tx: Tx) => unknown): Promise<boolean>;
}

/** Context of a batch. `idempotent` takes the whole batch: effects of events that were done before are left out by `event`. */
export interface BatchContext extends Omit<HandlerContext, 'idempotent'> {
  /** As in HandlerContext, for one event of the batch. */
  idempotent<Tx = unknown>(event: ReadEvent, effect: (tx: Tx) => unknown): Promise<boolean>;
}

/** What becomes of an event whose attempts are used up. */
export type Then =
  /** The consumer ends with one fault. The place stays at the event. */
  | 'stop'
  /**
   * Later events of its subject wait, other subjects go on. With a subscription of the hub the try has failed there: the event comes again after 5 and 25 s, then it is parked, and is tried
   * by the schedule of the hub until it is a dead letter of the subscription. Elsewhere it is tried again from time to time in this process, and the place does not pass it.
   */
  | 'park'
  /** The event is written to the dead letters, then its subject goes on. */
  | 'dead-letter';

export interface HandlerOptions {
  /** Most events in work at the same time, over all feeds. Events of one subject are always one after another. @default 10 */
  readonly concurrency?: number;
  /** Attempts in this process before `then`. @default 5; 1 with a subscription of the hub and `park`, because the hub tries again */
  readonly attempts?: number;
  /** Wait before the second attempt, ms; doubles with each attempt, with jitter. @default 200 */
  readonly backoffMs?: number;
  /** Longest such wait, ms. @default 30,000 */
  readonly maxBackoffMs?: number;
  /** Whether another attempt may help; false: `then` at once. @default always */
  readonly retryable?: (cause: unknown) => boolean;
  /** Time of one attempt, ms. Then its signal aborts; a handler that does not end 10 s after that ends the consumer (`handler_hangs`). @default 300,000; with a subscription of the hub 20,000, at most 54,000 */
  readonly timeoutMs?: number;
  /** @default stop; park with a subscription of the hub */
  readonly then?: Then;
  /** How long a parked event waits between two attempts in this process, ms. @default 60,000 */
  readonly parkedMs?: number;
}

export interface BatchOptions extends Omit<HandlerOptions, 'concurrency' | 'then' | 'parkedMs'> {
  /** Most events of a batch. @default 500 */
  readonly size?: number;
  /**
   * `dead-letter`: after the attempts of the batch each of its events is tried alone once, and those that fail are dead letters. `park`, only with a subscription of the hub: the
   * batch comes again in halves, until the event is alone. @default stop; park with a subscription of the hub
   */
  readonly then?: Then;
}

/** A handler of one event type. Made by `onEvent` and `onBatch`. */
export type Handling =
  | {
      readonly token: EventToken;
      readonly options: HandlerOptions;
      readonly each: (event: ReadEvent, context: HandlerContext) => unknown;
    }
  | {
      readonly token: EventToken;
      readonly options: BatchOptions;
      readonly batch: (events: readonly ReadEvent[], context: BatchContext) => unknown;
    };

/** A handler that gets one event at a time. What it returns is awaited; when it rejects, the attempt has failed. */
export function onEvent<T extends object>(
  token: EventToken<T>,
  handle: (event: EventOf<T>, context: HandlerContext) => unknown,
  options: HandlerOptions = {},
): Handling {
  return { token, options, each: handle as unknown as (event: ReadEvent, context: HandlerContext) => unknown };
}

/** A handler that gets batches of one feed, in the order of the feed, one after another; batches of different feeds may come at the same time. */
export function onBatch<T extends object>(
  token: EventToken<T>,
  handle: (events: readonly EventOf<T>[], context: BatchContext) => unknown,
  options: BatchOptions = {},
): Handling {
  return {
    token,
    options,
    batch: handle as unknown as (events: readonly ReadEvent[], context: BatchContext) => unknown,
  };
}

/** An event that was given up, with the reason. */
export interface DeadLetter {
  readonly group: string;
  readonly feed: string;
  readonly event: ReadEvent;
  /** The event as it was written, if the source gives it. */
  readonly writer?: { readonly version: number; readonly schema: string; readonly bytes: Uint8Array };
  readonly cause: { readonly code?: string; readonly message: string };
  readonly attempts: number;
  /** ISO 8601 */
  readonly failedtime: string;
}

/** Where events go that are given up. */
export interface DeadLetters {
  /**
   * Resolves when the letter is durable; the place moves only then. May be called again for the same event after a crash. When it rejects, it is called again;
   * a `ConsumerFault` ends the consumer.
   */
  write(letter: DeadLetter): Promise<void>;
}

/** What a consumer tells while it works. @default nothing */
export interface ConsumerReport {
  /** An attempt failed. `next`: what happens now. */
  readonly failed?: (failure: Failure) => void;
  /** A place could not be stored; it is tried again, and after a minute the consumer ends. */
  readonly placeFailed?: (feed: string, cause: unknown) => void;
}

export interface Failure {
  readonly type: string;
  readonly position: string;
  readonly id: string;
  readonly attempt: number;
  readonly cause: unknown;
  /** `hub`: the try has failed at the hub, which gives the event again, and parks it in the end. */
  readonly next: 'retry' | 'hub' | Then;
}

/** Bounds of the memory for events that are not finished. One more batch of each feed may be on top. */
export interface Limits {
  /** @default 4,000 */
  readonly feedEvents?: number;
  /** @default 16 MiB */
  readonly feedBytes?: number;
  /** Over all feeds. @default 20,000 */
  readonly events?: number;
  /** Over all feeds. @default 64 MiB */
  readonly bytes?: number;
  /** Parked events of a feed with the events that wait behind them; at this number the feed pauses. @default 1,000 */
  readonly parked?: number;
}

export interface ConsumerOptions {
  readonly source: EventSource;
  /** Name of the consumer, in the inbox, the dead letters and the places. @default default */
  readonly group?: string;
  readonly handlers: readonly Handling[];
  readonly deadLetters?: DeadLetters;
  readonly inbox?: Inbox;
  /** How long the inbox knows an event after it was recorded, ms; at least 9 days. Rows of events that may come again after a crash are kept longer. @default 30 days */
  readonly inboxKeepMs?: number;
  readonly limits?: Limits;
  /** Shortest time between two writes of the place of a feed, ms: after a crash events that ended within it may come again. @default 100 */
  readonly placeMs?: number;
  /** How long stop() waits for handlers, ms. @default 25,000 */
  readonly stopMs?: number;
  readonly report?: ConsumerReport;
}
