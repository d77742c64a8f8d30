import { Fault } from '#faults';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** Of these a second one would say something else to another reader of the same request, a proxy in front of us. */
const ONCE = ['host', 'authorization', 'content-type'];
/** Their lengths differ, and nearly every other header has another one: most names are told apart by a number. */
const BY_LENGTH = new Map(ONCE.map((name, at) => [name.length, at]));
const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i;

/** What HTTP forbids of a head and Node lets pass, or would answer without a shape. Faults bad_request_line, expectation_failed. */
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

/** Whoever waits for 100 gets it once nothing stands against the body: key, role and room are checked before it, and the length told. */
function letThrough(req: FastifyRequest): boolean {
  const length = req.headers['content-length'];
  return length === undefined || Number(length) <= (req.routeOptions.bodyLimit ?? Number.POSITIVE_INFINITY);
}

/** Checks the head of every request, also where nothing lives. `requireHostHeader` of the server must be off. */
export function watchHeads(fastify: FastifyInstance): void {
  const waiting = new WeakSet<IncomingMessage>();
  const server = fastify.server as Server;
  const goOn = (req: IncomingMessage, res: ServerResponse): void => {
    server.emit('request', req, res);
  };
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    waiting.add(req);
    goOn(req, res);
  });
  server.on('checkExpectation', goOn);
  fastify.addHook('onRequest', (req, _reply, done) => {
    checkHead(req.raw);
    done();
  });
  fastify.addHook('preParsing', (req, reply, payload, done) => {
    if (waiting.has(req.raw) && letThrough(req)) reply.raw.writeContinue();
    done(null, payload);
  });
}
