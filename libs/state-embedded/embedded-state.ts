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
import type {
  Answer,
  CloseOrder,
  CommitAnswer,
  CommitOrder,
  DropOrder,
  FirstAnswer,
  FirstOrder,
  ForgetOrder,
  FromWriter,
} from './wire.js';

export interface EmbeddedStateOptions {
  /** Folder of the file `state.sqlite`; made when absent. */
  readonly dir: string;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
  /** How long a delete stays in the change feed, ms. @default 7 days */
  readonly deleteRetentionMs?: number;
}

type Waiting = { resolve(value: unknown): void; reject(fault: Fault): void };
type Unnumbered =
  | Omit<CommitOrder, 'id'>
  | Omit<FirstOrder, 'id'>
  | Omit<DropOrder, 'id'>
  | Omit<ForgetOrder, 'id'>
  | Omit<CloseOrder, 'id'>;

const FORGET_EVERY_MS = 1_000;
const FULL = 13;
const WRITER = new URL(import.meta.url.endsWith('.ts') ? './writer.ts' : './writer.js', import.meta.url);

const unavailable = (cause: unknown, detail?: string): Fault =>
  new Fault('state_unavailable', detail === undefined ? { cause } : { cause, detail });

class EmbeddedState implements State {
  readonly #path: string;
  readonly #now: () => number;
  readonly #deleteRetentionMs: number;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #worker: Worker | undefined;
  #starting: Promise<void> | undefined;
  #reader: Reader | undefined;
  #closing: Promise<void> | undefined;
  #forgetting = false;
  #forgotAt = Number.NEGATIVE_INFINITY;

  constructor(options: EmbeddedStateOptions) {
    this.#path = join(options.dir, 'state.sqlite');
    this.#now = options.now ?? Date.now;
    this.#deleteRetentionMs = options.deleteRetentionMs ?? DELETE_RETENTION_MS;
  }

  async open(): Promise<void> {
    await this.#writer();
    this.#reader = new Reader(this.#path);
    this.#forget();
  }

  async commit(view: string, part: StreamPartition, change: StateChange): Promise<Committed> {
    checkChange(change);
    const rows = [...change.puts, ...change.deletes];
    const refused = (await this.#order({
      kind: 'commit',
      view,
      partition: part.partition,
      stream: part.stream,
      epoch: change.epoch,
      from: change.from,
      next: change.next,
      low: change.low,
      appendTimeMs: appendTimeOf(change) ?? null,
      now: this.#now(),
      spaces: Uint8Array.from(rows, (row) => (row.space === 'part' ? 1 : 0)),
      keys: rows.map((row) => row.key),
      values: [...change.puts.map((row) => row.value), ...change.deletes.map(() => null)],
      offsets: BigInt64Array.from(rows, (row) => row.offset),
      times: Float64Array.from(rows, (row) => row.appendTimeMs),
    })) as CommitAnswer;
    this.#forget();
    return refused === null ? { ok: true } : { ok: false, ...refused };
  }

  async putFirst(ids: readonly First[]): Promise<readonly First[]> {
    if (ids.length === 0) return [];
    const answers = (await this.#order({
      kind: 'first',
      now: this.#now(),
      sources: ids.map((first) => first.source),
      ids: ids.map((first) => first.id),
      rows: ids.map(({ stream, partition, offset, digest, schemaId, recordedTimeMs }) => ({
        stream,
        partition,
        offset,
        digest,
        schemaId,
        recordedTimeMs,
      })),
    })) as FirstAnswer;
    this.#forget();
    return ids.map((asked, i) => {
      const stands = answers[i];
      return stands ? { source: asked.source, id: asked.id, ...stands } : asked;
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

  async drop(view: string, partitions: number): Promise<void> {
    await this.#order({ kind: 'drop', view, partitions });
    this.#forgotAt = Number.NEGATIVE_INFINITY;
    this.#forget();
  }

  async ping(): Promise<void> {
    await this.#writer();
    this.#read((reader) => reader.ping());
  }

  connection(): number {
    return 1;
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#reader?.close();
    this.#reader = undefined;
    if (worker === undefined) return;
    const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    await this.#send(worker, { kind: 'close' }).catch(() => undefined);
    await gone;
  }

  #read<T>(read: (reader: Reader) => T): T {
    if (this.#reader === undefined) throw unavailable(new Error('the state is closed'));
    try {
      return read(this.#reader);
    } catch (e) {
      throw unavailable(e);
    }
  }

  async #order(order: Unnumbered): Promise<unknown> {
    if (this.#closing !== undefined) throw unavailable(new Error('the state is closed'));
    // no await when the writer stands: calls must reach it in the order in which they were made
    const worker = this.#starting === undefined ? this.#worker : undefined;
    return this.#send(worker ?? (await this.#writer()), order);
  }

  #send(worker: Worker, order: Unnumbered): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ ...order, id });
    });
  }

  /** The standing writer, or a new one when the last one died. */
  async #writer(): Promise<Worker> {
    if (this.#closing !== undefined) throw unavailable(new Error('the state is closed'));
    if (this.#worker === undefined) {
      const worker = new Worker(WRITER, { execArgv: [], workerData: { path: this.#path } });
      this.#worker = worker;
      this.#starting = new Promise<void>((resolve, reject) => {
        const lost = (cause: unknown): void => {
          if (this.#worker === worker) this.#worker = undefined;
          const fault = unavailable(cause);
          reject(fault);
          for (const [id, waiting] of this.#waiting) {
            this.#waiting.delete(id);
            waiting.reject(fault);
          }
        };
        worker.on('message', (said: FromWriter) => {
          if ('answers' in said) said.answers.forEach((answer) => this.#answered(answer));
          else if ('failed' in said) lost(new Error(said.failed));
          else resolve();
        });
        worker.once('error', lost);
        worker.once('exit', () => lost(new Error('the writer thread ended')));
      }).finally(() => (this.#starting = undefined));
    }
    const worker = this.#worker;
    await this.#starting;
    return worker;
  }

  #answered(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    if (answer.error === undefined) return waiting.resolve(answer.value);
    const cause = Object.assign(new Error(answer.error.message), { errcode: answer.error.errcode });
    waiting.reject(unavailable(cause, (answer.error.errcode & 0xff) === FULL ? 'disk full' : undefined));
  }

  /** Bounded steps, one after the other, started by what is written: a store at rest forgets nothing and costs nothing. */
  #forget(): void {
    const now = this.#now();
    if (this.#forgetting || this.#closing !== undefined || now - this.#forgotAt < FORGET_EVERY_MS) return;
    this.#forgetting = true;
    this.#order({ kind: 'forget', deletesUntil: now - this.#deleteRetentionMs, firstsUntil: now - INDEX_RETENTION_MS })
      .then(
        (more) => (this.#forgotAt = more === true ? Number.NEGATIVE_INFINITY : now),
        () => (this.#forgotAt = now),
      )
      .then(() => {
        this.#forgetting = false;
        if (this.#forgotAt < now) setImmediate(() => this.#forget());
      });
  }
}

/**
 * State in one SQLite file. The folder must have one owner: a second process is the caller's to refuse.
 * A file that cannot be read is set aside and an empty one begins. Throws Fault `state_unavailable` when the folder cannot be written.
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
