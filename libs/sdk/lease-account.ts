import type { ReadEvent } from './reader.js';

/** What can be committed of one lease. */
export interface LeaseState {
  /** The last event of each partition up to which something may be committed. */
  readonly through: readonly string[];
  /** Events up to there that are not done. */
  readonly except: readonly string[];
  /** Those that are committed by it. */
  readonly done: readonly string[];
}

/** Which events of one lease are done. */
export class LeaseAccount {
  readonly #events: readonly Pick<ReadEvent, 'position'>[];
  readonly #done = new Set<string>();
  #news: string[] = [];

  constructor(events: readonly Pick<ReadEvent, 'position'>[]) {
    this.#events = events;
  }

  done(position: string): void {
    this.#done.add(position);
    this.#news.push(position);
  }

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
