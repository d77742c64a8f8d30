import { pause } from '#concurrency';
import { formatPosition } from '#event';
import type { Fault } from '#faults';
import type { ReadEvent } from '#reading';
import type { CompiledSubscription, Subscription } from '#subscriptions';
import type { Feed } from '../feed/feed.js';
import { Lanes } from '../lanes/lanes.js';
import {
  POLICY,
  type Alarm,
  type Attempt,
  type AttemptItem,
  type Effects,
  type ItemResult,
  type Policy,
} from '../lanes/types.js';
import type { CursorRow, LaneRow, LeaseRow, Place } from '../port.js';
import { Leases, type LeasesDeps } from '../pull/leases.js';
import { LiveSeat } from '../pull/live.js';
import { attemptRow, type Made } from './attempt-row.js';
import type { Attempts } from './attempts.js';
import { editedEvent, type Edited } from './edited.js';
import { Followed, type FollowedStream } from './followed.js';
import type { Hosts } from './hosts.js';
import type { LaneWriter } from './lane-writer.js';
import { messageId } from './message-id.js';
import type { Push } from './push.js';
import { Redriven } from './redriven.js';
import { Waker } from './waker.js';

/** Events of one request of the mode `batch`. */
const BATCH = 100;
/** The feed is told of room when so much of it is free. */
const RESUME_ROOM = POLICY.maxItems / 4;
/** A puller may hold many leases, and its failures say nothing of a target. */
const LEASED: Partial<Policy> = { probes: false, windowMax: 1_000 };
/** Before a read that the log has not answered is made again, and before a courier that is not sure of its partition looks again. */
const AGAIN_MS = 1_000;

export interface RunDeps {
  readonly feed: Feed<CompiledSubscription>;
  readonly push: Push;
  readonly hosts: Hosts;
  readonly attempts: Pick<Attempts, 'add' | 'hasRoom'>;
  readonly writer: Pick<LaneWriter, 'write'>;
  readonly leasing: Pick<LeasesDeps, 'epoch' | 'key' | 'flush'>;
  /** @default POLICY */
  readonly policy?: Partial<Policy> | undefined;
  readonly now: () => number;
  readonly random: () => number;
  /** False while another courier may own the partition already (R1.6): no attempt starts. */
  readonly isSure: () => boolean;
  /** The event at a position as the owner of the subscription sees it; undefined: it may not see it any more, or it is gone. Faults of the log. */
  readonly read: (subscription: CompiledSubscription, position: string) => Promise<ReadEvent | undefined>;
  /** The subscription must pause or be disabled: stores that. */
  readonly halt: (run: Run, state: 'paused' | 'disabled', why: string) => void;
  readonly alarm: (run: Run, alarm: Alarm) => void;
  readonly damaged: (run: Run, position: string) => void;
  readonly failed: (cause: unknown) => void;
}

/** The deliveries of one subscription at its owner: what is due comes from the feed into lanes, and goes out as attempts (R8). */
export class Run {
  readonly #deps: RunDeps;
  readonly lanes: Lanes<ReadEvent>;
  /** undefined: events are pushed. */
  readonly leases: Leases | undefined;
  readonly seat = new LiveSeat();
  readonly #streams = new Map<string, Followed>();
  readonly #stop = new AbortController();
  readonly #waker: Waker;
  readonly #host: string;
  #subscription: Subscription;
  #compiled: CompiledSubscription;
  #running = 0;
  #idle: (() => void) | undefined;
  readonly #redriven = new Redriven();
  readonly #edited = new Map<string, Edited>();
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
    this.#subscription = subscription;
    this.#compiled = compiled;
    this.#host = deps.push.hostOf(subscription);
    this.#waker = new Waker(deps.now, this.#pump);
    const { now, random, policy = {} } = deps;
    const isPushed = subscription.target.kind === 'webhook';
    this.lanes = new Lanes({
      subscription: subscription.id,
      now,
      random,
      policy: isPushed ? policy : { ...policy, ...LEASED },
      rows: rows.filter((row) => row.kind !== 'lease'),
    });
    if (!isPushed)
      this.leases = this.#leasesOf(
        deps,
        rows.find((row) => row.kind === 'lease'),
      );
    if (subscription.state !== 'active') this.lanes.pause();
  }

  #leasesOf({ leasing, writer, now, attempts, isSure }: RunDeps, row: LeaseRow | undefined): Leases {
    const { lanes } = this;
    return new Leases(
      {
        ...leasing,
        lanes,
        now,
        mayStart: () => isSure() && attempts.hasRoom,
        subscription: () => this.#subscription,
        write: (changes) => writer.write(changes),
        store: (stored) => writer.write([{ key: `${this.#subscription.id}/l/open`, row: stored }]),
        eventOf: (item) => this.#eventOf(item),
        ended: (items, effects) => this.#ended(items, effects),
        record: (event, made) =>
          this.#record(event, { ...made, id: messageId(this.#subscription, [event.position]), ms: now() - made.at }),
        wake: this.#pump,
      },
      row,
    );
  }

  get subscription(): Subscription {
    return this.#subscription;
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
    this.lanes.restore(stream.name, row);
    const followed = new Followed(stream, row, this.#deps.now());
    this.#streams.set(stream.name, followed);
    this.#attach(followed);
  }

  #attach(followed: Followed): void {
    const { lanes } = this;
    const { feed, damaged } = this.#deps;
    followed.attach(feed, {
      subscription: this.#compiled,
      unit: this.#subscription.owner,
      get room() {
        return lanes.roomOf(followed.stream.name);
      },
      offer: (event) => {
        lanes.offer(followed.itemOf(event));
        if (lanes.roomOf(followed.stream.name) === 0) this.#isFull = true;
        this.#waker.soon();
      },
      damaged: (position) => damaged(this, position),
      interrupted: (fault) => this.#interrupted(fault),
    });
  }

  /** The place of a stream is not in the log any more: a person says where it goes on; there is no jump. */
  #interrupted(fault: Fault): void {
    this.#deps.halt(this, 'paused', fault.detail === undefined ? fault.code : `${fault.code}: ${fault.detail}`);
  }

  /** The row of the subscription has changed. A changed filter looks at what has not been looked at yet. */
  changed(subscription: Subscription, compiled: CompiledSubscription): void {
    const isOther = compiled !== this.#compiled;
    this.#subscription = subscription;
    this.#compiled = compiled;
    if (isOther)
      for (const followed of this.#streams.values()) {
        followed.detach();
        this.#attach(followed);
      }
    if (subscription.state === 'active') this.resume();
    else this.lanes.pause();
  }

  resume(): void {
    this.lanes.resume();
    for (const followed of this.#streams.values()) followed.resume();
    this.pump();
  }

  /** Starts every attempt that may start now. */
  pump(): void {
    this.#writeHeld();
    if (this.#stop.signal.aborted || this.#isStopping) return;
    if (this.leases !== undefined) return this.#pumpLeases(this.leases);
    if (this.#subscription.target.kind !== 'webhook') return;
    const { hosts, attempts, isSure, now } = this.#deps;
    if (!isSure() || !attempts.hasRoom) {
      this.#waker.at(now() + AGAIN_MS);
      return;
    }
    const most = this.#subscription.target.mode === 'batch' ? BATCH : 1;
    while (hosts.take(this.#host, this.#pump)) {
      const attempt = this.lanes.take(most, most);
      if (attempt === undefined) {
        hosts.release(this.#host);
        break;
      }
      void this.#attempt(attempt);
    }
    this.#makeRoom();
    const due = this.lanes.nextDueMs();
    if (due !== undefined) this.#waker.at(due);
  }

  #pumpLeases(leases: Leases): void {
    const again = leases.pump();
    this.#makeRoom();
    if (again !== undefined) this.#waker.at(again);
  }

  /** The feed goes on when a good part of the room is free, not for each single event. */
  #makeRoom(): void {
    if (!this.#isFull || this.lanes.room < RESUME_ROOM) return;
    this.#isFull = false;
    for (const followed of this.#streams.values()) followed.resume();
  }

  async #attempt(attempt: Attempt<ReadEvent>): Promise<void> {
    this.#running++;
    try {
      await this.#make(attempt);
    } finally {
      this.#running--;
      this.#deps.hosts.release(this.#host);
      if (this.#running === 0) this.#idle?.();
      // Attempts that end together look once for what may start now.
      this.#waker.soon();
    }
  }

  async #make(attempt: Attempt<ReadEvent>): Promise<void> {
    const { writer, push, now, isSure } = this.#deps;
    const { signal } = this.#stop;
    if (attempt.before.length > 0 && !(await writer.write(attempt.before))) return this.lanes.release(attempt);
    const events = await this.#eventsOf(attempt);
    if (signal.aborted || events === undefined || this.lanes.paused || !isSure()) return this.lanes.release(attempt);
    if (events.length === 0) return this.#ended(attempt.items, this.lanes.settle(attempt, NOT_DUE, 1));
    const at = now();
    const id = messageId(
      this.#subscription,
      events.map(({ position }) => position),
    );
    const outcome = await push.send({ subscription: this.#subscription, id, events, try: attempt.try }, signal);
    // Whether an attempt that was cut off has reached the receiver, nobody knows.
    if (signal.aborted && outcome.kind !== 'delivered') return this.lanes.release(attempt);
    const effects = this.lanes.settle(attempt, outcome, events.length);
    const { ms } = outcome;
    for (const [i, event] of events.entries())
      this.#record(event, { id, try: attempt.try, at, ms, outcome, result: effects.results[i] });
    await this.#ended(attempt.items, effects);
  }

  #record(event: ReadEvent, made: Omit<Made, 'subscription'>): void {
    this.#deps.attempts.add(attemptRow(event, { ...made, subscription: this.#subscription.id }));
  }

  async #ended(items: readonly { readonly place: Place }[], effects: Effects): Promise<void> {
    for (const { place } of items) this.#streams.get(place.stream)?.touch();
    await this.#end(effects);
    for (const [i, { place }] of items.entries()) this.#redriven.answer(place, effects.results[i]);
  }

  /**
   * The events of an attempt, up to the first one that is not due any more; none: the first one is not, because the owner may not see it any more (R12.4), and its
   * lane goes on without it. undefined: the run has ended.
   */
  async #eventsOf({ items }: Attempt<ReadEvent>): Promise<readonly ReadEvent[] | undefined> {
    const events: ReadEvent[] = [];
    for (const item of items) {
      const event = await this.#eventOf(item);
      if (this.#stop.signal.aborted) return undefined;
      if (event === undefined) break;
      events.push(event);
    }
    return events;
  }

  async #eventOf({ event: known, place }: AttemptItem<ReadEvent>): Promise<ReadEvent | undefined> {
    const position = formatPosition(place.stream, place.partition, place.offset);
    const event = known ?? (await this.#reread(position));
    const edited = this.#edited.get(position);
    return event === undefined || edited === undefined ? event : editedEvent(event, edited, this.#deps.now());
  }

  /** Reads an event until the log answers. */
  async #reread(position: string): Promise<ReadEvent | undefined> {
    const { read, failed } = this.#deps;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        return await read(this.#compiled, position);
      } catch (cause) {
        failed(cause);
        await pause(AGAIN_MS, signal);
      }
    }
    return undefined;
  }

  /** Makes durable what an attempt, or a person, has changed; only then the cursor goes on. */
  async #end(effects: Effects): Promise<void> {
    if (effects.changes.length > 0 && !(await this.#deps.writer.write(effects.changes))) return;
    this.lanes.durable(effects);
    this.#tell(effects);
  }

  #tell({ alarms, pause: why, disable }: Effects): void {
    const { alarm, halt } = this.#deps;
    for (const one of alarms) alarm(this, one);
    if (disable === true) halt(this, 'disabled', 'gone');
    else if (why !== undefined) halt(this, 'paused', why);
  }

  /** Held rows that offers have made necessary, one write at a time. */
  #writeHeld(): void {
    if (this.#isWritingHeld) return;
    const effects = this.lanes.pending();
    if (effects === undefined) return;
    this.#isWritingHeld = true;
    for (const followed of this.#streams.values()) followed.touch();
    void this.#end(effects).finally(() => {
      this.#isWritingHeld = false;
      this.pump();
    });
  }

  /** Tries a parked event or a dead letter as soon as possible; resolves with what came of the try. undefined: there is none at this position. */
  redrive(position: string, edited?: Edited): Promise<ItemResult | 'stopped'> | undefined {
    if (!this.lanes.redrive(position)) return undefined;
    if (edited === undefined) this.#edited.delete(position);
    else this.#edited.set(position, edited);
    const result = this.#redriven.wait(position);
    this.pump();
    return result;
  }

  /** Ends a parked event or a dead letter as not delivered; false: there is none. Resolves when that is durable. */
  async skip(position: string): Promise<boolean> {
    const effects = this.lanes.skip(position);
    if (effects === undefined) return false;
    for (const followed of this.#streams.values()) followed.touch();
    await this.#end(effects);
    this.#redriven.end(position, 'skipped');
    this.pump();
    return true;
  }

  /** Stops at once; attempts in flight may end within `drainMs`, then they are cut off. `areLeasesVoid`: what is leased may not be committed any more. */
  async stop(drainMs: number, areLeasesVoid = false): Promise<void> {
    this.#isStopping = true;
    this.seat.stop();
    this.lanes.pause();
    await this.leases?.stop(areLeasesVoid ? 'void' : drainMs > 0 ? 'orderly' : 'lost');
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
    this.#redriven.stop();
  }
}

/** The outcome of an event that is not due to the subscription any more. */
const NOT_DUE = { kind: 'delivered' } as const;
