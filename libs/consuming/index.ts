export type { EventSource, FeedBatch, Interest, ReceivedEvent, Sink } from './port.js';
