import { Worker } from 'node:worker_threads';
import { Fault, type Text } from '#faults';
import type { FromThread, OpenFailure, OpenNotes, Request } from './ops.js';
import type { IncompleteReason } from './schema.js';
import { texts } from './texts.js';

/** A file of a thread. In the source tree Node strips the types itself; in the build the file ends in .js. */
const fileOf = (name: string): URL =>
  new URL(import.meta.url.endsWith('.ts') ? `./${name}.ts` : `./${name}.js`, import.meta.url);

export interface FileThreadOptions<Op, Answer> {
  /** Name of the file that the thread runs, without its ending. */
  readonly name: 'writer' | 'cold-reader';
  readonly workerData: unknown;
  /** The answer to a request that surely did not reach a thread. */
  refused(reason: string): Answer;
  /** The answer to a request that was posted to a thread which ended: it may or may not have been done. */
  lost(reason: string): Answer;
  /** Memory that goes to the thread with the request. */
  transfer?(op: Op): ArrayBuffer | undefined;
}

/** One run of the thread. */
interface Run {
  readonly ready: Promise<Worker>;
  /** Posted to this run and not answered. */
  readonly asked: Set<number>;
  ended: boolean;
}

/** A connection to the file in a thread of its own: waiting for the disk never blocks the event loop. A thread that ended is started again by the next request. */
export class FileThread<Op extends { readonly op: string }, Answer> {
  readonly #options: FileThreadOptions<Op, Answer>;
  readonly #pending = new Map<number, (answer: Answer) => void>();
  #run: Run | undefined;
  #notes: OpenNotes | undefined;
  /** Not yet posted, with the memory that is transferred with them. */
  #requests: Request<Op>[] = [];
  #transfers: ArrayBuffer[] = [];
  #lastId = 0;
  #closing = false;

  constructor(options: FileThreadOptions<Op, Answer>) {
    this.#options = options;
  }

  /** Opens the file. Throws the Fault of its failure. */
  async open(): Promise<OpenNotes | undefined> {
    await (this.#run ??= this.#begin()).ready;
    return this.#notes;
  }

  /** Requests that are made together are posted together, in the order of the calls. Never throws: see `refused` and `lost`. */
  request(op: Op): Promise<Answer> {
    if (this.#closing) return Promise.resolve(this.#options.refused('the log is closed'));
    return this.#request(op);
  }

  #request(op: Op): Promise<Answer> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#pending.set(id, resolve);
      if (this.#requests.length === 0) queueMicrotask(() => this.#post());
      this.#requests.push({ id, op });
      const memory = this.#options.transfer?.(op);
      if (memory) this.#transfers.push(memory);
    });
  }

  /** `last`: what the thread does before it ends, after the requests that were made before. */
  async close(last?: Op): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    if (last) await this.#request(last);
    const run = this.#run;
    const worker = await run?.ready.catch(() => undefined);
    await worker?.terminate();
    if (run) this.#end(run, 'the log is closed');
  }

  #post(): void {
    const requests = this.#requests;
    const transfers = this.#transfers;
    this.#requests = [];
    this.#transfers = [];
    const run = (this.#run ??= this.#begin());
    const refuse = (reason: string): void => {
      for (const { id } of requests) this.#settle(id, this.#options.refused(reason));
    };
    run.ready.then(
      (worker) => {
        if (run.ended) return refuse('the thread ended');
        for (const { id } of requests) run.asked.add(id);
        worker.postMessage(requests, transfers);
      },
      (e: unknown) => refuse(String(e)),
    );
  }

  #begin(): Run {
    const { name, workerData } = this.#options;
    const worker = new Worker(fileOf(name), { execArgv: [], workerData });
    const ready = Promise.withResolvers<Worker>();
    ready.promise.catch(() => undefined);
    const run: Run = { ready: ready.promise, asked: new Set(), ended: false };
    const failed = (e: Fault): void => {
      ready.reject(e);
      this.#end(run, e.detail ?? e.code);
    };
    worker.on('message', (message: FromThread<Answer>) => {
      if ('answers' in message) {
        for (const [id, answer] of message.answers) {
          run.asked.delete(id);
          this.#settle(id, answer);
        }
      } else if (message.opened) {
        this.#notes = message.notes;
        ready.resolve(worker);
      } else failed(openFault(message));
    });
    worker.on('error', (cause) => failed(new Fault('log_unavailable', { detail: 'the thread ended', cause })));
    worker.on('exit', () => failed(new Fault('log_unavailable', { detail: 'the thread ended' })));
    return run;
  }

  /** Ends a run once: 'error' is followed by 'exit', and a new run may have begun between the two. */
  #end(run: Run, reason: string): void {
    if (run.ended) return;
    run.ended = true;
    if (this.#run === run) this.#run = undefined;
    for (const id of run.asked) this.#settle(id, this.#options.lost(reason));
  }

  #settle(id: number, answer: Answer): void {
    const resolve = this.#pending.get(id);
    this.#pending.delete(id);
    resolve?.(answer);
  }
}

type Details = Readonly<Record<'found' | 'expected', string | number>>;
const INCOMPLETE: Readonly<Record<IncompleteReason, (detail: Details) => Text>> = {
  is_a_backup: () => texts.is_a_backup(),
  restore_interrupted: () => texts.restore_interrupted(),
  mark_unreadable: () => texts.mark_unreadable(),
  file_missing: () => texts.file_missing(),
  no_tables: () => texts.no_tables(),
  other_log: (detail) => texts.other_log(detail),
  older_than_stop: (detail) => texts.older_than_stop(detail),
  wal_missing: (detail) => texts.wal_missing(detail),
  wal_short: (detail) => texts.wal_short(detail),
};

/** Why a file cannot be opened, as a Fault with the sentence for the operator. */
export function openFault({ code, reason, why, detail }: OpenFailure): Fault {
  if (why === undefined) return new Fault(code, { detail: reason });
  const text = INCOMPLETE[why]({ found: '?', expected: '?', ...detail });
  return new Fault(code, { detail: text.in('en'), problems: [{ pointer: 'log.sqlite', reason: text }] });
}
