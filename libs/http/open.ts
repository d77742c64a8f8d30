import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Fault } from '#faults';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { addAdmission } from './admission.js';
import type { Authenticate } from './authentication.js';
import { CallerGuard, FaultFilter } from './controllers.js';
import { ErrorsController } from './doors/errors.js';
import { makeEdge, type EdgeDeps } from './edge.js';
import { watchHeads } from './head.js';
import { NestLog } from './nest-log.js';
import { OpenapiController } from './openapi.js';
import { apiProfiles, Profiles, type DoorProfile } from './profile.js';
import { answerBrokenConnection } from './raw-errors.js';
import { RefusedLog } from './refused-log.js';
import { RouteTable } from './routes.js';
import { sendFault } from './send-fault.js';
import { CLOSING, EDGE, ROUTES } from './tokens.js';
import type { Door, HttpLimits, HttpReport, Logger } from './types.js';

/** Of all headers of a request; fixed when the server is made. */
const HEADER_BYTES = 16_384;

export const HTTP_LIMITS: HttpLimits = {
  bodyBytes: 1_048_576,
  batchBytes: 8 * 1_048_576,
  receivingBytes: 256 * 1_048_576,
  headersMs: 10_000,
  requestMs: 30_000,
  connections: 2_000,
  heartbeatMs: 15_000,
  liveBytes: 1_048_576,
  stallMs: 30_000,
  recheckMs: 1_000,
  waitingPerKey: 200,
  waitingPerAddress: 1_000,
};

/** What the HTTP edge works with, given by the app under the token EDGE. */
export interface EdgeParts {
  /**
   * The caller of an Authorization header; undefined = not valid. It is called before the body is read, so it must answer from memory and take
   * the same time for every wrong key.
   */
  readonly authenticate: Authenticate;
  /** Doors with hot routes; the other doors are controllers of the app's modules. */
  readonly doors: readonly Door[];
  /** Profiles of doors that do not take API keys or do not answer problem documents. @default none */
  readonly profiles?: readonly DoorProfile[];
  readonly log: Logger;
  readonly limits?: Partial<HttpLimits>;
  readonly report?: HttpReport;
  /** @default Date.now */
  readonly now?: () => number;
}

export interface HttpOptions {
  /** 0 = any free port. */
  readonly port: number;
  /** @default '127.0.0.1' */
  readonly host?: string;
}

export interface HttpServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  readonly app: NestFastifyApplication;
  /** Ends live streams, answers what is in flight, closes. */
  close(): Promise<void>;
}

@Module({})
class ServerModule {
  /** What every server has beside the app's own module: the error page and /openapi.json, and the signal CLOSING for any controller. */
  static around(app: Type | DynamicModule, closing: AbortSignal, routes: RouteTable): DynamicModule {
    return {
      module: ServerModule,
      global: true,
      imports: [app],
      controllers: [ErrorsController, OpenapiController],
      providers: [
        { provide: CLOSING, useValue: closing },
        { provide: ROUTES, useValue: routes },
      ],
      exports: [CLOSING],
    };
  }
}

/** Bodies of every type arrive as Buffer, undefined without a body: doors read them by their own strict readers. */
function takeBodiesAsBuffers(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_req, body, next) => {
    next(null, body);
  });
}

const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;

function requestIds(): (given: string | string[] | undefined) => string {
  const prefix = randomBytes(6).toString('hex');
  let n = 0;
  return (given) => (typeof given === 'string' && REQUEST_ID.test(given) ? given : `${prefix}-${(++n).toString(36)}`);
}

/**
 * Starts the Nest app of `module`, mounts the doors of its EDGE provider and listens. Rejects with what a provider or a hook throws, and with Node's error
 * (`EADDRINUSE`) when the port is taken; the app is closed by then.
 * SIGTERM and SIGINT drain (Nest's shutdown hooks): live streams end, requests in flight are answered, then the process exits 0.
 */
export async function openHttp(module: Type | DynamicModule, options: HttpOptions): Promise<HttpServer> {
  const nextId = requestIds();
  const closing = new AbortController();
  const routes = new RouteTable();
  const nestLog = new NestLog();
  // Known once Nest has resolved the providers: before the server listens, so before any of the callbacks below is called.
  let deps: EdgeDeps;
  const adapter = new FastifyAdapter({
    keepAliveTimeout: 5_000,
    routerOptions: { maxParamLength: 1_024 },
    http: {
      maxHeaderSize: HEADER_BYTES,
      connectionsCheckingInterval: 500,
      // Asked for by watchHeads, with an answer in our shape.
      requireHostHeader: false,
    },
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    skipMiddie: true,
    genReqId: (req: { headers: Record<string, string | string[] | undefined> }) => nextId(req.headers['x-request-id']),
    frameworkErrors: (e: Error, req: FastifyRequest, reply: FastifyReply) => {
      void sendFault(deps, req, reply, e);
    },
    clientErrorHandler: (e, socket) => {
      answerBrokenConnection(e, socket, nextId(undefined), deps.refused);
    },
  });
  const fastify = adapter.getInstance() as unknown as FastifyInstance;
  const app = await NestFactory.create<NestFastifyApplication>(
    ServerModule.around(module, closing.signal, routes),
    adapter,
    {
      // Admission decides before the body is read, and JSON is read strictly, by our own reader.
      bodyParser: false,
      logger: nestLog,
      abortOnError: false,
    },
  );
  const parts = app.get<EdgeParts>(EDGE, { strict: false });
  const limits = { ...HTTP_LIMITS, ...parts.limits };
  const report = parts.report ?? {};
  const refused = new RefusedLog(parts.log, report);
  deps = {
    report,
    refused,
    authenticate: parts.authenticate,
    log: parts.log,
    limits,
    now: parts.now ?? Date.now,
    closing: closing.signal,
    openStreams: new Set(),
    routes,
    profiles: new Profiles([...apiProfiles(limits), ...(parts.profiles ?? [])]),
  };
  fastify.decorateRequest('caller', undefined);
  watchHeads(fastify);
  fastify.addHook('onSend', (req, reply, body, done) => {
    reply.header('x-request-id', req.id);
    if (closing.signal.aborted) reply.header('connection', 'close');
    done(null, body);
  });
  fastify.addHook('preClose', (done) => {
    closing.abort();
    for (const end of deps.openStreams) end();
    done();
  });
  fastify.addHook('onClose', (_app, done) => {
    refused.close();
    done();
  });
  takeBodiesAsBuffers(fastify);
  fastify.addHook('onRoute', (route) => {
    // Errors before a handler runs (admission, body limits) must not pass through Nest, which would lose their codes.
    route.errorHandler ??= (e, req, reply) => void sendFault(deps, req, reply, e);
    for (const method of [route.method].flat()) routes.add({ ...route.config, method, url: route.url });
  });
  addAdmission(fastify, deps);
  const edge = makeEdge(fastify, deps);
  for (const door of parts.doors) door(edge);
  app.useGlobalGuards(new CallerGuard());
  app.useGlobalFilters(new FaultFilter(deps));
  app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });
  const server = app.getHttpServer();
  server.maxConnections = limits.connections;
  server.headersTimeout = limits.headersMs;
  server.requestTimeout = limits.requestMs;
  try {
    await app.listen(options.port, options.host ?? '127.0.0.1');
  } catch (e) {
    // Nest closes what the providers have opened only when it is asked to.
    nestLog.to = parts.log;
    await app.close();
    throw e;
  }
  nestLog.to = parts.log;
  const address = server.address() as AddressInfo | null;
  if (address === null) throw new Fault('internal', { detail: 'the server has no address' });
  return {
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    app,
    close: () => app.close(),
  };
}
