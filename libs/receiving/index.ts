export { verifyWebhook, type SignedRequest, type Verification, type VerifyOptions } from '#standard-webhooks';
export { WebhookDoor, type DoorRequest } from './door.js';
export { pluginOf, webhookPlugin, type FastifyScope, type WebhookPluginOptions } from './fastify.js';
export type { WebhookHandlers, WebhookHandlerContext, WebhookOptions, WebhookReport } from './options.js';
export { Refuse, RetryLater, type WebhookAnswer } from './outcomes.js';
export { middlewareOf, webhookHandler, type BodyRequest, type WebhookMiddleware } from './node.js';
export {
  receiveWebhook,
  type DeliveredEvent,
  type ReceiveOptions,
  type Received,
  type Refused,
  type RefusalReason,
  type WebhookRequest,
} from './receive.js';
export type { Form } from './cloud-events.js';
export type { SchemaOf } from './data.js';
export type { GivenHeaders } from './headers.js';
