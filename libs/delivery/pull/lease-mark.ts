import type { LeaseRow } from '../port.js';

/** A lease holds at most so long (R9.3). */
export const MOST_LEASE_MS = 60_000;

/** A row says more than is needed now, so that it is written every 10 s and not for each lease. */
const SPARE_MS = 10_000;
/** The row is deleted when nothing was leased for so long. */
const IDLE_MS = 1_000;

export interface LeaseMarkDeps {
  readonly now: () => number;
  /** true: it is durable. */
  readonly store: (row: LeaseRow | undefined) => Promise<boolean>;
}

/**
 * The durable word for "something may be leased until then" (R9.4): written before a lease is handed out, deleted when nothing is leased. So a new owner knows how
 * long it must wait, and waits for nothing when nothing was leased.
 */
export class LeaseMark {
  readonly #deps: LeaseMarkDeps;
  /** Until when an earlier owner, or this one before a seek, may have leased something, ms since 1970. */
  readonly heldUntil: number;
  /** Tokens that were given before are void: the subscription was sought to another place since. ms since 1970. */
  readonly voidBefore: number;
  #stored: number;
  #open = 0;
  #newest = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(deps: LeaseMarkDeps, row: LeaseRow | undefined) {
    this.#deps = deps;
    const now = deps.now();
    this.#stored = row === undefined ? 0 : Date.parse(row.until);
    this.voidBefore = row?.voidBefore === undefined ? 0 : Date.parse(row.voidBefore);
    this.heldUntil = row === undefined || row.isOver === true ? 0 : Math.min(this.#stored, now + MOST_LEASE_MS);
    this.#newest = Math.max(this.heldUntil, row?.isOver === true ? this.#stored : 0);
    if (row !== undefined) this.#tidyLater();
  }

  /** Something is to be leased until then: resolves when that is durable. false: it will not be, and nothing may be handed out. Each call needs one of closed(). */
  async opened(until: number): Promise<boolean> {
    this.#open++;
    if (until > this.#newest) this.#newest = until;
    if (until <= this.#stored) return true;
    this.#stored = until + SPARE_MS;
    const isStored = await this.#store(this.#stored);
    if (!isStored) this.#stored = 0;
    return isStored;
  }

  closed(): void {
    if (--this.#open === 0) this.#tidyLater();
  }

  /** The last word of this owner: leases that are open stay open, for the next one. `isVoid`: they do not, and their tokens are void. */
  async stop(isVoid: boolean): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    const now = this.#deps.now();
    const isOpen = this.#open > 0 || this.heldUntil > now || this.voidBefore > 0;
    if (!isOpen && !isVoid) {
      if (this.#stored > 0) await this.#deps.store(undefined);
    } else if (isVoid) {
      await this.#deps.store({ ...this.#row(this.#newest), voidBefore: new Date(now).toISOString(), isOver: true });
    } else await this.#store(this.#newest);
  }

  /** Writes nothing more: another owner does. */
  forget(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #tidyLater(): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    // A void token must be known as void for as long as it looks valid.
    const keep = this.voidBefore > 0 || this.heldUntil > 0 ? Math.max(0, this.#newest - this.#deps.now()) : 0;
    this.#timer = setTimeout(() => this.#tidy(), keep + IDLE_MS).unref();
  }

  #tidy(): void {
    if (this.#open > 0 || this.#stored === 0 || this.#isStopped) return;
    this.#stored = 0;
    void this.#deps.store(undefined);
  }

  #store(until: number): Promise<boolean> {
    return this.#deps.store(this.#row(until));
  }

  #row(until: number): LeaseRow {
    const { voidBefore } = this;
    return {
      kind: 'lease',
      until: new Date(until).toISOString(),
      ...(voidBefore > 0 && { voidBefore: new Date(voidBefore).toISOString() }),
    };
  }
}
