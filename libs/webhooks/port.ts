import type { ReadEvent } from '#reading';
import type { WebhookKey } from '#standard-webhooks';

/**
 * What became of one attempt to deliver.
 * `failed`: may succeed later (time-out, 5xx, 408, 409, 425, 429, an answer that broke off). `refused`: this event will not be taken (other 4xx, 3xx).
 * `unreachable`: no connection could be made, so the event is not the cause (R8.2). `gone`: 410, the receiver wants nothing more.
 */
export type AttemptOutcome =
  | { readonly kind: 'delivered'; readonly status: number; readonly ms: number; readonly head?: string }
  | {
      readonly kind: 'failed' | 'refused' | 'gone';
      /** Absent: no answer. */
      readonly status?: number;
      /** Code: `timeout`, `status`, `reset`, `answer_too_large`, … */
      readonly reason: string;
      readonly ms: number;
      /** Wish of the receiver: Retry-After. */
      readonly retryAfterMs?: number;
      /** First bytes of the answer, as text, at most 1,000 characters. */
      readonly head?: string;
    }
  | {
      readonly kind: 'unreachable';
      /** `connect`, `dns`, `tls`, `address_refused`, … */
      readonly reason: string;
      readonly ms: number;
    };

/** Where a webhook goes and how, with its secrets open. */
export interface WebhookEndpoint {
  readonly url: string;
  /** Who owns the subscription: networks may be open for it alone. */
  readonly owner?: string;
  readonly mode: 'structured' | 'binary' | 'batch';
  readonly data: 'json' | 'avro';
  /** HMAC-SHA256 secrets (`v1`), the newest first; each valid one signs. Or Ed25519 keys (`v1a`). */
  readonly keys: readonly WebhookKey[];
}

/** What one request carries: one event, or several in the mode `batch`. */
export interface WebhookMessage {
  /** `webhook-id`: the same at every try. */
  readonly id: string;
  readonly subscription: string;
  readonly events: readonly ReadEvent[];
  readonly try: number;
}
