export type { WebhookKey } from '#standard-webhooks';
export type { AttemptOutcome, WebhookEndpoint, WebhookMessage } from './port.js';
export { WebhookSender, type UrlCheck, type WebhookSenderOptions } from './sender.js';
export type { Handshake } from './handshake.js';
