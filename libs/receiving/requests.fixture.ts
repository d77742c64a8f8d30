import { Webhook } from 'standardwebhooks';
import type { ReadEvent } from '#reading';
import { signatureOf } from '#standard-webhooks';
import { readEvent } from '../webhooks/events.fixture.js';
import { formOf } from '../webhooks/forms.js';

export { readEvent } from '../webhooks/events.fixture.js';

export const KEY = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
export const SECRET = `whsec_${KEY.toString('base64')}`;
export const OTHER_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
export const SUBSCRIPTION = 'sub_00000000000000000000';

export interface Made {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

let serial = 0;

/** A request as the hub sends it; `id` and `try` as given, signed now unless `at` (seconds) says when. */
export function made(
  mode: 'structured' | 'binary' | 'batch',
  events: readonly ReadEvent[] = [readEvent()],
  more: { data?: 'json' | 'avro'; id?: string; try?: number; at?: number; key?: Buffer } = {},
): Made {
  const id = more.id ?? `msg_${++serial}`;
  const form = formOf(
    { mode, data: more.data ?? 'json' },
    { id, subscription: SUBSCRIPTION, events, try: more.try ?? 1 },
  )!;
  const lines = form.headers.text.split('\r\n').slice(0, -1);
  const headers = Object.fromEntries(lines.map((line) => line.split(/: (.*)/).slice(0, 2))) as Record<string, string>;
  return signed(headers, form.body, more);
}

/** The same request with a signature of our own code. */
export function signed(
  headers: Record<string, string>,
  body: Buffer | string,
  more: { at?: number; key?: Buffer } = {},
): Made {
  const bytes = Buffer.from(body);
  const at = more.at ?? Math.floor(Date.now() / 1_000);
  const signature = signatureOf([{ kind: 'v1', secret: more.key ?? KEY }], headers['webhook-id']!, at, bytes);
  return { headers: { ...headers, 'webhook-timestamp': String(at), 'webhook-signature': signature }, body: bytes };
}

/** Signed by npm `standardwebhooks`. */
export function signedByOthers(headers: Record<string, string>, body: string): Made {
  const at = Math.floor(Date.now() / 1_000);
  const signature = new Webhook(SECRET).sign(headers['webhook-id']!, new Date(at * 1_000), body);
  return {
    headers: { ...headers, 'webhook-timestamp': String(at), 'webhook-signature': signature },
    body: Buffer.from(body),
  };
}
