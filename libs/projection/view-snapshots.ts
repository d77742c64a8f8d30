import { withDeadline } from '#concurrency';
import { partitionKey } from '#event';
import { snapshotTopics, snapshotTopicSpec } from '#snapshots';
import type { StateChange, StreamPartition } from '#state';
import { existingTopics } from './found-snapshots.js';
import type { HeldPartition, Slot } from './held-partition.js';
import type { FillOutcome } from './snapshot-fill.js';
import { ViewSnapshot, type SnapshotStatus, type ViewSnapshotDeps } from './view-snapshot.js';

/**
 * Which views have a snapshot. `auto`: those over a stream with a retention, and those whose streams have had SNAPSHOT_EVENTS events, because a shorter
 * history is folded again in seconds. `none`: no snapshot is written or used.
 */
export type SnapshotPolicy = 'auto' | 'all' | 'none';

export const SNAPSHOT_EVENTS = 100_000n;

export interface ViewSnapshotsDeps extends Omit<ViewSnapshotDeps, 'ensureTopic'> {
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
    if (this.#deps.policy === 'none') return false;
    return this.mayFill(storage) || (await this.#find(storage)).length > 0;
  }

  /** Known without asking the log: exists() was true once. */
  mayFill(storage: string): boolean {
    return snapshotTopics(storage).some((topic) => this.#topics.has(topic));
  }

  /**
   * Fills the view partition from its snapshot when nothing is folded in it, under the mutex of its commits. undefined: it holds something already.
   * `passed`: the log has deleted what follows on what it holds, so that a snapshot from which the log goes on takes its place. Faults of log and store, `fenced`.
   */
  async fill(held: HeldPartition, slot: Slot, passed: boolean): Promise<FillOutcome | undefined> {
    const topics = this.#deps.policy === 'none' ? [] : await this.#find(slot.storage);
    return this.#of(held, slot).snapshot.fill(topics, passed);
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
    for (const topic of await this.#find(storage)) {
      this.#topics.delete(topic);
      await this.#deps.log.deleteTopic(topic);
    }
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
    const deps = { ...this.#deps, ensureTopic: (topic: string) => this.#ensureTopic(topic, view.partitions) };
    const snapshot = new ViewSnapshot(deps, view, storage, partition, epoch, lost.signal);
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
    const { storage, view } = snapshot;
    // From here on every partition of the view gets a checkpoint: without one the store was emptied.
    if (!(await this.exists(storage))) await this.#ensureTopic(snapshotTopics(storage)[0], view.partitions);
    await snapshot.open(await this.#find(storage), live);
  }

  async #isWanted({ view, storage }: ViewSnapshot): Promise<boolean> {
    const { policy, catalogue, log } = this.#deps;
    if (policy === 'all' || (await this.exists(storage))) return true;
    if (view.streams.some((s) => catalogue.stream(s)?.retentionMs !== undefined)) return true;
    let events = 0n;
    for (const stream of view.streams) for (const { high } of await log.describe(stream)) events += high;
    return events >= SNAPSHOT_EVENTS;
  }

  /** The topics with snapshots of this storage. Another owner may have made the second one meanwhile, so the log is asked. */
  async #find(storage: string): Promise<readonly string[]> {
    const topics = snapshotTopics(storage);
    const missing = await existingTopics(
      this.#deps.log,
      topics.filter((topic) => !this.#topics.has(topic)),
    );
    for (const topic of missing) this.#topics.add(topic);
    return topics.filter((topic) => this.#topics.has(topic));
  }

  async #ensureTopic(topic: string, partitions: number): Promise<void> {
    if (!this.#topics.has(topic)) await this.#deps.log.ensureTopic(snapshotTopicSpec(topic, partitions));
    this.#topics.add(topic);
  }

  /** Once a minute: whether another writer has appended to the snapshots of this storage. */
  #look(storage: string): void {
    const { now, log, report } = this.#deps;
    if (now() - (this.#looked.get(storage) ?? 0) < LOOK_MS) return;
    this.#looked.set(storage, now());
    const look = async (topic: string): Promise<void> => {
      for (const { partition, high } of await log.describe(topic)) {
        const writer = this.#held.get(partitionKey(storage, partition))?.snapshot.writer;
        if (writer?.topic === topic) await writer.look(high);
      }
    };
    for (const topic of snapshotTopics(storage).filter((t) => this.#topics.has(t)))
      look(topic).catch((cause: unknown) => report?.failed?.(cause));
  }
}
