import { createHmac, hash } from 'node:crypto';

/** Murmur2 hash as in Kafka's default partitioner (org.apache.kafka.common.utils.Utils.murmur2), a signed 32-bit integer. */
export function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995;
  const length = data.length;
  let h = 0x9747b28c ^ length;
  const words = length >> 2;
  for (let i = 0; i < words; i++) {
    const at = i << 2;
    let k = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    k = Math.imul(k, m);
    h = Math.imul(h, m) ^ k;
  }
  const tail = length & ~3;
  switch (length & 3) {
    case 3:
      h ^= data[tail + 2]! << 16;
    // falls through
    case 2:
      h ^= data[tail + 1]! << 8;
    // falls through
    case 1:
      h = Math.imul(h ^ data[tail]!, m);
  }
  h ^= h >>> 13;
  h = Math.imul(h, m);
  h ^= h >>> 15;
  return h | 0;
}

/** The partition of a key in a topic of `partitions` partitions, as Kafka's default partitioner computes it. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

// hash() takes one contiguous input; nearly every record fits into this buffer, so no memory is allocated for it.
const scratch = Buffer.allocUnsafeSlow(65_536);

/** `simpul-digest` (R2.6): SHA-256(uint32 big-endian(length of key) ‖ key ‖ value), 32 bytes. */
export function digestOf(key: Uint8Array, value: Uint8Array): Buffer {
  const length = 4 + key.length + value.length;
  const all = length <= scratch.length ? scratch : Buffer.allocUnsafeSlow(length);
  all.writeUInt32BE(key.length);
  all.set(key, 4);
  all.set(value, 4 + key.length);
  // Hex text first: a Buffer result would be an off-heap allocation for every record, which costs more CPU than the decoding.
  return Buffer.from(hash('sha256', all.subarray(0, length), 'hex'), 'hex');
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/**
 * The key of the pseudonyms of one stream, derived from the deployment key: the same clear text in another stream is another pseudonym (R11.8). A stream
 * that is older than this separation has the deployment key itself.
 */
export function streamPseudonymKey(deploymentKey: Uint8Array, stream: string): Buffer {
  return createHmac('sha256', deploymentKey).update(`simpul subject/pseudonym/${stream}`, 'utf8').digest();
}

/** The pseudonym of a clear subject: HMAC-SHA-256 under the key of its stream (R11), first 128 bits, base32 in lower case (26 characters). */
export function pseudonymOf(clear: string, key: Uint8Array): string {
  const mac = createHmac('sha256', key).update(clear, 'utf8').digest().subarray(0, 16);
  let bits = 0;
  let value = 0;
  let out = '';
  for (const byte of mac) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += BASE32[(value >>> bits) & 31];
    }
    value &= (1 << bits) - 1;
  }
  if (bits > 0) out += BASE32[(value << (5 - bits)) & 31];
  return out;
}
