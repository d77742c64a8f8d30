import { Fault } from '#faults';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** Duplicates of these headers are rejected: a proxy in front of the hub may honour the other copy (request smuggling). */
const ONCE = ['host', 'authorization', 'content-type'];
/** Index by length: the three lengths differ, and most other headers have another length, so few names are compared as text. */
const BY_LENGTH = new Map(ONCE.map((name, at) => [name.length, at]));
const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i;

/** Checks that Node's HTTP parser does not make, or would answer without a problem document. Faults bad_request_line, expectation_failed. */
function checkHead(req: IncomingMessage): void {
  const { rawHeaders, headers } = req;
  let seen = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    const at = BY_LENGTH.get(name.length);
    if (at === undefined || name.toLowerCase() !== ONCE[at]) continue;
    if (seen & (1 << at)) throw new Fault('bad_request_line', { detail: `the header ${ONCE[at]} is given twice` });
    seen |= 1 << at;
  }
  if (req.httpVersion === '1.0') return;
  if (headers.host === undefined) throw new Fault('bad_request_line', { detail: 'the header host is missing' });
  if (headers.expect !== undefined && !CONTINUE.test(headers.expect)) throw new Fault('expectation_failed');
}

/** Send 100 Continue only after authentication, role, admission and Content-Length checks. */
function mayContinue(req: FastifyRequest): boolean {
  const length = req.headers['content-length'];
  return length === undefined || Number(length) <= (req.routeOptions.bodyLimit ?? Number.POSITIVE_INFINITY);
}

/** Checks the head of every request, also where no route is, and answers `Expect: 100-continue`. `requireHostHeader` of the server must be off. */
export function addHeadChecks(fastify: FastifyInstance): void {
  const waiting = new WeakSet<IncomingMessage>();
  const server = fastify.server as Server;
  const handle = (req: IncomingMessage, res: ServerResponse): void => {
    server.emit('request', req, res);
  };
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    waiting.add(req);
    handle(req, res);
  });
  server.on('checkExpectation', handle);
  fastify.addHook('onRequest', (req, _reply, done) => {
    checkHead(req.raw);
    done();
  });
  fastify.addHook('preParsing', (req, reply, payload, done) => {
    if (waiting.has(req.raw) && mayContinue(req)) reply.raw.writeContinue();
    done(null, payload);
  });
}
