import type { Header, HeaderPlaces } from '#event';
import type { LogRecord } from '#log';
import { ByteReader } from './bytes.js';

const EMPTY = Buffer.alloc(0);

/** What the records of one batch have in common. */
export interface RecordBatchBytes {
  /** Where the records lie, decompressed. */
  readonly bytes: Buffer;
  readonly leaderEpoch: number;
  readonly foreign: boolean;
  readonly names: HeaderNames;
}

/**
 * A record as it lies in the bytes of its batch: key, value and headers are cut out anew each time somebody asks for them, and the record does not keep
 * them. Most of what a page fetches waits for the next page, so V8 has moved the record to its old generation when it is read. A young object that an old
 * one points to survives, also when the old one is garbage: everything that was made from the records was copied twice and collected late.
 */
export class FetchedRecord implements LogRecord {
  readonly offset: bigint;
  readonly appendTimeMs: number;
  readonly leaderEpoch: number;
  readonly foreign?: true;
  readonly size: number;
  readonly #batch: RecordBatchBytes;
  readonly #at: number;

  /** `at`: the place of its key, behind the offset delta. The fields there have passed checkFields(). `size`: its bytes in the batch. */
  constructor(batch: RecordBatchBytes, at: number, offset: bigint, appendTimeMs: number, size: number) {
    this.offset = offset;
    this.appendTimeMs = appendTimeMs;
    this.leaderEpoch = batch.leaderEpoch;
    if (batch.foreign) this.foreign = true;
    this.size = size;
    this.#batch = batch;
    this.#at = at;
  }

  get key(): Buffer | null {
    return this.#reader().varBytes();
  }

  get value(): Buffer | null {
    const c = this.#reader();
    c.skipVarBytes();
    return c.varBytes();
  }

  get headers(): readonly Header[] {
    const c = this.#reader();
    c.skipVarBytes();
    c.skipVarBytes();
    const count = c.varint();
    const headers: Header[] = [];
    for (let i = 0; i < count; i++) headers.push([this.#batch.names.read(i, c), c.varBytes()]);
    return headers;
  }

  placeHeaders(places: HeaderPlaces): void {
    const c = this.#reader();
    c.skipVarBytes();
    c.skipVarBytes();
    const { bytes, names } = this.#batch;
    places.count = 0;
    const count = c.varint();
    for (let i = 0; i < count; i++) {
      const name = names.read(i, c);
      const length = c.varint();
      const from = c.at;
      if (length > 0) c.at += length;
      places.add(name, bytes, from, length < 0 ? -1 : c.at);
    }
  }

  #reader(): ByteReader {
    const c = new ByteReader(this.#batch.bytes);
    c.at = this.#at;
    return c;
  }
}

/** Passes over key, value and headers of a record. Throws RangeError when one of them reaches behind the end of the record. */
export function checkFields(c: ByteReader, end: number): void {
  c.skipVarBytes();
  c.skipVarBytes();
  for (let n = c.varint(); n > 0; n--) {
    c.skipVarBytes();
    c.skipVarBytes();
  }
  if (c.at > end) throw new RangeError('field past the end');
}

/** Header names repeat from record to record: the string of the last record's name at the same index is used again when the bytes are equal. */
export class HeaderNames {
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
