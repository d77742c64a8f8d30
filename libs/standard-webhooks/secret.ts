import { createPrivateKey, createPublicKey, randomBytes, type KeyObject } from 'node:crypto';

const SECRET = 'whsec_';
const PUBLIC = 'whpk_';
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** DER of an Ed25519 key up to its 32 bytes (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const SEED_BYTES = 32;

/** A new HMAC secret: 32 random bytes. */
export function newSecret(): Buffer {
  return randomBytes(32);
}

/** As its owner gets it: `whsec_` and base64. */
export function secretText(secret: Buffer): string {
  return SECRET + secret.toString('base64');
}

/** The bytes of `whsec_…`, also without the prefix. undefined: not base64, or not 24 to 64 bytes. */
export function parseSecret(text: string): Buffer | undefined {
  const bytes = bytesOf(text, SECRET);
  return bytes !== undefined && bytes.length >= 24 && bytes.length <= 64 ? bytes : undefined;
}

/** The seed of a new Ed25519 key. */
export function newSeed(): Buffer {
  return randomBytes(SEED_BYTES);
}

/** The public key of a seed as receivers get it: `whpk_` and the base64 of its 32 bytes. */
export function publicKeyOf(seed: Buffer): string {
  const spki = createPublicKey(privateKeyOf(seed)).export({ type: 'spki', format: 'der' });
  return PUBLIC + spki.subarray(SPKI.length).toString('base64');
}

/** The key of `whpk_…`. undefined: not base64 of 32 bytes. */
export function parsePublicKey(text: string): KeyObject | undefined {
  const bytes = text.startsWith(PUBLIC) ? bytesOf(text, PUBLIC) : undefined;
  if (bytes?.length !== SEED_BYTES) return undefined;
  return createPublicKey({ key: Buffer.concat([SPKI, bytes]), format: 'der', type: 'spki' });
}

export function privateKeyOf(seed: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
}

function bytesOf(text: string, prefix: string): Buffer | undefined {
  const base64 = text.startsWith(prefix) ? text.slice(prefix.length) : text;
  return BASE64.test(base64) ? Buffer.from(base64, 'base64') : undefined;
}
