import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Limits, LongWork, Reached, Turn } from '#limits';
import { pause } from '#concurrency';
import type { IncomingMessage, OutgoingHttpHeaders, Server } from 'node:http';
import type { Socket } from 'node:net';
import { addAdmission, callerOf, stillValid, type AdmissionDeps } from './admission.js';
import { drainConnections } from './drain.js';
import { goneOf } from './gone.js';
import { addHeadChecks } from './head.js';
import { LiveFaultLog } from './live-fault-log.js';
import { sendPage } from './page.js';
import { instanceOf, languageOf, problemOf } from './problem.js';
import { readBody, readQuery } from './read-input.js';
import { sendFault, type ErrorPathDeps } from './send-fault.js';
import { openSse, WatchedStreams } from './sse.js';
import type { Door, Edge, HttpReport } from './types.js';
import { whileKeyValid } from './waiting.js';
import { ownerOf, WaitingQuota } from './waiting-quota.js';
import { Receiving } from './receiving.js';

const LARGE_BYTES = 65_536;
const UNREAD_POLL_MS = 200;

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
  fastify.decorateRequest('response');
  fastify.decorateRequest('route');
  takeBodiesAsBuffers(fastify, deps.budgets);
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
    if (isLarge(body)) setImmediate(() => deps.connections.wrote(req.raw.socket));
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
function takeBodiesAsBuffers(fastify: FastifyInstance, limits: Limits): void {
  const receiving = new Receiving(limits);
  fastify.removeAllContentTypeParsers();
  const receive: Receive = (req, payload, next) => receiving.receive(req, payload, next);
  // Fastify finds an expression again by the text of the header, but parses the header of every request that falls to `*`: 1.4 µs each.
  fastify.addContentTypeParser(/^/, receive);
  fastify.addContentTypeParser('*', receive);
}

type Receive = (
  req: FastifyRequest,
  payload: IncomingMessage,
  next: (error: Error | null, body?: Buffer) => void,
) => void;

/** Answers that are so small that the kernel takes them at once need not be measured. */
function isLarge(body: unknown): boolean {
  return (typeof body === 'string' || Buffer.isBuffer(body)) && body.length > LARGE_BYTES;
}

/** What doors with hot routes work with. */
function makeEdge(app: FastifyInstance, deps: EdgeDeps): Edge {
  const { limits, report, openStreams: open } = deps;
  const closing = deps.closing.signal;
  const valid = (req: FastifyRequest): boolean => stillValid(deps, req);
  const { budgets, connections } = deps;
  const quota = new WaitingQuota(budgets);
  const faults = new LiveFaultLog(deps.log, deps.now);
  const sseHost = {
    limits,
    open,
    report,
    quota,
    valid,
    streams: new WatchedStreams(limits),
    now: performance.now.bind(performance),
    wrote: (socket: Socket) => connections.wrote(socket),
  };
  const unreadAtLast = (req: FastifyRequest): Reached | undefined => {
    const { keyId, owner } = callerOf(req);
    return budgets.unread.reachedBy({ key: keyId, unit: owner });
  };
  const waitHost = { recheckMs: limits.recheckMs, closing, quota, valid };
  return {
    app,
    log: deps.log,
    limits,
    budgets,
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
      if (text.length > LARGE_BYTES) connections.wrote(req.raw.socket);
    },
    waiting: (req, work) => whileKeyValid(waitHost, req, work),
    work: (req, kind = 'list') => {
      const gone = goneOf(req);
      const work = budgets.workOf(ownerOf(req), kind, gone);
      const unread = (): Reached | undefined => connections.unreadOf(callerOf(req));
      // Asked at the beginning of the work too: the answers to requests before it may have come while it waited for its turn.
      if (kind === 'list') {
        budgets.check(unread());
        budgets.check(budgets.turns.reachedBy(ownerOf(req)));
        return { run: (each) => work.run((turn) => (budgets.check(unread()), each(turn))) };
      }
      // As measured last, a moment ago: hundreds of live streams ask.
      if (kind === 'live') return { run: (each) => onceRead(work, () => unreadAtLast(req), gone, each) };
      return work;
    },
    readable: async (req, signal) => {
      await untilRead(() => unreadAtLast(req), signal);
    },
    isTransient: (where, thrown) => faults.isTransient(where, thrown),
    sse: (req, reply, options) => openSse(sseHost, req, reply, options),
  };
}

async function untilRead(unread: () => Reached | undefined, over: AbortSignal): Promise<void> {
  while (!over.aborted && unread() !== undefined) await pause(UNREAD_POLL_MS, over);
}

/** Runs a work whose turn has come once its caller has read enough; until then it gives its turn and its place to others. */
async function onceRead<T>(
  work: LongWork,
  unread: () => Reached | undefined,
  gone: AbortSignal,
  each: (turn: Turn) => Promise<T>,
): Promise<T> {
  for (;;) {
    const done = await work.run(async (turn) => (unread() === undefined ? { value: await each(turn) } : undefined));
    if (done !== undefined) return done.value;
    await untilRead(unread, gone);
  }
}
