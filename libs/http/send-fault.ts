import { Fault, innermostMessage } from '#faults';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OutgoingHttpHeaders } from 'node:http';
import { CHALLENGES } from './authentication.js';
import { faultOf } from './faults-of-fastify.js';
import { instanceOf, languageOf, PROBLEM_TYPE, problemOf, retryAfter } from './problem.js';
import { endAfterBody } from './linger.js';
import type { Profiles } from './profile.js';
import type { RefusedLog } from './refused-log.js';
import { REGISTRY_TYPE, registryErrorOf } from './registry-error.js';
import type { RouteTable } from './routes.js';
import { statusOf } from './status.js';
import type { Logger } from './types.js';

export interface ErrorPathDeps {
  readonly log: Logger;
  readonly refused: RefusedLog;
  readonly routes: RouteTable;
  readonly profiles: Profiles;
}

/**
 * Answers whatever was thrown, in the shape of the door's profile: the one error path of Fastify routes, Nest controllers and Nest itself.
 * `more`: members beside those of a problem document.
 */
export function sendFault(
  deps: ErrorPathDeps,
  req: FastifyRequest,
  reply: FastifyReply,
  thrown: unknown,
  more?: Record<string, unknown>,
): FastifyReply {
  let fault = faultOf(thrown);
  if (fault.code === 'not_found' && req.is404 && deps.routes.methods(req.url).length > 0) {
    fault = new Fault('method_not_allowed');
  }
  const status = statusOf(fault.code);
  const { url: route, config } = req.routeOptions as RouteOfRequest;
  const profile = config?.profile ?? deps.profiles.of(req.url);
  report(deps, req, route ?? null, fault, status);
  reply.code(status).header('cache-control', 'no-store');
  const challenge = CHALLENGES[profile.auth];
  if (status === 401 && challenge !== undefined) reply.header('www-authenticate', challenge);
  if (status === 405) reply.header('allow', deps.routes.methods(req.url).join(', '));
  if (status === 503 || status === 429 || (status === 500 && fault.retryAfterMs !== undefined))
    reply.header('retry-after', retryAfter(fault.retryAfterMs ?? 1_000));
  if (profile.errors === 'registry') {
    // As bytes: Fastify would add a charset to the media type of a text.
    reply.header('content-type', REGISTRY_TYPE);
    return send(req, reply, fault, Buffer.from(JSON.stringify(registryErrorOf(fault))));
  }
  const language = languageOf(req.headers['accept-language']);
  reply.header('content-type', PROBLEM_TYPE).header('content-language', language);
  const document = { ...problemOf(fault, language, instanceOf(req.id)), ...more };
  return send(req, reply, fault, Buffer.from(JSON.stringify(document)));
}

/** The connection of a request whose body nothing will read is not used again: a slow or endless sender would hold it. */
function send(req: FastifyRequest, reply: FastifyReply, { code }: Fault, body: Buffer): FastifyReply {
  if (!hasBody(req) || req.body !== undefined) return reply.send(body);
  reply.header('connection', 'close');
  // Where the framing is wrong nobody knows where a body ends. A client that sent `Expect: 100-continue` may send its body without waiting.
  if (code === 'bad_request_line') return reply.send(body);
  reply.header('x-request-id', req.id).header('content-length', body.length);
  reply.hijack();
  reply.raw.writeHead(reply.statusCode, reply.getHeaders() as OutgoingHttpHeaders);
  endAfterBody(req.raw, reply.raw, body);
  return reply;
}

/** Fastify finds no route, and has no configuration, for a URL that it cannot read. */
type RouteOfRequest = Partial<Pick<FastifyRequest['routeOptions'], 'url' | 'config'>>;

function report(deps: ErrorPathDeps, req: FastifyRequest, route: string | null, fault: Fault, status: number): void {
  if (status < 500) {
    const keyId = req.caller?.keyId ?? null;
    deps.refused.add({ code: fault.code, status, method: req.method, route, request: req.id, keyId });
    return;
  }
  // The text of an inner error may name hosts and files, never event data; it goes to the log only.
  const fields = { code: fault.code, request: req.id, route, cause: innermostMessage(fault) };
  if (fault.row.class === 'unusable') deps.log.error(fields, 'request failed: an operator must act');
  else if (status === 500) deps.log.error(fields, 'request failed: internal error');
  else deps.log.warn(fields, 'request answered 503: service unavailable');
}

function hasBody(req: FastifyRequest): boolean {
  const length = req.headers['content-length'];
  return req.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
