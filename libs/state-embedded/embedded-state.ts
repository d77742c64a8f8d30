import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Fault } from '#faults';
import {
  checkChange,
  DELETE_RETENTION_MS,
  INDEX_RETENTION_MS,
  appendTimeOf,
  type ChangePage,
  type Committed,
  type First,
  type FirstReplacement,
  type FoldStart,
  type FoundCheckpoint,
  type Page,
  type Progress,
  type ReadResult,
  type ScanRange,
  type Space,
  type State,
  type StateChange,
  type StreamPartition,
} from '#state';
import { Reader } from './reader.js';
import { BackgroundCheck, isDamage, setAside } from './damage.js';
import {
  rowOf,
  type CommitReply,
  type PutFirstReply,
  type WriterMessage,
  type WriterReply,
  type WriterRequest,
} from './wire.js';

export interface EmbeddedStateOptions {
  /** Folder of the file `state.sqlite`; created when it does not exist. */
  readonly dir: string;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
  /** Makes the clock by which rows grow old, from the time of the newest row of the duplicate index (0: none). @default `now` */
  readonly ageClock?: (newestMs: number) => () => number;
  /** Retention of tombstones in the change feed, ms. @default 7 days */
  readonly deleteRetentionMs?: number;
  readonly report?: EmbeddedStateReport;
}

export interface EmbeddedStateReport {
  /** The file was damaged: it was renamed to `file`, and an empty one took its place. The projector folds it again from the log. */
  setAside?(file: string, reason: string): void;
}

interface PendingReply {
  /** The thread that was asked. */
  readonly worker: Worker;
  resolve(value: unknown): void;
  reject(fault: Fault): void;
}
/** A WriterRequest before it has its id. */
type RequestBody = WithoutId<WriterRequest>;
type WithoutId<R> = R extends unknown ? Omit<R, 'id'> : never;

const EXPIRE_EVERY_MS = 1_000;
const SQLITE_FULL = 13;
/** An extended SQLite result code has its primary code in the low byte. */
const PRIMARY_CODE = 0xff;
const WRITER_FILE = new URL(import.meta.url.endsWith('.ts') ? './writer.ts' : './writer.js', import.meta.url);

const unavailable = (cause: unknown, detail?: string): Fault =>
  new Fault('state_unavailable', detail === undefined ? { cause } : { cause, detail });

class EmbeddedState implements State {
  readonly #path: string;
  readonly #report: EmbeddedStateReport;
  readonly #now: () => number;
  readonly #ageClock: EmbeddedStateOptions['ageClock'];
  #ages: () => number;
  readonly #deleteRetentionMs: number;
  readonly #pending = new Map<number, PendingReply>();
  #lastId = 0;
  #worker: Worker | undefined;
  #starting: Promise<void> | undefined;
  #reader: Reader | undefined;
  #closing: Promise<void> | undefined;
  /** Runs while a damaged file is replaced by an empty one. */
  #replacing: Promise<void> | undefined;
  #connection = 1;
  #check: BackgroundCheck | undefined;
  #expiring = false;
  #expiredAt = Number.NEGATIVE_INFINITY;

  constructor(options: EmbeddedStateOptions) {
    this.#path = join(options.dir, 'state.sqlite');
    this.#report = options.report ?? {};
    this.#now = options.now ?? Date.now;
    this.#ages = this.#now;
    this.#ageClock = options.ageClock;
    this.#deleteRetentionMs = options.deleteRetentionMs ?? DELETE_RETENTION_MS;
  }

  async open(): Promise<void> {
    try {
      await this.#openFile();
    } catch (e) {
      const cause = isDamage(e) ? e : (e as { cause?: unknown }).cause;
      if (!isDamage(cause)) throw e;
      await this.#closeFile();
      await this.#replaceFile(cause);
    }
    this.#ages = this.#ageClock?.(this.#read((reader) => reader.newestFirst())) ?? this.#now;
    this.#check = new BackgroundCheck(this.#path, (cause) => this.#damaged(cause));
    this.#expire();
  }

  async #openFile(): Promise<void> {
    await this.#writer();
    this.#reader ??= new Reader(this.#path);
  }

  async commit(view: string, part: StreamPartition, change: StateChange): Promise<Committed> {
    checkChange(change);
    const rows = [...change.puts, ...change.deletes];
    const refused = (await this.#request({
      kind: 'commit',
      view,
      partition: part.partition,
      stream: part.stream,
      epoch: change.epoch,
      from: change.from,
      next: change.next,
      low: change.low,
      appendTimeMs: appendTimeOf(change) ?? null,
      proof: change.proof ?? null,
      feedGap: change.feedGap === true,
      now: this.#now(),
      spaces: Uint8Array.from(rows, (row) => (row.space === 'part' ? 1 : 0)),
      keys: rows.map((row) => row.key),
      values: [...change.puts.map((row) => row.value), ...change.deletes.map(() => null)],
      offsets: BigInt64Array.from(rows, (row) => row.offset),
      appendTimes: Float64Array.from(rows, (row) => row.appendTimeMs),
    })) as CommitReply;
    this.#expire();
    return refused === null ? { ok: true } : { ok: false, ...refused };
  }

  async putFirst(ids: readonly First[]): Promise<readonly First[]> {
    if (ids.length === 0) return [];
    const replies = (await this.#request({
      kind: 'putFirst',
      now: this.#now(),
      sources: ids.map((first) => first.source),
      ids: ids.map((first) => first.id),
      rows: ids.map(rowOf),
    })) as PutFirstReply;
    this.#expire();
    return ids.map((own, i) => {
      const held = replies[i];
      return held ? { source: own.source, id: own.id, ...held } : own;
    });
  }

  async replaceFirst(rows: readonly FirstReplacement[]): Promise<readonly First[]> {
    if (rows.length === 0) return [];
    const replies = (await this.#request({
      kind: 'replaceFirst',
      now: this.#now(),
      sources: rows.map(({ by }) => by.source),
      ids: rows.map(({ by }) => by.id),
      stale: rows.map(({ stale }) => rowOf(stale)),
      rows: rows.map(({ by }) => rowOf(by)),
    })) as PutFirstReply;
    return rows.map(({ by }, i) => {
      const held = replies[i];
      return held ? { source: by.source, id: by.id, ...held } : by;
    });
  }

  async findFirst(
    ids: readonly { readonly source: string; readonly id: string }[],
  ): Promise<readonly (First | undefined)[]> {
    return this.#read((reader) => reader.findFirst(ids));
  }

  async read(view: string, partition: number, keys: readonly string[], space?: Space): Promise<ReadResult> {
    return this.#read((reader) => reader.read(view, partition, keys, space));
  }

  async scan(view: string, partition: number, range: ScanRange = {}): Promise<Page> {
    return this.#read((reader) => reader.scan(view, partition, range));
  }

  async changes(view: string, part: StreamPartition, after: bigint, limit: number): Promise<ChangePage> {
    return this.#read((reader) => reader.changes(view, part, after, limit));
  }

  async position(view: string, part: StreamPartition): Promise<Progress | undefined> {
    return this.#read((reader) => reader.positions(view, [part])[0]);
  }

  async positions(view: string, parts: readonly StreamPartition[]): Promise<readonly (Progress | undefined)[]> {
    return this.#read((reader) => reader.positions(view, parts));
  }

  async reset(
    view: string,
    partition: number,
    found: FoundCheckpoint,
    starts: readonly FoldStart[],
    atMs: number,
  ): Promise<boolean> {
    const { stream, next = null, proof = null } = found;
    const done = await this.#request({
      kind: 'reset',
      view,
      partition,
      found: { stream, next, proof },
      starts: starts.map((s) => ({
        stream: s.stream,
        epoch: s.epoch,
        next: s.next,
        until: s.until,
        proof: s.proof ?? null,
      })),
      atMs,
    });
    this.#expiredAt = Number.NEGATIVE_INFINITY;
    this.#expire();
    return done === true;
  }

  async drop(view: string, partitions: number): Promise<void> {
    await this.#request({ kind: 'drop', view, partitions });
    this.#expiredAt = Number.NEGATIVE_INFINITY;
    this.#expire();
  }

  async ping(): Promise<void> {
    if (this.#replacing !== undefined) throw unavailable(new Error('state.sqlite is damaged and is being replaced'));
    await this.#openFile();
    this.#read((reader) => reader.ping());
  }

  /** Grows when a damaged file was replaced by an empty one. */
  connection(): number {
    return this.#connection;
  }

  evictions(): number {
    return 0;
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    this.#check?.stop();
    await this.#replacing;
    await this.#closeFile();
  }

  async #closeFile(): Promise<void> {
    const worker = this.#worker;
    this.#reader?.close();
    this.#reader = undefined;
    if (worker === undefined) return;
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    await this.#send(worker, { kind: 'close' }).catch(() => undefined);
    await exited;
  }

  /** A statement met a damaged page: every later one could meet it too, and all that the file holds can be folded again from the log. */
  #damaged(cause: unknown): void {
    if (this.#replacing !== undefined || this.#closing !== undefined) return;
    this.#replacing = this.#closeFile()
      .then(() => this.#replaceFile(cause))
      // the disk may be full or read-only: the next statement meets the damage again
      .catch(() => undefined)
      .finally(() => (this.#replacing = undefined));
  }

  async #replaceFile(cause: unknown): Promise<void> {
    const file = setAside(this.#path);
    this.#connection++;
    this.#report.setAside?.(file, String((cause as { message?: unknown } | null)?.message ?? cause));
    await this.#openFile();
  }

  #read<T>(read: (reader: Reader) => T): T {
    if (this.#closing !== undefined) throw unavailable(new Error('the state is closed'));
    if (this.#replacing !== undefined) throw unavailable(new Error('state.sqlite is damaged and is being replaced'));
    try {
      return read((this.#reader ??= new Reader(this.#path)));
    } catch (e) {
      if (isDamage(e)) this.#damaged(e);
      throw unavailable(e);
    }
  }

  async #request(body: RequestBody): Promise<unknown> {
    if (this.#closing !== undefined) throw unavailable(new Error('the state is closed'));
    if (this.#replacing !== undefined) throw unavailable(new Error('state.sqlite is damaged and is being replaced'));
    // No await while the writer runs: requests must reach it in the order of the calls.
    const worker = this.#starting === undefined ? this.#worker : undefined;
    return this.#send(worker ?? (await this.#writer()), body);
  }

  #send(worker: Worker, body: RequestBody): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { worker, resolve, reject });
      worker.postMessage({ ...body, id });
    });
  }

  /** The running writer thread, or a new one when the last one has ended. */
  async #writer(): Promise<Worker> {
    if (this.#closing !== undefined) throw unavailable(new Error('the state is closed'));
    if (this.#worker === undefined) {
      const worker = new Worker(WRITER_FILE, { execArgv: [], workerData: { path: this.#path } });
      this.#worker = worker;
      this.#starting = new Promise<void>((resolve, reject) => {
        // 'error' is followed by 'exit', and the next thread may have begun between the two: only what this one was asked is rejected
        const ended = (cause: unknown): void => {
          if (this.#worker === worker) this.#worker = undefined;
          const fault = unavailable(cause);
          reject(fault);
          for (const [id, pending] of this.#pending) {
            if (pending.worker !== worker) continue;
            this.#pending.delete(id);
            pending.reject(fault);
          }
        };
        worker.on('message', (message: WriterMessage) => {
          if ('replies' in message) message.replies.forEach((reply) => this.#settle(reply));
          else if ('failed' in message) ended(Object.assign(new Error(message.failed), { errcode: message.errcode }));
          else resolve();
        });
        worker.once('error', ended);
        worker.once('exit', () => ended(new Error('the writer thread ended')));
      }).finally(() => (this.#starting = undefined));
    }
    const worker = this.#worker;
    await this.#starting;
    return worker;
  }

  #settle(reply: WriterReply): void {
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    this.#pending.delete(reply.id);
    if (reply.error === undefined) return pending.resolve(reply.value);
    const { message, errcode } = reply.error;
    if (isDamage(reply.error)) this.#damaged(new Error(message));
    const detail = (errcode & PRIMARY_CODE) === SQLITE_FULL ? 'disk full' : undefined;
    pending.reject(unavailable(Object.assign(new Error(message), { errcode }), detail));
  }

  /** Applies retention in bounded steps, one at a time, at most once a second. Only writes start it, so an idle store uses no CPU. */
  #expire(): void {
    const now = this.#ages();
    if (this.#expiring || this.#closing !== undefined || now - this.#expiredAt < EXPIRE_EVERY_MS) return;
    this.#expiring = true;
    this.#request({
      kind: 'expire',
      tombstonesUntil: now - this.#deleteRetentionMs,
      indexUntil: now - INDEX_RETENTION_MS,
    })
      .then(
        (more) => (this.#expiredAt = more === true ? Number.NEGATIVE_INFINITY : now),
        () => (this.#expiredAt = now),
      )
      .then(() => {
        this.#expiring = false;
        if (this.#expiredAt < now) setImmediate(() => this.#expire());
      });
  }
}

/**
 * Opens the State in one SQLite file. Only one process may use the folder; the caller must make sure of that.
 * A corrupt file, or one of another format, is renamed to `state.sqlite.set-aside-<number>` and an empty one takes its place: at the start, and also when a statement meets damage later (state_unavailable meanwhile). Throws Fault `state_unavailable` when the folder cannot be written.
 */
export async function openEmbeddedState(options: EmbeddedStateOptions): Promise<State> {
  const state = new EmbeddedState(options);
  try {
    mkdirSync(options.dir, { recursive: true });
    await state.open();
  } catch (e) {
    await state.close().catch(() => undefined);
    throw e instanceof Fault ? e : unavailable(e);
  }
  return state;
}
