import type { Caller } from '#access';
import { TEST_EVENTS } from '#log';
import type { ReadEvent } from '#reading';
import type { Units } from '#units';
import { callerOf } from './caller.js';
import { conditionOf } from './filter.js';
import type { SharedEvent } from './shared-event.js';
import { wishOf } from './streams.js';
import type { Subscription } from './subscription.js';
import { unitChoice } from './unit-choice.js';

/** What of a subscription decides what it is due. Without an id: one that is not made yet. */
export type Matched = Pick<Subscription, 'owner' | 'system' | 'types' | 'filters' | 'units' | 'test'> & {
  readonly id?: string;
};

/** A subscription, ready to look at events. It does not change: compile it anew when its spec does. */
export interface CompiledSubscription {
  readonly id: string;
  /** With the rights of its unit or party and the role reader. */
  readonly owner: Caller;
  /** Whether events of a type can be due at all. Cheap. */
  wants(type: string): boolean;
  /** Whether the filters and units hold for an event as the owner sees it; type and rights were asked before. */
  holds(event: ReadEvent, units: Units): boolean;
  /**
   * The event as the owner may see it, when it is due: no copy, of a type that the subscription wants, readable by the owner (R12), and the filters and units hold
   * for what the owner sees. Test events (R10.11) are due to subscriptions with `test: true` alone, and nothing else is due to those.
   */
  due(shared: SharedEvent): ReadEvent | undefined;
}

const NO_COPIES = {};

export function compileSubscription(subscription: Matched): CompiledSubscription {
  const { id = '', owner: unit, types, filters, units, test } = subscription;
  const owner = callerOf(subscription);
  const isWanted = wishOf(types);
  const known = new Map<string, boolean>();
  const isMet = conditionOf(filters);
  const choice = units === undefined ? undefined : unitChoice(units, unit);
  const wants = (type: string): boolean => {
    let wanted = known.get(type);
    if (wanted === undefined) known.set(type, (wanted = isWanted(type)));
    return wanted;
  };
  const due = (shared: SharedEvent): ReadEvent | undefined => {
    const { event } = shared;
    if (test !== (event.stream === TEST_EVENTS.name) || !wants(event.type) || !event.matches(NO_COPIES))
      return undefined;
    const level = shared.levelOf(owner);
    if (level === 'none') return undefined;
    const seen = shared.as(level);
    if (!isMet(seen)) return undefined;
    return choice === undefined || shared.concerns(choice, level) ? seen : undefined;
  };
  const holds = (event: ReadEvent, tree: Units): boolean =>
    isMet(event) && (choice === undefined || choice.concerns(event, tree));
  return { id, owner, wants, holds, due };
}
