import type { IncomingMessage, ServerResponse } from 'node:http';
import { bytesOf, singly } from './body.js';
import { WebhookDoor } from './door.js';
import type { WebhookHandlers, WebhookOptions } from './options.js';

/** A request of node:http, with what parsers of Express and Nest may have added. */
export interface BodyRequest extends IncomingMessage {
  readonly body?: unknown;
  /** The bytes, with `rawBody: true` of NestFactory. */
  readonly rawBody?: unknown;
}

export type WebhookMiddleware = (request: BodyRequest, response: ServerResponse) => void;

/**
 * Receives webhooks in Express (`app.all('/webhooks/simpul', webhookHandler(…))`, before `express.json()`) and as a listener of node:http. It reads the body itself, or takes the
 * bytes of `express.raw()`. A body that a parser has read is answered with 500 `body_parsed`, and one line says so.
 * Throws ConsumerFault (`no_handler`, `two_handlers`), and a TypeError for a secret that is none.
 */
export function webhookHandler(handlers: WebhookHandlers, options: WebhookOptions): WebhookMiddleware {
  return middlewareOf(new WebhookDoor(handlers, options));
}

/** The same for a door of your own. */
export function middlewareOf(door: Pick<WebhookDoor, 'answer'>): WebhookMiddleware {
  return (request, response) => {
    const { method = '' } = request;
    const body = (maxBytes: number): ReturnType<typeof bodyOf> => bodyOf(request, maxBytes);
    void door.answer({ method, headers: singly(request), body }).then((answer) => {
      if (response.headersSent || response.destroyed) return;
      response.writeHead(answer.status, answer.headers);
      response.end(answer.body);
    });
  };
}

function bodyOf(request: BodyRequest, maxBytes: number): Promise<Uint8Array | 'too_large' | 'parsed'> {
  for (const given of [request.rawBody, request.body])
    if (given instanceof Uint8Array) return Promise.resolve(given.length > maxBytes ? 'too_large' : given);
  return bytesOf(request, maxBytes);
}
