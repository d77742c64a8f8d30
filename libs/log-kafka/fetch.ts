import { OWN } from './api-versions.js';
import { ByteReader } from '#kafka-records';
import type { KafkaLogOptions } from './options.js';
import { Connections, fetchBody } from './platformatic/index.js';
import type { AbortedTransaction } from '#kafka-records';
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
  /** The end of the records that all in-sync replicas have. Control batches and the records of open transactions lie below it too. */
  readonly highWatermark: bigint;
  /** The end of the records whose transactions have ended. */
  readonly lastStable: bigint;
  readonly low: bigint;
  /**
   * KIP-320: the log does not hold what was read up to the offset of the request. The greatest leader epoch of this log that is not above that of the
   * request, and where it ends.
   */
  readonly diverging: { readonly epoch: number; readonly end: bigint } | undefined;
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
      const highWatermark = c.int64();
      const lastStable = c.int64();
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
      const diverging = divergingOf(c);
      const ends = { highWatermark, lastStable, low, diverging };
      partitions.push({ topicId, partition, error: code, ...ends, aborted, records });
    }
    c.skipTags();
  }
  return { error, session, partitions, throttleMs };
}

const DIVERGING_EPOCH = 0;

/** Reads the tagged fields at the end of a partition. */
function divergingOf(c: ByteReader): FetchedPartition['diverging'] {
  let found: FetchedPartition['diverging'];
  for (let n = c.unsigned(); n > 0; n--) {
    const tag = c.unsigned();
    const end = c.unsigned() + c.at;
    if (tag === DIVERGING_EPOCH) found = { epoch: c.int32(), end: c.int64() };
    c.at = end;
  }
  return found !== undefined && found.epoch >= 0 ? found : undefined;
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
