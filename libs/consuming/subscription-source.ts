import { deferred, pause } from '#concurrency';
import { streamOf } from '#event';
import {
  createReader,
  isSdkFault,
  matchSubscription,
  PullClient,
  type Connection,
  type PulledLease,
  type ReadEvent,
  type SdkFault,
  type SubscriptionWish,
} from '#sdk';
import { ConsumerFault, remedyOf } from './fault.js';
import { printAway, printBack, printGap, type HubSourceReport } from './hub-source.js';
import { Lease } from './lease.js';
import { MovedPlaces } from './moved-places.js';
import type { Places } from './places.js';
import type { EventSource, Interest, Sink } from './port.js';

export interface SubscriptionSourceOptions extends Pick<SubscriptionWish, 'name' | 'filters' | 'units'> {
  readonly connection: Connection;
  readonly key: string;
  /** Where it begins when it is made: `earliest`, `latest`, a time, a position. @default earliest */
  readonly from?: string;
  /** When the hub has a subscription of this name that gets something else: `stop` rejects with `subscription_changed`, `update` changes it. @default stop */
  readonly onChange?: 'stop' | 'update';
  /** Where a HubSource of an earlier version of the app has stored its places: a subscription that is made goes on there. @default none */
  readonly places?: Places;
  /** When such a place does not exist any more: see HubSourceOptions. @default stop */
  readonly onGap?: 'stop' | 'earliest';
  /** How long the hub keeps events for this process, ms, at most 60,000. @default 30 s, and more when handlers may take longer */
  readonly leaseMs?: number;
  /** How long the hub may be away before `unreachable` is told, ms. @default 60,000 */
  readonly patienceMs?: number;
  /** How long the start waits for the hub, ms. @default 60,000 */
  readonly startMs?: number;
  /** How long stop() waits for handlers, ms. @default 25,000 */
  readonly stopMs?: number;
  readonly report?: Pick<HubSourceReport, 'gap' | 'unreachable' | 'reachable'>;
  /** Of an event that was handled; the hub knows it within half a second. */
  readonly finished?: (event: ReadEvent) => void;
}

/** How far the subscription is. */
export interface SubscriptionStanding {
  readonly status: string;
  readonly lag: { readonly events: number; readonly seconds: number };
  readonly inFlight: number;
  readonly parked: number;
  readonly dead: number;
  /** Events that wait behind parked ones. */
  readonly held: number;
}

const MOST = 1_000;
const COMMIT_MS = 250;
/** A lease is as large as what is handled in this part of its time. */
const FILL = 0.25;
/** How long an event that was handled, and whose commit was lost, is known. */
const REMEMBERED_MS = 120_000;

/**
 * The events of a subscription of the hub, pulled with leases; it is made under its name, or matched by it. The hub knows how far it is, so any number of processes share it, and
 * nothing is stored here. What a handler gives up is a failed try there: the event comes again, and is parked (R8). One feed for each stream.
 */
export class SubscriptionSource implements EventSource {
  readonly keepsAccount = true;
  readonly #o: SubscriptionSourceOptions;
  readonly #stop = new AbortController();
  readonly #ready = deferred<void>();
  readonly #leases = new Set<Lease>();
  readonly #feeds = new Map<string, Promise<void>>();
  readonly #handled = new Map<string, number>();
  readonly #moved: MovedPlaces;
  #id: string | undefined;
  #matching: Promise<void> | undefined;
  #running: Promise<void> | undefined;
  #leaseMs = 0;
  #limit = 1;
  #wake: (() => void) | undefined;
  #fault: unknown;

  constructor(options: SubscriptionSourceOptions) {
    this.#o = options;
    const { connection, key, onGap = 'stop', report } = options;
    this.#moved = new MovedPlaces({
      ...{ onGap, reader: createReader({ connection, key }), signal: this.#stop.signal },
      places: options.places ?? { load: () => undefined, save: () => undefined },
      gap: report?.gap ?? printGap,
    });
  }

  /** Of the subscription; undefined: not matched yet. */
  get id(): string | undefined {
    return this.#id;
  }

  /** Makes the subscription, or finds it, for these types. run() does it when nobody has. Rejects with `SdkFault`: `subscription_changed`, or what the hub says. */
  match(types: readonly string[]): Promise<void> {
    return (this.#matching ??= this.#match(types));
  }

  /** Rejects with `ConsumerFault`: `refused`, `events_missing`, or as match() does. */
  run(sink: Sink, interest: Interest): Promise<void> {
    this.#running = this.#run(sink, interest);
    return this.#running;
  }

  ready(): Promise<void> {
    return this.#ready.promise;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake?.();
    await this.#running?.catch(() => undefined);
  }

  /** Asked from the hub. Rejects with `SdkFault`; undefined: not matched yet. */
  async standing(signal?: AbortSignal): Promise<SubscriptionStanding | undefined> {
    if (this.#id === undefined) return undefined;
    const { connection, key } = this.#o;
    const shape = ({ lag }: Readonly<Record<string, unknown>>): boolean => typeof lag === 'object';
    const path = `/v1/subscriptions/${this.#id}`;
    const { body } = await connection.callWithRetry(path, { key, shape, deadlineMs: 0, signal });
    return body as SubscriptionStanding;
  }

  async #match(types: readonly string[]): Promise<void> {
    const { connection, key, name, filters, units, from = 'earliest', onChange, startMs } = this.#o;
    const wish: SubscriptionWish = {
      ...{ name, types, start: from === 'latest' ? 'now' : from, change: onChange === 'update' },
      ...(filters === undefined ? {} : { filters }),
      ...(units === undefined ? {} : { units }),
      ...(startMs === undefined ? {} : { startDeadlineMs: startMs }),
    };
    const startsOf = () => this.#moved.starts(new Set(types.map(streamOf)));
    const { id, isMade } = await matchSubscription(connection, key, wish, this.#stop.signal, startsOf);
    this.#id = id;
    if (isMade) await this.#moved.moved(id);
    else this.#moved.forget();
  }

  async #run(sink: Sink, interest: Interest): Promise<void> {
    const { signal } = this.#stop;
    const { stopMs = 25_000, name } = this.#o;
    const { width = 16, timeoutMs = 0 } = interest;
    this.#leaseMs = this.#o.leaseMs ?? Math.min(60_000, Math.max(30_000, timeoutMs * 1.5));
    this.#limit = Math.min(MOST, width * 2);
    const works = new Set<Promise<void>>();
    try {
      await this.match(interest.types);
      this.#ready.resolve();
      const client = this.#client();
      while (!signal.aborted && this.#fault === undefined) {
        const pulled = await client.pull(this.#limit);
        if (pulled === undefined) continue;
        const work = this.#work(sink, client, pulled, width)
          .catch((cause: unknown) => (this.#fault ??= cause))
          .then(() => void works.delete(work));
        works.add(work);
        await this.#room(width);
      }
    } catch (cause) {
      if (!signal.aborted) this.#fault ??= cause;
    } finally {
      await Promise.all([...this.#feeds.keys()].map((feed) => sink.revoke(feed, stopMs)));
      for (const lease of this.#leases) lease.end();
      await Promise.all(works);
    }
    if (this.#fault !== undefined) throw faultOf(name, this.#fault);
  }

  #client(): PullClient {
    const { connection, key, patienceMs = 60_000, name, report } = this.#o;
    let awaySince: number | undefined;
    return new PullClient({
      ...{ connection, key, id: this.#id!, leaseMs: this.#leaseMs, signal: this.#stop.signal },
      disconnected: (fault) => {
        awaySince ??= Date.now();
        if (Date.now() - awaySince >= patienceMs) (report?.unreachable ?? printAway)(`subscription ${name}`, fault);
      },
      connected: () => {
        if (awaySince !== undefined && Date.now() - awaySince >= patienceMs)
          (report?.reachable ?? printBack)(`subscription ${name}`);
        awaySince = undefined;
      },
    });
  }

  /** The next lease is asked for while this one is handled, and further ones only while handlers are free. */
  async #room(width: number): Promise<void> {
    const isFull = (): boolean => {
      const open = [...this.#leases].reduce((sum, lease) => sum + lease.open, 0);
      return open >= width && !(this.#leases.size < 2 && this.#limit > width);
    };
    while (!this.#stop.signal.aborted && this.#fault === undefined && isFull())
      await new Promise<void>((wake) => (this.#wake = wake));
    await Promise.all(this.#feeds.values());
  }

  async #work(sink: Sink, client: PullClient, { events, token }: PulledLease, width: number): Promise<void> {
    const lease = new Lease({
      ...{ events, leaseMs: this.#leaseMs },
      isKnown: ({ position }) => this.#isKnown(position),
      moved: () => this.#wake?.(),
    });
    this.#leases.add(lease);
    this.#give(sink, client, lease, events);
    try {
      let isOver = false;
      const over = lease.ended.then(() => (isOver = true));
      while (!isOver && lease.leftMs > 0) {
        await Promise.race([over, pause(Math.min(COMMIT_MS, Math.max(1, lease.leftMs)))]);
        await this.#commit(client, lease, token);
      }
      this.#size(lease, width);
      if (!lease.isComplete) await client.release(token, lease.failure);
    } catch (cause) {
      if (!isSdkFault(cause) || (!cause.retryable && cause.code !== 'lease_lost')) throw cause;
    } finally {
      lease.lost();
      this.#leases.delete(lease);
      this.#wake?.();
    }
  }

  /** One batch for each stream; those of one feed one after another. */
  #give(sink: Sink, client: PullClient, lease: Lease, events: readonly ReadEvent[]): void {
    const fresh = events.filter((event) => {
      const isOld = this.#moved.has(event);
      if (isOld) lease.finished(event);
      return !isOld;
    });
    const account = {
      mayBegin: (timeoutMs: number, afterMs?: number) => lease.mayBegin(timeoutMs, afterMs),
      wasHandled: (event: ReadEvent) => lease.wasHandled(event),
      finished: (event: ReadEvent) => {
        this.#remember(event.position);
        lease.finished(event);
        this.#o.finished?.(event);
      },
      givenBack: (...given: Parameters<Lease['givenBack']>) => lease.givenBack(...given),
    };
    const byFeed = new Map<string, ReadEvent[]>();
    for (const event of fresh) {
      const feed = event.position.slice(0, event.position.indexOf('/'));
      const own = byFeed.get(feed);
      if (own === undefined) byFeed.set(feed, [event]);
      else own.push(event);
    }
    for (const [feed, own] of byFeed) {
      const batch = {
        ...{ feed, account, commit: () => Promise.resolve(), laneOf: (event: ReadEvent) => client.laneOf(event) },
        events: own.map((event) => ({ event })),
      };
      const before = this.#feeds.get(feed) ?? Promise.resolve();
      // The consumer has ended: what it did not take is given back.
      this.#feeds.set(
        feed,
        before.then(() => sink.deliver(batch)).catch(() => undefined),
      );
    }
  }

  async #commit(client: PullClient, lease: Lease, token: string): Promise<void> {
    const state = lease.take();
    if (state === undefined) return;
    await client.commit(token, state);
    for (const position of state.done) this.#handled.delete(position);
  }

  #isKnown(position: string): boolean {
    return performance.now() - (this.#handled.get(position) ?? Number.NEGATIVE_INFINITY) < REMEMBERED_MS;
  }

  #remember(position: string): void {
    // Oldest first.
    for (const [old, at] of this.#handled) {
      if (performance.now() - at < REMEMBERED_MS) break;
      this.#handled.delete(old);
    }
    this.#handled.delete(position);
    this.#handled.set(position, performance.now());
  }

  /** The next lease is as large as what can be handled in a part of its time. */
  #size({ began, handled }: Lease, width: number): void {
    const eventMs = ((performance.now() - began) * Math.min(width, handled)) / Math.max(1, handled);
    const fits = Math.floor((width * this.#leaseMs * FILL) / Math.max(1, eventMs));
    this.#limit = Math.max(1, Math.min(MOST, this.#limit * 2, fits));
  }
}

function faultOf(name: string, cause: unknown): unknown {
  if (!isSdkFault(cause) || cause.code === 'subscription_changed') return cause;
  const { status } = cause as SdkFault;
  const gone = status === 404 ? 'It was removed: start the app again, and it is made anew' : undefined;
  const remedy = remedyOf(status) ?? gone ?? 'Ask the operator of the hub';
  const line = `the hub refuses to give the subscription ${name}: ${cause.message}. ${remedy}`;
  return new ConsumerFault('refused', line, cause);
}
