import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { OutgoingHttpHeaders } from 'node:http';
import { callerOf, stillValid, type AdmissionDeps } from './admission.js';
import { sendPage } from './page.js';
import { Places } from './places.js';
import { instanceOf, languageOf, problemOf } from './problem.js';
import { readBody, readQuery } from './read-input.js';
import { sendFault, type ErrorPathDeps } from './send-fault.js';
import { openSse } from './sse.js';
import { TroubleLog } from './trouble-log.js';
import type { Edge, HttpReport } from './types.js';
import { whileKeyHolds } from './waiting.js';

export interface EdgeDeps extends AdmissionDeps, ErrorPathDeps {
  readonly now: () => number;
  readonly closing: AbortSignal;
  readonly openStreams: Set<() => void>;
  readonly report: HttpReport;
}

/** What doors with hot routes work with. */
export function makeEdge(app: FastifyInstance, deps: EdgeDeps): Edge {
  const { limits, closing, report, openStreams: open } = deps;
  const holds = (req: FastifyRequest): boolean => stillValid(deps, req);
  const places = new Places(limits);
  const troubles = new TroubleLog(deps.log, deps.now);
  const sseHost = { limits, open, report, places, holds };
  const waitHost = { recheckMs: limits.recheckMs, closing, places, holds };
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
    waiting: (req, work) => whileKeyHolds(waitHost, req, work),
    passes: (where, thrown) => troubles.passes(where, thrown),
    sse: (req, reply, options) => openSse(sseHost, req, reply, options),
  };
}
