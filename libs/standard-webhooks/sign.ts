import { createHmac, createSecretKey, sign, type KeyObject } from 'node:crypto';
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
export function signatureOf(by: readonly WebhookKey[], id: string, timestamp: number, body: Uint8Array): string {
  const head = `${id}.${timestamp}.`;
  let out = '';
  for (const key of by) {
    if (out !== '') out += ' ';
    out += key.kind === 'v1' ? `v1,${hmacOf(key.secret, head, body)}` : `v1a,${ed25519Of(key.seed, head, body)}`;
  }
  return out;
}

export function hmacOf(secret: Buffer, head: string, body: Uint8Array): string {
  return createHmac('sha256', keyOf(secret, createSecretKey)).update(head).update(body).digest('base64');
}

function ed25519Of(seed: Buffer, head: string, body: Uint8Array): string {
  const signed = Buffer.concat([Buffer.from(head), body]);
  return sign(null, signed, keyOf(seed, privateKeyOf)).toString('base64');
}
