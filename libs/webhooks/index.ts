export type { AttemptOutcome, WebhookEndpoint, WebhookMessage } from './port.js';
export type { WebhookKey } from '#standard-webhooks';
