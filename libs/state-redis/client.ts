import { Cluster, Redis } from 'ioredis';
import { Fault } from '#faults';
import type { RedisAddress } from './address.js';
import type { Script } from './scripts.js';

export interface ClientOptions {
  readonly address: RedisAddress;
  /** PEM of the authority that signed the server's certificate, for a private one. */
  readonly ca?: string;
  /** After this an answer is given up, ms. */
  readonly timeoutMs: number;
  /** How long open waits for a first connection, ms. */
  readonly openTimeoutMs: number;
}

export type Arg = string | Buffer | number;

const REFUSED = /WRONGPASS|NOAUTH|NOPERM|invalid password|ERR AUTH|without any password/i;
const DEAD_SOCKET_MS = 3_000;
const RETRY_CAP_MS = 2_000;

const retry = (times: number): number => Math.min(50 * 2 ** Math.min(times, 6), RETRY_CAP_MS);

/** An ioredis error carries the command with its arguments, which are data of events: only its text may go on. */
function bare(e: unknown): Error {
  const message = (e as { message?: unknown } | null)?.message;
  const last = (e as { lastNodeError?: unknown } | null)?.lastNodeError;
  return new Error(
    typeof message === 'string' ? message : String(e),
    last === undefined ? undefined : { cause: bare(last) },
  );
}

/** What every connection has in common, a node of a cluster too. */
function connectionOptions(options: ClientOptions) {
  const { address, ca } = options;
  return {
    connectionName: 'simpul',
    connectTimeout: 2_000,
    socketTimeout: DEAD_SOCKET_MS,
    // what is in flight when a connection breaks fails at once: the caller rewinds, nothing waits unseen
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // a former master answers READONLY: ask Sentinel (or the name service) again
    reconnectOnError: (e: Error) => e.message.includes('READONLY'),
    ...(address.username === undefined ? {} : { username: address.username }),
    ...(address.password === undefined ? {} : { password: address.password }),
    ...(address.tls ? { tls: ca === undefined ? {} : { ca } } : {}),
  };
}

const ownConnection = { lazyConnect: true, enableOfflineQueue: false, retryStrategy: retry };

function make(options: ClientOptions): Redis | Cluster {
  const { address } = options;
  const common = connectionOptions(options);
  if (address.kind === 'cluster') {
    return new Cluster([...address.nodes], {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: retry,
      slotsRefreshTimeout: 2_000,
      slotsRefreshInterval: 5_000,
      // certificates name hosts, and a cluster in containers tells names: leave both to the server
      ...(address.tls ? { dnsLookup: (host: string, done: (e: null, ip: string) => void) => done(null, host) } : {}),
      redisOptions: common,
    });
  }
  if (address.kind === 'sentinel') {
    return new Redis({
      ...common,
      ...ownConnection,
      sentinels: [...address.nodes],
      name: address.name,
      db: address.db,
      sentinelRetryStrategy: retry,
      ...(address.sentinelUsername === undefined ? {} : { sentinelUsername: address.sentinelUsername }),
      ...(address.sentinelPassword === undefined ? {} : { sentinelPassword: address.sentinelPassword }),
      ...(address.tls ? { enableTLSForSentinelMode: true, sentinelTLS: common.tls ?? {} } : {}),
    });
  }
  return new Redis({ ...common, ...ownConnection, host: address.host, port: address.port, db: address.db });
}

/** The one place that knows ioredis. Every failure is Fault `state_unavailable`, within the time limit. */
export class Client {
  readonly #redis: Redis | Cluster;
  readonly #options: ClientOptions;
  #connections = 0;
  #lastError: unknown;
  #closed = false;

  private constructor(options: ClientOptions) {
    this.#options = options;
    this.#redis = make(options);
    const count = (): void => {
      this.#connections++;
    };
    this.#redis.on('ready', count);
    // a node of a cluster that went and came back is a new connection too
    this.#redis.on('+node', count);
    this.#redis.on('error', (e: unknown) => (this.#lastError = e));
    this.#redis.on('node error', (e: unknown) => (this.#lastError = e));
  }

  /** Resolves when connected. Throws Fault `state_unavailable` with the last error when that takes too long or the password is refused. */
  static async open(options: ClientOptions): Promise<Client> {
    const client = new Client(options);
    const redis = client.#redis;
    try {
      await new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => reject(bare(client.#lastError ?? new Error('no answer'))), options.openTimeoutMs);
        const failed = (e: unknown): void => {
          if (!REFUSED.test(String((e as { message?: unknown }).message) + String(bare(e).cause))) return;
          clearTimeout(late);
          reject(bare(e));
        };
        redis.on('error', failed);
        redis.once('ready', () => {
          clearTimeout(late);
          redis.off('error', failed);
          resolve();
        });
        // its outcome is told by the events above: a first attempt that fails is followed by others
        redis.connect().catch(failed);
      });
      return client;
    } catch (e) {
      client.close();
      throw new Fault('state_unavailable', { detail: 'Redis does not answer', cause: e });
    }
  }

  get clustered(): boolean {
    return this.#redis instanceof Cluster;
  }

  /** Number of connections made so far. */
  get connections(): number {
    return this.#connections;
  }

  /** Runs a script by its digest, and by its text where the server does not know it (restarted, flushed, another node). */
  async run(script: Script, keys: readonly string[], args: readonly Arg[]): Promise<unknown> {
    return this.#within(async () => {
      try {
        return await this.#redis.evalsha(script.sha, keys.length, ...keys, ...args);
      } catch (e) {
        if (!String((e as { message?: unknown }).message).includes('NOSCRIPT')) throw e;
        return this.#redis.eval(script.lua, keys.length, ...keys, ...args);
      }
    });
  }

  mget(keys: readonly string[]): Promise<(string | null)[]> {
    return this.#within(() => this.#redis.mget(...keys));
  }

  hmget(key: string, fields: readonly string[]): Promise<(string | null)[]> {
    return this.#within(() => this.#redis.hmget(key, ...fields));
  }

  /** Asks every master. */
  async ping(): Promise<void> {
    await this.#within(() => Promise.all(this.#masters().map((node) => node.ping())));
  }

  /** The INFO text of every master. */
  info(): Promise<string[]> {
    return this.#within(() => Promise.all(this.#masters().map((node) => node.info())));
  }

  close(): void {
    this.#closed = true;
    this.#redis.disconnect();
  }

  #masters(): Redis[] {
    if (!(this.#redis instanceof Cluster)) return [this.#redis];
    const nodes = this.#redis.nodes('master');
    if (nodes.length === 0) throw this.#lastError ?? new Error('no master of the cluster is known');
    return nodes;
  }

  async #within<T>(ask: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    try {
      if (this.#closed) throw new Error('the state is closed');
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new Error(`no answer within ${this.#options.timeoutMs} ms`)),
          this.#options.timeoutMs,
        );
      });
      return await Promise.race([ask(), late]);
    } catch (e) {
      throw new Fault('state_unavailable', { cause: bare(e) });
    } finally {
      clearTimeout(timer);
    }
  }
}
