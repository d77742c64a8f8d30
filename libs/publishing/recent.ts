import type { AppendOutcome } from '#log';
import type { ReadyItem } from './item.js';

/** One append to the log: events of one request and one partition. */
interface Call {
  readonly stream: string;
  readonly partition: number;
  readonly recordedtime: string;
  done: Promise<unknown>;
  outcome: AppendOutcome | undefined;
  readonly members: RecentAppend[];
  doneAtMs: number;
}

/** An event that this process appended and that the duplicate index may not know yet (R2.4). Holds what answers a repeat, without the bytes of the event. */
export class RecentAppend {
  constructor(
    readonly identity: string,
    readonly type: ReadyItem['type'],
    readonly digest: string,
    private readonly call: Call,
    /** Its place among the records of the append. */
    private readonly at: number,
  ) {}

  get stream(): string {
    return this.call.stream;
  }

  get partition(): number {
    return this.call.partition;
  }

  /** The append that it went with; the same object for all events of one append. */
  get sharedAppend(): { readonly members: readonly RecentAppend[] } {
    return this.call;
  }

  get recordedtime(): string {
    return this.call.recordedtime;
  }

  /** Resolves when the outcome is known, never rejects. One promise for all events of an append. */
  get done(): Promise<unknown> {
    return this.call.done;
  }

  /** Its own outcome: `base` is the offset of this event. undefined while it is open. */
  get outcome(): AppendOutcome | undefined {
    const all = this.call.outcome;
    return all?.kind === 'accepted' && this.at > 0 ? { ...all, base: all.base + BigInt(this.at) } : all;
  }
}

const DONE = Promise.resolve();

/** An entry stays this long after it is durable: an index lookup that began before may still answer without it. */
const GRACE_MS = 2_000;
/** How long an append with an unknown outcome is remembered: after that, a missing receipt is final (R3.6). */
const UNKNOWN_MS = 120_000;

/**
 * Appends that are in flight, or accepted but not yet below the settled end, by (source, id). Failed appends are dropped at once: then the log decides which record is
 * first. That the outcome of an append was unknown is remembered: the same event again must find out whether it is a copy (R2.4).
 */
export class RecentAppends {
  readonly #byIdentity = new Map<string, RecentAppend>();
  /** Until when, by identity. */
  readonly #unknown = new Map<string, number>();
  readonly #done: Call[] = [];
  #head = 0;
  #pending = 0;

  constructor(
    private readonly settledEnd: (stream: string, partition: number) => bigint,
    private readonly now: () => number,
    private readonly limit: number,
  ) {}

  /** Events whose outcome is still open. */
  get pending(): number {
    return this.#pending;
  }

  get size(): number {
    return this.#byIdentity.size;
  }

  /** By identityOf(source, id). */
  get(identity: string): RecentAppend | undefined {
    return this.#byIdentity.get(identity);
  }

  /** Remembers the events of one append that has just been handed to the log, in its order. Test events are followed to their outcome and not remembered. */
  add(items: readonly ReadyItem[], append: Promise<AppendOutcome>): readonly RecentAppend[] {
    const members: RecentAppend[] = [];
    const settle = (outcome: AppendOutcome): void => this.#settle(call, outcome, test);
    const done = append.then(settle, (cause: unknown) => settle({ kind: 'uncertain', cause }));
    const { stream, partition, recordedtime, test } = items[0]!;
    const call: Call = { stream, partition, recordedtime, done, outcome: undefined, members, doneAtMs: 0 };
    for (const [at, item] of items.entries()) {
      const entry = new RecentAppend(item.identity, item.type, item.digest, call, at);
      members.push(entry);
      if (!test) this.#byIdentity.set(item.identity, entry);
    }
    this.#pending += items.length;
    return members;
  }

  #settle(call: Call, outcome: AppendOutcome, test: boolean): void {
    call.outcome = outcome;
    // The promise of the append would keep the records' bytes in memory.
    call.done = DONE;
    this.#pending -= call.members.length;
    if (test) return;
    if (outcome.kind === 'accepted') {
      call.doneAtMs = this.now();
      this.#done.push(call);
      this.#sweep(2, call.doneAtMs);
      return;
    }
    for (const member of call.members) this.forget(member);
    if (outcome.kind === 'uncertain') this.#rememberUnknown(call.members);
  }

  #rememberUnknown(members: readonly RecentAppend[]): void {
    const until = this.now() + UNKNOWN_MS;
    for (const { identity } of members) {
      this.#unknown.delete(identity);
      this.#unknown.set(identity, until);
    }
    for (const [identity, end] of this.#unknown) {
      if (this.#unknown.size <= this.limit && end > this.now()) break;
      this.#unknown.delete(identity);
    }
  }

  /** Whether an append ended with an unknown outcome lately. */
  get hasUnknown(): boolean {
    return this.#unknown.size > 0;
  }

  /** Whether an earlier append of this event ended with an unknown outcome, so that the log may hold it before a later one. */
  wasUnknown(identity: string): boolean {
    return (this.#unknown.get(identity) ?? 0) > this.now();
  }

  /** The log does not hold this event any more. */
  forget(member: RecentAppend): void {
    const { identity } = member;
    if (this.#byIdentity.get(identity) === member) this.#byIdentity.delete(identity);
  }

  /** Drops the oldest appends that the index has passed, a few at a time; over the limit, the oldest in any case. */
  #sweep(calls: number, nowMs: number): void {
    const before = nowMs - GRACE_MS;
    for (let n = 0; (n < calls || this.#byIdentity.size > this.limit) && this.#head < this.#done.length; n++) {
      const oldest = this.#done[this.#head]!;
      const { stream, partition } = oldest;
      const last = (oldest.members.at(-1)!.outcome as { base: bigint }).base;
      const settled = oldest.doneAtMs <= before && this.settledEnd(stream, partition) > last;
      if (!settled && this.#byIdentity.size <= this.limit) break;
      this.#head++;
      for (const member of oldest.members) this.forget(member);
    }
    if (this.#head > 4_096 && this.#head * 2 > this.#done.length) {
      this.#done.splice(0, this.#head);
      this.#head = 0;
    }
  }
}

export function identityOf(source: string, id: string): string {
  return `${source}\0${id}`;
}
