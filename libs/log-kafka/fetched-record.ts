import type { Header } from '#event';
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
 * A record as it lies in the bytes of its batch: key, value and headers are cut out when somebody asks for them. Most of what a page fetches waits for the
 * next page, and dozens of small views a record, kept alive for so long, cost the garbage collector more than decoding them costs.
 */
export class FetchedRecord implements LogRecord {
  readonly offset: bigint;
  readonly appendTimeMs: number;
  readonly leaderEpoch: number;
  readonly foreign?: true;
  readonly #batch: RecordBatchBytes;
  readonly #at: number;
  #key: Buffer | null | undefined;
  #value: Buffer | null | undefined;
  #headers: readonly Header[] | undefined;

  /** `at`: the place of its key, behind the offset delta. The fields there have passed checkFields(). */
  constructor(batch: RecordBatchBytes, at: number, offset: bigint, appendTimeMs: number) {
    this.offset = offset;
    this.appendTimeMs = appendTimeMs;
    this.leaderEpoch = batch.leaderEpoch;
    if (batch.foreign) this.foreign = true;
    this.#batch = batch;
    this.#at = at;
  }

  get key(): Buffer | null {
    if (this.#key === undefined) this.#key = this.#reader().varBytes();
    return this.#key;
  }

  get value(): Buffer | null {
    if (this.#value === undefined) {
      const c = this.#reader();
      c.skipVarBytes();
      this.#value = c.varBytes();
    }
    return this.#value;
  }

  get headers(): readonly Header[] {
    this.#headers ??= this.#readHeaders();
    return this.#headers;
  }

  #readHeaders(): readonly Header[] {
    const c = this.#reader();
    c.skipVarBytes();
    c.skipVarBytes();
    const count = c.varint();
    const headers: Header[] = [];
    for (let i = 0; i < count; i++) headers.push([this.#batch.names.read(i, c), c.varBytes()]);
    return headers;
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
