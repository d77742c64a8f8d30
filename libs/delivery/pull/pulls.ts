import type { ReadEvent } from '#reading';
import type { Attempt } from '../lanes/types.js';

/** What one puller waits for. */
interface Waiting {
  readonly limit: number;
  /** When it may be given fewer, because no more come in a moment. */
  readonly fillUntil: number;
  readonly give: (attempt: Attempt<ReadEvent> | undefined) => void;
}

/** Pullers that wait for events, first come, first served. */
export class Pulls {
  readonly #waiting = new Set<Waiting>();

  get size(): number {
    return this.#waiting.size;
  }

  /** What the one wants that has waited longest. */
  get first(): Pick<Waiting, 'limit' | 'fillUntil'> | undefined {
    for (const first of this.#waiting) return first;
    return undefined;
  }

  /** An attempt, as soon as there is one; undefined after `waitMs`, when the signal aborts, or at the end. */
  wait(
    wanted: Pick<Waiting, 'limit' | 'fillUntil'>,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<Attempt<ReadEvent> | undefined> {
    return new Promise((resolve) => {
      const leave = (): void => waiting.give(undefined);
      const timer = setTimeout(leave, waitMs);
      const waiting: Waiting = {
        ...wanted,
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
