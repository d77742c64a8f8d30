import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { EdgeDeps } from './edge.js';
import type { HttpOptions } from './open.js';
import { answerBrokenConnection, answerConnect } from './raw-errors.js';
import { sendFault } from './send-fault.js';

/** Longer than the 60 s after which most proxies close an idle connection: the side that closes last never meets a request on a closed connection. */
const KEEP_ALIVE_MS = 72_000;
/** Bytes of all headers of a request; Node fixes this when the server is made. */
const HEADER_BYTES = 16_384;

const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;

function requestIds(): (given: string | string[] | undefined) => string {
  const prefix = randomBytes(6).toString('hex');
  let n = 0;
  return (given) => (typeof given === 'string' && REQUEST_ID.test(given) ? given : `${prefix}-${(++n).toString(36)}`);
}

/** Nest's adapter to a Fastify server that does only what the edge asks for. `deps` is called for requests, never before the server listens. */
export function makeAdapter(
  deps: () => EdgeDeps,
  { trustProxy = [], keepAliveMs = KEEP_ALIVE_MS }: Pick<HttpOptions, 'trustProxy' | 'keepAliveMs'>,
): FastifyAdapter {
  const nextId = requestIds();
  const adapter = new FastifyAdapter({
    keepAliveTimeout: keepAliveMs,
    trustProxy: trustProxy.length > 0 ? [...trustProxy] : false,
    routerOptions: { maxParamLength: 1_024 },
    http: {
      maxHeaderSize: HEADER_BYTES,
      connectionsCheckingInterval: 500,
      // Checked by addHeadChecks, so that the answer is a problem document.
      requireHostHeader: false,
    },
    forceCloseConnections: 'idle',
    exposeHeadRoutes: true,
    skipMiddie: true,
    genReqId: (req: { headers: Record<string, string | string[] | undefined> }) => nextId(req.headers['x-request-id']),
    frameworkErrors: (e: Error, req: FastifyRequest, reply: FastifyReply) => {
      void sendFault(deps(), req, reply, e);
    },
    clientErrorHandler: (e, socket) => {
      if (deps().connections.isEnding(socket)) return;
      answerBrokenConnection(e, socket, nextId(undefined), deps().refused);
    },
  });
  const server = adapter.getInstance().server as Server;
  server.on('connect', (_req, socket) => answerConnect(socket, nextId(undefined), deps().refused));
  return adapter;
}
