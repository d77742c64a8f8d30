import { Worker } from 'node:worker_threads';
import { Fault } from '#faults';
import type { Answer, FromThread, Op, Request, ThreadStart } from './ops.js';

// in the source tree Node strips the types of writer.ts itself; in the build the file is writer.js
const FILE = new URL(import.meta.url.endsWith('.ts') ? './writer.ts' : './writer.js', import.meta.url);

/** The one writing connection, in a thread of its own, so that the fsync of a commit never blocks the event loop. */
export class WriterThread {
  readonly #start: ThreadStart;
  readonly #pending = new Map<number, (answer: Answer) => void>();
  #worker: Promise<Worker> | undefined;
  /** Not yet posted, with the memory that is transferred with them. */
  #requests: Request[] = [];
  #transfers: ArrayBuffer[] = [];
  #lastId = 0;
  #closing = false;

  constructor(start: ThreadStart) {
    this.#start = start;
  }

  /** Opens the file, or makes it. Throws Fault `data_format`, `log_unavailable`. */
  async open(): Promise<void> {
    await (this.#worker ??= this.#run());
  }

  /** Requests that are made together are posted together, in the order of the calls. Never throws: a thread that died answers `uncertain`. */
  request(op: Op): Promise<Answer> {
    if (this.#closing && op.op !== 'close') return Promise.resolve(refused('the log is closed'));
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#pending.set(id, resolve);
      if (this.#requests.length === 0) queueMicrotask(() => this.#post());
      this.#requests.push({ id, op });
      if (op.op === 'append') this.#transfers.push(op.data.buffer as ArrayBuffer);
    });
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    const closed = this.request({ op: 'close' });
    this.#closing = true;
    await closed;
    await (await this.#worker)?.terminate();
    this.#fail('the log is closed');
  }

  #post(): void {
    const requests = this.#requests;
    const transfers = this.#transfers;
    this.#requests = [];
    this.#transfers = [];
    // a thread that died is started again by the next request
    this.#worker ??= this.#run();
    this.#worker.then(
      (worker) => worker.postMessage(requests, transfers),
      (e: unknown) => {
        for (const { id } of requests) this.#settle(id, refused(String(e)));
      },
    );
  }

  #run(): Promise<Worker> {
    const worker = new Worker(FILE, { execArgv: [], workerData: this.#start });
    return new Promise((resolve, reject) => {
      const failed = (e: unknown): void => {
        this.#worker = undefined;
        reject(e as Error);
        this.#fail('the writer thread ended');
      };
      worker.on('message', (message: FromThread) => {
        if ('answers' in message) for (const [id, answer] of message.answers) this.#settle(id, answer);
        else if (message.opened) resolve(worker);
        else failed(new Fault(message.code, { detail: message.reason }));
      });
      worker.on('error', failed);
      worker.on('exit', () => failed(new Fault('log_unavailable', { detail: 'the writer thread ended' })));
    });
  }

  #settle(id: number, answer: Answer): void {
    const resolve = this.#pending.get(id);
    this.#pending.delete(id);
    resolve?.(answer);
  }

  /** Requests that were posted to a thread that ended may or may not have been written. */
  #fail(reason: string): void {
    const waiting = new Set(this.#requests.map((r) => r.id));
    for (const id of this.#pending.keys()) if (!waiting.has(id)) this.#settle(id, { kind: 'uncertain', reason });
  }
}

function refused(reason: string): Answer {
  return { kind: 'refused', code: 'log_unavailable', reason };
}
