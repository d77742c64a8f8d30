import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { Fault } from '#faults';
import { newSecret, publicKeyOf, secretText, type WebhookKey } from '#standard-webhooks';
import { SUBSCRIPTIONS_TOPIC, type SealedSecret, type Subscription } from './subscription.js';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Form of what is sealed, so that a later one can be told from it. */
const FORM = 'a.';
/** How long the secret before is valid after a rotation, ms. */
export const ROTATION_MS = 24 * 3_600_000;

/** A subscription with secrets, as far as they need it. */
export type Keyed = Pick<Subscription, 'id' | 'secrets' | 'target'>;

export interface MadeSecret {
  readonly sealed: SealedSecret;
  /** `whsec_…`, for the owner: it is in one answer only. */
  readonly text: string;
}

/** Whoever has it can verify webhooks, and nothing more: it is no secret. */
export interface PublicKey {
  /** `whpk_…` of Standard Webhooks. */
  readonly key: string;
  /** RFC 3339: it was replaced, and signs until then too. Absent: it does not end. */
  readonly validUntil?: string;
}

/** The key under which the secrets of webhooks are sealed, derived from that of the pseudonyms, which every process of a deployment has. 32 bytes. */
export function webhookSealKey(pseudonymKey: Uint8Array): Buffer {
  return derived(pseudonymKey, Buffer.alloc(0), 'simpul webhook secrets');
}

/** A new secret of the subscription with this id. It can be opened for that subscription only. */
export function makeSecret(id: string, sealKey: Buffer): MadeSecret {
  const secret = newSecret();
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, sealKey, iv).setAAD(Buffer.from(id));
  const body = Buffer.concat([iv, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  return { sealed: { sealed: FORM + body.toString('base64url') }, text: secretText(secret) };
}

/** The secrets after a rotation at `now`: the new one, and the newest of the others that is still valid, for 24 h at most. */
export function rotated(secrets: readonly SealedSecret[], made: SealedSecret, now: number): readonly SealedSecret[] {
  const [before] = validAt(secrets, now);
  if (before === undefined) return [made];
  const end = Math.min(endOf(before), now + ROTATION_MS);
  return [made, { ...before, validUntil: new Date(end).toISOString() }];
}

/**
 * What signs the webhooks of a subscription at `now`, the newest first: two keys during a rotation. For `v1a` the seeds of Ed25519 keys: a seed is made of the secret and the
 * key of the deployment, so whoever has the secret cannot sign in its name. Empty for a target that is no webhook. Fault `control_record_unreadable`: a secret was
 * sealed with another key, or for another subscription.
 */
export function openKeys(subscription: Keyed, sealKey: Buffer, now: number): readonly WebhookKey[] {
  const { id, target, secrets } = subscription;
  if (target.kind !== 'webhook') return [];
  return validAt(secrets, now).map((sealed): WebhookKey => {
    const secret = opened(id, sealed, sealKey);
    return target.signature === 'v1a' ? { kind: 'v1a', seed: seedOf(secret, sealKey) } : { kind: 'v1', secret };
  });
}

/** What verifies the webhooks of a subscription with `v1a`, the newest first: two during a rotation. Empty for all others. Fault as openKeys. */
export function publicKeysOf(subscription: Keyed, sealKey: Buffer, now: number): readonly PublicKey[] {
  const valid = validAt(subscription.secrets, now);
  return openKeys(subscription, sealKey, now).flatMap((key, i) => {
    if (key.kind !== 'v1a') return [];
    const { validUntil } = valid[i]!;
    return [{ key: publicKeyOf(key.seed), ...(validUntil === undefined ? {} : { validUntil }) }];
  });
}

const validAt = (secrets: readonly SealedSecret[], now: number): readonly SealedSecret[] =>
  secrets.filter((secret) => now < endOf(secret));

const endOf = ({ validUntil }: SealedSecret): number =>
  validUntil === undefined ? Number.POSITIVE_INFINITY : Date.parse(validUntil);

function opened(id: string, { sealed }: SealedSecret, sealKey: Buffer): Buffer {
  try {
    if (!sealed.startsWith(FORM)) throw new TypeError('a form of another version');
    const body = Buffer.from(sealed.slice(FORM.length), 'base64url');
    const decipher = createDecipheriv(CIPHER, sealKey, body.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(id)).setAuthTag(body.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(body.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw new Fault('control_record_unreadable', { detail: `${SUBSCRIPTIONS_TOPIC}: a secret of ${id}`, cause });
  }
}

const seedOf = (secret: Buffer, sealKey: Buffer): Buffer => derived(secret, sealKey, 'simpul ed25519 seed');

function derived(key: Uint8Array, salt: Uint8Array, use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, use, 32));
}
