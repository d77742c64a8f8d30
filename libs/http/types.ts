import type { Caller, Role } from '#access';
import type { Fault, ShownProblem } from '#faults';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { ZodType, z } from 'zod';
import type { Limits, LongWork, WorkKind } from '#limits';
import type { DoorProfile } from './profile.js';
import type { Sse, SseOptions } from './sse.js';

/** A pino logger fits. Log lines never hold personal data or data of events. */
export interface Logger {
  info(fields: object, text?: string): void;
  warn(fields: object, text?: string): void;
  error(fields: object, text?: string): void;
}

/** Sizes and times of HTTP itself. What one key, unit or address may use is in the table of #limits. */
export interface HttpLimits {
  /** Bytes of one request body, unless the route or the profile of the door says otherwise. @default 64 KiB */
  readonly bodyBytes: number;
  /** Bytes of one publish request. @default 8 MiB */
  readonly batchBytes: number;
  /** @default 10 s */
  readonly headersMs: number;
  /** Until the whole request is received. @default 30 s */
  readonly requestMs: number;
  /** @default 15 s */
  readonly heartbeatMs: number;
  /** A live reader with more bytes waiting than this is disconnected. @default 1 MiB */
  readonly liveBytes: number;
  /** A live reader that receives nothing for so long is disconnected. @default 30 s */
  readonly stallMs: number;
  /** How often the key of a live stream or of a waiting request is checked again. @default 1 s */
  readonly recheckMs: number;
}

/** What the edge reports while it works. No call may block. */
export interface HttpReport {
  /** A request was answered 4xx with this code. */
  refused?(code: string): void;
  /** Open live streams now. */
  live?(open: number): void;
  /** A request of this key was let in. */
  used?(caller: Caller, door: () => UsedDoor): void;
}

/** Which door a request used. */
export interface UsedDoor {
  /** `GET /v1/streams/:stream/events` */
  readonly route: string;
  /** Name of the stream or view in the path, as the caller wrote it, at most 100 characters. */
  readonly about: string | undefined;
}

/** The declaration of a route: `app.get(url, { config: {…} }, handler)` in a door, `@RouteConfig({…})` in a controller. */
export interface RouteConfig {
  /** No key needed (health, openapi). */
  open?: true;
  /** Any of these roles; absent = any key. `hub-admin`: an admin key of the hub itself, not of a unit. Refused: 403 `forbidden`. */
  roles?: readonly (Role | 'hub-admin')[];
  /** Throws the fault of a caller whom this route has nothing to do for: before one byte of the body is taken. */
  admit?: (caller: Caller) => void;
  /** One line for /openapi.json. */
  summary?: string;
  query?: ZodType;
  body?: ZodType;
  /** Bytes of the body, where it needs other ones than the profile of the door says. */
  bodyBytes?: number;
  /** Shape of the 200 or 201. */
  answer?: ZodType;
}

declare module 'fastify' {
  interface FastifyContextConfig extends RouteConfig {
    /** Set for every route when it is declared; undefined where no route is. */
    profile?: DoorProfile;
  }
  interface FastifyRequest {
    /** Set by admission before the body is read; undefined only on open routes and on doors without authentication. */
    caller: Caller | undefined;
    /** Set by admission: what is held for the body of a request is given back when its answer is through. */
    response: ServerResponse;
    /** Set by admission: `routeOptions`, which Fastify makes anew each time that it is asked for it. */
    route: FastifyRequest['routeOptions'];
  }
}

/** What a door works with. Admission has authenticated the request and checked its roles; handlers throw Faults, and the edge answers them. */
export interface Edge {
  /** Bodies of every type arrive as Buffer (`req.body`), undefined without a body. */
  readonly app: FastifyInstance;
  readonly log: Logger;
  readonly limits: HttpLimits;
  readonly budgets: Limits;
  readonly now: () => number;
  /** Aborts when the server begins to drain: long polls answer at once. */
  readonly closing: AbortSignal;
  /** Who sends the request. Fault unauthenticated on an open route without a key. */
  caller(req: FastifyRequest): Caller;
  /** Query parameters by a schema (use z.strictObject so that unknown ones are refused). Fault invalid_query with `?name` pointers. */
  query<S extends ZodType>(req: FastifyRequest, schema: S): z.output<S>;
  /** The JSON body, read strictly, by a schema. Faults invalid_json … , invalid_request with pointers, unsupported_media_type. */
  body<S extends ZodType>(req: FastifyRequest, schema: S): z.output<S>;
  /** Sends the error of a fault, or of whatever was thrown, in the shape of the door's profile. `more`: members beside those of a problem document. */
  sendFault(req: FastifyRequest, reply: FastifyReply, fault: unknown, more?: Record<string, unknown>): FastifyReply;
  /** The same document as an object (for items of a 207). */
  document(req: FastifyRequest, fault: Fault): ProblemDocument;
  /** `{[name]: items, next, …more}` with a Link header to the next page; `next` undefined = the last page (null in the body). */
  page(
    req: FastifyRequest,
    reply: FastifyReply,
    name: string,
    items: readonly unknown[],
    next: string | undefined,
    more?: Record<string, unknown>,
  ): FastifyReply;
  /**
   * A JSON answer for the hottest route: written directly, without Fastify's hooks and serializers, with the headers that those would have set.
   * An async handler must return undefined after it: Fastify would wait for a returned reply, which costs CPU.
   */
  json(req: FastifyRequest, reply: FastifyReply, status: number, body: unknown): void;
  /**
   * Runs a long poll. The signal aborts when the client disconnects, the server drains, or the key is revoked. Fault unauthenticated when the key
   * was revoked meanwhile, whatever the work answered; too_many_requests beyond the quota of the key or its address.
   */
  waiting<T>(req: FastifyRequest, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /**
   * Long work for the caller of this request: it runs in turns, so that other keys are served in between. Faults too_many_requests, queue_full: the caller
   * has too much of it waiting, has used too much CPU time, or has not read the answers that it got; request_timeout: it has disconnected, and what has not been
   * done is not done.
   */
  work(req: FastifyRequest, kind?: WorkKind): LongWork;
  /** Resolves when the caller has read enough of its answers to be given more, or when the signal aborts. */
  readable(req: FastifyRequest, signal: AbortSignal): Promise<void>;
  /**
   * Whether an error of a live stream is transient (pause and retry) or not (end the stream). Logs it, once a minute for each place and cause.
   */
  isTransient(where: { readonly stream: string } | { readonly view: string }, thrown: unknown): boolean;
  /**
   * Takes over the connection for server-sent events. The edge ends the stream when the server drains, when the key is revoked and when the reader
   * is too slow. Fault too_many_requests, before the response head is written.
   */
  sse(req: FastifyRequest, reply: FastifyReply, options?: SseOptions): Sse;
}

/** A group of hot routes. Called once, before the server listens. */
export type Door = (edge: Edge) => void;

/** RFC 9457 with our members. */
export interface ProblemDocument {
  type: string;
  title: string;
  status: number;
  detail?: string;
  instance: string;
  code: string;
  errors?: readonly ShownProblem[];
  /** With a `too_large` code: what would have been accepted at most, in bytes. With 429 and 503: the name of the budget that is used up. */
  limit?: number | string;
  hint: string;
}
