import type { ReadEvent } from '#reading';
import type { ItemResult, Outcome } from '../lanes/types.js';
import type { AttemptRow } from '../port.js';
import { editedBy } from './edited.js';

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
    outcome: result === undefined || result === 'skipped' ? 'failed' : result,
    reason,
    head: outcome.kind === 'delivered' ? undefined : head,
    edited: editedBy(event),
  };
}
