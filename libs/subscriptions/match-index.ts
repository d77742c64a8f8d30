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

type ByOwner = Map<string, CompiledSubscription[]>;

/**
 * The subscriptions that look at every event of a process, by exact type and owner. An event costs what the subscriptions cost that want its type and whose owners may
 * see it, however many others there are; its data, the level of an owner and the units that it concerns are worked out once for all of them.
 */
export class MatchIndex {
  readonly #units: Units;
  readonly #byId = new Map<string, CompiledSubscription>();
  readonly #byType = new Map<string, ByOwner>();

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
    for (const [type, byOwner] of this.#byType) if (subscription.wants(type)) put(byOwner, subscription);
  }

  remove(id: string): void {
    const known = this.#byId.get(id);
    if (known === undefined) return;
    this.#byId.delete(id);
    for (const byOwner of this.#byType.values()) drop(byOwner, known);
  }

  /** Whether a subscription of the index wants a type: otherwise nothing of the event need be decoded. */
  wants(type: string): boolean {
    return this.#of(type).size > 0;
  }

  /** To which subscriptions an event is due now, in no order. undefined: its data cannot be decoded, so nobody can say (damaged, R15.7). */
  due(event: LoggedEvent): readonly Due[] | undefined {
    const wanting = this.#of(event.type);
    if (wanting.size === 0) return NOTHING;
    const shared = SharedEvent.of(event, this.#units);
    if (shared === undefined) return undefined;
    const due: Due[] = [];
    for (const [, subscriptions] of shared.among(wanting))
      for (const subscription of subscriptions) {
        const seen = subscription.due(shared);
        if (seen !== undefined) due.push({ subscription: subscription.id, event: seen });
      }
    return due;
  }

  #of(type: string): ByOwner {
    let byOwner = this.#byType.get(type);
    if (byOwner === undefined) {
      byOwner = new Map();
      for (const subscription of this.#byId.values()) if (subscription.wants(type)) put(byOwner, subscription);
      this.#byType.set(type, byOwner);
    }
    return byOwner;
  }
}

function put(byOwner: ByOwner, subscription: CompiledSubscription): void {
  const { owner } = subscription.owner;
  const known = byOwner.get(owner);
  if (known === undefined) byOwner.set(owner, [subscription]);
  else known.push(subscription);
}

function drop(byOwner: ByOwner, subscription: CompiledSubscription): void {
  const { owner } = subscription.owner;
  const left = byOwner.get(owner)?.filter((s) => s !== subscription) ?? [];
  if (left.length === 0) byOwner.delete(owner);
  else byOwner.set(owner, left);
}
