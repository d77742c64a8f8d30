import { Fault } from '#faults';
import { Limits } from '#limits';
import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import { makeAdapter } from './adapter.js';
import type { Authenticate } from './authentication.js';
import { CallerGuard, FaultFilter } from './controllers.js';
import { ErrorsController } from './doors/errors.js';
import { mountEdge, type EdgeDeps } from './edge.js';
import { addEntrance } from './entrance.js';
import { NestLog } from './nest-log.js';
import { OpenapiController } from './openapi.js';
import { Connections } from './connections.js';
import { proxiesOf } from './proxies.js';
import { apiProfiles, Profiles, type DoorProfile } from './profile.js';
import { RefusedLog } from './refused-log.js';
import { RouteTable } from './routes.js';
import { CLOSING, EDGE, ROUTES } from './tokens.js';
import type { Door, HttpLimits, HttpReport, Logger } from './types.js';

export const HTTP_LIMITS: HttpLimits = {
  bodyBytes: 65_536,
  batchBytes: 8 * 1_048_576,
  headersMs: 10_000,
  requestMs: 30_000,
  heartbeatMs: 15_000,
  liveBytes: 1_048_576,
  stallMs: 30_000,
  recheckMs: 1_000,
};

/** What the HTTP edge works with, given by the app under the token EDGE. */
export interface EdgeParts {
  /**
   * The caller of an Authorization header; undefined = not valid. It is called before the body is read, so it must answer from memory and take
   * the same time for every wrong key.
   */
  readonly authenticate: Authenticate;
  /** Whether this header holds the whole text of a key that is refused only because it has expired; then a 401 says so. @default never */
  readonly isExpired?: (authorization: string | undefined) => boolean;
  /** Doors with hot routes; the other doors are controllers of the app's modules. */
  readonly doors: readonly Door[];
  /** Profiles of doors that do not take API keys or do not answer problem documents. @default none */
  readonly profiles?: readonly DoorProfile[];
  readonly log: Logger;
  readonly limits?: Partial<HttpLimits>;
  /** @default the numbers of the table */
  readonly budgets?: Limits;
  readonly report?: HttpReport;
  /** @default Date.now */
  readonly now?: () => number;
}

export interface HttpOptions {
  /** 0 = any free port. */
  readonly port: number;
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** Addresses and networks of proxies whose X-Forwarded-For says the address of the client. @default none */
  readonly trustProxy?: readonly string[];
  /** How long an idle connection stays open, ms. Idle connections are closed at once when the server drains. @default 72,000 */
  readonly keepAliveMs?: number;
}

export interface HttpServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  readonly app: NestFastifyApplication;
  /** Drains: ends live streams, answers requests in flight, closes. */
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

/**
 * Starts the Nest app of `module`, mounts the doors of its EDGE provider and listens. Rejects with what a provider or a hook throws, and with Node's error
 * (`EADDRINUSE`) when the port is taken; the app is closed by then.
 * SIGTERM and SIGINT drain (Nest's shutdown hooks): live streams end, requests in flight are answered, then the process exits 0.
 */
export async function openHttp(module: Type | DynamicModule, options: HttpOptions): Promise<HttpServer> {
  const closing = new AbortController();
  const routes = new RouteTable();
  const nestLog = new NestLog();
  // Known once Nest has resolved the providers.
  let deps: EdgeDeps;
  const adapter = makeAdapter(() => deps, options);
  const app = await NestFactory.create<NestFastifyApplication>(
    ServerModule.around(module, closing.signal, routes),
    adapter,
    {
      // Admission decides before the body is read, and our own strict reader reads JSON.
      bodyParser: false,
      logger: nestLog,
      abortOnError: false,
    },
  );
  const parts = app.get<EdgeParts>(EDGE, { strict: false });
  deps = edgeDeps(parts, routes, closing, options);
  mountEdge(adapter.getInstance() as unknown as FastifyInstance, deps, parts.doors);
  app.useGlobalGuards(new CallerGuard());
  app.useGlobalFilters(new FaultFilter(deps));
  app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });
  const server = app.getHttpServer();
  deps.connections.watch(server);
  addEntrance(server, deps);
  server.headersTimeout = deps.limits.headersMs;
  server.requestTimeout = deps.limits.requestMs;
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

function edgeDeps(
  parts: EdgeParts,
  routes: RouteTable,
  closing: AbortController,
  { trustProxy = [] }: HttpOptions,
): EdgeDeps {
  const limits = { ...HTTP_LIMITS, ...parts.limits };
  const report = parts.report ?? {};
  const budgets = parts.budgets ?? new Limits();
  return {
    budgets,
    connections: new Connections({ limits: budgets, isProxy: proxiesOf(trustProxy) }),
    report,
    refused: new RefusedLog(parts.log, report),
    authenticate: parts.authenticate,
    isExpired: parts.isExpired?.bind(parts),
    log: parts.log,
    limits,
    now: parts.now ?? Date.now,
    closing,
    openStreams: new Set(),
    routes,
    profiles: new Profiles([...apiProfiles(limits), ...(parts.profiles ?? [])]),
  };
}
