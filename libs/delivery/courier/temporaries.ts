import { jittered, pause } from '#concurrency';
import { isFault } from '#faults';
import type { Run } from './run.js';

/** How long a temporary subscription stands without a connection: a reader that lost its own has come back by then. */
export const UNREAD_MS = 5 * 60_000;
const LOOK_MS = 10_000;

export interface TemporariesDeps {
  readonly desks: () => Iterable<{
    readonly runs: Iterable<Pick<Run, 'subscription' | 'seat'>>;
    removeUnread(id: string, before: number): Promise<void>;
  }>;
  readonly now: () => number;
  readonly failed: (cause: unknown) => void;
}

/** Removes temporary subscriptions that nobody reads any more: their reader was killed before it could. */
export class Temporaries {
  readonly #deps: TemporariesDeps;
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(deps: TemporariesDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#loop = this.#go();
  }

  async #go(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await pause(jittered(LOOK_MS), signal);
      if (!signal.aborted) await this.look();
    }
  }

  /** One look at all of them. Never rejects. */
  async look(): Promise<void> {
    const before = this.#deps.now() - UNREAD_MS;
    for (const desk of this.#deps.desks())
      for (const { subscription, seat } of [...desk.runs])
        if (subscription.temporary === true && seat.isUnreadSince(before))
          // Removed by somebody else meanwhile, or taken over: then it is not for this process.
          await desk.removeUnread(subscription.id, before).catch((cause: unknown) => {
            if (!isFault(cause) || cause.code !== 'not_found') this.#deps.failed(cause);
          });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }
}
