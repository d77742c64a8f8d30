import type { ConsumerStatus, Parked } from '#consuming';
import { Injectable } from '@nestjs/common';
import type { Runner } from './runner.js';

/**
 * What runs behind the handlers of the app, for its operators: how far it is, and events that are parked in this process (`then: 'park'`). With the source `hub` none is: what is parked
 * stands at the hub, in `simpul dlq` and `/v1/subscriptions/{id}/parked`.
 */
@Injectable()
export class SimpulConsumer {
  readonly #runner: Runner;

  constructor(runner: Runner) {
    this.#runner = runner;
  }

  /** undefined: the app has no handlers, or has not started yet. */
  status(): ConsumerStatus | undefined {
    return this.#runner.status();
  }

  /** Id of the subscription; undefined: another source, or the app has not started yet. */
  get subscription(): string | undefined {
    return this.#runner.subscription?.id;
  }

  /** The parked event of each subject that waits, and how many wait behind it. */
  parked(): readonly Parked[] {
    return this.#runner.consumer?.parked() ?? [];
  }

  /** Tries a parked event again at once. false: none is parked at this position. */
  retry(position: string): boolean {
    return this.#runner.consumer?.retry(position) ?? false;
  }

  /** Leaves out a parked event for ever; its subject goes on. false: none is parked at this position. */
  skip(position: string): boolean {
    return this.#runner.consumer?.skip(position) ?? false;
  }
}
