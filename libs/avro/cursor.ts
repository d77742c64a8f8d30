import { isUtf8 } from 'node:buffer';
import type { Text } from '#faults';
import { texts } from './texts.js';
import { escapeToken, MAX_ITEMS } from './walk.js';

/** Values that take no bytes, at most per event: their number cannot be bounded by the size of the data. */
const MAX_ZERO_SIZE = 1_000;

/** Why foreign bytes are refused. Never leaves this room. */
export class Broken extends Error {
  constructor(
    readonly code: 'avro_decode_failed' | 'avro_limit_exceeded',
    readonly reason: Text,
  ) {
    super(reason.code);
  }
}

/** The same bytes as a Buffer. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Strict, bounded reading of Avro bytes. Every method throws Broken instead of reading past the end or accepting a non-canonical form. */
export class Cursor {
  readonly buf: Buffer;
  readonly end: number;
  readonly path: (string | number)[] = [];
  depth = 0;
  #items = 0;
  #zeroSize = 0;

  constructor(
    bytes: Uint8Array,
    public pos: number,
  ) {
    this.buf = bufferOf(bytes);
    this.end = bytes.length;
  }

  fail(reason: Text): never {
    throw new Broken('avro_decode_failed', reason);
  }

  pointer(): string {
    let out = '/data';
    for (let i = 0; i < this.depth; i++) out += `/${escapeToken(this.path[i]!)}`;
    return out;
  }

  /** Counts values that take no bytes; only a count can limit them. */
  zeroSize(count: number): void {
    this.#zeroSize += count;
    if (this.#zeroSize > MAX_ZERO_SIZE)
      throw new Broken('avro_limit_exceeded', texts.too_many_empty_values({ most: MAX_ZERO_SIZE }));
  }

  /** Number of entries of the next block; 0 = the list has ended. `blockEnd` is the offset where the block must end, -1 when the block has no size. */
  blockEnd = -1;
  block(leastItem: number): number {
    let count = this.length64();
    this.blockEnd = -1;
    if (count < 0) {
      count = -count;
      const size = this.length64();
      if (size < 0 || size > this.end - this.pos) this.fail(texts.block_size_beyond_data());
      this.blockEnd = this.pos + size;
    }
    if (count === 0) return 0;
    this.#items += count;
    if (this.#items > MAX_ITEMS) throw new Broken('avro_limit_exceeded', texts.too_many_entries({ most: MAX_ITEMS }));
    if (leastItem === 0) this.zeroSize(count);
    else if (count > (this.end - this.pos) / leastItem) this.fail(texts.count_beyond_data());
    return count;
  }

  endBlock(end: number): void {
    if (end >= 0 && this.pos !== end) this.fail(texts.block_of_other_size());
  }

  /** A long that is used as a count; a value beyond 2^53 exceeds every limit. */
  private length64(): number {
    const n = this.long();
    if (typeof n === 'number') return n;
    throw new Broken('avro_limit_exceeded', texts.too_many_entries({ most: MAX_ITEMS }));
  }

  int(): number {
    const n = this.long();
    if (typeof n !== 'number' || n !== (n | 0)) return this.fail(texts.int_outside_32_bits());
    return n;
  }

  /** A number when it is a safe integer, else a bigint. Refuses more than 64 bits and varints that are longer than needed. */
  long(): number | bigint {
    const { buf, end } = this;
    let at = this.pos;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 7; i++) {
      if (at >= end) return this.fail(texts.data_ends_in_number());
      const b = buf[at++]!;
      value += (b & 127) * scale;
      if (b < 128) {
        if (b === 0 && i > 0) return this.fail(texts.number_too_long());
        this.pos = at;
        const odd = value % 2;
        const half = (value - odd) / 2;
        return odd === 0 ? half : -half - 1;
      }
      scale *= 128;
    }
    return this.bigLong(BigInt(value), at);
  }

  private bigLong(low: bigint, from: number): number | bigint {
    let value = low;
    let at = from;
    for (let i = 7; i < 10; i++) {
      if (at >= this.end) return this.fail(texts.data_ends_in_number());
      const b = this.buf[at++]!;
      value |= BigInt(b & 127) << BigInt(7 * i);
      if (b < 128) {
        if (b === 0) return this.fail(texts.number_too_long());
        if (value >= 1n << 64n) return this.fail(texts.number_over_64_bits());
        this.pos = at;
        const n = (value >> 1n) ^ -(value & 1n);
        const plain = Number(n);
        return Number.isSafeInteger(plain) ? plain : n;
      }
    }
    return this.fail(texts.number_over_64_bits());
  }

  bool(): boolean {
    const b = this.buf[this.take(1)]!;
    if (b > 1) this.fail(texts.boolean_byte());
    return b === 1;
  }

  index(count: number, outside: Text): number {
    const i = this.int();
    if (i < 0 || i >= count) this.fail(outside);
    return i;
  }

  double(): number {
    const n = this.buf.readDoubleLE(this.take(8));
    return Number.isFinite(n) ? n : this.fail(texts.number_not_finite());
  }

  float(): number {
    const n = this.buf.readFloatLE(this.take(4));
    return Number.isFinite(n) ? n : this.fail(texts.number_not_finite());
  }

  /** Steps over the next n bytes and answers where they start. */
  take(n: number): number {
    const at = this.pos;
    if (n > this.end - at) this.fail(texts.data_ends_early());
    this.pos = at + n;
    return at;
  }

  slice(n: number): Buffer {
    const at = this.take(n);
    return this.buf.subarray(at, at + n);
  }

  bytes(): Buffer {
    return this.slice(this.length());
  }

  private length(): number {
    const n = this.long();
    if (typeof n !== 'number') return this.fail(texts.length_beyond_data());
    return n < 0 ? this.fail(texts.negative_length()) : n;
  }

  text(): string {
    const n = this.length();
    const at = this.take(n);
    if (this.isAscii(at, n)) return this.buf.toString('latin1', at, at + n);
    return this.buf.toString('utf8', at, at + n);
  }

  skipText(): void {
    const n = this.length();
    this.isAscii(this.take(n), n);
  }

  /** True for short ASCII text. For any other text it checks that the bytes are UTF-8. */
  private isAscii(at: number, n: number): boolean {
    if (n <= 64) {
      let i = at;
      while (i < at + n && this.buf[i]! < 128) i++;
      if (i === at + n) return true;
    }
    if (!isUtf8(this.buf.subarray(at, at + n))) this.fail(texts.text_not_utf8());
    return false;
  }
}
