import type { LimitOwner, OwnerLevel, Reached } from './owner.js';
import type { LimitName } from './table.js';

export interface ShareLimit {
  readonly name: LimitName;
  readonly max: number;
}

export interface SharesOptions {
  /** Bound of everybody together. @default none */
  readonly all?: ShareLimit | undefined;
  /** Bounds of one key, unit, address. @default none */
  readonly key?: ShareLimit | undefined;
  readonly unit?: ShareLimit | undefined;
  readonly address?: ShareLimit | undefined;
  /** An owner that holds less than this gets more until everybody together holds a quarter more than `all`. @default 0 */
  readonly small?: number;
  /** What a refused asker is told. @default 1,000 ms */
  readonly retryAfterMs?: number;
}

interface Holding {
  held: number;
}

const LEVELS: readonly OwnerLevel[] = ['key', 'unit', 'address'];
const RETRY_AFTER_MS = 1_000;

/**
 * Who holds how much of something that is given back: connections, bytes, requests. Counted for each owner on each level. Memory: one number for each
 * owner that holds something.
 */
export class Shares {
  #held = 0;
  readonly #by: Readonly<Record<OwnerLevel, Map<string, Holding>>> = {
    key: new Map(),
    unit: new Map(),
    address: new Map(),
  };
  readonly #options: SharesOptions;
  readonly #bounds: readonly ShareLimit[];
  /** What every bound lets pass when nobody holds anything. */
  readonly #fits: number;

  constructor(options: SharesOptions) {
    this.#options = options;
    const { all, key, unit, address } = options;
    this.#bounds = [key, unit, address, all].filter((limit) => limit !== undefined);
    this.#fits = Math.min(...this.#bounds.map(({ max }) => max));
  }

  /** What everybody holds together. */
  get held(): number {
    return this.#held;
  }

  /** What one owner holds. */
  heldBy(level: OwnerLevel, owner: string): number {
    return this.#by[level].get(owner)?.held ?? 0;
  }

  /** The owner that holds the most; undefined: nobody holds anything. */
  greatest(level: OwnerLevel): { readonly owner: string; readonly held: number } | undefined {
    let most: { owner: string; held: number } | undefined;
    for (const [owner, { held }] of this.#by[level]) if (most === undefined || held > most.held) most = { owner, held };
    return most;
  }

  /** Which limit the owner would pass with so much more; undefined: none. */
  reachedBy(owner: LimitOwner, amount = 1): Reached | undefined {
    const { all, small = 0, retryAfterMs = RETRY_AFTER_MS } = this.#options;
    let own = 0;
    for (const level of LEVELS) {
      const name = owner[level];
      const limit = this.#options[level];
      if (name === undefined || limit === undefined) continue;
      const held = this.heldBy(level, name);
      own = Math.max(own, held);
      if (held + amount > limit.max) return { limit: limit.name, retryAfterMs };
    }
    if (all === undefined || this.#held + amount <= all.max) return undefined;
    if (own + amount <= small && this.#held + amount <= all.max * 1.25) return undefined;
    return { limit: all.name, retryAfterMs };
  }

  /** The limit that so much at once passes even when nobody holds anything; undefined: none. */
  tooSmallFor(amount: number): LimitName | undefined {
    return amount <= this.#fits ? undefined : this.#bounds.find(({ max }) => amount > max)!.name;
  }

  /** Adds to what the owner holds, unless a limit would be passed, which is answered then. */
  take(owner: LimitOwner, amount = 1): Reached | undefined {
    const reached = this.reachedBy(owner, amount);
    if (reached === undefined) this.add(owner, amount);
    return reached;
  }

  /** Adds without asking, for what is held already. */
  add(owner: LimitOwner, amount: number): void {
    this.#held += amount;
    for (const level of LEVELS) {
      const name = owner[level];
      if (name === undefined) continue;
      const holding = this.#by[level].get(name);
      if (holding === undefined) {
        if (amount > 0) this.#by[level].set(name, { held: amount });
      } else {
        holding.held += amount;
        if (holding.held <= 0) this.#by[level].delete(name);
      }
    }
  }

  /** Gives back what was taken. */
  give(owner: LimitOwner, amount = 1): void {
    this.add(owner, -amount);
  }
}
