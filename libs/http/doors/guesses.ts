import type { Caller } from '#access';
import { pause } from '#concurrency';
import { isFault } from '#faults';
import { Limits, type LimitOwner } from '#limits';

export interface GuessesDeps {
  /** The budgets of the process. @default the defaults of the table */
  readonly limits?: Limits;
  /**
   * Records that a caller asked a view for a clear subject, which is not part of the record. Resolves when the record is durable. Fault not_durable.
   * @default no record
   */
  readonly record?: (caller: Caller, view: string) => Promise<void>;
  /** See event(). @default 250 ms */
  readonly missMs?: number;
}

/** Longer than a hub needs to open the largest event and to find that the caller may not see it. */
const MISS_MS = 250;

/**
 * What a key, and all keys of its unit together, may find out by trying values: how often they may get 404 for one thing, and ask for a clear subject, in this
 * process. Beyond: Fault too_many_requests with the limit, before anything is looked up.
 */
export class Guesses {
  readonly #limits: Limits;
  readonly #record: GuessesDeps['record'];
  readonly #missMs: number;

  constructor({ limits = new Limits(), record, missMs = MISS_MS }: GuessesDeps = {}) {
    this.#limits = limits;
    this.#record = record;
    this.#missMs = missMs;
  }

  /**
   * As one(), for an event that somebody else has published: 404 comes after `missMs` at the earliest. To open a large event that the caller may not see takes
   * some 100 ms, to find none takes 3, and a wait costs no CPU.
   */
  async event<T>(caller: Caller, look: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await this.one(caller, look);
    } catch (e) {
      if (isFault(e) && e.code === 'not_found') await pause(began + this.#missMs - performance.now());
      throw e;
    }
  }

  /** Looks for one thing. A Fault not_found counts as a miss of the caller. */
  async one<T>(caller: Caller, look: () => Promise<T>): Promise<T> {
    this.check(caller);
    try {
      return await look();
    } catch (e) {
      if (isFault(e) && e.code === 'not_found') this.missed(caller);
      throw e;
    }
  }

  /** Fault too_many_requests while the caller or its unit has missed too often. */
  check(caller: Caller): void {
    this.#limits.check(this.#limits.misses.reachedBy(ownerOf(caller)));
  }

  /** Counts a miss that is not answered 404, such as an empty list for one key. */
  missed(caller: Caller): void {
    this.#limits.misses.charge(ownerOf(caller));
  }

  /** Before a look-up by a clear subject: takes it from the budgets and puts it on record. */
  async lookup(caller: Caller, view: string): Promise<void> {
    const owner = ownerOf(caller);
    this.#limits.check(this.#limits.lookups.reachedBy(owner));
    this.#limits.lookups.charge(owner);
    await this.#record?.(caller, view);
  }
}

function ownerOf({ keyId, owner }: Caller): LimitOwner {
  return { key: keyId, unit: owner };
}
