import { encodeAbove, parseAbove, type Above } from './above.js';
import type { BatchQueue } from './batches.js';
import type { Hand } from './hand.js';
import type { LeaseFailure } from '#sdk';
import type { FeedBatch, ReceivedEvent } from './port.js';

/** A batch whose events are not all finished, or the last one. */
interface Held {
  readonly batch: FeedBatch;
  open: number;
}

/** An event that is not finished. */
export interface Entry {
  readonly feed: Feed;
  readonly hand: Hand;
  readonly received: ReceivedEvent;
  readonly bytes: number;
  readonly held: Held;
  readonly index: number;
  readonly lane: Lane;
  readonly partition: number;
  readonly offset: number;
  /** Neighbours in the lane. */
  before: Entry | undefined;
  after: Entry | undefined;
  /** The next entry of the same batch handler. */
  afterInBatch: Entry | undefined;
  attempts: number;
  /** Given back to its source. */
  gone: boolean;
  /** Of the next attempt of a parked event. */
  timer: NodeJS.Timeout | undefined;
  /** Of the feed, ascending. */
  readonly sequence: number;
}

/** The unfinished events of one subject, or of what else its source calls a lane, in order. Only the head is in work. */
export interface Lane {
  readonly name: string;
  head: Entry | undefined;
  tail: Entry | undefined;
  length: number;
  parked: boolean;
}

interface PartitionState {
  /** Highest offset that was delivered in this process. */
  delivered: number;
  /** Highest offset that is finished. */
  finished: number;
  /** From the record of the place: unfinished offsets that have not been delivered again yet. */
  open: Set<number>;
  /** From the record: up to here everything but `open` is finished. */
  high: number;
}

const NO_HANDLER: LeaseFailure = { code: 'no_handler' };

/** Position `stream/partition/offset`; undefined: none, so nothing above a place is remembered. */
function placeOf(position: unknown): { partition: number; offset: number } | undefined {
  if (typeof position !== 'string') return undefined;
  const second = position.lastIndexOf('/');
  const first = position.lastIndexOf('/', second - 1);
  if (first < 0) return undefined;
  const partition = Number(position.slice(first + 1, second));
  const offset = Number(position.slice(second + 1));
  return Number.isSafeInteger(partition) && Number.isSafeInteger(offset) ? { partition, offset } : undefined;
}

/** The events of a feed that are not finished: their lanes, and how far the place may move. */
export class Feed {
  readonly name: string;
  /** In the order of the feed. */
  readonly #open = new Map<number, Entry>();
  readonly #lanes = new Map<string, Lane>();
  readonly #partitions = new Map<number, PartitionState>();
  /** By batch handler. */
  readonly queues = new Map<Hand, BatchQueue>();
  #last: Held | undefined;
  #sequence = 0;
  #sized = true;
  events = 0;
  bytes = 0;
  /** Parked events with those that wait behind them. */
  parked = 0;
  /** Attempts that run now. */
  working = 0;
  /** No event is begun any more. */
  closing = false;
  /** Nothing is committed any more. */
  dead = false;
  /** Recorded time of the newest event that has come, ms; -Infinity: none. */
  newest = Number.NEGATIVE_INFINITY;

  constructor(name: string) {
    this.name = name;
  }

  get lanes(): Iterable<Lane> {
    return this.#lanes.values();
  }

  /** Takes a batch; the entries that have a handler and are not finished, in order. */
  take(batch: FeedBatch, handOf: (type: string) => Hand | undefined): Entry[] {
    if (batch.above !== undefined) this.#restore(batch.above);
    const held: Held = { batch, open: 0 };
    this.#last = held;
    const bytes = (batch.bytes ?? batch.events.length * 1_024) / Math.max(1, batch.events.length);
    const last = Date.parse(batch.events.at(-1)?.event.recordedtime ?? '');
    if (last > this.newest) this.newest = last;
    const entries: Entry[] = [];
    for (const [index, received] of batch.events.entries()) {
      const { event } = received;
      const place = placeOf(event.position);
      if (place === undefined) this.#sized = false;
      const hand = handOf(event.type);
      const finished = place !== undefined && this.#delivered(place.partition, place.offset);
      if (hand === undefined) batch.account?.givenBack(event, NO_HANDLER);
      if (hand === undefined || finished) continue;
      const lane = this.#laneOf(batch.laneOf?.(event) ?? event.subject);
      const entry: Entry = {
        feed: this,
        hand,
        received,
        bytes,
        held,
        index,
        lane,
        partition: place?.partition ?? -1,
        offset: place?.offset ?? -1,
        before: lane.tail,
        after: undefined,
        afterInBatch: undefined,
        attempts: 0,
        gone: false,
        timer: undefined,
        sequence: this.#sequence++,
      };
      if (lane.tail) lane.tail.after = entry;
      else lane.head = entry;
      lane.tail = entry;
      lane.length++;
      if (lane.parked) this.parked++;
      this.#open.set(entry.sequence, entry);
      held.open++;
      this.events++;
      this.bytes += bytes;
      entries.push(entry);
    }
    return entries;
  }

  /** The entry is finished; the new head of its lane, if there is one. */
  finish(entry: Entry): Entry | undefined {
    if (entry.partition >= 0) this.#finishedAt(entry.partition, entry.offset);
    entry.held.batch.account?.finished(entry.received.event);
    return this.#remove(entry);
  }

  /** The entry, and what follows it in its lane in the same batch, goes back to the source; the new head of its lane, if there is one. */
  giveBack(entry: Entry, failure?: LeaseFailure): Entry | undefined {
    const { held } = entry;
    let next: Entry | undefined = entry;
    while (next?.held === held) {
      next.gone = true;
      held.batch.account?.givenBack(next.received.event, next === entry ? failure : undefined);
      next = this.#remove(next);
    }
    return next;
  }

  #remove(entry: Entry): Entry | undefined {
    const { lane } = entry;
    this.#open.delete(entry.sequence);
    entry.held.open--;
    this.events--;
    this.bytes = this.events === 0 ? 0 : this.bytes - entry.bytes;
    this.unpark(lane);
    // Only heads end, or entries of one batch in their order.
    lane.head = entry.after;
    lane.length--;
    if (entry.after === undefined) {
      lane.tail = undefined;
      this.#lanes.delete(lane.name);
    } else entry.after.before = undefined;
    return entry.after;
  }

  park(lane: Lane): void {
    if (lane.parked) return;
    lane.parked = true;
    this.parked += lane.length;
  }

  unpark(lane: Lane): void {
    if (!lane.parked) return;
    lane.parked = false;
    this.parked -= lane.length;
  }

  /** The place behind finished work, and what is finished above it; undefined before the first batch. */
  place(): { batch: FeedBatch; count: number; above: string | undefined } | undefined {
    if (this.#last === undefined || this.#last.batch.account !== undefined) return undefined;
    const first = this.#open.values().next().value;
    const { batch, count } =
      first === undefined
        ? { batch: this.#last.batch, count: this.#last.batch.events.length }
        : { batch: first.held.batch, count: first.index };
    return { batch, count, above: this.#above() };
  }

  /** Recorded time of the oldest unfinished event, ms; undefined: none. */
  oldest(): number | undefined {
    const first = this.#open.values().next().value;
    return first === undefined ? undefined : Date.parse(first.received.event.recordedtime);
  }

  #above(): string | undefined {
    if (!this.#sized) return undefined;
    const open = new Map<number, number[]>();
    for (const entry of this.#open.values()) {
      const state = this.#partitions.get(entry.partition)!;
      if (entry.offset >= state.finished) continue;
      const list = open.get(entry.partition);
      if (list) list.push(entry.offset);
      else open.set(entry.partition, [entry.offset]);
    }
    const above = new Map<number, Above>();
    for (const [partition, state] of this.#partitions) {
      const here = open.get(partition) ?? [];
      // The place says it already. While events are open it may say less, also of a single partition: a source of pages stores the beginning of a page.
      const passed = this.#open.size === 0 && state.finished <= state.delivered;
      if (state.finished < 0 || passed) continue;
      for (const offset of state.open) if (offset < state.finished) here.push(offset);
      above.set(partition, { high: state.finished, open: here.sort((a, b) => a - b) });
    }
    return encodeAbove(above);
  }

  #restore(text: string): void {
    for (const [partition, { high, open }] of parseAbove(text))
      this.#partitions.set(partition, { delivered: -1, finished: high, open, high });
  }

  /** Notes that an event came; true: the record of the place says that it is finished. */
  #delivered(partition: number, offset: number): boolean {
    const state = this.#partition(partition);
    state.delivered = Math.max(state.delivered, offset);
    if (offset > state.high) return false;
    // A former one did not come again: retention, or another choice of types.
    for (const open of state.open) {
      if (open >= offset) break;
      state.open.delete(open);
    }
    return !state.open.delete(offset);
  }

  #finishedAt(partition: number, offset: number): void {
    const state = this.#partition(partition);
    if (offset > state.finished) state.finished = offset;
  }

  #partition(partition: number): PartitionState {
    let state = this.#partitions.get(partition);
    if (state === undefined) {
      state = { delivered: -1, finished: -1, open: new Set(), high: -1 };
      this.#partitions.set(partition, state);
    }
    return state;
  }

  #laneOf(name: string): Lane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = { name, head: undefined, tail: undefined, length: 0, parked: false };
      this.#lanes.set(name, lane);
    }
    return lane;
  }
}
