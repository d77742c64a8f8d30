import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SentPlaces } from './sent.js';

/** What a lease token says (R9.3): an owner that has never seen the lease can act on it. */
export interface LeaseClaims {
  /** Id of the subscription. */
  readonly subscription: string;
  /** When the subscription was made: one that is made again under its name has the same id. */
  readonly createdAt: string;
  /** Of the owner that gave it. */
  readonly epoch: bigint;
  /** Number of the lease within its epoch. */
  readonly lease: string;
  /** ms since 1970. */
  readonly issuedAt: number;
  readonly until: number;
  /** What the lease was sent. */
  readonly places: readonly SentPlaces[];
}

/** The key of lease tokens, derived from that of the pseudonyms, which every process has. */
export function leaseKey(pseudonymKey: Uint8Array): Buffer {
  return createHmac('sha256', pseudonymKey).update('simpul leases').digest();
}

/** A token for these claims: base64url, some 2 bytes an event. */
export function sealLease(claims: LeaseClaims, key: Buffer): string {
  const { subscription, createdAt, epoch, lease, issuedAt, until, places } = claims;
  const head = JSON.stringify({
    s: subscription,
    c: createdAt,
    e: String(epoch),
    l: lease,
    i: issuedAt,
    u: until,
    p: places.map(({ stream, partition, offsets }) => [stream, partition, offsets.length]),
  });
  const body = Buffer.from(head).toString('base64url') + '.' + packed(places).toString('base64url');
  return `${body}.${macOf(body, key)}`;
}

/** undefined: no hub of this deployment has made it. */
export function openLease(token: string, key: Buffer): LeaseClaims | undefined {
  const end = token.lastIndexOf('.');
  const body = token.slice(0, end);
  const given = Buffer.from(token.slice(end + 1));
  const wanted = Buffer.from(macOf(body, key));
  if (end < 0 || given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
  const [head, offsets] = body.split('.');
  const { s, c, e, l, i, u, p } = JSON.parse(Buffer.from(head!, 'base64url').toString()) as Head;
  const places = unpacked(p, Buffer.from(offsets!, 'base64url'));
  return { subscription: s, createdAt: c, epoch: BigInt(e), lease: l, issuedAt: i, until: u, places };
}

interface Head {
  readonly s: string;
  readonly c: string;
  readonly e: string;
  readonly l: string;
  readonly i: number;
  readonly u: number;
  readonly p: readonly (readonly [string, number, number])[];
}

/** Arithmetic of numbers is many times as fast as that of bigints; nearly all differences are small. */
const SMALL_BITS = 28;
const SMALL = (1n << BigInt(SMALL_BITS)) - 1n;

/** Offsets as differences to the one before, 7 bits a byte. */
function packed(places: readonly SentPlaces[]): Buffer {
  const bytes: number[] = [];
  for (const { offsets } of places) {
    let before = 0n;
    for (const offset of offsets) {
      let left = offset - before;
      before = offset;
      for (; left > SMALL; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
      let small = Number(left);
      for (; small > 0x7f; small >>= 7) bytes.push((small & 0x7f) | 0x80);
      bytes.push(small);
    }
  }
  return Buffer.from(bytes);
}

function unpacked(parts: Head['p'], bytes: Buffer): readonly SentPlaces[] {
  let at = 0;
  return parts.map(([stream, partition, count]) => {
    const offsets: bigint[] = [];
    let offset = 0n;
    while (offsets.length < count) {
      let small = 0;
      let shift = 0;
      let byte = bytes[at++]!;
      for (; byte > 0x7f && shift < SMALL_BITS; byte = bytes[at++]!, shift += 7) small |= (byte & 0x7f) << shift;
      if (shift < SMALL_BITS) offset += BigInt(small | (byte << shift));
      else {
        offset += BigInt(small);
        for (; byte > 0x7f; byte = bytes[at++]!, shift += 7) offset += BigInt(byte & 0x7f) << BigInt(shift);
        offset += BigInt(byte) << BigInt(shift);
      }
      offsets.push(offset);
    }
    return { stream, partition, offsets };
  });
}

function macOf(body: string, key: Buffer): string {
  return createHmac('sha256', key).update(body).digest('base64url');
}
