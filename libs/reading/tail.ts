import { jittered, pause } from '#concurrency';
import { Fault, isFault, isRetryable } from '#faults';
import type { Settled } from '#duplicates';
import type { EventLog, LogRecord } from '#log';
import type { StreamInfo } from '#registry';
import { Audiences, Round, type Audience, type Excerpt } from './audience.js';
import { learnSchema } from './learn-schema.js';
import { offsetOutOfRange } from './range.js';
import { DAMAGED, LoggedEvent, type Rights } from './read-event.js';
import { Ring } from './ring.js';

/** Retry delay while the log does not answer. */
const RETRY_MS = 1_000;
const WAIT_MS = 30_000;
/** How long one wait for the settled end takes at most before the tail looks whether it was stopped. */
const SETTLE_MS = 1_000;
const CHUNK_RECORDS = 500;
const CHUNK_BYTES = 1_048_576;
/**
 * A round hands new events to all members. The next one begins PAUSE_FACTOR times as long after it as it took: with few readers an event is handed out
 * at once; a crowd gets the events of up to MAX_PAUSE_MS together, so that it cannot take the event loop (the cost of a write is per write).
 */
const PAUSE_FACTOR = 5;
const MAX_PAUSE_MS = 100;
/** Entries that a listener has not looked at, beyond which the log is not read on: both take the same event loop. */
const MAX_UNSEEN = 1_000;
/** Members in one turn of the event loop: others are served between two turns. A turn ends sooner when what members see of a large event takes long. */
const MEMBERS_A_TURN = 64;
const TURN_MS = 3;

export interface TailDeps extends Rights {
  readonly log: Pick<EventLog, 'read'>;
  readonly settled: Pick<Settled, 'waitFor' | 'originalOf'>;
  /** Greatest size of the ring now, bytes. */
  readonly maxBytes: () => number;
  /** Called when a member is gone; `behind`: because it was too slow for the ring. */
  readonly removed: (tail: StreamTail, behind: boolean) => void;
}

/** A reader that hangs on a tail. The tail calls it, never while another call of it runs. */
export interface Member {
  readonly audience: Audience;
  /** Partitions that its filter can match. */
  readonly partitions: readonly number[];
  /** Sequence of the entry that it takes next. */
  at: number;
  /** true: it takes nothing now (backpressure); the tail passes it over. */
  readonly full: boolean;
  /** Takes what it sees of the next entries; `at` is already behind them. */
  take(excerpt: Excerpt, round: Round): void;
  /** The ring no longer holds its next entry: it was too slow, and reads on by ranges. */
  behind(): void;
  /** The log does not answer for now: the tail tries again. */
  interrupted(fault: unknown): void;
  /** The tail has ended with this fault. */
  failed(fault: unknown): void;
}

/** Who takes the entries of the ring by itself, beside the members. */
export interface TailListener {
  /** Sequence of the entry that it takes next: that one and those behind it are kept. */
  readonly at: number;
  /** Entries have come, or `passed` has moved. Called soon after, once for many. */
  arrived(): void;
  /** The log does not answer for now: the tail tries again. */
  interrupted(fault: unknown): void;
  /** The tail has ended, with this fault, or before a damaged record. */
  ended(fault?: unknown): void;
}

/**
 * The newest settled events of one stream, read, opened and rendered once for all readers of this process that are at its end. Each partition has one
 * read at a time, whatever the number of readers. Events go into a ring when the settled end has reached them (R2.3), in offset order in a partition; by
 * append time over those that become settled together.
 */
export class StreamTail {
  readonly ring: Ring;
  readonly members = new Set<Member>();
  readonly listeners = new Set<TailListener>();
  readonly audiences = new Audiences();
  readonly #deps: TailDeps;
  readonly #stream: Pick<StreamInfo, 'name' | 'partitions'>;
  readonly #topicId: string;
  readonly #stop = new AbortController();
  /** Settled events that are not in the ring yet, in offset order in each partition. */
  #arrived: { readonly partition: number; readonly event: LoggedEvent }[] = [];
  /** Partitions whose newest record is read but not settled. */
  readonly #unsettled = new Set<number>();
  /** Next offset of each partition behind what is in the ring or has arrived. */
  readonly #read: bigint[];
  #passed: readonly bigint[];
  /** Reads that wait until listeners have looked. */
  #held: (() => void)[] = [];
  #announced = false;
  #scheduled = false;
  #rounds = 0;
  #rested = 0;

  constructor(deps: TailDeps, stream: Pick<StreamInfo, 'name' | 'partitions'>, topicId: string) {
    this.#deps = deps;
    this.#stream = stream;
    this.#topicId = topicId;
    this.ring = new Ring(stream.partitions);
    this.#read = Array.from({ length: stream.partitions }, () => 0n);
    this.#passed = [...this.#read];
  }

  get topicId(): string {
    return this.#topicId;
  }

  get ended(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Whether somebody reads it. */
  get used(): boolean {
    return this.members.size > 0 || this.listeners.size > 0;
  }

  /** Next offset by partition number: every event below is in the ring, or was. 0n for a partition that is not followed. */
  get passed(): readonly bigint[] {
    return this.#passed;
  }

  /** Follows these partitions from these offsets on, those that it does not follow already. */
  follow(partitions: readonly number[], next: readonly bigint[]): void {
    for (const p of partitions) {
      if (this.ring.follows(p)) continue;
      this.ring.follow(p, next[p]!);
      this.#read[p] = next[p]!;
      void this.#follow(p, next[p]!);
    }
  }

  /** Where a reader goes on; undefined: it is behind the ring. */
  find(partitions: readonly number[], next: readonly bigint[]): number | undefined {
    this.#merge();
    return this.ring.find(partitions, next);
  }

  add(member: Member): void {
    this.members.add(member);
    if (member.at < this.ring.end) this.wake();
  }

  /** Called by a member that leaves. */
  remove(member: Member, behind: boolean): void {
    if (!this.members.delete(member)) return;
    this.audiences.leave(member.audience);
    this.#deps.removed(this, behind);
  }

  listen(listener: TailListener): void {
    this.listeners.add(listener);
    this.#announce();
  }

  unlisten(listener: TailListener): void {
    if (!this.listeners.delete(listener)) return;
    this.looked();
    this.#deps.removed(this, false);
  }

  /** A listener has looked at more: what nobody needs is evicted, and reads go on. */
  looked(): void {
    if (this.#isFarAhead()) return;
    this.trim();
    for (const go of this.#held.splice(0)) go();
  }

  /** Hands out what members have not taken yet, soon. */
  wake(): void {
    if (this.#scheduled || this.ended) return;
    this.#scheduled = true;
    const rest = this.#rested - performance.now();
    if (rest <= 1) setImmediate(() => void this.#round());
    else setTimeout(() => void this.#round(), rest);
  }

  /** What an audience sees of the entries from `from` on, by the unit tree of now. */
  look(audience: Audience, from: number): Excerpt {
    return audience.excerpt(this.ring, from, new Round(++this.#rounds, this.#deps.units));
  }

  /** Whether one of the partitions holds a record that is read but not settled. */
  isUnsettled(partitions: readonly number[]): boolean {
    return partitions.some((p) => this.#unsettled.has(p));
  }

  /** Evicts what the bound of now does not allow. */
  trim(): void {
    this.ring.trim(this.#deps.maxBytes(), this.#seen());
  }

  /** Ends the reads. Members are not called. */
  stop(): void {
    this.#stop.abort();
    for (const go of this.#held.splice(0)) go();
  }

  /** Ends the tail because the stream was made again. */
  recreated(): void {
    this.#fail(new Fault('stream_recreated'));
  }

  async #follow(partition: number, from: bigint): Promise<void> {
    const { log } = this.#deps;
    const { name } = this.#stream;
    const { signal } = this.#stop;
    const topicId = this.#topicId;
    const limits = { topicId, maxRecords: CHUNK_RECORDS, maxBytes: CHUNK_BYTES, waitMs: WAIT_MS, signal };
    let epoch: { readonly lastEpoch?: number } = {};
    for (let next = from; !this.ended;) {
      try {
        const got = await log.read(name, partition, next, { ...limits, ...epoch });
        if (this.ended) return;
        if (got.kind === 'recreated' || got.kind === 'truncated') {
          this.#fail(new Fault(got.kind === 'recreated' ? 'stream_recreated' : 'unknown_cursor'));
          return;
        }
        if (got.kind === 'out_of_range') {
          this.#fail(next > got.high ? new Fault('unknown_cursor') : offsetOutOfRange(name, partition, got.low));
          return;
        }
        await this.#settle(partition, got.records, got.topicId);
        // The epoch belongs to the offset before `next`: that of an earlier one would look like a truncation.
        if (got.next !== next) epoch = got.lastEpoch === undefined ? {} : { lastEpoch: got.lastEpoch };
        next = got.next;
        if (this.ended) return;
        if (next > this.#read[partition]!) this.#read[partition] = next;
        this.#announce();
        if (this.#isFarAhead()) await new Promise<void>((resolve) => this.#held.push(resolve));
      } catch (fault) {
        if (this.ended) return;
        if (!isFault(fault) || !isRetryable(fault) || fault.code === 'internal') {
          this.#fail(fault);
          return;
        }
        for (const member of [...this.members]) member.interrupted(fault);
        for (const listener of [...this.listeners]) listener.interrupted(fault);
        await pause(jittered(RETRY_MS), signal);
      }
    }
  }

  /** Adds the records as they become settled. */
  async #settle(partition: number, records: readonly LogRecord[], topicId: string): Promise<void> {
    const { settled, catalogue } = this.#deps;
    const { name: stream } = this.#stream;
    this.#unsettled.add(partition);
    for (let at = 0; at < records.length && !this.ended;) {
      const end = await settled.waitFor(stream, partition, records[at]!.offset + 1n, SETTLE_MS, topicId);
      for (; at < records.length && records[at]!.offset < end; at++) {
        const record = records[at]!;
        const original = settled.originalOf(stream, partition, record.offset);
        const place = { stream, partition, original };
        let event = LoggedEvent.open(record, place, catalogue);
        if (event === DAMAGED && (await this.#learns(record))) event = LoggedEvent.open(record, place, catalogue);
        if (event === DAMAGED) {
          this.#leaveToPages();
          return;
        }
        if (event !== undefined) this.#arrived.push({ partition, event });
        this.#read[partition] = record.offset + 1n;
      }
      if (this.#arrived.length > 0) {
        this.wake();
        this.#announce();
      }
    }
    this.#unsettled.delete(partition);
  }

  /** While the catalogue cannot be read, pages wait for it: what was handed out before must not come again. */
  #learns(record: LogRecord): Promise<boolean> {
    return learnSchema(this.#deps, record).catch(() => false);
  }

  /** Sequence of the first entry that a listener has not looked at. */
  #seen(): number {
    let seen = Number.POSITIVE_INFINITY;
    for (const { at } of this.listeners) seen = Math.min(seen, at);
    return seen;
  }

  #isFarAhead(): boolean {
    return !this.ended && this.ring.end + this.#arrived.length - this.#seen() > MAX_UNSEEN;
  }

  /** Not in the rounds of the members: those pause, so that a crowd cannot take the event loop. */
  #announce(): void {
    if (this.#announced || this.listeners.size === 0) return;
    this.#announced = true;
    setImmediate(() => {
      this.#announced = false;
      if (this.ended) return;
      this.#merge();
      for (const listener of [...this.listeners]) listener.arrived();
    });
  }

  #merge(): void {
    const arrived = this.#arrived;
    this.#passed = [...this.#read];
    if (arrived.length === 0) return;
    this.#arrived = [];
    // A stable sort keeps the order within a partition: its append times never decrease.
    if (arrived.length > 1) arrived.sort((a, b) => a.event.record.appendTimeMs - b.event.record.appendTimeMs);
    for (const { event, partition } of arrived) this.ring.add(event, partition);
    this.trim();
  }

  async #round(): Promise<void> {
    this.#merge();
    const round = new Round(++this.#rounds, this.#deps.units);
    const { ring } = this;
    let took = 0;
    let turn = 0;
    let began = performance.now();
    for (const member of [...this.members]) {
      if (turn++ === MEMBERS_A_TURN || performance.now() - began > TURN_MS) {
        took += performance.now() - began;
        await new Promise(setImmediate);
        turn = 1;
        began = performance.now();
      }
      if (!this.members.has(member) || member.full || member.at >= ring.end) continue;
      if (member.at < ring.first) {
        member.behind();
        continue;
      }
      const excerpt = member.audience.excerpt(ring, member.at, round);
      member.at = excerpt.to;
      member.take(excerpt, round);
    }
    this.trim();
    took += performance.now() - began;
    this.#rested = performance.now() + Math.min(MAX_PAUSE_MS, took * PAUSE_FACTOR);
    this.#scheduled = false;
    const waiting = [...this.members].some((m) => !m.full && m.at < ring.end);
    if (this.#arrived.length > 0 || waiting) this.wake();
  }

  /** Ends the tail before a damaged record: its readers read on by pages, which tell it (R15.7), and come back behind it. */
  #leaveToPages(): void {
    this.stop();
    for (const member of [...this.members]) member.behind();
    this.#endListeners();
  }

  #fail(fault: unknown): void {
    this.stop();
    for (const member of [...this.members]) member.failed(fault);
    this.#endListeners(fault);
  }

  #endListeners(fault?: unknown): void {
    const listeners = [...this.listeners];
    this.listeners.clear();
    for (const listener of listeners) listener.ended(fault);
  }
}
