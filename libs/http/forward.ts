import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { Agent, type Dispatcher } from 'undici';
import { goneOf } from './gone.js';

/** The header of a request that another hub process has sent on; its value is the address of that process. */
export const FORWARDED = 'simpul-forwarded';

/** Headers of one connection (RFC 9110, 7.6.1), and those that the client sets by itself. */
const OF_CONNECTION = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
  'content-length',
]);
/** What the edge of this process sets on every answer. */
const OF_EDGE = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'trailer',
  'upgrade',
  'date',
  'x-request-id',
  'simpul-key-expires',
]);

const CONNECT_MS = 1_000;
/** Longer than the longest wait that a request may ask for. */
const ANSWER_MS = 45_000;
/** Live streams have a heartbeat every 15 s. */
const SILENT_MS = 60_000;

/**
 * What became of a request that was sent on. `answered`: by the other process, whatever it says. `not_owner`: it was there, and is not the owner. `unreached`: no
 * connection could be made, so nothing was done. `lost`: the connection broke before the answer, and nobody knows what was done.
 */
export type Forwarded =
  | { readonly kind: 'answered'; readonly answer: Dispatcher.ResponseData }
  | { readonly kind: 'not_owner' | 'unreached' }
  | { readonly kind: 'lost'; readonly cause: unknown };

/** Sends requests on to other hub processes, over connections that stay open. */
export class Forwarder {
  readonly #address: string;
  readonly #agent: Agent;

  /** `address`: how other processes reach this one. */
  constructor({ address }: { readonly address: string }) {
    this.#address = address;
    this.#agent = new Agent({
      connect: { timeout: CONNECT_MS },
      connections: 128,
      keepAliveTimeout: 30_000,
      headersTimeout: ANSWER_MS,
      bodyTimeout: SILENT_MS,
    });
  }

  /**
   * Sends a request on as it is: method, path, query, headers with its key, body. It ends when the client disconnects, or when `over` aborts. Rejects with the reason
   * of the signal then, never for what the other process or the network does.
   */
  async send(req: FastifyRequest, address: string, over?: AbortSignal): Promise<Forwarded> {
    const gone = goneOf(req);
    const signal = over === undefined ? gone : AbortSignal.any([gone, over]);
    try {
      const answer = await this.#agent.request({
        origin: new URL(address).origin,
        path: req.raw.url ?? '/',
        method: req.method as Dispatcher.HttpMethod,
        headers: { ...forwardedHeaders(req.headers), [FORWARDED]: this.#address, 'x-request-id': req.id },
        body: Buffer.isBuffer(req.body) && req.body.length > 0 ? req.body : null,
        signal,
      });
      if (answer.statusCode !== 421) return { kind: 'answered', answer };
      await answer.body.dump();
      return { kind: 'not_owner' };
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      return isUnreached(cause) ? { kind: 'unreached' } : { kind: 'lost', cause };
    }
  }

  /** Waits for nothing: requests in flight end with their clients. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** Gives the answer of the other process to the client: status and headers on the reply, the body as the stream that the handler returns. */
export function passOn(reply: FastifyReply, { statusCode, headers, body }: Dispatcher.ResponseData): Readable {
  void reply.status(statusCode);
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !OF_EDGE.has(name)) void reply.header(name, value);
  return body;
}

function forwardedHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const named = new Set(
    (headers.connection ?? '')
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  );
  const out: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !OF_CONNECTION.has(name) && !named.has(name)) out[name] = value;
  return out;
}

const NO_CONNECTION = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function isUnreached(cause: unknown): boolean {
  const { code, errors } = cause as { code?: unknown; errors?: unknown };
  if (typeof code === 'string' && NO_CONNECTION.has(code)) return true;
  // Several addresses of one name were tried.
  return Array.isArray(errors) && errors.length > 0 && errors.every(isUnreached);
}
