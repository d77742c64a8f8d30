import { ByteReader } from './bytes.js';
import type { KafkaLogOptions } from './options.js';
import { Connections, fetchBody } from './platformatic/index.js';
import { API } from './protocol.js';
import type { AbortedTransaction } from './record-batch.js';
import type { Broker, FetchRequest } from './types.js';

/** The Fetch request and its answer. Version 13 (Kafka 3.1) is the first that names topics by id; 17 is the last that the client library can write. */
const OLDEST_FETCH_VERSION = 13;
const NEWEST_FETCH_VERSION = 17;

const EMPTY = Buffer.alloc(0);

/** One partition of a Fetch answer. */
export interface FetchedPartition {
  /** UUID, hyphenated. */
  readonly topicId: string;
  readonly partition: number;
  /** Kafka's error code. */
  readonly error: number;
  /** Last stable offset: the end of the committed records. */
  readonly high: bigint;
  readonly low: bigint;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches as the broker sent them, for decodeRecords. */
  readonly records: Buffer;
}

export interface FetchAnswer {
  /** Kafka's error code of the whole request, for example for a fetch session that the broker has dropped. */
  readonly error: number;
  /** 0: the broker keeps no session. */
  readonly session: number;
  readonly partitions: readonly FetchedPartition[];
}

/** Body of a Fetch answer of the versions 13 to 17. */
export function decodeFetch(body: Buffer): FetchAnswer {
  const c = new ByteReader(body);
  c.int32(); // throttle time
  const error = c.int16();
  const session = c.int32();
  const partitions: FetchedPartition[] = [];
  for (let topics = c.unsigned() - 1; topics > 0; topics--) {
    const topicId = c.uuid();
    for (let n = c.unsigned() - 1; n > 0; n--) {
      const partition = c.int32();
      const code = c.int16();
      c.int64(); // high watermark: not used, because open transactions lie below it too
      const high = c.int64();
      const low = c.int64();
      const aborted: AbortedTransaction[] = [];
      for (let a = c.unsigned() - 1; a > 0; a--) {
        aborted.push({ producerId: c.int64(), firstOffset: c.int64() });
        c.skipTags();
      }
      c.int32(); // preferred read replica
      const size = c.unsigned() - 1;
      const records = size > 0 ? body.subarray(c.at, c.at + size) : EMPTY;
      c.at += Math.max(0, size);
      c.skipTags();
      partitions.push({ topicId, partition, error: code, high, low, aborted, records });
    }
    c.skipTags();
  }
  return { error, session, partitions };
}

/** Sends fetches over connections of its own, so that a long poll never delays another request: Kafka answers the requests of a connection in order. */
export class Fetcher {
  readonly #connections: Connections;

  constructor(options: KafkaLogOptions, role: string) {
    this.#connections = new Connections(options, role);
  }

  /** Rejects when the broker cannot be reached or does not answer. An error of one partition is in its part of the answer. */
  fetch(broker: Broker, brokerVersion: number, request: FetchRequest): Promise<FetchAnswer> {
    const version = Math.min(brokerVersion, NEWEST_FETCH_VERSION);
    if (version < OLDEST_FETCH_VERSION)
      return Promise.reject(new Error('Kafka older than 3.1 is not supported (Fetch without topic ids)'));
    return this.#connections.request(broker, API.FETCH, version, fetchBody(version, request), decodeFetch);
  }

  close(): Promise<void> {
    return this.#connections.close();
  }
}
