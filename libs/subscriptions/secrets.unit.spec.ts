import { describe, expect, it } from '@jest/globals';
import { parseSecret, publicKeyOf, signatureOf, verifyWebhook } from '#standard-webhooks';
import {
  makeSecret,
  openKeys,
  publicKeysOf,
  rotated,
  ROTATION_MS,
  webhookSealKey,
  type Keyed,
  type PublicKey,
} from './index.js';

const KEY = webhookSealKey(Buffer.alloc(32, 7));
const NOW = Date.parse('2026-11-30T00:00:00Z');
const target = { kind: 'webhook', url: 'https://contoh.go.id/h', mode: 'structured', data: 'json' } as const;
const keyed = (secrets: Keyed['secrets'], more: Partial<Keyed> = {}): Keyed => ({
  id: 'sub_a',
  target,
  secrets,
  ...more,
});

describe('secrets of a subscription', () => {
  it('are opened for that subscription and by that deployment only', () => {
    const made = makeSecret('sub_a', KEY);
    expect(openKeys(keyed([made.sealed]), KEY, NOW)).toEqual([{ kind: 'v1', secret: parseSecret(made.text) }]);
    expect(made.sealed.sealed).not.toContain(made.text.slice('whsec_'.length));
    const unreadable = expect.objectContaining({ code: 'control_record_unreadable' });
    expect(() => openKeys(keyed([made.sealed], { id: 'sub_b' }), KEY, NOW)).toThrow(unreadable);
    expect(() => openKeys(keyed([made.sealed]), webhookSealKey(Buffer.alloc(32, 8)), NOW)).toThrow(unreadable);
  });

  it.each(['', 'a.', 'a.AAAA', 'b.AAAA', `a.${'A'.repeat(80)}`, 'a.ééé'])('%j opens to nothing', (sealed) => {
    const unreadable = expect.objectContaining({ code: 'control_record_unreadable' });
    expect(() => openKeys(keyed([{ sealed }]), KEY, NOW)).toThrow(unreadable);
  });

  it('that were changed in one bit are refused', () => {
    const { sealed } = makeSecret('sub_a', KEY).sealed;
    const body = Buffer.from(sealed.slice(2), 'base64url');
    for (let at = 0; at < body.length; at += 7) {
      const changed = Buffer.from(body);
      changed[at]! ^= 1;
      expect(() => openKeys(keyed([{ sealed: `a.${changed.toString('base64url')}` }]), KEY, NOW)).toThrow();
    }
  });

  it('are never the same twice', () => {
    const made = Array.from({ length: 50 }, () => makeSecret('sub_a', KEY));
    expect(new Set(made.flatMap((m) => [m.text, m.sealed.sealed])).size).toBe(100);
  });

  it('that are rotated sign both for 24 hours, then the new one alone', () => {
    const [first, second, third] = [1, 2, 3].map(() => makeSecret('sub_a', KEY));
    const secrets = rotated([first!.sealed], second!.sealed, NOW);
    expect(secrets.map((s) => s.validUntil)).toEqual([undefined, '2026-12-01T00:00:00.000Z']);
    const open = (list: Keyed['secrets'], at: number) =>
      openKeys(keyed(list), KEY, at).map((k) => (k.kind === 'v1' ? k.secret : k.seed));
    const [a, b, c] = [first, second, third].map((m) => parseSecret(m!.text));
    expect(open(secrets, NOW + ROTATION_MS - 1)).toEqual([b, a]);
    expect(open(secrets, NOW + ROTATION_MS)).toEqual([b]);
    // Rotated again: two are enough, and none gets a longer life than it had.
    const again = rotated(secrets, third!.sealed, NOW + 1_000);
    expect(open(again, NOW + 1_000)).toEqual([c, b]);
    expect(rotated(rotated([], first!.sealed, NOW), second!.sealed, NOW)).toHaveLength(2);
    const ending = [{ ...first!.sealed, validUntil: '2026-11-30T01:00:00.000Z' }];
    expect(rotated(ending, second!.sealed, NOW)[1]).toEqual(ending[0]);
    expect(rotated(ending, second!.sealed, NOW + ROTATION_MS)).toEqual([second!.sealed]);
  });

  it('of v1a are Ed25519 keys whose public half verifies, and that nobody makes of the secret', () => {
    const made = makeSecret('sub_a', KEY);
    const signed = keyed([made.sealed], { target: { ...target, signature: 'v1a' } });
    const [key] = openKeys(signed, KEY, NOW);
    expect(key?.kind).toBe('v1a');
    const [{ key: publicKey, ...more }] = publicKeysOf(signed, KEY, NOW) as [PublicKey];
    expect([publicKey, more]).toEqual([expect.stringMatching(/^whpk_/), {}]);
    expect(publicKeyOf(parseSecret(made.text)!)).not.toBe(publicKey);
    const body = Buffer.from('{}');
    const headers = {
      'webhook-id': 'm',
      'webhook-timestamp': String(NOW / 1_000),
      'webhook-signature': signatureOf([key!], 'm', NOW / 1_000, body),
    };
    expect(verifyWebhook({ headers, body }, [publicKey], { now: NOW })).toMatchObject({ ok: true });
    const turned = { ...signed, secrets: rotated(signed.secrets, makeSecret('sub_a', KEY).sealed, NOW) };
    expect(publicKeysOf(turned, KEY, NOW)).toEqual([
      { key: expect.not.stringContaining(publicKey) },
      { key: publicKey, validUntil: new Date(NOW + ROTATION_MS).toISOString() },
    ]);
    expect(publicKeysOf(turned, KEY, NOW + ROTATION_MS)).toHaveLength(1);
    expect([
      publicKeysOf(keyed([made.sealed]), KEY, NOW),
      openKeys(keyed([made.sealed], { target: { kind: 'pull' } }), KEY, NOW),
    ]).toEqual([[], []]);
  });
});
