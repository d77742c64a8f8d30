import { createHmac, hash, sign, type KeyObject } from 'node:crypto';
import { privateKeyOf } from './secret.js';

/** What a sender signs with. */
export type WebhookKey =
  | { readonly kind: 'v1'; readonly secret: Buffer }
  /** Seed of an Ed25519 key, 32 bytes. */
  | { readonly kind: 'v1a'; readonly seed: Buffer };

/** Making a key of bytes takes five times as long as signing with it. */
const keys = new WeakMap<Buffer, KeyObject>();

function keyOf(bytes: Buffer, make: (bytes: Buffer) => KeyObject): KeyObject {
  let key = keys.get(bytes);
  if (key === undefined) keys.set(bytes, (key = make(bytes)));
  return key;
}

/** `webhook-signature`: one signature for each key, separated by blanks. `timestamp`: seconds since 1970, as in `webhook-timestamp`. */
export function signatureOf(
  by: readonly WebhookKey[],
  id: string,
  timestamp: number,
  body: Uint8Array | string,
): string {
  const head = `${id}.${timestamp}.`;
  let out = '';
  for (const key of by) {
    if (out !== '') out += ' ';
    out += key.kind === 'v1' ? `v1,${hmacOf(key.secret, head, body)}` : `v1a,${ed25519Of(key.seed, head, body)}`;
  }
  return out;
}

/** HMAC-SHA256 as base64. */
export function hmacOf(secret: Buffer, head: string, body: Uint8Array | string): string {
  const most = BLOCK_BYTES + 3 * (head.length + body.length);
  if (most > work.length || secret.length > BLOCK_BYTES)
    return createHmac('sha256', secret).update(head).update(body).digest('base64');
  const { inner, outer } = padsOf(secret);
  work.set(inner);
  let end = BLOCK_BYTES;
  end += work.write(head, end);
  if (typeof body === 'string') end += work.write(body, end);
  else {
    work.set(body, end);
    end += body.length;
  }
  outer.set(hash('sha256', work.subarray(0, end), 'buffer'), BLOCK_BYTES);
  return hash('sha256', outer, 'base64');
}

/** By RFC 2104 of two hashes in one memory: an object of Node.js for each signature costs more than the hashing. */
const BLOCK_BYTES = 64;
const work = Buffer.alloc(65_536);

interface Pads {
  readonly inner: Buffer;
  /** With room for the inner hash. */
  readonly outer: Buffer;
}
const pads = new WeakMap<Buffer, Pads>();

function padsOf(secret: Buffer): Pads {
  let known = pads.get(secret);
  if (known === undefined) {
    const block = Buffer.alloc(BLOCK_BYTES);
    block.set(secret);
    const inner = block.map((byte) => byte ^ 0x36);
    const outer = Buffer.alloc(BLOCK_BYTES + 32);
    outer.set(block.map((byte) => byte ^ 0x5c));
    pads.set(secret, (known = { inner: Buffer.from(inner), outer }));
  }
  return known;
}

function ed25519Of(seed: Buffer, head: string, body: Uint8Array | string): string {
  const signed = Buffer.concat([Buffer.from(head), Buffer.from(body as string)]);
  return sign(null, signed, keyOf(seed, privateKeyOf)).toString('base64');
}
