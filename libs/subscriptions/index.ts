export { callerOf } from './caller.js';
export { compileSubscription, type CompiledSubscription, type Matched } from './compiled.js';
export { MatchIndex, type Due } from './match-index.js';
export { preview, type Preview, type PreviewDeps } from './preview.js';
export { parseSubscription, serialiseSubscription, type SubscriptionRow } from './row.js';
export {
  makeSecret,
  openKeys,
  publicKeysOf,
  rotated,
  ROTATION_MS,
  webhookSealKey,
  type Keyed,
  type MadeSecret,
  type PublicKey,
} from './secrets.js';
export { SharedEvent } from './shared-event.js';
export { readSpec, readSpecWithUrl, specProblems, type SpecRead, type SpecRules, type UrlRule } from './spec-rules.js';
export { streamsOf, wishOf, type Wishes } from './streams.js';
export { isSubscriptionId, partitionOfSubscription, subscriptionId } from './subscription-id.js';
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
export { typePattern, type TypePattern } from './type-pattern.js';
