import {
  apiVersionsV1,
  apiVersionsV3,
  ConnectionPool,
  FetchIsolationLevels,
  fetchV13,
  fetchV14,
  fetchV15,
  fetchV16,
  fetchV17,
  initProducerIdV4,
  initProducerIdV5,
  Writer,
  type Connection,
} from '@platformatic/kafka';
import { pause, withDeadline } from '#concurrency';
import { checkApis, OWN, versionFor, type BrokerApis, type OwnApi } from '../api-versions.js';
import type { KafkaLogOptions } from '../options.js';
import { noAnswer } from '../retry.js';
import type { Broker, FetchPosition, FetchRequest } from '../types.js';
import { clientOptions } from './client.js';
import { hasCode, networkError } from './errors.js';

/** How long a broker may take to give a producer id. */
const PRODUCER_ID_MS = 8_000;
/** How long a new connection may take to tell the versions of the broker. */
const HANDSHAKE_MS = 4_000;
/** How this client names itself in ApiVersions; brokers show it in their metrics. */
const SOFTWARE = 'simpul';
const SOFTWARE_VERSION = '1';
/** A long poll ends as soon as the broker has one byte to send. */
const MIN_BYTES = 1;

export interface ProducerIdentity {
  readonly id: bigint;
  readonly epoch: number;
}

/** The body of a request, as the library sends it. */
type RequestBody = () => Writer;

/** The body of a request that this room has encoded itself. */
export const bodyOf =
  (bytes: Buffer): RequestBody =>
  () =>
    Writer.create().append(bytes);

const FETCH_REQUESTS: Record<number, typeof fetchV17 | undefined> = {
  13: fetchV13 as unknown as typeof fetchV17,
  14: fetchV14 as unknown as typeof fetchV17,
  15: fetchV15,
  16: fetchV16,
  17: fetchV17,
};

/** The body of a Fetch request of one of the versions 13 to 17. */
export function fetchBody(version: number, request: FetchRequest): RequestBody {
  const byTopic = Map.groupBy(request.wanted, (w: FetchPosition) => w.topicId);
  const topics = [...byTopic].map(([topicId, list]) => ({
    topicId,
    partitions: list.map((w) => ({
      partition: w.partition,
      currentLeaderEpoch: w.leaderEpoch,
      fetchOffset: w.from,
      lastFetchedEpoch: w.lastEpoch,
      partitionMaxBytes: w.maxBytes,
    })),
  }));
  const forgotten = request.forgotten.map((f) => ({ topicId: f.topicId, partitions: [f.partition] }));
  const { waitMs, maxBytes, committed, session, epoch } = request;
  return () =>
    FETCH_REQUESTS[version]!.createRequest(
      waitMs,
      MIN_BYTES,
      maxBytes,
      committed ? FetchIsolationLevels.READ_COMMITTED : FetchIsolationLevels.READ_UNCOMMITTED,
      session,
      epoch,
      topics,
      forgotten,
      '',
    );
}

/** What a broker may say about quota in any answer. */
interface Throttled {
  /** The broker reads nothing more from the connection for so long (KIP-219). */
  readonly throttleMs?: number;
}

/** A connection to a broker that knows this request, so that send() leaves the process at once. */
export interface BrokerLine {
  readonly version: number;
  /** Writes the request. Rejects when the connection breaks or no answer comes in time: the broker may have handled it all the same. */
  send<T extends Throttled>(body: RequestBody, decode: (answer: Buffer) => T): Promise<T>;
}

export interface ConnectionsOptions {
  /** How long a request waits for its answer before its connection is given up. @default 10000 */
  readonly requestMs?: number;
}

/** Connections for requests whose bodies this room encodes or decodes itself: the library does TLS, SASL, correlation ids and timeouts. */
export class Connections {
  readonly #pool: ConnectionPool;
  readonly #apis = new WeakMap<Connection, BrokerApis>();
  /** Quota, by `host:port`: until when a broker reads nothing from us, ms since 1970. */
  readonly #throttledUntil = new Map<string, number>();
  readonly #closing = new AbortController();

  constructor(options: KafkaLogOptions, role: string, { requestMs }: ConnectionsOptions = {}) {
    const { clientId, bootstrapBrokers: _brokers, requestTimeout, ...rest } = clientOptions(options, role);
    this.#pool = new ConnectionPool(clientId, {
      ...rest,
      requestTimeout: requestMs ?? requestTimeout,
      maxInflights: 1,
    });
  }

  /**
   * Connects, asks for the versions once per connection, and waits while the broker throttles us. Rejects when the broker cannot be reached or does not
   * answer, and with Fault `broker_unsupported` when it lacks the request: nothing has been sent then.
   */
  async line(broker: Broker, api: OwnApi): Promise<BrokerLine> {
    const key = keyOf(broker);
    const left = (this.#throttledUntil.get(key) ?? 0) - performance.now();
    if (left > 0) await pause(left, this.#closing.signal);
    const connection = await this.#pool.get(broker);
    const apis = this.#apis.get(connection) ?? (await this.#ask(connection, broker));
    const version = versionFor(api, apis, broker);
    if (!connection.isConnected()) throw networkError('the connection broke before the request was sent');
    return {
      version,
      send: async (body, decode) => {
        const answer = await sendOn(connection, api.key, version, body, decode);
        this.#throttle(broker, answer.throttleMs ?? 0);
        return answer;
      },
    };
  }

  /** line() and send() in one. Rejects as they do. */
  async request<T extends Throttled>(
    broker: Broker,
    api: OwnApi,
    body: (version: number) => RequestBody,
    decode: (answer: Buffer) => T,
  ): Promise<T> {
    const line = await this.line(broker, api);
    return line.send(body(line.version), decode);
  }

  /** Throws Fault `broker_unsupported` when the broker lacks a request that the hub needs; rejects when it cannot be asked. */
  async check(broker: Broker): Promise<void> {
    const connection = await this.#pool.get(broker);
    checkApis(this.#apis.get(connection) ?? (await this.#ask(connection, broker)), broker);
  }

  /** A producer id for idempotent batches. Rejects when this broker does not give one. */
  async producerIdentity(broker: Broker): Promise<ProducerIdentity> {
    const connection = await this.#pool.get(broker);
    const version = versionFor(
      OWN.INIT_PRODUCER_ID,
      this.#apis.get(connection) ?? (await this.#ask(connection, broker)),
      broker,
    );
    const { api } = version === 4 ? initProducerIdV4 : initProducerIdV5;
    const given = await api.async(connection, null, PRODUCER_ID_MS, -1n, -1);
    this.#throttle(broker, given.throttleTimeMs);
    return { id: given.producerId, epoch: given.producerEpoch };
  }

  #throttle(broker: Broker, ms: number): void {
    if (ms > 0) this.#throttledUntil.set(keyOf(broker), performance.now() + ms);
  }

  async #ask(connection: Connection, broker: Broker): Promise<BrokerApis> {
    const what = `ApiVersions of ${keyOf(broker)}`;
    try {
      const { apiKeys } = await withDeadline(apiVersions(connection), HANDSHAKE_MS, noAnswer(what, HANDSHAKE_MS));
      const apis = new Map(apiKeys.map((a) => [a.apiKey, { oldest: a.minVersion, newest: a.maxVersion }]));
      this.#apis.set(connection, apis);
      return apis;
    } catch (error) {
      // a line that does not answer its first request is dead: the next try takes a new one
      void connection.close().catch(() => undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#pool.close();
  }
}

const keyOf = ({ host, port }: Broker): string => `${host}:${port}`;

interface ToldApis {
  readonly apiKeys: readonly { readonly apiKey: number; readonly minVersion: number; readonly maxVersion: number }[];
}

/** Version 3; a broker that does not know it says so and is asked again with version 1. */
async function apiVersions(connection: Connection): Promise<ToldApis> {
  try {
    return (await apiVersionsV3.api.async(connection, SOFTWARE, SOFTWARE_VERSION)) as ToldApis;
  } catch (error) {
    if (!hasCode(error, 'UNSUPPORTED_VERSION')) throw error;
    return (await apiVersionsV1.api.async(connection, SOFTWARE, SOFTWARE_VERSION)) as ToldApis;
  }
}

/**
 * Nothing of a request may lead to its answer once that is given. The library keeps its requests in a Map, and V8 keeps each table of a Map that has been
 * replaced until the next collection of the whole heap, if the one before it lives as long: with what was in it, which would be every answer of a broker.
 */
function sendOn<T>(
  connection: Connection,
  key: number,
  version: number,
  body: RequestBody,
  decode: (answer: Buffer) => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let pending: { readonly resolve: (answer: T) => void; readonly reject: (error: Error) => void } | undefined = {
      resolve,
      reject,
    };
    let answer: { readonly given: T } | undefined;
    connection.send(
      key,
      version,
      body,
      (_id, _key, _version, reader) => {
        answer = { given: decode(reader.buffer.slice(reader.position)) };
      },
      true,
      true,
      (error) => {
        const [settle, found] = [pending, answer];
        pending = undefined;
        answer = undefined;
        if (found && !error) settle?.resolve(found.given);
        else settle?.reject(error ?? new Error('no answer'));
      },
    );
  });
}
