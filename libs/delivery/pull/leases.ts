import { Fault } from '#faults';
import type { ReadEvent } from '#reading';
import type { Subscription } from '#subscriptions';
import type { Lanes } from '../lanes/lanes.js';
import type { Attempt, AttemptItem, Effects, ItemResult, Outcome } from '../lanes/types.js';
import type { LaneChange, LeaseRow, Place } from '../port.js';
import { LeaseMark } from './lease-mark.js';
import { openLease, sealLease, type LeaseClaims } from './lease-token.js';
import { Appetite, type PullMemory } from './memory.js';
import { Pulls } from './pulls.js';
import { placesOf, sentThrough, type SentPlaces } from './sent.js';

/** Events of one lease, as they lie in the log. */
const MOST_BYTES = 4 * 1024 * 1024;
/** So long a puller that catches up waits for a whole lease: each one costs a commit. */
const FILL_MS = 100;

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
  readonly eventOf: (item: AttemptItem<ReadEvent>) => ReadEvent | undefined | Promise<ReadEvent | undefined>;
  /** Makes durable what follows, and answers who waits for a redrive. */
  readonly ended: (items: readonly { readonly place: Place }[], effects: Effects) => Promise<void>;
  /** `results`: by event. */
  readonly record: (
    events: readonly ReadEvent[],
    results: readonly ItemResult[],
    of: { readonly try: number; readonly at: number; readonly outcome: Outcome },
  ) => void;
  /** Resolves when every attempt and cursor is durable as it stands now. Faults: fenced, log_unavailable, not_durable. */
  readonly flush: () => Promise<void>;
  readonly store: (row: LeaseRow | undefined) => Promise<boolean>;
  /** Something may be taken that could not before. */
  readonly wake: () => void;
  readonly memory: PullMemory;
  /** The subscription is read from behind the end of a stream: more events come in a moment where there is room. */
  readonly isBehind: () => boolean;
  /** Nobody has pulled for a while, nothing is leased, and too many events are in memory for that. */
  readonly idle: () => void;
}

/** `foreign`: no token of a lease of this subscription. `not_sent`: a position that this lease was not sent. */
export type CommitOutcome = 'done' | 'foreign' | 'not_sent';

interface Lease {
  readonly id: string;
  readonly at: number;
  readonly until: number;
  readonly timer: NodeJS.Timeout;
  /** undefined: everything was committed. The lease is known until its end so that a repeated commit is answered as the first one. */
  work: LeaseWork | undefined;
}

interface LeaseWork {
  readonly attempt: Attempt<ReadEvent>;
  readonly sent: readonly Sent[];
  /** What was sent and is not committed. */
  readonly open: Map<AttemptItem<ReadEvent>, ReadEvent>;
}

interface Sent extends SentPlaces {
  readonly offsets: bigint[];
  /** By offset. */
  readonly items: AttemptItem<ReadEvent>[];
}

/** The leases of one subscription at its owner (R9.3, R9.4): what pullers hold, until when, and how far they have committed. */
export class Leases {
  readonly #deps: LeasesDeps;
  readonly #mark: LeaseMark;
  readonly #pulls = new Pulls();
  readonly #appetite: Appetite;
  readonly #leases = new Map<string, Lease>();
  #count = 0;
  #idle: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** `row`: what an earlier owner has left. */
  constructor(deps: LeasesDeps, row: LeaseRow | undefined) {
    this.#deps = deps;
    this.#mark = new LeaseMark(deps, row);
    this.#appetite = new Appetite(deps);
  }

  /** Gives waiting pullers what may be taken. Answers when to call again, as `now` tells time; undefined: only a call of wake() changes something. */
  pump(): number | undefined {
    const { lanes, now, mayStart, isBehind } = this.#deps;
    while (this.#pulls.size > 0 && !this.#isStopped) {
      const at = now();
      if (at < this.#mark.heldUntil) return this.#mark.heldUntil;
      if (!mayStart()) return at + AGAIN_MS;
      const { limit, fillUntil } = this.#pulls.first!;
      if (at < fillUntil && lanes.untaken < limit && lanes.room > 0 && isBehind()) return fillUntil;
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
    clearTimeout(this.#idle);
    while (!this.#isStopped) {
      const at = now();
      const fillUntil = at + FILL_MS < until ? at + FILL_MS : at;
      this.#appetite.pulled(limit);
      const waiting = this.#pulls.wait({ limit, fillUntil }, Math.max(0, until - at), signal);
      wake();
      const attempt = await waiting;
      if (attempt === undefined) {
        this.#restLater();
        return undefined;
      }
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
    const found = isWritten && isMarked ? await this.#eventsOf(attempt) : undefined;
    if (found === undefined || found.size === 0 || signal.aborted || this.#isStopped || !mayStart()) {
      this.#mark.closed();
      // Without an event that is due, the attempt has ended.
      if (found?.size !== 0) lanes.release(attempt);
      this.#restLater();
      if (!isWritten || !isMarked) throw new Fault('fenced');
      return undefined;
    }
    const id = String(++this.#count);
    const lease: Lease = {
      id,
      at: now(),
      until,
      timer: setTimeout(() => void this.#fail(lease, EXPIRED), until - now()).unref(),
      work: { attempt, sent: sentOf(found.keys()), open: found },
    };
    this.#leases.set(id, lease);
    return { events: [...found.values()], until, token: this.#seal(lease, lease.work!.sent) };
  }

  /** In order; what may not be read any more (R12.4) is finished. */
  async #eventsOf(attempt: Attempt<ReadEvent>): Promise<Map<AttemptItem<ReadEvent>, ReadEvent> | undefined> {
    const { lanes, eventOf, ended } = this.#deps;
    const events = new Map<AttemptItem<ReadEvent>, ReadEvent>();
    const gone = new Set<AttemptItem<ReadEvent>>();
    for (const item of [...attempt.items].sort(inOrder)) {
      const found = eventOf(item);
      const event = found instanceof Promise ? await found : found;
      if (this.#isStopped) return undefined;
      if (event === undefined) gone.add(item);
      else events.set(item, event);
    }
    if (gone.size > 0)
      await ended(
        [...gone],
        lanes.commit(attempt, (item) => gone.has(item), { kind: 'withdrawn', reason: 'not_readable' }),
      );
    return events;
  }

  #seal({ id, at, until }: Lease, places: readonly SentPlaces[]): string {
    const { epoch, key, subscription } = this.#deps;
    const { id: name, createdAt } = subscription();
    return sealLease({ subscription: name, createdAt, epoch, lease: id, issuedAt: at, until, places }, key);
  }

  /**
   * What the lease was sent up to these positions, each in its partition, but for `except` and what follows it in its lane, is delivered, and durably so when this resolves. Again is no error. Faults: lease_lost,
   * fenced, log_unavailable, not_durable.
   */
  async commit(token: string, through: readonly Place[], except?: readonly Place[]): Promise<CommitOutcome> {
    const claims = this.#claims(token);
    if (claims === undefined) return 'foreign';
    const numbers = sentThrough(claims.places, through, except);
    if (numbers === undefined) return 'not_sent';
    if (claims.epoch === this.#deps.epoch) await this.#commit(this.#leaseOf(claims), numbers);
    else {
      const places = placesOf(claims.places, numbers);
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

  async #commit(lease: Lease, numbers: readonly (readonly number[])[]): Promise<void> {
    const { lanes, ended } = this.#deps;
    if (lease.work === undefined) return;
    const { attempt, open, sent } = lease.work;
    const wanted = new Set<AttemptItem<ReadEvent>>();
    for (const [part, { items }] of sent.entries())
      for (const at of numbers[part]!) if (open.has(items[at]!)) wanted.add(items[at]!);
    // Of each lane the first ones only: what follows an open event stays open too.
    const standing = new Set<string>();
    const items = attempt.items.filter((item) => {
      if (!wanted.has(item)) standing.add(item.lane);
      return !standing.has(item.lane);
    });
    if (items.length === 0) return;
    const taken = new Set(items);
    const effects = lanes.commit(attempt, (item) => taken.has(item));
    this.#record(lease.work, items, effects, lease.at, { kind: 'delivered' });
    if (open.size === 0) {
      lease.work = undefined;
      this.#mark.closed();
      this.#restLater();
    }
    await ended(items, effects);
  }

  #record(
    { attempt, open }: LeaseWork,
    items: readonly AttemptItem<ReadEvent>[],
    effects: Effects,
    at: number,
    outcome: Outcome,
  ): void {
    const events = items.map((item) => open.get(item)!);
    for (const item of items) open.delete(item);
    this.#deps.record(events, effects.results, { try: attempt.try, at, outcome });
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
    if (lease.work === undefined) return 'done';
    this.#deps.lanes.release(lease.work.attempt);
    this.#mark.closed();
    this.#restLater();
    this.#deps.wake();
    return 'done';
  }

  /** What a lease has not committed was tried and failed: several events come again in halves, one alone counts the try (R8). */
  async #fail(lease: Lease, outcome: Outcome): Promise<void> {
    this.#leases.delete(lease.id);
    const { work } = lease;
    if (work === undefined) return;
    const { items } = work.attempt;
    const effects = this.#deps.lanes.settle(work.attempt, outcome, items.length);
    this.#record(work, items, effects, lease.at, outcome);
    this.#mark.closed();
    this.#restLater();
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

  /** When nobody has pulled for a while, little of the subscription stays in memory. */
  #restLater(): void {
    if (this.#isStopped) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.isIdle && !this.#appetite.rested()) this.#deps.idle();
    }, this.#deps.memory.idleMs).unref();
  }

  /** Nobody pulls now, and nothing is leased. */
  get isIdle(): boolean {
    return this.#pulls.size === 0 && this.#deps.lanes.counts().attempts === 0;
  }

  /** Nothing more is handed out. `isVoid`: tokens are of no use to a later owner. Resolves when that is durable, unless the partition is `lost`. */
  async stop(how: 'orderly' | 'void' | 'lost'): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#idle);
    this.#appetite.end();
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

function sentOf(items: Iterable<AttemptItem<ReadEvent>>): readonly Sent[] {
  const sent: Sent[] = [];
  for (const item of items) {
    const { stream, partition, offset } = item.place;
    let last = sent.at(-1);
    if (last?.stream !== stream || last.partition !== partition)
      sent.push((last = { stream, partition, offsets: [], items: [] }));
    last.offsets.push(offset);
    last.items.push(item);
  }
  return sent;
}

function inOrder({ place: a }: AttemptItem<ReadEvent>, { place: b }: AttemptItem<ReadEvent>): number {
  if (a.stream !== b.stream) return a.stream < b.stream ? -1 : 1;
  return a.partition - b.partition || (a.offset < b.offset ? -1 : 1);
}
