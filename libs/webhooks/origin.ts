import type { Socket } from 'node:net';
import { Connection, type ConnectionOwner } from './connection.js';
import { guardedConnector, type ConnectOptions, type GuardedConnector } from './connect.js';
import { Ended } from './ended.js';
import type { Exchange } from './exchange.js';

/** The connections of one origin, at most `most`. What finds none free waits, the one that has waited longest first. */
export class Origin implements ConnectionOwner {
  readonly name: string;
  /** Exchanges that have not ended. */
  active = 0;
  usedAt = 0;
  readonly #connect: GuardedConnector;
  readonly #most: number;
  readonly #open = new Set<Connection>();
  /** The one that was used last is used next. */
  readonly #idle: Connection[] = [];
  /** Freed in this turn of the event loop: what a receiver says without being asked has its turn first. */
  #resting: Connection[] = [];
  readonly #waiting = new Set<Exchange>();
  readonly #connecting = new Set<Socket>();
  /** Connections that are being made. */
  #made = 0;
  #closed: (() => void) | undefined;

  /** `name`: among the others of the pools. */
  constructor(name: string, url: URL, most: number, options: ConnectOptions) {
    this.name = name;
    this.#most = most;
    this.#connect = guardedConnector(url, options);
  }

  get isConnected(): boolean {
    return this.#open.size > 0;
  }

  /** Sends it as soon as a connection is free. */
  ask(exchange: Exchange): void {
    const connection = this.#waiting.size === 0 ? this.#free() : undefined;
    if (connection !== undefined) return connection.send(exchange);
    this.#waiting.add(exchange);
    this.#connectMore();
  }

  /** It is over: it does not wait any more. */
  forget(exchange: Exchange): void {
    this.#waiting.delete(exchange);
    if (this.#closed !== undefined) this.#closeIdle();
  }

  freed(connection: Connection): void {
    this.#resting.push(connection);
    if (this.#resting.length > 1) return;
    setImmediate(() => {
      this.#idle.push(...this.#resting);
      this.#resting = [];
      this.#serve();
      if (this.#closed !== undefined) this.#closeIdle();
    });
  }

  gone(connection: Connection): void {
    this.#open.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#serve();
    this.#tellClosed();
  }

  /** Drops connections that nobody has used for a while. */
  sweep(now: number): void {
    for (const connection of this.#idle.filter((one) => !one.isFit(now))) connection.drop();
  }

  /** Resolves when every exchange has ended and every connection is closed. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => (this.#closed = resolve));
    this.#closeIdle();
    return closed;
  }

  #closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.drop();
    if (this.#waiting.size === 0) for (const socket of this.#connecting) socket.destroy(new Ended('CLOSED'));
    this.#tellClosed();
  }

  #tellClosed(): void {
    if (this.#waiting.size === 0 && this.#open.size === 0 && this.#made === 0) this.#closed?.();
  }

  #free(): Connection | undefined {
    const now = performance.now();
    for (let one = this.#idle.pop(); one !== undefined; one = this.#idle.pop())
      if (one.isFit(now)) return one;
      else one.drop();
    return undefined;
  }

  #serve(): void {
    for (const exchange of this.#waiting) {
      const connection = this.#free();
      if (connection === undefined) break;
      this.#waiting.delete(exchange);
      connection.send(exchange);
    }
    this.#connectMore();
  }

  /** One connection for each that waits, as far as there may be more. */
  #connectMore(): void {
    if (this.#waiting.size === 0) return;
    let wanted = this.#waiting.size - this.#made - this.#resting.length;
    for (const exchange of this.#waiting) {
      if (wanted <= 0 || this.#open.size + this.#made >= this.#most) return;
      if (exchange.isConnecting) continue;
      wanted--;
      this.#make(exchange);
    }
  }

  #make(exchange: Exchange): void {
    this.#made++;
    exchange.isConnecting = true;
    let making: Socket | undefined;
    making = this.#connect((error, socket) => {
      this.#made--;
      if (making !== undefined) this.#connecting.delete(making);
      exchange.isConnecting = false;
      if (!socket) {
        // Whom it was made for may have had another one since.
        if (this.#waiting.delete(exchange)) exchange.end(error!);
      } else {
        const connection = new Connection(socket, this, performance.now());
        this.#open.add(connection);
        if (this.#closed !== undefined && this.#waiting.size === 0) connection.drop();
        else this.#idle.push(connection);
      }
      this.#serve();
      this.#tellClosed();
    });
    if (making !== undefined) this.#connecting.add(making);
  }
}
