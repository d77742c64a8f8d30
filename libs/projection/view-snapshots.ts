import { withDeadline } from '#concurrency';
import { partitionKey } from '#event';
import { isFault } from '#faults';
import { snapshotTopic, snapshotTopicSpec } from '#snapshots';
import type { StateChange, StreamPartition } from '#state';
import type { HeldPartition, Slot } from './held-partition.js';
import type { FillOutcome } from './snapshot-fill.js';
import { ViewSnapshot, type SnapshotStatus, type ViewSnapshotDeps } from './view-snapshot.js';

/**
 * Which views have a snapshot. `auto`: those over a stream with a retention, and those whose streams have had SNAPSHOT_EVENTS events, because a shorter
 * history is folded again in seconds. `none`: no snapshot is written or used.
 */
export type SnapshotPolicy = 'auto' | 'all' | 'none';

export const SNAPSHOT_EVENTS = 100_000n;

export interface ViewSnapshotsDeps extends ViewSnapshotDeps {
  readonly policy: SnapshotPolicy;
}

/** How often is asked whether a view needs a snapshot, and whether another writer has appended to one. */
const LOOK_MS = 60_000;
const RETRY_MS = 250;
const FLUSH_MS = 2_000;

interface HeldSnapshot {
  readonly snapshot: ViewSnapshot;
  opening: Promise<void> | undefined;
  retryAt: number;
}

/** The snapshots of the view partitions that this process holds: fills empty ones, and keeps those of the others up to date. */
export class ViewSnapshots {
  readonly #deps: ViewSnapshotsDeps;
  readonly #held = new Map<string, HeldSnapshot>();
  readonly #topics = new Set<string>();
  readonly #looked = new Map<string, number>();

  constructor(deps: ViewSnapshotsDeps) {
    this.#deps = deps;
  }

  status(): readonly SnapshotStatus[] {
    return Array.from(this.#held.values(), (s) => s.snapshot.status);
  }

  /** Whether the store may be filled from a snapshot of this storage. Faults of the log. */
  async exists(storage: string): Promise<boolean> {
    const topic = snapshotTopic(storage);
    if (this.#deps.policy === 'none') return false;
    if (this.#topics.has(topic)) return true;
    const exists = await this.#topicExists(topic);
    if (exists) this.#topics.add(topic);
    return exists;
  }

  /** Known without asking the log: exists() was true once. */
  mayFill(storage: string): boolean {
    return this.#topics.has(snapshotTopic(storage));
  }

  /**
   * Fills the view partition from its snapshot when nothing is folded in it, under the mutex of its commits. undefined: it holds something already.
   * Faults of log and store, `fenced`.
   */
  async fill(held: HeldPartition, slot: Slot): Promise<FillOutcome | undefined> {
    return this.#of(held, slot).snapshot.fill(await this.exists(slot.storage));
  }

  /** Sees to it that the snapshot of this view partition is written. Returns at once; call it again and again. `live`: of every stream of the view. */
  keep(held: HeldPartition, slot: Slot, live: boolean): void {
    const own = this.#of(held, slot);
    const { policy, now, report } = this.#deps;
    if (policy === 'none' || own.opening !== undefined || now() < own.retryAt) return;
    if (own.snapshot.writer !== undefined) return this.#look(slot.storage);
    own.retryAt = now() + RETRY_MS;
    own.opening = this.#open(own, live)
      .catch((cause: unknown) => report?.failed?.(cause))
      .finally(() => (own.opening = undefined));
  }

  /** A commit was made; call it in the order of the commits, inside their mutex. */
  committed(storage: string, part: StreamPartition, change: StateChange): void {
    this.#held.get(partitionKey(storage, part.partition))?.snapshot.committed(part, change);
  }

  /** Resolves when the snapshot of this view partition may take more changes (backpressure), at the latest after 10 s. */
  async room(storage: string, partition: number): Promise<void> {
    await this.#held.get(partitionKey(storage, partition))?.snapshot.room();
  }

  /** Every held partition of this storage has a complete snapshot. */
  complete(storage: string): boolean {
    return this.status().every((s) => s.storage !== storage || s.state === 'complete');
  }

  lost(partition: number, epoch: bigint): void {
    this.#remove((s) => s.partition === partition && s.epoch <= epoch);
  }

  /** The entries of this view partition are no longer those that its snapshot was written from: it is begun anew. */
  discard(storage: string, partition: number): void {
    this.#held.get(partitionKey(storage, partition))?.snapshot.discard();
  }

  /** This generation is not folded any more. */
  forget(storage: string): void {
    this.#remove((s) => s.storage === storage);
  }

  /** Removes the snapshot of a dropped generation. Faults of the log. */
  async drop(storage: string): Promise<void> {
    this.forget(storage);
    const topic = snapshotTopic(storage);
    this.#topics.delete(topic);
    if (await this.#topicExists(topic)) await this.#deps.log.deleteTopic(topic);
  }

  /** Writes what waits, for at most 2 s: what is left is found in the store at the next start. */
  async flush(): Promise<void> {
    const all = Array.from(this.#held.values(), (s) => s.snapshot.writer?.flush());
    await withDeadline(Promise.allSettled(all), FLUSH_MS, () => undefined);
  }

  close(): void {
    this.#remove(() => true);
  }

  #remove(gone: (snapshot: ViewSnapshot) => boolean): void {
    for (const [key, { snapshot }] of this.#held)
      if (gone(snapshot)) {
        snapshot.stop();
        this.#held.delete(key);
      }
  }

  #of(held: HeldPartition, { view, storage }: Slot): HeldSnapshot {
    const key = partitionKey(storage, held.partition);
    const known = this.#held.get(key);
    if (known && known.snapshot.epoch >= held.epoch) return known;
    known?.snapshot.stop();
    const { partition, epoch, lost } = held;
    const snapshot = new ViewSnapshot(this.#deps, view, storage, partition, epoch, lost.signal);
    const own: HeldSnapshot = { snapshot, opening: undefined, retryAt: 0 };
    this.#held.set(key, own);
    return own;
  }

  async #open(own: HeldSnapshot, live: boolean): Promise<void> {
    const { snapshot } = own;
    if (!(await this.#isWanted(snapshot))) {
      own.retryAt = this.#deps.now() + LOOK_MS;
      return;
    }
    const spec = snapshotTopicSpec(snapshot.storage, snapshot.view.partitions);
    if (!(await this.exists(snapshot.storage))) await this.#deps.log.ensureTopic(spec);
    this.#topics.add(spec.name);
    await snapshot.open(live);
  }

  async #isWanted({ view, storage }: ViewSnapshot): Promise<boolean> {
    const { policy, catalogue, log } = this.#deps;
    if (policy === 'all' || (await this.exists(storage))) return true;
    if (view.streams.some((s) => catalogue.stream(s)?.retentionMs !== undefined)) return true;
    let events = 0n;
    for (const stream of view.streams) for (const { high } of await log.describe(stream)) events += high;
    return events >= SNAPSHOT_EVENTS;
  }

  async #topicExists(topic: string): Promise<boolean> {
    try {
      await this.#deps.log.describe(topic);
      return true;
    } catch (e) {
      if (isFault(e) && e.code === 'unknown_topic') return false;
      throw e;
    }
  }

  /** Once a minute: whether another writer has appended to the snapshots of this storage. */
  #look(storage: string): void {
    const { now, log, report } = this.#deps;
    if (now() - (this.#looked.get(storage) ?? 0) < LOOK_MS) return;
    this.#looked.set(storage, now());
    log
      .describe(snapshotTopic(storage))
      .then(async (ranges) => {
        for (const { partition, high } of ranges)
          await this.#held.get(partitionKey(storage, partition))?.snapshot.writer?.look(high);
      })
      .catch((cause: unknown) => report?.failed?.(cause));
  }
}
