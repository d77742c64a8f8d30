import { createRequire } from 'node:module';
import { connect as netConnect, isIP, type Socket } from 'node:net';
import { connect as tlsConnect, type ConnectionOptions } from 'node:tls';
import { Kafka, logLevel, type ISocketFactory, type KafkaConfig, type RetryOptions } from 'kafkajs';

const KEEP_ALIVE_MS = 60_000;

/** kafkajs sets a timer with a negative delay when no request is pending; it then fires every millisecond and costs 3 % of a core per idle client. */
function patchTimer(): void {
  const require = createRequire(import.meta.url);
  const queue = require('kafkajs/src/network/requestQueue') as {
    prototype: { scheduleCheckPendingRequests(): void; patched?: true };
  };
  if (queue.prototype.patched) return;
  const original = queue.prototype.scheduleCheckPendingRequests;
  queue.prototype.scheduleCheckPendingRequests = function (this: { pending: unknown[] }): void {
    if (this.pending.length > 0) original.call(this);
  };
  queue.prototype.patched = true;
}

interface ReadHeader {
  readonly key: string;
  readonly value: Buffer | null;
}
type Headers = Record<string, Buffer | null | (Buffer | null)[]>;

/**
 * kafkajs copies all headers of a record for each of them, which for the 14 of an event is most of the time of reading it. Here each is set once; the headers are the
 * same. Only headers are read with readVarIntArray().
 */
function patchHeaders(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/protocol/decoder') as {
    prototype: { readVarIntArray(read: unknown): ReadHeader[]; fast?: true };
  };
  if (prototype.fast) return;
  const original = prototype.readVarIntArray;
  prototype.readVarIntArray = function (read) {
    return Object.assign(original.call(this, read), { reduce: collectHeaders });
  };
  prototype.fast = true;
}

function collectHeaders(this: readonly ReadHeader[]): Headers {
  const headers: Headers = {};
  for (const { key, value } of this)
    if (key === '__proto__') Object.defineProperty(headers, key, { value, enumerable: true, configurable: true });
    else if (!Object.hasOwn(headers, key)) headers[key] = value;
    else {
      const known = headers[key]!;
      headers[key] = Array.isArray(known) ? [...known, value] : [known, value];
    }
  return headers;
}

/** A broker refuses a client that authenticates a connection again within one second, so a shorter session could not be kept by a client that asks once a second. */
const SHORTEST_SESSION_MS = 3_000;
const AHEAD_MS = 10_000;

/**
 * kafkajs authenticates a connection again 10 s before its SASL session ends (connections.max.reauth.ms), which for a session of 10 s or less is before
 * every request: the broker closes the connection. Here it is at half of the session, at most 10 s before its end.
 */
function patchReauthentication(): void {
  const require = createRequire(import.meta.url);
  const connection = require('kafkajs/src/network/connection') as {
    prototype: { sessionLifetime: { toNumber(): number }; reauthenticationThreshold: number };
  };
  if (Object.hasOwn(connection.prototype, 'reauthenticationThreshold')) return;
  Object.defineProperty(connection.prototype, 'reauthenticationThreshold', {
    get(this: { sessionLifetime: { toNumber(): number } }): number {
      return reauthenticateAheadMs(this.sessionLifetime.toNumber());
    },
    set() {
      // the constructor of kafkajs sets its default
    },
  });
}

/** No client can keep a SASL session so short; the message names the setting of the broker. */
export class SessionTooShort extends Error {
  /** kafkajs tries again for a minute what does not say that it is final. */
  readonly retriable = false;
}

/** How long before the end of a SASL session of so many ms a connection is authenticated again. Throws SessionTooShort. */
export function reauthenticateAheadMs(sessionMs: number): number {
  if (sessionMs > 0 && sessionMs < SHORTEST_SESSION_MS)
    throw new SessionTooShort(
      `SASL sessions of ${sessionMs} ms are too short: connections.max.reauth.ms must be ${SHORTEST_SESSION_MS} or more`,
    );
  return Math.min(AHEAD_MS, sessionMs / 2);
}

interface Connection {
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  readonly socket?: Socket;
  isConnected(): boolean;
  connect(): Promise<unknown>;
}
const LENGTH_BYTES = 4;

/**
 * kafkajs keeps the bytes of an answer that broke off, takes the first answer of the next connection for their end, and throws out of the socket when it then reads
 * a length that is none: the process ends. What the former socket still brings, data or its end, also counts for the next one.
 */
function patchLeftovers(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/network/connection') as { prototype: Connection & { clean?: true } };
  if (prototype.clean) return;
  const { connect: original } = prototype;
  prototype.connect = function (this: Connection) {
    const { socket } = this;
    // One that still connects belongs to a call that waits for it.
    if (!this.isConnected() && !socket?.connecting) {
      this.chunks = [];
      this.bytesBuffered = 0;
      this.bytesNeeded = LENGTH_BYTES;
      for (const event of ['data', 'end', 'error', 'timeout']) socket?.removeAllListeners(event);
      socket?.on('error', () => undefined).destroy();
    }
    return original.call(this);
  };
  prototype.clean = true;
}

/** kafkajs splits a bootstrap broker at its first colon: an IPv6 address goes through it without colons. */
const withoutColons = (broker: string): string =>
  broker.startsWith('[') ? broker.replace(/^\[[^\]]*\]/, (address) => address.replaceAll(':', '~')) : broker;

/** As the factory of kafkajs, which it does not export, but for the host of withoutColons(). */
const connect: ISocketFactory = ({ host: given, port, ssl, onConnect }) => {
  const host = given.startsWith('[') ? given.slice(1, -1).replaceAll('~', ':') : given;
  const socket = ssl
    ? tlsConnect({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect)
    : netConnect({ host, port }, onConnect);
  socket.once('data', (first: Buffer) => {
    const other = notKafka(first);
    if (other !== undefined) socket.destroy(new NotKafka(other, `${host}:${port}`));
  });
  // kafkajs closes a socket that never connected again and again, and each time it gets a listener: Node would warn in the middle of an outage.
  return socket.setMaxListeners(0).setKeepAlive(true, KEEP_ALIVE_MS);
};

/** The port answers another protocol: kafkajs would read a length from it and wait for gigabytes. */
export class NotKafka extends Error {
  readonly code: 'NOT_KAFKA' | 'NEEDS_TLS';

  constructor(protocol: 'TLS' | 'other', at: string) {
    super(protocol === 'TLS' ? `${at} needs TLS` : `${at} is not Kafka`);
    this.code = protocol === 'TLS' ? 'NEEDS_TLS' : 'NOT_KAFKA';
  }
}

/** What the first bytes of an answer are instead of the length of a Kafka response, which is far below 256 MiB; undefined: nothing else. */
export function notKafka(first: Uint8Array): 'TLS' | 'other' | undefined {
  const [kind = 0, major] = first;
  if (kind < 0x10) return undefined;
  return (kind === 0x15 || kind === 0x16) && major === 3 ? 'TLS' : 'other';
}

export interface Sasl {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  readonly username: string;
  readonly password: string;
}

export interface KafkaClientOptions {
  /** `host:port` of some brokers of the cluster (bootstrap servers); `[address]:port` for IPv6. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Absent or false: no TLS. */
  readonly ssl?: boolean | ConnectionOptions | undefined;
  readonly sasl?: Sasl | undefined;
  readonly retry: RetryOptions;
  /** An error that kafkajs logs. */
  readonly logged?: ((message: string) => void) | undefined;
}

/** A client of kafkajs without its faults: no timer that fires every millisecond, SASL sessions of 3 s and more, connections that begin with no bytes of the one before, brokers with IPv6 addresses. Opens no connection. */
export function kafkaClient(options: KafkaClientOptions): Kafka {
  patchTimer();
  patchReauthentication();
  patchHeaders();
  patchLeftovers();
  const { brokers, clientId, ssl, sasl, retry, logged } = options;
  const config: KafkaConfig = {
    clientId,
    brokers: brokers.map(withoutColons),
    socketFactory: connect,
    requestTimeout: 10_000,
    connectionTimeout: 3_000,
    retry,
    logLevel: logLevel.ERROR,
    logCreator:
      () =>
      ({ log }) =>
        logged?.(log.message),
  };
  if (ssl !== undefined && ssl !== false) config.ssl = ssl;
  if (sasl) {
    const { mechanism, username, password } = sasl;
    if (mechanism === 'PLAIN') config.sasl = { mechanism: 'plain', username, password };
    else if (mechanism === 'SCRAM-SHA-256') config.sasl = { mechanism: 'scram-sha-256', username, password };
    else config.sasl = { mechanism: 'scram-sha-512', username, password };
  }
  return new Kafka(config);
}
