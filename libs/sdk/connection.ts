import { Agent, request } from 'undici';
import { pause } from '#concurrency';
import { foreignAnswer, isOfHub, type Answer, type Shape } from './answer.js';
import { faultOf, isSdkFault, unanswered } from './fault.js';
import { systemRandom } from './ids.js';

export interface RetryOptions {
  /** Longest wait before the first retry, ms; doubles with each retry. @default 100 */
  readonly firstMs?: number;
  /** Upper limit of that wait, ms. @default 5000 */
  readonly maxMs?: number;
}

/** Wait before retry `n` (from 1), ms: exponential backoff with jitter between the half and the whole, and at least `retryAfterMs`. */
export function backoffMs(
  n: number,
  retryAfterMs: number | undefined,
  random: () => number,
  options: RetryOptions = {},
): number {
  const whole = Math.min(options.maxMs ?? 5000, (options.firstMs ?? 100) * 2 ** Math.min(n - 1, 20));
  return Math.max(retryAfterMs ?? 0, whole * (0.5 + random() / 2));
}

export interface ConnectionOptions {
  /** Address of the hub, for example `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Size of the socket pool for calls; live streams have sockets of their own. @default 16 */
  readonly connections?: number;
  /** Deadline of one call, ms. @default 30000 */
  readonly timeoutMs?: number;
  /** Language of the problem documents (Accept-Language). @default the language of the hub, Indonesian */
  readonly language?: 'id' | 'en';
  readonly retry?: RetryOptions;
  /**
   * Called when the hub says that a key expires soon (header `simpul-key-expires`): with the first call that says so, and again after a day. Ask for a new
   * key then; calls with an expired key are refused with 401 `key_expired`. @default nothing is told
   */
  readonly keyExpires?: (expiresAt: Date) => void;
  /** A random number in [0, 1), for the jitter. @default the operating system */
  readonly random?: () => number;
}

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** API key, sent as a bearer token. */
  readonly key: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** The form of the JSON that the hub answers to this call. An answer of another form is not the hub's. */
  readonly shape: Shape;
  /** The hub answers 204, without a body. */
  readonly empty?: boolean;
  /** Statuses from 400 on whose answer has the shape too and is no problem document: `/health/ready` answers so with 503. @default none */
  readonly shaped?: readonly number[];
}

export interface Reply {
  readonly status: number;
  /** Parsed JSON. */
  readonly body: unknown;
  /** Length of its text. */
  readonly size: number;
  readonly etag: string | undefined;
  /** From the header Retry-After, at most 60 s. */
  readonly retryAfterMs: number | undefined;
}

/** A socket pool to one hub, shared by any number of publishers and readers. */
export interface Connection {
  readonly url: string;
  readonly random: () => number;
  readonly retry: RetryOptions;
  /**
   * One HTTP request. Every answer of the hub resolves, whatever its status. No answer rejects with a retryable `SdkFault` of status 0, and so does an answer
   * that is not the hub's (code `foreign_answer`): HTML of a proxy, a redirect, cut JSON. An abort rejects with the reason of the signal.
   */
  call(path: string, call: Call): Promise<Reply>;
  /**
   * Repeats a read (idempotent) call while its fault is retryable and `deadlineMs` (default 60 s) is not over. Resolves with a status below 400, or 404 of the hub.
   * Rejects with the last `SdkFault`.
   */
  callWithRetry(path: string, call: Call & { readonly deadlineMs?: number }): Promise<Reply>;
  /** Opens a response body that may be silent for up to 60 s (server-sent events). Rejects with `SdkFault`. */
  open(
    path: string,
    call: Omit<Call, 'shape' | 'shaped'>,
  ): Promise<{ readonly status: number; readonly body: AsyncIterable<Uint8Array> }>;
  close(): Promise<void>;
}

/** A live stream without any byte for this time, not even a heartbeat, counts as broken. */
const SILENCE_MS = 60_000;

/** How often a service that runs for long is told that its key expires soon. */
const EXPIRY_TOLD_MS = 86_400_000;
/** Expiries that are remembered as told. */
const MAX_TOLD = 1_000;

const firstValue = (v: string | string[] | undefined): string | undefined => (Array.isArray(v) ? v[0] : v);

function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), 60_000) : undefined;
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

type Received = Awaited<ReturnType<typeof request>>;

async function received(
  res: Received,
): Promise<{ readonly answer: Answer; readonly size: number; readonly retryAfterMs: number | undefined }> {
  const text = await res.body.text();
  return {
    answer: { status: res.statusCode, contentType: firstValue(res.headers['content-type']), body: parse(text) },
    size: text.length,
    retryAfterMs: retryAfter(firstValue(res.headers['retry-after']), Date.now()),
  };
}

/** Opens a connection to a hub. Sockets are opened with the first call. */
export function connect(options: ConnectionOptions): Connection {
  const url = options.url.replace(/\/+$/, '');
  const timeoutMs = options.timeoutMs ?? 30_000;
  const random = options.random ?? systemRandom;
  const retry = options.retry ?? {};
  const agent = new Agent({ connections: options.connections ?? 16, pipelining: 1, keepAliveTimeout: 4000 });
  const streams = new Agent({ keepAliveTimeout: 1000 });
  const languageHeader = options.language === undefined ? {} : { 'accept-language': options.language };
  const headersOf = (c: Pick<Call, 'key' | 'headers'>): Record<string, string> => ({
    authorization: `Bearer ${c.key}`,
    accept: 'application/json',
    ...languageHeader,
    ...c.headers,
  });

  /** When each expiry was told last: a connection may serve several keys. */
  const told = new Map<string, number>();
  const tellExpiry = (header: string | undefined): void => {
    if (header === undefined || options.keyExpires === undefined) return;
    const at = new Date(header);
    const last = told.get(header);
    if (Number.isNaN(at.getTime()) || (last !== undefined && Date.now() - last < EXPIRY_TOLD_MS)) return;
    if (told.size >= MAX_TOLD) told.clear();
    told.set(header, Date.now());
    options.keyExpires(at);
  };

  const call = async (path: string, c: Call): Promise<Reply> => {
    const limit = c.timeoutMs ?? timeoutMs;
    try {
      const res = await request(url + path, {
        dispatcher: agent,
        method: c.method ?? 'GET',
        headers: headersOf(c),
        headersTimeout: limit,
        bodyTimeout: limit,
        ...(c.body === undefined ? {} : { body: c.body }),
        ...(c.signal === undefined ? {} : { signal: c.signal }),
      });
      const { answer, size, retryAfterMs } = await received(res);
      const isEmpty = c.empty === true && res.statusCode === 204 && size === 0;
      if (!isEmpty && !isOfHub(answer, c.shape, c.shaped)) throw foreignAnswer(answer, retryAfterMs);
      tellExpiry(firstValue(res.headers['simpul-key-expires']));
      return { status: answer.status, body: answer.body, size, etag: firstValue(res.headers['etag']), retryAfterMs };
    } catch (e) {
      if (c.signal?.aborted) throw c.signal.reason;
      throw isSdkFault(e) ? e : unanswered(e);
    }
  };

  const callWithRetry = async (path: string, c: Call & { deadlineMs?: number }): Promise<Reply> => {
    const until = performance.now() + (c.deadlineMs ?? 60_000);
    for (let n = 1; ; n++) {
      let fault;
      try {
        const reply = await call(path, c);
        if (reply.status < 400 || reply.status === 404) return reply;
        fault = faultOf(reply.status, reply.body, reply.retryAfterMs);
      } catch (e) {
        if (c.signal?.aborted || !isSdkFault(e)) throw e;
        fault = e;
      }
      const ms = backoffMs(n, fault.retryAfterMs, random, retry);
      if (!fault.retryable || performance.now() + ms > until) throw fault;
      await pause(ms, c.signal);
      c.signal?.throwIfAborted();
    }
  };

  return {
    url,
    random,
    retry,
    call,
    callWithRetry,
    async open(path, c) {
      try {
        const res = await request(url + path, {
          dispatcher: streams,
          method: 'GET',
          headers: headersOf(c),
          headersTimeout: c.timeoutMs ?? timeoutMs,
          bodyTimeout: SILENCE_MS,
          ...(c.signal === undefined ? {} : { signal: c.signal }),
        });
        const { statusCode: status } = res;
        tellExpiry(firstValue(res.headers['simpul-key-expires']));
        if (status === 200 && /^text\/event-stream\b/i.test(firstValue(res.headers['content-type']) ?? ''))
          return { status, body: res.body };
        const { answer, retryAfterMs } = await received(res);
        throw isOfHub(answer, () => false)
          ? faultOf(status, answer.body, retryAfterMs)
          : foreignAnswer(answer, retryAfterMs);
      } catch (e) {
        if (c.signal?.aborted) throw c.signal.reason;
        throw isSdkFault(e) ? e : unanswered(e);
      }
    },
    async close() {
      await Promise.allSettled([agent.close(), streams.destroy()]);
    },
  };
}
