import type { ReadEvent } from '#reading';
import type { StreamInfo } from '#registry';
import type { CompiledSubscription } from '#subscriptions';
import type { Feed } from '../feed/feed.js';
import type { Attachment, Follower } from '../feed/follower.js';
import { laneOf, type Item } from '../lanes/types.js';
import type { CursorRow } from '../port.js';

export type FollowedStream = Pick<StreamInfo, 'name' | 'partitions' | 'ordering'>;

/** While nothing is delivered, a cursor is stored after so many records or so long: what it passes would only be looked at again. */
const SKIPPED_RECORDS = 10_000n;
const SKIPPED_MS = 60_000;

/** A stream that a run follows: where the feed is, and where the stored cursor stands. */
export class Followed {
  readonly stream: FollowedStream;
  readonly topicId: string;
  readonly start: readonly bigint[];
  #attachment: Attachment | undefined;
  #place: readonly bigint[];
  #stored: CursorRow;
  #storedAt: number;
  /** Of LaneMachine.moves() when the cursor was stored. */
  #storedMoves = -1;
  #isTouched = false;

  constructor(stream: FollowedStream, row: CursorRow, now: number) {
    this.stream = stream;
    this.topicId = row.topicId;
    this.start = row.start;
    this.#place = row.next;
    this.#stored = row;
    this.#storedAt = now;
  }

  /** By partition: everything below has been looked at. */
  get scanned(): readonly bigint[] {
    return this.#attachment?.scanned ?? this.#place;
  }

  get lag(): Attachment['lag'] | undefined {
    return this.#attachment?.lag;
  }

  get mode(): Attachment['mode'] | undefined {
    return this.#attachment?.mode;
  }

  /** false: it stands, because it was interrupted. */
  get isAttached(): boolean {
    return this.#attachment !== undefined;
  }

  attach(feed: Feed<CompiledSubscription>, follower: Follower<CompiledSubscription>): void {
    this.#attachment = feed.attach(this.stream, follower, { topicId: this.topicId, next: this.#place });
  }

  detach(): void {
    if (this.#attachment === undefined) return;
    this.#place = this.#attachment.detach().next;
    this.#attachment = undefined;
  }

  resume(): void {
    this.#attachment?.resume();
  }

  itemOf(event: ReadEvent): Item<ReadEvent> {
    const { name, ordering } = this.stream;
    const { subject } = event.envelope;
    return {
      place: { stream: name, partition: event.partition, offset: event.offset },
      lane: ordering === 'stream' ? laneOf(name) : laneOf(name, subject),
      subject,
      bytes: event.bytes,
      event,
    };
  }

  /** Whether the cursor is another one than the stored one, by LaneMachine.moves(). */
  mayBeDue(moves: number): boolean {
    return moves !== this.#storedMoves;
  }

  /** Whether the cursor is to be stored now: something was delivered, or it has passed many records. */
  due(cursor: CursorRow, now: number, force: boolean): boolean {
    const passed = cursor.next.reduce((sum, next, p) => sum + next - (this.#stored.next[p] ?? 0n), 0n);
    const isDue = force || this.#isTouched || passed >= SKIPPED_RECORDS || now - this.#storedAt >= SKIPPED_MS;
    // What is delivered while the cursor is written touches it again.
    if (isDue) this.#isTouched = false;
    return isDue;
  }

  stored(cursor: CursorRow, moves: number, now: number): void {
    this.#stored = cursor;
    this.#storedMoves = moves;
    this.#storedAt = now;
  }

  /** Something of it was delivered, or stands in a row: the cursor is to be stored soon. */
  touch(): void {
    this.#isTouched = true;
  }
}
