/** Reads the primitive types of the Kafka protocol one after the other. Reading past the end throws RangeError. */
export class ByteReader {
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
    const first = this.bytes[this.at];
    if (first !== undefined && first < 128) {
      this.at++;
      return first;
    }
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
  /** Passes over bytes with a zigzag length. */
  skipVarBytes(): void {
    const length = this.varint();
    if (length > 0) this.at += length;
  }
  /** Text with an unsigned length plus 1 (a compact string), 0 = undefined. */
  compactText(): string | undefined {
    const length = this.unsigned() - 1;
    if (length < 0) return undefined;
    const end = this.at + length;
    if (end > this.bytes.length) throw new RangeError('text past the end');
    const value = this.bytes.toString('utf8', this.at, end);
    this.at = end;
    return value;
  }
  /** UUID, hyphenated. */
  uuid(): string {
    const hex = this.bytes.toString('hex', this.at, this.at + 16);
    this.at += 16;
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }
  /** Passes over the tagged fields at the end of a structure. */
  skipTags(): void {
    for (let n = this.unsigned(); n > 0; n--) {
      this.unsigned();
      this.at += this.unsigned();
    }
  }
}

/** Writes the primitive types of the Kafka protocol into a buffer that the caller has made large enough. */
export class ByteWriter {
  at = 0;
  readonly bytes: Buffer;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
  /** Unsigned varint. */
  unsigned(n: number): void {
    let rest = n;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.bytes[this.at++] = (rest % 128) + 128;
    this.bytes[this.at++] = rest;
  }
  /** Zigzag varint. */
  varint(n: number): void {
    this.unsigned(n >= 0 ? n * 2 : -n * 2 - 1);
  }
  put(bytes: Buffer): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }
  /** Bytes with a zigzag length, -1 = null. */
  varBytes(bytes: Buffer | null): void {
    if (bytes === null) this.varint(-1);
    else {
      this.varint(bytes.length);
      this.put(bytes);
    }
  }
}

/** Bytes that a number of 0 or more takes as a zigzag varint. */
export function varintSize(n: number): number {
  return n < 64 ? 1 : n < 8_192 ? 2 : n < 1_048_576 ? 3 : n < 134_217_728 ? 4 : 5;
}

/** Bytes that a number of 0 or more takes as an unsigned varint. */
export function unsignedSize(n: number): number {
  return n < 128 ? 1 : n < 16_384 ? 2 : n < 2_097_152 ? 3 : n < 268_435_456 ? 4 : 5;
}
