import type { StreamInfo } from '#registry';
import { Follow, type FollowListener } from './follow.js';
import { LiveMember, type LiveSink } from './live-member.js';
import { wantedPartitions } from './page.js';
import type { EventFilter, Reader } from './read-event.js';
import { StreamTail, type Member, type TailDeps } from './tail.js';

export interface TailLimits {
  /** Events of one stream. @default 8 MiB */
  readonly ringBytes: number;
  /** Events of all streams. @default 64 MiB */
  readonly allBytes: number;
  /** How long a tail goes on without a reader: a long poll comes back. @default 5 s */
  readonly lingerMs: number;
}

const LIMITS: TailLimits = { ringBytes: 8 * 1_048_576, allBytes: 64 * 1_048_576, lingerMs: 5_000 };

/** Where a reader stands. */
export interface TailPlace {
  readonly stream: Pick<StreamInfo, 'name' | 'partitions'>;
  readonly topicId: string;
  readonly next: readonly bigint[];
}

/** Numbers for metrics. */
export interface TailUse {
  readonly tails: number;
  /** Readers that hang on a tail. */
  readonly readers: number;
  readonly ringBytes: number;
}

export interface ReadingReport {
  /** A reader was too slow for the ring of its tail and goes on with ranges of the log. */
  behind?(): void;
  /** A damaged record was read. Called each time. */
  damaged?(stream: string, partition: number, offset: bigint): void;
}

export interface TailsDeps extends Omit<TailDeps, 'maxBytes' | 'removed'> {
  readonly report?: ReadingReport | undefined;
}

/** A place on a tail. */
export interface Seat {
  readonly tail: StreamTail;
  readonly partitions: readonly number[];
  readonly at: number;
}

/** The tails of this process: one for each stream that somebody reads at its end. A tail without readers stops. */
export class Tails {
  readonly #deps: TailsDeps;
  readonly #limits: TailLimits;
  readonly #tails = new Map<string, StreamTail>();
  readonly #lingering = new Map<StreamTail, NodeJS.Timeout>();

  constructor(deps: TailsDeps, limits: Partial<TailLimits> = {}) {
    this.#deps = deps;
    this.#limits = { ...LIMITS, ...limits };
  }

  get use(): TailUse {
    const tails = [...this.#tails.values()];
    return {
      tails: tails.length,
      readers: tails.reduce((sum, t) => sum + t.members.size + t.listeners.size, 0),
      ringBytes: tails.reduce((sum, t) => sum + t.ring.bytes, 0),
    };
  }

  /**
   * The seat of a reader on the tail of its stream. `atEnd`: the reader has read up to the end, so that a tail may begin at its place. undefined: it
   * must read on by ranges.
   */
  seat({ stream, topicId, next }: TailPlace, filter: EventFilter, atEnd: boolean): Seat | undefined {
    const tail = this.#tailOf(stream, topicId, atEnd);
    if (tail === undefined) return undefined;
    const partitions = wantedPartitions(stream, filter);
    if (atEnd) tail.follow(partitions, next);
    const at = tail.find(partitions, next);
    if (!tail.used) this.#linger(tail);
    return at === undefined ? undefined : { tail, partitions, at };
  }

  /** Hangs a live reader on a tail; undefined: as seat(). */
  hang(place: TailPlace, reader: Reader, filter: EventFilter, atEnd: boolean, sink: LiveSink): LiveMember | undefined {
    const seat = this.seat(place, filter, atEnd);
    if (seat === undefined) return undefined;
    const { tail, partitions, at } = seat;
    const audience = tail.audiences.join(reader, filter);
    const member = new LiveMember(tail, place.stream, { audience, partitions, at, next: place.next }, sink);
    this.add(tail, member);
    return member;
  }

  add(tail: StreamTail, member: Member): void {
    this.#stay(tail);
    tail.add(member);
  }

  /** Follows all partitions of a stream; undefined: as seat(). */
  follow(place: TailPlace, atEnd: boolean, listener: FollowListener): Follow | undefined {
    const seat = this.seat(place, {}, atEnd);
    if (seat === undefined) return undefined;
    this.#stay(seat.tail);
    return new Follow(seat.tail, seat.partitions, seat.at, listener);
  }

  /** Ends all tails. */
  close(): void {
    for (const timer of this.#lingering.values()) clearTimeout(timer);
    this.#lingering.clear();
    for (const tail of this.#tails.values()) tail.stop();
    this.#tails.clear();
  }

  #tailOf(stream: TailPlace['stream'], topicId: string, open: boolean): StreamTail | undefined {
    const known = this.#tails.get(stream.name);
    if (known !== undefined && !known.ended && known.topicId === topicId) return known;
    if (!open) return undefined;
    if (known !== undefined) this.#drop(stream.name, known);
    const { ringBytes, allBytes } = this.#limits;
    const maxBytes = (): number => Math.min(ringBytes, allBytes / Math.max(1, this.#tails.size));
    const removed = (from: StreamTail, behind: boolean): void => {
      if (behind) this.#deps.report?.behind?.();
      if (!from.used) this.#linger(from);
    };
    const tail = new StreamTail({ ...this.#deps, maxBytes, removed }, stream, topicId);
    this.#tails.set(stream.name, tail);
    for (const other of this.#tails.values()) other.trim();
    return tail;
  }

  #stay(tail: StreamTail): void {
    clearTimeout(this.#lingering.get(tail));
    this.#lingering.delete(tail);
  }

  #linger(tail: StreamTail): void {
    if (this.#lingering.has(tail)) return;
    const timer = setTimeout(() => {
      this.#lingering.delete(tail);
      if (tail.used) return;
      tail.stop();
      for (const [stream, known] of this.#tails) if (known === tail) this.#tails.delete(stream);
    }, this.#limits.lingerMs);
    timer.unref();
    this.#lingering.set(tail, timer);
  }

  #drop(stream: string, tail: StreamTail): void {
    this.#tails.delete(stream);
    this.#stay(tail);
    tail.recreated();
  }
}
