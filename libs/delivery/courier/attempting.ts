import type { ReadEvent } from '#reading';
import type { CompiledSubscription, Subscription } from '#subscriptions';
import type { Lanes } from '../lanes/lanes.js';
import type { Attempt, AttemptItem, Effects, ItemResult, Outcome } from '../lanes/types.js';
import type { LaneChange, Place } from '../port.js';
import { attemptRow, withdrawnRow, type Made } from './attempt-row.js';
import { sentId } from './edited.js';
import { Events, positionOf, refusedFor, WITHDRAWN } from './events.js';
import { Redriven } from './redriven.js';
import type { RunDeps } from './run-deps.js';

/** What attempts need of the run that makes them. */
export interface AttemptingDeps extends Pick<
  RunDeps,
  'push' | 'attempts' | 'writer' | 'now' | 'isSure' | 'read' | 'failed'
> {
  readonly lanes: Lanes<ReadEvent>;
  readonly subscription: () => Subscription;
  readonly compiled: () => CompiledSubscription;
  /** Something of a stream has ended. */
  readonly touch: (stream: string) => void;
  /** What the outcome says of the whole subscription. */
  readonly tell: (effects: Effects) => void;
  readonly damaged: (position: string) => void;
  /** Aborts when the run has ended. */
  readonly signal: AbortSignal;
}

/** Makes the attempts of one subscription, and makes durable what came of them. */
export class Attempting {
  readonly #deps: AttemptingDeps;
  readonly events: Events;
  readonly redriven = new Redriven();

  constructor(deps: AttemptingDeps) {
    this.#deps = deps;
    this.events = new Events(deps);
  }

  /** Resolves when what came of it is durable, or will be with the rows of its lane. Faults are those of this process. */
  make(attempt: Attempt<ReadEvent>): Promise<void> {
    const events = attempt.before.length === 0 ? this.events.atHand(attempt.items) : undefined;
    return events === undefined ? this.#makeReady(attempt) : this.#send(attempt, events);
  }

  async #makeReady(attempt: Attempt<ReadEvent>): Promise<void> {
    const { lanes } = this.#deps;
    if (attempt.before.length > 0 && !(await this.write(attempt.before))) return lanes.release(attempt);
    let events: readonly ReadEvent[] | undefined;
    try {
      events = await this.events.all(attempt.items);
    } catch (cause) {
      this.unreadable(attempt.items[0]!, cause);
      return this.ended(attempt.items, lanes.settle(attempt, refusedFor(cause), 1));
    }
    if (events === undefined) return lanes.release(attempt);
    return this.#send(attempt, events);
  }

  async #send(attempt: Attempt<ReadEvent>, events: readonly ReadEvent[]): Promise<void> {
    const { lanes, push, isSure, now, failed, signal } = this.#deps;
    const subscription = this.#deps.subscription();
    const isPushed = subscription.target.kind === 'webhook';
    if (signal.aborted || lanes.paused || !isSure() || !isPushed) return lanes.release(attempt);
    if (events.length === 0) return this.ended(attempt.items, lanes.settle(attempt, WITHDRAWN, 1));
    const at = now();
    const id = sentId(subscription, events);
    let outcome: Outcome & { readonly ms: number };
    try {
      outcome = await push.send({ subscription, id, events, try: attempt.try }, signal);
    } catch (cause) {
      // What this process itself cannot do with an event counts as a failed try: it is parked in the end, where a person sees it.
      failed(cause);
      outcome = { kind: 'failed', reason: 'internal', ms: 0 };
    }
    // Whether an attempt that was cut off has reached the receiver, nobody knows.
    if (signal.aborted && outcome.kind !== 'delivered') return lanes.release(attempt);
    const effects = lanes.settle(attempt, outcome, events.length);
    const made = { id, subscription: subscription.id, try: attempt.try, at, ms: outcome.ms, outcome };
    for (let i = 0; i < events.length; i++) this.record(events[i]!, made, effects.results[i]);
    return this.ended(attempt.items, effects);
  }

  /** Tells that nobody can read the event any more. */
  unreadable({ place }: AttemptItem<ReadEvent>, cause: unknown): undefined {
    this.#deps.damaged(positionOf(place));
    this.#deps.failed(cause);
  }

  record(event: ReadEvent, made: Made, result: ItemResult | undefined): void {
    this.#deps.attempts.add(attemptRow(event, made, result));
  }

  /** undefined: there was nothing to make durable. */
  ended(items: readonly { readonly place: Place }[], effects: Effects): Promise<void> | undefined {
    const { touch, now, attempts, subscription } = this.#deps;
    for (let i = 0; i < items.length; i++) {
      const { place } = items[i]!;
      touch(place.stream);
      if (effects.results[i] === 'withdrawn') attempts.add(withdrawnRow(subscription(), positionOf(place), now()));
    }
    if (effects.changes.length > 0) return this.end(effects).then(() => this.#answer(items, effects.results));
    this.#durable(effects);
    this.#answer(items, effects.results);
    return undefined;
  }

  /** Other data is for one try: what comes later by itself is the event. */
  #answer(items: readonly { readonly place: Place }[], results: readonly ItemResult[]): void {
    for (let i = 0; i < items.length; i++) {
      const { place } = items[i]!;
      if (this.redriven.answer(place, results[i])) this.events.edit(positionOf(place), undefined);
    }
  }

  /** true: durable. A run that has ended writes nothing: another one may stand in its place. */
  write(changes: readonly LaneChange[]): Promise<boolean> {
    return this.#deps.signal.aborted ? Promise.resolve(false) : this.#deps.writer.write(changes);
  }

  /** Makes durable what an attempt, or a person, has changed; only then the cursor goes on. */
  async end(effects: Effects): Promise<void> {
    if (effects.changes.length > 0 && !(await this.write(effects.changes))) return;
    this.#durable(effects);
  }

  #durable(effects: Effects): void {
    this.#deps.lanes.durable(effects);
    this.#deps.tell(effects);
  }
}
