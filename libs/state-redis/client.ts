import { Cluster, Redis } from 'ioredis';
import { jittered, withDeadline } from '#concurrency';
import { Fault, isFault } from '#faults';
import type { RedisAddress } from './address.js';
import type { Script } from './script.js';
import { checkAtStart, Trust, type RedisReport } from './trust.js';

export interface ClientOptions {
  readonly address: RedisAddress;
  /** PEM of the private certificate authority that signed the certificate of the server. */
  readonly ca?: string;
  /** Deadline of one command, ms. */
  readonly timeoutMs: number;
  /** Deadline of the first connection in open(), ms. */
  readonly openTimeoutMs: number;
  readonly report?: RedisReport;
}

export type Arg = string | Buffer | number;

const LOGIN_REFUSED = /WRONGPASS|NOAUTH|NOPERM|invalid password|ERR AUTH|without any password/i;
const CONNECT_TIMEOUT_MS = 2_000;
/** A socket that is silent for so long while a command waits is closed. */
const SOCKET_TIMEOUT_MS = 3_000;
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;
const CLUSTER_SLOTS_TIMEOUT_MS = 2_000;
const CLUSTER_SLOTS_REFRESH_MS = 5_000;
/** How often the servers are looked at while no ping comes: an operator may change the eviction policy of a running server. */
const LOOK_EVERY_MS = 1_000;

/** Exponential backoff between attempts to reconnect. */
const retryDelayMs = (attempt: number): number =>
  jittered(Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt, 6), MAX_RETRY_MS));

/** A copy of an ioredis error with its message only. The original carries the command with its arguments: event data, which must not reach a log. */
function withoutArguments(e: unknown): Error {
  const message = (e as { message?: unknown } | null)?.message;
  const last = (e as { lastNodeError?: unknown } | null)?.lastNodeError;
  return new Error(
    typeof message === 'string' ? message : String(e),
    last === undefined ? undefined : { cause: withoutArguments(last) },
  );
}

const isUnknownScript = (e: unknown): boolean => String((e as { message?: unknown }).message).includes('NOSCRIPT');

/** Options of every connection, also of those to the nodes of a cluster. */
function connectionOptions(options: ClientOptions) {
  const { address, ca } = options;
  return {
    connectionName: 'simpul',
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    // When the connection breaks, commands in flight fail at once and are not sent again: the caller rewinds to the stored position.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // READONLY comes from a demoted master: connect again, so that Sentinel or DNS answers the new master.
    reconnectOnError: (e: Error) => e.message.includes('READONLY'),
    ...(address.username === undefined ? {} : { username: address.username }),
    ...(address.password === undefined ? {} : { password: address.password }),
    ...(address.tls ? { tls: ca === undefined ? {} : { ca } } : {}),
  };
}

const connectionPolicy = { lazyConnect: true, enableOfflineQueue: false, retryStrategy: retryDelayMs };

function createClient(options: ClientOptions): Redis | Cluster {
  const { address } = options;
  const common = connectionOptions(options);
  if (address.kind === 'cluster') {
    return new Cluster([...address.nodes], {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryDelayMs,
      slotsRefreshTimeout: CLUSTER_SLOTS_TIMEOUT_MS,
      slotsRefreshInterval: CLUSTER_SLOTS_REFRESH_MS,
      // With TLS use the host names that the cluster announces: the certificates are issued for names, not for IP addresses.
      ...(address.tls ? { dnsLookup: (host: string, done: (e: null, ip: string) => void) => done(null, host) } : {}),
      redisOptions: common,
    });
  }
  if (address.kind === 'sentinel') {
    return new Redis({
      ...common,
      ...connectionPolicy,
      sentinels: [...address.nodes],
      name: address.name,
      db: address.db,
      sentinelRetryStrategy: retryDelayMs,
      ...(address.sentinelUsername === undefined ? {} : { sentinelUsername: address.sentinelUsername }),
      ...(address.sentinelPassword === undefined ? {} : { sentinelPassword: address.sentinelPassword }),
      ...(address.tls ? { enableTLSForSentinelMode: true, sentinelTLS: common.tls ?? {} } : {}),
    });
  }
  return new Redis({ ...common, ...connectionPolicy, host: address.host, port: address.port, db: address.db });
}

/** The only user of ioredis. Every failure is Fault `state_unavailable`, at the latest when `timeoutMs` is over; `state_untrusted` where a call says so. */
export class Client {
  readonly #redis: Redis | Cluster;
  readonly #options: ClientOptions;
  readonly #trust: Trust;
  #connections = 0;
  #evictions = 0;
  /** Number of connections at the last look; undefined: none yet. */
  #lookedAt: number | undefined;
  #looking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastError: unknown;
  #closed = false;

  private constructor(options: ClientOptions) {
    this.#options = options;
    this.#redis = createClient(options);
    this.#trust = new Trust(options.report);
    const count = (): void => {
      this.#connections++;
    };
    this.#redis.on('ready', count);
    // The return of a cluster node is a new connection, too.
    this.#redis.on('+node', count);
    this.#redis.on('error', (e: unknown) => (this.#lastError = e));
    this.#redis.on('node error', (e: unknown) => (this.#lastError = e));
  }

  /**
   * Resolves when connected and every master can hold the state. Throws Fault `state_unavailable` with the last error at the deadline, or at once when
   * Redis refuses the login; Faults of checkAtStart.
   */
  static async open(options: ClientOptions): Promise<Client> {
    const client = new Client(options);
    try {
      await withDeadline(client.#ready(), options.openTimeoutMs, () => {
        throw withoutArguments(client.#lastError ?? new Error('no answer'));
      });
    } catch (e) {
      client.close();
      throw new Fault('state_unavailable', { detail: 'Redis does not answer', cause: e });
    }
    try {
      const texts = await client.#within(() => client.#infos());
      for (const text of texts.values()) checkAtStart(text);
      client.#judge(texts);
    } catch (e) {
      client.close();
      throw e;
    }
    client.#timer = setInterval(() => void client.#look().catch(() => undefined), LOOK_EVERY_MS).unref();
    return client;
  }

  /** Resolves at the first connection. Rejects only when Redis refuses the login; after any other error ioredis tries again. */
  async #ready(): Promise<void> {
    const redis = this.#redis;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onError = (e: unknown): void => {
      const text = String((e as { message?: unknown }).message) + String(withoutArguments(e).cause);
      if (LOGIN_REFUSED.test(text)) reject(withoutArguments(e));
    };
    redis.on('error', onError);
    redis.once('ready', resolve);
    redis.connect().catch(onError);
    try {
      await promise;
    } finally {
      redis.off('error', onError);
    }
  }

  get clustered(): boolean {
    return this.#redis instanceof Cluster;
  }

  /** The connection epoch: number of connections made so far. */
  get connections(): number {
    return this.#connections;
  }

  /**
   * Looks at every master: eviction policy, role, evicted keys. Keys that a server evicted count as a new connection, because rows of the duplicate index
   * may be missing. Concurrent callers share one look.
   */
  #look(): Promise<void> {
    this.#looking ??= this.#infos()
      .then((texts) => this.#judge(texts))
      .finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  #judge(texts: ReadonlyMap<string, string>): void {
    const { evicted, replica } = this.#trust.judge(texts);
    if (evicted > 0) this.#connections++;
    this.#evictions += evicted;
    // Connect again, so that Sentinel answers the new master.
    if (replica && this.#options.address.kind === 'sentinel') (this.#redis as Redis).disconnect(true);
  }

  /** Looks at the servers once for every connection. Fault state_untrusted while a server cannot hold the state. */
  async #trusted(): Promise<void> {
    if (this.#lookedAt !== this.#connections) {
      const at = this.#connections;
      await this.#look();
      // An eviction that this look has found needs no further look.
      this.#lookedAt = this.#connections === at + 1 ? at + 1 : at;
    }
    const { reason } = this.#trust;
    if (reason !== undefined) throw new Fault('state_untrusted', { detail: reason });
  }

  /** Looks again when a script says that its server has evicted another number of keys than before. */
  async lookAgain(): Promise<void> {
    await this.#within(() => this.#look());
  }

  /** Rows of the duplicate index were lost to somebody else who wrote into them: as after an eviction, absent does not mean absent. */
  lostRows(rows: number): void {
    this.#connections++;
    this.#evictions += rows;
    this.#options.report?.damagedRows?.(rows);
  }

  /** Number of keys that the servers are known to have evicted. */
  get evictions(): number {
    return this.#evictions;
  }

  /** EVALSHA, and EVAL where the script cache of the server does not have the script (after a restart, SCRIPT FLUSH, or on another node). */
  async run(script: Script, keys: readonly string[], args: readonly Arg[]): Promise<unknown> {
    return this.#within(async () => {
      if (script.needsTrust) await this.#trusted();
      try {
        return await this.#redis.evalsha(script.sha, keys.length, ...keys, ...args);
      } catch (e) {
        if (!isUnknownScript(e)) throw e;
        return this.#redis.eval(script.lua, keys.length, ...keys, ...args);
      }
    });
  }

  /** run() with answers as bytes. */
  async runForBytes(script: Script, keys: readonly string[], args: readonly Arg[]): Promise<unknown> {
    return this.#within(async () => {
      if (script.needsTrust) await this.#trusted();
      try {
        return await this.#redis.callBuffer('evalsha', script.sha, keys.length, ...keys, ...args);
      } catch (e) {
        if (!isUnknownScript(e)) throw e;
        return this.#redis.callBuffer('eval', script.lua, keys.length, ...keys, ...args);
      }
    });
  }

  /** Fault state_untrusted as #trusted says. */
  mget(keys: readonly string[]): Promise<(string | null)[]> {
    return this.#within(async () => {
      await this.#trusted();
      return this.#redis.mget(...keys);
    });
  }

  /** Looks at every master. Fault state_untrusted when one of them cannot hold the state. */
  async ping(): Promise<void> {
    await this.#within(async () => {
      // ioredis sends INFO already before the connection is ready, so a look alone does not say that other commands are answered.
      await Promise.all(this.#masters().map((node) => node.ping()));
      await this.#look();
      await this.#trusted();
    });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#redis.disconnect();
  }

  #masters(): Redis[] {
    if (!(this.#redis instanceof Cluster)) return [this.#redis];
    const nodes = this.#redis.nodes('master');
    if (nodes.length === 0) throw this.#lastError ?? new Error('no master of the cluster is known');
    return nodes;
  }

  /** The INFO text of every master, by its address. */
  async #infos(): Promise<Map<string, string>> {
    const named = this.#masters().map(async (node): Promise<[string, string]> => {
      const { host, port } = node.options;
      return [`${host}:${port}`, await node.info()];
    });
    return new Map(await Promise.all(named));
  }

  async #within<T>(ask: () => Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options;
    try {
      if (this.#closed) throw new Error('the state is closed');
      return await withDeadline(ask(), timeoutMs, () => {
        throw new Error(`no answer within ${timeoutMs} ms`);
      });
    } catch (e) {
      if (isFault(e)) throw e;
      throw new Fault('state_unavailable', { cause: withoutArguments(e) });
    }
  }
}
