export type { AttemptOutcome, WebhookEndpoint, WebhookKey, WebhookMessage } from './port.js';
