import { FRAME_BYTES } from '#event';

const SLAB = 1024 * 1024;

/**
 * Writes frames into slabs of memory. A finished frame is a view of a slab and stays valid: no byte of a slab is written twice, and a full slab lives as long
 * as its frames. Not re-entrant: one frame at a time.
 */
export class Sink {
  buf = Buffer.allocUnsafeSlow(SLAB);
  pos = 0;
  #start = 0;

  begin(schemaId: number): void {
    this.#start = this.pos;
    this.ensure(FRAME_BYTES);
    this.buf[this.pos] = 0;
    this.buf.writeUInt32BE(schemaId, this.pos + 1);
    this.pos += FRAME_BYTES;
  }

  take(): Buffer {
    const view = this.buf.subarray(this.#start, this.pos);
    this.#start = this.pos;
    return view;
  }

  drop(): void {
    this.pos = this.#start;
  }

  /** The number of bytes of the frame so far. `rewind` accepts it also after the frame has moved to another slab. */
  mark(): number {
    return this.pos - this.#start;
  }

  rewind(mark: number): void {
    this.pos = this.#start + mark;
  }

  /** Makes room for `bytes` more. A frame that does not fit into the slab moves to a new one as a whole. */
  ensure(bytes: number): void {
    if (this.pos + bytes <= this.buf.length) return;
    const used = this.pos - this.#start;
    const next = Buffer.allocUnsafeSlow(Math.max(SLAB, (used + bytes) * 2));
    this.buf.copy(next, 0, this.#start, this.pos);
    this.buf = next;
    this.#start = 0;
    this.pos = used;
  }

  byte(b: number): void {
    this.ensure(1);
    this.buf[this.pos++] = b;
  }

  /** Zigzag varint of a safe integer. */
  long(n: number): void {
    this.ensure(10);
    if (n >= -1_073_741_824 && n <= 1_073_741_823) {
      let z = ((n << 1) ^ (n >> 31)) >>> 0;
      while (z > 127) {
        this.buf[this.pos++] = (z & 127) | 128;
        z >>>= 7;
      }
      this.buf[this.pos++] = z;
      return;
    }
    // Twice a safe integer can exceed 2^53, so the lowest bit of the zigzag value (its sign) is kept separate.
    let half = n >= 0 ? n : -n - 1;
    this.buf[this.pos++] = ((half % 64) * 2 + (n >= 0 ? 0 : 1)) | 128;
    half = Math.floor(half / 64);
    while (half > 127) {
      this.buf[this.pos++] = (half % 128) | 128;
      half = Math.floor(half / 128);
    }
    this.buf[this.pos++] = half;
  }

  bigLong(n: bigint): void {
    this.ensure(10);
    let z = BigInt.asUintN(64, (n << 1n) ^ (n >> 63n));
    while (z > 127n) {
      this.buf[this.pos++] = Number(z & 127n) | 128;
      z >>= 7n;
    }
    this.buf[this.pos++] = Number(z);
  }

  bytes(b: Uint8Array): void {
    this.long(b.length);
    this.raw(b);
  }

  raw(b: Uint8Array): void {
    this.ensure(b.length);
    this.buf.set(b, this.pos);
    this.pos += b.length;
  }

  double(n: number): void {
    this.ensure(8);
    this.pos = this.buf.writeDoubleLE(n, this.pos);
  }

  float(n: number): void {
    this.ensure(4);
    this.pos = this.buf.writeFloatLE(n, this.pos);
  }

  /** Writes a text of at most 63 ASCII characters without NUL, in one pass. For any other text it writes nothing and answers false. */
  shortAscii(text: string): boolean {
    const n = text.length;
    if (n > 63) return false;
    this.ensure(n + 1);
    const { buf } = this;
    let at = this.pos + 1;
    for (let i = 0; i < n; i++) {
      const c = text.charCodeAt(i);
      if (c > 127 || c === 0) return false;
      buf[at++] = c;
    }
    buf[this.pos] = n << 1;
    this.pos = at;
    return true;
  }

  text(text: string): void {
    const n = Buffer.byteLength(text);
    this.long(n);
    this.ensure(n);
    this.pos += this.buf.write(text, this.pos);
  }
}
