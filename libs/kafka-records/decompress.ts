// Node 20 has no zstd: a named import of it would not load there.
import zlib from 'node:zlib';

/** Codec bits of a record batch. */
const GZIP = 1;
const SNAPPY = 2;
const LZ4 = 3;
const ZSTD = 4;

const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
/** Magic bytes and two version numbers. */
const XERIAL_HEAD = 16;
const LZ4_MAGIC = 0x184d2204;
/** Bits of the first byte behind the magic number. */
const LZ4_BLOCK_CHECKSUM = 0x10;
const LZ4_CONTENT_SIZE = 0x08;
const LZ4_DICTIONARY = 0x01;
const LZ4_UNCOMPRESSED = 0x80000000;
/** By their code: 64 KiB, 256 KiB, 1 MiB, 4 MiB. */
const LZ4_BLOCK_BYTES: Readonly<Record<number, number>> = { 4: 65_536, 5: 262_144, 6: 1_048_576, 7: 4_194_304 };
/** No byte of a block becomes more bytes than this. */
const LZ4_MAX_RATIO = 255;

/** This process cannot decompress a batch that another one can: it must not be passed over as unreadable. */
export class CodecMissing extends Error {
  // Not a parameter property: processes of specs load this file with its types stripped.
  readonly codec: 'snappy' | 'lz4' | 'zstd';

  constructor(codec: 'snappy' | 'lz4' | 'zstd') {
    super(`${codec} compression cannot be read here`);
    this.codec = codec;
  }
}

/** Decompression without a bound, by a client library: only for bytes whose size boundOf() has bounded. It may throw CodecMissing. */
export type Unbounded = Readonly<Record<'snappy' | 'lz4', (bytes: Buffer) => Buffer>>;

/**
 * Decompresses the body of a batch to at most `maxBytes`. undefined: an unknown codec. Throws when the bytes are not of that codec or would become
 * larger (CodecMissing when only this process cannot): 19 KB of gzip may become 1.2 GB. gzip and zstd stop at the bound; for snappy and lz4 their own heads are added up before.
 */
export function decompress(codec: number, bytes: Buffer, maxBytes: number, library: Unbounded): Buffer | undefined {
  if (codec === GZIP) return zlib.gunzipSync(bytes, { maxOutputLength: maxBytes });
  if (codec === ZSTD) {
    const { zstdDecompressSync } = zlib as { zstdDecompressSync?: typeof zlib.gunzipSync };
    if (zstdDecompressSync === undefined) throw new CodecMissing('zstd');
    return zstdDecompressSync(bytes, { maxOutputLength: maxBytes });
  }
  if (codec === SNAPPY) {
    refuseAbove(snappyBound(bytes), maxBytes);
    return library.snappy(bytes);
  }
  if (codec === LZ4) {
    const { bound, end } = lz4Bound(bytes);
    refuseAbove(bound, maxBytes);
    return library.lz4(bytes.subarray(0, end));
  }
  return undefined;
}

function refuseAbove(bound: number, maxBytes: number): void {
  if (bound > maxBytes) throw new RangeError(`the batch would become ${bound} bytes`);
}

/** A block says its size at its beginning. Java's clients put blocks into a frame of their own (xerial). */
function snappyBound(bytes: Buffer): number {
  if (!bytes.subarray(0, XERIAL.length).equals(XERIAL)) return snappySize(bytes);
  let sum = 0;
  for (let at = XERIAL_HEAD; at < bytes.length;) {
    const length = bytes.readUInt32BE(at);
    sum += snappySize(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return sum;
}

function snappySize(block: Buffer): number {
  let size = 0;
  for (let i = 0; i < 5; i++) {
    const byte = block[i];
    if (byte === undefined) throw new RangeError('snappy block without a size');
    size += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 128) return size;
  }
  throw new RangeError('snappy block with a size of more than 32 bits');
}

/** The blocks of one frame: none becomes larger than the block size of the frame. `end`: behind the frame. */
function lz4Bound(bytes: Buffer): { readonly bound: number; readonly end: number } {
  if (bytes.readUInt32LE(0) !== LZ4_MAGIC) throw new RangeError('not an lz4 frame');
  const flags = bytes.readUInt8(4);
  const blockBytes = LZ4_BLOCK_BYTES[(bytes.readUInt8(5) >> 4) & 0x07];
  if (blockBytes === undefined) throw new RangeError('lz4 block size');
  let at = 7 + ((flags & LZ4_CONTENT_SIZE) !== 0 ? 8 : 0) + ((flags & LZ4_DICTIONARY) !== 0 ? 4 : 0);
  let bound = 0;
  for (;;) {
    const head = bytes.readUInt32LE(at);
    at += 4;
    if (head === 0) break;
    const size = head % LZ4_UNCOMPRESSED;
    bound += Math.min(blockBytes, head >= LZ4_UNCOMPRESSED ? size : size * LZ4_MAX_RATIO);
    at += size + ((flags & LZ4_BLOCK_CHECKSUM) !== 0 ? 4 : 0);
  }
  // the checksum of the content
  return { bound, end: Math.min(bytes.length, at + ((flags & 0x04) !== 0 ? 4 : 0)) };
}
