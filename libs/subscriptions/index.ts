export {
  COURIER_PARTITIONS,
  SUBSCRIPTIONS_TOPIC,
  type FilterExpression,
  type SealedSecret,
  type Subscription,
  type SubscriptionSpec,
  type Target,
  type UnitSelector,
  type WebhookTarget,
} from './subscription.js';
