import type { EventLog } from '#log';
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

export interface Behind {
  readonly events: bigint;
  readonly oldestMs: number | undefined;
}

/** A stream that a run follows: where the feed is, and where the stored cursor stands. */
export class Followed {
  readonly stream: FollowedStream;
  readonly topicId: string;
  readonly start: readonly bigint[];
  #since: readonly bigint[] | undefined;
  #attachment: Attachment | undefined;
  #place: readonly bigint[];
  #stored: CursorRow;
  #storedAt: number;
  /** Of LaneMachine.moves() when the cursor was stored. */
  #storedMoves = -1;
  #isTouched = false;
  /** By partition: when the log took the record at an offset. */
  readonly #times = new Map<number, { readonly offset: bigint; readonly ms: number }>();

  constructor(stream: FollowedStream, row: CursorRow, now: number) {
    this.stream = stream;
    this.topicId = row.topicId;
    this.start = row.start;
    this.#since = row.since;
    this.#place = row.next;
    this.#stored = row;
    this.#storedAt = now;
  }

  /** By partition: everything below has been looked at. */
  get scanned(): readonly bigint[] {
    return this.#attachment?.scanned ?? this.#place;
  }

  /** By partition: what lies below was decided by an earlier filter, and rows speak for what of it is unfinished. undefined: the filter has not changed. */
  get since(): readonly bigint[] | undefined {
    return this.#since;
  }

  /** Another filter decides from here on; call it while it is detached. It counts once the cursor is stored. */
  decideFrom(): readonly bigint[] {
    this.#since = this.scanned;
    this.#storedMoves = -1;
    return this.scanned;
  }

  /** The feed may look again at what was decided. */
  isDecided({ partition, offset }: Pick<ReadEvent, 'partition' | 'offset'>): boolean {
    return this.#since !== undefined && offset < (this.#since[partition] ?? 0n);
  }

  /** What is stored of the place that the lanes know. */
  rowOf(cursor: CursorRow): CursorRow {
    const { topicId, start } = this;
    return { ...cursor, topicId, start, ...(this.#since === undefined ? {} : { since: this.#since }) };
  }

  /** Records of the stream that were not looked at, and when the log took the oldest of them (ms since 1970; undefined: not known). Never rejects. */
  async behind(log: Pick<EventLog, 'describe' | 'read'>): Promise<Behind> {
    const lag = this.#attachment?.lag;
    if (lag !== undefined && (lag.events === 0n || lag.oldestAppendMs !== undefined))
      return { events: lag.events, oldestMs: lag.oldestAppendMs };
    const { scanned } = this;
    try {
      const ranges = await log.describe(this.stream.name);
      const left = ranges.map(({ partition, low, high }) => {
        const next = scanned[partition] ?? 0n;
        const from = next > low ? next : low;
        return { partition, from, events: high > from ? high - from : 0n };
      });
      const times = await Promise.all(left.filter(({ events }) => events > 0n).map((of) => this.#timeAt(log, of)));
      const known = times.filter((ms) => ms !== undefined);
      const events = left.reduce((sum, of) => sum + of.events, 0n);
      return { events, oldestMs: known.length === 0 ? undefined : Math.min(...known) };
    } catch {
      return { events: lag?.events ?? 0n, oldestMs: undefined };
    }
  }

  /** A subscription that stands is asked again and again for the same place. */
  async #timeAt(
    log: Pick<EventLog, 'read'>,
    { partition, from }: { readonly partition: number; readonly from: bigint },
  ): Promise<number | undefined> {
    const known = this.#times.get(partition);
    if (known?.offset === from) return known.ms;
    const got = await log.read(this.stream.name, partition, from, { maxRecords: 1, maxBytes: 1 });
    const [record] = got.kind === 'records' ? got.records : [];
    if (record !== undefined) this.#times.set(partition, { offset: from, ms: record.appendTimeMs });
    return record?.appendTimeMs;
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
      at: event.envelope.recordedtime,
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
