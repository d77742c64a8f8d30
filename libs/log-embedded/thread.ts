import { Worker } from 'node:worker_threads';
import { Fault } from '#faults';
import type { Answer, Ask, FromThread, Op, ThreadStart } from './ops.js';

// on the sources Node strips the types of writer.ts itself; in the build it is writer.js
const FILE = new URL(import.meta.url.endsWith('.ts') ? './writer.ts' : './writer.js', import.meta.url);

/** The one writing connection, in a thread of its own: a commit's fsync never stops the event loop. */
export class WriterThread {
  readonly #start: ThreadStart;
  readonly #pending = new Map<number, (answer: Answer) => void>();
  #worker: Promise<Worker> | undefined;
  #asks: Ask[] = [];
  #handedOver: ArrayBuffer[] = [];
  #lastId = 0;
  #closing = false;

  constructor(start: ThreadStart) {
    this.#start = start;
  }

  /** Opens (or makes) the file. Throws Fault `data_format`, `log_unavailable`. */
  async open(): Promise<void> {
    await (this.#worker ??= this.#run());
  }

  /** Everything asked in one turn of the loop travels together. Never throws: a thread that died answers `uncertain`. */
  ask(op: Op): Promise<Answer> {
    if (this.#closing && op.op !== 'close') return Promise.resolve(refused('the log is closed'));
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#pending.set(id, resolve);
      if (this.#asks.length === 0) queueMicrotask(() => this.#post());
      this.#asks.push({ id, op });
      if (op.op === 'append') this.#handedOver.push(op.data.buffer as ArrayBuffer);
    });
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    const closed = this.ask({ op: 'close' });
    this.#closing = true;
    await closed;
    await (await this.#worker)?.terminate();
    this.#fail('the log is closed');
  }

  #post(): void {
    const asks = this.#asks;
    const handedOver = this.#handedOver;
    this.#asks = [];
    this.#handedOver = [];
    // a thread that died is started again by the next ask
    this.#worker ??= this.#run();
    this.#worker.then(
      (worker) => worker.postMessage(asks, handedOver),
      (e: unknown) => {
        for (const { id } of asks) this.#settle(id, refused(String(e)));
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
      worker.on('message', (line: FromThread) => {
        if ('answers' in line) for (const [id, answer] of line.answers) this.#settle(id, answer);
        else if (line.opened) resolve(worker);
        else failed(new Fault(line.code, { detail: line.reason }));
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

  /** What was handed to a thread that ended may or may not lie in the log. */
  #fail(reason: string): void {
    const waiting = new Set(this.#asks.map((a) => a.id));
    for (const id of this.#pending.keys()) if (!waiting.has(id)) this.#settle(id, { kind: 'uncertain', reason });
  }
}

function refused(reason: string): Answer {
  return { kind: 'refused', code: 'log_unavailable', reason };
}
