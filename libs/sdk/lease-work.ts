import type { KeyedQueue } from './keyed-queue.js';
import type { ReadEvent } from './reader.js';

/** What became of the events of one lease so far. */
export interface LeaseState {
  /** The last event of each partition up to which something may be committed. */
  readonly through: readonly string[];
  /** Events up to there that are not done. */
  readonly except: readonly string[];
  /** Those that are committed by it. */
  readonly done: readonly string[];
}

export interface LeaseWorkOptions {
  readonly queue: KeyedQueue;
  /** Events of one lane are handled one after the other. */
  readonly laneOf: (event: ReadEvent) => string;
  readonly handle: (event: ReadEvent) => Promise<void>;
  /** Whether a further event may be begun. */
  readonly mayStart: () => boolean;
  readonly failed: (event: ReadEvent, cause: unknown) => void;
}

/** Handles the events of one lease: in order per lane, lanes side by side. A lane stops at its first event that failed. */
export class LeaseWork {
  readonly #events: readonly ReadEvent[];
  readonly #done = new Set<string>();
  readonly #stopped = new Set<string>();
  readonly ended: Promise<void>;
  hasFailed = false;
  #news: string[] = [];

  constructor(events: readonly ReadEvent[], options: LeaseWorkOptions) {
    this.#events = events;
    const { queue, laneOf } = options;
    const jobs = events.map((event) => {
      const lane = laneOf(event);
      return queue.run([lane], () => this.#handle(event, lane, options));
    });
    this.ended = Promise.all(jobs).then(() => undefined);
  }

  async #handle(event: ReadEvent, lane: string, { handle, mayStart, failed }: LeaseWorkOptions): Promise<void> {
    if (this.#stopped.has(lane)) return;
    if (!mayStart()) {
      this.#stopped.add(lane);
      return;
    }
    try {
      await handle(event);
      this.#done.add(event.position);
      this.#news.push(event.position);
    } catch (cause) {
      this.hasFailed = true;
      this.#stopped.add(lane);
      failed(event, cause);
    }
  }

  /** Events that are handled. */
  get handled(): number {
    return this.#done.size;
  }

  get isComplete(): boolean {
    return this.#done.size === this.#events.length;
  }

  /** What can be committed that was not taken before; undefined: nothing. */
  take(): LeaseState | undefined {
    if (this.#news.length === 0) return undefined;
    const done = this.#news;
    this.#news = [];
    const last = new Map<string, number>();
    for (const [i, { position }] of this.#events.entries())
      if (this.#done.has(position)) last.set(partitionOf(position), i);
    const through = [...last.values()].map((i) => this.#events[i]!.position);
    const except = this.#events
      .filter(({ position }, i) => i < (last.get(partitionOf(position)) ?? 0) && !this.#done.has(position))
      .map(({ position }) => position);
    return { through, except, done };
  }
}

const partitionOf = (position: string): string => position.slice(0, position.lastIndexOf('/'));
