import {
  confirmsCheckpoint,
  contradicts,
  DuplicateIndex,
  INDEX_VIEW,
  type Copies,
  type DuplicateIndexDeps,
  type JudgedEvents,
} from '#duplicates';
import { partitionKey } from '#event';
import { isFault } from '#faults';
import {
  epochOf,
  type AssignedPartition,
  type EventLog,
  type GroupMember,
  type Interruption,
  type LogRecord,
  type Membership,
  type RecordBatch,
  type StartPlace,
} from '#log';
import type { Catalogue } from '#registry';
import type { State, StreamPartition } from '#state';
import { Claims } from '#table';
import { CatchUp } from './catch-up.js';
import type { CompiledView } from './compile.js';
import { storageOf, type Generations } from './generations.js';
import { HeldPartition, type Slot } from './held-partition.js';
import type { ProjectionReport } from './report.js';
import { NEAR, Slots } from './slots.js';
import { ViewFold, type Decoded } from './view-fold.js';
import { ViewSnapshots, type SnapshotPolicy } from './view-snapshots.js';

export const PROJECTOR_GROUP = 'simpul.projector';

export interface ProjectorDeps extends Pick<DuplicateIndexDeps, 'refresh' | 'publishConflicts'> {
  readonly log: EventLog;
  readonly state: State;
  readonly catalogue: Catalogue;
  readonly views: readonly CompiledView[];
  readonly generations: Generations;
  readonly copies: Copies;
  /** ms since 1970; no fold reads it (R5.4). */
  readonly now: () => number;
  readonly report?: ProjectionReport;
  /** Which views have a snapshot, from which an empty store is filled. @default none */
  readonly snapshots?: SnapshotPolicy;
  /** How long changes wait before they go into a snapshot, ms. @default 1,000 */
  readonly snapshotLingerMs?: number;
}

const STEP_EVENTS = 500;

/**
 * Folds every stream into the views, each batch after the duplicate index has judged it (R2, R5). A member of the group `simpul.projector`.
 * A position moves only together with the values that it stands for; a batch may come again, in part or whole, without effect.
 */
export class Projector implements GroupMember {
  readonly deps: ProjectorDeps;
  readonly views: ReadonlyMap<string, CompiledView>;
  readonly snapshots: ViewSnapshots;
  readonly #held = new Map<string, HeldPartition>();
  readonly #slots: Slots;
  readonly #index: DuplicateIndex;
  readonly #viewFold: ViewFold;
  readonly #catchUp: CatchUp;
  readonly #claims: Claims;
  readonly #unlisten: () => void;
  #membership: Membership | undefined;
  /** Partitions that must be claimed again once the group is joined. */
  readonly #unclaimed = new Set<number>();

  constructor(deps: ProjectorDeps) {
    this.deps = deps;
    this.views = new Map(deps.views.map((v) => [v.name, v]));
    this.#index = new DuplicateIndex(deps);
    this.#claims = new Claims({
      newest: (partition) => this.#newestEpoch(partition),
      membership: () => this.#membership,
      report: deps.report,
    });
    this.#viewFold = new ViewFold(deps.state, deps.report, () => this.snapshots);
    this.snapshots = new ViewSnapshots({
      ...deps,
      policy: deps.snapshots ?? 'none',
      mutexOf: (storage, partition) => this.#viewFold.mutexOf(storage, partition),
      newerEpoch: (partition, epoch, newer) => this.#claims.again(partition, epoch, newer),
      ...(deps.snapshotLingerMs === undefined ? {} : { lingerMs: deps.snapshotLingerMs }),
    });
    this.#slots = new Slots({ ...deps, snapshots: this.snapshots });
    this.#catchUp = new CatchUp({
      ...deps,
      prepare: (held, slot) => this.#slots.prepare(held, slot),
      trusted: (held, view, storage) => this.#slots.trusted(held, view, storage),
      interrupted: (held) => this.#reclaim(held),
      fenced: (held) => this.#fenced(held),
      fold: (held, slot, judged, next) => this.#foldView(held, slot, judged, next, new Map()),
    });
    this.#unlisten = deps.generations.onChange((view) => this.#reconcile(view));
  }

  /** The membership, once the group is joined: to seek and to claim again. */
  joined(membership: Membership): void {
    this.#membership = membership;
    for (const partition of this.#unclaimed) void this.#claimAgain(partition);
    this.#unclaimed.clear();
  }

  held(): readonly HeldPartition[] {
    return [...this.#held.values()];
  }

  async start(at: AssignedPartition): Promise<StartPlace> {
    this.lost(at);
    await this.#claims.verify(at);
    try {
      return await this.#start(at);
    } catch (cause) {
      if (isFault(cause) && cause.code === 'fenced') this.#claims.doubt(at);
      throw cause;
    }
  }

  async #start(at: AssignedPartition): Promise<StartPlace> {
    const connection = this.deps.state.connection();
    const low = await this.#slots.low(at.topic, at.partition);
    const held = new HeldPartition(at, low, await this.#index.open(at, low), connection);
    for (const view of this.views.values()) {
      if (!view.streams.includes(at.topic)) continue;
      for (const storage of this.#storages(view)) held.slots.set(storage, await this.#slots.open(held, view, storage));
    }
    this.#held.set(partitionKey(at.topic, at.partition), held);
    this.#catchUp.start(held);
    const offset = held.next();
    const lastEpoch = epochOf(held.places().find((place) => place.next === offset)?.proof);
    return lastEpoch === undefined ? { offset } : { offset, lastEpoch };
  }

  async batch(at: AssignedPartition, batch: RecordBatch, signal: AbortSignal): Promise<{ readonly next: bigint }> {
    const held = this.#held.get(partitionKey(at.topic, at.partition));
    const first = batch.records[0]?.offset ?? batch.next;
    if (!held || held.epoch !== at.epoch || signal.aborted) return { next: first };
    return held.mutex.run(async () => {
      if (await this.#isOtherLog(held, batch)) await this.#reclaim(held);
      if (held.lost.signal.aborted) return { next: first };
      if (await this.#missing(held, first)) return { next: held.next() };
      // a batch without records moves the positions over offsets that hold none
      for (let i = 0; i === 0 || i < batch.records.length; i += STEP_EVENTS) {
        const records = batch.records.slice(i, i + STEP_EVENTS);
        const last = i + STEP_EVENTS >= batch.records.length;
        const next = last ? batch.next : batch.records[i + STEP_EVENTS]!.offset;
        await this.#step(held, records, next);
        if (held.lost.signal.aborted || held.next() !== next) break;
      }
      return { next: held.next() };
    });
  }

  lost(at: AssignedPartition): void {
    const key = partitionKey(at.topic, at.partition);
    const held = this.#held.get(key);
    held?.lost.abort();
    this.#held.delete(key);
    if (held) this.snapshots.lost(held.partition, held.epoch);
  }

  interrupted(at: AssignedPartition, why: Interruption): void {
    this.deps.report?.interrupted?.(at, why);
    // Below the earliest kept offset start() passes over what is gone, and views are filled from their snapshots.
    if (why.kind === 'out_of_range') this.#slots.forgetLow(at.topic);
    this.#held.get(partitionKey(at.topic, at.partition))?.lost.abort();
    if (this.#membership) void this.#claimAgain(at.partition);
    else this.#unclaimed.add(at.partition);
  }

  /** Compares positions with the store while no event comes, and reads again where the store was emptied or set back. Fault state_unavailable. */
  async verify(): Promise<void> {
    for (const held of this.held())
      if (held.connection !== this.deps.state.connection())
        await held.mutex
          .run(async () => {
            if (!held.lost.signal.aborted && !(await this.#isConfirmed(held))) await this.#reclaim(held);
          })
          .catch((e: unknown) => {
            // Missing in the log: there is nothing to compare, and the other streams are looked at.
            if (!isFault(e) || e.code !== 'unknown_topic') throw e;
          });
    const marks: { held: HeldPartition; storage: string; slot?: Slot; before: bigint }[] = [];
    for (const held of this.held()) {
      marks.push({ held, storage: INDEX_VIEW, before: held.index.next });
      for (const slot of held.slots.values())
        if (slot.live) marks.push({ held, storage: slot.storage, slot, before: slot.next });
    }
    for (const [storage, mine] of Map.groupBy(marks, (m) => m.storage)) {
      const stored = await this.deps.state.positions(
        storage,
        mine.map(({ held: { stream, partition } }) => ({ stream, partition })),
      );
      for (const [i, m] of mine.entries()) {
        const next = stored[i]?.next ?? m.held.low;
        // With a snapshot every view partition has a checkpoint, also one without events: without it the store was emptied.
        const emptied = m.slot !== undefined && stored[i] === undefined && this.snapshots.mayFill(storage);
        if (next < m.before || emptied) await this.#setBack(m.held, m.slot, next, stored[i] === undefined);
      }
    }
    for (const held of this.held()) for (const slot of held.slots.values()) this.#keepSnapshot(held, slot);
  }

  #keepSnapshot(held: HeldPartition, slot: Slot): void {
    // Of a view over several streams all are held by one member (R1.4).
    const slots = slot.view.streams.map((s) =>
      this.#held.get(partitionKey(s, held.partition))?.slots.get(slot.storage),
    );
    if (slots.every((s) => s !== undefined))
      this.snapshots.keep(
        held,
        slot,
        slots.every((s) => s.live),
      );
  }

  /** Ends the catch-up readers. The group must be left before. */
  async close(): Promise<void> {
    this.#unlisten();
    for (const held of this.held()) held.lost.abort();
    this.#held.clear();
    this.snapshots.close();
    await this.#catchUp.ended();
  }

  /**
   * Whether the log holds records between our position and this batch: the batch was read before the store was set back.
   * Folding it would leave a hole that no later commit could see.
   */
  async #missing(held: HeldPartition, first: bigint): Promise<boolean> {
    const from = held.next();
    if (first <= from) return false;
    const read = await this.deps.log.read(held.stream, held.partition, from, { maxRecords: 1 });
    return read.kind !== 'records' || (read.records[0]?.offset ?? first) < first;
  }

  /** Whether this batch shows that the log is not the one that was folded, or a new connection leads to a store that was folded from another. */
  async #isOtherLog(held: HeldPartition, { topicId, records, high }: RecordBatch): Promise<boolean> {
    const shrunk = high < held.high;
    held.high = high;
    if (topicId !== held.topicId || held.places().some((place) => contradicts(topicId, records, place))) return true;
    return (shrunk || held.connection !== this.deps.state.connection()) && !(await this.#isConfirmed(held));
  }

  /** Compares every stored position of the partition with the log. Faults of log and state. */
  async #isConfirmed(held: HeldPartition): Promise<boolean> {
    const { log, state } = this.deps;
    const connection = state.connection();
    for (const storage of [INDEX_VIEW, ...held.slots.keys()]) {
      const stored = await state.position(storage, held);
      if (stored !== undefined && !(await confirmsCheckpoint(log, held.partition, stored))) return false;
    }
    held.connection = connection;
    return true;
  }

  async #setBack(held: HeldPartition, slot: Slot | undefined, next: bigint, emptied: boolean): Promise<void> {
    await held.mutex.run(async () => {
      if (held.lost.signal.aborted) return;
      if (slot === undefined) await (emptied ? held.index.begin() : held.index.setBack(next));
      else if (next < slot.next) moveBack(slot, next);
      if (slot === undefined || !this.#leaveLive(held, slot, next <= held.low))
        this.#membership?.seek(held.stream, held.partition, held.next());
    });
  }

  /** Hands a view that lies far behind, or whose store was emptied, to a catch-up reader. */
  #leaveLive(held: HeldPartition, slot: Slot, emptied: boolean): boolean {
    if (slot.next + NEAR >= held.index.next && !emptied) return false;
    slot.live = false;
    this.#catchUp.start(held);
    return true;
  }

  #storages(view: CompiledView): string[] {
    const row = this.deps.generations.row(view.name);
    if (!row) return [];
    return [row.serving, ...(row.building === undefined ? [] : [row.building])].map((g) => storageOf(view.name, g));
  }

  async #step(held: HeldPartition, records: readonly LogRecord[], next: bigint): Promise<void> {
    const step = await held.index.step(records, next);
    if (step.kind === 'fenced') await this.#fenced(held);
    if (step.kind !== 'judged') return;
    this.#claims.committed(held.partition);
    const decoded: Decoded = new Map();
    await Promise.all(
      [...held.slots.values()]
        .filter((slot) => slot.live && slot.next < next)
        .map((slot) => this.#foldView(held, slot, step, next, decoded)),
    );
  }

  /** Folds one view. A refused commit changed nothing: go back to the expected offset, or claim again when a newer epoch wrote (R5.6, R1). */
  async #foldView(
    held: HeldPartition,
    slot: Slot,
    judged: JudgedEvents,
    next: bigint,
    decoded: Decoded,
  ): Promise<void> {
    const committed = await this.#viewFold.fold(held, slot, judged, next, decoded);
    if (committed.ok) return;
    if (!this.#storages(slot.view).includes(slot.storage)) {
      held.slots.delete(slot.storage);
      return;
    }
    if (committed.epoch > held.epoch) await this.#fenced(held);
    else if (!held.lost.signal.aborted) moveBack(slot, committed.expected);
    if (slot.live) this.#leaveLive(held, slot, slot.next <= held.low);
  }

  /** Claims the partition number again: the log or the store is not the one that was folded. */
  async #reclaim(held: HeldPartition): Promise<void> {
    if (held.lost.signal.aborted) return;
    await this.#claims.again(held.partition, held.epoch);
    held.lost.abort();
  }

  async #fenced(held: HeldPartition): Promise<void> {
    if (held.lost.signal.aborted) return;
    await this.#claims.fenced(held.partition, held.epoch);
    held.lost.abort();
  }

  /** The greatest epoch that index, views and copies hold of a partition number. */
  async #newestEpoch(partition: number): Promise<bigint> {
    const { state, copies, catalogue } = this.deps;
    const part = (stream: string): StreamPartition => ({ stream, partition });
    const streams = catalogue.streams().filter((s) => partition < s.partitions);
    await copies.refresh();
    const stored = await Promise.all([
      state.positions(
        INDEX_VIEW,
        streams.map(({ name }) => part(name)),
      ),
      ...[...this.views.values()].flatMap((view) =>
        this.#storages(view).map((storage) => state.positions(storage, view.streams.map(part))),
      ),
    ]);
    const epochs = streams.map(({ name }) => copies.newestEpoch(name, partition));
    for (const at of stored.flat()) if (at !== undefined) epochs.push(at.epoch);
    return epochs.reduce((newest, epoch) => (epoch > newest ? epoch : newest), -1n);
  }

  async #claimAgain(partition: number): Promise<void> {
    await this.#membership?.reclaim(partition).catch((cause: unknown) => this.deps.report?.failed?.(cause));
  }

  /** Generations of a view changed: a catch-up reader folds a new one, and a retired one is dropped. */
  #reconcile(name: string): void {
    const view = this.views.get(name);
    if (!view) return;
    const wanted = this.#storages(view);
    for (const held of this.#held.values()) {
      if (!view.streams.includes(held.stream)) continue;
      for (const [storage, slot] of held.slots)
        if (slot.view === view && !wanted.includes(storage)) {
          held.slots.delete(storage);
          this.snapshots.forget(storage);
        }
      for (const storage of wanted)
        if (!held.slots.has(storage)) held.slots.set(storage, { view, storage, next: held.low, live: false });
      this.#catchUp.start(held);
    }
  }
}

function moveBack(slot: Slot, next: bigint): void {
  slot.next = next;
  slot.proof = undefined;
}
