export { foreignAnswer, type Answer, type Shape } from './answer.js';
export { dataAs, dataOfAnyVersion, dataschemaOf, decodeAs, encodeEvent, eventAs, type CodecOptions } from './codec.js';
export {
  backoffMs,
  connect,
  type Connection,
  type ConnectionOptions,
  type Reply,
  type RetryOptions,
} from './connection.js';
export { faultOf, isSdkFault, SdkFault, type ProblemDocument, type ProblemItem } from './fault.js';
export { UnitFault, type UnitFaultCode } from '#faults';
export { newEvent } from './new-event.js';
export { createIds, type IdOptions } from './ids.js';
export type { LiveOptions, LiveReport, SubscriptionLiveOptions } from './live.js';
export {
  createPublisher,
  needsOperator,
  orderingKeyOf,
  type NewEvent,
  type Outcome,
  type PreparedEvent,
  type Publisher,
  type PublisherOptions,
  type PublisherReport,
  type Receipt,
  type Step,
} from './publisher.js';
export {
  createReader,
  type EventPage,
  type EventTypeRow,
  type KeyOwner,
  type Reader,
  type ReaderOptions,
  type ReadEvent,
  type ReadOptions,
  type StateEntry,
  type StateOptions,
  type UnitRow,
} from './reader.js';
export {
  on,
  type EventHandler,
  type EventOfType,
  type HandlerContext,
  type TypedHandler,
  type TypeName,
} from './handlers.js';
export { LeaseAccount, type LeaseState } from './lease-account.js';
export {
  leaseFailureOf,
  PullClient,
  type LeaseFailure,
  type PullClientOptions,
  type PulledLease,
} from './pull-client.js';
export { subscribe, type RunningSubscription, type SubscribeOptions, type SubscribeReport } from './subscribe.js';
export {
  matchSubscription,
  type Matched,
  type StartsOf,
  type SubscriptionWish,
  type UnitChoice,
} from './subscription-spec.js';
export { defineEvent, type DataOf, type EventOf, type EventToken } from './token.js';
export type {
  Base64Text,
  DateText,
  DecimalText,
  Long,
  TimeText,
  ToPublish,
  UnknownSymbol,
  UuidText,
} from './plain-types.js';
export * as shapes from './shapes.js';
