import { readLevel, type Caller } from '#access';
import { pause } from '#concurrency';
import { formatPosition } from '#event';
import { decodeEvent, openRecord } from '#registry';
import type { Change, StreamPartition } from '#state';
import type { CompiledView } from './compile.js';
import type { Stored } from './entry.js';
import { mergeEntries, openEntry } from './merge.js';
import { shownTo } from './shown.js';
import type { Shown, StateReader } from './state-reader.js';

/** The place of a reader in a change feed: the offset of the last change it got, for each stream partition of the view. */
export interface FeedCursor {
  readonly generation: number;
  readonly after: readonly bigint[];
}

export type FeedEvent =
  | { readonly kind: 'entry'; readonly entry: Omit<Shown, 'stale'>; readonly cursor: FeedCursor }
  | { readonly kind: 'delete'; readonly key: string; readonly position: string; readonly cursor: FeedCursor }
  /** Deletes may be missing (the store keeps them for a limited time), or the view was rebuilt: read the list again, then go on from the cursor. */
  | { readonly kind: 'gap'; readonly cursor: FeedCursor }
  /** A checkpoint: changes that this caller may not see lie before the cursor. */
  | { readonly kind: 'mark'; readonly cursor: FeedCursor };

const PAGE = 100;
const KNOWN_KEYS = 10_000;

/**
 * Changes of a view for one caller, in offset order in each partition; of a key only the newest value. A caller gets the delete of a key if it got the
 * key before, may read every event of the type, or may read the event that removed the key (R12).
 */
export class ChangeFeed {
  readonly #reader: StateReader;
  readonly #caller: Caller;
  readonly #view: CompiledView;
  readonly #parts: readonly StreamPartition[];
  readonly #knownKeys = new Set<string>();
  #cursor: FeedCursor | undefined;

  constructor(reader: StateReader, caller: Caller, view: CompiledView, cursor?: FeedCursor) {
    this.#reader = reader;
    this.#caller = caller;
    this.#view = view;
    this.#parts = view.streams.flatMap((stream) =>
      Array.from({ length: view.partitions }, (_, partition) => ({ stream, partition })),
    );
    this.#cursor = cursor?.after.length === this.#parts.length ? cursor : undefined;
  }

  /** The changes since the last call, at once or after at most waitMs (long poll); empty when there are none. Faults of the store pass through. */
  async next(waitMs: number, signal?: AbortSignal): Promise<readonly FeedEvent[]> {
    const { reader, view } = { reader: this.#reader, view: this.#view };
    const storage = reader.storage(view);
    const generation = reader.deps.generations.row(view.name)?.serving;
    if (storage === undefined || generation === undefined) {
      await pause(Math.min(waitMs, 1_000), signal);
      return [];
    }
    if (this.#cursor?.generation !== generation) {
      const isNew = this.#cursor === undefined;
      this.#cursor = { generation, after: await this.#ends(storage) };
      return [isNew ? { kind: 'mark', cursor: this.#cursor } : { kind: 'gap', cursor: this.#cursor }];
    }
    const events = await this.#pages(storage);
    if (events.length > 0) return events;
    const stop = new AbortController();
    const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const { after } = this.#cursor;
    await Promise.race(
      this.#parts.map((part, i) => reader.arrivals.waitFor(storage, part, after[i]! + 2n, waitMs, both)),
    );
    stop.abort();
    return [];
  }

  async #ends(storage: string): Promise<bigint[]> {
    const at = await this.#reader.deps.state.positions(storage, this.#parts);
    return at.map((p) => (p?.next ?? 0n) - 1n);
  }

  async #pages(storage: string): Promise<FeedEvent[]> {
    const before = this.#cursor!;
    try {
      return await this.#pagesFrom(storage, before);
    } catch (e) {
      // The caller does not get the changes collected so far: they must come again.
      this.#cursor = before;
      throw e;
    }
  }

  async #pagesFrom(storage: string, before: FeedCursor): Promise<FeedEvent[]> {
    const out: FeedEvent[] = [];
    for (const [i, part] of this.#parts.entries()) {
      const page = await this.#reader.deps.state.changes(storage, part, this.#cursor!.after[i]!, PAGE);
      if (page.gap) {
        this.#move(i, (page.progress.find((p) => p.stream === part.stream)?.next ?? 0n) - 1n);
        out.push({ kind: 'gap', cursor: this.#cursor! });
        continue;
      }
      for (const change of page.changes) {
        this.#move(i, change.offset);
        const event = await this.#eventOf(storage, part, change);
        if (event) out.push(event);
      }
      const next = page.progress.find((p) => p.stream === part.stream)?.next;
      if (!page.more && next !== undefined) this.#move(i, next - 1n);
    }
    if (out.length === 0 && this.#cursor !== before) out.push({ kind: 'mark', cursor: this.#cursor! });
    return out;
  }

  #move(i: number, offset: bigint): void {
    const { generation, after } = this.#cursor!;
    if (offset > after[i]!) this.#cursor = { generation, after: after.with(i, offset) };
  }

  async #eventOf(storage: string, part: StreamPartition, change: Change): Promise<FeedEvent | undefined> {
    const { key } = change;
    const cursor = this.#cursor!;
    const position = formatPosition(part.stream, part.partition, change.offset);
    const shown = await this.#shown(storage, part, change, position);
    if (shown === 'gone') {
      if (!(await this.#mayKnow(part, change))) return undefined;
      this.#knownKeys.delete(key);
      return { kind: 'delete', key, position, cursor };
    }
    if (!shown) return undefined;
    if (this.#knownKeys.size >= KNOWN_KEYS) this.#knownKeys.delete(this.#knownKeys.values().next().value!);
    this.#knownKeys.add(key);
    return { kind: 'entry', entry: shown, cursor };
  }

  async #shown(
    storage: string,
    part: StreamPartition,
    change: Change,
    position: string,
  ): Promise<Omit<Shown, 'stale'> | 'gone' | undefined> {
    const { deps } = this.#reader;
    const view = this.#view;
    let stored: Stored | undefined = change.value === null ? undefined : (JSON.parse(change.value) as Stored);
    let appendTimeMs = change.appendTimeMs;
    let at = position;
    if (!view.bySubject) {
      // Other partitions may hold an entry of the same key: readers get the merged one.
      const numbers = this.#reader.partitionsOf(view, change.key);
      const reads = await Promise.all(numbers.map((p) => deps.state.read(storage, p, [change.key])));
      const merged = mergeEntries(
        view,
        reads.flatMap((r) => (r.entries[0] ? [openEntry(r.entries[0])] : [])),
      );
      stored = merged?.stored;
      appendTimeMs = merged?.appendTimeMs ?? appendTimeMs;
      at = merged?.position ?? at;
    }
    if (!stored) return 'gone';
    const value = shownTo(deps, view, this.#caller, stored);
    if (!value) return undefined;
    return { view: view.name, key: change.key, value, position: at, updatedtime: new Date(appendTimeMs).toISOString() };
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
