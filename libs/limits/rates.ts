import type { LimitOwner, Reached } from './owner.js';
import type { LimitName, LimitValues } from './table.js';
import { TokenBucket } from './token-bucket.js';

export interface RatesOptions {
  readonly limits: LimitValues;
  /** The limits are `<name>_per_key` and `<name>_per_unit`. */
  readonly name: 'misses' | 'lookups' | 'grants';
  /** For how many seconds of its rate an owner may go on at once. */
  readonly burstS: number;
  readonly now: () => number;
}

interface Rate {
  readonly limit: LimitName;
  readonly level: 'key' | 'unit';
  readonly bucket: TokenBucket;
}

/** How often a key, and all keys of its unit together, may do something in this process. */
export class Rates {
  readonly #rates: readonly Rate[];
  readonly #burstS: number;

  constructor({ limits, name, burstS, now }: RatesOptions) {
    this.#burstS = burstS;
    this.#rates = (['key', 'unit'] as const).map((level) => {
      const limit = `${name}_per_${level}` as const;
      return {
        limit,
        level,
        bucket: new TokenBucket({ perSecond: limits[limit], burst: limits[limit] * burstS, now }),
      };
    });
  }

  /** The limit by which this owner has to wait; undefined: none. Takes nothing. */
  reachedBy(owner: LimitOwner): Reached | undefined {
    for (const { limit, level, bucket } of this.#rates) {
      const of = owner[level];
      const waitMs = of === undefined ? 0 : bucket.waitMs(of);
      if (waitMs > 0) return { limit, retryAfterMs: Math.ceil(waitMs) };
    }
    return undefined;
  }

  /** Counts `n`, also of an owner that has reached its limit. */
  charge(owner: LimitOwner, n = 1): void {
    for (const { level, bucket } of this.#rates) {
      const of = owner[level];
      if (of !== undefined) bucket.charge(of, n);
    }
  }

  /** What the owner that uses the most has used lately, a second: the average over a burst. */
  usedPerSecond(): readonly (readonly [LimitName, number])[] {
    return this.#rates.map(({ limit, bucket }) => [limit, bucket.mostTaken / this.#burstS] as const);
  }
}
