import { Readable } from 'node:stream';
import { bytesOf, singly } from './body.js';
import { WebhookDoor } from './door.js';
import type { WebhookHandlers, WebhookOptions } from './options.js';

/** What the plug-in needs of Fastify 4 or 5. */
export interface FastifyScope {
  removeAllContentTypeParsers(): unknown;
  addContentTypeParser(
    type: string,
    parser: (request: never, payload: never, done: (error: Error | null, body?: unknown) => void) => void,
  ): unknown;
  route(options: {
    method: ('POST' | 'OPTIONS')[];
    url: string;
    handler: (request: ScopeRequest, reply: ScopeReply) => unknown;
  }): unknown;
}

interface ScopeRequest {
  readonly method: string;
  readonly body: unknown;
  readonly raw: { readonly headers: NodeJS.Dict<string | string[]>; readonly headersDistinct?: NodeJS.Dict<string[]> };
}

interface ScopeReply {
  code(status: number): { headers(values: Record<string, string>): { send(body?: string): unknown } };
}

export interface WebhookPluginOptions extends WebhookOptions {
  /** @default /webhooks/simpul */
  readonly path?: string | undefined;
}

export const DEFAULT_PATH = '/webhooks/simpul';

/**
 * Receives webhooks in Fastify: `app.register(webhookPlugin(handlers, { secrets, path }))`. Body parsers of the app are left as they are, and do not see these requests.
 * Throws ConsumerFault (`no_handler`, `two_handlers`), and a TypeError for a secret that is none.
 */
export function webhookPlugin(
  handlers: WebhookHandlers,
  options: WebhookPluginOptions,
): (scope: FastifyScope) => Promise<void> {
  return pluginOf(new WebhookDoor(handlers, options), options.path);
}

/** The same for a door of your own. Must not be wrapped by fastify-plugin: the parsers of its scope are its own. */
export function pluginOf(
  door: Pick<WebhookDoor, 'answer'>,
  path: string = DEFAULT_PATH,
): (scope: FastifyScope) => Promise<void> {
  return async (scope) => {
    scope.removeAllContentTypeParsers();
    // The stream itself: the head is checked before a byte of the body is kept.
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    scope.route({
      method: ['POST', 'OPTIONS'],
      url: path,
      handler: async ({ method, body, raw }, reply) => {
        const answer = await door.answer({
          method,
          headers: singly(raw),
          body: (maxBytes) => bytesOf(body instanceof Readable ? body : Readable.from([]), maxBytes),
        });
        return reply.code(answer.status).headers(answer.headers).send(answer.body);
      },
    });
  };
}
