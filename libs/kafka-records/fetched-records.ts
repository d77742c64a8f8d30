import { Fault } from '#faults';
import type { LogRecord } from '#log';
import { ByteReader } from './bytes.js';
import { CodecMissing } from './decompress.js';
import { checkFields, FetchedRecord, HeaderNames } from './fetched-record.js';
import { AT, CODEC, CONTROL, FORMAT, LOG_APPEND_TIME, TRANSACTIONAL } from './record-batch.js';

/** CRC-32C of a batch, and decompression by its codec bits. From a client library, so that this file imports none. */
export interface Codecs {
  crc32c(bytes: Buffer): number;
  /** undefined for an unknown codec. Throws when the bytes cannot be decompressed, or would become more than `maxBytes`. */
  decompress(codec: number, bytes: Buffer, maxBytes: number): Buffer | undefined;
}

/** A transaction that was aborted: its records from `firstOffset` on, up to its abort marker, are never shown. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** Record batches of one partition as a broker sent them. */
export interface FetchedBatches {
  readonly bytes: Buffer;
  /** READ_COMMITTED: records of open and aborted transactions are not shown. Else every record of a transaction is shown, as foreign. */
  readonly committed: boolean;
  /** With `committed`: as the broker told them with these bytes. */
  readonly aborted: readonly AbortedTransaction[];
  /** The batch in which the last read stopped, so that the read that goes on there does not decompress and pass over it again. */
  stopped?: StoppedIn | undefined;
  /** Places of the batches whose checksum was right. */
  checked?: Set<number> | undefined;
}

export interface StoppedIn {
  /** Place of the batch in the bytes. */
  readonly at: number;
  readonly next: bigint;
  /** The records of the batch, decompressed. */
  readonly plain: Buffer;
  /** Place in `plain`, and how many records follow there. */
  readonly plainAt: number;
  readonly left: number;
}

/** Where a read begins. */
export interface FetchPlace {
  readonly from: bigint;
  /** Leader epoch at `from − 1`, when the reader knows it. */
  readonly lastEpoch: number | undefined;
}

export interface TakeLimits {
  readonly maxRecords: number;
  /** Soft: the first record is always taken. */
  readonly maxBytes: number;
}

/** A batch whose checksum is right and whose content cannot be read: its producer wrote it like this, so no gateway did. */
export interface UnreadableBatch {
  readonly first: bigint;
  readonly last: bigint;
  readonly reason: string;
}

export interface Taken {
  readonly records: LogRecord[];
  readonly next: bigint;
  /** Leader epoch at `next − 1`. */
  readonly lastEpoch: number | undefined;
  readonly unreadable: UnreadableBatch | undefined;
  /** Bytes of the records as they lie in their batches. */
  readonly size: number;
}

/** A decompressed batch may have at most this size. The largest batch of a gateway has 1.1 MB. */
export const MAX_BATCH_BYTES = 16 * 1_048_576;

/** One batch in the bytes. */
interface Head {
  readonly at: number;
  readonly end: number;
  readonly base: bigint;
  readonly last: bigint;
  readonly attributes: number;
  readonly leaderEpoch: number;
}

/** The head of the batch at this place; undefined when no whole batch begins there: a broker may cut off the last one of an answer. */
function headAt(bytes: Buffer, at: number): Head | undefined {
  if (at + AT.records > bytes.length) return undefined;
  const end = at + AT.afterLength + bytes.readInt32BE(at + AT.length);
  if (end > bytes.length || end < at + AT.records) return undefined;
  const base = bytes.readBigInt64BE(at);
  return {
    at,
    end,
    base,
    last: base + BigInt(bytes.readInt32BE(at + AT.lastOffsetDelta)),
    attributes: bytes.readInt16BE(at + AT.attributes),
    leaderEpoch: bytes.readInt32BE(at + AT.leaderEpoch),
  };
}

/** The offset behind the last whole batch; undefined: there is none. From the heads alone. */
export function endOf(bytes: Buffer): bigint | undefined {
  let end: bigint | undefined;
  for (let head = headAt(bytes, 0); head !== undefined; head = headAt(bytes, head.end)) end = head.last + 1n;
  return end;
}

/** The first offset that the first whole batch may hold: below it these bytes say nothing. undefined: there is none. */
export function beginOf(bytes: Buffer): bigint | undefined {
  return headAt(bytes, 0)?.base;
}

/** Leader epoch at the offset before this one, where the bytes hold it. From the heads alone. */
export function epochBefore(bytes: Buffer, offset: bigint): number | undefined {
  let epoch: number | undefined;
  for (let head = headAt(bytes, 0); head !== undefined && head.base < offset; head = headAt(bytes, head.end))
    epoch = head.leaderEpoch;
  return epoch;
}

/**
 * Takes records from a place on, in order, and checks only those that are taken: a batch behind them is not even looked at. `next` is where to read on:
 * behind control batches and the records of aborted transactions, which are never shown. Keys and values are views of the bytes.
 *
 * A batch that cannot be read (more than MAX_BATCH_BYTES, an unknown codec, nonsense inside) is one damaged record of a stream, and `unreadable` says
 * which offsets it stands for. Throws Fault `corrupt_record` for a wrong checksum or another format, which another replica may have right, and in
 * committed reads for every unreadable batch, because no row of a control topic may be left out. Records before such a batch are taken first. Throws CodecMissing for a batch
 * that only this process cannot read.
 */
export function takeRecords(fetched: FetchedBatches, place: FetchPlace, limits: TakeLimits, codecs: Codecs): Taken {
  return new Taking(fetched, place, limits, codecs).run();
}

class Taking {
  readonly #fetched: FetchedBatches;
  readonly #from: bigint;
  readonly #limits: TakeLimits;
  readonly #codecs: Codecs;
  readonly #names = new HeaderNames();
  readonly #records: LogRecord[] = [];
  #size = 0;
  #next: bigint;
  #lastEpoch: number | undefined;
  #unreadable: UnreadableBatch | undefined;

  constructor(fetched: FetchedBatches, { from, lastEpoch }: FetchPlace, limits: TakeLimits, codecs: Codecs) {
    this.#fetched = fetched;
    this.#from = from;
    this.#next = from;
    this.#lastEpoch = lastEpoch;
    this.#limits = limits;
    this.#codecs = codecs;
  }

  run(): Taken {
    const { bytes, aborted } = this.#fetched;
    const pending = aborted.length === 0 ? [] : [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
    const open = new Set<bigint>();
    for (let head = headAt(bytes, 0); head !== undefined; head = headAt(bytes, head.end)) {
      while (pending[0] !== undefined && pending[0].firstOffset <= head.last) open.add(pending.shift()!.producerId);
      const transactional = (head.attributes & TRANSACTIONAL) !== 0;
      const control = (head.attributes & CONTROL) !== 0;
      const producerId = transactional ? bytes.readBigInt64BE(head.at + AT.producerId) : -1n;
      // a commit or abort marker: it ends the transaction of its producer
      if (control && transactional) open.delete(producerId);
      if (head.last < this.#from) continue;
      const hidden = control || (transactional && open.has(producerId));
      if (!this.#take(head, hidden, transactional)) break;
    }
    return {
      records: this.#records,
      next: this.#next,
      lastEpoch: this.#lastEpoch,
      unreadable: this.#unreadable,
      size: this.#size,
    };
  }

  /** false: nothing more is taken. */
  #take(head: Head, hidden: boolean, transactional: boolean): boolean {
    if (this.#records.length >= this.#limits.maxRecords) return false;
    const begin = this.#records.length;
    try {
      this.#checkSum(head);
      if (!hidden && !this.#takeBatch(head, transactional && !this.#fetched.committed)) {
        // the batch goes on, and so does the next read
        if (this.#records.length > begin) this.#passed(this.#records.at(-1)!.offset, head);
        return false;
      }
      this.#passed(head.last, head);
      return this.#unreadable === undefined;
    } catch (cause) {
      if (this.#next > this.#from) return false;
      if (cause instanceof CodecMissing) throw cause;
      throw new Fault('corrupt_record', { detail: `batch at offset ${head.base}`, cause });
    }
  }

  #passed(offset: bigint, { leaderEpoch }: Head): void {
    this.#next = offset + 1n;
    this.#lastEpoch = leaderEpoch;
  }

  /** Once for each batch, however many reads it takes to go through it. */
  #checkSum({ at, end }: Head): void {
    const { bytes } = this.#fetched;
    const checked = (this.#fetched.checked ??= new Set());
    if (checked.has(at)) return;
    if (bytes[at + AT.format] !== FORMAT) throw new RangeError(`record format ${bytes[at + AT.format]}`);
    if (this.#codecs.crc32c(bytes.subarray(at + AT.attributes, end)) !== bytes.readUInt32BE(at + AT.crc))
      throw new RangeError('checksum');
    checked.add(at);
  }

  /** false: a limit was reached inside of the batch. */
  #takeBatch(head: Head, foreign: boolean): boolean {
    const records = this.#records;
    const begin = records.length;
    try {
      const { bytes } = this.#fetched;
      const { maxRecords, maxBytes } = this.#limits;
      const times = timesOf(bytes, head);
      const { stopped } = this.#fetched;
      const resumed = stopped?.at === head.at && stopped.next === this.#from ? stopped : undefined;
      const c = new ByteReader(stopped?.at === head.at ? stopped.plain : this.#plain(head));
      c.at = resumed?.plainAt ?? 0;
      const batch = { bytes: c.bytes, leaderEpoch: head.leaderEpoch, foreign, names: this.#names };
      for (let n = resumed?.left ?? bytes.readInt32BE(head.at + AT.count); n > 0; n--) {
        const start = c.at;
        const length = c.varint();
        const end = c.at + length;
        if (length < 0 || end > c.bytes.length) throw new RangeError('record past the end');
        c.at++; // attributes, unused
        const delta = c.varint();
        const offset = head.base + BigInt(c.varint());
        if (offset >= this.#from) {
          if (records.length >= maxRecords || (records.length > 0 && this.#size + length > maxBytes)) {
            const next = records.length > begin ? records.at(-1)!.offset + 1n : this.#next;
            this.#fetched.stopped = { at: head.at, next, plain: c.bytes, plainAt: start, left: n };
            return false;
          }
          const at = c.at;
          checkFields(c, end);
          records.push(new FetchedRecord(batch, at, offset, times.fixed ?? times.base + delta, length));
          this.#size += length;
        }
        c.at = end;
      }
    } catch (cause) {
      if (cause instanceof CodecMissing) throw cause;
      if (this.#fetched.committed) {
        records.length = begin;
        throw cause;
      }
      this.#giveUp(head, begin, cause);
    }
    return true;
  }

  #plain({ at, end, attributes }: Head): Buffer {
    const body = this.#fetched.bytes.subarray(at + AT.records, end);
    const codec = attributes & CODEC;
    const plain = codec === 0 ? body : this.#codecs.decompress(codec, body, MAX_BATCH_BYTES);
    if (plain === undefined) throw new RangeError(`compression ${codec}`);
    return plain;
  }

  /** One damaged record stands for the rest of the batch. */
  #giveUp(head: Head, begin: number, cause: unknown): void {
    const before = this.#records.length > begin ? this.#records.at(-1)!.offset + 1n : head.base;
    const first = before < this.#from ? this.#from : before;
    const { fixed, base } = timesOf(this.#fetched.bytes, head);
    this.#records.push({
      offset: first,
      appendTimeMs: fixed ?? base,
      leaderEpoch: head.leaderEpoch,
      key: null,
      value: null,
      headers: [],
      damaged: true,
    });
    this.#unreadable = { first, last: head.last, reason: cause instanceof Error ? cause.message : String(cause) };
  }
}

/** `fixed`: the append time of the whole batch (LogAppendTime). Else each record has a delta to `base`. */
function timesOf(
  bytes: Buffer,
  { at, attributes }: Head,
): { readonly fixed: number | undefined; readonly base: number } {
  const fixed = (attributes & LOG_APPEND_TIME) !== 0 ? Number(bytes.readBigInt64BE(at + AT.maxTime)) : undefined;
  return { fixed, base: Number(bytes.readBigInt64BE(at + AT.baseTime)) };
}
