import { isFault } from '#faults';
import type { LongWork } from '#limits';
import type { Reading, ReadEvent, StreamRange } from '#reading';
import type { Catalogue, StreamInfo } from '#registry';
import type { Units } from '#units';
import { compileSubscription, type CompiledSubscription, type Matched } from './compiled.js';
import { streamsOf } from './streams.js';

const WEEK_MS = 7 * 86_400_000;
const EXAMPLES = 3;
const PAGE = 500;

export interface PreviewDeps {
  readonly reading: Pick<Reading, 'stream' | 'begin' | 'readEvents'>;
  readonly catalogue: Pick<Catalogue, 'streams' | 'newest'>;
  readonly units: Units;
  /** Ms since 1970. */
  readonly now: () => number;
  /** Records that are looked at, in all streams together. @default 200,000 */
  readonly maxRecords?: number;
  /** How long it may take, ms. @default 10,000 */
  readonly maxMs?: number;
}

/** What a subscription would have got. */
export interface Preview {
  /** Events that were due since then, of those that were looked at. */
  readonly matched: number;
  /** RFC 3339: when the first event that was looked for was recorded. */
  readonly since: string;
  /** The newest of them, at most 3, as the owner may see them. */
  readonly examples: readonly ReadEvent[];
  /** Not everything was looked at: `matched` is the least that it can be. */
  readonly incomplete?: true;
}

/**
 * How many events of the last 7 days would have been due to a subscription, with examples. They are read with the rights of its owner, in the turns of `work` (R16.5), whose
 * budgets are charged for every record that is looked at. Each stream has an equal part of the budget, so that a large one hides no other. Faults as
 * Reading.readEvents, and those of `work`.
 */
export async function preview(subscription: Matched, deps: PreviewDeps, work?: LongWork): Promise<Preview> {
  const { now, maxRecords = 200_000, maxMs = 10_000 } = deps;
  const began = now();
  const counting = new Counting(compileSubscription(subscription), deps, work);
  const streams = streamsOf(subscription, deps.catalogue, deps.units);
  const since = began - WEEK_MS;
  let left = maxRecords;
  for (const [i, name] of streams.entries()) {
    const after = streams.length - i;
    const endsAt = now() + Math.max(0, began + maxMs - now()) / after;
    left -= await counting.stream(name, since, Math.floor(left / after), endsAt);
  }
  return {
    matched: counting.matched,
    since: new Date(since).toISOString(),
    examples: counting.examples,
    ...(counting.isIncomplete ? { incomplete: true } : {}),
  };
}

class Counting {
  matched = 0;
  isIncomplete = false;
  readonly #compiled: CompiledSubscription;
  readonly #deps: PreviewDeps;
  readonly #work: LongWork | undefined;
  #newest: readonly ReadEvent[] = [];

  constructor(compiled: CompiledSubscription, deps: PreviewDeps, work: LongWork | undefined) {
    this.#compiled = compiled;
    this.#deps = deps;
    this.#work = work;
  }

  get examples(): readonly ReadEvent[] {
    return this.#newest;
  }

  /** Answers how many records were looked at. */
  async stream(name: string, since: number, records: number, endsAt: number): Promise<number> {
    const { reading, now } = this.#deps;
    const types = this.#readable(name);
    if (types === undefined) return 0;
    const [from, until] = [since, now()].map((ms) => new Date(ms).toISOString());
    const { next: first, end, topicId } = await reading.begin(types.stream, { from, until });
    let range: StreamRange = { stream: types.stream, next: first, end, topicId, missing: 'skip' };
    let scanned = 0;
    for (;;) {
      const scanRecords = records - scanned;
      const scanMs = endsAt - now();
      if (scanRecords <= 0 || scanMs <= 0) {
        this.isIncomplete = true;
        return scanned;
      }
      const budget = { limit: PAGE, scanRecords, scanMs, work: this.#work };
      const page = await reading.readEvents(this.#compiled.owner, range, { types: types.wanted }, budget);
      for (const event of page.events) if (this.#compiled.holds(event, this.#deps.units)) this.#count(event);
      scanned += passed(range.next, page.next);
      range = { ...range, next: page.next };
      if (page.stopped === 'unsettled') this.isIncomplete = true;
      if (page.stopped === 'end' || page.stopped === 'unsettled') return scanned;
    }
  }

  /** undefined: nothing of the stream is due to this owner. */
  #readable(name: string): { readonly stream: StreamInfo; readonly wanted: ReadonlySet<string> } | undefined {
    try {
      const { stream, types } = this.#deps.reading.stream(this.#compiled.owner, name);
      const wanted = new Set(types.filter((type) => this.#compiled.wants(type)));
      return wanted.size === 0 ? undefined : { stream, wanted };
    } catch (e) {
      if (isFault(e) && e.code === 'not_found') return undefined;
      throw e;
    }
  }

  #count(event: ReadEvent): void {
    this.matched++;
    const [least] = this.#newest;
    if (this.#newest.length === EXAMPLES && least!.envelope.recordedtime > event.envelope.recordedtime) return;
    this.#newest = [...this.#newest, event]
      .sort((a, b) => (a.envelope.recordedtime < b.envelope.recordedtime ? -1 : 1))
      .slice(-EXAMPLES);
  }
}

const passed = (before: readonly bigint[], after: readonly bigint[]): number =>
  Number(after.reduce((sum, next, p) => sum + next - before[p]!, 0n));
