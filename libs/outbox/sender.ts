import { Coalescer, pause } from '#concurrency';
import {
  backoffMs,
  connect,
  createPublisher,
  needsOperator,
  SdkFault,
  type Connection,
  type Outcome,
  type PreparedEvent,
  type ProblemDocument,
  type Publisher,
  type PublisherOptions,
  type Receipt,
  type Step,
} from '#sdk';
import { Lanes, type Item } from './lanes.js';

/** A queued event, or why there is none: `gone` and `refused` have their outcome already (another relay was faster). */
export type Loaded = PreparedEvent | 'damaged' | 'gone' | 'refused';

/** Where queued events are kept. */
export interface Store {
  /** The events of these items, in their order. */
  load(items: readonly Item[]): Promise<readonly Loaded[]>;
  /** Removes accepted events and keeps refused ones aside. It is called again with the same items when it rejects. */
  settle(settled: readonly SettledItem[]): Promise<void>;
}

export interface SettledItem {
  readonly item: Item;
  /** undefined: the row is damaged. */
  readonly event: PreparedEvent | undefined;
  readonly outcome: Outcome;
}

/** What becomes of the later events of an ordering key when the hub refuses one: they wait until it is sent again or dropped, or they are sent. */
export type WhenRefused = 'stop' | 'go on';

/** Where a publisher sends, and as whom. */
export interface SenderOptions extends Pick<
  PublisherOptions,
  'url' | 'connection' | 'key' | 'owner' | 'system' | 'random'
> {
  /** Most requests in flight. @default 8 */
  readonly width?: number;
  /** @default 'go on' */
  readonly whenRefused?: WhenRefused;
}

export interface SenderDeps {
  readonly options: SenderOptions;
  readonly store: Store;
  readonly lanes: Lanes;
  readonly now: () => number;
  /** After the outcome is stored. */
  readonly settled: (settled: SettledItem) => void;
  /** The item has its outcome elsewhere. */
  readonly forgotten?: (item: Item) => void;
  /** A fault that delays everything, and undefined when it is over. */
  readonly paused: (fault: SdkFault | undefined) => void;
}

export interface LastFault {
  readonly code: string;
  readonly detail: string;
  readonly at: Date;
}

/** One call of the publisher: its events without an outcome, and those of them that wait for the operator of the hub. */
interface Request {
  readonly open: Set<string>;
  readonly resting: Set<string>;
}

interface Flight {
  readonly item: Item;
  readonly request: Request;
}

/** At most one event of a key: when the outcome of an event is open, its later ones must not be recorded. */
const BATCH_EVENTS = 500;
const BATCH_BYTES = 1 << 20;
/** Requests that wait for the operator of the hub (a lost topic) and hold no place of the others. */
const MAX_RESTING = 64;
/** A pause of everything begins at ten times the wait before a retry: 1 s, then up to 50 s. */
const PAUSE_FACTOR = 10;
const STORE_AGAIN_MS = 1_000;

/**
 * A refusal that is about the key or the address and not about the event: the events keep their places until somebody has acted. 401: unknown, expired or revoked;
 * `forbidden`: no publisher; `source_not_yours`: of another system; `not_found`: this process of the hub has no publish door.
 */
const concernsKey = ({ status, code }: SdkFault): boolean =>
  status === 401 || code === 'forbidden' || code === 'source_not_yours' || code === 'not_found';

/** Sends what waits in the lanes with the SDK's publisher, until it is closed. An event keeps its id, so what is sent twice has one effect. */
export class Sender {
  readonly #deps: SenderDeps;
  readonly #connection: Connection;
  readonly #publisher: Publisher;
  readonly #stop = new AbortController();
  readonly #flights = new Map<string, Flight>();
  readonly #stored: Coalescer<SettledItem, void>;
  readonly #width: number;
  #key: string;
  /** Items taken from the lanes whose outcome is not stored. */
  #open = 0;
  #requests = 0;
  /** Requests in which every event rests: the publisher gives their places to others. */
  readonly #resting = new Set<Request>();
  #paused: SdkFault | undefined;
  #pauses = 0;
  #probing = false;
  #waitsForPause = false;
  #wakePause = new AbortController();
  #idle: (() => void)[] = [];
  lastReceipt: { readonly receipt: Receipt; readonly at: Date } | undefined;
  lastFault: LastFault | undefined;

  constructor(deps: SenderDeps) {
    this.#deps = deps;
    const { options } = deps;
    this.#key = options.key;
    this.#width = Math.max(2, options.width ?? 8);
    this.#connection = options.connection ?? connect({ url: options.url ?? 'http://127.0.0.1:8080' });
    const key = (): string => this.#key;
    this.#publisher = createPublisher({
      connection: this.#connection,
      owner: options.owner,
      system: options.system,
      width: this.#width,
      now: deps.now,
      report: { step: (step) => this.#onStep(step) },
      get key() {
        return key();
      },
      ...(options.random === undefined ? {} : { random: options.random }),
    });
    this.#stored = new Coalescer({ run: (batch) => this.#store(batch) });
  }

  get source(): string {
    return this.#publisher.source;
  }

  /** Events that are sent and have no outcome yet, or none that is stored. */
  get inFlight(): number {
    return this.#open;
  }

  get pausedBy(): SdkFault | undefined {
    return this.#paused;
  }

  /** Nothing can be sent: all have their outcome, but those behind a refused event. */
  get isIdle(): boolean {
    const { lanes } = this.#deps;
    return this.#open === 0 && lanes.waiting === lanes.stopped;
  }

  /** Resolves when isIdle. */
  idle(): Promise<void> {
    return this.isIdle ? Promise.resolve() : new Promise((wake) => this.#idle.push(wake));
  }

  /** The key has been replaced: a pause ends. */
  renewKey(key: string): void {
    this.#key = key;
    this.#wakePause.abort();
  }

  /** There is something to send. */
  wake(): void {
    const { lanes } = this.#deps;
    const { signal } = this.#stop;
    while (!signal.aborted && !(this.#paused && !this.#probing)) {
      const inFlight = this.#requests - this.#resting.size;
      if (this.#probing ? this.#open > 0 : inFlight >= this.#width) break;
      const items = lanes.take({
        events: this.#probing ? 1 : BATCH_EVENTS,
        bytes: BATCH_BYTES,
        // The last place is for urgent events, so that they need not wait for a request that the hub does not answer.
        urgentOnly: !this.#probing && inFlight === this.#width - 1,
      });
      if (items.length === 0) break;
      this.#open += items.length;
      this.#requests++;
      void this.#send(items).finally(() => {
        this.#requests--;
        this.wake();
      });
    }
    if (this.isIdle) for (const wake of this.#idle.splice(0)) wake();
  }

  /** Stops sending. What has no outcome stays in the store. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#wakePause.abort();
    await this.#publisher.close();
    await this.#stored.idle();
    if (this.#deps.options.connection === undefined) await this.#connection.close();
  }

  async #send(items: readonly Item[]): Promise<void> {
    let events: readonly Loaded[];
    try {
      events = await this.#deps.store.load(items);
    } catch (e) {
      this.#failed(e);
      this.#putBack(items);
      await pause(STORE_AGAIN_MS, this.#stop.signal);
      return;
    }
    const request: Request = { open: new Set(), resting: new Set() };
    const sent: PreparedEvent[] = [];
    for (const [i, item] of items.entries()) {
      const event = events[i]!;
      if (event === 'damaged') this.#settle(item, undefined, { ok: false, fault: damaged() });
      else if (typeof event === 'string') this.#forget(item, event);
      if (typeof event === 'string') continue;
      this.#flights.set(event.id, { item, request });
      request.open.add(event.id);
      sent.push(event);
    }
    if (sent.length === 0) return;
    try {
      // Outcomes arrive as steps, one by one: an event that the hub cannot take keeps none of the others.
      if (sent.length === 1) await this.#publisher.publish(sent[0]!);
      else await this.#publisher.publishBatch(sent);
    } catch {
      // The step has said why.
    }
    this.#resting.delete(request);
  }

  #onStep(step: Step): void {
    const flight = this.#flights.get(step.event.id);
    if (flight === undefined || step.kind === 'invoke') return;
    const { item } = flight;
    if (step.kind !== 'ok') {
      this.#failed(step.fault);
      if (step.kind === 'info') return this.#rest(step.event.id, flight, needsOperator(step.fault));
    }
    this.#flights.delete(step.event.id);
    flight.request.open.delete(step.event.id);
    this.#rest(step.event.id, flight, false);
    if ('fault' in step) {
      if (concernsKey(step.fault)) {
        this.#putBack([item]);
        return this.#pause(step.fault);
      }
      this.#resume();
      return this.#settle(item, step.event, { ok: false, fault: step.fault });
    }
    this.#resume();
    this.lastReceipt = { receipt: step.receipt, at: new Date(this.#deps.now()) };
    return this.#settle(item, step.event, { ok: true, receipt: step.receipt });
  }

  #rest(id: string, { request }: Flight, rests: boolean): void {
    if (rests) request.resting.add(id);
    else request.resting.delete(id);
    const all = request.open.size > 0 && request.resting.size === request.open.size;
    if (!all || this.#resting.size >= MAX_RESTING) this.#resting.delete(request);
    else if (!this.#resting.has(request)) {
      this.#resting.add(request);
      setImmediate(() => this.wake());
    }
  }

  #forget(item: Item, why: 'gone' | 'refused'): void {
    this.#open--;
    if (why === 'refused' && this.#deps.options.whenRefused === 'stop') this.#deps.lanes.stop(item.key);
    this.#deps.lanes.settle(item);
    this.#deps.forgotten?.(item);
  }

  #putBack(items: readonly Item[]): void {
    this.#open -= items.length;
    for (const item of items) this.#deps.lanes.putBack(item);
  }

  /** Stores the outcome; only then the next event of the key may go, and the caller learns it. */
  #settle(item: Item, event: PreparedEvent | undefined, outcome: Outcome): void {
    void this.#stored.add({ item, event, outcome });
  }

  async #store(batch: readonly SettledItem[]): Promise<void[]> {
    for (;;) {
      try {
        await this.#deps.store.settle(batch);
        break;
      } catch (e) {
        this.#failed(e);
        // What was accepted is sent again by the next run, and is a duplicate then.
        if (this.#stop.signal.aborted) return batch.map(() => undefined);
        await pause(STORE_AGAIN_MS, this.#stop.signal);
      }
    }
    const stops = this.#deps.options.whenRefused === 'stop';
    this.#open -= batch.length;
    for (const settled of batch) {
      const { item, outcome } = settled;
      if (!outcome.ok && stops) this.#deps.lanes.stop(item.key);
      this.#deps.lanes.settle(item);
      this.#deps.settled(settled);
    }
    this.wake();
    return batch.map(() => undefined);
  }

  #failed(e: unknown): void {
    const { code = 'internal', message } = e as { readonly code?: string; readonly message: string };
    const detail = e instanceof SdkFault ? (e.problem.detail ?? e.problem.title ?? message) : message;
    this.lastFault = { code, detail, at: new Date(this.#deps.now()) };
  }

  /** Everything waits, then one event asks whether it may go. */
  #pause(fault: SdkFault): void {
    this.#probing = false;
    if (this.#paused !== undefined && this.#waitsForPause) return;
    if (this.#paused === undefined) this.#deps.paused(fault);
    this.#paused = fault;
    this.#waitsForPause = true;
    this.#wakePause = new AbortController();
    const ms =
      PAUSE_FACTOR * backoffMs(++this.#pauses, fault.retryAfterMs, this.#connection.random, this.#connection.retry);
    void pause(ms, AbortSignal.any([this.#wakePause.signal, this.#stop.signal])).then(() => {
      this.#waitsForPause = false;
      this.#probing = true;
      this.wake();
    });
  }

  #resume(): void {
    if (this.#paused === undefined) return;
    this.#paused = undefined;
    this.#pauses = 0;
    this.#probing = false;
    this.#deps.paused(undefined);
  }
}

function damaged(): SdkFault {
  const problem: ProblemDocument = { code: 'outbox_corrupt', title: 'The stored event is damaged' };
  return new SdkFault(0, problem, { retryable: false });
}
