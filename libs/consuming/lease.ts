import { deferred } from '#concurrency';
import { LeaseAccount, type LeaseFailure, type LeaseState, type ReadEvent } from '#sdk';
import type { Account } from './port.js';

export interface LeaseOptions {
  readonly events: readonly ReadEvent[];
  readonly leaseMs: number;
  /** Handled in this process, and not known to be committed. */
  readonly isKnown: (event: ReadEvent) => boolean;
  /** One event fewer is open. */
  readonly moved: () => void;
}

/** Events that the hub has given to this process for a while, and what became of them. */
export class Lease implements Account {
  readonly began = performance.now();
  readonly #account: LeaseAccount;
  readonly #o: LeaseOptions;
  readonly #ended = deferred<void>();
  #open: number;
  #isLost = false;
  failure: LeaseFailure | undefined;

  constructor(options: LeaseOptions) {
    this.#o = options;
    this.#account = new LeaseAccount(options.events);
    this.#open = options.events.length;
  }

  get size(): number {
    return this.#o.events.length;
  }

  /** Events of which nobody has said what became of them. */
  get open(): number {
    return this.#open;
  }

  get handled(): number {
    return this.#account.handled;
  }

  get isComplete(): boolean {
    return this.#account.isComplete;
  }

  /** Resolves when nothing is open any more, or when it is over. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get leftMs(): number {
    return this.#isLost ? 0 : this.began + this.#o.leaseMs - performance.now();
  }

  mayBegin(timeoutMs: number, afterMs = 0): boolean {
    return this.leftMs - afterMs >= Math.min(timeoutMs, this.#o.leaseMs * 0.9);
  }

  wasHandled(event: ReadEvent): boolean {
    return this.#o.isKnown(event);
  }

  finished({ position }: ReadEvent): void {
    this.#account.done(position);
    this.#moved();
  }

  givenBack(_event: ReadEvent, failure?: LeaseFailure): void {
    this.failure = failure ?? this.failure;
    this.#moved();
  }

  take(): LeaseState | undefined {
    return this.#account.take();
  }

  /** The hub does not know it any more: nothing of it is begun. */
  lost(): void {
    this.#isLost = true;
    this.end();
  }

  /** Nothing is waited for any more. */
  end(): void {
    this.#ended.resolve();
  }

  #moved(): void {
    if (--this.#open === 0) this.end();
    this.#o.moved();
  }
}
