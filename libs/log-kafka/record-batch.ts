import { Fault } from '#faults';
import type { Header } from '#event';
import { headerNameBytes, type LogRecord, type NewRecord } from '#log';
import { ByteReader, ByteWriter, varintSize } from './bytes.js';

/** The record batch of Kafka, format 2: how records lie in a produce request, on the disk of a broker and in a fetch answer. */

/** Position of each field in the head of a batch. The checksum covers everything behind itself. */
const AT = {
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
const FORMAT = 2;

/** Bits of the attributes. */
const CODEC = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

/** CRC-32C of a batch, and decompression by its codec bits. From a client library, so that this file imports none. */
export interface Codecs {
  crc32c(bytes: Buffer): number;
  /** undefined for an unknown codec. */
  decompress(codec: number, bytes: Buffer): Buffer | undefined;
}

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

/** One uncompressed batch. Header order, repeated header names and null values are kept. */
export function encodeBatch(
  records: readonly NewRecord[],
  origin: BatchOrigin,
  crc32c: (bytes: Buffer) => number,
): Buffer {
  const sizes = records.map(recordSize);
  const out = new ByteWriter(
    Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + varintSize(size) + size, AT.records)),
  );
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

/** A transaction that was aborted: its records from `firstOffset` on, up to its abort marker, are never shown. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

const EMPTY = Buffer.alloc(0);

/** Header names repeat from record to record: the string of the last record's name at the same index is used again when the bytes are equal. */
class HeaderNames {
  readonly #seen: { bytes: Buffer; text: string }[] = [];

  read(index: number, c: ByteReader): string {
    const last = this.#seen[index];
    const from = c.at;
    if (last !== undefined && c.varint() === last.bytes.length && startsWith(c.bytes, c.at, last.bytes)) {
      c.at += last.bytes.length;
      return last.text;
    }
    c.at = from;
    const bytes = c.varBytes() ?? EMPTY;
    const text = bytes.toString('utf8');
    this.#seen[index] = { bytes, text };
    return text;
  }
}

// A loop is faster here than Buffer.compare: names are short, and a call into native code has a fixed cost.
function startsWith(bytes: Buffer, at: number, short: Buffer): boolean {
  for (let i = 0; i < short.length; i++) if (bytes[at + i] !== short[i]) return false;
  return true;
}

function decodeRecord(
  c: ByteReader,
  base: bigint,
  fixedTime: number | undefined,
  baseTime: number,
  leaderEpoch: number,
  names: HeaderNames,
): LogRecord {
  const length = c.varint();
  const end = c.at + length;
  c.at++; // attributes, unused
  const delta = c.varint();
  const offset = base + BigInt(c.varint());
  const key = c.varBytes();
  const value = c.varBytes();
  const count = c.varint();
  const headers: Header[] = [];
  for (let i = 0; i < count; i++) headers.push([names.read(i, c), c.varBytes()]);
  c.at = end;
  return { offset, appendTimeMs: fixedTime ?? baseTime + delta, leaderEpoch, key, value, headers };
}

/**
 * The records from offset `from` on, in order, and the offset to read next: behind control batches and the records of aborted transactions, which are
 * never shown. Keys and values are views of `bytes`. Throws Fault `corrupt_record` when a checksum is wrong or a batch cannot be decoded.
 */
export function decodeRecords(
  bytes: Buffer,
  from: bigint,
  aborted: readonly AbortedTransaction[],
  codecs: Codecs,
): { readonly records: LogRecord[]; readonly next: bigint } {
  const records: LogRecord[] = [];
  let next = from;
  const pending = [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const open = new Set<bigint>();
  const names = new HeaderNames();
  // a broker may cut off the last batch of an answer: the next fetch brings it whole
  for (let at = 0; at + AT.records <= bytes.length;) {
    const end = at + AT.afterLength + bytes.readInt32BE(at + AT.length);
    if (end > bytes.length) break;
    const base = bytes.readBigInt64BE(at);
    const attributes = bytes.readInt16BE(at + AT.attributes);
    const last = base + BigInt(bytes.readInt32BE(at + AT.lastOffsetDelta));
    const producerId = bytes.readBigInt64BE(at + AT.producerId);
    try {
      if (bytes[at + AT.format] !== FORMAT) throw new RangeError(`record format ${bytes[at + AT.format]}`);
      if (codecs.crc32c(bytes.subarray(at + AT.attributes, end)) !== bytes.readUInt32BE(at + AT.crc))
        throw new RangeError('checksum');
      while (pending[0] !== undefined && pending[0].firstOffset <= last) open.add(pending.shift()!.producerId);
      if ((attributes & CONTROL) !== 0) {
        // a commit or abort marker: it ends the transaction of its producer
        if ((attributes & TRANSACTIONAL) !== 0) open.delete(producerId);
      } else if (last >= from && !((attributes & TRANSACTIONAL) !== 0 && open.has(producerId))) {
        const body = bytes.subarray(at + AT.records, end);
        const codec = attributes & CODEC;
        const plain = codec === 0 ? body : codecs.decompress(codec, body);
        if (plain === undefined) throw new RangeError(`compression ${codec}`);
        const fixed = (attributes & LOG_APPEND_TIME) !== 0 ? Number(bytes.readBigInt64BE(at + AT.maxTime)) : undefined;
        const c = new ByteReader(plain);
        const baseTime = Number(bytes.readBigInt64BE(at + AT.baseTime));
        const leaderEpoch = bytes.readInt32BE(at + AT.leaderEpoch);
        for (let n = bytes.readInt32BE(at + AT.count); n > 0; n--) {
          const record = decodeRecord(c, base, fixed, baseTime, leaderEpoch, names);
          if (record.offset >= from) records.push(record);
        }
      }
    } catch (cause) {
      throw new Fault('corrupt_record', { detail: `batch at offset ${base}`, cause });
    }
    if (last >= next) next = last + 1n;
    at = end;
  }
  return { records, next };
}
