import { pause } from '#concurrency';
import { connect, type Connection } from './connection.js';
import { isSdkFault, type SdkFault } from './fault.js';
import { Handlers, type EventHandler, type EventOfType, type TypedHandler, type TypeName } from './handlers.js';
import { KeyedQueue } from './keyed-queue.js';
import { LeaseWork } from './lease-work.js';
import { PullClient, type PulledLease } from './pull-client.js';
import type { ReadEvent } from './reader.js';
import { matchSubscription, type SubscriptionWish } from './subscription-spec.js';

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

export interface SubscribeOptions<Types extends readonly TypeName[] = readonly string[]> extends Omit<
  SubscriptionWish,
  'types'
> {
  /** Event types, by name or token; `*` stands for one segment, a last `#` for all further ones. @default those of `handlers` when it is a list */
  readonly types?: Types;
  /** Address of the hub; not used when `connection` is given. @default http://127.0.0.1:8080 */
  readonly url?: string;
  readonly connection?: Connection;
  /** API key with the role reader. */
  readonly key: string;
  /** For every event, or for those without one in `handlers`. An event of a token of `types` has data of that token. */
  readonly handler?: EventHandler<EventOfType<Types[number]>>;
  /** `[on(PasporDiterbitkan, (event) => …)]`, or by the names of types. An event of another type goes to `handler`; without one it counts as failed. */
  readonly handlers?: readonly TypedHandler[] | Readonly<Record<string, EventHandler>>;
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
export async function subscribe<const Types extends readonly TypeName[] = readonly string[]>(
  options: SubscribeOptions<Types>,
): Promise<RunningSubscription> {
  const handlers = new Handlers(options.types, options.handlers, options.handler as EventHandler | undefined);
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
    const { id } = await matchSubscription(hub, options.key, { ...options, types: handlers.types }, closing.signal);
    const done = new Puller(hub, id, options, handlers, closing.signal).run().finally(leave);
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

type PullerOptions = Pick<SubscribeOptions, 'key' | 'concurrency' | 'leaseMs' | 'report'>;

class Puller {
  readonly concurrency: number;
  readonly #client: PullClient;
  readonly #report: SubscribeReport;
  readonly #handlers: Handlers;
  readonly #closing: AbortSignal;
  readonly #queue: KeyedQueue;
  readonly #leaseMs: number;
  /** Handled, and not known to be committed: it is not handled again when it comes again. */
  readonly #handled = new Map<string, number>();
  #limit: number;
  #ended: unknown;

  constructor(connection: Connection, id: string, options: PullerOptions, handlers: Handlers, closing: AbortSignal) {
    const { key, concurrency = 16, leaseMs = 30_000, report = {} } = options;
    this.concurrency = concurrency;
    const { disconnected } = report;
    this.#client = new PullClient({ connection, key, id, leaseMs, signal: closing, disconnected });
    this.#report = report;
    this.#handlers = handlers;
    this.#closing = closing;
    this.#queue = new KeyedQueue(concurrency);
    this.#leaseMs = leaseMs;
    this.#limit = Math.min(MOST, concurrency * 2);
  }

  async run(): Promise<void> {
    const working = new Set<Promise<void>>();
    while (!this.#closing.aborted && this.#ended === undefined) {
      try {
        const pulled = await this.#client.pull(this.#limit);
        if (pulled === undefined) continue;
        const work = this.#work(pulled, performance.now())
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

  async #work({ events, token }: PulledLease, began: number): Promise<void> {
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), this.#leaseMs);
    const signal = AbortSignal.any([this.#closing, over.signal]);
    const work = new LeaseWork(events, {
      queue: this.#queue,
      laneOf: (event) => this.#client.laneOf(event),
      mayStart: () => !this.#closing.aborted && performance.now() - began < this.#leaseMs * BEGIN_WITHIN,
      handle: (event) => this.#handle(event, signal),
      failed: (event, cause) => (this.#report.failed ?? printFailed)(event, cause),
    });
    try {
      let isEnded = false;
      const ended = work.ended.then(() => (isEnded = true));
      while (!isEnded) {
        await Promise.race([ended, pause(COMMIT_MS)]);
        await this.#commit(work, token);
      }
      this.#size(work, performance.now() - began);
      if (!work.isComplete) await this.#client.release(token, work.failure);
    } catch (e) {
      await work.ended;
      if (!isSdkFault(e) || (!e.retryable && e.code !== 'lease_lost')) throw e;
      this.#report.lost?.(e);
    } finally {
      clearTimeout(timer);
    }
  }

  async #handle(event: ReadEvent, signal: AbortSignal): Promise<void> {
    const before = this.#handled.get(event.position);
    if (before !== undefined && performance.now() - before < REMEMBERED_MS) return;
    await this.#handlers.handle(event, { position: event.position, signal });
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
    await this.#client.commit(token, state);
    for (const position of state.done) this.#handled.delete(position);
    this.#report.committed?.(state.done.length);
  }

  /** The next lease is as large as what can be handled in a part of its time. */
  #size(work: LeaseWork, ms: number): void {
    const { concurrency } = this;
    const eventMs = (ms * Math.min(concurrency, work.handled)) / Math.max(1, work.handled);
    const fits = Math.floor((concurrency * this.#leaseMs * FILL) / Math.max(1, eventMs));
    this.#limit = Math.max(1, Math.min(MOST, this.#limit * 2, fits));
  }
}

function printFailed({ type, position }: ReadEvent, cause: unknown): void {
  const name = cause instanceof Error ? cause.name : typeof cause;
  console.error(`simpul: handler of ${type} failed at ${position} (${name}); the event comes again`);
}
