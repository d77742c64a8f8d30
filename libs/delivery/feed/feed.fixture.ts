import type { LoggedEvent, ReadEvent } from '#reading';
import type { Units } from '#units';
import type { Attachment, FeedPlace, Follower, Wanting } from './follower.js';
import type { Feed } from './feed.js';
import type { FeedStream } from './link.js';
import type { Matches } from './matches.js';
import type { Fault } from '#faults';

/** A subscription that wants some of the events of some types. */
export interface Wish extends Wanting {
  picks(event: ReadEvent): boolean;
}

/** Asks each subscription about each event. */
export class PlainMatches implements Matches<Wish> {
  readonly #wishes = new Map<string, Wish>();
  readonly #units: Units;

  constructor(units: Units) {
    this.#units = units;
  }

  add(wish: Wish): void {
    this.#wishes.set(wish.id, wish);
  }

  remove(id: string): void {
    this.#wishes.delete(id);
  }

  wants(type: string): boolean {
    return [...this.#wishes.values()].some((wish) => wish.wants(type));
  }

  due(event: LoggedEvent): ReturnType<Matches<Wish>['due']> {
    if (event.levels(this.#units) === undefined) return undefined;
    const seen = event.as('full');
    return [...this.#wishes.values()]
      .filter((wish) => wish.wants(event.type) && wish.picks(seen))
      .map(({ id }) => ({ subscription: id, event: seen }));
  }
}

/** A follower that notes what it is given, and takes as much as a spec lets it. */
export class NotingFollower<W extends Wanting = Wish> implements Follower<W> {
  readonly subscription: W;
  readonly unit: string;
  room: number;
  attachment: Attachment | undefined;
  from: FeedPlace = { topicId: '', next: [] };
  /** Offsets by partition, and the positions of damaged records, since it was attached. */
  given: bigint[][] = [];
  readonly damages: string[] = [];
  readonly faults: Fault[] = [];
  onOffer: ((event: ReadEvent) => void) | undefined;

  constructor(subscription: W, room = Number.POSITIVE_INFINITY, unit = subscription.id) {
    this.subscription = subscription;
    this.room = room;
    this.unit = unit;
  }

  attach(feed: Feed<W>, stream: FeedStream, from: FeedPlace): this {
    this.from = from;
    this.given = from.next.map(() => []);
    this.attachment = feed.attach(stream, this, from);
    return this;
  }

  get count(): number {
    return this.given.reduce((sum, offsets) => sum + offsets.length, 0);
  }

  offer(event: ReadEvent): void {
    this.room--;
    this.given[event.partition]!.push(event.offset);
    this.onOffer?.(event);
  }

  damaged(position: string): void {
    this.damages.push(position);
  }

  interrupted(fault: Fault): void {
    this.faults.push(fault);
  }

  /** There is room for so many more. */
  free(more: number): void {
    this.room += more;
    this.attachment!.resume();
  }
}
