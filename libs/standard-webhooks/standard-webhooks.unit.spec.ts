import { describe, expect, it } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import {
  newSecret,
  newSeed,
  parsePublicKey,
  parseSecret,
  publicKeyOf,
  secretText,
  signatureOf,
  verifyWebhook,
} from './index.js';

/** The fixed secret of the test vectors of Standard Webhooks. */
const VECTOR = 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const body = JSON.stringify({ test: 2_432_232_314, nama: 'Siti – “percobaan”' });
const now = () => Math.floor(Date.now() / 1_000);
const headersOf = (id: string, timestamp: number | string, signature: string) => ({
  'webhook-id': id,
  'webhook-timestamp': String(timestamp),
  'webhook-signature': signature,
});
const signed = (secret: Buffer, timestamp = now(), id = 'msg_p5jXN8AQM9LWM0D4loKWxJek') =>
  headersOf(id, timestamp, signatureOf([{ kind: 'v1', secret }], id, timestamp, Buffer.from(body)));

describe('signatures of webhooks', () => {
  it('v1 is what standardwebhooks computes, and standardwebhooks verifies it', () => {
    const secret = parseSecret(VECTOR)!;
    const headers = signed(secret);
    expect(headers['webhook-signature']).toBe(
      new Webhook(VECTOR).sign(headers['webhook-id'], new Date(Number(headers['webhook-timestamp']) * 1_000), body),
    );
    expect(new Webhook(secretText(secret)).verify(body, headers)).toEqual(JSON.parse(body));
    expect(() => new Webhook(VECTOR).verify(`${body} `, headers)).toThrow('No matching signature');
  });

  it('v1 is HMAC-SHA256 of whatever bytes or text, short and long, in any order', () => {
    const bodies = ['', 'x', 'é–😀', 'y'.repeat(5_000), 'ß'.repeat(12_000), 'z'.repeat(70_000), 'a'];
    for (const bytes of [24, 32, 64])
      for (const text of bodies) {
        const secret = newSecret().subarray(0, Math.min(bytes, 32));
        const key = Buffer.concat([secret, secret]).subarray(0, bytes);
        const expected = `v1,${createHmac('sha256', key).update(`msg_1.7.${text}`).digest('base64')}`;
        for (const sent of [text, Buffer.from(text)])
          expect(signatureOf([{ kind: 'v1', secret: key }], 'msg_1', 7, sent)).toBe(expected);
      }
  });

  it('are verified here when standardwebhooks made them', () => {
    const at = now();
    const headers = headersOf('msg_1', at, new Webhook(`whsec_${VECTOR}`).sign('msg_1', new Date(at * 1_000), body));
    expect(verifyWebhook({ headers, body }, VECTOR)).toEqual({ ok: true, id: 'msg_1', timestamp: at });
    expect(verifyWebhook({ headers, body: Buffer.from(body) }, `whsec_${VECTOR}`).ok).toBe(true);
  });

  it('of a fixed moment are the same for ever', () => {
    const signature = signatureOf(
      [{ kind: 'v1', secret: parseSecret(VECTOR)! }],
      'msg_p5jXN8AQM9LWM0D4loKWxJek',
      1_614_265_330,
      Buffer.from('{"test": 2432232314}'),
    );
    expect(signature).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  it('during a rotation there is one for each secret, and a receiver with either accepts it', () => {
    const [older, newer] = [newSecret(), newSecret()];
    const at = now();
    const keys = [newer, older].map((secret) => ({ kind: 'v1' as const, secret }));
    const headers = headersOf('msg_2', at, signatureOf(keys, 'msg_2', at, Buffer.from(body)));
    expect(headers['webhook-signature'].split(' ')).toHaveLength(2);
    for (const secret of [older, newer]) {
      expect(new Webhook(secretText(secret)).verify(body, headers)).toEqual(JSON.parse(body));
      expect(verifyWebhook({ headers, body }, secretText(secret)).ok).toBe(true);
    }
    const third = secretText(newSecret());
    expect(verifyWebhook({ headers, body }, third)).toEqual({ ok: false, reason: 'no_signature_fits' });
    expect(verifyWebhook({ headers, body }, [third, secretText(older)]).ok).toBe(true);
  });

  it('v1a is verified with the public key, and by no other', () => {
    const seed = newSeed();
    const at = now();
    const bytes = Buffer.from([0, 255, 1, 200]);
    const headers = headersOf('msg_3', at, signatureOf([{ kind: 'v1a', seed }], 'msg_3', at, bytes));
    expect(headers['webhook-signature']).toMatch(/^v1a,[A-Za-z0-9+/]{86}==$/);
    expect(verifyWebhook({ headers, body: bytes }, publicKeyOf(seed)).ok).toBe(true);
    expect(verifyWebhook({ headers, body: bytes }, publicKeyOf(newSeed())).ok).toBe(false);
    expect(verifyWebhook({ headers, body: Buffer.from([0, 255, 1, 201]) }, publicKeyOf(seed)).ok).toBe(false);
  });

  it.each([
    ['another id', { 'webhook-id': 'msg_other' }, 'no_signature_fits'],
    ['another moment', { 'webhook-timestamp': String(now() - 1) }, 'no_signature_fits'],
    ['no id', { 'webhook-id': undefined }, 'headers_missing'],
    ['two signature headers', { 'webhook-signature': ['v1,a', 'v1,b'] }, 'headers_missing'],
    ['a moment that is no number', { 'webhook-timestamp': '1e9' }, 'timestamp_invalid'],
    ['a signature of another kind', { 'webhook-signature': 'v2,AAAA' }, 'no_signature_fits'],
    ['a signature that is cut', { 'webhook-signature': 'v1,AAAA' }, 'no_signature_fits'],
    ['a v1 signature called v1a', { 'webhook-signature': 'v1a,AAAA' }, 'no_signature_fits'],
  ])('with %s are refused', (_what, change, reason) => {
    const secret = newSecret();
    const headers = { ...signed(secret), ...change };
    expect(verifyWebhook({ headers, body }, secretText(secret))).toEqual({ ok: false, reason });
  });

  it('that are more than five minutes away are refused', () => {
    const secret = newSecret();
    const at = now();
    const of = (timestamp: number) =>
      verifyWebhook({ headers: signed(secret, timestamp), body }, secretText(secret), { now: at * 1_000 });
    expect([of(at - 300).ok, of(at + 300).ok]).toEqual([true, true]);
    expect(of(at - 301)).toEqual({ ok: false, reason: 'timestamp_too_old' });
    expect(of(at + 301)).toEqual({ ok: false, reason: 'timestamp_too_new' });
  });
});

describe('secrets and keys of webhooks', () => {
  it('are read as they are written', () => {
    const secret = newSecret();
    expect(secretText(secret)).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(parseSecret(secretText(secret))).toEqual(secret);
    expect(publicKeyOf(newSeed())).toMatch(/^whpk_[A-Za-z0-9+/]{43}=$/);
    expect(parsePublicKey(publicKeyOf(newSeed()))?.asymmetricKeyType).toBe('ed25519');
  });

  it.each(['', 'whsec_', 'whsec_AAAA', 'whsec_not base64 at all, but long enough....', `whsec_${'A'.repeat(88)}`])(
    'that are none are not taken: %p',
    (text) => {
      expect(parseSecret(text)).toBeUndefined();
      expect(() => verifyWebhook({ headers: {}, body: '' }, text)).toThrow(TypeError);
    },
  );

  it('cannot be left out by a receiver', () => {
    expect(() => verifyWebhook({ headers: {}, body: '' }, [])).toThrow(TypeError);
    expect(parsePublicKey('whpk_AAAA')).toBeUndefined();
  });
});
