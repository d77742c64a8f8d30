import type { Socket } from 'node:net';
import { AnswerReader } from './answer-reader.js';
import { readFrom } from './connect.js';
import { Ended } from './ended.js';
import type { Exchange } from './exchange.js';

/** Shorter than most servers keep an idle connection (5 s), so that a request seldom meets one that is just being closed. */
const IDLE_MS = 4_000;
const IDLE_MAX_MS = 60_000;
/** Its address was checked when it was made; it is made anew after this time. */
const LIFE_MS = 300_000;

export interface ConnectionOwner {
  /** It may be used again. */
  freed(connection: Connection): void;
  /** It is closed. */
  gone(connection: Connection): void;
}

/** A socket that is connected: one exchange at a time. */
export class Connection {
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #reader = new AnswerReader();
  readonly #dueAt: number;
  #exchange: Exchange | undefined;
  #idleUntil = 0;

  /** `now`: performance.now(). */
  constructor(socket: Socket, owner: ConnectionOwner, now: number) {
    this.#socket = socket;
    this.#owner = owner;
    this.#dueAt = now + LIFE_MS;
    this.#idle(now);
    readFrom(socket, (chunk) => this.read(chunk));
    socket.on('end', () => this.#ended());
    socket.on('error', (e) => this.#failed(e));
    socket.on('close', () => {
      this.#failed(new Ended('ENDED'));
      owner.gone(this);
    });
  }

  /** Whether a request may go out on it now. */
  isFit(now: number): boolean {
    return now < this.#idleUntil && !this.#socket.destroyed && this.#socket.readable && this.#socket.writable;
  }

  send(exchange: Exchange): void {
    this.#exchange = exchange;
    exchange.sentOn(this);
    const [first, body] = exchange.request;
    const socket = this.#socket;
    if (body === undefined) socket.write(first);
    else {
      socket.cork();
      socket.write(first);
      socket.write(body);
      socket.uncork();
    }
  }

  /** Closes it at once. */
  drop(): void {
    this.#socket.destroy();
  }

  read(chunk: Buffer): void {
    const exchange = this.#exchange;
    // Nobody has asked for it.
    if (exchange === undefined || exchange.isOver) return this.drop();
    try {
      if (!this.#reader.read(chunk, exchange)) return;
    } catch (e) {
      return this.#failed(e as Error);
    }
    this.#exchange = undefined;
    const now = performance.now();
    // An answer that came before the request was out leaves a connection that nobody can go on with.
    const isKept = this.#reader.keep && this.#socket.writableLength === 0 && now < this.#dueAt;
    if (isKept) this.#idle(now);
    else this.drop();
    exchange.finish();
    if (isKept) this.#owner.freed(this);
  }

  #idle(now: number): void {
    this.#idleUntil = Math.min(now + Math.min(this.#reader.idleMs ?? IDLE_MS, IDLE_MAX_MS), this.#dueAt);
  }

  #ended(): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.drop();
    exchange?.finish(this.#reader.end() ? undefined : new Ended('ENDED'));
  }

  #failed(error: Error): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.drop();
    exchange?.finish(error);
  }
}
