import { Coalescer, deferred, withDeadline } from '#concurrency';
import { isTypeName, sourceUrn } from '#event';
import {
  createIds,
  newEvent,
  orderingKeyOf,
  SdkFault,
  type EventToken,
  type NewEvent,
  type Outcome,
  type PreparedEvent,
  type ProblemDocument,
  type Receipt,
  type ToPublish,
} from '#sdk';
import { OutboxFault } from './fault.js';
import { bytesOf, OutboxFile, type Inserted, type NewRow, type RefusedEvent } from './file.js';
import { Lanes, type Item } from './lanes.js';
import { Room } from './room.js';
import { Sender, type LastFault, type SenderOptions, type SettledItem } from './sender.js';

/** An outbox on this machine, and how much it may hold. */
export interface OutboxPublisherOptions extends SenderOptions {
  /** File of the outbox (SQLite). One process holds it; the folder must exist, on a local disk. */
  readonly outbox: string;
  /** Most events, queued and refused together; a tenth is for urgent ones. @default 100000 */
  readonly maxEvents?: number;
  /** Most bytes of events; a tenth is for urgent ones. @default 256 MiB */
  readonly maxBytes?: number;
  /** Longest wait of publish() for room, ms. @default 30000 */
  readonly deadlineMs?: number;
  /** ms since 1970. @default Date.now */
  readonly now?: () => number;
  readonly report?: OutboxReport;
}

/**
 * Calls of the outbox. They also tell of events that an earlier run of the process has queued. A call that throws is an uncaught exception of its own, and disturbs
 * nothing of the outbox.
 */
export interface OutboxReport {
  /** The hub has recorded the event. */
  accepted?(event: PreparedEvent, receipt: Receipt): void;
  /** The hub has refused the event, once and for all: it is kept aside, see refused(). */
  refused?(event: PreparedEvent | undefined, fault: SdkFault): void;
  /** Nothing is sent because of this fault (the key has expired, for example). undefined: it is over. */
  paused?(fault: SdkFault | undefined): void;
}

export interface PublishOptions {
  /** Sent before everything that is not urgent, except the earlier events of its ordering key. @default false */
  readonly urgent?: boolean;
  /** Longest wait for room, ms. @default that of the publisher */
  readonly deadlineMs?: number;
}

/** An event that is stored in the outbox. It is not sent yet: `outcome` tells what becomes of it. */
export interface QueuedEvent {
  readonly status: 'queued';
  readonly id: string;
  readonly source: string;
  /**
   * The receipt of the hub, or its refusal. Never rejects. When the publisher is closed first, `fault.code` is `outbox_closed`: the event stays queued and is sent by
   * the next run.
   */
  readonly outcome: Promise<Outcome>;
}

export interface OutboxStatus {
  /** Events without an outcome. */
  readonly queued: number;
  /** Bytes of queued and refused events. */
  readonly bytes: number;
  readonly inFlight: number;
  /** Events that the hub has refused and that nobody has sent again or dropped. */
  readonly refused: number;
  /** Queued events behind a refused one of their ordering key (`whenRefused: 'stop'`). */
  readonly stopped: number;
  /** When the oldest queued event was queued. */
  readonly oldest: Date | undefined;
  /** publish() calls that wait for room. */
  readonly waiting: number;
  readonly lastReceipt: { readonly receipt: Receipt; readonly at: Date } | undefined;
  readonly lastFault: LastFault | undefined;
  /** Why nothing is sent: the fault of the key. */
  readonly paused: ProblemDocument | undefined;
}

export interface OutboxPublisher {
  /** The CloudEvents source: `urn:simpul:unit:<owner>:<system>`. */
  readonly source: string;
  /**
   * Resolves when the event is on the disk of this machine: it is queued, not sent. Waits for room (backpressure). Rejects with `OutboxFault`: `outbox_full`,
   * `outbox_event_too_large`, `outbox_invalid_event`, `outbox_id_reused`, `outbox_disk_full`, `outbox_disk`, `outbox_corrupt`, `outbox_closed`; the event is
   * not queued then. The same event again (same id and data), while it is queued, is queued once.
   */
  publish(event: NewEvent, options?: PublishOptions): Promise<QueuedEvent>;
  /** The same with the token of the event type. Also rejects with the `SdkFault` of `newEvent` when the data does not fit the token's schema. */
  publish<T extends object>(
    token: EventToken<T>,
    data: ToPublish<T>,
    options?: PublishOptions & Omit<NewEvent, 'type' | 'data' | 'dataschema'>,
  ): Promise<QueuedEvent>;
  /**
   * Resolves when every queued event has its outcome, except those behind a refused one. Rejects with `outbox_not_settled` at the deadline; everything stays queued.
   * @default no deadline
   */
  flush(options?: { readonly deadlineMs?: number }): Promise<void>;
  status(): OutboxStatus;
  /** The refused events, the oldest first. */
  refused(): RefusedEvent[];
  /** Queues a refused event again, at its place in its ordering key. Throws `outbox_unknown_event`. */
  retry(id: string): void;
  /** Removes a refused event; the later ones of its ordering key go on. Throws `outbox_unknown_event`. */
  drop(id: string): void;
  /** Takes another API key of the same system; a pause because of the old one ends. */
  renewKey(key: string): void;
  /** Stops sending and closes the file. What is queued stays in it. */
  close(): Promise<void>;
}

const MAX_EVENTS = 100_000;
const MAX_BYTES = 256 << 20;
const DEADLINE_MS = 30_000;
/** Room for what the outbox adds to an event: id, time, number. */
const ADDED_BYTES = 160;

class Pending implements QueuedEvent {
  readonly status = 'queued';
  readonly id: string;
  readonly source: string;
  #outcome: Outcome | undefined;
  #waiting: ((outcome: Outcome) => void)[] = [];

  constructor(id: string, source: string) {
    this.id = id;
    this.source = source;
  }

  get outcome(): Promise<Outcome> {
    const known = this.#outcome;
    return known === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(known);
  }

  settle(outcome: Outcome): void {
    this.#outcome = outcome;
    for (const resolve of this.#waiting.splice(0)) resolve(outcome);
  }
}

class FilePublisher implements OutboxPublisher {
  readonly source: string;
  readonly #options: OutboxPublisherOptions;
  readonly #now: () => number;
  readonly #newId: () => string;
  readonly #file: OutboxFile;
  readonly #lanes = new Lanes();
  readonly #room: Room;
  readonly #sender: Sender;
  readonly #inserts: Coalescer<NewRow, Inserted>;
  /** By number. Events of an earlier run have none. */
  readonly #pending = new Map<number, Pending>();
  readonly #closing = deferred<never>();
  #refused = 0;
  #closed = false;

  constructor(options: OutboxPublisherOptions, maxPages?: number) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#newId = createIds({ now: this.#now, ...(options.random === undefined ? {} : { random: options.random }) });
    this.source = sourceUrn(options.owner, options.system);
    this.#room = new Room({ maxEvents: options.maxEvents ?? MAX_EVENTS, maxBytes: options.maxBytes ?? MAX_BYTES });
    this.#file = OutboxFile.open(options.outbox, this.source, maxPages);
    this.#inserts = new Coalescer({ run: async (rows) => this.#insert(rows) });
    this.#sender = new Sender({
      options,
      lanes: this.#lanes,
      now: this.#now,
      store: {
        load: async (items) => items.map(({ seq }) => this.#file.load(seq) ?? 'damaged'),
        settle: async (settled) =>
          this.#file.settle(
            settled.map(({ item, outcome }) =>
              outcome.ok ? { seq: item.seq } : { seq: item.seq, refused: outcome.fault.problem },
            ),
          ),
      },
      settled: (settled) => this.#settled(settled),
      paused: (fault) => queueMicrotask(() => options.report?.paused?.(fault)),
    });
    this.#resume();
  }

  /** Takes over what an earlier run has left. */
  #resume(): void {
    const { queued, refused } = this.#file.items();
    for (const item of refused) {
      this.#room.add(item.bytes);
      this.#refused++;
      if (this.#options.whenRefused === 'stop') this.#lanes.stop(item.key);
    }
    for (const item of queued) {
      this.#room.add(item.bytes);
      this.#lanes.add(item);
    }
    this.#sender.wake();
  }

  async publish(
    first: NewEvent | EventToken<object>,
    second?: object,
    third?: PublishOptions & Omit<NewEvent, 'type' | 'data' | 'dataschema'>,
  ): Promise<QueuedEvent> {
    if (!('schema' in first)) return this.#queue(first as NewEvent, (second ?? {}) as PublishOptions);
    const { urgent, deadlineMs, ...attributes } = third ?? {};
    return this.#queue(newEvent(first, second ?? {}, attributes), {
      ...(urgent === undefined ? {} : { urgent }),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    });
  }

  async #queue(given: NewEvent, { urgent = false, deadlineMs }: PublishOptions): Promise<QueuedEvent> {
    const event = this.#prepared(given);
    const bytes = sizeOf(event);
    await this.#room.take(bytes, urgent, deadlineMs ?? this.#options.deadlineMs ?? DEADLINE_MS);
    let result: Inserted;
    try {
      if (this.#closed) throw new OutboxFault('outbox_closed');
      result = await this.#inserts.add({ event, key: orderingKeyOf(event), urgent, queued: this.#now() });
    } catch (e) {
      this.#room.give(bytes);
      throw e;
    }
    if (result.kind !== 'queued') this.#room.give(bytes);
    if (result.kind === 'reused') throw new OutboxFault('outbox_id_reused', event.id);
    const { item } = result;
    if (result.kind === 'queued') this.#room.correct(item.bytes - bytes);
    return this.#pendingOf(item, event);
  }

  /** One durable write for all callers of this moment. */
  #insert(rows: readonly NewRow[]): Inserted[] {
    const results = this.#file.insert(rows);
    for (const result of results) if (result.kind === 'queued') this.#lanes.add(result.item);
    setImmediate(() => this.#sender.wake());
    return results;
  }

  #pendingOf({ seq }: Item, { id, source }: PreparedEvent): Pending {
    const pending = this.#pending.get(seq) ?? new Pending(id, source);
    this.#pending.set(seq, pending);
    return pending;
  }

  #prepared(event: NewEvent): PreparedEvent {
    if (typeof event.type !== 'string' || !isTypeName(event.type))
      throw new OutboxFault('outbox_invalid_event', `type ${String(event.type)}`);
    if (typeof event.data !== 'object' || event.data === null) throw new OutboxFault('outbox_invalid_event', 'no data');
    const id = event.id ?? this.#newId();
    return { ...event, id, source: this.source, time: event.time ?? new Date(this.#now()).toISOString() };
  }

  #settled({ item, event, outcome }: SettledItem): void {
    const pending = this.#pending.get(item.seq);
    this.#pending.delete(item.seq);
    pending?.settle(outcome);
    const { report } = this.#options;
    if (outcome.ok) {
      this.#room.give(item.bytes);
      queueMicrotask(() => report?.accepted?.(event!, outcome.receipt));
    } else {
      this.#refused++;
      queueMicrotask(() => report?.refused?.(event, outcome.fault));
    }
  }

  async flush({ deadlineMs }: { readonly deadlineMs?: number } = {}): Promise<void> {
    const idle = Promise.race([this.#inserts.idle().then(() => this.#sender.idle()), this.#closing.promise]);
    if (deadlineMs === undefined) return idle;
    await withDeadline(idle, deadlineMs, () => {
      throw new OutboxFault('outbox_not_settled', String(this.status().queued));
    });
  }

  status(): OutboxStatus {
    const queued = this.#room.events - this.#refused;
    return {
      queued,
      bytes: this.#room.bytes,
      inFlight: this.#sender.inFlight,
      refused: this.#refused,
      stopped: this.#lanes.stopped,
      oldest: dateOf(this.#closed ? undefined : this.#file.oldest()),
      waiting: this.#room.waiting,
      lastReceipt: this.#sender.lastReceipt,
      lastFault: this.#sender.lastFault,
      paused: this.#sender.pausedBy?.problem,
    };
  }

  refused(): RefusedEvent[] {
    return this.#file.refused();
  }

  retry(id: string): void {
    const item = this.#file.retry(id);
    if (item === undefined) throw new OutboxFault('outbox_unknown_event', id);
    this.#refused--;
    this.#lanes.add(item);
    this.#go(item);
  }

  drop(id: string): void {
    const item = this.#file.drop(id);
    if (item === undefined) throw new OutboxFault('outbox_unknown_event', id);
    this.#refused--;
    this.#room.give(item.bytes);
    this.#go(item);
  }

  #go({ key }: Item): void {
    this.#lanes.go(key);
    this.#sender.wake();
  }

  renewKey(key: string): void {
    this.#sender.renewKey(key);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const closed = new OutboxFault('outbox_closed');
    this.#closing.promise.catch(() => undefined);
    this.#closing.reject(closed);
    this.#room.close(closed);
    await this.#inserts.idle();
    await this.#sender.close();
    this.#file.close();
    const fault = new SdkFault(0, { code: 'outbox_closed' }, { retryable: true });
    for (const pending of this.#pending.values()) pending.settle({ ok: false, fault });
    this.#pending.clear();
  }
}

const dateOf = (ms: number | undefined): Date | undefined => (ms === undefined ? undefined : new Date(ms));

/** Bytes of an event in the outbox, before it has its number. */
function sizeOf(event: PreparedEvent): number {
  try {
    return bytesOf(JSON.stringify(event)) + ADDED_BYTES;
  } catch (e) {
    throw new OutboxFault('outbox_invalid_event', e instanceof Error ? e.message : String(e), e);
  }
}

/**
 * Opens a publisher with an outbox: publish() stores the event on this machine, and the outbox sends it when the hub can be reached, in the order of its ordering key,
 * also after a crash. Throws `OutboxFault` when the file cannot be used: `outbox_unsupported`, `outbox_locked`, `outbox_unwritable`, `outbox_foreign`, `outbox_newer`,
 * `outbox_other_source`, `outbox_corrupt`, `outbox_disk_full`, `outbox_disk`.
 */
export function createPublisher(options: OutboxPublisherOptions): OutboxPublisher {
  return new FilePublisher(options);
}
