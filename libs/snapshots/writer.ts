import { jittered, pause } from '#concurrency';
import { Fault } from '#faults';
import { bytesOf, MAX_APPEND_BYTES, MAX_APPEND_RECORDS, MAX_RECORD_BYTES, type EventLog, type NewRecord } from '#log';
import type { SnapshotTail } from './read.js';
import {
  changeKey,
  changeRecord,
  parseRecord,
  progressRecord,
  redoRecord,
  type SnapshotChange,
  type SnapshotKey,
  type SnapshotProgress,
  type StreamPlace,
  type Version,
} from './record.js';

export interface SnapshotWriterDeps {
  readonly log: Pick<EventLog, 'append' | 'read'>;
  readonly topic: string;
  readonly partition: number;
  /** R1: of the owner of the partition number. */
  readonly epoch: bigint;
  /** How long changes wait for others of the same keys, ms. @default 1,000 */
  readonly lingerMs?: number;
  /**
   * A former owner has written these keys after this one took over, so compaction could keep its values: read the keys in the store and add() them again.
   * Called once for each find. Resolves when they are added; must not reject.
   */
  readonly overwritten: (keys: readonly SnapshotKey[]) => Promise<void>;
  /** An append failed and is tried again, or (`final`) this writer has stopped: its snapshot stays at the place that it has. */
  readonly failed?: (cause: unknown, final: boolean) => void;
}

/** What one committed step changes, and how far every stream of the view is folded after it. */
export interface SnapshotStep {
  readonly changes: readonly SnapshotChange[];
  readonly places: readonly StreamPlace[];
}

interface WaitingStep {
  readonly changes: ReadonlyMap<string, SnapshotChange>;
  readonly places: readonly StreamPlace[];
  readonly complete: boolean;
  readonly size: number;
}

/** One record of an append is the progress record. */
const GROUP_CHANGES = MAX_APPEND_RECORDS - 1;
const GROUP_BYTES = 600_000;
/** Steps wait for the linger only below this. */
const FLUSH_CHANGES = 400;
const MOST_WAITING = 2_000;
const MOST_WAITING_BYTES = 4 * 1_048_576;
/** Changes that are held back while the store lies behind the snapshot. */
const MOST_HELD = 20_000;
const RETRY_MS = [100, 300, 1_000, 3_000] as const;

/** Over all writers of the process: an epoch belongs to one process, so its versions never repeat. */
let appends = 0;

/** A snapshot holds versions of the epoch that is written under: this process, or one that had the epoch in an owners log that is gone, has got this far. */
export function goOnAfter(sequence: number): void {
  appends = Math.max(appends, sequence);
}

const sizeOf = (changes: Iterable<SnapshotChange>): number => {
  let size = 0;
  for (const { key, value } of changes) size += key.length + (value?.length ?? 0) + 80;
  return size;
};

/**
 * Writes the snapshot of one view partition: committed steps in their order, each append with the progress that it stands for. An append holds whole
 * steps (R3.4: all or none), so a crash leaves the snapshot of an earlier place and never one between two places; a step that does not fit in one
 * append is written under redo keys first. One append is in flight; steps that come meanwhile are coalesced.
 */
export class SnapshotWriter {
  readonly #deps: SnapshotWriterDeps;
  readonly #waiting: WaitingStep[] = [];
  readonly #held = new Map<string, SnapshotChange>();
  readonly #rooms: (() => void)[] = [];
  readonly #stopped = new AbortController();
  /** The place of the last step that was added: no step below it is written. */
  #floor: ReadonlyMap<string, bigint> = new Map();
  /** Where the next append of this writer lands unless another writer has appended. */
  #end: bigint;
  #progress: SnapshotProgress;
  #complete: boolean;
  #changes = 0;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  /** Records of a former owner lie behind newer ones, and are not written again yet. */
  #isOverwritten: boolean;
  /** Calls of overwritten() that have not resolved. */
  readonly #repairs = new Set<Promise<void>>();

  /**
   * Goes on from the snapshot that `tail` shows, or without one begins a new snapshot, which is complete after completed(). Going on, add() first what the store
   * holds under the keys of `tail.late`.
   */
  constructor(deps: SnapshotWriterDeps, tail: SnapshotTail, goOn: boolean) {
    this.#deps = deps;
    this.#end = tail.end;
    const known = goOn ? tail.progress : undefined;
    this.#progress = known === undefined ? this.#beginning() : withoutAt(known);
    this.#complete = known !== undefined;
    this.#isOverwritten = known !== undefined && tail.late.length > 0;
    if (known) this.#floor = floorOf(known.places);
  }

  get topic(): string {
    return this.#deps.topic;
  }

  /** What is durable. */
  get progress(): SnapshotProgress {
    return this.#progress;
  }

  /** Changes that are not durable yet. */
  get waiting(): number {
    return this.#changes + this.#held.size;
  }

  get stopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  /** Adds a committed step; call it in the order of the commits. A step below what the snapshot holds already is held back until the store has reached it again. */
  add({ changes, places }: SnapshotStep): void {
    if (this.stopped) return;
    const below = places.some(({ stream, next }) => next < (this.#floor.get(stream) ?? 0n));
    if (below && this.#complete) {
      for (const change of changes) this.#held.set(changeKey(change), change);
      if (this.#held.size > MOST_HELD)
        this.#fail(new Fault('offset_out_of_range', { detail: 'the store lies far behind its snapshot' }));
      return;
    }
    const all = new Map(this.#held);
    this.#held.clear();
    for (const change of changes) all.set(changeKey(change), change);
    this.#push({ changes: all, places, complete: this.#complete, size: sizeOf(all.values()) });
  }

  /** A new snapshot that was begun holds every key now: from here on it may be read. */
  completed(places: readonly StreamPlace[]): void {
    if (this.stopped) return;
    this.#complete = true;
    this.#push({ changes: new Map(), places, complete: true, size: 0 });
  }

  get hasRoom(): boolean {
    return this.stopped || (this.#changes <= MOST_WAITING && this.#bytes <= MOST_WAITING_BYTES);
  }

  /** Resolves when there is room for more changes (backpressure), and at once after the writer has stopped. */
  async room(): Promise<void> {
    while (!this.hasRoom) await new Promise<void>((resolve) => this.#rooms.push(resolve));
  }

  /** Writes what waits, without the linger. Resolves when all of it, and what a former owner has overwritten, is durable, or the writer has stopped. */
  async flush(): Promise<void> {
    while (!this.stopped && this.#waiting.length + this.#repairs.size > 0)
      await (this.#flushing ?? (this.#waiting.length > 0 ? this.#start() : Promise.all(this.#repairs)));
    await this.#flushing;
  }

  /** Appends nothing more, but for an append in flight. What waits is dropped: the next owner finds it in the store. */
  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
    this.#held.clear();
    this.#changes = 0;
    this.#bytes = 0;
    this.#wake();
  }

  /** Another writer may have appended while this one was idle: its records are looked at. Faults of the log. */
  async look(end: bigint): Promise<void> {
    if (this.#flushing !== undefined || this.stopped || end <= this.#end) return;
    const from = this.#end;
    this.#end = end;
    await this.#lookAt(from, end);
  }

  #beginning(): SnapshotProgress {
    const version = { epoch: this.#deps.epoch, sequence: ++appends };
    return { complete: false, since: { offset: this.#end, version }, places: [] };
  }

  #push(step: WaitingStep): void {
    this.#floor = floorOf(step.places);
    this.#waiting.push(step);
    this.#changes += step.changes.size;
    this.#bytes += step.size;
    if (this.#flushing !== undefined) return;
    if (this.#changes >= FLUSH_CHANGES || this.#bytes >= GROUP_BYTES) void this.#start();
    else this.#timer ??= setTimeout(() => void this.#start(), this.#deps.lingerMs ?? 1_000);
  }

  #start(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing ??= this.#flush()
      .catch((cause: unknown) => this.#fail(cause))
      .finally(() => {
        this.#flushing = undefined;
        if (this.#waiting.length > 0 && !this.stopped)
          this.#timer ??= setTimeout(() => void this.#start(), this.#deps.lingerMs ?? 1_000);
      });
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    let first = true;
    while (!this.stopped && this.#waiting.length > 0) {
      // After the first group only full ones go at once; the rest waits for others of the same keys.
      if (!first && this.#changes < FLUSH_CHANGES && this.#bytes < GROUP_BYTES) return;
      first = false;
      const { group, steps } = this.#group();
      // The values that are written again are among the steps that wait.
      if (this.#repairs.size === 0 && this.#held.size === 0 && steps === this.#waiting.length)
        this.#isOverwritten = false;
      await this.#write(group);
      if (this.stopped) return;
      this.#waiting.splice(0, steps);
      this.#wake();
    }
  }

  /** The first steps that wait, merged: of each key the last change. */
  #group(): { group: WaitingStep; steps: number } {
    const changes = new Map<string, SnapshotChange>();
    let last = this.#waiting[0]!;
    let size = 0;
    let steps = 0;
    for (const step of this.#waiting) {
      if (steps > 0 && (changes.size + step.changes.size > GROUP_CHANGES || size + step.size > GROUP_BYTES)) break;
      for (const [key, change] of step.changes) changes.set(key, change);
      size += step.size;
      last = step;
      steps++;
    }
    return { group: { ...last, changes, size }, steps };
  }

  async #write({ changes, places, complete }: WaitingStep): Promise<void> {
    const { since } = this.#progress;
    const next: SnapshotProgress = { complete, since, places: complete ? places : [] };
    const version = this.#version();
    const records = Array.from(changes.values(), (change) => changeRecord(version, change));
    const end = this.#progressRecord(version, next, records.length);
    if (records.length <= GROUP_CHANGES && bytesOfAll(records) + bytesOf(end) <= MAX_APPEND_BYTES)
      await this.#append([...records, end]);
    else await this.#writeLarge([...changes.values()], next);
    if (!this.stopped) this.#progress = next;
  }

  /** First all changes under redo keys, then the progress that names them, then the changes themselves: at every moment the topic holds one whole place. */
  async #writeLarge(changes: readonly SnapshotChange[], next: SnapshotProgress): Promise<void> {
    const before = this.#progress;
    const redo = { count: changes.length, sequence: appends + 1 };
    if (before.complete) {
      await this.#chunks(changes.length, (i, version) => redoRecord(version, i, changes[i]!), before);
      await this.#append([this.#progressRecord(this.#version(), { ...next, redo }, 0)]);
    }
    const during = before.complete ? { ...next, redo } : before;
    await this.#chunks(changes.length, (i, version) => changeRecord(version, changes[i]!), during);
    await this.#append([this.#progressRecord(this.#version(), next, 0)]);
  }

  /** Several appends, each with the progress record of that time. */
  async #chunks(
    count: number,
    recordOf: (i: number, version: Version) => NewRecord,
    progress: SnapshotProgress,
  ): Promise<void> {
    for (let i = 0; i < count && !this.stopped;) {
      const version = this.#version();
      const records: NewRecord[] = [];
      for (
        let bytes = bytesOf(this.#progressRecord(version, progress, GROUP_CHANGES));
        i < count && records.length < GROUP_CHANGES;
        i++
      ) {
        const record = recordOf(i, version);
        bytes += bytesOf(record);
        if (records.length > 0 && bytes > MAX_APPEND_BYTES) break;
        records.push(record);
      }
      const end = this.#progressRecord(version, progress, records.length);
      // One large value goes alone: the progress before it stays the newest.
      const alone = records.length === 1 && bytesOf(records[0]!) + bytesOf(end) > MAX_APPEND_BYTES;
      await this.#append(alone ? records : [...records, end]);
    }
  }

  /** `before`: number of records before it in its append. */
  #progressRecord(version: Version, progress: SnapshotProgress, before: number): NewRecord {
    return progressRecord(version, this.#isOverwritten ? progress : { ...progress, at: this.#end + BigInt(before) });
  }

  #version(): Version {
    return { epoch: this.#deps.epoch, sequence: ++appends };
  }

  async #append(records: readonly NewRecord[]): Promise<void> {
    const { log, topic, partition, failed } = this.#deps;
    if (records.length === 1 && bytesOf(records[0]!) > MAX_RECORD_BYTES)
      throw new Fault('record_too_large', { detail: topic });
    for (let n = 0; !this.stopped; n++) {
      const outcome = await log.append(topic, partition, records);
      if (outcome.kind === 'accepted') {
        const from = this.#end;
        this.#end = outcome.base + BigInt(records.length);
        if (outcome.base > from) await this.#lookAt(from, outcome.base);
        return;
      }
      if (outcome.kind === 'refused' && FINAL.has(outcome.code))
        throw new Fault(outcome.code, { detail: topic, cause: outcome.cause });
      failed?.(outcome.cause ?? (outcome.kind === 'refused' ? outcome.code : outcome.kind), false);
      await pause(jittered(RETRY_MS[Math.min(n, RETRY_MS.length - 1)]!), this.#stopped.signal);
    }
  }

  /** Records between two appends of this writer: of a former owner, or a late copy of an uncertain append. */
  async #lookAt(from: bigint, to: bigint): Promise<void> {
    const keys = new Map<string, SnapshotKey>();
    for (let at = from; at < to;) {
      const read = await this.#deps.log.read(this.#deps.topic, this.#deps.partition, at, { maxRecords: 500 });
      if (read.kind !== 'records' || read.next <= at) break;
      for (const record of read.records) {
        if (record.offset >= to) break;
        const parsed = parseRecord(record);
        if (parsed && parsed.version.epoch > this.#deps.epoch)
          throw new Fault('fenced', {
            detail: `a newer epoch has written ${this.#deps.topic}/${this.#deps.partition}`,
          });
        if (parsed?.kind === 'change') keys.set(changeKey(parsed.change), parsed.change);
      }
      at = read.next;
    }
    if (keys.size === 0) return;
    this.#isOverwritten = true;
    const repair = this.#deps.overwritten([...keys.values()]).finally(() => this.#repairs.delete(repair));
    this.#repairs.add(repair);
  }

  #wake(): void {
    this.#changes = 0;
    this.#bytes = 0;
    for (const { changes, size } of this.#waiting) {
      this.#changes += changes.size;
      this.#bytes += size;
    }
    for (const resolve of this.#rooms.splice(0)) resolve();
  }

  #fail(cause: unknown): void {
    if (this.stopped) return;
    this.stop();
    this.#deps.failed?.(cause, true);
  }
}

const FINAL: ReadonlySet<string> = new Set(['record_too_large', 'invalid_record', 'unknown_topic', 'wrong_partition']);

const bytesOfAll = (records: readonly NewRecord[]): number => records.reduce((sum, r) => sum + bytesOf(r), 0);

const withoutAt = ({ at: _at, ...progress }: SnapshotProgress): SnapshotProgress => progress;

const floorOf = (places: readonly StreamPlace[]): ReadonlyMap<string, bigint> =>
  new Map(places.map(({ stream, next }) => [stream, next]));
