import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const FORM = /^simpul_([0-9a-f]{8})_([A-Za-z0-9_-]{43})$/;

export interface NewKey {
  readonly id: string;
  /** Part of the key by which its row is found; not secret. */
  readonly prefix: string;
  /** The whole key text: shown once, never stored. */
  readonly text: string;
  /** SHA-256 of the text, hex. */
  readonly sha256: string;
}

/** A new key `simpul_<8 hex>_<43 base64url>`: a prefix and 256 random bits. */
export function makeKey(random: (bytes: number) => Buffer = randomBytes): NewKey {
  const prefix = random(4).toString('hex');
  const text = `simpul_${prefix}_${random(32).toString('base64url')}`;
  return { id: `K${prefix}`, prefix, text, sha256: hashOf(text) };
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The key in `Authorization: Bearer <key>`, and its prefix; undefined when the header is not of this form. */
export function parseBearer(
  header: string | undefined,
): { readonly prefix: string; readonly text: string } | undefined {
  if (header === undefined || header.length > 100) return undefined;
  const space = header.indexOf(' ');
  if (header.slice(0, space).toLowerCase() !== 'bearer') return undefined;
  const text = header.slice(space + 1).trim();
  const m = FORM.exec(text);
  return m ? { prefix: m[1]!, text } : undefined;
}

/** Compares two SHA-256 hashes (hex) in constant time. */
export function sameHash(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a, 'hex'), Buffer.from(b, 'hex'));
}
