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

/** As Push.send(). What this process itself cannot do with an event counts as a failed try: it is parked in the end, where a person sees it. */
export async function sent(
  { push, failed }: { readonly push: Push; readonly failed: (cause: unknown) => void },
  sending: Sending,
  signal: AbortSignal,
): Promise<AttemptOutcome> {
  try {
    return await push.send(sending, signal);
  } catch (cause) {
    failed(cause);
    return { kind: 'failed', reason: 'internal', ms: 0 };
  }
}
