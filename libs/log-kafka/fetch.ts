import { OWN } from './api-versions.js';
import { ByteReader } from './bytes.js';
import type { KafkaLogOptions } from './options.js';
import { Connections, fetchBody } from './platformatic/index.js';
import type { AbortedTransaction } from './record-batch.js';
import type { Broker, FetchRequest } from './types.js';

/** The Fetch request and its answer, in the versions of OWN.FETCH. */

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
  /** Quota: the broker reads nothing more from this connection for so long (KIP-219). */
  readonly throttleMs: number;
}

/** Body of a Fetch answer of the versions 13 to 17. */
export function decodeFetch(body: Buffer): FetchAnswer {
  const c = new ByteReader(body);
  const throttleMs = c.int32();
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
  return { error, session, partitions, throttleMs };
}

/** Sends fetches over connections of its own, so that a long poll never delays another request: Kafka answers the requests of a connection in order. */
export class Fetcher {
  readonly #connections: Connections;

  constructor(options: KafkaLogOptions, role: string) {
    this.#connections = new Connections(options, role);
  }

  /** Rejects when the broker cannot be reached or does not answer. An error of one partition is in its part of the answer. */
  fetch(broker: Broker, request: FetchRequest): Promise<FetchAnswer> {
    return this.#connections.request(broker, OWN.FETCH, (version) => fetchBody(version, request), decodeFetch);
  }

  close(): Promise<void> {
    return this.#connections.close();
  }
}
