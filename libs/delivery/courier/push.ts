import type { AttemptOutcome, Handshake } from '#webhooks';
import type { ReadEvent } from '#reading';
import type { Subscription } from '#subscriptions';

/** One attempt as it is made: which events, under which id, and how often it was tried before. */
export interface Sending {
  readonly subscription: Subscription;
  /** `webhook-id`. */
  readonly id: string;
  readonly events: readonly ReadEvent[];
  readonly try: number;
}

/** Brings events to the target of a subscription. */
export interface Push {
  /** Never rejects. An aborted signal ends it; what it answers then is not looked at. */
  send(sending: Sending, signal: AbortSignal): Promise<AttemptOutcome>;
  /** Asks the receiver of a webhook whether it wants them. Never rejects. */
  ask(subscription: Subscription, signal: AbortSignal): Promise<Handshake>;
  /** For the bound of requests to one host. */
  hostOf(subscription: Subscription): string;
}
