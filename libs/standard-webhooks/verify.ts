import { timingSafeEqual, verify } from 'node:crypto';
import { parsePublicKey, parseSecret } from './secret.js';
import { hmacOf } from './sign.js';

/** A request as it came in. */
export interface SignedRequest {
  /** Names in lower case, as Node.js gives them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The bytes of the body before anything parsed them; a string counts as UTF-8. */
  readonly body: Uint8Array | string;
}

export interface VerifyOptions {
  /** Seconds that the timestamp may lie in the past or in the future. @default 300 */
  readonly toleranceSeconds?: number;
  /** Milliseconds since 1970. @default the clock of this process */
  readonly now?: number;
}

export type Verification =
  | {
      readonly ok: true;
      readonly id: string;
      /** Seconds since 1970: when this attempt was signed. */ readonly timestamp: number;
    }
  | {
      readonly ok: false;
      readonly reason:
        'headers_missing' | 'timestamp_invalid' | 'timestamp_too_old' | 'timestamp_too_new' | 'no_signature_fits';
    };

/**
 * Whether a request was signed with one of these keys (`whsec_…`, `whpk_…`; two during a rotation) and not too long ago. A repeat of the same delivery has the same
 * `id`: remember the ids that were handled. Throws a TypeError for a key that is none: that is an error of the receiver's own settings, not of the request.
 */
export function verifyWebhook(
  request: SignedRequest,
  keys: string | readonly string[],
  options: VerifyOptions = {},
): Verification {
  const parsed = (typeof keys === 'string' ? [keys] : keys).map(keyOf);
  if (parsed.length === 0) throw new TypeError('no key to verify webhooks with');
  const id = one(request, 'webhook-id');
  const time = one(request, 'webhook-timestamp');
  const signatures = one(request, 'webhook-signature');
  if (id === undefined || time === undefined || signatures === undefined)
    return { ok: false, reason: 'headers_missing' };
  if (!/^\d{1,12}$/.test(time)) return { ok: false, reason: 'timestamp_invalid' };
  const timestamp = Number(time);
  const age = Math.floor((options.now ?? Date.now()) / 1_000) - timestamp;
  const tolerance = options.toleranceSeconds ?? 300;
  if (age > tolerance) return { ok: false, reason: 'timestamp_too_old' };
  if (-age > tolerance) return { ok: false, reason: 'timestamp_too_new' };
  const body = typeof request.body === 'string' ? Buffer.from(request.body) : request.body;
  const head = `${id}.${time}.`;
  for (const offered of signatures.split(' ').slice(0, MAX_SIGNATURES)) {
    const [version, base64 = ''] = offered.split(',', 2);
    const bytes = Buffer.from(base64, 'base64');
    for (const fits of parsed) if (fits(version, bytes, head, body)) return { ok: true, id, timestamp };
  }
  return { ok: false, reason: 'no_signature_fits' };
}

/** A header with more of them costs a receiver more than it is worth. */
const MAX_SIGNATURES = 16;

type Fits = (version: string | undefined, signature: Buffer, head: string, body: Uint8Array) => boolean;

function keyOf(text: string): Fits {
  const publicKey = parsePublicKey(text);
  if (publicKey !== undefined)
    return (version, signature, head, body) =>
      version === 'v1a' && verify(null, Buffer.concat([Buffer.from(head), body]), publicKey, signature);
  const secret = parseSecret(text);
  if (secret === undefined) throw new TypeError('a key to verify webhooks with is whsec_ or whpk_ and base64');
  return (version, signature, head, body) => {
    if (version !== 'v1') return false;
    const expected = Buffer.from(hmacOf(secret, head, body), 'base64');
    return signature.length === expected.length && timingSafeEqual(signature, expected);
  };
}

/** A header that comes twice is not one that was signed. */
function one({ headers }: SignedRequest, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
