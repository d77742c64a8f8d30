import { createHmac, timingSafeEqual } from 'node:crypto';
import { formatPosition } from '#event';
import type { Place } from '../port.js';

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
  /** What the lease was sent, by stream and partition, offsets ascending. */
  readonly places: readonly SentPlaces[];
}

export interface SentPlaces {
  readonly stream: string;
  readonly partition: number;
  readonly offsets: readonly bigint[];
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

/** What was sent up to these positions, each in its partition, but for `except`. undefined: one of them was not sent. */
export function sentThrough(
  { places }: Pick<LeaseClaims, 'places'>,
  through: readonly Place[],
  except: readonly Place[] = [],
): readonly Place[] | undefined {
  const sentAt = ({ stream, partition }: Place): readonly bigint[] =>
    places.find((p) => p.stream === stream && p.partition === partition)?.offsets ?? [];
  if (![...through, ...except].every((place) => sentAt(place).includes(place.offset))) return undefined;
  const found = new Map<string, Place>();
  for (const place of through) {
    const { stream, partition } = place;
    for (const offset of sentAt(place))
      if (offset <= place.offset) found.set(formatPosition(stream, partition, offset), { stream, partition, offset });
  }
  for (const { stream, partition, offset } of except) found.delete(formatPosition(stream, partition, offset));
  return [...found.values()];
}

/** Offsets as differences to the one before, 7 bits a byte. */
function packed(places: readonly SentPlaces[]): Buffer {
  const bytes: number[] = [];
  for (const { offsets } of places) {
    let before = 0n;
    for (const offset of offsets) {
      let left = offset - before;
      before = offset;
      for (; left > 0x7fn; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
      bytes.push(Number(left));
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
      let shift = 0n;
      let byte: number;
      do {
        byte = bytes[at++]!;
        offset += BigInt(byte & 0x7f) << shift;
        shift += 7n;
      } while (byte > 0x7f);
      offsets.push(offset);
    }
    return { stream, partition, offsets };
  });
}

function macOf(body: string, key: Buffer): string {
  return createHmac('sha256', key).update(body).digest('base64url');
}
