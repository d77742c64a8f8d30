import { createHmac, sign, type KeyObject } from 'node:crypto';
import { privateKeyOf } from './secret.js';

/** What a sender signs with. */
export type WebhookKey =
  | { readonly kind: 'v1'; readonly secret: Buffer }
  /** Seed of an Ed25519 key, 32 bytes. */
  | { readonly kind: 'v1a'; readonly seed: Buffer };

/** Making the key of a seed takes longer than signing with it. */
const keysOfSeeds = new WeakMap<Buffer, KeyObject>();

/** `webhook-signature`: one signature for each key, separated by blanks. `timestamp`: seconds since 1970, as in `webhook-timestamp`. */
export function signatureOf(keys: readonly WebhookKey[], id: string, timestamp: number, body: Uint8Array): string {
  const head = `${id}.${timestamp}.`;
  let out = '';
  for (const key of keys) {
    if (out !== '') out += ' ';
    out += key.kind === 'v1' ? `v1,${hmacOf(key.secret, head, body)}` : `v1a,${ed25519Of(key.seed, head, body)}`;
  }
  return out;
}

export function hmacOf(secret: Buffer, head: string, body: Uint8Array): string {
  return createHmac('sha256', secret).update(head).update(body).digest('base64');
}

function ed25519Of(seed: Buffer, head: string, body: Uint8Array): string {
  let key = keysOfSeeds.get(seed);
  if (key === undefined) keysOfSeeds.set(seed, (key = privateKeyOf(seed)));
  return sign(null, Buffer.concat([Buffer.from(head), body]), key).toString('base64');
}
