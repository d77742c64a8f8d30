import {
  ConnectionPool,
  FetchIsolationLevels,
  fetchV13,
  fetchV14,
  fetchV15,
  fetchV16,
  fetchV17,
  initProducerIdV4,
  Writer,
} from '@platformatic/kafka';
import type { KafkaLogOptions } from '../options.js';
import type { Broker, FetchPosition, FetchRequest } from '../types.js';
import { clientOptions } from './client.js';

/** How long a broker may take to give a producer id. */
const PRODUCER_ID_MS = 8_000;
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

/** The body of a Fetch request of one of the versions 13 to 17, READ_COMMITTED: records of open and aborted transactions are not shown. */
export function fetchBody(version: number, request: FetchRequest): RequestBody {
  const byTopic = Map.groupBy(request.wanted, (w: FetchPosition) => w.topicId);
  const topics = [...byTopic].map(([topicId, list]) => ({
    topicId,
    partitions: list.map((w) => ({
      partition: w.partition,
      currentLeaderEpoch: -1,
      fetchOffset: w.from,
      lastFetchedEpoch: -1,
      partitionMaxBytes: w.maxBytes,
    })),
  }));
  const forgotten = request.forgotten.map((f) => ({ topicId: f.topicId, partitions: [f.partition] }));
  const { waitMs, maxBytes, session, epoch } = request;
  return () =>
    FETCH_REQUESTS[version]!.createRequest(
      waitMs,
      MIN_BYTES,
      maxBytes,
      FetchIsolationLevels.READ_COMMITTED,
      session,
      epoch,
      topics,
      forgotten,
      '',
    );
}

/** Connections for requests whose bodies this room encodes or decodes itself: the library does TLS, SASL, correlation ids and timeouts. */
export class Connections {
  readonly #pool: ConnectionPool;

  constructor(options: KafkaLogOptions, role: string) {
    const { clientId, bootstrapBrokers: _brokers, ...rest } = clientOptions(options, role);
    this.#pool = new ConnectionPool(clientId, { ...rest, maxInflights: 1 });
  }

  /** Rejects when the connection breaks or no answer comes in time: the broker may have handled the request all the same. */
  async request<T>(
    broker: Broker,
    apiKey: number,
    version: number,
    body: RequestBody,
    decode: (answer: Buffer) => T,
  ): Promise<T> {
    const connection = await this.#pool.get(broker);
    return new Promise((resolve, reject) => {
      connection.send(
        apiKey,
        version,
        body,
        (_id, _key, _version, reader) => decode(reader.buffer.slice(reader.position)),
        true,
        true,
        (error, answer) => (answer ? resolve(answer) : reject(error ?? new Error('no answer'))),
      );
    });
  }

  /** A producer id for idempotent batches. Rejects when this broker does not give one. */
  async producerIdentity(broker: Broker): Promise<ProducerIdentity> {
    const connection = await this.#pool.get(broker);
    const given = await initProducerIdV4.api.async(connection, null, PRODUCER_ID_MS, -1n, -1);
    return { id: given.producerId, epoch: given.producerEpoch };
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}
