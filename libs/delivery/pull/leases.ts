import { formatPosition } from '#event';
import { Fault } from '#faults';
import type { ReadEvent } from '#reading';
import type { Subscription } from '#subscriptions';
import type { Lanes } from '../lanes/lanes.js';
import type { Attempt, AttemptItem, Effects, ItemResult, Outcome } from '../lanes/types.js';
import type { LaneChange, LeaseRow, Place } from '../port.js';
import { LeaseMark } from './lease-mark.js';
import { openLease, sealLease, sentThrough, type LeaseClaims, type SentPlaces } from './lease-token.js';
import { Pulls } from './pulls.js';

/** Events of one lease, as they lie in the log. */
const MOST_BYTES = 4 * 1024 * 1024;

export interface PullWish {
  /** 1 to 1,000. */
  readonly limit: number;
  /** How long it waits for a first event. */
  readonly waitMs: number;
  /** How long the lease holds, at most 60 s. */
  readonly leaseMs: number;
}

/** What one pull was given. */
export interface Pulled {
  /** In order in each partition. */
  readonly events: readonly ReadEvent[];
  readonly token: string;
  /** ms since 1970. */
  readonly until: number;
}

export interface LeasesDeps {
  readonly lanes: Lanes<ReadEvent>;
  readonly epoch: bigint;
  readonly key: Buffer;
  readonly now: () => number;
  /** Whether something may be handed out now: the owner is sure, and attempts can be recorded. */
  readonly mayStart: () => boolean;
  readonly subscription: () => Subscription;
  readonly write: (changes: readonly LaneChange[]) => Promise<boolean>;
  readonly eventOf: (item: AttemptItem<ReadEvent>) => Promise<ReadEvent | undefined>;
  /** Makes durable what follows, and answers who waits for a redrive. */
  readonly ended: (items: readonly { readonly place: Place }[], effects: Effects) => Promise<void>;
  readonly record: (
    event: ReadEvent,
    of: {
      readonly try: number;
      readonly at: number;
      readonly outcome: Outcome;
      readonly result: ItemResult | undefined;
    },
  ) => void;
  /** Resolves when every attempt and cursor is durable as it stands now. Faults: fenced, log_unavailable, not_durable. */
  readonly flush: () => Promise<void>;
  readonly store: (row: LeaseRow | undefined) => Promise<boolean>;
  /** Something may be taken that could not before. */
  readonly wake: () => void;
}

/** `foreign`: no token of a lease of this subscription. `not_sent`: a position that this lease was not sent. */
export type CommitOutcome = 'done' | 'foreign' | 'not_sent';

interface Lease {
  readonly id: string;
  readonly at: number;
  readonly until: number;
  readonly attempt: Attempt<ReadEvent>;
  /** What was sent and is not committed, by position. */
  readonly open: Map<string, ReadEvent>;
  readonly timer: NodeJS.Timeout;
  /** Everything was committed: the lease is kept so that a repeated commit is answered as the first one. */
  isDone: boolean;
}

/** The leases of one subscription at its owner (R9.3, R9.4): what pullers hold, until when, and how far they have committed. */
export class Leases {
  readonly #deps: LeasesDeps;
  readonly #mark: LeaseMark;
  readonly #pulls = new Pulls();
  readonly #leases = new Map<string, Lease>();
  #count = 0;
  #isStopped = false;

  /** `row`: what an earlier owner has left. */
  constructor(deps: LeasesDeps, row: LeaseRow | undefined) {
    this.#deps = deps;
    this.#mark = new LeaseMark(deps, row);
  }

  /** Gives waiting pullers what may be taken. Answers when to call again, as `now` tells time; undefined: only a call of wake() changes something. */
  pump(): number | undefined {
    const { lanes, now, mayStart } = this.#deps;
    while (this.#pulls.size > 0 && !this.#isStopped) {
      const at = now();
      if (at < this.#mark.heldUntil) return this.#mark.heldUntil;
      if (!mayStart()) return at + AGAIN_MS;
      const limit = this.#pulls.limit!;
      const attempt = lanes.take(limit, limit, MOST_BYTES);
      if (attempt === undefined) return lanes.nextDueMs();
      this.#pulls.give(attempt);
    }
    return undefined;
  }

  /** Leases what is due. undefined: nothing was within the time, the signal aborted, or the run has ended. */
  async pull({ limit, waitMs, leaseMs }: PullWish, signal: AbortSignal): Promise<Pulled | undefined> {
    const { now, wake } = this.#deps;
    const until = now() + waitMs;
    while (!this.#isStopped) {
      const waiting = this.#pulls.wait(limit, Math.max(0, until - now()), signal);
      wake();
      const attempt = await waiting;
      if (attempt === undefined) return undefined;
      const pulled = await this.#lease(attempt, leaseMs, signal);
      if (pulled !== undefined || signal.aborted) return pulled;
    }
    return undefined;
  }

  /** undefined: it was not handed out. */
  async #lease(attempt: Attempt<ReadEvent>, leaseMs: number, signal: AbortSignal): Promise<Pulled | undefined> {
    const { lanes, now, write, mayStart } = this.#deps;
    const until = now() + leaseMs;
    // Both at once: the mark holds for whatever is leased.
    const mark = this.#mark.opened(until);
    const isWritten = attempt.before.length === 0 || (await write(attempt.before));
    const isMarked = await mark;
    const events = isWritten && isMarked ? await this.#eventsOf(attempt) : undefined;
    if (events === undefined || events.length === 0 || signal.aborted || this.#isStopped || !mayStart()) {
      this.#mark.closed();
      // Without an event that is due, the attempt has ended.
      if (events?.length !== 0) lanes.release(attempt);
      if (!isWritten || !isMarked) throw new Fault('fenced');
      return undefined;
    }
    const id = String(++this.#count);
    const lease: Lease = {
      id,
      at: now(),
      until,
      attempt,
      open: new Map(events.map((event) => [event.position, event])),
      timer: setTimeout(() => void this.#fail(lease, EXPIRED), until - now()).unref(),
      isDone: false,
    };
    this.#leases.set(id, lease);
    return { events, until, token: this.#seal(lease, events) };
  }

  /** In order; what is not due any more (R12.4) is finished. */
  async #eventsOf(attempt: Attempt<ReadEvent>): Promise<readonly ReadEvent[] | undefined> {
    const { lanes, eventOf, ended } = this.#deps;
    const events: ReadEvent[] = [];
    const gone = new Set<AttemptItem<ReadEvent>>();
    for (const item of [...attempt.items].sort(inOrder)) {
      const event = await eventOf(item);
      if (this.#isStopped) return undefined;
      if (event === undefined) gone.add(item);
      else events.push(event);
    }
    if (gone.size > 0)
      await ended(
        [...gone],
        lanes.commit(attempt, (item) => gone.has(item)),
      );
    return events;
  }

  #seal({ id, at, until }: Lease, events: readonly ReadEvent[]): string {
    const { epoch, key, subscription } = this.#deps;
    const { id: name, createdAt } = subscription();
    const places: { stream: string; partition: number; offsets: bigint[] }[] = [];
    for (const { position, partition, offset } of events) {
      const stream = position.slice(0, position.indexOf('/'));
      const last = places.at(-1);
      if (last?.stream === stream && last.partition === partition) last.offsets.push(offset);
      else places.push({ stream, partition, offsets: [offset] } satisfies SentPlaces);
    }
    const claims = { subscription: name, createdAt, epoch, lease: id, issuedAt: at, until, places };
    return sealLease(claims, key);
  }

  /**
   * What the lease was sent up to these positions, each in its partition, but for `except` and what follows it in its lane, is delivered, and durably so when this resolves. Again is no error. Faults: lease_lost,
   * fenced, log_unavailable, not_durable.
   */
  async commit(token: string, through: readonly Place[], except?: readonly Place[]): Promise<CommitOutcome> {
    const claims = this.#claims(token);
    if (claims === undefined) return 'foreign';
    const places = sentThrough(claims, through, except);
    if (places === undefined) return 'not_sent';
    if (claims.epoch === this.#deps.epoch) await this.#commit(this.#leaseOf(claims), places);
    else {
      const effects = this.#deps.lanes.deliveredBefore(places);
      await this.#deps.ended(
        places.map((place) => ({ place })),
        effects,
      );
    }
    this.#deps.wake();
    await this.#deps.flush();
    return 'done';
  }

  async #commit(lease: Lease, places: readonly Place[]): Promise<void> {
    const { lanes, ended } = this.#deps;
    const { attempt, open } = lease;
    const wanted = new Set(
      places
        .map(({ stream, partition, offset }) => formatPosition(stream, partition, offset))
        .filter((position) => open.has(position)),
    );
    // Of each lane the first ones only: what follows an open event stays open too.
    const standing = new Set<string>();
    const items = attempt.items.filter((item) => {
      if (!wanted.has(positionOf(item))) standing.add(item.lane);
      return !standing.has(item.lane);
    });
    if (items.length === 0) return;
    const taken = new Set(items);
    const effects = lanes.commit(attempt, (item) => taken.has(item));
    this.#record(lease, items, effects, { kind: 'delivered' });
    if (open.size === 0) {
      lease.isDone = true;
      this.#mark.closed();
    }
    await ended(items, effects);
  }

  #record(
    { at, attempt, open }: Lease,
    items: readonly AttemptItem<ReadEvent>[],
    effects: Effects,
    outcome: Outcome,
  ): void {
    for (const [i, item] of items.entries()) {
      const position = positionOf(item);
      const event = open.get(position)!;
      open.delete(position);
      this.#deps.record(event, { try: attempt.try, at, outcome, result: effects.results[i] });
    }
  }

  /**
   * Ends a lease: what it has not committed may be leased again at once, and nothing counts as failed. `failed`, a code: it counts as a failed try, as if the lease
   * had expired now. `final`: as one that is of no use to repeat. Fault lease_lost.
   */
  async release(token: string, failed?: string, final = false): Promise<CommitOutcome> {
    const claims = this.#claims(token);
    if (claims === undefined) return 'foreign';
    // The lease of an earlier owner runs out by itself.
    if (claims.epoch !== this.#deps.epoch) return 'done';
    const lease = this.#leaseOf(claims);
    clearTimeout(lease.timer);
    if (failed !== undefined) {
      await this.#fail(lease, { kind: final ? 'refused' : 'failed', reason: failed });
      return 'done';
    }
    this.#leases.delete(lease.id);
    if (lease.isDone) return 'done';
    this.#deps.lanes.release(lease.attempt);
    this.#mark.closed();
    this.#deps.wake();
    return 'done';
  }

  /** What a lease has not committed was tried and failed: several events come again in halves, one alone counts the try (R8). */
  async #fail(lease: Lease, outcome: Outcome): Promise<void> {
    this.#leases.delete(lease.id);
    if (lease.isDone) return;
    const { items } = lease.attempt;
    const effects = this.#deps.lanes.settle(lease.attempt, outcome, items.length);
    this.#record(lease, items, effects, outcome);
    this.#mark.closed();
    await this.#deps.ended(items, effects);
    this.#deps.wake();
  }

  /** undefined: no token of a lease of this subscription. */
  #claims(token: string): LeaseClaims | undefined {
    const { key, epoch, now, subscription } = this.#deps;
    const claims = openLease(token, key);
    const { id, createdAt } = subscription();
    if (claims?.subscription !== id) return undefined;
    // A newer owner has given it: this one is none any more.
    if (claims.epoch > epoch) throw new Fault('fenced');
    const isVoid = claims.createdAt !== createdAt || claims.issuedAt < this.#mark.voidBefore;
    if (isVoid || now() >= claims.until) throw new Fault('lease_lost');
    return claims;
  }

  #leaseOf({ lease }: LeaseClaims): Lease {
    const found = this.#leases.get(lease);
    if (found === undefined) throw new Fault('lease_lost');
    return found;
  }

  /** Nothing more is handed out. `isVoid`: tokens are of no use to a later owner. Resolves when that is durable, unless the partition is `lost`. */
  async stop(how: 'orderly' | 'void' | 'lost'): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#pulls.end();
    for (const { timer } of this.#leases.values()) clearTimeout(timer);
    this.#leases.clear();
    if (how === 'lost') this.#mark.forget();
    else await this.#mark.stop(how === 'void');
  }
}

/** Before an owner that is not sure, or cannot record attempts, looks again. */
const AGAIN_MS = 1_000;
const EXPIRED: Outcome = { kind: 'failed', reason: 'lease_expired' };

function positionOf({ place: { stream, partition, offset } }: AttemptItem<ReadEvent>): string {
  return formatPosition(stream, partition, offset);
}

function inOrder({ place: a }: AttemptItem<ReadEvent>, { place: b }: AttemptItem<ReadEvent>): number {
  if (a.stream !== b.stream) return a.stream < b.stream ? -1 : 1;
  return a.partition - b.partition || (a.offset < b.offset ? -1 : 1);
}
