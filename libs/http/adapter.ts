import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { randomBytes } from 'node:crypto';
import type { EdgeDeps } from './edge.js';
import { answerBrokenConnection } from './raw-errors.js';
import { sendFault } from './send-fault.js';

/** Bytes of all headers of a request; Node fixes this when the server is made. */
const HEADER_BYTES = 16_384;

const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;

function requestIds(): (given: string | string[] | undefined) => string {
  const prefix = randomBytes(6).toString('hex');
  let n = 0;
  return (given) => (typeof given === 'string' && REQUEST_ID.test(given) ? given : `${prefix}-${(++n).toString(36)}`);
}

/** Nest's adapter to a Fastify server that does only what the edge asks for. `deps` is called for requests, never before the server listens. */
export function makeAdapter(deps: () => EdgeDeps): FastifyAdapter {
  const nextId = requestIds();
  return new FastifyAdapter({
    keepAliveTimeout: 5_000,
    routerOptions: { maxParamLength: 1_024 },
    http: {
      maxHeaderSize: HEADER_BYTES,
      connectionsCheckingInterval: 500,
      // Checked by addHeadChecks, so that the answer is a problem document.
      requireHostHeader: false,
    },
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    skipMiddie: true,
    genReqId: (req: { headers: Record<string, string | string[] | undefined> }) => nextId(req.headers['x-request-id']),
    frameworkErrors: (e: Error, req: FastifyRequest, reply: FastifyReply) => {
      void sendFault(deps(), req, reply, e);
    },
    clientErrorHandler: (e, socket) => {
      answerBrokenConnection(e, socket, nextId(undefined), deps().refused);
    },
  });
}
