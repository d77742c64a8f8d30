import type { ParkedRow, Place } from '../port.js';
import type { PartitionPlaces } from './places.js';
import type { AttemptItem } from './types.js';

/** Rows that were handed out for an event and not deleted since. */
export const HELD = 1;
export const RETRY = 2;
export const PARKED = 4;

/** What only an event that failed needs. */
export interface Trouble {
  firstAt: string;
  lastAt: string;
  cause: string;
  status: number | undefined;
  /** The try that the newest retry or parked row names. */
  rowTry: number;
  row: ParkedRow | undefined;
  /** The next try is a redrive: it is no scheduled one. */
  redrive: boolean;
  /** A person ended it while its attempt ran. */
  skipped: boolean;
}

/** An unfinished event. */
export class Entry<E> implements AttemptItem<E> {
  readonly place: Place;
  readonly subject: string;
  readonly home: Lane<E>;
  event: E | undefined;
  /** RFC 3339: when the log took it, as far as it is known. */
  at: string | undefined = undefined;
  bytes = 0;
  /** Counts in the memory of the lanes. */
  counted = false;
  prev: Entry<E> | Kept<E> | undefined = undefined;
  next: Entry<E> | Kept<E> | undefined = undefined;
  rows = 0;
  /** Where it has a slot. */
  part: PartitionPlaces<Entry<E>> | undefined = undefined;
  passed = false;
  /** A held row that is durable speaks for it. */
  isHeldDurably = false;
  flying = false;
  finished = false;
  tries = 0;
  /** Items of an attempt that it may be part of (bisection). */
  cap = Infinity;
  due = 0;
  trouble: Trouble | undefined = undefined;

  constructor(place: Place, subject: string, home: Lane<E>, event: E | undefined) {
    this.place = place;
    this.subject = subject;
    this.home = home;
    this.event = event;
  }

  get lane(): string {
    return this.home.key;
  }

  get offset(): bigint {
    return this.place.offset;
  }

  get position(): string {
    const { stream, partition, offset } = this.place;
    return `${stream}/${partition}/${offset}`;
  }

  /** Whether it is tried in an attempt of its own. */
  get alone(): boolean {
    return this.tries > 0 || (this.rows & PARKED) !== 0;
  }
}

/** A run of held events of a lane as mere places, some 50 bytes each: their rows are durable. */
export class Kept<E> {
  prev: Entry<E> | Kept<E> | undefined = undefined;
  next: Entry<E> | Kept<E> | undefined = undefined;
  readonly #partitions: number[] = [];
  readonly #offsets: bigint[] = [];
  /** ms since 1970; NaN: not known. */
  readonly #times: number[] = [];
  #at = 0;

  get size(): number {
    return this.#offsets.length - this.#at;
  }

  /** When the log took the first of them, ms since 1970; NaN: not known. */
  get ms(): number {
    return this.#times[this.#at]!;
  }

  push(place: Place, at: string | undefined): void {
    this.#partitions.push(place.partition);
    this.#offsets.push(place.offset);
    this.#times.push(at === undefined ? NaN : Date.parse(at));
  }

  shift(stream: string): Place {
    const place = { stream, partition: this.#partitions[this.#at]!, offset: this.#offsets[this.#at]! };
    this.#at++;
    if (this.#at >= 1024 && this.#at * 2 > this.#offsets.length) {
      this.#partitions.splice(0, this.#at);
      this.#offsets.splice(0, this.#at);
      this.#times.splice(0, this.#at);
      this.#at = 0;
    }
    return place;
  }
}

type Node<E> = Entry<E> | Kept<E>;

export const IDLE = 0;
export const READY = 1;
export const TIMED = 2;
export const FLYING = 3;
/** Its head waits for a person, or for a deletion to be durable. */
export const STANDING = 4;

/** The unfinished events of one lane, in order. */
export class Lane<E> {
  readonly key: string;
  readonly stream: string;
  readonly subject: string;
  /** The lane is a whole stream (R8.4). */
  readonly ordered: boolean;
  head: Node<E> | undefined = undefined;
  tail: Node<E> | undefined = undefined;
  state = IDLE;
  due = 0;
  flying = 0;
  /** Parked entries that are not finished. */
  parked = 0;
  /** Held rows. */
  kept = 0;
  /** Later events are held until no held one is left. */
  draining = false;

  constructor(key: string) {
    const at = key.indexOf('\n');
    this.key = key;
    this.ordered = at < 0;
    this.stream = at < 0 ? key : key.slice(0, at);
    this.subject = at < 0 ? '' : key.slice(at + 1);
  }

  get holding(): boolean {
    return this.parked > 0 || this.draining;
  }

  /** Behind every event with a lower offset. One that a crash left behind its row comes back in front of those rows. */
  append(entry: Entry<E>): void {
    let after = this.tail;
    while (
      after instanceof Entry &&
      after.place.offset > entry.place.offset &&
      after.place.partition === entry.place.partition
    )
      after = after.prev;
    this.#insert(entry, after, after === undefined ? this.head : after.next);
  }

  /** The first event that is not finished for the lane. */
  first(): Entry<E> | undefined {
    return this.#entryAt(this.head);
  }

  /** When the log took the first event that is neither finished nor parked, ms since 1970; undefined: there is none, or it is not known. */
  oldestMs(): number | undefined {
    let node = this.head;
    while (node instanceof Entry && (node.finished || (node.rows & PARKED) !== 0)) node = node.next;
    if (node === undefined) return undefined;
    const ms = node instanceof Kept ? node.ms : Date.parse(node.at ?? '');
    return Number.isNaN(ms) ? undefined : ms;
  }

  after(entry: Entry<E>): Entry<E> | undefined {
    return this.#entryAt(entry.next);
  }

  #entryAt(node: Node<E> | undefined): Entry<E> | undefined {
    if (!(node instanceof Kept)) return node;
    const { ms } = node;
    const entry = new Entry<E>(node.shift(this.stream), this.subject, this, undefined);
    if (!Number.isNaN(ms)) entry.at = new Date(ms).toISOString();
    entry.rows = HELD;
    entry.passed = true;
    this.#insert(entry, node.prev, node);
    if (node.size === 0) this.unlink(node);
    return entry;
  }

  /** Replaces an entry by its place. */
  compact(entry: Entry<E>): void {
    const { prev, next } = entry;
    this.unlink(entry);
    if (prev instanceof Kept) return prev.push(entry.place, entry.at);
    const kept = new Kept<E>();
    kept.push(entry.place, entry.at);
    this.#insert(kept, prev, next);
  }

  #insert(node: Node<E>, prev: Node<E> | undefined, next: Node<E> | undefined): void {
    node.prev = prev;
    node.next = next;
    if (prev === undefined) this.head = node;
    else prev.next = node;
    if (next === undefined) this.tail = node;
    else next.prev = node;
  }

  /** Unfinished events behind the first one. */
  behind(): number {
    let count = 0;
    for (let node = this.head; node !== undefined; node = node.next) count += node instanceof Kept ? node.size : 1;
    return Math.max(0, count - 1);
  }

  unlink(node: Node<E>): void {
    if (node.prev === undefined) this.head = node.next;
    else node.prev.next = node.next;
    if (node.next === undefined) this.tail = node.prev;
    else node.next.prev = node.prev;
    node.prev = node.next = undefined;
  }
}
