import type { ReadEvent } from '#reading';
import type { Lanes } from '../lanes/lanes.js';
import type { Policy } from '../lanes/types.js';

/** Events in memory of a subscription that nobody pulls: enough for a first answer. */
const RESTING = 100;
/** Of one that is pulled. */
const PULLED = 1_000;
/** Of one that catches up: two leases of 1,000, and the next two while they are handled. */
const BEHIND = 4_000;
/** Subscriptions that catch up with so many in memory at a time; the others do with PULLED. */
const AT_ONCE = 16;
/** A puller that asks for fewer at a time does not gain by more. */
const LARGE_LEASE = 250;

/**
 * Policy of a subscription whose events are leased: its failures say nothing of a target, a puller may hold many leases, and what one lease has finished above an open
 * one must fit its cursor row.
 */
export const LEASED: Partial<Policy> = { probes: false, windowMax: 1_000, maxItems: BEHIND, maxDone: 2 * BEHIND };

/** Longer than a puller is busy with a lease. */
const IDLE_MS = 60_000;

export interface PullMemoryOptions {
  /** Greatest number of subscriptions that catch up with many events in memory at a time. @default 16 */
  readonly atOnce?: number;
  /** When nobody has pulled for so long, little of a subscription stays in memory. @default 60,000 */
  readonly idleMs?: number;
}

/** The pull subscriptions of a process that catch up with many events in memory. */
export class PullMemory {
  readonly idleMs: number;
  readonly #most: number;
  readonly #wide = new Set<object>();

  constructor({ atOnce = AT_ONCE, idleMs = IDLE_MS }: PullMemoryOptions = {}) {
    this.#most = atOnce;
    this.idleMs = idleMs;
  }

  /** false: too many do so now. */
  take(who: object): boolean {
    if (this.#wide.size >= this.#most && !this.#wide.has(who)) return false;
    this.#wide.add(who);
    return true;
  }

  give(who: object): void {
    this.#wide.delete(who);
  }
}

export interface AppetiteDeps {
  readonly memory: PullMemory;
  readonly lanes: Pick<Lanes<ReadEvent>, 'hold' | 'most' | 'waiting'>;
  /** It reads what lies behind the end of a stream. */
  readonly isBehind: () => boolean;
}

/** How many events one pull subscription has in memory: many only while somebody catches up with it. */
export class Appetite {
  readonly #deps: AppetiteDeps;

  constructor(deps: AppetiteDeps) {
    this.#deps = deps;
    deps.lanes.hold(RESTING);
  }

  /** Somebody pulls so many. */
  pulled(limit: number): void {
    const { memory, lanes, isBehind } = this.#deps;
    const isWide = limit >= LARGE_LEASE && isBehind() && memory.take(this);
    if (isWide) lanes.hold(BEHIND);
    else this.#hold(PULLED);
  }

  /** Nobody has pulled for a while, and nothing is leased. false: there are too many in memory for that. */
  rested(): boolean {
    this.#hold(RESTING);
    return this.#deps.lanes.waiting <= RESTING;
  }

  /** What is there goes first: a stream that stands must not take the room of the others. */
  #hold(most: number): void {
    const { memory, lanes } = this.#deps;
    if (most < lanes.most && lanes.waiting > most) return;
    lanes.hold(most);
    memory.give(this);
  }

  end(): void {
    this.#deps.memory.give(this);
  }
}
