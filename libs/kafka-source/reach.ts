interface Away {
  readonly since: number;
  cause: unknown;
}

export interface ReachOptions {
  /** How long a part may be away before it is told. */
  readonly afterMs: number;
  readonly lost: (cause: unknown) => void;
  readonly back: () => void;
}

/**
 * Tells once that something does not answer any more, and once that it does again, whatever part of the source notices it: a client of Kafka, a partition that waits
 * for the hub. A part that fails is away until it gets an answer.
 */
export class Reach {
  readonly #options: ReachOptions;
  /** The longest away first. */
  readonly #away = new Map<string, Away>();
  #timer: NodeJS.Timeout | undefined;
  #toldAt: number | undefined;

  constructor(options: ReachOptions) {
    this.#options = options;
  }

  failed(part: string, cause: unknown): void {
    const away = this.#away.get(part);
    if (away === undefined) this.#away.set(part, { since: performance.now(), cause });
    else away.cause = cause;
    this.#watch();
  }

  answered(part: string): void {
    if (!this.#away.delete(part)) return;
    const oldest = this.#oldest();
    if (this.#toldAt === undefined) {
      if (oldest === undefined) this.close();
      return;
    }
    if (oldest !== undefined && oldest.since <= this.#toldAt) return;
    this.#toldAt = undefined;
    this.#options.back();
    this.#watch();
  }

  /** The part is not asked any more: neither lost nor back. */
  forget(part: string): void {
    if (this.#away.delete(part) && this.#away.size === 0) {
      this.#toldAt = undefined;
      this.close();
    }
  }

  /** Tells nothing of what has failed until now. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #oldest(): Away | undefined {
    return this.#away.values().next().value;
  }

  #watch(): void {
    const oldest = this.#oldest();
    if (oldest === undefined || this.#toldAt !== undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#look(), Math.max(0, oldest.since + this.#options.afterMs - performance.now()));
  }

  #look(): void {
    this.#timer = undefined;
    const oldest = this.#oldest();
    const now = performance.now();
    if (oldest !== undefined && now - oldest.since >= this.#options.afterMs) {
      this.#toldAt = now;
      this.#options.lost(oldest.cause);
    } else this.#watch();
  }
}
