import type { EventLog, LogRecord } from '#log';
import { Fault } from '#faults';
import {
  changeKey,
  isOlder,
  isOlderVersion,
  parseRecord,
  type SnapshotChange,
  type SnapshotKey,
  type SnapshotProgress,
  type SnapshotRecord,
  type Version,
} from './record.js';

export type SnapshotLog = Pick<EventLog, 'describe' | 'read'>;

/** The newest progress record of a snapshot partition, as far as its last records show it, and the end of the topic partition. */
export interface SnapshotTail {
  readonly end: bigint;
  readonly version?: Version;
  readonly progress?: SnapshotProgress;
  /** Keys that a former owner has written behind newer records, and that the owner has not written again yet. */
  readonly late: readonly SnapshotKey[];
}

/**
 * Why a snapshot must not be used:
 * `incomplete`: it is being written. `late_write`: a former owner has written late, and the owner has not written the newer values again yet.
 * `corrupt`: a record has another form. `moved`: another snapshot was begun while this one was read.
 */
export type SnapshotFlaw = 'incomplete' | 'late_write' | 'corrupt' | 'moved';

/** More than three full appends: that many records of a former owner, and of the owner after them, may lie behind the newest progress record. */
const TAIL_RECORDS = 1_600n;
const PAGE_CHANGES = 500;
const PAGE_BYTES = 4 * 1_048_576;

/**
 * The newest progress of a snapshot partition, also behind records that a former owner wrote late. Mostly the last record alone is read: every append ends
 * with a progress record, which says by its place that no late record lies before it. Faults of the log; `unknown_topic`.
 */
export async function readTail(log: SnapshotLog, topic: string, partition: number): Promise<SnapshotTail> {
  const range = (await log.describe(topic)).find((r) => r.partition === partition);
  if (range === undefined || range.low === range.high) return { end: range?.high ?? 0n, late: [] };
  const { low, high: end } = range;
  for await (const record of recordsOf(log, topic, partition, end - 1n, end)) {
    const parsed = parsedOf(record);
    if (parsed === undefined || parsed === 'bad' || parsed.kind !== 'progress') continue;
    const { version, progress } = parsed;
    if (progress.at === record.offset) return { end, version, progress, late: [] };
  }
  return readThoroughly(log, topic, partition, end - TAIL_RECORDS < low ? low : end - TAIL_RECORDS, end);
}

async function readThoroughly(
  log: SnapshotLog,
  topic: string,
  partition: number,
  from: bigint,
  end: bigint,
): Promise<SnapshotTail> {
  const late = new Map<string, SnapshotKey>();
  let newest: Pick<SnapshotTail, 'version' | 'progress'> = {};
  let top: Version | undefined;
  for await (const record of recordsOf(log, topic, partition, from, end)) {
    const parsed = parsedOf(record);
    if (parsed === undefined || parsed === 'bad') continue;
    const { version } = parsed;
    const isLate = top !== undefined && isOlder(version, top);
    if (!isLate) top = version;
    if (parsed.kind === 'change') {
      if (isLate) late.set(changeKey(parsed.change), parsed.change);
      else late.delete(changeKey(parsed.change));
    } else if (parsed.kind === 'progress' && !isOlderVersion(version, newest.version))
      // Compaction may have left only that of a former owner.
      newest = { version, progress: parsed.progress };
  }
  return { end, ...newest, late: Array.from(late.values(), ({ space, key }) => ({ space, key })) };
}

export interface SnapshotRead {
  readonly log: SnapshotLog;
  readonly topic: string;
  readonly partition: number;
  readonly tail: SnapshotTail;
  /** Takes one page of changes, in an order that leaves the newest of each key as the last. A key occurs once in a page. */
  readonly page: (changes: readonly SnapshotChange[]) => Promise<void>;
}

/**
 * Reads a snapshot partition from its beginning to the end of `tail`. Answers the progress that the given changes stand for, or why they must not be
 * used. Memory: one page, the redo records, and the keys that a former owner has written late. Faults of the log and of `page` pass through.
 */
export async function readSnapshot(read: SnapshotRead): Promise<SnapshotProgress | SnapshotFlaw> {
  const { progress } = read.tail;
  if (progress?.complete !== true) return 'incomplete';
  const pass = new SnapshotPass(read, progress);
  for await (const record of recordsOf(read.log, read.topic, read.partition, progress.since.offset, read.tail.end)) {
    const parsed = parsedOf(record);
    if (parsed === 'bad') return 'corrupt';
    if (parsed) await pass.take(parsed);
  }
  return pass.end();
}

class SnapshotPass {
  readonly #read: SnapshotRead;
  readonly #page = new Map<string, SnapshotChange>();
  readonly #redo = new Map<number, { readonly version: Version; readonly change: SnapshotChange }>();
  /** Keys that a former owner has written after a newer version was seen. */
  readonly #late = new Map<string, Version>();
  #bytes = 0;
  #top: Version;
  #progress: SnapshotProgress;

  constructor(read: SnapshotRead, progress: SnapshotProgress) {
    this.#read = read;
    this.#progress = progress;
    this.#top = progress.since.version;
  }

  async take(record: SnapshotRecord): Promise<void> {
    if (isOlder(record.version, this.#progress.since.version)) return;
    const late = isOlder(record.version, this.#top);
    if (!late) this.#top = record.version;
    if (record.kind === 'change') {
      const key = changeKey(record.change);
      if (late) this.#late.set(key, record.version);
      else {
        this.#late.delete(key);
        await this.#put(key, record.change);
      }
    } else if (late) return;
    else if (record.kind === 'redo') this.#redo.set(record.index, record);
    else this.#progress = record.progress;
  }

  async end(): Promise<SnapshotProgress | SnapshotFlaw> {
    const { progress: begun } = this.#read.tail;
    const { complete, since, redo } = this.#progress;
    if (since.offset !== begun!.since.offset || isOlder(begun!.since.version, since.version)) return 'moved';
    if (!complete) return 'incomplete';
    for (let i = 0; i < (redo?.count ?? 0); i++) {
      const again = this.#redo.get(i);
      const { epoch } = this.#top;
      if (again === undefined || isOlder(again.version, { epoch, sequence: redo!.sequence })) return 'corrupt';
      const key = changeKey(again.change);
      this.#late.delete(key);
      await this.#put(key, again.change);
    }
    if (this.#late.size > 0 && !(await this.#newerSeen())) return 'late_write';
    await this.#flush();
    return this.#progress;
  }

  async #put(key: string, change: SnapshotChange): Promise<void> {
    this.#page.set(key, change);
    this.#bytes += key.length + (change.value?.length ?? 0);
    if (this.#page.size >= PAGE_CHANGES || this.#bytes >= PAGE_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#page.size > 0) await this.#read.page([...this.#page.values()]);
    this.#page.clear();
    this.#bytes = 0;
  }

  /** Whether the newer value of every late key still lies in the topic: compaction may have kept the late record instead. */
  async #newerSeen(): Promise<boolean> {
    const { log, topic, partition, tail } = this.#read;
    const missing = new Map(this.#late);
    for await (const record of recordsOf(log, topic, partition, this.#progress.since.offset, tail.end)) {
      const parsed = parsedOf(record);
      if (parsed === undefined || parsed === 'bad' || parsed.kind !== 'change') continue;
      const key = changeKey(parsed.change);
      const late = missing.get(key);
      if (late && !isOlder(parsed.version, late) && isOlder(late, parsed.version)) missing.delete(key);
    }
    return missing.size === 0;
  }
}

function parsedOf(record: LogRecord): SnapshotRecord | 'bad' | undefined {
  try {
    return parseRecord(record);
  } catch {
    return 'bad';
  }
}

async function* recordsOf(
  log: SnapshotLog,
  topic: string,
  partition: number,
  from: bigint,
  end: bigint,
): AsyncGenerator<LogRecord> {
  for (let at = from; at < end;) {
    const read = await log.read(topic, partition, at, { maxRecords: 1_000 });
    if (read.kind !== 'records') {
      if (read.kind === 'out_of_range' && at < read.low) {
        at = read.low;
        continue;
      }
      throw new Fault('offset_out_of_range', { detail: topic });
    }
    for (const record of read.records) if (record.offset < end) yield record;
    if (read.next <= at) return;
    at = read.next;
  }
}
