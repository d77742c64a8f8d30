import type { LaneRow, Place } from '../port.js';
import { Gathered } from './effects.js';
import { park, retryWait, stepWait } from './failing.js';
import { Entry, HELD, IDLE, Lane, PARKED, READY, STANDING, TIMED } from './lane.js';
import { StreamPlaces, type PartitionPlaces } from './places.js';
import { ReadyLanes, TimedLanes } from './queues.js';
import { deleteRows, foundIn, putHeld, type Found } from './rows.js';
import type { Item, Policy } from './types.js';

export interface BoardOptions {
  readonly subscription: string;
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly policy: Policy;
}

/** Held rows that one relief of the cursor writes at most. */
const RELIEF = 64;
/** Held rows of a lane that does not stand. */
const KEPT_OF_FLOWING_LANE = 1_000;

/** Every unfinished event of a subscription: in which lane, which rows speak for it, and what of it is in memory. */
export class Board<E> {
  readonly subscription: string;
  readonly now: () => number;
  readonly random: () => number;
  readonly policy: Policy;
  readonly lanes = new Map<string, Lane<E>>();
  readonly streams = new Map<string, StreamPlaces<Entry<E>>>();
  readonly ready = new ReadyLanes<E>();
  readonly timed = new TimedLanes<E>();
  /** By position, in the order of parking. */
  readonly parked = new Map<string, Entry<E>>();
  /** Lanes whose head failed and is not parked. */
  readonly failing = new Set<Lane<E>>();
  paused = false;
  dead = 0;
  held = 0;
  /** Of those, the ones in memory. */
  heldInMemory = 0;
  /** Unfinished events in memory. */
  waiting = 0;
  bytes = 0;
  waitingOrdered = 0;
  #pending = new Gathered<E>();

  constructor(options: BoardOptions) {
    this.subscription = options.subscription;
    this.now = options.now;
    this.random = options.random;
    this.policy = options.policy;
  }

  get pending(): Gathered<E> {
    return this.#pending;
  }

  takePending(): Gathered<E> | undefined {
    if (this.#pending.empty) return undefined;
    const pending = this.#pending;
    this.#pending = new Gathered();
    return pending;
  }

  /** What a call hands out. */
  handOut(effects: Gathered<E>): Gathered<E> {
    const pending = this.takePending();
    if (pending !== undefined) effects.putFirst(pending);
    return effects;
  }

  stream(stream: string): StreamPlaces<Entry<E>> {
    let places = this.streams.get(stream);
    if (places === undefined) this.streams.set(stream, (places = new StreamPlaces()));
    return places;
  }

  #lane(key: string): Lane<E> {
    let lane = this.lanes.get(key);
    if (lane === undefined) this.lanes.set(key, (lane = new Lane(key)));
    return lane;
  }

  takeOver(rows: Iterable<LaneRow>): void {
    const retried: Entry<E>[] = [];
    for (const found of foundIn(rows)) {
      const lane = this.#lane(found.lane);
      const entry = new Entry<E>(found.place, found.subject, lane, undefined);
      lane.append(entry);
      this.#partition(found.place).known.set(found.place.offset, entry);
      entry.rows = found.rows;
      entry.at = found.at;
      if (found.parked !== undefined) this.#takeOverParked(entry, found);
      else {
        if (found.rows & HELD) {
          entry.isHeldDurably = true;
          lane.kept++;
          this.held++;
        }
        if (found.retry !== undefined) {
          const { firstAt, cause } = found.retry;
          entry.tries = found.retry.try;
          entry.trouble = {
            firstAt,
            lastAt: firstAt,
            cause,
            status: undefined,
            rowTry: entry.tries,
            row: undefined,
            redrive: false,
            skipped: false,
          };
          retried.push(entry);
        }
      }
    }
    for (const entry of retried)
      if (!entry.home.ordered && entry.tries > this.policy.retryMs.length) park(this, entry, this.#pending);
      else entry.due = this.now() + retryWait(this, entry);
    for (const lane of this.lanes.values()) {
      lane.draining = !lane.ordered && lane.parked === 0 && lane.kept > 0;
      this.schedule(lane);
    }
  }

  #takeOverParked(entry: Entry<E>, found: Found): void {
    const row = found.parked!;
    this.parked.set(row.position, entry);
    entry.home.parked++;
    entry.tries = row.tries;
    entry.trouble = {
      firstAt: row.firstAt,
      lastAt: row.lastAt,
      cause: row.cause,
      status: row.lastStatus,
      rowTry: row.tries,
      row,
      redrive: false,
      skipped: false,
    };
    if (row.deadAt !== undefined) {
      this.dead++;
      entry.due = Infinity;
    } else entry.due = Date.parse(row.nextAt ?? row.lastAt);
    // A crash between the row of the parked event and the deletion of what it replaces.
    if (entry.rows !== PARKED)
      this.#pending.changes.push(...deleteRows(this.subscription, entry, entry.rows & ~PARKED));
    entry.rows = PARKED;
    if (row.deadAt === undefined && row.step >= this.policy.parkedMs.length) stepWait(this, entry, this.#pending);
  }

  #partition(place: Place): PartitionPlaces<Entry<E>> {
    return this.stream(place.stream).partition(place.partition);
  }

  /** undefined: it is finished, or a row speaks for it. */
  add(item: Item<E>): Entry<E> | undefined {
    const part = this.#partition(item.place);
    const { offset } = item.place;
    const known = part.known.get(offset);
    const met = part.meet(offset);
    if (met === 'known') this.#meetKnown(part, known!);
    if (met !== 'new') return undefined;
    const lane = this.#lane(item.lane);
    const entry = new Entry(item.place, item.subject, lane, item.event);
    entry.at = item.at;
    entry.part = part;
    entry.bytes = item.bytes;
    entry.counted = true;
    part.add(entry);
    this.waiting++;
    this.bytes += item.bytes;
    if (lane.ordered) this.waitingOrdered++;
    lane.append(entry);
    if (lane.holding) this.hold(entry, this.#pending);
    if (lane.head === entry) this.schedule(lane);
    return entry;
  }

  /** The feed has come to what a row of an earlier owner speaks for. The cursor passes it; in a stream-ordered lane only when it is held, durably (R8.4). */
  #meetKnown(part: PartitionPlaces<Entry<E>>, known: Entry<E>): void {
    if (!known.home.ordered || known.isHeldDurably) return part.passOver(known.offset);
    known.part = part;
    part.add(known);
  }

  /** Puts the lane where its head belongs: to what may start, to what waits for a time, or to neither. */
  schedule(lane: Lane<E>): void {
    if (lane.flying > 0) return;
    const head = lane.first();
    if (head === undefined) {
      lane.state = IDLE;
      this.lanes.delete(lane.key);
      this.failing.delete(lane);
    } else if (head.finished || head.due === Infinity) lane.state = STANDING;
    else if (head.due === 0 || head.due <= this.now()) {
      if (lane.state === READY) return;
      lane.state = READY;
      this.ready.push(lane);
    } else {
      lane.state = TIMED;
      lane.due = head.due;
      this.timed.push(lane);
    }
  }

  /** A held row is to speak for it. */
  hold(entry: Entry<E>, effects: Gathered<E>): void {
    const { home: lane } = entry;
    entry.rows |= HELD;
    lane.kept++;
    this.held++;
    if (entry.counted) this.heldInMemory++;
    effects.changes.push(putHeld(this.subscription, entry));
    effects.kept.push(entry);
    const { maxHeld, maxHeldOfLane } = this.policy;
    if (this.paused || (this.held < maxHeld && (lane.kept < maxHeldOfLane || !lane.holding))) return;
    this.paused = true;
    effects.pause = 'held_limit';
    effects.alarms.push({ kind: 'held_limit', subject: entry.subject, position: entry.position });
  }

  holdAll(effects: Gathered<E>): void {
    for (const lane of this.lanes.values())
      for (let node = lane.head; node !== undefined; node = node.next)
        if (node instanceof Entry && !node.finished && (node.rows === 0 || (lane.ordered && !(node.rows & HELD))))
          this.hold(node, effects);
  }

  /** Later events of a lane that begins to stand: rows speak for them, and memory forgets them. */
  holdFollowers(entry: Entry<E>, effects: Gathered<E>): void {
    for (let node = entry.next; node !== undefined;) {
      const { next } = node;
      if (node instanceof Entry) {
        if (node.rows === 0 && !node.finished) this.hold(node, effects);
        else if (node.passed) this.#settleInRow(node);
      }
      node = next;
    }
  }

  /** It is delivered or skipped. Where rows speak for it, the cursor waits until they are deleted; a parked one blocks its lane until then. */
  finish(entry: Entry<E>, effects: Gathered<E>): void {
    const { home: lane, rows } = entry;
    this.forget(entry);
    entry.finished = true;
    if (entry.tries > 0) this.failing.delete(lane);
    if (rows === 0) {
      lane.unlink(entry);
      this.#pass(entry);
      return;
    }
    if (rows & HELD) {
      lane.kept--;
      this.held--;
    }
    if (rows & PARKED) {
      this.parked.delete(entry.position);
      lane.parked--;
      if (entry.trouble?.row?.deadAt !== undefined) this.dead--;
      lane.draining = lane.kept > 0;
    } else lane.unlink(entry);
    if (lane.kept === 0) lane.draining = false;
    effects.changes.push(...deleteRows(this.subscription, entry, rows));
    effects.gone.push(entry);
  }

  /** Finishes the events at these places as far as they stand at the front of their lanes; what the feed has not come to is passed when it does. */
  deliveredBefore(places: readonly Place[], effects: Gathered<E>): void {
    const streams = Map.groupBy(places, ({ stream }) => stream);
    const keys = new Map([...streams].map(([stream, of]) => [stream, new Set(of.map(keyOf))]));
    for (const lane of [...this.lanes.values()]) {
      const wanted = keys.get(lane.stream);
      if (wanted === undefined || lane.flying > 0) continue;
      for (let entry = lane.first(); entry !== undefined && wanted.has(keyOf(entry.place));) {
        const next = lane.after(entry);
        if (!entry.finished) this.finish(entry, effects);
        entry = next;
      }
      this.schedule(lane);
    }
    for (const place of places) this.#partition(place).passAhead(place.offset);
  }

  forget(entry: Entry<E>): void {
    entry.event = undefined;
    if (!entry.counted) return;
    entry.counted = false;
    if (entry.rows & HELD) this.heldInMemory--;
    this.waiting--;
    this.bytes -= entry.bytes;
    if (entry.home.ordered) this.waitingOrdered--;
  }

  oldestMs(): number | undefined {
    let oldest: number | undefined;
    for (const lane of this.lanes.values()) {
      const ms = lane.oldestMs();
      if (ms !== undefined && (oldest === undefined || ms < oldest)) oldest = ms;
    }
    return oldest;
  }

  durable(effects: Gathered<E>): void {
    for (const entry of effects.kept) {
      if (entry.rows & HELD) entry.isHeldDurably = true;
      this.#pass(entry);
      if (!entry.finished) this.#settleInRow(entry);
    }
    for (const entry of effects.gone) {
      if (entry.part === undefined) this.#partition(entry.place).finishAhead(entry.place.offset);
      else this.#pass(entry);
      if ((entry.rows & PARKED) === 0) continue;
      entry.home.unlink(entry);
      this.schedule(entry.home);
    }
    effects.kept.length = effects.gone.length = 0;
  }

  /** A row of a try speaks for it now. The cursor passes it, but not in a stream-ordered lane (R8.4). */
  rowDurable(entry: Entry<E>): void {
    if (!entry.home.ordered) this.#pass(entry);
    if (!entry.finished) this.#settleInRow(entry);
  }

  #settleInRow(entry: Entry<E>): void {
    const { home: lane } = entry;
    if (entry.flying) return;
    if (entry.rows & PARKED) return this.forget(entry);
    if (entry.rows !== HELD || entry.tries > 0 || !lane.holding || lane.head === entry) return;
    this.forget(entry);
    lane.compact(entry);
  }

  #pass(entry: Entry<E>): void {
    const { part } = entry;
    if (part === undefined || entry.passed) return;
    part.pass(entry);
    if (part.of.passed * 2 >= this.policy.maxDone) this.#relieve(part);
  }

  /** A slow event keeps the cursor back: before the cursor row is full, rows speak for the lowest events. */
  #relieve(part: PartitionPlaces<Entry<E>>): void {
    let count = 0;
    for (const slot of part.slots()) {
      if (slot.passed) continue;
      const entry = slot as Entry<E>;
      const { home: lane } = entry;
      if (entry.rows !== 0 || entry.finished) {
        if (count === 0) return;
        continue;
      }
      if (lane.ordered || (!lane.holding && lane.kept >= KEPT_OF_FLOWING_LANE)) return;
      this.hold(entry, this.#pending);
      if (++count === RELIEF) return;
    }
  }

  /** Memory is full of events behind failing ones: rows speak for them. */
  spill(): void {
    for (const lane of this.failing) {
      lane.draining = true;
      const head = lane.head;
      if (head instanceof Entry) {
        if ((head.rows & HELD) === 0) this.hold(head, this.#pending);
        this.holdFollowers(head, this.#pending);
      }
    }
    this.failing.clear();
  }

  /** The place of a compacted event that an earlier owner held needs no entry, when nothing below it can come any more. */
  restored(stream: string, next: readonly bigint[]): void {
    const { partitions } = this.stream(stream);
    for (const [p, below] of next.entries())
      for (const [offset, entry] of partitions[p]?.known ?? []) {
        if (offset >= below) break;
        this.#settleInRow(entry);
      }
  }
}

const keyOf = ({ partition, offset }: Place): string => `${partition}/${offset}`;
