import type { Caller } from '#access';
import { Fault, isFault } from '#faults';
import { TokenBucket } from '#limits';

/** Misses of a key: 404 at the doors of one thing. A border post or an office looks for what is not there a few times a minute. */
const MISSES = { perSecond: 20, burst: 1_000 };
/** Look-ups by a clear subject of a key: each is on record, and 86,400 values a day are far fewer than there are persons in a district. */
const LOOKUPS = { perSecond: 1, burst: 100 };

export interface GuessesDeps {
  /** Milliseconds that never go back. @default performance.now */
  readonly now?: () => number;
  /**
   * Records that a caller asked a view for a clear subject, which is not part of the record. Resolves when the record is durable. Fault not_durable.
   * @default no record
   */
  readonly record?: (caller: Caller, view: string) => Promise<void>;
  readonly misses?: { readonly perSecond: number; readonly burst: number };
  readonly lookups?: { readonly perSecond: number; readonly burst: number };
}

/**
 * What a key may find out by trying values: how often it may get 404 for one thing, and ask for a clear subject, in this process. Beyond: Fault
 * too_many_requests, before anything is looked up.
 */
export class Guesses {
  readonly #misses: TokenBucket;
  readonly #lookups: TokenBucket;
  readonly #record: GuessesDeps['record'];

  constructor({ now = () => performance.now(), record, misses = MISSES, lookups = LOOKUPS }: GuessesDeps = {}) {
    this.#misses = new TokenBucket({ ...misses, now });
    this.#lookups = new TokenBucket({ ...lookups, now });
    this.#record = record;
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

  /** Fault too_many_requests while the caller has missed too often. */
  check({ keyId }: Caller): void {
    throttle(this.#misses.waitMs(keyId), 'misses');
  }

  /** Counts a miss that is not answered 404, such as an empty list for one key. */
  missed({ keyId }: Caller): void {
    this.#misses.charge(keyId, 1);
  }

  /** Before a look-up by a clear subject: takes it from the budget and puts it on record. */
  async lookup(caller: Caller, view: string): Promise<void> {
    throttle(this.#lookups.take(caller.keyId), 'lookups by clear subject');
    await this.#record?.(caller, view);
  }
}

function throttle(waitMs: number, what: string): void {
  if (waitMs > 0)
    throw new Fault('too_many_requests', { detail: `${what} of this key`, retryAfterMs: Math.ceil(waitMs) });
}
