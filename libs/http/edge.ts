import type { Caller, Role } from '#access';
import { Fault, innermostMessage } from '#faults';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { OutgoingHttpHeaders } from 'node:http';
import { faultOf } from './faults-of-fastify.js';
import { Places } from './places.js';
import { languageOf, PROBLEM_TYPE, problemOf, retryAfter } from './problem.js';
import { readBody, readQuery } from './read-input.js';
import type { RouteTable } from './routes.js';
import type { RefusedLog } from './refused-log.js';
import { openSse } from './sse.js';
import { TroubleLog } from './trouble-log.js';
import type { Door, Edge, HttpLimits, HttpReport, Logger } from './types.js';
import { whileKeyHolds } from './waiting.js';

export interface EdgeDeps {
  readonly authenticate: (authorization: string | undefined) => Caller | undefined;
  readonly log: Logger;
  readonly limits: HttpLimits;
  readonly now: () => number;
  readonly closing: AbortSignal;
  readonly openStreams: Set<() => void>;
  readonly report: HttpReport;
  readonly refused: RefusedLog;
  readonly routes: RouteTable;
}

/** Sends the problem document of whatever was thrown. The one error path of every door. */
export function sendProblem(
  deps: EdgeDeps,
  req: FastifyRequest,
  reply: FastifyReply,
  thrown: unknown,
  more?: Record<string, unknown>,
): FastifyReply {
  let fault = faultOf(thrown);
  if (fault.code === 'not_found' && req.is404 && deps.routes.methods(req.url).length > 0) {
    fault = new Fault('method_not_allowed');
  }
  const { status } = fault.row;
  const route = req.routeOptions.url ?? null;
  if (status < 500) {
    const keyId = req.caller?.keyId ?? null;
    deps.refused.tell({ code: fault.code, status, method: req.method, route, request: req.id, keyId });
  } else {
    // The text of an inner error may name hosts and files, never event data; it goes to the log only.
    const fields = { code: fault.code, request: req.id, route, cause: innermostMessage(fault) };
    if (status === 500) deps.log.error(fields, 'a request failed');
    else deps.log.warn(fields, 'a request was put off');
  }
  reply.code(status).header('content-type', PROBLEM_TYPE).header('cache-control', 'no-store');
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="simpul"');
  if (status === 405) reply.header('allow', deps.routes.methods(req.url).join(', '));
  if (status === 503 || status === 429) reply.header('retry-after', retryAfter(fault.retryAfterMs ?? 1_000));
  // A body nobody will read must not be drained from a slow or endless sender.
  if (hasBody(req) && req.body === undefined) reply.header('connection', 'close');
  const language = languageOf(req.headers['accept-language']);
  reply.header('content-language', language);
  return reply.send(JSON.stringify({ ...problemOf(fault, language, instanceOf(req)), ...more }));
}

function instanceOf(req: FastifyRequest): string {
  return `urn:simpul:request:${req.id}`;
}

function hasBody(req: FastifyRequest): boolean {
  const length = req.headers['content-length'];
  return req.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/** Node would drop the rest in silence. */
const MAX_HEADERS = 100;

/** Keys, encodings and roles: everything that is decided before one byte of the body is read. */
function admit(deps: EdgeDeps, req: FastifyRequest): void {
  if (req.raw.rawHeaders.length > 2 * MAX_HEADERS) throw new Fault('header_too_large');
  const transfer = req.headers['transfer-encoding'];
  if (transfer !== undefined && transfer.trim().toLowerCase() !== 'chunked') {
    throw new Fault('bad_request_line', { detail: 'the only transfer encoding is chunked' });
  }
  if (req.is404) return;
  const { config } = req.routeOptions;
  req.caller = deps.authenticate(req.headers.authorization);
  if (req.caller === undefined && config.open !== true) throw new Fault('unauthenticated');
  if (config.roles !== undefined) requireRole(req, config.roles);
  const encoding = req.headers['content-encoding'];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    throw new Fault('unsupported_media_type', {
      detail: 'bodies are taken as they are, not compressed',
      problems: [{ pointer: 'content-encoding', reason: 'not supported', expected: 'identity' }],
    });
  }
}

function callerOf(req: FastifyRequest): Caller {
  if (req.caller === undefined) throw new Fault('unauthenticated');
  return req.caller;
}

function requireRole(req: FastifyRequest, roles: readonly Role[]): void {
  const caller = callerOf(req);
  if (!roles.some((r) => caller.roles.has(r))) {
    throw new Fault('forbidden', { detail: `needs one of the roles ${roles.join(', ')}` });
  }
}

/** Puts the doors into a Fastify scope of their own, so that Nest's parsers and error shapes never reach them. */
export function mountDoors(app: FastifyInstance, deps: EdgeDeps, doors: readonly Door[]): void {
  app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_req, body, next) => {
      next(null, body);
    });
    scope.setErrorHandler((e, req, reply) => {
      void sendProblem(deps, req, reply, e);
    });
    scope.addHook('onRoute', (route) => {
      route.bodyLimit ??= deps.limits.bodyBytes;
      for (const method of [route.method].flat()) deps.routes.add({ ...route.config, method, url: route.url });
    });
    scope.addHook('onRequest', (req, _reply, next) => {
      admit(deps, req);
      next();
    });
    const edge = makeEdge(scope, deps);
    for (const door of doors) door(edge);
    done();
  });
}

function makeEdge(scope: FastifyInstance, deps: EdgeDeps): Edge {
  const holds = (req: FastifyRequest): boolean => {
    const now = deps.authenticate(req.headers.authorization);
    return req.caller === undefined || (now !== undefined && now.keyId === req.caller.keyId);
  };
  const { limits, closing, report, openStreams: open } = deps;
  const places = new Places(limits);
  const troubles = new TroubleLog(deps.log, deps.now);
  const sseHost = { limits, open, report, places, holds };
  const waitHost = { recheckMs: limits.recheckMs, closing, places, holds };
  return {
    app: scope,
    log: deps.log,
    limits: deps.limits,
    now: deps.now,
    closing: deps.closing,
    caller: callerOf,
    // Async, because Fastify tells a promise hook by its arity.
    require:
      (...roles) =>
      (req) =>
        new Promise((resolve) => {
          requireRole(req, roles);
          resolve();
        }),
    query: readQuery,
    body: readBody,
    problem: (req, reply, fault, more) => sendProblem(deps, req, reply, fault, more),
    document: (req, fault) => problemOf(fault, languageOf(req.headers['accept-language']), instanceOf(req)),
    page: (req, reply, name, items, next, more) => {
      if (next !== undefined) reply.header('link', `<${nextUrl(req.url, next)}>; rel="next"`);
      return reply.send({ [name]: items, next: next ?? null, ...more });
    },
    json: (req, reply, status, body) => {
      const text = JSON.stringify(body);
      const headers: OutgoingHttpHeaders = {
        'content-type': 'application/json; charset=utf-8',
        'content-length': Buffer.byteLength(text),
        'x-request-id': req.id,
      };
      if (deps.closing.aborted) headers.connection = 'close';
      reply.hijack();
      reply.raw.writeHead(status, headers).end(text);
    },
    waiting: (req, work) => whileKeyHolds(waitHost, req, work),
    passes: (where, thrown) => troubles.passes(where, thrown),
    sse: (req, reply, options) => openSse(sseHost, req, reply, options),
  };
}

/** The same address with another cursor. */
export function nextUrl(url: string, cursor: string): string {
  const [path = '', query = ''] = url.split('?', 2);
  const params = new URLSearchParams(query);
  params.set('cursor', cursor);
  return `${path}?${params.toString()}`;
}
