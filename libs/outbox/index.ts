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
