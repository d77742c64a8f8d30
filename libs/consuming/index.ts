export { Consumer, createConsumer } from './consumer.js';
export { ConsumerFault, reasonOf, type ConsumerFaultCode } from './fault.js';
export {
  onBatch,
  onEvent,
  type BatchContext,
  type BatchOptions,
  type ConsumerOptions,
  type ConsumerReport,
  type DeadLetter,
  type DeadLetters,
  type Failure,
  type HandlerContext,
  type HandlerOptions,
  type Handling,
  type Limits,
  type Then,
} from './handler.js';
export type { Inbox, InboxEvent } from './inbox.js';
export type { Account, EventSource, FeedBatch, Interest, ReceivedEvent, Sink } from './port.js';
export type { ConsumerStatus, FeedStatus, Parked } from './status.js';
export { HubDeadLetters, type HubDeadLettersOptions } from './hub-dead-letters.js';
export { HubSource, type HubSourceOptions, type HubSourceReport } from './hub-source.js';
export {
  SubscriptionSource,
  type SubscriptionSourceOptions,
  type SubscriptionStanding,
} from './subscription-source.js';
export { pgInbox, pgPlaces, type PgClient, type PgPool } from './pg.js';
export { filePlaces, type Places } from './places.js';
export { SourceSet, type NamedSource, type SourceSetOptions } from './source-set.js';
export { sqliteInbox, sqlitePlaces, type SqliteDatabase } from './sqlite.js';
export { isTestEvent, withTestEvents, type TestEventsOptions } from './test-events.js';
export { resolverOf } from './versions.js';
