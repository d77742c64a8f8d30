import type { LeaseFailure, ReadEvent } from '#sdk';

/**
 * A part of a source whose events have one order, and one place: a stream of the hub, or a partition of a topic. Events of one subject are always in the
 * same feed.
 */
export interface FeedBatch {
  /** Name of the feed, the same after a restart: `imigrasi.paspor`, `imigrasi.paspor/3`. */
  readonly feed: string;
  /** In the order of the feed. Data is plain JSON of the version that the event was written in. May be empty: then only the place moves. */
  readonly events: readonly ReceivedEvent[];
  /** Size of the events as they came, bytes: counts against the bounds of memory. @default 1 KiB for each event */
  readonly bytes?: number;
  /** With the first batch of a feed after a start or a rebalance: the text `above` that was stored with its place. The consumer leaves out what it names as finished. */
  readonly above?: string;
  /**
   * Stores that the first `count` events of this batch are finished, and so is every earlier batch of the feed; 0: the place is the beginning of this batch. A source
   * that cannot name a place within a batch may store its beginning instead: `above` then names what is finished behind it. Replaces the former place of the feed. The consumer calls it with counts that never fall, only for finished work, never side by side for one feed, and not for every
   * batch: the place behind a later batch includes it. `above`: what is finished behind the place, at most 3,500 characters of ASCII without white space, so that it
   * fits into the metadata of a Kafka offset; stored in one step with the place. undefined: nothing. With an unchanged count only `above` has changed.
   * Rejects when the place could not be stored: the events may come again.
   */
  commit(count: number, above?: string): Promise<void>;
  /** Events of one lane are handled one after another. @default the subject */
  readonly laneOf?: (event: ReadEvent) => string;
  /** The source keeps account of each event: it is told of each, and `commit` is never called. */
  readonly account?: Account;
}

/** What a source that keeps account of single events is told: a subscription of the hub. */
export interface Account {
  /** Whether an attempt of this time may begin now, or after a wait. An event that may not is given back. */
  mayBegin(timeoutMs: number, afterMs?: number): boolean;
  /** It came again because only its commit was lost: no handler gets it. */
  wasHandled(event: ReadEvent): boolean;
  finished(event: ReadEvent): void;
  /** Not handled; it comes again, and so does what follows it in its lane. `failure`: its attempts are used up. */
  givenBack(event: ReadEvent, failure?: LeaseFailure): void;
}

/** An event from a source, before it is resolved to the version of a token. */
export interface ReceivedEvent {
  readonly event: ReadEvent;
  /** The schema in which the data was written: needed when the token has another version. undefined: the source has resolved it already. */
  readonly writer?: { readonly version: number; readonly schema: string; readonly bytes: Uint8Array };
}

const READY_MS = 5_000;

/** How long the start of an app waits for the source, ms. */
export const readyMsOf = ({ readyMs = READY_MS }: Pick<EventSource, 'readyMs'>): number => readyMs;

/** Where events come from: the hub over HTTP, or Kafka. */
export interface EventSource {
  /**
   * Gives batches to the sink until stop(). Batches of one feed come one after another: the next one only when `deliver` of the former has resolved (the consumer
   * wants more, though earlier events may still be in work). Rejects when the source can never go on: wrong key, unknown type.
   */
  run(sink: Sink, interest: Interest): Promise<void>;
  /**
   * Resolves when every feed knows where it begins: what is recorded from then on is given. Called after run(); may stay open when run() rejects. A source without it
   * makes no such promise.
   */
  ready?(): Promise<void>;
  /** How long that may take while all is well, ms: the start of an app does not wait longer. @default 5,000 */
  readonly readyMs?: number;
  /** Ends `run` when the sink has finished what it took. Idempotent. */
  stop(): Promise<void>;
  /** Where lines for the operator go that the options of the source give to nobody: the log of the app. Called before run(). @default stderr */
  tellTo?(tell: (line: string) => void): void;
  /** Its batches have an `account`: events that are given up go back to it by default (`then: 'park'`), and options of handlers that do not fit are refused. */
  readonly keepsAccount?: boolean;
}

/** What the handlers of an app want to see. */
export interface Interest {
  /** Event types that have a handler. */
  readonly types: readonly string[];
  /** Events that may be in work at the same time. */
  readonly width?: number;
  /** The longest time of an attempt, ms. */
  readonly timeoutMs?: number;
}

/** What takes the events of a source: the consumer. */
export interface Sink {
  /** Takes the batch; resolves when the feed may deliver its next one (backpressure), or when the feed is revoked. Rejects only when the consumer has ended. */
  deliver(batch: FeedBatch): Promise<void>;
  /**
   * The feed is taken away (a rebalance) or the source stops. No event of the feed is begun from now on; resolves when the events in work have ended and their
   * places are stored, or after `withinMs`: then their signal aborts, and nothing of the feed is committed any more.
   */
  revoke(feed: string, withinMs: number): Promise<void>;
}
