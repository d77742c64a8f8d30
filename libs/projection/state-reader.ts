import { createHash } from 'node:crypto';

import type { Caller } from '#access';
import { pause } from '#concurrency';
import { ENDLESS, type Turn } from '#limits';
import { partitionOf, type Position } from '#event';
import type { EventLog } from '#log';
import type { Entry, Progress, State } from '#state';
import type { Units } from '#units';
import type { Catalogue } from '#registry';
import { Arrivals } from './arrivals.js';
import type { CompiledView } from './compile.js';
import { Ends, type Freshness } from './ends.js';
import { fulfils, type Condition } from './filter.js';
import { storageOf, type Generations } from './generations.js';
import { byKey, compareKeys } from './key-order.js';
import { mergeEntries, openEntry, type PartitionEntry } from './merge.js';
import { SharedPages } from './shared-pages.js';
import { entryLevels } from './level-data.js';
import { shownAt } from './shown.js';

export interface StateReaderDeps {
  readonly log: EventLog;
  readonly state: State;
  readonly views: readonly CompiledView[];
  readonly generations: Generations;
  readonly catalogue: Catalogue;
  readonly units: Units;
  readonly now: () => number;
  /** Shared with a projector of this process, which reports what it folds: waiting reads then need not poll. @default one of its own */
  readonly arrivals?: Arrivals;
  /** Shared with whatever else of this process judges how far views are. @default one of its own */
  readonly ends?: Ends;
}

/** An entry as a caller sees it. */
export interface Shown {
  readonly view: string;
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
  /** Position of the last event that changed it. */
  readonly position: string;
  /** Append time of that event, RFC 3339. */
  readonly updatedtime: string;
  readonly stale: boolean;
}

export type Got =
  | { readonly kind: 'entry'; readonly entry: Shown; /** Changes with the entry (for an ETag). */ readonly tag: string }
  | { readonly kind: 'absent' }
  /** The view has not folded far enough to know whether the entry exists (R7). */
  | { readonly kind: 'rebuilding' }
  /** The view did not fold the event at `after` in time. */
  | { readonly kind: 'behind' }
  /** `after` names a stream or partition that the view does not fold. */
  | { readonly kind: 'not_folding' };

export interface GetOptions {
  readonly after?: Position;
  /** How long to wait for `after`, ms. @default 5,000 */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

export interface Listed {
  readonly entries: readonly Omit<Shown, 'view' | 'stale'>[];
  /** Key after which the next page begins; undefined: this is the last page. */
  readonly next: string | undefined;
  readonly stale: boolean;
  /** The page ends early because it scanned as many entries as one page may. */
  readonly incomplete: boolean;
}

const ABSENT_MS = 1_000;
const REFOLD_POLL_MS = 50;
const SCAN_ENTRIES = 5_000;
/** A page ends when the stored entries on it have so many characters. */
const PAGE_CHARS = 4 * 1_048_576;
const AFTER_MS = 5_000;

type KnownEnds = Awaited<ReturnType<Ends['recent']>>;

interface Look {
  readonly entries: readonly Entry[];
  readonly freshness: Freshness;
}

/** An entry that exists and that the caller may see. */
interface Seen {
  readonly merged: PartitionEntry;
  readonly partials: readonly PartitionEntry[];
  readonly value: Record<string, unknown>;
}
const newest = (p: PartitionEntry): string => new Date(p.appendTimeMs).toISOString();

/** Reads views for doors: freshness as R7 demands, access as R12 demands. Faults of the state store pass through. */
export class StateReader {
  readonly deps: StateReaderDeps;
  readonly views: ReadonlyMap<string, CompiledView>;
  readonly arrivals: Arrivals;
  /** What the change feeds of this process read. */
  readonly pages: SharedPages;
  readonly #ends: Ends;
  readonly #unlisten: () => void;
  /** By view the entry that was found last: it is judged in the place of one that does not exist. */
  readonly #decoys = new Map<string, readonly Entry[]>();

  constructor(deps: StateReaderDeps) {
    this.deps = deps;
    this.views = new Map(deps.views.map((v) => [v.name, v]));
    this.arrivals = deps.arrivals ?? new Arrivals(deps.state);
    this.pages = new SharedPages(deps.state, deps.now);
    this.#ends = deps.ends ?? new Ends(deps);
    this.#unlisten = deps.generations.onChange((view) => this.arrivals.leave(view));
  }

  close(): void {
    this.#unlisten();
  }

  /** The storage of the serving generation; undefined: none serves yet. */
  storage(view: CompiledView): string | undefined {
    const row = this.deps.generations.row(view.name);
    return row && row.fingerprint === view.fingerprint ? storageOf(view.name, row.serving) : undefined;
  }

  partitionsOf(view: CompiledView, key: string): readonly number[] {
    return view.bySubject
      ? [partitionOf(Buffer.from(key), view.partitions)]
      : Array.from({ length: view.partitions }, (_, i) => i);
  }

  async get(caller: Caller, view: CompiledView, key: string, options: GetOptions = {}): Promise<Got> {
    const until = this.deps.now() + (options.waitMs ?? AFTER_MS);
    for (;;) {
      const storage = this.storage(view);
      const waitMs = Math.max(0, until - this.deps.now());
      const got = await this.#getIn(storage, caller, view, key, { ...options, waitMs });
      // Another generation began to serve meanwhile: the one that was read may have been dropped during the read.
      if (this.storage(view) !== storage) continue;
      // Folded again from another log: the position that is waited for lies ahead, whatever the store says of it.
      if (got.kind !== 'rebuilding' || !options.after || waitMs <= 0 || options.signal?.aborted === true) return got;
      await pause(Math.min(waitMs, REFOLD_POLL_MS), options.signal);
    }
  }

  async #getIn(
    storage: string | undefined,
    caller: Caller,
    view: CompiledView,
    key: string,
    options: GetOptions & { readonly waitMs: number },
  ): Promise<Got> {
    const { after, waitMs, signal } = options;
    if (after && (!view.streams.includes(after.stream) || after.partition >= view.partitions))
      return { kind: 'not_folding' };
    if (!storage) return { kind: 'rebuilding' };
    if (after) {
      const [at] = await this.deps.state.positions(storage, [after]);
      const target = after.offset + 1n;
      if ((at?.next ?? 0n) < target && !(await this.arrivals.waitFor(storage, after, target, waitMs, signal)))
        return { kind: 'behind' };
    }
    let look = await this.#look(storage, view, key, false);
    if (!look.freshness.trusted) return { kind: 'rebuilding' };
    let seen = await this.#judge(view, caller, look.entries);
    if (seen === undefined) {
      look = await this.#lookFresh(storage, view, key, signal);
      seen = await this.#judge(view, caller, look.entries);
      if (seen === undefined || !look.freshness.trusted)
        return look.freshness.reached ? { kind: 'absent' } : { kind: 'rebuilding' };
    }
    const { merged, value, partials } = seen;
    return {
      kind: 'entry',
      entry: {
        view: view.name,
        key,
        value,
        position: merged.position,
        updatedtime: newest(merged),
        stale: look.freshness.stale,
      },
      tag: tagOf(merged, partials),
    };
  }

  /**
   * The entry as the caller sees it. An entry that the caller may not see and one that does not exist take the same steps: where there is none, the entry
   * of another key is opened and judged, and nothing of it is used (R12.4).
   */
  async #judge(view: CompiledView, caller: Caller, found: readonly Entry[]): Promise<Seen | undefined> {
    if (found.length > 0) this.#decoys.set(view.name, found);
    const entries = found.length > 0 ? found : this.#decoys.get(view.name);
    if (entries === undefined) return undefined;
    const partials = entries.map(openEntry);
    const merged = mergeEntries(view, partials)!;
    const levels = await entryLevels(this.deps, view, caller, merged);
    const value = found.length > 0 ? shownAt(view, merged.stored, levels) : undefined;
    return value && { merged, partials, value };
  }

  /** Waits until a new event is folded in a partition of the key, at most maxMs. */
  async changed(view: CompiledView, key: string, maxMs: number, signal?: AbortSignal): Promise<void> {
    const storage = this.storage(view);
    if (!storage) return;
    const stop = new AbortController();
    const parts = view.streams.flatMap((stream) =>
      this.partitionsOf(view, key).map((partition) => ({ stream, partition })),
    );
    const now = await this.deps.state.positions(storage, parts);
    const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const waits = parts.map((part, i) => this.arrivals.waitFor(storage, part, (now[i]?.next ?? 0n) + 1n, maxMs, both));
    await Promise.race(waits);
    stop.abort();
  }

  /** One page in key order (UTF-8 bytes). undefined: a partition that holds events was never folded, or is folded again (R7). */
  async list(
    caller: Caller,
    view: CompiledView,
    conditions: readonly Condition[],
    limit: number,
    after: string | undefined,
    turn: Turn = ENDLESS,
  ): Promise<Listed | undefined> {
    const storage = this.storage(view);
    if (!storage) return undefined;
    const entries: Listed['entries'][number][] = [];
    let at = after;
    let scanned = 0;
    let chars = 0;
    let stale = false;
    for (;;) {
      const page = await this.#page(storage, view, at, limit);
      if (!page.isWhole) return undefined;
      stale ||= page.stale;
      let ofPage = 0;
      for (const [key, found] of byKey(page.pages, page.bound)) {
        if (turn.isOver) await turn.next();
        at = key;
        ofPage += found.length;
        const merged = mergeEntries(view, found.map(openEntry))!;
        const value = shownAt(view, merged.stored, await entryLevels(this.deps, view, caller, merged));
        if (!value || !fulfils(value, conditions)) continue;
        entries.push({ key, value, position: merged.position, updatedtime: newest(merged) });
        for (const { value: text } of found) chars += text.length;
        if (entries.length < limit && chars < PAGE_CHARS) continue;
        turn.scanned('entries', ofPage);
        const more = page.bound !== undefined || page.last !== key;
        return { entries, next: more ? key : undefined, stale, incomplete: more && entries.length < limit };
      }
      turn.scanned('entries', ofPage);
      scanned += ofPage;
      if (page.bound === undefined) return { entries, next: undefined, stale, incomplete: false };
      if (scanned >= SCAN_ENTRIES) return { entries, next: at, stale, incomplete: true };
    }
  }

  /** Entries of all partitions after a key, each in key order. `bound`: up to where every partition has been read; undefined: to the end. `last`: the greatest key. */
  async #page(storage: string, view: CompiledView, after: string | undefined, limit: number) {
    const some = Math.min(500, Math.max(20, Math.ceil((limit * 2) / view.partitions)));
    const range = { limit: some, ...(after === undefined ? {} : { after }) };
    const numbers = Array.from({ length: view.partitions }, (_, p) => p);
    const began = this.#ends.begin();
    const pages = await Promise.all(numbers.map((p) => this.deps.state.scan(storage, p, range)));
    const freshness = await this.#weigh(storage, view, numbers, pages, await this.#endsOf(view, false), began);
    let bound: string | undefined;
    let greatest: string | undefined;
    for (const p of pages) {
      const last = p.entries.at(-1)?.key;
      if (p.more && last !== undefined && (bound === undefined || compareKeys(last, bound) < 0)) bound = last;
      if (last !== undefined && (greatest === undefined || compareKeys(last, greatest) > 0)) greatest = last;
    }
    return {
      pages,
      bound,
      last: greatest,
      stale: freshness.stale,
      isWhole: freshness.filled && freshness.trusted,
    };
  }

  async #look(storage: string, view: CompiledView, key: string, fresh: boolean): Promise<Look> {
    const numbers = this.partitionsOf(view, key);
    // The log end is read before the store: every event that was in the log then must be in the answer.
    const ends = await this.#endsOf(view, fresh);
    const began = this.#ends.begin();
    const reads = await Promise.all(numbers.map((p) => this.deps.state.read(storage, p, [key])));
    const entries = reads.flatMap((r) => r.entries[0] ?? []);
    return { entries, freshness: await this.#weigh(storage, view, numbers, reads, ends, began) };
  }

  /** For a key without an entry that the caller sees: reads the log end again, and waits up to a second for the view to reach it. */
  async #lookFresh(storage: string, view: CompiledView, key: string, signal?: AbortSignal): Promise<Look> {
    const ends = await this.#endsOf(view, true);
    const numbers = this.partitionsOf(view, key);
    const waits = view.streams.flatMap((stream, i) =>
      numbers.map(async (partition) => {
        const high = ends[i]?.find((r) => r.partition === partition)?.high;
        if (high === undefined) return;
        const part = { stream, partition };
        const [at] = await this.deps.state.positions(storage, [part]);
        const low = ends[i]!.find((r) => r.partition === partition)!.low;
        if ((at?.next ?? low) < high) await this.arrivals.waitFor(storage, part, high, ABSENT_MS, signal);
      }),
    );
    await Promise.all(waits);
    const began = this.#ends.begin();
    const reads = await Promise.all(numbers.map((p) => this.deps.state.read(storage, p, [key])));
    const entries = reads.flatMap((r) => r.entries[0] ?? []);
    return { entries, freshness: await this.#weigh(storage, view, numbers, reads, ends, began) };
  }

  #endsOf(view: CompiledView, fresh: boolean): Promise<KnownEnds[]> {
    return Promise.all(view.streams.map((s) => (fresh ? this.#ends.fresh(s) : this.#ends.recent(s))));
  }

  async #weigh(
    storage: string,
    view: CompiledView,
    numbers: readonly number[],
    reads: readonly { readonly progress: readonly Progress[] }[],
    ends: readonly KnownEnds[],
    began: number,
  ): Promise<Freshness> {
    let reached = true;
    let stale = false;
    let filled = true;
    let trusted = true;
    for (const [i, stream] of view.streams.entries())
      for (const [j, partition] of numbers.entries()) {
        const range = ends[i]?.find((r) => r.partition === partition);
        const progress = reads[j]?.progress.find((p) => p.stream === stream);
        const one = await this.#ends.judge(storage, range, stream, progress, began);
        reached &&= one.reached;
        stale ||= one.stale;
        filled &&= one.filled;
        trusted &&= one.trusted;
      }
    return { reached, stale, filled, trusted };
  }
}

/** Of one entry its position; of several a text that changes with each of them. */
function tagOf(merged: PartitionEntry, partials: readonly PartitionEntry[]): string {
  if (partials.length === 1) return merged.position;
  const all = partials.map((p) => p.position).sort();
  return `${merged.position}+${createHash('sha256').update(all.join('\n')).digest('hex').slice(0, 12)}`;
}
