import { ByteReader, type AbortedTransaction } from '#kafka-records';
import type { Broker } from 'kafkajs';
import { sendOwn } from './own-request.js';

/** The version that every broker from 2.3 on speaks, the last one that names topics without tagged fields. */
const FETCH = { apiKey: 1, apiVersion: 11, apiName: 'Fetch' } as const;

/** A partition that is asked for, by the names of Kafka. */
export interface Wanted {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
}

export interface FetchLimits {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly partitionBytes: number;
}

export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Error code of Kafka; 0: none. */
  readonly error: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches as the broker sent them. */
  readonly records: Buffer;
}

export interface FetchAnswer {
  readonly error: number;
  readonly partitions: readonly FetchedPartition[];
  /** kafkajs waits for so long before the next request (KIP-219). */
  readonly clientSideThrottleTime: number;
}

/**
 * Fetches up to the high watermark: a transaction in a stream is foreign, and must not hide what is acknowledged behind it (R10.3). The broker answers when there is
 * a record, or after `maxWaitMs`. kafkajs would make some fifty objects of each record; here the records stay bytes until somebody looks at them.
 */
export function fetchRecords(broker: Broker, wanted: readonly Wanted[], limits: FetchLimits): Promise<FetchAnswer> {
  return sendOwn(broker, FETCH, requestOf(wanted, limits), answerIn);
}

const READ_UNCOMMITTED = 0;
const NO_SESSION_EPOCH = -1;
const UNKNOWN_EPOCH = -1;

export function requestOf(wanted: readonly Wanted[], { maxWaitMs, maxBytes, partitionBytes }: FetchLimits): Buffer {
  const parts = [
    int32(-1, maxWaitMs, 1, maxBytes),
    Buffer.from([READ_UNCOMMITTED]),
    int32(0, NO_SESSION_EPOCH, wanted.length),
  ];
  for (const { topic, partition, from } of wanted) {
    const name = Buffer.from(topic);
    const length = Buffer.alloc(2);
    length.writeInt16BE(name.length);
    const offsets = Buffer.alloc(16);
    offsets.writeBigInt64BE(BigInt(from));
    offsets.writeBigInt64BE(-1n, 8);
    parts.push(length, name, int32(1, partition, UNKNOWN_EPOCH), offsets, int32(partitionBytes));
  }
  // No forgotten topics, no rack.
  parts.push(int32(0), Buffer.alloc(2));
  return Buffer.concat(parts);
}

function int32(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [i, n] of numbers.entries()) bytes.writeInt32BE(n, 4 * i);
  return bytes;
}

/** `bytes`: behind the correlation id. Throws RangeError when they end early. */
export function answerIn(bytes: Buffer): FetchAnswer {
  const c = new ByteReader(bytes);
  const clientSideThrottleTime = c.int32();
  const error = c.int16();
  c.int32(); // session
  const partitions: FetchedPartition[] = [];
  for (let topics = c.int32(); topics > 0; topics--) {
    const topic = text(c);
    for (let n = c.int32(); n > 0; n--) {
      const partition = c.int32();
      const code = c.int16();
      c.at += 24; // high watermark, last stable offset, first offset
      const aborted: AbortedTransaction[] = [];
      for (let a = c.int32(); a > 0; a--) aborted.push({ producerId: c.int64(), firstOffset: c.int64() });
      c.int32(); // preferred replica
      const records = slice(c, Math.max(0, c.int32()));
      partitions.push({ topic, partition, error: code, aborted, records });
    }
  }
  return { error, partitions, clientSideThrottleTime };
}

const text = (c: ByteReader): string => slice(c, c.int16()).toString();

function slice(c: ByteReader, length: number): Buffer {
  if (c.at + length > c.bytes.length) throw new RangeError('answer of Fetch ends early');
  return c.bytes.subarray(c.at, (c.at += length));
}
