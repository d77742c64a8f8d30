import type { Allowed } from './allowance.js';
import type { ConnectOptions } from './connect.js';
import { Origin } from './origin.js';

export interface PoolsOptions extends Omit<ConnectOptions, 'allowed'> {
  readonly connections: number;
  readonly mostOrigins: number;
}

const SWEEP_MS = 2_000;
/** An origin without requests for so long is given up. */
const UNUSED_MS = 30_000;

/** Connections by origin, in bounds: an origin that is not used is closed, and the least recently used ones when there are too many. */
export class Pools {
  readonly #options: PoolsOptions;
  readonly #origins = new Map<string, Origin>();
  readonly #sweep: NodeJS.Timeout;
  readonly #closing = new Set<Promise<void>>();

  constructor(options: PoolsOptions) {
    this.#options = options;
    this.#sweep = setInterval(() => this.sweep(performance.now()), SWEEP_MS).unref();
  }

  /** Origins with connections now. */
  get size(): number {
    return this.#origins.size;
  }

  /** The connections of an origin for those who may reach the same networks, counted as used until `release`. */
  take(url: URL, { key, networks: allowed }: Allowed): Origin {
    const name = key === '' ? url.origin : `${key} ${url.origin}`;
    let origin = this.#origins.get(name);
    if (origin === undefined) {
      if (this.#origins.size >= this.#options.mostOrigins) this.#evict();
      origin = new Origin(name, url, this.#options.connections, { ...this.#options, allowed });
      this.#origins.set(name, origin);
    }
    origin.active += 1;
    return origin;
  }

  release(origin: Origin): void {
    origin.active -= 1;
    origin.usedAt = performance.now();
  }

  /** Closes what has not been used for a while. `now`: performance.now(). */
  sweep(now: number): void {
    for (const origin of this.#origins.values())
      if (origin.active === 0 && now - origin.usedAt >= UNUSED_MS) this.#give(origin);
      else origin.sweep(now);
  }

  /** Resolves when every request has ended and every connection is closed. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    for (const origin of this.#origins.values()) this.#give(origin);
    await Promise.all(this.#closing);
  }

  /** Only what no request uses: those in flight are bounded by whoever sends. */
  #evict(): void {
    let oldest: Origin | undefined;
    for (const origin of this.#origins.values())
      if (origin.active === 0 && (oldest === undefined || origin.usedAt < oldest.usedAt)) oldest = origin;
    if (oldest !== undefined) this.#give(oldest);
  }

  /** Requests under way end as they would. */
  #give(origin: Origin): void {
    this.#origins.delete(origin.name);
    const closed = origin.close();
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }
}
