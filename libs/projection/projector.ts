import { Mutex } from '#concurrency';
import {
  decodeOrTell,
  findCopies,
  INDEX_VIEW,
  openRecords,
  recheck,
  type Copies,
  type IdConflict,
  type IndexDeps,
} from '#duplicates';
import { Fault, innermostMessage, OnceAMinute } from '#faults';
import type { AssignedPartition, EventLog, GroupMember, LogRecord, Membership, RecordBatch } from '#log';
import type { Committed, State, StreamPartition } from '#state';
import type { Catalogue, DecodedEvent, EventRecord } from '#registry';
import { Assigned, type Slot } from './assigned.js';
import type { CompiledView } from './compile.js';
import { foldInto } from './desk.js';
import { storageOf, type Generations } from './generations.js';
import type { ProjectorWatch } from './watch.js';

export const PROJECTOR_GROUP = 'simpul.projector';

export interface ProjectorDeps {
  readonly log: EventLog;
  readonly state: State;
  readonly catalogue: Catalogue;
  readonly views: readonly CompiledView[];
  readonly generations: Generations;
  readonly copies: Copies;
  /** ms since 1970; never looked at by a fold. */
  readonly now: () => number;
  /** Reads the catalogue to its end: asked when a record names an unknown schema, before it is called corrupt. */
  readonly refresh?: () => Promise<void>;
  readonly watch?: ProjectorWatch;
  /** Events under an id that is taken by other content; the position moves past them only when this has resolved. May be told again. */
  readonly onConflicts?: (found: readonly IdConflict[]) => Promise<void>;
}

const STEP_EVENTS = 500;
/** A view that lies further behind the index than this gets a reader of its own, so that the others stay fresh. */
const NEAR = 2_000n;
const RANGES_MS = 1_000;

interface Opened {
  readonly events: readonly EventRecord[];
  readonly copies: ReadonlyMap<bigint, bigint>;
}

/**
 * Folds every stream: the duplicate index first, then each view up to it (R2, R5). A member of `simpul.projector`.
 * A position moves only together with the values it stands for; a batch may be given again, in part or whole, without effect.
 */
export class Projector implements GroupMember {
  readonly deps: ProjectorDeps;
  readonly views: ReadonlyMap<string, CompiledView>;
  readonly #assigned = new Map<string, Assigned>();
  readonly #writers = new Map<string, Mutex>();
  readonly #ranges = new Map<string, { at: number; answer: ReturnType<EventLog['describe']> }>();
  readonly #stopWatching: () => void;
  readonly #index: IndexDeps;
  readonly #once: OnceAMinute;
  #membership: Membership | undefined;

  constructor(deps: ProjectorDeps) {
    this.deps = deps;
    this.views = new Map(deps.views.map((v) => [v.name, v]));
    this.#once = new OnceAMinute(deps.now);
    this.#index = deps;
    this.#stopWatching = deps.generations.onChange((view) => this.#reconcile(view));
  }

  /** Handed in once the group was joined. */
  joined(membership: Membership): void {
    this.#membership = membership;
  }

  held(): readonly Assigned[] {
    return [...this.#assigned.values()];
  }

  async start(at: AssignedPartition): Promise<bigint> {
    this.lost(at);
    await this.deps.copies.refresh();
    const part: StreamPartition = { stream: at.topic, partition: at.partition };
    const low = (await this.#describe(at.topic)).find((r) => r.partition === at.partition)!.low;
    const index = (await this.deps.state.position(INDEX_VIEW, part))?.next ?? low;
    const a = new Assigned(at, low, index);
    for (const view of this.views.values()) {
      if (!view.streams.includes(at.topic)) continue;
      for (const storage of this.#storages(view)) a.slots.set(storage, await this.#openSlot(a, view, storage));
    }
    this.#assigned.set(`${at.topic}/${at.partition}`, a);
    this.#catchUp(a);
    return a.next();
  }

  async batch(
    at: AssignedPartition,
    batch: RecordBatch,
    signal: AbortSignal,
  ): Promise<{ readonly next: bigint; readonly waitMs?: number }> {
    const a = this.#assigned.get(`${at.topic}/${at.partition}`);
    if (!a || a.epoch !== at.epoch || signal.aborted) return { next: batch.records[0]!.offset };
    return a.turn.run(async () => {
      if (await this.#missing(a, batch.records[0]!.offset)) return { next: a.next() };
      for (let i = 0; i < batch.records.length; i += STEP_EVENTS) {
        const records = batch.records.slice(i, i + STEP_EVENTS);
        const last = i + STEP_EVENTS >= batch.records.length;
        const next = last ? batch.next : batch.records[i + STEP_EVENTS]!.offset;
        await this.#step(a, records, next);
        if (a.lost.signal.aborted || a.next() !== next) break;
      }
      return { next: a.next() };
    });
  }

  /**
   * Whether the log holds records between our position and this batch: it was read before we were set back.
   * Folding it would leave a hole that no later commit could see.
   */
  async #missing(a: Assigned, first: bigint): Promise<boolean> {
    const from = a.next();
    if (first <= from) return false;
    const read = await this.deps.log.read(a.stream, a.partition, from, { maxRecords: 1 });
    return read.kind === 'out_of_range' || (read.records[0]?.offset ?? first) < first;
  }

  lost(at: AssignedPartition): void {
    const key = `${at.topic}/${at.partition}`;
    this.#assigned.get(key)?.lost.abort();
    this.#assigned.delete(key);
  }

  outOfRange(at: AssignedPartition, range: { readonly low: bigint; readonly high: bigint }): void {
    this.deps.watch?.outOfRange?.(at, range.low, range.high);
  }

  /** Looks whether the store was emptied or set back while no event came, and rewinds where it was. Fault state_unavailable. */
  async verify(): Promise<void> {
    const held = this.held();
    const marks: { a: Assigned; storage: string; slot?: Slot; before: bigint }[] = [];
    for (const a of held) {
      marks.push({ a, storage: INDEX_VIEW, before: a.index });
      for (const slot of a.slots.values())
        if (slot.live) marks.push({ a, storage: slot.storage, slot, before: slot.next });
    }
    for (const storage of new Set(marks.map((m) => m.storage))) {
      const mine = marks.filter((m) => m.storage === storage);
      const stored = await this.deps.state.positions(
        storage,
        mine.map(({ a }) => ({ stream: a.stream, partition: a.partition })),
      );
      for (const [i, m] of mine.entries()) {
        const next = stored[i]?.next ?? m.a.low;
        if (next < m.before) await this.#setBack(m.a, m.slot, next);
      }
    }
  }

  async #setBack(a: Assigned, slot: Slot | undefined, next: bigint): Promise<void> {
    await a.turn.run(async () => {
      if (a.lost.signal.aborted) return;
      if (slot === undefined) a.index = next < a.index ? next : a.index;
      else if (next < slot.next) slot.next = next;
      if (slot !== undefined && slot.next + NEAR < a.index) {
        slot.live = false;
        this.#catchUp(a);
      } else this.#membership?.seek(a.stream, a.partition, a.next());
    });
  }

  /** Ends catch-up readers; the group is left by whoever joined it. */
  async close(): Promise<void> {
    this.#stopWatching();
    const readers = this.held().flatMap((a) => {
      a.lost.abort();
      return a.catchingUp;
    });
    this.#assigned.clear();
    await Promise.allSettled(readers);
  }

  #storages(view: CompiledView): string[] {
    const row = this.deps.generations.row(view.name);
    if (!row) return [];
    return [row.serving, ...(row.building === undefined ? [] : [row.building])].map((g) => storageOf(view.name, g));
  }

  #describe(stream: string): ReturnType<EventLog['describe']> {
    const known = this.#ranges.get(stream);
    const now = this.deps.now();
    if (known && now - known.at < RANGES_MS) return known.answer;
    const answer = this.deps.log.describe(stream);
    this.#ranges.set(stream, { at: now, answer });
    answer.catch(() => this.#ranges.delete(stream));
    return answer;
  }

  async #openSlot(a: Assigned, view: CompiledView, storage: string): Promise<Slot> {
    const { state } = this.deps;
    const here: StreamPartition = { stream: a.stream, partition: a.partition };
    const next = (await state.position(storage, here))?.next ?? a.low;
    // A view over several streams: an older owner must be refused on all of them before this one reads entries.
    for (const stream of view.streams.length > 1 ? view.streams : []) {
      const part: StreamPartition = { stream, partition: a.partition };
      const low = (await this.#describe(stream)).find((r) => r.partition === a.partition)!.low;
      const from = (await state.position(storage, part))?.next ?? low;
      await state.commit(storage, part, { epoch: a.epoch, from, next: from, low, puts: [], deletes: [] });
    }
    return { view, storage, next, live: next + NEAR >= a.index };
  }

  async #step(a: Assigned, records: readonly LogRecord[], next: bigint): Promise<void> {
    const opened = await this.#indexStep(a, records, next);
    if (!opened) return;
    const decoded = new Map<bigint, DecodedEvent | undefined>();
    await Promise.all(
      [...a.slots.values()]
        .filter((slot) => slot.live && slot.next < next)
        .map((slot) => this.#viewStep(a, slot, opened, next, decoded)),
    );
  }

  /** undefined: the index was refused; the flow rewinds. */
  async #indexStep(a: Assigned, records: readonly LogRecord[], next: bigint): Promise<Opened | undefined> {
    const { state, copies, watch } = this.deps;
    const fresh = a.index < next;
    const events = await openRecords(this.deps, a, records, fresh);
    const listed = new Map<bigint, bigint>();
    for (const e of events) {
      const first = copies.originalOf(a.stream, a.partition, e.record.offset);
      if (first !== undefined) listed.set(e.record.offset, first);
    }
    if (!fresh) return { events, copies: listed };
    const asked = events.filter((e) => e.record.offset >= a.index);
    let found: ReadonlyMap<bigint, bigint>;
    let connection: number;
    do {
      connection = state.connection();
      if (a.connection !== connection) a.rechecked = await recheck(this.#index, a.stream, a.partition, a.index);
      a.connection = connection;
      found = await findCopies(this.#index, a.stream, a.partition, asked, a.rechecked);
    } while (state.connection() !== connection);
    const part: StreamPartition = { stream: a.stream, partition: a.partition };
    const change = { epoch: a.epoch, from: a.index, next, low: a.low, puts: [], deletes: [] };
    const committed = await state.commit(INDEX_VIEW, part, change);
    if (!committed.ok) {
      await this.#refused(a, committed, (expected) => (a.index = expected));
      return undefined;
    }
    a.index = next;
    if (found.size > 0) watch?.copies?.(a.stream, a.partition, found.size);
    copies.settle(a.stream, a.partition, next, a.epoch);
    watch?.settled?.(a.stream, a.partition, next);
    return { events, copies: new Map([...listed, ...found]) };
  }

  async #viewStep(
    a: Assigned,
    slot: Slot,
    opened: Opened,
    next: bigint,
    decoded: Map<bigint, DecodedEvent | undefined>,
  ): Promise<void> {
    const { view, storage } = slot;
    const events: DecodedEvent[] = [];
    for (const e of opened.events) {
      const { offset } = e.record;
      if (offset < slot.next || offset >= next || opened.copies.has(offset) || !view.ofType.has(e.type.type)) continue;
      if (!decoded.has(offset)) decoded.set(offset, decodeOrTell(this.deps, a, e));
      const event = decoded.get(offset);
      if (event) events.push(event);
    }
    const part: StreamPartition = { stream: a.stream, partition: a.partition };
    const step = { epoch: a.epoch, from: slot.next, next, low: a.low };
    const committed = await this.#writer(storage, a.partition).run(() =>
      foldInto(this.deps.state, storage, view, part, events, step),
    );
    if (committed.ok) {
      slot.next = next;
      this.deps.watch?.folded?.(view.name, storage, part, next, events.length);
      return;
    }
    if (!this.#storages(view).includes(storage)) {
      a.slots.delete(storage);
      return;
    }
    await this.#refused(a, committed, (expected) => (slot.next = expected));
    if (slot.live && slot.next + NEAR < a.index) {
      slot.live = false;
      this.#catchUp(a);
    }
  }

  /** A refused commit changed nothing: go back to the expected offset, or claim again when somebody newer wrote (R5.6, R1). */
  async #refused(a: Assigned, no: Committed & { ok: false }, rewind: (expected: bigint) => void): Promise<void> {
    if (a.lost.signal.aborted) return;
    if (no.epoch <= a.epoch) {
      rewind(no.expected);
      return;
    }
    if (!this.#membership)
      throw new Fault('fenced', { detail: 'refused for an older epoch before the group was joined' });
    a.lost.abort();
    await this.#membership.reclaim(a.partition);
  }

  #writer(storage: string, partition: number): Mutex {
    const key = `${storage}/${partition}`;
    let m = this.#writers.get(key);
    if (!m) this.#writers.set(key, (m = new Mutex()));
    return m;
  }

  /** Generations changed: folds new ones beside the flow, lets retired ones go. */
  #reconcile(name: string): void {
    const view = this.views.get(name);
    if (!view) return;
    const wanted = this.#storages(view);
    for (const a of this.#assigned.values()) {
      if (!view.streams.includes(a.stream)) continue;
      for (const [storage, slot] of a.slots)
        if (slot.view === view && !wanted.includes(storage)) a.slots.delete(storage);
      for (const storage of wanted)
        if (!a.slots.has(storage)) {
          a.slots.set(storage, { view, storage, next: a.low, live: false });
          this.#catchUp(a);
        }
    }
  }

  #catchUp(a: Assigned): void {
    for (const slot of a.slots.values()) {
      if (slot.live || this.#running.has(slot)) continue;
      this.#running.add(slot);
      const run = this.#readOn(a, slot).finally(() => this.#running.delete(slot));
      a.catchingUp.push(run);
    }
  }

  readonly #running = new WeakSet<Slot>();

  /** A reader of its own for a view that lies behind, up to the index; then the flow takes over. */
  async #readOn(a: Assigned, slot: Slot): Promise<void> {
    const { signal } = a.lost;
    while (!signal.aborted && !slot.live && a.slots.get(slot.storage) === slot) {
      try {
        slot.next = (await this.deps.state.position(slot.storage, a))?.next ?? a.low;
        while (!signal.aborted && a.slots.get(slot.storage) === slot && a.index - slot.next > BigInt(STEP_EVENTS))
          await this.#readOnce(a, slot);
        await a.turn.run(async () => {
          while (slot.next < a.index && !signal.aborted) await this.#readOnce(a, slot);
          slot.live = slot.next >= a.index;
        });
      } catch (cause) {
        if (this.#once.first(`${slot.storage} ${innermostMessage(cause)}`))
          this.deps.watch?.trouble?.(slot.view.name, { stream: a.stream, partition: a.partition }, cause);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 250);
          signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
        });
      }
    }
  }

  async #readOnce(a: Assigned, slot: Slot): Promise<void> {
    const until = a.index;
    const read = await this.deps.log.read(a.stream, a.partition, slot.next, { maxRecords: STEP_EVENTS });
    if (read.kind === 'out_of_range') throw new Fault('offset_out_of_range');
    const records = read.records.filter((r) => r.offset < until);
    const next = read.next < until ? read.next : until;
    if (next <= slot.next) throw new Fault('log_unavailable', { detail: 'the log ends below the index' });
    const events = await openRecords(this.deps, a, records, false);
    const copies = new Map<bigint, bigint>();
    for (const { record } of events) {
      const first = this.deps.copies.originalOf(a.stream, a.partition, record.offset);
      if (first !== undefined) copies.set(record.offset, first);
    }
    await this.#viewStep(a, slot, { events, copies }, next, new Map());
  }
}
