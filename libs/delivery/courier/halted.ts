import { HUB_ACTOR, recordUse } from '#access';
import type { EventLog } from '#log';
import type { Subscription } from '#subscriptions';

/** A limit or the receiver (410) has ended the deliveries. Nobody asked for it, so the hub itself is on record. Fault `not_durable`. */
export function recordHalt(
  deps: { readonly log: Pick<EventLog, 'append'>; readonly now: () => number },
  { id, owner, state: before }: Subscription,
  state: 'paused' | 'disabled',
  why: string,
): Promise<void> {
  const what = state === 'paused' ? 'subscription.pause' : 'subscription.disable';
  const facts = { before: { id, owner, state: before }, after: { id, owner, state } };
  return recordUse(deps, { who: HUB_ACTOR, what, target: id, why, ...facts });
}
