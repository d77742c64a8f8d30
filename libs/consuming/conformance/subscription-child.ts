import { connect } from '#sdk';
import { SubscriptionSource } from '../index.js';

/** The source over a subscription as a child of the conformance suite opens it. */
export const openSubscription = ({
  url,
  key,
  group,
}: {
  url: string;
  key: string;
  group: string;
}): SubscriptionSource =>
  new SubscriptionSource({ connection: connect({ url }), key, name: group, leaseMs: 1_000, patienceMs: 1_000 });
