import { CodecMissing, decompress, type Codecs } from '#kafka-records';

const TABLES = Array.from({ length: 8 }, () => new Int32Array(256));
for (let byte = 0; byte < 256; byte++) {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1;
  TABLES[0]![byte] = sum;
}
for (let n = 1; n < 8; n++)
  for (let byte = 0; byte < 256; byte++) {
    const below = TABLES[n - 1]![byte]!;
    TABLES[n]![byte] = (below >>> 8) ^ TABLES[0]![below & 255]!;
  }
const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/** CRC-32C, eight bytes at a time: the packages of a unit bring no native module. */
export function crc32c(b: Buffer): number {
  let sum = -1;
  let i = 0;
  for (const whole = b.length - 7; i < whole; i += 8) {
    const low = sum ^ (b[i]! | (b[i + 1]! << 8) | (b[i + 2]! << 16) | (b[i + 3]! << 24));
    sum =
      t7[low & 255]! ^
      t6[(low >>> 8) & 255]! ^
      t5[(low >>> 16) & 255]! ^
      t4[low >>> 24]! ^
      t3[b[i + 4]!]! ^
      t2[b[i + 5]!]! ^
      t1[b[i + 6]!]! ^
      t0[b[i + 7]!]!;
  }
  for (; i < b.length; i++) sum = (sum >>> 8) ^ t0[(sum ^ b[i]!) & 255]!;
  return ~sum >>> 0;
}

const missing = (codec: 'snappy' | 'lz4') => (): never => {
  throw new CodecMissing(codec);
};
const UNBOUNDED = { snappy: missing('snappy'), lz4: missing('lz4') };

/** What Node itself can read. Gateways write without compression. */
export const CODECS: Codecs = {
  crc32c,
  decompress: (codec, bytes, maxBytes) => decompress(codec, bytes, maxBytes, UNBOUNDED),
};
