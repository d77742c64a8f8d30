import type { Push, Sending } from '#delivery';
import { openKeys, type Subscription, type WebhookTarget } from '#subscriptions';
import type { AttemptOutcome, Handshake, WebhookEndpoint, WebhookSender } from '#webhooks';

/** Opened keys are kept while the row of the subscription is the same, and looked at again after this, because a rotated secret ends. */
const KEYS_MS = 60_000;

interface Open {
  readonly subscription: Subscription;
  readonly until: number;
  readonly endpoint: WebhookEndpoint;
}

/** Brings events to webhooks: the secrets are opened here, and nowhere else kept. */
export class WebhookPush implements Push {
  readonly #sender: WebhookSender;
  readonly #sealKey: Buffer;
  readonly #now: () => number;
  readonly #origin: string;
  readonly #open = new Map<string, Open>();

  /** `origin`: DNS name of this hub. */
  constructor(sender: WebhookSender, sealKey: Buffer, now: () => number, origin: string) {
    this.#sender = sender;
    this.#sealKey = sealKey;
    this.#now = now;
    this.#origin = origin;
  }

  hostOf({ target }: Subscription): string {
    return target.kind === 'webhook' ? new URL(target.url).host : '';
  }

  send(sending: Sending, signal: AbortSignal): Promise<AttemptOutcome> {
    const { subscription, id, events } = sending;
    return this.#sender.send(
      this.#endpointOf(subscription),
      { id, subscription: subscription.id, events, try: sending.try },
      signal,
    );
  }

  ask({ target, owner }: Subscription, signal: AbortSignal): Promise<Handshake> {
    return this.#sender.handshake({ url: (target as WebhookTarget).url, owner }, this.#origin, signal);
  }

  #endpointOf(subscription: Subscription): WebhookEndpoint {
    const known = this.#open.get(subscription.id);
    const now = this.#now();
    if (known?.subscription === subscription && now < known.until) return known.endpoint;
    const { url, mode, data } = subscription.target as WebhookTarget;
    const { owner } = subscription;
    const endpoint = { url, owner, mode, data, keys: openKeys(subscription, this.#sealKey, now) };
    this.#open.set(subscription.id, { subscription, until: now + KEYS_MS, endpoint });
    return endpoint;
  }
}
