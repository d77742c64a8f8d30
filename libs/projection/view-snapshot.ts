import { pause, withDeadline, type Mutex } from '#concurrency';
import { innermostMessage, OnceAMinute } from '#faults';
import type { EventLog } from '#log';
import type { Catalogue } from '#registry';
import {
  goOnAfter,
  snapshotTopics,
  SnapshotWriter,
  type SnapshotKey,
  type SnapshotTail,
  type StreamPlace,
} from '#snapshots';
import { appendTimeOf, type Progress, type State, type StateChange, type StreamPartition } from '#state';
import type { CompiledView } from './compile.js';
import { findSnapshots, type FoundSnapshot } from './found-snapshots.js';
import type { ProjectionReport } from './report.js';
import { fillFromSnapshot, isUnfilled, type FillOutcome } from './snapshot-fill.js';
import { changesOfKeys, changesOfPage, keysSince, placeOf, type ViewPartition } from './snapshot-source.js';

/**
 * `none`: there is no snapshot yet. `writing`: it is written from the store, and cannot be used yet. `complete`: the store can be filled from it up to
 * `places`. `renewing`: the same, and its successor is being written from the store. `filling`: the store is being filled from it. `stopped`: it is not
 * written further at present; with `places` the store can be filled up to there.
 */
export type SnapshotState = 'none' | 'writing' | 'complete' | 'renewing' | 'filling' | 'stopped';

export interface SnapshotStatus {
  readonly view: string;
  readonly storage: string;
  readonly partition: number;
  readonly state: SnapshotState;
  /** Up to where the store could be filled; empty without a complete snapshot. */
  readonly places: readonly StreamPlace[];
}

export interface ViewSnapshotDeps {
  readonly log: EventLog;
  readonly state: State;
  readonly catalogue: Catalogue;
  readonly now: () => number;
  readonly report?: ProjectionReport;
  /** Makes the topic of a snapshot unless it exists. Faults of the log. */
  readonly ensureTopic: (topic: string) => Promise<void>;
  /** Held by every commit of the view partition. */
  readonly mutexOf: (storage: string, partition: number) => Mutex;
  /** A snapshot holds a newer epoch than that of this owner: claim the partition number again, above it. */
  readonly newerEpoch: (partition: number, epoch: bigint, newer: bigint) => Promise<void>;
  /** How long changes wait for others of the same keys, ms. @default 1,000 */
  readonly lingerMs?: number;
}

/** More events than this are not looked up one by one: the snapshot is written anew from the store. */
const MOST_REPAIRED = 20_000n;
/** The store may lie this far behind its snapshot, and folds up to it again, without a new snapshot. */
const MOST_AHEAD = 2_000n;
/** A log that takes no snapshot for so long must not hold up the view: its snapshot is caught up later. */
const ROOM_MS = 10_000;
const FLUSH_MS = 2_000;
const REPAIR_MS = 500;

/** The snapshot of one view partition in the hands of its owner. */
export class ViewSnapshot implements ViewPartition {
  readonly #deps: ViewSnapshotDeps;
  readonly #once: OnceAMinute;
  #writer: SnapshotWriter | undefined;
  /** How far the store is folded, as of the last commit. */
  #places: readonly StreamPlace[] = [];
  #filling = false;
  /** The best complete snapshot when the writer was opened; it stays usable while its successor is written. */
  #kept: FoundSnapshot | undefined;
  /** Topics whose snapshot turned out unusable while it was read. */
  readonly #flawed = new Set<string>();

  constructor(
    deps: ViewSnapshotDeps,
    readonly view: CompiledView,
    readonly storage: string,
    readonly partition: number,
    readonly epoch: bigint,
    /** Aborts when the partition is lost. */
    readonly lost: AbortSignal,
  ) {
    this.#deps = deps;
    this.#once = new OnceAMinute(deps.now);
  }

  /** undefined: it is not written, or could not be written further. */
  get writer(): SnapshotWriter | undefined {
    return this.#writer?.stopped ? undefined : this.#writer;
  }

  get status(): SnapshotStatus {
    const { view, storage, partition } = this;
    const progress = this.#writer?.progress;
    const places = progress?.complete ? progress.places : (this.#kept?.places ?? []);
    return { view: view.name, storage, partition, state: this.#state(), places };
  }

  #state(): SnapshotState {
    if (this.#filling) return 'filling';
    if (this.#writer === undefined) return this.#kept === undefined ? 'none' : 'stopped';
    if (this.#writer.stopped) return 'stopped';
    if (this.#writer.progress.complete) return 'complete';
    return this.#kept === undefined ? 'writing' : 'renewing';
  }

  /** Stops writing for good. */
  stop(): void {
    this.#writer?.stop();
  }

  /** The entries are no longer those that the snapshot was written from: the next open() looks which snapshot there is. */
  discard(): void {
    this.#writer?.stop();
    this.#writer = undefined;
    this.#kept = undefined;
  }

  /** See ViewSnapshots.fill. `topics`: those of the generation that exist. */
  async fill(topics: readonly string[], passed: boolean): Promise<FillOutcome | undefined> {
    const { log, state, now, report } = this.#deps;
    const { view, storage, partition, epoch, lost: signal } = this;
    // What was committed before the store was lost must be in the snapshot first.
    await withDeadline(this.writer?.flush() ?? Promise.resolve(), FLUSH_MS, () => undefined);
    return this.#mutex.run(async () => {
      const stored = await this.#stored();
      const replaces = passed && !isUnfilled(stored);
      if (!isUnfilled(stored) && !replaces) return undefined;
      const all = await findSnapshots(log, this, topics);
      const found = replaces ? all.filter((s) => s.flaw === undefined && s.reaches) : all;
      if (replaces && found.length === 0) return undefined;
      this.#filling = true;
      let entries = 0;
      try {
        // A successor of the snapshot was written from the entries that are gone.
        if (this.#writer?.progress.complete === false) this.discard();
        const fill = {
          ...{ view, storage, partition, epoch, signal, found },
          filled: (n: number) => (entries += n),
          flawed: (topic: string) => {
            this.#flawed.add(topic);
            this.discard();
          },
        };
        const outcome = await fillFromSnapshot({ log, state, now }, fill, stored);
        if (outcome !== 'filled') this.discard();
        report?.filledFromSnapshot?.(view.name, storage, partition, outcome, entries);
        return outcome;
      } finally {
        this.#filling = false;
      }
    });
  }

  /** A commit was made; call it in the order of the commits, inside their mutex. */
  committed({ stream }: StreamPartition, change: StateChange): void {
    const { writer } = this;
    if (writer === undefined || this.epoch !== change.epoch) return;
    const before = this.#places.find((p) => p.stream === stream);
    const { next, proof } = change;
    const appendTimeMs = appendTimeOf(change) ?? before?.appendTimeMs ?? 0;
    const place = { stream, next, appendTimeMs, ...(proof === undefined ? {} : { proof }) };
    this.#places = [...this.#places.filter((p) => p.stream !== stream), place];
    const puts = change.puts.map((put) => ({ ...put, stream }));
    const deletes = change.deletes.map((row) => ({ ...row, stream, value: null }));
    writer.add({ changes: [...puts, ...deletes], places: this.#places });
  }

  /** Resolves when more changes may come (backpressure). After 10 s the writer stops instead, and the snapshot is caught up later. */
  async room(): Promise<void> {
    const { writer } = this;
    if (writer === undefined || writer.hasRoom) return;
    const roomy = await withDeadline(
      writer.room().then(() => true),
      ROOM_MS,
      () => false,
    );
    if (!roomy) writer.stop();
  }

  /**
   * Opens the writer where the snapshot stands: it goes on, or is brought up to the store, or (`mayBegin`) is begun anew, in the other topic. `topics`: those of
   * the generation that exist. Faults of log and store: call it again.
   */
  async open(topics: readonly string[], mayBegin: boolean): Promise<void> {
    const found = await findSnapshots(this.#deps.log, this, topics);
    for (const { version } of found.map((s) => s.tail))
      if (version !== undefined && version.epoch > this.epoch)
        return this.#deps.newerEpoch(this.partition, this.epoch, version.epoch);
      else if (version?.epoch === this.epoch) goOnAfter(version.sequence);
    await this.#mutex.run(async () => {
      const stored = await this.#stored();
      if (isUnfilled(stored) || stored.includes(undefined) || this.lost.aborted) return;
      this.#places = stored.map((at) => placeOf(at!));
      const best = found.find((s) => s.flaw === undefined && !this.#flawed.has(s.topic));
      this.#kept = best;
      this.#writer = best && (await this.#catchUp(best.topic, best.tail));
      // A store that cannot be folded on has less than the snapshot, which is kept.
      if (this.#writer !== undefined || !mayBegin || (best && (await this.#isPassed()))) return;
      const topic = snapshotTopics(this.storage).find((t) => t !== best?.topic)!;
      await this.#deps.ensureTopic(topic);
      const tail = found.find((s) => s.topic === topic)?.tail ?? { end: 0n, late: [] };
      this.#writer = this.#writerAt(topic, tail, false);
      void this.#writeAnew(this.#writer);
    });
  }

  /** The log has deleted events that the store has not folded. */
  async #isPassed(): Promise<boolean> {
    for (const { stream, next } of this.#places) {
      const range = (await this.#deps.log.describe(stream)).find((r) => r.partition === this.partition);
      if (range !== undefined && next < range.low) return true;
    }
    return false;
  }

  get #mutex(): Mutex {
    return this.#deps.mutexOf(this.storage, this.partition);
  }

  #stored(): Promise<readonly (Progress | undefined)[]> {
    const { partition } = this;
    return this.#deps.state.positions(
      this.storage,
      this.view.streams.map((stream) => ({ stream, partition })),
    );
  }

  /** The writer of a snapshot that the store can be brought to; undefined: it must be begun anew. Under the mutex of the commits. */
  async #catchUp(topic: string, tail: SnapshotTail): Promise<SnapshotWriter | undefined> {
    const { places: at, redo } = tail.progress!;
    // Its last step waits under redo keys: readable, but nothing can be written behind it.
    if (redo !== undefined) return undefined;
    let ahead = 0n;
    let behind = 0n;
    for (const { stream, next } of this.#places) {
      const place = at.find((p) => p.stream === stream);
      if (place === undefined) return undefined;
      if (place.next > next) ahead += place.next - next;
      else behind += next - place.next;
    }
    if (ahead > MOST_AHEAD || behind > MOST_REPAIRED || (ahead > 0n && behind > 0n)) return undefined;
    const keys = behind > 0n ? await keysSince(this.#deps, this, at, this.#places) : [];
    if (keys === undefined) return undefined;
    const writer = this.#writerAt(topic, tail, true);
    const changed = [...keys, ...tail.late];
    if (behind > 0n || changed.length > 0) {
      const changes = await changesOfKeys(this.#deps.state, this, changed, this.#places);
      writer.add({ changes, places: this.#places });
    }
    return writer;
  }

  #writerAt(topic: string, tail: SnapshotTail, goOn: boolean): SnapshotWriter {
    const { log, lingerMs } = this.#deps;
    const writer: SnapshotWriter = new SnapshotWriter(
      {
        log,
        topic,
        partition: this.partition,
        epoch: this.epoch,
        ...(lingerMs === undefined ? {} : { lingerMs }),
        overwritten: (keys) => this.#repair(writer, keys),
        failed: (cause) => this.#failed(cause),
      },
      tail,
      goOn,
    );
    return writer;
  }

  /** Values of a former owner must not stay the newest: what the store holds under these keys is written again. */
  async #repair(writer: SnapshotWriter, keys: readonly SnapshotKey[]): Promise<void> {
    while (!writer.stopped && !this.lost.aborted)
      try {
        return await this.#mutex.run(async () => {
          const changes = await changesOfKeys(this.#deps.state, this, keys, this.#places);
          writer.add({ changes, places: this.#places });
        });
      } catch (cause) {
        this.#failed(cause);
        await pause(REPAIR_MS, this.lost);
      }
  }

  /** Writes every entry of the store. Commits go on between two pages, and are written after the page that they overtook. */
  async #writeAnew(writer: SnapshotWriter): Promise<void> {
    let least = this.#places;
    const page = async (space: 'entry' | 'part', after: string | undefined): Promise<string | undefined> => {
      await writer.room();
      return this.#mutex.run(async () => {
        if (writer.stopped || this.#writer !== writer || this.lost.aborted) return undefined;
        const { changes, more, progress } = await changesOfPage(this.#deps.state, this, space, after);
        // Emptied or set back: what was read before is not what the store holds now.
        const whole = least.every((p) => (progress.find((at) => at.stream === p.stream)?.next ?? -1n) >= p.next);
        if (!whole) {
          this.discard();
          return undefined;
        }
        least = progress.map(placeOf);
        writer.add({ changes, places: this.#places });
        if (more) return changes.at(-1)!.key;
        if (space === 'part') writer.completed(this.#places);
        return undefined;
      });
    };
    try {
      for (const space of ['entry', 'part'] as const)
        for (let after = await page(space, undefined); after !== undefined;) after = await page(space, after);
    } catch (cause) {
      if (this.#writer === writer) this.discard();
      this.#failed(cause);
    }
  }

  #failed(cause: unknown): void {
    if (this.#once.first(innermostMessage(cause)))
      this.#deps.report?.snapshotFailed?.(this.view.name, this.storage, this.partition, cause);
  }
}
