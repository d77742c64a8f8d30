import { headerNameBytes, type NewRecord } from '#log';
import { ByteWriter, varintSize } from './bytes.js';

/** The record batch of Kafka, format 2: how records lie in a produce request, on the disk of a broker and in a fetch answer. fetched-records.ts reads it. */

/** Position of each field in the head of a batch. The checksum covers everything behind itself. */
export const AT = {
  baseOffset: 0,
  /** Counts the bytes behind the length field. */
  length: 8,
  afterLength: 12,
  leaderEpoch: 12,
  format: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTime: 27,
  maxTime: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
  records: 61,
} as const;
export const FORMAT = 2;

/** Bits of the attributes. */
export const CODEC = 0x07;
export const LOG_APPEND_TIME = 0x08;
export const TRANSACTIONAL = 0x10;
export const CONTROL = 0x20;

/** The producer as a batch names it: a broker drops a batch whose sequence number it has seen (idempotence). */
export interface BatchOrigin {
  readonly producerId: bigint;
  readonly epoch: number;
  /** Of the first record. */
  readonly sequence: number;
  readonly timeMs: number;
}

const varBytesSize = (bytes: Buffer | null): number => (bytes === null ? 1 : varintSize(bytes.length) + bytes.length);

function recordSize(record: NewRecord, index: number): number {
  // the first 2: attributes and the time delta, both 0
  let size =
    2 + varintSize(index) + varBytesSize(record.key) + varBytesSize(record.value) + varintSize(record.headers.length);
  for (const [name, value] of record.headers) size += varBytesSize(headerNameBytes(name)) + varBytesSize(value);
  return size;
}

/** What encodeBatch() makes of these records, in bytes. */
export function batchBytes(records: readonly NewRecord[]): number {
  return sizeOf(records.map(recordSize));
}

const sizeOf = (sizes: readonly number[]): number =>
  sizes.reduce((sum, size) => sum + varintSize(size) + size, AT.records);

/** One uncompressed batch. Header order, repeated header names and null values are kept. */
export function encodeBatch(
  records: readonly NewRecord[],
  origin: BatchOrigin,
  crc32c: (bytes: Buffer) => number,
): Buffer {
  const sizes = records.map(recordSize);
  const out = new ByteWriter(Buffer.allocUnsafe(sizeOf(sizes)));
  const { bytes } = out;
  const time = BigInt(origin.timeMs);
  bytes.writeBigInt64BE(0n, AT.baseOffset);
  bytes.writeInt32BE(bytes.length - AT.afterLength, AT.length);
  bytes.writeInt32BE(-1, AT.leaderEpoch);
  bytes[AT.format] = FORMAT;
  bytes.writeInt16BE(0, AT.attributes);
  bytes.writeInt32BE(records.length - 1, AT.lastOffsetDelta);
  bytes.writeBigInt64BE(time, AT.baseTime);
  bytes.writeBigInt64BE(time, AT.maxTime);
  bytes.writeBigInt64BE(origin.producerId, AT.producerId);
  bytes.writeInt16BE(origin.epoch, AT.producerEpoch);
  bytes.writeInt32BE(origin.sequence, AT.baseSequence);
  bytes.writeInt32BE(records.length, AT.count);
  out.at = AT.records;
  for (const [index, record] of records.entries()) {
    out.varint(sizes[index]!);
    bytes[out.at++] = 0;
    bytes[out.at++] = 0;
    out.varint(index);
    out.varBytes(record.key);
    out.varBytes(record.value);
    out.varint(record.headers.length);
    for (const [name, value] of record.headers) {
      out.varBytes(headerNameBytes(name));
      out.varBytes(value);
    }
  }
  bytes.writeUInt32BE(crc32c(bytes.subarray(AT.attributes)) >>> 0, AT.crc);
  return bytes;
}
