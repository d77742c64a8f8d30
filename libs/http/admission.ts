import { hasRole, type Caller } from '#access';
import { Fault, verbatim } from '#faults';
import type { FastifyContextConfig, FastifyInstance, FastifyRequest } from 'fastify';
import { authenticated, bearerOf, type Authenticate } from './authentication.js';
import type { Profiles } from './profile.js';
import type { Connections } from './connections.js';
import type { HttpLimits, HttpReport, UsedDoor } from './types.js';
import type { Limits } from '#limits';
import { texts } from './texts.js';

export interface AdmissionDeps {
  readonly authenticate: Authenticate;
  /** Whether an Authorization header holds a key that is refused for its age alone: then the 401 says so. @default never */
  readonly isExpired?: ((authorization: string | undefined) => boolean) | undefined;
  readonly now: () => number;
  readonly limits: HttpLimits;
  readonly profiles: Profiles;
  readonly budgets: Limits;
  readonly connections: Connections;
  readonly report: HttpReport;
}

/** Node would drop the rest silently. */
const MAX_HEADERS = 100;

/**
 * Decides about every request before one byte of its body is read, for Fastify routes and Nest controllers alike: credentials by the scheme of
 * the door's profile, roles, content encoding, connections of the key. Sets `req.caller`. Call it before the first route is declared.
 */
export function addAdmission(fastify: FastifyInstance, deps: AdmissionDeps): void {
  fastify.addHook('onRoute', (route) => {
    const profile = deps.profiles.of(route.url);
    route.config = { ...route.config, profile };
    const bodyBytes = route.config.bodyBytes ?? profile.limits?.bodyBytes ?? deps.limits.bodyBytes;
    route.bodyLimit ??= bodyBytes;
  });
  fastify.addHook('onRequest', (req, reply, next) => {
    // Fastify makes this object anew each time that it is asked for it.
    const { config } = (req.route = req.routeOptions);
    const { profile } = config;
    // Where no route is, the answer is 404 with or without a key.
    if (profile !== undefined) {
      checkHeaders(req);
      req.response = reply.raw;
      req.caller = authenticated(profile, req, deps.authenticate);
      if (req.caller === undefined && config.open !== true && deps.isExpired?.(bearerOf(profile, req)) === true)
        throw new Fault('key_expired');
      if (req.caller !== undefined) {
        const reached = deps.connections.seen(req.raw.socket, req.caller);
        if (reached !== undefined) {
          reply.header('connection', 'close');
          deps.budgets.check(reached);
        }
      }
      checkAccess(req, config);
      const { expiry } = req.caller ?? {};
      // On the raw response, because hot answers and live streams are written past Fastify's headers.
      if (expiry !== undefined && deps.now() >= expiry.noticeMs)
        reply.raw.setHeader('simpul-key-expires', new Date(expiry.atMs).toISOString());
      checkEncoding(req);
      if (req.caller !== undefined) deps.report.used?.(req.caller, () => doorOf(req));
    }
    next();
  });
}

/** The route of a request, and the stream or view in its path: never a key or a subject. */
function doorOf(req: FastifyRequest): UsedDoor {
  const { stream, view } = req.params as { stream?: string; view?: string };
  return { route: `${req.method} ${req.routeOptions.url}`, about: (stream ?? view)?.slice(0, 100) };
}

/** Whether this caller may use a route, by what the route says of itself. Faults unauthenticated, forbidden. */
export function checkAccess(req: FastifyRequest, { open, roles, admit, profile }: FastifyContextConfig): void {
  if (req.caller === undefined && open !== true && profile?.auth !== 'none') throw new Fault('unauthenticated');
  if (roles === undefined && admit === undefined) return;
  const caller = callerOf(req);
  admit?.(caller);
  if (roles !== undefined && !roles.some((r) => hasRole(caller, r))) {
    throw new Fault('forbidden', { detail: `needs one of the roles ${roles.join(', ')}` });
  }
}

/** Who sends the request. Fault unauthenticated on an open route without a key. */
export function callerOf(req: FastifyRequest): Caller {
  if (req.caller === undefined) throw new Fault('unauthenticated');
  return req.caller;
}

/** Whether the credentials of this request are still valid: a key may be revoked while a request waits. */
export function stillValid(deps: AdmissionDeps, req: FastifyRequest): boolean {
  const { profile } = req.routeOptions.config;
  if (req.caller === undefined || profile === undefined) return true;
  return authenticated(profile, req, deps.authenticate)?.keyId === req.caller.keyId;
}

function checkHeaders(req: FastifyRequest): void {
  if (req.raw.rawHeaders.length > 2 * MAX_HEADERS) throw new Fault('header_too_large');
  const transfer = req.headers['transfer-encoding'];
  if (transfer !== undefined && transfer.trim().toLowerCase() !== 'chunked') {
    throw new Fault('bad_request_line', { detail: 'the only transfer encoding is chunked' });
  }
}

function checkEncoding(req: FastifyRequest): void {
  const encoding = req.headers['content-encoding'];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    throw new Fault('unsupported_media_type', {
      detail: 'bodies are taken as they are, not compressed',
      problems: [{ pointer: 'content-encoding', reason: texts.not_supported(), expected: verbatim('identity') }],
    });
  }
}
