import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/** Keep-alive connections that whole requests are given to; what finds none free waits its turn. */
export class Lines {
  readonly #free: Line[] = [];
  readonly #waiting: { readonly bytes: Buffer; readonly done: (a: Promise<Answer>) => void }[] = [];
  readonly #all: Line[];

  constructor(host: string, port: number, count: number) {
    this.#all = Array.from({ length: count }, () => new Line(() => connect({ host, port, noDelay: true })));
    this.#free.push(...this.#all);
  }

  ask(bytes: Buffer): Promise<Answer> {
    const line = this.#free.pop();
    if (!line) return new Promise((done) => this.#waiting.push({ bytes, done }));
    return this.#run(line, bytes);
  }

  close(): void {
    for (const line of this.#all) line.close();
  }

  async #run(line: Line, bytes: Buffer): Promise<Answer> {
    try {
      return await line.ask(bytes);
    } finally {
      const next = this.#waiting.shift();
      if (next) next.done(this.#run(line, next.bytes));
      else this.#free.push(line);
    }
  }
}

class Line {
  readonly #connect: () => Socket;
  #socket: Socket | undefined;
  #waiting: Buffer = Buffer.alloc(0);
  #done: ((a: Answer) => void) | undefined;
  #fail: ((e: Error) => void) | undefined;

  constructor(connect: () => Socket) {
    this.#connect = connect;
  }

  ask(bytes: Buffer): Promise<Answer> {
    return new Promise((done, fail) => {
      this.#done = done;
      this.#fail = fail;
      this.#open().write(bytes);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  /** The server closes what was idle for some seconds. */
  #open(): Socket {
    if (this.#socket?.writable) return this.#socket;
    const socket = this.#connect();
    this.#socket = socket;
    this.#waiting = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (e) => this.#fail?.(e));
    socket.on('close', () => this.#fail?.(new Error('the connection was closed before the answer')));
    return socket;
  }

  #take(chunk: Buffer): void {
    const all = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
    this.#waiting = all;
    const end = all.indexOf(HEAD_END);
    if (end < 0) return;
    const head = all.toString('latin1', 0, end);
    const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    const whole = end + 4 + length;
    if (all.length < whole) return;
    this.#waiting = all.subarray(whole);
    this.#fail = undefined;
    this.#done?.({ status: Number(head.slice(9, 12)), body: all.toString('utf8', end + 4, whole) });
  }
}
