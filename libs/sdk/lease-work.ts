import type { KeyedQueue } from './keyed-queue.js';
import { LeaseAccount, type LeaseState } from './lease-account.js';
import { leaseFailureOf, type LeaseFailure } from './pull-client.js';
import type { ReadEvent } from './reader.js';

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
  readonly #account: LeaseAccount;
  readonly #stopped = new Set<string>();
  readonly ended: Promise<void>;
  failure: LeaseFailure | undefined;

  constructor(events: readonly ReadEvent[], options: LeaseWorkOptions) {
    this.#account = new LeaseAccount(events);
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
      this.#account.done(event.position);
    } catch (cause) {
      this.failure = leaseFailureOf(cause);
      this.#stopped.add(lane);
      failed(event, cause);
    }
  }

  /** Events that are handled. */
  get handled(): number {
    return this.#account.handled;
  }

  get isComplete(): boolean {
    return this.#account.isComplete;
  }

  /** See LeaseAccount. */
  take(): LeaseState | undefined {
    return this.#account.take();
  }
}
