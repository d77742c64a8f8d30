import { Pool } from 'undici';
import { guardedConnector, type ConnectOptions } from './connect.js';

export interface PoolsOptions extends ConnectOptions {
  readonly connections: number;
  readonly mostOrigins: number;
}

/** The connections of one origin. */
export interface PoolEntry {
  readonly origin: string;
  readonly pool: Pool;
  readonly madeAt: number;
  active: number;
  usedAt: number;
}

const MAX_HEADER_BYTES = 16_384;
/** Shorter than most servers keep an idle connection (5 s), so that a request seldom meets one that is just being closed. */
const IDLE_MS = 4_000;
const IDLE_MAX_MS = 60_000;
/** An origin without requests for so long is given up. */
const UNUSED_MS = 30_000;
/** Its connections were made to addresses that were checked then; a busy one is made anew after this time. */
const LIFE_MS = 300_000;

/** Connections by origin, in bounds: an origin that is not used is closed, and the least recently used ones when there are too many. */
export class Pools {
  readonly #options: PoolsOptions;
  readonly #entries = new Map<string, PoolEntry>();
  readonly #sweep: NodeJS.Timeout;
  readonly #closing = new Set<Promise<void>>();

  constructor(options: PoolsOptions) {
    this.#options = options;
    this.#sweep = setInterval(() => this.sweep(Date.now()), 10_000).unref();
  }

  /** Origins with a pool now. */
  get size(): number {
    return this.#entries.size;
  }

  /** The pool of an origin, counted as used until `release`. */
  take(url: URL): PoolEntry {
    const now = Date.now();
    let entry = this.#entries.get(url.origin);
    if (entry !== undefined && now - entry.madeAt >= LIFE_MS) {
      this.#give(entry);
      entry = undefined;
    }
    entry ??= this.#make(url, now);
    entry.usedAt = now;
    entry.active += 1;
    return entry;
  }

  release(entry: PoolEntry): void {
    entry.active -= 1;
  }

  /** Closes what has not been used for a while. */
  sweep(now: number): void {
    for (const entry of this.#entries.values())
      if (entry.active === 0 && now - entry.usedAt >= UNUSED_MS) this.#give(entry);
  }

  /** Resolves when every request has ended and every connection is closed. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    for (const entry of this.#entries.values()) this.#give(entry);
    await Promise.all(this.#closing);
  }

  #make(url: URL, now: number): PoolEntry {
    if (this.#entries.size >= this.#options.mostOrigins) this.#evict();
    const { origin } = url;
    const pool = new Pool(origin, {
      connect: guardedConnector(url, this.#options),
      connections: this.#options.connections,
      pipelining: 1,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MAX_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      // One time-out covers the whole attempt; see Exchange.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const entry = { origin, pool, madeAt: now, active: 0, usedAt: now };
    this.#entries.set(origin, entry);
    return entry;
  }

  /** Only what no request uses: those in flight are bounded by whoever sends. */
  #evict(): void {
    let oldest: PoolEntry | undefined;
    for (const entry of this.#entries.values())
      if (entry.active === 0 && (oldest === undefined || entry.usedAt < oldest.usedAt)) oldest = entry;
    if (oldest !== undefined) this.#give(oldest);
  }

  /** Requests under way end as they would. */
  #give(entry: PoolEntry): void {
    this.#entries.delete(entry.origin);
    const closed = entry.pool.close().then(
      () => undefined,
      () => undefined,
    );
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }
}
