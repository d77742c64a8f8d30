import type { AppendOutcome } from '#log';
import type { ReadyItem } from './item.js';

export type Landed =
  { readonly kind: 'accepted'; readonly offset: bigint } | Exclude<AppendOutcome, { kind: 'accepted' }>;

/** One call to the log, for events of one request and partition, and what became of it. */
interface Call {
  readonly stream: string;
  readonly partition: number;
  readonly recordedtime: string;
  done: Promise<unknown>;
  outcome: AppendOutcome | undefined;
  readonly members: RecentAppend[];
  doneAtMs: number;
}

/** An append of this process that the index may not know yet (R2.4). Holds what answers a repeat, not the event itself. */
export class RecentAppend {
  constructor(
    readonly identity: string,
    readonly type: ReadyItem['type'],
    readonly digest: string,
    private readonly call: Call,
    /** Its place among the records of the call. */
    private readonly at: number,
  ) {}

  get stream(): string {
    return this.call.stream;
  }

  get partition(): number {
    return this.call.partition;
  }

  get recordedtime(): string {
    return this.call.recordedtime;
  }

  /** Settles, never rejects, when the outcome is known. Shared by all events of one call to the log. */
  get done(): Promise<unknown> {
    return this.call.done;
  }

  /** What became of it; undefined while that is open. */
  get landed(): Landed | undefined {
    const o = this.call.outcome;
    return o?.kind === 'accepted' ? { kind: 'accepted', offset: o.base + BigInt(this.at) } : o;
  }
}

const DONE = Promise.resolve();

/** An entry stays this long after it is durable, so that an index answer asked for before cannot be older than our forgetting. */
const GRACE_MS = 2_000;

/** Appends in flight and not yet settled, by (source, id). What failed is forgotten at once: the log decides then. */
export class RecentAppends {
  readonly #byIdentity = new Map<string, RecentAppend>();
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

  /** Remembers the events of one request and partition that have just been handed to the log in one call, in its order. */
  add(items: readonly ReadyItem[], append: Promise<AppendOutcome>): readonly RecentAppend[] {
    const members: RecentAppend[] = [];
    const landed = (outcome: AppendOutcome): void => this.#landed(call, outcome);
    const done = append.then(landed, (cause: unknown) => landed({ kind: 'uncertain', cause }));
    const { stream, partition, recordedtime } = items[0]!;
    const call: Call = { stream, partition, recordedtime, done, outcome: undefined, members, doneAtMs: 0 };
    for (const [at, item] of items.entries()) {
      const entry = new RecentAppend(item.identity, item.type, item.digest, call, at);
      members.push(entry);
      this.#byIdentity.set(item.identity, entry);
    }
    this.#pending += items.length;
    return members;
  }

  #landed(call: Call, outcome: AppendOutcome): void {
    call.outcome = outcome;
    // The one behind it holds the whole way of the append.
    call.done = DONE;
    this.#pending -= call.members.length;
    if (outcome.kind === 'accepted') {
      call.doneAtMs = this.now();
      this.#done.push(call);
      this.#sweep(2);
    } else for (const member of call.members) this.#forget(member);
  }

  #forget(member: RecentAppend): void {
    const { identity } = member;
    if (this.#byIdentity.get(identity) === member) this.#byIdentity.delete(identity);
  }

  /** Forgets from the oldest on what the index has, a few calls at a time; over the limit, whatever is oldest. */
  #sweep(calls: number): void {
    const before = this.now() - GRACE_MS;
    for (let n = 0; (n < calls || this.#byIdentity.size > this.limit) && this.#head < this.#done.length; n++) {
      const oldest = this.#done[this.#head]!;
      const { stream, partition } = oldest;
      const last = (oldest.members.at(-1)!.landed as { offset: bigint }).offset;
      const settled = oldest.doneAtMs <= before && this.settledEnd(stream, partition) > last;
      if (!settled && this.#byIdentity.size <= this.limit) break;
      this.#head++;
      for (const member of oldest.members) this.#forget(member);
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
