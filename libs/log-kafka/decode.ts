import { Fault } from '#faults';
import type { Header } from '#event';
import type { LogRecord } from '#log';

/** One partition of a fetch answer; `records` is what the broker sent, not yet taken apart. */
export interface FetchedPartition {
  /** UUID, hyphenated. */
  readonly topicId: string;
  readonly partition: number;
  /** Kafka's error code, 0 = none. */
  readonly error: number;
  /** Last stable offset: the end of what is committed. */
  readonly high: bigint;
  readonly low: bigint;
  readonly aborted: readonly AbortedTransaction[];
  readonly records: Buffer;
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

export interface FetchAnswer {
  readonly error: number;
  readonly session: number;
  readonly partitions: readonly FetchedPartition[];
}

/** What the pure decoder needs from a client library: CRC-32C, and decompression by the codec bits of a batch. */
export interface Codecs {
  crc32c(bytes: Buffer): number;
  /** undefined for an unknown codec. */
  decompress(codec: number, bytes: Buffer): Buffer | undefined;
}

const EMPTY = Buffer.alloc(0);

function uuid(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** A place in bytes that moves. Reading past the end throws RangeError. */
export class Cursor {
  at = 0;
  readonly bytes: Buffer;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
  int8(): number {
    return this.bytes.readInt8(this.at++);
  }
  int16(): number {
    const value = this.bytes.readInt16BE(this.at);
    this.at += 2;
    return value;
  }
  int32(): number {
    const value = this.bytes.readInt32BE(this.at);
    this.at += 4;
    return value;
  }
  int64(): bigint {
    const value = this.bytes.readBigInt64BE(this.at);
    this.at += 8;
    return value;
  }
  /** Unsigned varint of at most 53 bits. */
  unsigned(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new RangeError('varint past the end');
      if (byte < 128) return value + byte * scale;
      value += (byte - 128) * scale;
      scale *= 128;
    }
  }
  /** Zigzag varint of at most 53 bits. */
  varint(): number {
    const raw = this.unsigned();
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
  }
  /** Bytes with a zigzag length, -1 = null. A view, not a copy. */
  varBytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const end = this.at + length;
    if (end > this.bytes.length) throw new RangeError('field past the end');
    const value = this.bytes.subarray(this.at, end);
    this.at = end;
    return value;
  }
  skipTags(): void {
    for (let n = this.unsigned(); n > 0; n--) {
      this.unsigned();
      this.at += this.unsigned();
    }
  }
}

/** Body of a Fetch answer of versions 13 to 17 (topics by id). */
export function decodeFetch(body: Buffer): FetchAnswer {
  const c = new Cursor(body);
  c.int32(); // throttle time
  const error = c.int16();
  const session = c.int32();
  const partitions: FetchedPartition[] = [];
  for (let topics = c.unsigned() - 1; topics > 0; topics--) {
    const topicId = uuid(body, c.at);
    c.at += 16;
    for (let n = c.unsigned() - 1; n > 0; n--) {
      const partition = c.int32();
      const code = c.int16();
      c.int64(); // high watermark: uncommitted records lie below it too
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

const HEAD = 61;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const LOG_APPEND_TIME = 0x08;

/** Header names repeat from record to record, so the text of the last one at this place is used again when the bytes are the same. */
class Names {
  readonly #seen: { bytes: Buffer; text: string }[] = [];

  /** Reads the name of header number `place`. */
  read(place: number, c: Cursor): string {
    const last = this.#seen[place];
    const from = c.at;
    if (last !== undefined && c.varint() === last.bytes.length && startsWith(c.bytes, c.at, last.bytes)) {
      c.at += last.bytes.length;
      return last.text;
    }
    c.at = from;
    const bytes = c.varBytes() ?? EMPTY;
    const text = bytes.toString('utf8');
    this.#seen[place] = { bytes, text };
    return text;
  }
}

// A call into the engine costs more than these few bytes.
function startsWith(bytes: Buffer, at: number, short: Buffer): boolean {
  for (let i = 0; i < short.length; i++) if (bytes[at + i] !== short[i]) return false;
  return true;
}

function decodeRecord(
  c: Cursor,
  base: bigint,
  fixedTime: number | undefined,
  baseTime: number,
  names: Names,
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
  return { offset, appendTimeMs: fixedTime ?? baseTime + delta, key, value, headers };
}

/**
 * Records from `from` on, in order, and the offset to go on at: past control batches and past what aborted transactions left (never shown).
 * Values are views of `bytes`. Throws Fault `corrupt_record` when a checksum is wrong or a batch cannot be taken apart.
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
  const names = new Names();
  // the last batch of an answer may be cut off: it is asked for again
  for (let at = 0; at + HEAD <= bytes.length;) {
    const end = at + 12 + bytes.readInt32BE(at + 8);
    if (end > bytes.length) break;
    const base = bytes.readBigInt64BE(at);
    const attributes = bytes.readInt16BE(at + 21);
    const last = base + BigInt(bytes.readInt32BE(at + 23));
    const producerId = bytes.readBigInt64BE(at + 43);
    try {
      if (bytes[at + 16] !== 2) throw new RangeError(`record format ${bytes[at + 16]}`);
      if (codecs.crc32c(bytes.subarray(at + 21, end)) !== bytes.readUInt32BE(at + 17)) throw new RangeError('checksum');
      while (pending[0] !== undefined && pending[0].firstOffset <= last) open.add(pending.shift()!.producerId);
      if ((attributes & CONTROL) !== 0) {
        // key of a control record: version, type (0 = abort); its producer's transaction ends here
        if ((attributes & TRANSACTIONAL) !== 0) open.delete(producerId);
      } else if (last >= from && !((attributes & TRANSACTIONAL) !== 0 && open.has(producerId))) {
        const body = bytes.subarray(at + HEAD, end);
        const codec = attributes & 7;
        const plain = codec === 0 ? body : codecs.decompress(codec, body);
        if (plain === undefined) throw new RangeError(`compression ${codec}`);
        const fixed = (attributes & LOG_APPEND_TIME) !== 0 ? Number(bytes.readBigInt64BE(at + 35)) : undefined;
        const c = new Cursor(plain);
        const baseTime = Number(bytes.readBigInt64BE(at + 27));
        for (let n = bytes.readInt32BE(at + 57); n > 0; n--) {
          const record = decodeRecord(c, base, fixed, baseTime, names);
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
