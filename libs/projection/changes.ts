import { readLevel, type Caller } from '#access';
import { pause } from '#concurrency';
import { formatPosition } from '#event';
import { ENDLESS, type LongWork, type Turn } from '#limits';
import { decodeEvent, openRecord } from '#registry';
import type { Change, Progress, StreamPartition } from '#state';
import type { CompiledView } from './compile.js';
import type { Stored } from './entry.js';
import { hasLeft } from './former.js';
import { entryLevels } from './level-data.js';
import { shownAt } from './shown.js';
import type { Shown, StateReader } from './state-reader.js';

/** The place of a reader in a change feed: the offset of the last change it got, for each stream partition of the view. */
export interface FeedCursor {
  readonly generation: number;
  readonly after: readonly bigint[];
  /** For each of them when its partition was last emptied to be folded again from another log (R5.9), ms; 0: never. Offsets of an earlier fold mean nothing. */
  readonly folds: readonly number[];
}

export type FeedEvent =
  | { readonly kind: 'entry'; readonly entry: Omit<Shown, 'stale'>; readonly cursor: FeedCursor }
  /** The entry is removed, or the caller may not see it any more. */
  | { readonly kind: 'delete'; readonly key: string; readonly position: string; readonly cursor: FeedCursor }
  /** Deletes may be missing (the store keeps them for a limited time), the view was rebuilt, or the log ends before the cursor: read the list again, then go on from the cursor. */
  | { readonly kind: 'gap'; readonly cursor: FeedCursor }
  /** A checkpoint: changes that this caller may not see lie before the cursor. */
  | { readonly kind: 'mark'; readonly cursor: FeedCursor };

const PAGE = 100;
const KNOWN_KEYS = 10_000;

/**
 * Changes of a view for one caller, in offset order in each partition; of a key only the newest value. A caller gets the delete of a key if it got the
 * key before, may read every event of the type, or may read the event that removed the key (R12). An entry that has left its sight, such as a case that went
 * to another office, is a delete too, once.
 */
export class ChangeFeed {
  readonly #reader: StateReader;
  readonly #caller: Caller;
  readonly #view: CompiledView;
  readonly #parts: readonly StreamPartition[];
  readonly #knownKeys = new Set<string>();
  #cursor: FeedCursor | undefined;
  /** The reader's cursor is of other partitions than the view has: what has changed since cannot be told. */
  #lost: boolean;
  /** Indices of the parts that may hold changes behind the cursor: only those are asked for. */
  readonly #moved = new Set<number>();

  constructor(reader: StateReader, caller: Caller, view: CompiledView, cursor?: FeedCursor) {
    this.#reader = reader;
    this.#caller = caller;
    this.#view = view;
    this.#parts = view.streams.flatMap((stream) =>
      Array.from({ length: view.partitions }, (_, partition) => ({ stream, partition })),
    );
    const { length } = this.#parts;
    const fits = cursor?.after.length === length && cursor.folds.length === length;
    this.#cursor = fits ? cursor : undefined;
    this.#lost = cursor !== undefined && !fits;
    this.#askAll();
  }

  /** The changes since the last call, at once or after at most waitMs (long poll); empty when there are none. Faults of the store pass through. */
  async next(waitMs: number, signal?: AbortSignal, work?: LongWork): Promise<readonly FeedEvent[]> {
    const { reader, view } = { reader: this.#reader, view: this.#view };
    const storage = reader.storage(view);
    const generation = reader.deps.generations.row(view.name)?.serving;
    if (storage === undefined || generation === undefined) {
      await pause(Math.min(waitMs, 1_000), signal);
      return [];
    }
    if (this.#cursor?.generation !== generation) {
      const isNew = this.#cursor === undefined && !this.#lost;
      this.#lost = false;
      this.#cursor = { generation, ...(await this.#ends(storage)) };
      this.#askAll();
      return [isNew ? { kind: 'mark', cursor: this.#cursor } : { kind: 'gap', cursor: this.#cursor }];
    }
    const events = await (work?.run((turn) => this.#pages(storage, turn)) ?? this.#pages(storage, ENDLESS));
    if (events.length > 0) return events;
    const stop = new AbortController();
    const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const { after } = this.#cursor;
    const moved = await Promise.race(
      this.#parts.map(async (part, i) => {
        const arrived = await reader.arrivals.waitFor(storage, part, after[i]! + 2n, waitMs, both);
        if (arrived) this.#moved.add(i);
        return arrived;
      }),
    );
    stop.abort();
    if (!moved) this.#askAll();
    return [];
  }

  #askAll(): void {
    for (const i of this.#parts.keys()) this.#moved.add(i);
  }

  async #ends(storage: string): Promise<Omit<FeedCursor, 'generation'>> {
    const at = await this.#reader.deps.state.positions(storage, this.#parts);
    return { after: at.map((p) => (p?.next ?? 0n) - 1n), folds: at.map((p) => p?.reset?.atMs ?? 0) };
  }

  async #pages(storage: string, turn: Turn): Promise<FeedEvent[]> {
    const before = this.#cursor!;
    try {
      return await this.#pagesFrom(storage, before, turn);
    } catch (e) {
      // The caller does not get the changes collected so far: they must come again.
      this.#cursor = before;
      throw e;
    }
  }

  async #pagesFrom(storage: string, before: FeedCursor, turn: Turn): Promise<FeedEvent[]> {
    const out: FeedEvent[] = [];
    const asked: number[] = [];
    for (const i of [...this.#moved].sort((a, b) => a - b)) {
      const part = this.#parts[i]!;
      const page = await this.#reader.pages.changes(storage, part, this.#cursor!.after[i]!, PAGE);
      const progress = page.progress.find((p) => p.stream === part.stream);
      const resetMs = progress?.reset?.atMs ?? 0;
      // A reader that was given nothing of this partition has lost nothing by a new fold.
      if (resetMs > this.#cursor!.folds[i]! && this.#cursor!.after[i]! < 0n)
        this.#cursor = { ...this.#cursor!, folds: this.#cursor!.folds.with(i, resetMs) };
      const isAnew = resetMs > this.#cursor!.folds[i]!;
      // Entries of the old log have vanished without a delete. Until the fold is through, the list that a gap asks for would be answered 503.
      if (isAnew && progress!.next < progress!.reset!.until) continue;
      if (isAnew) {
        this.#beginAnew(i, progress!);
        out.push({ kind: 'gap', cursor: this.#cursor! });
        asked.push(i);
        continue;
      }
      if (page.gap) {
        this.#move(i, (progress?.next ?? 0n) - 1n);
        out.push({ kind: 'gap', cursor: this.#cursor! });
        asked.push(i);
        continue;
      }
      if (progress !== undefined && this.#cursor!.after[i]! >= progress.next && (await this.#isBeyond(i))) {
        this.#cursor = { ...this.#cursor!, after: this.#cursor!.after.with(i, progress.next - 1n) };
        out.push({ kind: 'gap', cursor: this.#cursor });
        asked.push(i);
        continue;
      }
      turn.scanned('entries', page.changes.length);
      const since = this.#cursor!.after[i]!;
      for (const change of page.changes) {
        if (turn.isOver) await turn.next();
        this.#move(i, change.offset);
        const event = await this.#eventOf(storage, part, change, since);
        if (event) out.push(event);
      }
      const next = progress?.next;
      if (!page.more && next !== undefined) this.#move(i, next - 1n);
      if (!page.more) asked.push(i);
    }
    for (const i of asked) this.#moved.delete(i);
    if (out.length === 0 && this.#cursor !== before) out.push({ kind: 'mark', cursor: this.#cursor! });
    return out;
  }

  /** Whether the place lies behind the end of the log, as after the restore of a backup. Behind the fold alone: the same events are folded again. */
  async #isBeyond(i: number): Promise<boolean> {
    const { stream, partition } = this.#parts[i]!;
    const range = (await this.#reader.deps.log.describe(stream)).find((r) => r.partition === partition);
    return range !== undefined && this.#cursor!.after[i]! >= range.high;
  }

  #move(i: number, offset: bigint): void {
    const cursor = this.#cursor!;
    if (offset > cursor.after[i]!) this.#cursor = { ...cursor, after: cursor.after.with(i, offset) };
  }

  #beginAnew(i: number, { next, reset }: Progress): void {
    const { generation, after, folds } = this.#cursor!;
    this.#cursor = { generation, after: after.with(i, next - 1n), folds: folds.with(i, reset!.atMs) };
  }

  /** `since`: the place of the reader in this partition before the page. */
  async #eventOf(
    storage: string,
    part: StreamPartition,
    change: Change,
    since: bigint,
  ): Promise<FeedEvent | undefined> {
    const { key } = change;
    const cursor = this.#cursor!;
    const position = formatPosition(part.stream, part.partition, change.offset);
    const shown = await this.#shown(storage, part, change, position);
    if (shown === 'gone' || 'hidden' in shown) {
      const mayKnow =
        shown === 'gone' ? await this.#mayKnow(part, change) : this.#hasLeft(shown.hidden, part, key, since);
      if (!mayKnow) return undefined;
      this.#knownKeys.delete(key);
      return { kind: 'delete', key, position, cursor };
    }
    if (this.#knownKeys.size >= KNOWN_KEYS) this.#knownKeys.delete(this.#knownKeys.values().next().value!);
    this.#knownKeys.add(key);
    return { kind: 'entry', entry: shown, cursor };
  }

  async #shown(
    storage: string,
    part: StreamPartition,
    change: Change,
    position: string,
  ): Promise<Omit<Shown, 'stale'> | 'gone' | { readonly hidden: Stored }> {
    const { deps } = this.#reader;
    const view = this.#view;
    let stored: Stored | undefined = change.value === null ? undefined : (JSON.parse(change.value) as Stored);
    let appendTimeMs = change.appendTimeMs;
    let at = position;
    if (!view.bySubject) {
      // Other partitions may hold an entry of the same key: readers get the merged one.
      const numbers = this.#reader.partitionsOf(view, change.key);
      const merged = await this.#reader.pages.entry(view, storage, change.key, numbers, position);
      stored = merged?.stored;
      appendTimeMs = merged?.appendTimeMs ?? appendTimeMs;
      at = merged?.position ?? at;
    }
    if (!stored) return 'gone';
    const levels = await entryLevels(deps, view, this.#caller, { stored, position: at, appendTimeMs });
    const value = shownAt(view, stored, levels);
    if (!value) return { hidden: stored };
    return { view: view.name, key: change.key, value, position: at, updatedtime: new Date(appendTimeMs).toISOString() };
  }

  /** Whether the reader, which may not see the entry, has it: a mirror would keep it for ever. */
  #hasLeft(stored: Stored, part: StreamPartition, key: string, since: bigint): boolean {
    if (this.#knownKeys.has(key)) return true;
    const { units } = this.#reader.deps;
    // How far the reader was in another stream is not known any more: it may be told once more.
    const place = (stream: string): bigint => (stream === part.stream ? since : -1n);
    return hasLeft(this.#view, stored, this.#caller, units, place);
  }

  async #mayKnow(part: StreamPartition, change: Change): Promise<boolean> {
    const { deps } = this.#reader;
    if (this.#knownKeys.has(change.key) || this.#view.kind === 'count') return true;
    const types = this.#view.sources.filter((s) => s.stream === part.stream).map((s) => deps.catalogue.newest(s.type));
    const nobody = { source: '', data: {} };
    if (types.every((t) => t && readLevel(this.#caller, t, nobody, deps.units) !== 'none')) return true;
    const read = await deps.log.read(part.stream, part.partition, change.offset, { maxRecords: 1 });
    const record = read.kind === 'records' ? read.records[0] : undefined;
    if (record?.offset !== change.offset) return false;
    const opened = openRecord(record, deps.catalogue);
    const event = opened.kind === 'event' ? decodeEvent(opened, part.stream, part.partition) : undefined;
    if (!event) return false;
    return (
      readLevel(this.#caller, event.type, { source: event.envelope.source, data: event.data }, deps.units) !== 'none'
    );
  }
}
