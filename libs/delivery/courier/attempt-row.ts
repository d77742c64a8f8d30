import type { ReadEvent } from '#reading';
import type { ItemResult, Outcome } from '../lanes/types.js';
import type { Subscription } from '#subscriptions';
import type { AttemptRow } from '../port.js';
import { editedBy } from './edited.js';
import { messageId } from './message-id.js';

/** Reason of a row of an event that ended without an attempt, because the owner of the subscription may not read it any more (R12.4). */
export const NOT_READABLE = 'not_readable';

/** One attempt of one event, when it had ended. */
export interface Made {
  /** `webhook-id`. */
  readonly id: string;
  readonly subscription: string;
  readonly try: number;
  /** ms since 1970: when it began. */
  readonly at: number;
  readonly ms: number;
  readonly outcome: Outcome & { readonly head?: string };
  readonly result: ItemResult | undefined;
}

export function attemptRow(event: ReadEvent, made: Made): AttemptRow {
  const { position, envelope } = event;
  const { id, subscription, at, ms, outcome, result } = made;
  const { status, reason, head } = outcome as { status?: number; reason?: string; head?: string };
  return {
    id,
    subscription,
    position,
    subject: envelope.subject,
    try: made.try,
    at: new Date(at).toISOString(),
    ms: Math.round(ms),
    status,
    outcome: result === undefined || result === 'skipped' || result === 'withdrawn' ? 'failed' : result,
    reason,
    head: outcome.kind === 'delivered' ? undefined : head,
    edited: editedBy(event),
  };
}

/** Of an event that has ended without an attempt. Without its subject: the owner may not read it. */
export function withdrawnRow(
  subscription: Pick<Subscription, 'id' | 'createdAt'>,
  position: string,
  now: number,
): AttemptRow {
  const id = messageId(subscription, [position]);
  const of = { id, subscription: subscription.id, position, subject: '', try: 0, at: new Date(now).toISOString() };
  return { ...of, ms: 0, outcome: 'dead', reason: NOT_READABLE };
}
