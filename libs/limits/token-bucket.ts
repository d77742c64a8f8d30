export interface TokenBucketOptions {
  /** Tokens that come back in a second. */
  readonly perSecond: number;
  /** Tokens of a full bucket: how much may be taken at once. */
  readonly burst: number;
  /** Greatest number of owners that are remembered; beyond, the one that was asked for least recently is forgotten (its bucket is full again). @default 10,000 */
  readonly owners?: number;
  /** Milliseconds that never go back, such as `performance.now`. */
  readonly now: () => number;
}

const OWNERS = 10_000;

/**
 * One token bucket for each owner (a key, a unit, an address), all of the same size. A bucket starts full. Memory: one number an owner, and none for
 * an owner whose bucket is full again. No timer.
 */
export class TokenBucket {
  /** When the bucket of an owner is full again, ms; the least recently used owner first. A full bucket has no entry. */
  readonly #fullAt = new Map<string, number>();
  readonly #msPerToken: number;
  readonly #burstMs: number;
  readonly #owners: number;
  readonly #now: () => number;

  constructor({ perSecond, burst, owners = OWNERS, now }: TokenBucketOptions) {
    if (!(perSecond > 0) || !(burst > 0) || !(owners >= 1))
      throw new RangeError('perSecond, burst and owners are positive numbers');
    this.#msPerToken = 1_000 / perSecond;
    this.#burstMs = burst * this.#msPerToken;
    this.#owners = owners;
    this.#now = now;
  }

  /** Owners whose bucket is not full. */
  get size(): number {
    return this.#fullAt.size;
  }

  /** How many tokens the emptiest bucket lacks; more than the burst when it owes some. */
  get mostTaken(): number {
    const now = this.#now();
    let missingMs = 0;
    for (const fullAt of this.#fullAt.values()) missingMs = Math.max(missingMs, fullAt - now);
    return missingMs / this.#msPerToken;
  }

  /**
   * Takes `cost` tokens. Answers 0 when they were there; otherwise nothing is taken, and the answer is in how many ms they will be. A cost above the burst
   * is taken from a full bucket, which then owes the rest.
   */
  take(owner: string, cost = 1): number {
    const waitMs = this.waitMs(owner, cost);
    if (waitMs === 0) this.charge(owner, cost);
    return waitMs;
  }

  /** In how many ms `cost` tokens will be there; 0: they are there now. */
  waitMs(owner: string, cost = 1): number {
    const now = this.#now();
    const missingMs = Math.max(0, (this.#fullAt.get(owner) ?? 0) - now);
    return Math.max(0, missingMs + Math.min(cost * this.#msPerToken, this.#burstMs) - this.#burstMs);
  }

  /** Takes tokens for something that is done already, such as CPU time that was measured: the bucket may owe tokens after it. */
  charge(owner: string, cost: number): void {
    const now = this.#now();
    const fullAt = Math.max(now, this.#fullAt.get(owner) ?? 0) + cost * this.#msPerToken;
    // Deleted first, so that the owner becomes the most recently used one.
    this.#fullAt.delete(owner);
    if (this.#fullAt.size >= this.#owners) this.#makeRoom(now);
    this.#fullAt.set(owner, fullAt);
  }

  #makeRoom(now: number): void {
    for (const [owner, fullAt] of this.#fullAt) if (fullAt <= now) this.#fullAt.delete(owner);
    if (this.#fullAt.size < this.#owners) return;
    const [oldest] = this.#fullAt.keys();
    this.#fullAt.delete(oldest!);
  }
}
