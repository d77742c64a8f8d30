import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/** Keep-alive connections over raw sockets, each with one request at a time. Requests wait in a queue while no connection is free. */
export class ConnectionPool {
  readonly #free: KeepAliveConnection[] = [];
  readonly #waiting: { readonly bytes: Buffer; readonly done: (a: Promise<Answer>) => void }[] = [];
  readonly #all: KeepAliveConnection[];

  constructor(host: string, port: number, count: number) {
    this.#all = Array.from(
      { length: count },
      () => new KeepAliveConnection(() => connect({ host, port, noDelay: true })),
    );
    this.#free.push(...this.#all);
  }

  ask(bytes: Buffer): Promise<Answer> {
    const connection = this.#free.pop();
    if (!connection) return new Promise((done) => this.#waiting.push({ bytes, done }));
    return this.#run(connection, bytes);
  }

  close(): void {
    for (const connection of this.#all) connection.close();
  }

  async #run(connection: KeepAliveConnection, bytes: Buffer): Promise<Answer> {
    try {
      return await connection.ask(bytes);
    } finally {
      const next = this.#waiting.shift();
      if (next) next.done(this.#run(connection, next.bytes));
      else this.#free.push(connection);
    }
  }
}

class KeepAliveConnection {
  readonly #connect: () => Socket;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
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

  /** The socket, a new one when the server has closed the old one after its idle timeout. */
  #open(): Socket {
    if (this.#socket?.writable) return this.#socket;
    const socket = this.#connect();
    this.#socket = socket;
    this.#received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (e) => this.#fail?.(e));
    socket.on('close', () => this.#fail?.(new Error('the connection was closed before the answer')));
    return socket;
  }

  #take(chunk: Buffer): void {
    const all = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    this.#received = all;
    const end = all.indexOf(HEAD_END);
    if (end < 0) return;
    const head = all.toString('latin1', 0, end);
    const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    const whole = end + 4 + length;
    if (all.length < whole) return;
    this.#received = all.subarray(whole);
    this.#fail = undefined;
    this.#done?.({ status: Number(head.slice(9, 12)), body: all.toString('utf8', end + 4, whole) });
  }
}
