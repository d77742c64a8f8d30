import { Fault } from '#faults';
import type { StreamInfo } from '#registry';
import type { Attachment, FeedPlace, Follower, Wanting } from './follower.js';

export type FeedStream = Pick<StreamInfo, 'name' | 'partitions'>;

/** Who gives a follower its events now. */
export interface Holder<W extends Wanting> {
  modeOf(link: Link<W>): Attachment['mode'];
  /** By partition: below it everything was looked at for this follower, as far as the holder knows. */
  scannedOf(link: Link<W>): readonly bigint[];
  /** Append time of the next record for it, ms since 1970. */
  nextAppendMs(link: Link<W>): number | undefined;
  resume(link: Link<W>): void;
  drop(link: Link<W>): void;
}

export interface Surroundings {
  /** The settled end of a partition. */
  readonly endOf: (partition: number) => bigint;
  /** It is detached or interrupted. */
  readonly gone: () => void;
}

/** One follower at a stream. */
export class Link<W extends Wanting> implements Attachment {
  readonly stream: FeedStream;
  readonly topicId: string;
  readonly follower: Follower<W>;
  /** undefined: detached or interrupted. */
  holder: Holder<W> | undefined;
  /** By partition: the follower has had everything below. */
  readonly #had: bigint[];
  readonly #surroundings: Surroundings;

  constructor(stream: FeedStream, follower: Follower<W>, from: FeedPlace, surroundings: Surroundings) {
    this.stream = stream;
    this.follower = follower;
    this.topicId = from.topicId;
    this.#had = Array.from({ length: stream.partitions }, (_, p) => from.next[p] ?? 0n);
    this.#surroundings = surroundings;
  }

  get id(): string {
    return this.follower.subscription.id;
  }

  /** By partition: as far as it knows by itself, without its holder. */
  get had(): readonly bigint[] {
    return this.#had;
  }

  get scanned(): readonly bigint[] {
    const known = this.holder?.scannedOf(this);
    return known === undefined ? [...this.#had] : this.#had.map((had, p) => (known[p]! > had ? known[p]! : had));
  }

  get mode(): Attachment['mode'] {
    return this.holder?.modeOf(this) ?? 'catch-up';
  }

  get lag(): Attachment['lag'] {
    let events = 0n;
    for (const [p, next] of this.scanned.entries()) {
      const end = this.#surroundings.endOf(p);
      if (end > next) events += end - next;
    }
    return { events, oldestAppendMs: events === 0n ? undefined : this.holder?.nextAppendMs(this) };
  }

  /** Whether it has had the record at this place. */
  has(partition: number, offset: bigint): boolean {
    return offset < this.#had[partition]!;
  }

  /** It has had everything below. */
  passed(next: readonly bigint[]): void {
    for (const [p, offset] of next.entries()) if (offset > this.#had[p]!) this.#had[p] = offset;
  }

  /** Gives or tells it the record at this place, which it has had from now on. */
  give(partition: number, offset: bigint, call: (follower: Follower<W>) => void): void {
    const before = this.#had[partition]!;
    // Before the call: the follower may detach in it.
    this.#had[partition] = offset + 1n;
    try {
      call(this.follower);
    } catch (cause) {
      this.#had[partition] = before;
      this.interrupt(new Fault('internal', { cause }));
    }
  }

  interrupt(fault: Fault): void {
    this.detach();
    this.follower.interrupted(fault);
  }

  resume(): void {
    this.holder?.resume(this);
  }

  detach(): FeedPlace {
    this.passed(this.scanned);
    const { holder } = this;
    this.holder = undefined;
    if (holder !== undefined) {
      holder.drop(this);
      this.#surroundings.gone();
    }
    return { topicId: this.topicId, next: [...this.#had] };
  }
}
