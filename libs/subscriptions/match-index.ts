import type { LoggedEvent, ReadEvent } from '#reading';
import type { Units } from '#units';
import type { CompiledSubscription } from './compiled.js';
import { SharedEvent } from './shared-event.js';

/** An event that is due to a subscription, as its owner may see it. Subscriptions whose owners see the same share the object. */
export interface Due {
  /** Id of the subscription. */
  readonly subscription: string;
  readonly event: ReadEvent;
}

const NOTHING: readonly Due[] = [];

/**
 * The subscriptions that look at every event of a process, by the exact type. An event costs what the subscriptions that want its type cost; what its data and its
 * rights are is worked out once for all of them.
 */
export class MatchIndex {
  readonly #units: Units;
  readonly #byId = new Map<string, CompiledSubscription>();
  readonly #byType = new Map<string, CompiledSubscription[]>();

  constructor(units: Units) {
    this.#units = units;
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): CompiledSubscription | undefined {
    return this.#byId.get(id);
  }

  /** Takes the place of one with the same id. */
  add(subscription: CompiledSubscription): void {
    this.remove(subscription.id);
    this.#byId.set(subscription.id, subscription);
    for (const [type, list] of this.#byType) if (subscription.wants(type)) list.push(subscription);
  }

  remove(id: string): void {
    const known = this.#byId.get(id);
    if (known === undefined) return;
    this.#byId.delete(id);
    for (const [type, list] of this.#byType)
      if (known.wants(type))
        this.#byType.set(
          type,
          list.filter((s) => s !== known),
        );
  }

  /** Whether a subscription of the index wants a type: otherwise nothing of the event need be decoded. */
  wants(type: string): boolean {
    return this.#of(type).length > 0;
  }

  /** To which subscriptions an event is due now, in no order. undefined: its data cannot be decoded, so nobody can say (damaged, R15.7). */
  due(event: LoggedEvent): readonly Due[] | undefined {
    const wanting = this.#of(event.type);
    if (wanting.length === 0) return NOTHING;
    const shared = SharedEvent.of(event, this.#units);
    if (shared === undefined) return undefined;
    const due: Due[] = [];
    for (const subscription of wanting) {
      const seen = subscription.due(shared);
      if (seen !== undefined) due.push({ subscription: subscription.id, event: seen });
    }
    return due;
  }

  #of(type: string): readonly CompiledSubscription[] {
    let list = this.#byType.get(type);
    if (list === undefined) {
      list = [...this.#byId.values()].filter((s) => s.wants(type));
      this.#byType.set(type, list);
    }
    return list;
  }
}
