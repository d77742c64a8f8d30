export {
  Publishing,
  type PublishingDeps,
  type PublishingReport,
  type PublishRequest,
  type Trial,
} from './publishing.js';
export type { Appends } from './appends.js';
export {
  checkItem,
  type CheckContext,
  type CheckRules,
  type MayPublish,
  type DateBound,
  type MayState,
} from './check.js';
export { isPlainText } from './attributes.js';
export type { Checked, Content, ItemOutcome, Offered, ReadyItem, Receipt } from './item.js';
export { PUBLISH_LIMITS, type PublishLimits } from './limits.js';
export {
  openRefusals,
  REFUSALS_TOPIC,
  type Refusal,
  type RefusalQuery,
  Refusals,
  type RefusalsDeps,
} from './refusals.js';
export { openResends, RESENDS_SPEC, Resends, resendsOf, type MinuteOfResends, type ResendsDeps } from './resends.js';
export { eventSubject } from './subject.js';
