import type { Caller } from '#access';
import { limitFault, type LimitName, type LimitOwner, type Limits, type Reached } from '#limits';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isIdle, stopParsing } from './node-sockets.js';
import { PROBLEM_TYPE, problemOf, retryAfter } from './problem.js';
import { plainAddress } from './proxies.js';
import { REASONS } from './raw-errors.js';

export interface ConnectionsDeps {
  readonly limits: Limits;
  /** Whether this address is one of a trusted proxy: its connections carry requests of many clients, and are counted in all only. */
  readonly isProxy: (address: string) => boolean;
  /** Ms that never go back. @default performance.now */
  readonly now?: () => number;
}

interface Connection {
  readonly socket: Socket;
  readonly address: string;
  readonly isProxy: boolean;
  readonly openedAt: number;
  /** The key that was shown last; undefined: none yet. */
  key: string | undefined;
  unit: string | undefined;
  /** Answers that the connection does not have yet, in the order of their requests. */
  readonly answers: Set<ServerResponse>;
  /** When the first of them was asked for. */
  busySince: number;
  /** Whether it ends behind an answer that it gets: nothing that it has sent on is read. */
  isEnding: boolean;
  /** Bytes of answers that the reader has not taken, as measured last. */
  unread: number;
  /** What the kernel had not taken then; and since when that is unchanged. */
  queued: number;
  since: number;
}

const SWEEP_MS = 250;
/** A connection that is younger may have its first request on its way: it is closed only when connections are short. */
const YOUNG_MS = 1_000;
/** Of all connections: only units with few of them get one of the last tenth, and a unit that has a quarter makes room when none is left. */
const [RESERVE, FEW, MANY] = [1 / 10, 1 / 100, 1 / 4];
/** Node itself closes connections beyond the limit and this, without a word. */
const SPARE = 100;

/**
 * The connections of a server. Those that have shown no valid key are few for each address and short-lived; when all connections are taken, the oldest of them
 * makes room, or one of a unit with very many. The last tenth is for units that have few, so that neither silent nor busy connections keep anybody out. A
 * connection that takes nothing of what was sent is closed (write time-out), and answers that wait to be read are bounded for each connection, key, unit
 * and in all.
 */
export class Connections {
  readonly #limits: Limits;
  readonly #isProxy: (address: string) => boolean;
  readonly #now: () => number;
  readonly #all = new Map<Socket, Connection>();
  /** Without a valid key, by address, the oldest first. */
  readonly #new = new Map<string, Set<Connection>>();
  readonly #byKey = new Map<string, Set<Connection>>();
  /** Connections of keys, without those of proxies. */
  #known = 0;
  #sweeping: NodeJS.Timeout | undefined;

  constructor({ limits, isProxy, now = performance.now.bind(performance) }: ConnectionsDeps) {
    this.#limits = limits;
    this.#isProxy = isProxy;
    this.#now = now;
  }

  watch(server: Server): void {
    server.maxConnections = this.#limits.values.connections + SPARE;
    server.on('connection', (socket: Socket) => this.#open(socket));
    this.#sweeping = setInterval(() => this.sweep(), SWEEP_MS).unref();
    server.once('close', () => clearInterval(this.#sweeping));
  }

  /** Counts a connection for the key that a request on it has shown. The limit that is reached, when the key has no connection that may be closed instead. */
  seen(socket: Socket, { keyId, owner }: Caller): Reached | undefined {
    const connection = this.#all.get(socket);
    if (connection === undefined || connection.key === keyId) return undefined;
    if (connection.isProxy) {
      // Only so that answers which are not read count for the key.
      this.#leave(connection);
      this.#join(connection, keyId, owner);
      return undefined;
    }
    const wanted = { key: keyId, unit: owner };
    let reached = this.#reachedBy(wanted, connection);
    if (reached !== undefined && this.#closeIdle(keyId, reached)) reached = this.#reachedBy(wanted, connection);
    if (reached !== undefined) return reached;
    this.#leave(connection);
    this.#join(connection, keyId, owner);
    return undefined;
  }

  #reachedBy(wanted: { readonly key: string; readonly unit: string }, connection: Connection): Reached | undefined {
    const { connections } = this.#limits.values;
    const reached = this.#limits.connections.reachedBy(wanted);
    if (reached !== undefined || connection.unit === wanted.unit) return reached;
    const isScarce = this.#known >= connections - Math.floor(connections * RESERVE);
    const isFew = this.#limits.connections.heldBy('unit', wanted.unit) < Math.max(1, connections * FEW);
    return isScarce && !isFew ? { limit: 'connections', retryAfterMs: 1_000 } : undefined;
  }

  /**
   * A request begins. Answers the limit on requests that a connection has sent ahead of their answers, when it is reached: the connection ends behind the
   * refusal. `ending`: it ends behind a refusal already, and this request gets no answer.
   */
  began(socket: Socket, answer: ServerResponse): Reached | 'ending' | undefined {
    const connection = this.#all.get(socket);
    if (connection === undefined) return socket.destroyed ? 'ending' : undefined;
    if (connection.isEnding) return 'ending';
    const { answers } = connection;
    connection.isEnding = answers.size >= this.#limits.values.requests_per_connection;
    if (answers.size === 0) connection.busySince = this.#now();
    answers.add(answer);
    // It comes once; `once` would make two functions more for each request.
    answer.on('close', () => answers.delete(answer));
    return connection.isEnding ? { limit: 'requests_per_connection', retryAfterMs: 1_000 } : undefined;
  }

  /** Whether a connection ends behind an answer that is on its way: what it has sent behind that request is not read. */
  isEnding(socket: Socket): boolean {
    return this.#all.get(socket)?.isEnding === true;
  }

  /** For whom the requests of a connection count: the key that was shown last. undefined: none yet, or many clients send on it. */
  ownerOf(socket: Socket): LimitOwner | undefined {
    const connection = this.#all.get(socket);
    if (connection?.key === undefined || connection.isProxy) return undefined;
    return { key: connection.key, unit: connection.unit };
  }

  /** The address of the client of a request: of a trusted proxy, the one that it names last. */
  addressOf({ socket, headers }: IncomingMessage): string {
    const connection = this.#all.get(socket);
    const named = connection?.isProxy === true ? headers['x-forwarded-for'] : undefined;
    return named?.toString().split(',').at(-1)!.trim().slice(0, 100) ?? connection?.address ?? '';
  }

  /** Measures what a connection has not taken of its answers: after a large one was written. Closes it, or others, beyond the limits. */
  wrote(socket: Socket): void {
    const connection = this.#all.get(socket);
    if (connection === undefined) return;
    this.#measure(connection);
    const { unread_bytes_per_connection: max, unread_bytes: all } = this.#limits.values;
    if (connection.unread > max) this.#cut(connection, 'unread_bytes_per_connection');
    else if (this.#isTooMuch(connection)) this.#cut(connection, 'unread_bytes_per_address');
    while (this.#limits.unread.held > all && this.#cutGreatest());
  }

  /** The limit on unread answers that this caller has reached; undefined: it may have more. */
  unreadOf({ keyId, owner }: Caller): Reached | undefined {
    const wanted = { key: keyId, unit: owner };
    if (this.#limits.unread.reachedBy(wanted) === undefined) return undefined;
    // They may have been taken since they were measured.
    for (const connection of this.#all.values())
      if (connection.unread > 0 && (connection.key === keyId || connection.unit === owner)) this.#measure(connection);
    return this.#limits.unread.reachedBy(wanted);
  }

  /** Closes what is due. */
  sweep(): void {
    const now = this.#now();
    const { new_connection_seconds, new_connections_per_address, unread_seconds } = this.#limits.values;
    for (const connections of this.#new.values())
      for (const connection of [...connections]) {
        // A proxy holds connections for later requests of clients that have keys.
        if (connection.isProxy) break;
        const age = now - connection.openedAt;
        // The oldest come first.
        if (age < YOUNG_MS) break;
        if (!isIdle(connection.socket)) continue;
        if (age >= new_connection_seconds * 1_000) this.#refuse(connection, 'new_connection_seconds');
        else if (connections.size > new_connections_per_address)
          this.#refuse(connection, 'new_connections_per_address');
        else break;
      }
    for (const connection of this.#all.values()) {
      if (connection.unread === 0 && unreadOn(connection) === 0) continue;
      this.#measure(connection);
      if (connection.unread > 0 && now - connection.since >= unread_seconds * 1_000)
        this.#cut(connection, 'unread_seconds');
      else if (this.#isTooMuch(connection)) this.#cut(connection, 'unread_bytes_per_address');
    }
  }

  #open(socket: Socket): void {
    const { connections } = this.#limits.values;
    const address = plainAddress(socket.remoteAddress);
    const isProxy = this.#isProxy(address);
    this.#limits.turns.defer();
    const now = this.#now();
    const connection: Connection = {
      socket,
      address,
      isProxy,
      openedAt: now,
      key: undefined,
      unit: undefined,
      answers: new Set(),
      busySince: now,
      isEnding: false,
      unread: 0,
      queued: 0,
      since: now,
    };
    stopParsing(socket, () => connection.isEnding);
    this.#all.set(socket, connection);
    this.#limits.connections.add({}, 1);
    let ofAddress = this.#new.get(address);
    if (ofAddress === undefined) this.#new.set(address, (ofAddress = new Set()));
    ofAddress.add(connection);
    if (!isProxy) this.#limits.newConnections.add({ address }, 1);
    socket.once('close', () => this.#closed(connection));
    // Many that have just been opened at once may be honest, as long as they leave half of all to others.
    if (!isProxy && ofAddress.size > connections / 2) this.#refuse(first(ofAddress)!, 'new_connections_per_address');
    while (this.#all.size > connections) this.#makeRoom(connection);
  }

  /**
   * Closes one connection for a new one: the oldest without a key, or one of the unit that has the most, if that is a quarter of all: an idle one, or the one that
   * has been busy for longest, such as a live stream; else the new one.
   */
  #makeRoom(newest: Connection): void {
    const oldest = this.#oldestNew();
    const most = this.#limits.connections.greatest('unit');
    if (oldest !== undefined && oldest !== newest) this.#refuse(oldest, 'connections');
    else if (most === undefined || most.held < this.#limits.values.connections * MANY)
      this.#refuse(newest, 'connections');
    else {
      const least = this.#leastNeeded(most.owner);
      if (least === undefined) this.#refuse(newest, 'connections');
      else if (isIdle(least.socket)) this.#refuse(least, 'connections');
      // Its reader may take nothing any more.
      else this.#cut(least, 'connections');
    }
  }

  #leastNeeded(unit: string): Connection | undefined {
    let least: Connection | undefined;
    // Those of a key come the one first that has had it for longest.
    for (const ofKey of this.#byKey.values())
      for (const connection of ofKey) {
        if (connection.unit !== unit) break;
        if (connection.isProxy) continue;
        if (isIdle(connection.socket)) return connection;
        if (least === undefined || connection.busySince < least.busySince) least = connection;
      }
    return least;
  }

  #closed(connection: Connection): void {
    this.#leave(connection);
    if (this.#all.delete(connection.socket)) this.#limits.connections.give({}, 1);
  }

  /** Of the address that has most connections without a key, the oldest. */
  #oldestNew(): Connection | undefined {
    let most: Set<Connection> | undefined;
    for (const connections of this.#new.values())
      if (most === undefined || connections.size > most.size) most = connections;
    return most === undefined ? undefined : first(most);
  }

  /** Takes a connection out of what it is counted in. */
  #leave(connection: Connection): void {
    const { key, unit, address } = connection;
    this.#setUnread(connection, 0);
    if (key === undefined) {
      const ofAddress = this.#new.get(address);
      if (ofAddress?.delete(connection) !== true) return;
      if (ofAddress.size === 0) this.#new.delete(address);
      if (!connection.isProxy) this.#limits.newConnections.give({ address }, 1);
      return;
    }
    const ofKey = this.#byKey.get(key);
    if (ofKey?.delete(connection) === true && ofKey.size === 0) this.#byKey.delete(key);
    // `all` goes on counting the connection itself.
    if (!connection.isProxy) {
      this.#known--;
      this.#limits.connections.give({ key, unit }, 1);
      this.#limits.connections.add({}, 1);
    }
    connection.key = undefined;
  }

  #join(connection: Connection, key: string, unit: string): void {
    connection.key = key;
    connection.unit = unit;
    let ofKey = this.#byKey.get(key);
    if (ofKey === undefined) this.#byKey.set(key, (ofKey = new Set()));
    ofKey.add(connection);
    if (connection.isProxy) return;
    this.#known++;
    this.#limits.connections.add({ key, unit }, 1);
    this.#limits.connections.give({}, 1);
  }

  /** Closes the connection of a key that is idle for longest. */
  #closeIdle(key: string, { limit }: Reached): boolean {
    for (const connection of this.#byKey.get(key) ?? [])
      if (!connection.isProxy && isIdle(connection.socket)) {
        this.#refuse(connection, limit);
        return true;
      }
    return false;
  }

  #measure(connection: Connection): void {
    const { socket } = connection;
    const unread = socket.destroyed ? 0 : unreadOn(connection);
    const queued = (socket as { _handle?: { writeQueueSize?: number } | null })._handle?.writeQueueSize ?? unread;
    if (unread < connection.unread || queued !== connection.queued || connection.unread === 0)
      connection.since = this.#now();
    connection.queued = queued;
    this.#setUnread(connection, unread);
  }

  #setUnread(connection: Connection, unread: number): void {
    const { key, unit, isProxy, address } = connection;
    const owner = key === undefined && !isProxy ? { address } : { key, unit };
    if (unread !== connection.unread) this.#limits.unread.add(owner, unread - connection.unread);
    connection.unread = unread;
  }

  /** Whether an address has not taken too much of answers to requests without a key: nothing else would bound them. */
  #isTooMuch({ key, isProxy, address, unread }: Connection): boolean {
    if (key !== undefined || isProxy || unread === 0) return false;
    return this.#limits.unread.heldBy('address', address) > this.#limits.values.unread_bytes_per_address;
  }

  /** Cuts the connection of the greatest owner of unread answers that has waited for longest. */
  #cutGreatest(): boolean {
    const most = this.#limits.unread.greatest('key');
    const without = this.#limits.unread.greatest('address');
    const ofMost =
      (without?.held ?? 0) > (most?.held ?? 0) ? this.#new.get(without!.owner) : this.#byKey.get(most?.owner ?? '');
    let oldest: Connection | undefined;
    for (const connection of ofMost ?? []) {
      if (connection.unread === 0) continue;
      this.#measure(connection);
      if (connection.unread > 0 && (oldest === undefined || connection.since < oldest.since)) oldest = connection;
    }
    if (oldest !== undefined) this.#cut(oldest, 'unread_bytes');
    return oldest !== undefined;
  }

  /** Ends a connection that does not read: an answer would not be read either. */
  #cut(connection: Connection, limit: LimitName): void {
    this.#limits.count(limit);
    this.#setUnread(connection, 0);
    connection.socket.resetAndDestroy();
    this.#closed(connection);
  }

  /** Ends an idle connection with the name of the limit. */
  #refuse(connection: Connection, limit: LimitName): void {
    const { socket } = connection;
    this.#limits.count(limit);
    const isLate = limit === 'new_connection_seconds';
    const fault = limitFault(
      { limit, retryAfterMs: 1_000 },
      this.#limits.values[limit],
      isLate ? 'request_timeout' : undefined,
    );
    const doc = problemOf(fault, 'id', 'urn:simpul:connection');
    const text = JSON.stringify(doc);
    // Behind an answer the client may have its next request on the way: it is told by the close alone, as with every idle connection.
    if (socket.writable && isIdle(socket) && socket.bytesWritten === 0)
      socket.write(
        `HTTP/1.1 ${doc.status} ${REASONS[doc.status] ?? 'Error'}\r\ncontent-type: ${PROBLEM_TYPE}\r\n` +
          `content-length: ${Buffer.byteLength(text)}\r\nretry-after: ${retryAfter(1_000)}\r\nconnection: close\r\n\r\n${text}`,
      );
    this.#closed(connection);
    socket.destroySoon();
  }
}

/** Bytes of answers that wait in this process: of the one that is being written, and of those behind it. */
function unreadOn({ socket, answers }: Connection): number {
  let bytes = socket.writableLength;
  // One that has the socket counts with it.
  for (const answer of answers) if (answer.socket === null) bytes += answer.writableLength;
  return bytes;
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  return set.values().next().value;
}
