import type { NewRecord } from '#log';

/** What a record batch says of its producer: the broker drops a batch whose sequence it has seen (idempotence). */
export interface BatchOrigin {
  readonly producerId: bigint;
  readonly epoch: number;
  /** Of the first record. */
  readonly sequence: number;
  readonly timeMs: number;
}

/** One partition of a produce request: a finished record batch. */
export interface ProducedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
}

/** Header names are few and come with every record. */
const NAMES = new Map<string, Buffer>();
const MOST_NAMES = 1_000;

function nameBytes(name: string): Buffer {
  let bytes = NAMES.get(name);
  if (bytes === undefined) {
    bytes = Buffer.from(name);
    if (NAMES.size < MOST_NAMES) NAMES.set(name, bytes);
  }
  return bytes;
}

/** Bytes of a zigzag varint of a number that is not negative. */
function sizeOf(n: number): number {
  return n < 64 ? 1 : n < 8_192 ? 2 : n < 1_048_576 ? 3 : n < 134_217_728 ? 4 : 5;
}

const sizeOfField = (bytes: Buffer | null): number => (bytes === null ? 1 : sizeOf(bytes.length) + bytes.length);

class Out {
  at = 0;
  readonly bytes: Buffer;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
  unsigned(n: number): void {
    let rest = n;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.bytes[this.at++] = (rest % 128) + 128;
    this.bytes[this.at++] = rest;
  }
  varint(n: number): void {
    this.unsigned(n >= 0 ? n * 2 : -n * 2 - 1);
  }
  put(bytes: Buffer): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }
  field(bytes: Buffer | null): void {
    if (bytes === null) this.varint(-1);
    else {
      this.varint(bytes.length);
      this.put(bytes);
    }
  }
}

function bodySize(record: NewRecord, place: number): number {
  // attributes and the time delta, both 0
  let size = 2 + sizeOf(place) + sizeOfField(record.key) + sizeOfField(record.value) + sizeOf(record.headers.length);
  for (const [name, value] of record.headers) size += sizeOfField(nameBytes(name)) + sizeOfField(value);
  return size;
}

const HEAD = 61;
const AFTER_LENGTH = 12;
const CRC_AT = 17;
const AFTER_CRC = 21;

/** Records as one record batch of format 2, uncompressed. Header order, repeated names and null values stay as they are. */
export function encodeBatch(
  records: readonly NewRecord[],
  origin: BatchOrigin,
  crc32c: (bytes: Buffer) => number,
): Buffer {
  const sizes = records.map(bodySize);
  const out = new Out(Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + sizeOf(size) + size, HEAD)));
  const { bytes } = out;
  const time = BigInt(origin.timeMs);
  bytes.writeBigInt64BE(0n, 0);
  bytes.writeInt32BE(bytes.length - AFTER_LENGTH, 8);
  bytes.writeInt32BE(-1, 12);
  bytes[16] = 2;
  bytes.writeInt16BE(0, AFTER_CRC);
  bytes.writeInt32BE(records.length - 1, 23);
  bytes.writeBigInt64BE(time, 27);
  bytes.writeBigInt64BE(time, 35);
  bytes.writeBigInt64BE(origin.producerId, 43);
  bytes.writeInt16BE(origin.epoch, 51);
  bytes.writeInt32BE(origin.sequence, 53);
  bytes.writeInt32BE(records.length, 57);
  out.at = HEAD;
  for (const [place, record] of records.entries()) {
    out.varint(sizes[place]!);
    bytes[out.at++] = 0;
    bytes[out.at++] = 0;
    out.varint(place);
    out.field(record.key);
    out.field(record.value);
    out.varint(record.headers.length);
    for (const [name, value] of record.headers) {
      out.field(nameBytes(name));
      out.field(value);
    }
  }
  bytes.writeUInt32BE(crc32c(bytes.subarray(AFTER_CRC)) >>> 0, CRC_AT);
  return bytes;
}

function unsignedSize(n: number): number {
  return n < 128 ? 1 : n < 16_384 ? 2 : n < 2_097_152 ? 3 : n < 268_435_456 ? 4 : 5;
}

/** Body of a Produce request, version 9: acks from all in sync, no transaction. Each partition at most once. */
export function encodeProduce(parts: readonly ProducedPartition[], timeoutMs: number): Buffer {
  const topics = Map.groupBy(parts, (p) => p.topic);
  let size = 1 + 2 + 4 + unsignedSize(topics.size + 1) + 1;
  for (const [name, list] of topics) {
    const length = Buffer.byteLength(name);
    size += unsignedSize(length + 1) + length + unsignedSize(list.length + 1) + 1;
    for (const p of list) size += 4 + unsignedSize(p.batch.length + 1) + p.batch.length + 1;
  }
  const out = new Out(Buffer.allocUnsafe(size));
  const { bytes } = out;
  bytes[out.at++] = 0;
  bytes.writeInt16BE(-1, out.at);
  bytes.writeInt32BE(timeoutMs, out.at + 2);
  out.at += 6;
  out.unsigned(topics.size + 1);
  for (const [name, list] of topics) {
    out.unsigned(Buffer.byteLength(name) + 1);
    out.at += bytes.write(name, out.at);
    out.unsigned(list.length + 1);
    for (const p of list) {
      bytes.writeInt32BE(p.partition, out.at);
      out.at += 4;
      out.unsigned(p.batch.length + 1);
      out.put(p.batch);
      bytes[out.at++] = 0;
    }
    bytes[out.at++] = 0;
  }
  bytes[out.at++] = 0;
  return bytes;
}
