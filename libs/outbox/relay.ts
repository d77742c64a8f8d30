import { randomUUID } from 'node:crypto';
import { pause, withDeadline } from '#concurrency';
import { sourceUrn } from '#event';
import { OutboxFault } from './fault.js';
import type { RefusedEvent } from './file.js';
import { Lanes } from './lanes.js';
import type { OutboxReport, OutboxStatus } from './publisher.js';
import { OutboxRows } from './rows.js';
import { Sender, type LastFault, type SenderOptions } from './sender.js';
import { pgSql, sqliteSql, type PgPool } from './sql.js';

export interface RelayOptions extends SenderOptions {
  /** A pool of `pg`, or the SQLite file of the unit: the relay opens a connection of its own to it. */
  readonly database: PgPool | string;
  /** Longest time until a committed event is seen when nobody calls wake(), ms. @default 500 */
  readonly pollMs?: number;
  /** How long another relay waits for one that has ended without close(), ms. @default 15000 */
  readonly leaseMs?: number;
  readonly report?: OutboxReport;
}

export interface RelayStatus extends Pick<
  OutboxStatus,
  'queued' | 'refused' | 'inFlight' | 'oldest' | 'lastReceipt' | 'lastFault' | 'paused'
> {
  /** This relay sends; the others of the same tables stand by. */
  readonly sends: boolean;
}

/** Sends what outboxIn() has stored. */
export interface Relay {
  readonly source: string;
  /** A transaction has committed: do not wait for the next look. */
  wake(): void;
  /** Resolves when every committed event has its outcome, also by another relay, except those behind a refused one. Rejects with `outbox_not_settled` at the deadline. */
  flush(options?: { readonly deadlineMs?: number }): Promise<void>;
  status(): Promise<RelayStatus>;
  refused(): Promise<RefusedEvent[]>;
  /** Queues a refused event again, at its place in its ordering key. Rejects with `outbox_unknown_event`. */
  retry(id: string): Promise<void>;
  /** Removes a refused event; the later ones of its ordering key go on. Rejects with `outbox_unknown_event`. */
  drop(id: string): Promise<void>;
  renewKey(key: string): void;
  /** Stops sending. What is queued stays in the tables. */
  close(): Promise<void>;
}

const POLL_MS = 500;
const LEASE_MS = 15_000;
/** Rows that are known beyond those of one look. */
const LOOK = 1_000;
/** Rows of one key that are known at once; the others are looked for when these are settled. */
const KEY_ROWS = 100;
const AGAIN_MS = 1_000;

class TableRelay implements Relay {
  readonly source: string;
  readonly #options: RelayOptions;
  readonly #rows: OutboxRows;
  readonly #lanes = new Lanes();
  readonly #sender: Sender;
  readonly #holder = randomUUID();
  readonly #stop = new AbortController();
  /** Keys of the rows that wait or are in flight here, by number. */
  readonly #known = new Map<number, string>();
  readonly #running: Promise<void>;
  #woken = new AbortController();
  #leasedUntil = Number.NEGATIVE_INFINITY;
  #lastFault: LastFault | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    const { database, report } = options;
    this.source = sourceUrn(options.owner, options.system);
    this.#rows = new OutboxRows(typeof database === 'string' ? sqliteSql(database) : pgSql(database));
    this.#sender = new Sender({
      options,
      lanes: this.#lanes,
      now: Date.now,
      store: {
        load: (items) => this.#rows.load(items, this.source),
        settle: (settled) => this.#rows.settle(settled),
      },
      settled: ({ item, event, outcome }) => {
        this.#known.delete(item.seq);
        if (outcome.ok) queueMicrotask(() => report?.accepted?.(event!, outcome.receipt));
        else queueMicrotask(() => report?.refused?.(event, outcome.fault));
        if (this.#known.size < LOOK / 2) this.wake();
      },
      forgotten: (item) => this.#known.delete(item.seq),
      paused: (fault) => queueMicrotask(() => report?.paused?.(fault)),
    });
    this.#running = this.#run();
  }

  get #sends(): boolean {
    return performance.now() < this.#leasedUntil;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let waitMs = this.#options.pollMs ?? POLL_MS;
      try {
        if (await this.#lease()) await this.#look();
        this.#lastFault = undefined;
      } catch (e) {
        const { code = 'internal', message } = e as { readonly code?: unknown; readonly message: string };
        this.#lastFault = { code: String(code), detail: message, at: new Date() };
        waitMs = AGAIN_MS;
      }
      await pause(waitMs, AbortSignal.any([signal, this.#woken.signal]));
      if (this.#woken.signal.aborted) this.#woken = new AbortController();
    }
  }

  /**
   * One relay sends, so that nothing is sent twice for nothing. The order does not depend on it: every relay sends the rows of a key one by one, in their order and with
   * the same ids, so the first of several that sends an event has seen the outcome of the one before.
   */
  async #lease(): Promise<boolean> {
    const ms = this.#options.leaseMs ?? LEASE_MS;
    const now = performance.now();
    if (this.#leasedUntil - now > ms / 2) return true;
    const taken = await this.#rows.lease(this.#holder, ms);
    this.#leasedUntil = taken ? now + ms : Number.NEGATIVE_INFINITY;
    return taken;
  }

  async #look(): Promise<void> {
    const counts = new Map<string, number>();
    for (const key of this.#known.values()) counts.set(key, (counts.get(key) ?? 0) + 1);
    const full = [...counts].filter(([, n]) => n >= KEY_ROWS).map(([key]) => key);
    const refused = this.#options.whenRefused === 'stop' ? await this.#rows.refusedKeys() : [];
    const stopped = new Set(refused);
    for (const key of this.#lanes.stoppedKeys()) if (!stopped.has(key)) this.#lanes.go(key);
    for (const key of stopped) this.#lanes.stop(key);
    for (const item of await this.#rows.waiting(this.#known.size + LOOK, [...full, ...stopped])) {
      if (this.#known.has(item.seq)) continue;
      this.#known.set(item.seq, item.key);
      this.#lanes.add(item);
    }
    this.#sender.wake();
  }

  wake(): void {
    this.#woken.abort();
  }

  async flush({ deadlineMs }: { readonly deadlineMs?: number } = {}): Promise<void> {
    const ended = new AbortController();
    const work = this.#untilEmpty(AbortSignal.any([ended.signal, this.#stop.signal]));
    try {
      if (deadlineMs === undefined) await work;
      else
        await withDeadline(work, deadlineMs, () => {
          throw new OutboxFault('outbox_not_settled', String(this.#known.size));
        });
    } finally {
      ended.abort();
    }
    if (this.#stop.signal.aborted) throw new OutboxFault('outbox_closed');
  }

  async #untilEmpty(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.wake();
      const [row] = await this.#rows.waiting(
        1,
        this.#options.whenRefused === 'stop' ? await this.#rows.refusedKeys() : [],
      );
      if (row === undefined && this.#sender.isIdle) return;
      await pause(20, signal);
    }
  }

  async status(): Promise<RelayStatus> {
    const { queued, refused, oldest } = await this.#rows.counts();
    return {
      queued,
      refused,
      oldest: oldest === undefined ? undefined : new Date(oldest),
      inFlight: this.#sender.inFlight,
      lastReceipt: this.#sender.lastReceipt,
      lastFault: this.#lastFault ?? this.#sender.lastFault,
      paused: this.#sender.pausedBy?.problem,
      sends: this.#sends,
    };
  }

  refused(): Promise<RefusedEvent[]> {
    return this.#rows.refused();
  }

  async retry(id: string): Promise<void> {
    await this.#rows.retry(id);
    this.wake();
  }

  async drop(id: string): Promise<void> {
    await this.#rows.drop(id);
    this.wake();
  }

  renewKey(key: string): void {
    this.#sender.renewKey(key);
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    await this.#running;
    await this.#sender.close();
    try {
      await this.#rows.giveLease(this.#holder);
    } catch {
      // It ends by itself.
    }
    await this.#rows.close();
  }
}

/**
 * Starts a relay that sends what outboxIn() has stored in the unit's own database, with the order, ids, numbers and refusals of `createPublisher`. Several relays of the
 * same tables are safe: one sends, the others take over. A database that cannot be reached is tried again; `status()` says so. Throws `outbox_unsupported`.
 */
export function createRelay(options: RelayOptions): Relay {
  return new TableRelay(options);
}
