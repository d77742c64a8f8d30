import { pause } from '#concurrency';
import { backoffMs, connect, type Connection } from './connection.js';
import { faultOf, isSdkFault, SdkFault } from './fault.js';
import { KeyedQueue } from './keyed-queue.js';
import { LeaseWork } from './lease-work.js';
import type { ReadEvent } from './reader.js';
import { isEventOf, listOf } from './shapes.js';
import { json, matchSubscription, type SubscriptionWish } from './subscription-spec.js';

/** Beside the event, for a handler. */
export interface HandlerContext {
  /** `stream/partition/offset`: the same when an event comes again. What has this mark was handled: keep it with the effect. */
  readonly position: string;
  /** Aborts when close() was called or the lease is over: later work may be repeated by somebody else. */
  readonly signal: AbortSignal;
}

/** Handles one event; it is committed after the handler has resolved. A rejection counts as a failed try (R8). */
export type EventHandler = (event: ReadEvent, context: HandlerContext) => void | Promise<void>;

export interface SubscribeReport {
  /** A handler rejected. The event comes again; at the third time its subject is parked, and others go on. @default a line on standard error, without data */
  readonly failed?: (event: ReadEvent, cause: unknown) => void;
  /** A lease ended before its events were committed: they come again, to this process or another one. */
  readonly lost?: (fault: SdkFault) => void;
  /** The hub does not answer, and is asked again. */
  readonly disconnected?: (fault: SdkFault) => void;
  /** Events were committed. */
  readonly committed?: (events: number) => void;
}

export interface SubscribeOptions extends SubscriptionWish {
  /** Address of the hub; not used when `connection` is given. @default http://127.0.0.1:8080 */
  readonly url?: string;
  readonly connection?: Connection;
  /** API key with the role reader. */
  readonly key: string;
  /** For every event; or `handlers`, by type. */
  readonly handler?: EventHandler;
  /** By event type. An event of another type goes to `handler`; without one it counts as failed. */
  readonly handlers?: Readonly<Record<string, EventHandler>>;
  /** Handlers that run at a time, over all subjects. @default 16 */
  readonly concurrency?: number;
  /** How long the hub keeps events for this process, ms, 1,000 to 60,000: longer than the slowest handler. @default 30,000 */
  readonly leaseMs?: number;
  /** Ends it as close() does. */
  readonly signal?: AbortSignal;
  readonly report?: SubscribeReport;
}

/** A subscription that is being worked on. */
export interface RunningSubscription {
  readonly id: string;
  /** Resolves after close(); rejects with the SdkFault that ended it: a revoked key, a subscription that was removed. */
  readonly done: Promise<void>;
  /** Begins no further event, lets those that run end, commits them, and gives the others back. Resolves with `done`, and rejects never. */
  close(): Promise<void>;
}

const MOST = 1_000;
const WAIT_S = 20;
const COMMIT_MS = 500;
/** A handler is begun only within this part of a lease. */
const BEGIN_WITHIN = 0.6;
/** A lease is as large as what is handled in this part of it. */
const FILL = 0.25;

/**
 * Pulls the events of a subscription and handles them: in order per subject, subjects side by side. The subscription is made under its name, or matched by it; any
 * number of processes share it. What was handled is committed; after kill -9 only what was not comes again. Rejects with SdkFault: `subscription_changed`, or what the
 * hub says.
 */
export async function subscribe(options: SubscribeOptions): Promise<RunningSubscription> {
  const hub = options.connection ?? connect({ url: options.url ?? 'http://127.0.0.1:8080' });
  const closing = new AbortController();
  const close = (): void => closing.abort();
  options.signal?.addEventListener('abort', close, { once: true });
  if (options.signal?.aborted === true) close();
  const leave = async (): Promise<void> => {
    options.signal?.removeEventListener('abort', close);
    if (options.connection === undefined) await hub.close();
  };
  try {
    const id = await matchSubscription(hub, options.key, options, closing.signal);
    const done = new Puller(hub, id, options, closing.signal).run().finally(leave);
    done.catch(() => undefined);
    return {
      id,
      done,
      close: () => {
        close();
        return done.catch(() => undefined);
      },
    };
  } catch (e) {
    await leave();
    throw e;
  }
}

/** How long an event that was handled, and whose commit was lost, is known. */
const REMEMBERED_MS = 120_000;

interface Pulled {
  readonly events: readonly ReadEvent[];
  readonly lease: { readonly token: string; readonly until: string } | null;
}

class Puller {
  readonly concurrency: number;
  readonly #hub: Connection;
  readonly #id: string;
  readonly #o: SubscribeOptions;
  readonly #closing: AbortSignal;
  readonly #queue: KeyedQueue;
  readonly #leaseMs: number;
  /** Whether all events of a stream are one lane, by stream. */
  readonly #ordered = new Map<string, boolean>();
  /** Handled, and not known to be committed: it is not handled again when it comes again. */
  readonly #handled = new Map<string, number>();
  #limit: number;
  #ended: unknown;

  constructor(hub: Connection, id: string, options: SubscribeOptions, closing: AbortSignal) {
    const { concurrency = 16, leaseMs = 30_000 } = options;
    this.concurrency = concurrency;
    this.#hub = hub;
    this.#id = id;
    this.#o = options;
    this.#closing = closing;
    this.#queue = new KeyedQueue(concurrency);
    this.#leaseMs = leaseMs;
    this.#limit = Math.min(MOST, concurrency * 2);
  }

  async run(): Promise<void> {
    const working = new Set<Promise<void>>();
    while (!this.#closing.aborted && this.#ended === undefined) {
      try {
        const pulled = await this.#pull();
        if (pulled.lease === null) continue;
        const work = this.#work(pulled.events, pulled.lease.token, performance.now())
          .catch((e: unknown) => (this.#ended ??= e))
          .then(() => void working.delete(work));
        working.add(work);
        while (working.size > 0 && !this.#hasPlace(working.size)) await Promise.race(working);
      } catch (e) {
        if (!this.#closing.aborted) this.#ended ??= e;
      }
    }
    await Promise.all(working);
    // eslint-disable-next-line @typescript-eslint/only-throw-error
    if (this.#ended !== undefined) throw this.#ended;
  }

  /** The next lease is asked for while this one is handled, and further ones only while handlers are free. */
  #hasPlace(leases: number): boolean {
    const { concurrency } = this;
    return this.#queue.pending < concurrency || (leases < 2 && this.#limit > concurrency);
  }

  async #pull(): Promise<Pulled> {
    const { key, report } = this.#o;
    const path = `/v1/subscriptions/${this.#id}/pull?limit=${this.#limit}&wait=${WAIT_S}&lease=${this.#leaseMs / 1_000}`;
    for (let n = 1; ; n++) {
      try {
        const reply = await this.#hub.call(path, {
          key,
          method: 'POST',
          signal: this.#closing,
          timeoutMs: (WAIT_S + 15) * 1_000,
          shape: isPulled,
        });
        if (reply.status !== 200) throw faultOf(reply.status, reply.body, reply.retryAfterMs);
        const pulled = reply.body as Pulled & { readonly status?: string };
        for (const { position } of pulled.events) await this.#learn(position.slice(0, position.indexOf('/')));
        // A subscription that is paused answers at the end of the wait, as one without events does.
        return pulled;
      } catch (e) {
        if (this.#closing.aborted || !isSdkFault(e) || !e.retryable) throw e;
        report?.disconnected?.(e);
        await pause(backoffMs(n, e.retryAfterMs, this.#hub.random, this.#hub.retry), this.#closing);
        this.#closing.throwIfAborted();
      }
    }
  }

  async #learn(stream: string): Promise<void> {
    if (this.#ordered.has(stream)) return;
    const path = `/v1/streams/${encodeURIComponent(stream)}`;
    const reply = await this.#hub.callWithRetry(path, { key: this.#o.key, shape: () => true });
    this.#ordered.set(stream, reply.status === 200 && (reply.body as { ordering?: string }).ordering === 'stream');
  }

  async #work(events: readonly ReadEvent[], token: string, began: number): Promise<void> {
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), this.#leaseMs);
    const signal = AbortSignal.any([this.#closing, over.signal]);
    const { report } = this.#o;
    const work = new LeaseWork(events, {
      queue: this.#queue,
      laneOf: ({ position, subject }) => {
        const stream = position.slice(0, position.indexOf('/'));
        return this.#ordered.get(stream) === true ? stream : `${stream}\n${subject}`;
      },
      mayStart: () => !this.#closing.aborted && performance.now() - began < this.#leaseMs * BEGIN_WITHIN,
      handle: (event) => this.#handle(event, signal),
      failed: (event, cause) => (report?.failed ?? printFailed)(event, cause),
    });
    try {
      let isEnded = false;
      const ended = work.ended.then(() => (isEnded = true));
      while (!isEnded) {
        await Promise.race([ended, pause(COMMIT_MS)]);
        await this.#commit(work, token);
      }
      this.#size(work, performance.now() - began);
      if (!work.isComplete)
        await this.#end('release', { token, ...(work.hasFailed ? { failed: 'handler_failed' } : {}) });
    } catch (e) {
      await work.ended;
      if (!isSdkFault(e) || (!e.retryable && e.code !== 'lease_lost')) throw e;
      report?.lost?.(e);
    } finally {
      clearTimeout(timer);
    }
  }

  async #handle(event: ReadEvent, signal: AbortSignal): Promise<void> {
    const { handlers = {}, handler } = this.#o;
    const before = this.#handled.get(event.position);
    if (before !== undefined && performance.now() - before < REMEMBERED_MS) return;
    const own = Object.hasOwn(handlers, event.type) ? handlers[event.type] : handler;
    if (own === undefined) throw new Error(`no handler of ${event.type}`);
    await own(event, { position: event.position, signal });
    // Oldest first.
    for (const [position, at] of this.#handled) {
      if (performance.now() - at < REMEMBERED_MS) break;
      this.#handled.delete(position);
    }
    this.#handled.set(event.position, performance.now());
  }

  async #commit(work: LeaseWork, token: string): Promise<void> {
    const state = work.take();
    if (state === undefined) return;
    const { through, except, done } = state;
    await this.#end('commit', { token, through, except });
    for (const position of done) this.#handled.delete(position);
    this.#o.report?.committed?.(done.length);
  }

  async #end(what: 'commit' | 'release', body: object): Promise<void> {
    const reply = await this.#hub.callWithRetry(`/v1/subscriptions/${this.#id}/${what}`, {
      key: this.#o.key,
      shape: () => false,
      empty: true,
      deadlineMs: this.#leaseMs,
      ...json('POST', body),
    });
    if (reply.status !== 204) throw faultOf(reply.status, reply.body);
  }

  /** The next lease is as large as what can be handled in a part of its time. */
  #size(work: LeaseWork, ms: number): void {
    const { concurrency } = this;
    const eventMs = (ms * Math.min(concurrency, work.handled)) / Math.max(1, work.handled);
    const fits = Math.floor((concurrency * this.#leaseMs * FILL) / Math.max(1, eventMs));
    this.#limit = Math.max(1, Math.min(MOST, this.#limit * 2, fits));
  }
}

const isPulled = (body: Readonly<Record<string, unknown>>): boolean =>
  listOf('events', isEventOf())(body) && (body['lease'] === null || typeof body['lease'] === 'object');

function printFailed({ type, position }: ReadEvent, cause: unknown): void {
  const name = cause instanceof Error ? cause.name : typeof cause;
  console.error(`simpul: handler of ${type} failed at ${position} (${name}); the event comes again`);
}
