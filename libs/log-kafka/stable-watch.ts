/** How long the last stable offset may stand below the high watermark before an operator is told. */
const TELL_AFTER_MS = 60_000;
/** While it goes on, it is told again so often. */
const TELL_AGAIN_MS = 600_000;
const LOOK_EVERY_MS = 10_000;

export interface OpenTransaction {
  readonly topic: string;
  readonly partition: number;
  /** Where the first open transaction of the partition begins. Committed reads end here. */
  readonly lastStable: bigint;
  readonly highWatermark: bigint;
  readonly openMs: number;
}

interface Standing {
  readonly topic: string;
  readonly partition: number;
  lastStable: bigint;
  highWatermark: bigint;
  readonly since: number;
  tellAt: number;
}

/**
 * Partitions with an open transaction, as the fetch answers show them. A broker answers a partition only when it changes, so the time runs here: each
 * partition that stands for 60 s is told, and every ten minutes while it goes on.
 */
export class StableWatch {
  readonly #standing = new Map<string, Standing>();
  readonly #tell: (open: OpenTransaction) => void;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (open: OpenTransaction) => void, now: () => number = () => performance.now()) {
    this.#tell = tell;
    this.#now = now;
  }

  /** What an answer says of a partition. `key`: of the partition, over all topics. */
  seen(key: string, part: Omit<OpenTransaction, 'openMs'>): void {
    const known = this.#standing.get(key);
    // a broker gives -1 when it does not know
    if (part.lastStable < 0n || part.lastStable >= part.highWatermark) {
      if (known !== undefined) this.#standing.delete(key);
      return;
    }
    if (known?.lastStable === part.lastStable) {
      known.highWatermark = part.highWatermark;
      return;
    }
    const since = this.#now();
    this.#standing.set(key, { ...part, since, tellAt: since + TELL_AFTER_MS });
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#standing.clear();
  }

  #look(): void {
    const now = this.#now();
    if (this.#standing.size === 0) return this.close();
    for (const standing of this.#standing.values()) {
      if (now < standing.tellAt) continue;
      standing.tellAt = now + TELL_AGAIN_MS;
      const { topic, partition, lastStable, highWatermark, since } = standing;
      this.#tell({ topic, partition, lastStable, highWatermark, openMs: now - since });
    }
  }
}
