import type { AppendOutcome } from './appends.js';
import type { ReadyItem } from './item.js';

/** An append of this process that the index may not know yet (R2.4). */
export interface RecentAppend {
  readonly item: ReadyItem;
  /** Offset of the record when durable; the other outcomes as they are. */
  readonly outcome: Promise<Landed>;
  /** Set once durable. */
  offset: bigint | undefined;
  doneAtMs: number;
}

export type Landed =
  { readonly kind: 'durable'; readonly offset: bigint } | Exclude<AppendOutcome, { kind: 'durable' }>;

/** An entry stays this long after it is durable, so that an index answer asked for before cannot be older than our forgetting. */
const GRACE_MS = 2_000;

/** Appends in flight and not yet settled, by (source, id). What failed is forgotten at once: the log decides then. */
export class RecentAppends {
  readonly #byKey = new Map<string, RecentAppend>();
  readonly #done: RecentAppend[] = [];
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
    return this.#byKey.size;
  }

  get(source: string, id: string): RecentAppend | undefined {
    return this.#byKey.get(keyOf(source, id));
  }

  /** Remembers an append that has just been handed to the log. `at`: its place among the records of that call. */
  add(item: ReadyItem, call: Promise<AppendOutcome>, at: number): RecentAppend {
    const key = keyOf(item.source, item.id);
    this.#pending++;
    const outcome = call.then(
      (o): Landed => (o.kind === 'durable' ? { kind: 'durable', offset: o.base + BigInt(at) } : o),
      (cause: unknown): Landed => ({ kind: 'unknown', cause }),
    );
    const entry: RecentAppend = { item, outcome, offset: undefined, doneAtMs: 0 };
    this.#byKey.set(key, entry);
    void outcome.then((landed) => {
      this.#pending--;
      if (landed.kind === 'durable') {
        entry.offset = landed.offset;
        entry.doneAtMs = this.now();
        this.#done.push(entry);
        this.#sweep();
      } else if (this.#byKey.get(key) === entry) this.#byKey.delete(key);
    });
    return entry;
  }

  /** Forgets from the oldest on what the index has, a few at a time; over the limit, whatever is oldest. */
  #sweep(): void {
    const before = this.now() - GRACE_MS;
    for (let n = 0; n < 4 && this.#head < this.#done.length; n++) {
      const oldest = this.#done[this.#head]!;
      const { stream, partition, source, id } = oldest.item;
      const settled = oldest.doneAtMs <= before && this.settledEnd(stream, partition) > oldest.offset!;
      if (!settled && this.#byKey.size <= this.limit) break;
      this.#head++;
      const key = keyOf(source, id);
      if (this.#byKey.get(key) === oldest) this.#byKey.delete(key);
    }
    if (this.#head > 4_096 && this.#head * 2 > this.#done.length) {
      this.#done.splice(0, this.#head);
      this.#head = 0;
    }
  }
}

export function keyOf(source: string, id: string): string {
  return `${source}\0${id}`;
}
