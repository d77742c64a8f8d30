export { isOutboxFault, OutboxFault, type OutboxFaultCode } from './fault.js';
export type { RefusedEvent } from './file.js';
export {
  createPublisher,
  type OutboxPublisher,
  type OutboxPublisherOptions,
  type OutboxReport,
  type OutboxStatus,
  type PublishOptions,
  type QueuedEvent,
} from './publisher.js';
export type { LastFault, SenderOptions, WhenRefused } from './sender.js';
export { createRelay, type Relay, type RelayOptions, type RelayStatus } from './relay.js';
export { outboxTables, type PgClient, type PgPool, type SqliteDatabase } from './sql.js';
export { outboxIn, type PgOutbox, type SqliteOutbox, type StoredEvent } from './transaction.js';
