import type { ReadEvent } from '#reading';
import type { Attempt } from '../lanes/types.js';

/** What one puller waits for. */
interface Waiting {
  readonly limit: number;
  readonly give: (attempt: Attempt<ReadEvent> | undefined) => void;
}

/** Pullers that wait for events, first come, first served. */
export class Pulls {
  readonly #waiting = new Set<Waiting>();

  get size(): number {
    return this.#waiting.size;
  }

  /** How many events the one wants that has waited longest. */
  get limit(): number | undefined {
    for (const { limit } of this.#waiting) return limit;
    return undefined;
  }

  /** An attempt, as soon as there is one; undefined after `waitMs`, when the signal aborts, or at the end. */
  wait(limit: number, waitMs: number, signal: AbortSignal): Promise<Attempt<ReadEvent> | undefined> {
    return new Promise((resolve) => {
      const leave = (): void => waiting.give(undefined);
      const timer = setTimeout(leave, waitMs);
      const waiting: Waiting = {
        limit,
        give: (attempt) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', leave);
          this.#waiting.delete(waiting);
          resolve(attempt);
        },
      };
      this.#waiting.add(waiting);
      if (signal.aborted) leave();
      else signal.addEventListener('abort', leave, { once: true });
    });
  }

  give(attempt: Attempt<ReadEvent>): void {
    for (const first of this.#waiting) return first.give(attempt);
  }

  end(): void {
    for (const waiting of [...this.#waiting]) waiting.give(undefined);
  }
}
