import { randomBytes } from 'node:crypto';
import { mkdir, realpath } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Fault, isFault } from '#faults';
import {
  fitsOneAppend,
  MAX_RECORD_BYTES,
  OWNERS_SPEC,
  type AppendOutcome,
  type EventLog,
  type GroupMember,
  type Membership,
  type NewRecord,
  type PartitionRange,
  type ReadAnswer,
  type ReadLimits,
  type TopicSpec,
  type WriteOutcome,
  type Writer,
} from '#log';
import { appendPlace } from './append-place.js';
import { encodeBatch } from './batch.js';
import { tellOnce } from './damage-report.js';
import { DiskProbe } from './disk-probe.js';
import { Group, type GroupHome, type TopicShape } from './group.js';
import { Listeners } from './listeners.js';
import { HotTail } from './hot-tail.js';
import { syncFolder } from './mark.js';
import { sealOldRows } from './old-rows.js';
import type { Answer, Op, ReadAnswer as FileAnswer, ReaderStart, ReadOp, WriterStart } from './ops.js';
import { Reader, type DamagedRange } from './reader.js';
import { FileThread } from './thread.js';

export interface EmbeddedLogOptions {
  /** Folder of `log.sqlite`; made if it is missing. */
  readonly dir: string;
  /** Clock of append times, tombstones and retention, ms since 1970. @default Date.now */
  readonly now?: () => number;
  /** Makes the clock by which tombstones and retention go, from the newest append time of the file (0: none). @default `now` */
  readonly ageClock?: (newestMs: number) => () => number;
  /** Written into claim records (R1): where other parts of the hub reach the owner of a partition (R9). @default empty */
  readonly address?: string;
  /** Limit of the file in pages of 4 KiB; at the limit appends are refused with `disk_full`, as on a full disk. @default no limit */
  readonly maxPages?: number;
  /** Something else says that the folder has held a log: a missing `log.sqlite` is refused, not made. @default false */
  readonly held?: boolean;
  readonly report?: EmbeddedLogReport;
}

/** What an operator should know; each call is one log line. */
export interface EmbeddedLogReport {
  /** A row of a stream fails its checksum, or is not there. Called once for each row and opening. Its offsets are read as damaged records. */
  damaged?(range: DamagedRange): void;
  /** The file was brought to the format of this version. Rows of streams that were written before get their checksums while the log is open. */
  migrated?(): void;
  /** Every row that was written before there were checksums was looked at, and so many records have one now. Not called for none. */
  sealed?(records: number): void;
}

/** An EventLog in one SQLite file. */
export interface EmbeddedLog extends EventLog {
  /** Runs compaction and retention now, for every topic; by itself the log runs them once a minute, where enough has changed. */
  maintain(): Promise<void>;
}

const MAINTENANCE_MS = 60_000;
/** How often a waiting read looks for appends of other processes. */
const OTHER_PROCESSES_MS = 1_000;
/** The longest delay of a Node timer. */
const MAX_TIMER_MS = 0x7fff_ffff;

type Writing = FileThread<Op, Answer>;
type Cold = FileThread<ReadOp, FileAnswer>;

const writerThread = (workerData: WriterStart): Writing =>
  new FileThread<Op, Answer>({
    name: 'writer',
    workerData,
    refused: (reason) => ({ kind: 'refused', code: 'log_unavailable', reason }),
    lost: (reason) => ({ kind: 'uncertain', reason }),
    transfer: (op) => (op.op === 'append' ? (op.data.buffer as ArrayBuffer) : undefined),
  });

const coldReader = (workerData: ReaderStart): Cold =>
  new FileThread<ReadOp, FileAnswer>({
    name: 'cold-reader',
    workerData,
    refused: (reason) => ({ kind: 'failed', reason }),
    lost: (reason) => ({ kind: 'failed', reason }),
  });

/**
 * Opens `<dir>/log.sqlite`, or makes it. Several openings, also of several processes, are safe; a group has members of one process only.
 * Throws Fault `log_unavailable` (folder, disk), `data_format` (the file of another version), `log_incomplete` (log.sqlite or its WAL is older than what
 * was acknowledged, or missing) and `log_damaged` (a row of a control topic, or the file itself, is damaged).
 */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
  const wanted = resolve(options.dir);
  try {
    const made = await mkdir(wanted, { recursive: true });
    if (made !== undefined)
      for (let dir = wanted; dir.length >= made.length; dir = dirname(dir)) syncFolder(dirname(dir));
  } catch (e) {
    throw new Fault('log_unavailable', { detail: options.dir, cause: e });
  }
  const file = join(await realpath(wanted), 'log.sqlite');
  const thread = writerThread({ file, maxPages: options.maxPages ?? 0, held: options.held ?? false });
  const notes = await thread.open();
  let log: FileLog | undefined;
  try {
    log = new FileLog(file, thread, options);
    await log.ensureTopic(OWNERS_SPEC);
    if (notes?.migrated) options.report?.migrated?.();
    void log.sealOldRows(options.report);
    return log;
  } catch (e) {
    await (log?.close() ?? thread.close({ op: 'close' }));
    throw isFault(e) ? e : new Fault('log_unavailable', { detail: file, cause: e });
  }
}

class FileLog implements EmbeddedLog, GroupHome {
  readonly #file: string;
  readonly #thread: Writing;
  readonly #cold: Cold;
  readonly #hot = new HotTail();
  readonly #disk: DiskProbe;
  readonly #ages: () => number;
  readonly #reader: Reader;
  readonly #damaged: (range: DamagedRange) => void;
  readonly #listeners: Listeners;
  readonly now: () => number;
  readonly address: string;
  readonly #memberships = new Set<Membership>();
  readonly #closed = new AbortController();
  readonly #maintenanceTimer: NodeJS.Timeout;
  readonly #otherProcessesTimer: NodeJS.Timeout;
  #dataVersion: number;

  constructor(file: string, thread: Writing, options: EmbeddedLogOptions) {
    this.#file = file;
    this.#thread = thread;
    this.#cold = coldReader({ file });
    this.#disk = new DiskProbe(dirname(file));
    this.#damaged = tellOnce(options.report);
    this.#reader = new Reader({
      file,
      cold: this.#cold,
      isHot: (part, from) => this.#hot.isHot(part, from),
      damaged: this.#damaged,
    });
    this.#listeners = Listeners.of(file);
    this.now = options.now ?? Date.now;
    this.#ages = options.ageClock?.(this.#reader.newestTime()) ?? this.now;
    this.address = options.address ?? '';
    this.#dataVersion = this.#reader.dataVersion();
    this.#maintenanceTimer = setInterval(
      () => void this.#request({ op: 'maintain', nowMs: this.#ages(), whole: false }),
      MAINTENANCE_MS,
    );
    this.#otherProcessesTimer = setInterval(() => this.#wakeForOtherProcesses(), OTHER_PROCESSES_MS);
    this.#maintenanceTimer.unref();
    this.#otherProcessesTimer.unref();
  }

  async sealOldRows(report: EmbeddedLogReport | undefined): Promise<void> {
    const records = await sealOldRows({
      step: () => this.#request({ op: 'seal' }),
      damaged: ({ first, last, ...at }) => this.#damaged({ ...at, first: BigInt(first), last: BigInt(last) }),
      closed: this.#closed.signal,
    });
    if (records > 0 && !this.#closed.signal.aborted) report?.sealed?.(records);
  }

  ensureTopic(spec: TopicSpec): Promise<void> {
    return this.ensureTopics([spec]);
  }

  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    const answer = await this.#request({
      op: 'topics',
      specs: specs.map((s) => ({ ...s, id: randomBytes(4).toString('hex') })),
    });
    if (answer.kind === 'conflict') throw new Fault('conflict', { detail: `topic ${answer.topic} has another shape` });
    if (answer.kind !== 'done') throw unavailable(answer);
    // a topic that a group had subscribed may have been made again; not awaited, because a rebalance may wait for the batch that calls this
    for (const group of this.#listeners.groups.values()) void group.rebalance().catch(() => undefined);
  }

  async topics(): Promise<readonly string[]> {
    return this.#reader.names();
  }

  async describe(topic: string): Promise<readonly PartitionRange[]> {
    await nextTurn();
    return this.#reader.ranges(this.#reader.freshTopic(topic));
  }

  async topicId(topic: string): Promise<string> {
    return this.#reader.freshTopic(topic).id;
  }

  // overlapping appends keep their order: each reaches the queue of the writer thread before this returns
  async append(
    topic: string,
    partition: number,
    records: readonly NewRecord[],
    bytes?: number,
  ): Promise<AppendOutcome> {
    const answer = await this.#append(topic, partition, records, bytes);
    return answer.kind === 'fenced' ? { kind: 'uncertain' } : answer;
  }

  appendLimit = (): number => Number.POSITIVE_INFINITY;

  limitExceeded = async (_topic: string, record: NewRecord): Promise<number | undefined> =>
    fitsOneAppend([record]) ? undefined : MAX_RECORD_BYTES;

  async read(topic: string, partition: number, from: bigint, limits: ReadLimits = {}): Promise<ReadAnswer> {
    const { waitMs = 0, signal } = limits;
    const end = performance.now() + waitMs;
    for (;;) {
      // a caller that reads in a loop must not starve the event loop: the read itself is synchronous
      if (limits.atOnce !== true) await nextTurn();
      if (this.#closed.signal.aborted) throw new Fault('log_unavailable', { detail: 'the log is closed' });
      const batch = await this.#reader.read(topic, partition, from, limits);
      if (batch.kind !== 'records' || batch.records.length > 0 || batch.next > from) return batch;
      const left = end - performance.now();
      if (left <= 0 || signal?.aborted) return batch;
      await this.#wait(this.#reader.part(topic, partition), from, left, signal);
    }
  }

  async offsetAt(topic: string, partition: number, timeMs: number): Promise<bigint> {
    return this.#reader.offsetAt(topic, partition, timeMs);
  }

  async join(group: string, topics: readonly string[], member: GroupMember): Promise<Membership> {
    let found = this.#listeners.groups.get(group);
    if (!found) this.#listeners.groups.set(group, (found = new Group(group)));
    const inner = await found.join(this, topics, member);
    const membership: Membership = {
      ...inner,
      leave: async () => {
        await inner.leave();
        this.#memberships.delete(membership);
        if (found.empty && this.#listeners.groups.get(group) === found) this.#listeners.groups.delete(group);
      },
    };
    this.#memberships.add(membership);
    return membership;
  }

  async claim(topic: string): Promise<Writer> {
    const { no } = this.#reader.freshTopic(topic);
    const answer = await this.#request({ op: 'claim', topic: no });
    if (answer.kind === 'gone') throw new Fault('unknown_topic', { detail: topic });
    if (answer.kind !== 'done' || answer.epoch === undefined) throw unavailable(answer);
    const mine = { topic: no, epoch: answer.epoch };
    let released = false;
    return {
      topic,
      write: async (records) => (released ? { kind: 'fenced' } : this.#append(topic, 0, records, undefined, mine)),
      release: () => {
        released = true;
        return Promise.resolve();
      },
    };
  }

  async setRetention(topic: string, retentionMs: number | undefined): Promise<void> {
    const { no } = this.#reader.freshTopic(topic);
    const answer = await this.#request({ op: 'retention', topic: no, retentionMs: retentionMs ?? null });
    if (answer.kind !== 'done') throw unavailable(answer);
  }

  async deleteTopic(topic: string): Promise<void> {
    const { no, parts } = this.#reader.freshTopic(topic);
    const answer = await this.#request({ op: 'delete', topic: no });
    if (answer.kind !== 'done') throw unavailable(answer);
    for (const part of parts) this.#listeners.wake(part);
    await Promise.all([...this.#listeners.groups.values()].map((group) => group.rebalance()));
  }

  checkWritable(): Promise<void> {
    return this.#disk.check();
  }

  async ping(): Promise<void> {
    this.#reader.dataVersion();
  }

  async maintain(): Promise<void> {
    await this.#request({ op: 'maintain', nowMs: this.#ages(), whole: true });
  }

  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    await Promise.all([...this.#memberships].map((m) => m.leave()));
    clearInterval(this.#maintenanceTimer);
    clearInterval(this.#otherProcessesTimer);
    this.#closed.abort();
    // readers first: a checkpoint cannot empty the WAL while one of them reads
    await this.#cold.close();
    this.#reader.close();
    await this.#thread.close({ op: 'close' });
    this.#listeners.release(this.#file);
  }

  shapeOf(topic: string): TopicShape {
    const { id, parts } = this.#reader.freshTopic(topic);
    return { topicId: id, partitions: parts.length };
  }

  async #append(
    topic: string,
    partition: number,
    records: readonly NewRecord[],
    bytes: number | undefined,
    claim?: { readonly topic: number; readonly epoch: number },
  ): Promise<WriteOutcome> {
    // `gone`: the cached topic was deleted, and perhaps made again: it is looked up once more
    for (let retried = false; ; retried = true) {
      const part = appendPlace(this.#reader, topic, partition, records, bytes, retried);
      if (typeof part !== 'number') return part;
      const data = encodeBatch(records);
      const size = data.length;
      const answer = await this.#request({
        op: 'append',
        part,
        nowMs: this.now(),
        count: records.length,
        data,
        ...(claim ? { claim } : {}),
      });
      switch (answer.kind) {
        case 'accepted':
          this.#hot.appended(part, answer.base, records.length, size);
          this.#listeners.wake(part);
          return { kind: 'accepted', base: BigInt(answer.base), appendTimeMs: answer.appendTimeMs };
        case 'fenced':
          return { kind: 'fenced' };
        case 'refused':
          if (answer.code === 'disk_full') this.#disk.refused();
          return { kind: 'refused', code: answer.code, cause: answer.reason };
        case 'gone':
          if (claim) return { kind: 'fenced' };
          if (retried) return { kind: 'refused', code: 'unknown_topic' };
          break;
        case 'uncertain':
          return { kind: 'uncertain', cause: answer.reason };
        default:
          return { kind: 'uncertain' };
      }
    }
  }

  #request(op: Op): Promise<Answer> {
    return this.#thread.request(op);
  }

  /** Until records above `from` are durable, `ms` have passed, the signal aborts or the log closes. */
  #wait(part: number, from: bigint, ms: number, signal: AbortSignal | undefined): Promise<void> {
    const signals = signal ? [this.#closed.signal, signal] : [this.#closed.signal];
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        stopListening();
        for (const s of signals) s.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.min(ms, MAX_TIMER_MS));
      const stopListening = this.#listeners.listen(part, { from, wake });
      for (const s of signals) s.addEventListener('abort', wake);
      if (signals.some((s) => s.aborted)) wake();
    });
  }

  /** An append of another process wakes no read of this one: while a read waits, the data version of the file is compared once a second. */
  #wakeForOtherProcesses(): void {
    if (this.#listeners.empty) return;
    try {
      const version = this.#reader.dataVersion();
      if (version === this.#dataVersion) return;
      this.#dataVersion = version;
      for (const [part, from] of this.#listeners.waitedFor()) {
        const high = this.#reader.high(part);
        if (high === undefined || high > from) this.#listeners.wake(part);
      }
    } catch {
      // the file cannot be read now: the next second tries again
    }
  }
}

function unavailable(answer: Answer): Fault {
  const reason = 'reason' in answer ? answer.reason : answer.kind;
  return new Fault(answer.kind === 'refused' ? answer.code : 'log_unavailable', { detail: reason });
}
