import { Agent, request } from 'undici';
import { faultOf, unanswered } from './fault.js';
import { systemRandom } from './ids.js';

/** Waits; rejects with the signal's reason when it aborts. */
export type Pause = (ms: number, signal?: AbortSignal) => Promise<void>;

export const pause: Pause = (ms, signal) =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    signal?.addEventListener('abort', stop, { once: true });
  });

export interface RetryOptions {
  /** First wait; doubles each time, with jitter. @default 100 */
  readonly firstMs?: number;
  /** @default 5000 */
  readonly maxMs?: number;
}

/** How long to wait before try `n` (from 1): doubling with jitter between half and whole, never less than what the hub asked for. */
export function backoffMs(n: number, asked: number | undefined, random: () => number, o: RetryOptions = {}): number {
  const whole = Math.min(o.maxMs ?? 5000, (o.firstMs ?? 100) * 2 ** Math.min(n - 1, 20));
  return Math.max(asked ?? 0, whole * (0.5 + random() / 2));
}

export interface ConnectionOptions {
  /** Address of the hub, `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Sockets kept for calls; live streams have their own. @default 16 */
  readonly connections?: number;
  /** A call without an answer is given up after this. @default 30000 */
  readonly timeoutMs?: number;
  /** In which the hub says what is wrong. @default the hub's, Indonesian */
  readonly language?: 'id' | 'en';
  readonly retry?: RetryOptions;
  readonly random?: () => number;
  readonly pause?: Pause;
}

export interface Call {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly key: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Reply {
  readonly status: number;
  /** Parsed JSON, or undefined when the answer was none. */
  readonly body: unknown;
  readonly etag: string | undefined;
  /** From Retry-After. */
  readonly retryAfterMs: number | undefined;
}

/** One hub, a pool of sockets. Shared by any number of publishers and readers. */
export interface Connection {
  readonly url: string;
  readonly random: () => number;
  readonly pause: Pause;
  readonly retry: RetryOptions;
  /** One HTTP exchange. Any status is a reply; no answer is an `SdkFault` with status 0. */
  call(path: string, call: Call): Promise<Reply>;
  /** Repeats a reading call until it is answered with less than 500 (and not 429); a refusal is an `SdkFault`. 404 and 304 are replies. */
  ask(path: string, call: Call & { readonly deadlineMs?: number }): Promise<Reply>;
  /** Opens a stream of bytes that may stay silent for long. */
  open(path: string, call: Call): Promise<{ readonly status: number; readonly body: AsyncIterable<Uint8Array> }>;
  close(): Promise<void>;
}

/** A live stream that gives not even a heartbeat for this long is taken for dead. */
const SILENCE_MS = 60_000;

const one = (v: string | string[] | undefined): string | undefined => (Array.isArray(v) ? v[0] : v);

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

export function connect(options: ConnectionOptions): Connection {
  const url = options.url.replace(/\/+$/, '');
  const timeoutMs = options.timeoutMs ?? 30_000;
  const random = options.random ?? systemRandom;
  const wait = options.pause ?? pause;
  const retry = options.retry ?? {};
  const agent = new Agent({ connections: options.connections ?? 16, pipelining: 1, keepAliveTimeout: 4000 });
  const streams = new Agent({ keepAliveTimeout: 1000 });
  const always = options.language === undefined ? {} : { 'accept-language': options.language };
  const headersOf = (c: Call): Record<string, string> => ({
    authorization: `Bearer ${c.key}`,
    ...always,
    ...c.headers,
  });

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
      const text = await res.body.text();
      return {
        status: res.statusCode,
        body: parse(text),
        etag: one(res.headers['etag']),
        retryAfterMs: retryAfter(one(res.headers['retry-after']), Date.now()),
      };
    } catch (e) {
      if (c.signal?.aborted) throw c.signal.reason;
      throw unanswered(e);
    }
  };

  const ask = async (path: string, c: Call & { deadlineMs?: number }): Promise<Reply> => {
    const until = Date.now() + (c.deadlineMs ?? 60_000);
    for (let n = 1; ; n++) {
      let fault;
      try {
        const reply = await call(path, c);
        if (reply.status < 400 || reply.status === 404) return reply;
        fault = faultOf(reply.status, reply.body, reply.retryAfterMs);
      } catch (e) {
        if (c.signal?.aborted || !(e instanceof Error) || e.name !== 'SdkFault') throw e;
        fault = e as ReturnType<typeof faultOf>;
      }
      const ms = backoffMs(n, fault.retryAfterMs, random, retry);
      if (!fault.retryable || Date.now() + ms > until) throw fault;
      await wait(ms, c.signal);
    }
  };

  return {
    url,
    random,
    pause: wait,
    retry,
    call,
    ask,
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
        if (res.statusCode >= 300) {
          const text = await res.body.text();
          throw faultOf(res.statusCode, parse(text), retryAfter(one(res.headers['retry-after']), Date.now()));
        }
        return { status: res.statusCode, body: res.body };
      } catch (e) {
        if (c.signal?.aborted) throw c.signal.reason;
        throw e instanceof Error && e.name === 'SdkFault' ? e : unanswered(e);
      }
    },
    async close() {
      await Promise.allSettled([agent.close(), streams.destroy()]);
    },
  };
}
