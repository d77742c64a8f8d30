import { pause } from '#concurrency';
import type { Fault } from '#faults';
import type { ReadEvent } from '#reading';
import type { CompiledSubscription, Subscription } from '#subscriptions';
import { Lanes } from '../lanes/lanes.js';
import type { Attempt, Effects, ItemResult } from '../lanes/types.js';
import type { CursorRow, LaneRow, LeaseRow } from '../port.js';
import { Leases } from '../pull/leases.js';
import { LiveSeat } from '../pull/live.js';
import { LEASED } from '../pull/memory.js';
import { Attempting } from './attempting.js';
import { sentId, type Edited } from './edited.js';
import { Followed, type FollowedStream } from './followed.js';
import { permissionFor, type Asking, type Permission } from './permission.js';
import type { RunDeps } from './run-deps.js';
import { Waker } from './waker.js';

/** Events of one request of the mode `batch`. */
const BATCH = 100;
/** Events in memory of a subscription that is pushed one by one: several times what one host is sent at a time. Of one in batches, or with little to run: as its policy says. */
const PUSHED = 250;
/** The feed is told of room when this part of it is free. */
const RESUME = 0.25;
/** Before a courier that is not sure of its partition, or of what it has stored, looks again. */
const AGAIN_MS = 1_000;

/** The deliveries of one subscription at its owner: what is due comes from the feed into lanes, and goes out as attempts (R8). */
export class Run {
  readonly #deps: RunDeps;
  readonly lanes: Lanes<ReadEvent>;
  /** undefined: events are pushed. */
  readonly leases: Leases | undefined;
  readonly seat: LiveSeat;
  readonly #streams = new Map<string, Followed>();
  readonly #stop = new AbortController();
  readonly #waker: Waker;
  #host: string;
  /** undefined: the receiver need not be asked. */
  #permission: Permission | undefined;
  readonly #asking: Asking;
  #subscription: Subscription;
  #compiled: CompiledSubscription;
  #running = 0;
  #idle: (() => void) | undefined;
  readonly #attempting: Attempting;
  #isWritingHeld = false;
  #isFull = false;
  #isStopping = false;
  readonly #pump = (): void => this.pump();

  constructor(
    deps: RunDeps,
    subscription: Subscription,
    compiled: CompiledSubscription,
    rows: readonly (LaneRow | LeaseRow)[],
  ) {
    this.#deps = deps;
    this.seat = new LiveSeat(deps.now);
    this.#subscription = subscription;
    this.#compiled = compiled;
    this.#host = deps.push.hostOf(subscription);
    this.#waker = new Waker(deps.now, this.#pump);
    this.#asking = { ...deps, signal: this.#stop.signal, wake: this.#pump };
    const { now, random, policy = {} } = deps;
    const isPushed = subscription.target.kind === 'webhook';
    this.lanes = new Lanes({
      subscription: subscription.id,
      now,
      random,
      policy: isPushed ? policy : { ...policy, ...LEASED },
      rows: rows.filter((row) => row.kind !== 'lease'),
    });
    this.#attempting = new Attempting({
      ...deps,
      lanes: this.lanes,
      subscription: () => this.#subscription,
      compiled: () => this.#compiled,
      touch: (stream) => this.#streams.get(stream)?.touch(),
      tell: (effects) => this.#tell(effects),
      damaged: (position) => deps.damaged(this, position),
      signal: this.#stop.signal,
    });
    if (!isPushed)
      this.leases = this.#leasesOf(
        deps,
        rows.find((row) => row.kind === 'lease'),
      );
    this.#fit(false);
    if (subscription.state !== 'active') this.lanes.pause();
    this.#permission = permissionFor(subscription, this.#asking);
  }

  #leasesOf(deps: RunDeps, row: LeaseRow | undefined): Leases {
    const { lanes } = this;
    const attempting = this.#attempting;
    const { events } = attempting;
    const { leasing, pullMemory: memory, writer, now, mayStart } = deps;
    return new Leases(
      {
        ...leasing,
        lanes,
        now,
        mayStart,
        subscription: () => this.#subscription,
        write: (changes) => attempting.write(changes),
        store: (stored) => writer.write([{ key: `${this.#subscription.id}/l/open`, row: stored }]),
        eventOf: (item) =>
          events.known(item) ?? events.of(item).catch((cause: unknown) => attempting.unreadable(item, cause)),
        ended: async (items, effects) => attempting.ended(items, effects),
        record: (leased, results, made) => {
          const { id: subscription } = this.#subscription;
          const shared = { ...made, subscription, ms: now() - made.at };
          for (const [i, event] of leased.entries())
            attempting.record(event, { ...shared, id: sentId(this.#subscription, [event]) }, results[i]);
        },
        wake: this.#pump,
        memory,
        isBehind: () => this.#isBehind,
        idle: () => deps.idle(this),
      },
      row,
    );
  }

  /** Why an active subscription sends nothing: the receiver has not said that it may. */
  get waitsFor(): string | undefined {
    return this.#permission?.why;
  }

  get subscription(): Subscription {
    return this.#subscription;
  }

  /** It begins nothing more, and hands out no row once what runs had time to end. */
  get isStopped(): boolean {
    return this.#isStopping;
  }

  get compiled(): CompiledSubscription {
    return this.#compiled;
  }

  /** Attempts that run, or events that are leased. */
  get inFlight(): number {
    return this.leases === undefined ? this.#running : this.lanes.counts().items;
  }

  get streams(): ReadonlyMap<string, Followed> {
    return this.#streams;
  }

  /** Follows a stream from its cursor on, which is durable. */
  follow(stream: FollowedStream, row: CursorRow): void {
    if (this.#isStopping) return;
    this.lanes.restore(stream.name, row);
    const followed = new Followed(stream, row, this.#deps.now());
    this.#streams.set(stream.name, followed);
    this.#attach(followed);
  }

  #attach(followed: Followed): void {
    const { lanes } = this;
    const { feed, damaged } = this.#deps;
    // Whom the feed finds full it tells of nothing more until resume().
    const room = (): number => {
      const left = lanes.roomOf(followed.stream.name);
      if (left === 0) this.#isFull = true;
      return left;
    };
    followed.attach(feed, {
      subscription: this.#compiled,
      unit: this.#subscription.owner,
      get room() {
        return room();
      },
      offer: (event) => {
        if (followed.isDecided(event)) return;
        lanes.offer(followed.itemOf(event));
        this.#waker.soon();
      },
      damaged: (position) => damaged(this, position),
      interrupted: (fault) => {
        followed.detach();
        this.#interrupted(fault);
      },
    });
  }

  /** The place of a stream is not in the log any more: a person says where it goes on; there is no jump. */
  #interrupted(fault: Fault): void {
    this.#deps.halt(this, 'paused', fault.detail === undefined ? fault.code : `${fault.code}: ${fault.detail}`);
  }

  /** Few events are in memory while as many attempts run as may. Where more could run, more are looked at: a few subjects may hold all that there are. */
  #fit(isBusy: boolean): void {
    const { target } = this.#subscription;
    if (target.kind !== 'webhook') return;
    const isNarrow = target.mode !== 'batch' && (isBusy || this.lanes.waiting < PUSHED / 2);
    this.lanes.hold(isNarrow ? PUSHED : Number.POSITIVE_INFINITY);
  }

  /** The row of the subscription has changed. A changed filter looks at what has not been looked at yet. */
  changed(subscription: Subscription, compiled: CompiledSubscription): void {
    const isOther = compiled !== this.#compiled;
    const { target, state } = this.#subscription;
    this.#subscription = subscription;
    this.#compiled = compiled;
    if (this.#isStopping) return;
    this.#deps.hosts.forget(this.#host, this.#pump);
    this.#host = this.#deps.push.hostOf(subscription);
    if (target !== subscription.target || state !== 'active')
      this.#permission = permissionFor(subscription, this.#asking);
    if (isOther)
      for (const followed of this.#streams.values()) {
        followed.detach();
        this.#attach(followed);
      }
    if (subscription.state === 'active') this.resume();
    else this.lanes.pause();
  }

  /**
   * The feed looks at nothing more before `lookOn` or `changed`, and rows speak for everything that waits: it was due when it was looked at, and stays so. By stream,
   * the place in each partition from which a new filter holds. undefined: the partition was lost.
   */
  async holdAll(): Promise<ReadonlyMap<string, readonly bigint[]> | undefined> {
    for (const followed of this.#streams.values()) followed.detach();
    const effects = this.lanes.holdAll();
    if (effects.changes.length > 0 && !(await this.#attempting.write(effects.changes))) return undefined;
    this.lanes.durable(effects);
    this.#tell(effects);
    return new Map([...this.#streams].map(([name, followed]) => [name, followed.decideFrom()]));
  }

  lookOn(): void {
    if (this.#isStopping) return;
    for (const followed of this.#streams.values()) if (!followed.isAttached) this.#attach(followed);
  }

  #lookAgain(): void {
    for (const [stream, { scanned }] of this.#streams) this.#attempting.events.lookAgain(stream, scanned);
  }

  resume(): void {
    if (this.#isStopping) return;
    this.lanes.resume();
    this.#lookAgain();
    for (const followed of this.#streams.values()) followed.resume();
    this.lookOn();
    this.pump();
  }

  /** Starts every attempt that may start now. */
  pump(): void {
    this.#writeHeld();
    if (this.#stop.signal.aborted || this.#isStopping) return;
    if (this.leases !== undefined) return this.#pumpLeases(this.leases);
    if (this.#subscription.target.kind !== 'webhook') return;
    const { hosts, mayStart, now } = this.#deps;
    if (!mayStart()) {
      this.#waker.at(now() + AGAIN_MS);
      return;
    }
    const most = this.#subscription.target.mode === 'batch' ? BATCH : 1;
    const permission = this.lanes.paused ? undefined : this.#permission;
    let isBusy = false;
    while (permission?.mayStart() !== false) {
      isBusy = !hosts.take(this.#host, this.#pump);
      if (isBusy) break;
      const attempt = this.lanes.take(most, most);
      if (attempt === undefined) {
        hosts.release(this.#host);
        break;
      }
      permission?.started();
      void this.#attempt(attempt, this.#host);
    }
    this.#fit(isBusy);
    this.#makeRoom();
    const due = this.lanes.nextDueMs();
    const at = permission === undefined ? due : permission.lookAgainAt(due);
    if (at !== undefined) this.#waker.at(at);
  }

  #pumpLeases(leases: Leases): void {
    const again = leases.pump();
    this.#makeRoom();
    if (again !== undefined) this.#waker.at(again);
  }

  get #isBehind(): boolean {
    for (const { mode } of this.#streams.values()) if (mode === 'catch-up') return true;
    return false;
  }

  /** The feed goes on when a good part of the room is free, not for each single event. */
  #makeRoom(): void {
    if (!this.#isFull || this.lanes.room < this.lanes.most * RESUME) return;
    this.#isFull = false;
    // An ordered stream that stands has no room while others have.
    for (const [name, followed] of this.#streams)
      if (this.lanes.roomOf(name) > 0) followed.resume();
      else this.#isFull = true;
  }

  async #attempt(attempt: Attempt<ReadEvent>, host: string): Promise<void> {
    this.#running++;
    try {
      await this.#attempting.make(attempt);
    } catch (cause) {
      this.#deps.failed(cause);
    } finally {
      this.#running--;
      this.#deps.hosts.release(host);
      if (this.#running === 0) this.#idle?.();
      // Attempts that end together look once for what may start now.
      this.#waker.soon();
    }
  }

  #tell({ alarms, pause: why, disable }: Effects): void {
    const { alarm, halt } = this.#deps;
    for (const one of alarms) alarm(this, one);
    // While the target was down, its owner may have lost the right to what waits here.
    if (alarms.some(({ kind }) => kind === 'target_up')) this.#lookAgain();
    if (disable === true) halt(this, 'disabled', 'gone');
    else if (why !== undefined) halt(this, 'paused', why);
  }

  /** Held rows that offers have made necessary, one write at a time. */
  #writeHeld(): void {
    if (this.#isWritingHeld || this.#stop.signal.aborted) return;
    const effects = this.lanes.pending();
    if (effects === undefined) return;
    this.#isWritingHeld = true;
    for (const followed of this.#streams.values()) followed.touch();
    void this.#attempting.end(effects).finally(() => {
      this.#isWritingHeld = false;
      this.pump();
    });
  }

  /** Tries a parked event or a dead letter as soon as possible; resolves with what came of the try. undefined: there is none at this position. */
  redrive(position: string, edited?: Edited): Promise<ItemResult | 'stopped'> | undefined {
    if (this.#isStopping) return Promise.resolve('stopped');
    if (!this.lanes.redrive(position)) return undefined;
    this.#attempting.events.edit(position, edited);
    const result = this.#attempting.redriven.wait(position);
    this.pump();
    return result;
  }

  /** Ends a parked event or a dead letter as not delivered; false: there is none. Resolves when that is durable. */
  async skip(position: string): Promise<boolean> {
    const effects = this.lanes.skip(position);
    if (effects === undefined) return false;
    for (const followed of this.#streams.values()) followed.touch();
    await this.#attempting.end(effects);
    this.#attempting.redriven.end(position, 'skipped');
    this.pump();
    return true;
  }

  /** Stops at once; attempts in flight may end within `drainMs`, then they are cut off. `leases`: see Leases.stop(). */
  async stop(drainMs: number, leases: Parameters<Leases['stop']>[0]): Promise<void> {
    this.#isStopping = true;
    this.seat.stop();
    this.lanes.pause();
    await this.leases?.stop(leases);
    this.#waker.stop();
    this.#deps.hosts.forget(this.#host, this.#pump);
    for (const followed of this.#streams.values()) followed.detach();
    if (this.#running > 0 && drainMs > 0) {
      const idle = new Promise<void>((resolve) => (this.#idle = resolve));
      const over = new AbortController();
      await Promise.race([idle, pause(drainMs, over.signal)]);
      over.abort();
    }
    this.#stop.abort();
    this.#attempting.redriven.stop();
  }
}
