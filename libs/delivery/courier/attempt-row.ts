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
}

/** `result`: what became of the event; undefined: nothing yet. */
export function attemptRow(event: ReadEvent, made: Made, result: ItemResult | undefined): AttemptRow {
  const { position, envelope } = event;
  const { id, subscription, at, ms, outcome } = made;
  const { status, reason, head } = outcome as { status?: number; reason?: string; head?: string };
  return {
    id,
    subscription,
    position,
    subject: envelope.subject,
    try: made.try,
    at: isoOf(at),
    ms: Math.round(ms),
    status,
    outcome: result === undefined || result === 'skipped' || result === 'withdrawn' ? 'failed' : result,
    reason,
    head: outcome.kind === 'delivered' ? undefined : head,
    edited: editedBy(event),
  };
}

/** Many attempts begin in one millisecond. */
let last = { ms: 0, text: '' };
function isoOf(ms: number): string {
  if (ms !== last.ms) last = { ms, text: new Date(ms).toISOString() };
  return last.text;
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
