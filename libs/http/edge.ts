import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { OutgoingHttpHeaders, Server } from 'node:http';
import { addAdmission, callerOf, stillValid, type AdmissionDeps } from './admission.js';
import { drainConnections } from './drain.js';
import { addHeadChecks } from './head.js';
import { LiveFaultLog } from './live-fault-log.js';
import { sendPage } from './page.js';
import { instanceOf, languageOf, problemOf } from './problem.js';
import { readBody, readQuery } from './read-input.js';
import { sendFault, type ErrorPathDeps } from './send-fault.js';
import { openSse, WatchedStreams } from './sse.js';
import type { Door, Edge, HttpReport } from './types.js';
import { whileKeyValid } from './waiting.js';
import { WaitingQuota } from './waiting-quota.js';

export interface EdgeDeps extends AdmissionDeps, ErrorPathDeps {
  /** Aborted when the server begins to drain. */
  readonly closing: AbortController;
  readonly openStreams: Set<() => void>;
  readonly report: HttpReport;
}

/**
 * Prepares the Fastify server for routes of both kinds, then declares those of the doors; Nest declares those of its controllers afterwards, on the same
 * server: bodies as buffers, checks of the head, admission, request ids, draining, and one error path.
 */
export function mountEdge(fastify: FastifyInstance, deps: EdgeDeps, doors: readonly Door[]): void {
  fastify.decorateRequest('caller', undefined);
  takeBodiesAsBuffers(fastify);
  fastify.addHook('onRoute', (route) => {
    // Errors before a handler runs (admission, body limits) must not pass through Nest, which would lose their codes.
    route.errorHandler ??= (e, req, reply) => void sendFault(deps, req, reply, e);
    for (const method of [route.method].flat()) deps.routes.add({ ...route.config, method, url: route.url });
  });
  addHeadChecks(fastify);
  addAdmission(fastify, deps);
  fastify.addHook('onSend', (req, reply, body, done) => {
    reply.header('x-request-id', req.id);
    if (deps.closing.signal.aborted) reply.header('connection', 'close');
    done(null, body);
  });
  const drain = drainConnections(fastify.server as Server, deps.limits.headersMs);
  fastify.addHook('preClose', (done) => {
    deps.closing.abort();
    for (const end of deps.openStreams) end();
    drain();
    done();
  });
  fastify.addHook('onClose', (_app, done) => {
    deps.refused.close();
    done();
  });
  const edge = makeEdge(fastify, deps);
  for (const door of doors) door(edge);
}

/** Bodies of every type arrive as Buffer, undefined without a body: doors read them by their own strict readers. */
function takeBodiesAsBuffers(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_req, body, next) => {
    next(null, body);
  });
}

/** What doors with hot routes work with. */
function makeEdge(app: FastifyInstance, deps: EdgeDeps): Edge {
  const { limits, report, openStreams: open } = deps;
  const closing = deps.closing.signal;
  const valid = (req: FastifyRequest): boolean => stillValid(deps, req);
  const quota = new WaitingQuota(limits);
  const faults = new LiveFaultLog(deps.log, deps.now);
  const sseHost = {
    limits,
    open,
    report,
    quota,
    valid,
    streams: new WatchedStreams(limits),
    now: performance.now.bind(performance),
  };
  const waitHost = { recheckMs: limits.recheckMs, closing, quota, valid };
  return {
    app,
    log: deps.log,
    limits,
    now: deps.now,
    closing,
    caller: callerOf,
    query: readQuery,
    body: readBody,
    sendFault: (req, reply, fault, more) => sendFault(deps, req, reply, fault, more),
    document: (req, fault) => problemOf(fault, languageOf(req.headers['accept-language']), instanceOf(req.id)),
    page: sendPage,
    json: (req, reply, status, body) => {
      const text = JSON.stringify(body);
      const headers: OutgoingHttpHeaders = {
        'content-type': 'application/json; charset=utf-8',
        'content-length': Buffer.byteLength(text),
        'x-request-id': req.id,
      };
      if (closing.aborted) headers.connection = 'close';
      reply.hijack();
      reply.raw.writeHead(status, headers).end(text);
    },
    waiting: (req, work) => whileKeyValid(waitHost, req, work),
    isTransient: (where, thrown) => faults.isTransient(where, thrown),
    sse: (req, reply, options) => openSse(sseHost, req, reply, options),
  };
}
