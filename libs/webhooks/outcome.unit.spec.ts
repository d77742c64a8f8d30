import { describe, expect, it } from '@jest/globals';
import { Ended } from './ended.js';
import type { Answer } from './exchange.js';
import { handshakeOf } from './handshake.js';
import { headOf, outcomeOf, retryAfterOf } from './outcome.js';

const answer = (status: number, headers: Record<string, string> = {}, error?: Error): Answer => ({
  ...{ kind: 'answer', status, headers, error, begin: undefined },
});
const withCode = (code: string): Error => Object.assign(new Error(code), { code });
const kindOf = (status: number): string => outcomeOf(answer(status), 1).kind;

describe('an answer', () => {
  it('2xx is delivered', () => {
    for (const status of [200, 201, 202, 204, 299])
      expect(outcomeOf(answer(status), 7)).toEqual({ kind: 'delivered', status, ms: 7 });
  });

  it('3xx is refused, for no redirect is followed; so is a 4xx that concerns the event', () => {
    for (const status of [300, 301, 302, 303, 304, 307, 308, 400, 405, 415, 418, 422, 499])
      expect(outcomeOf(answer(status), 7)).toEqual({ kind: 'refused', reason: 'status', status, ms: 7 });
  });

  it('410 means that the receiver wants nothing more', () => {
    expect(outcomeOf(answer(410), 7)).toEqual({ kind: 'gone', reason: 'status', status: 410, ms: 7 });
  });

  it('401, 403, 404, 408, 409, 425, 429, 5xx and statuses beyond may succeed later', () => {
    for (const status of [401, 403, 404, 408, 409, 425, 429, 500, 501, 502, 503, 504, 599, 999])
      expect(kindOf(status)).toBe('failed');
  });

  it('that broke off after its head is failed, whatever its status', () => {
    for (const status of [200, 404, 410])
      expect(outcomeOf(answer(status, {}, withCode('UND_ERR_SOCKET')), 7)).toEqual({
        kind: 'failed',
        reason: 'reset',
        status,
        ms: 7,
      });
  });

  it('names when to come back: seconds or a date, at most an hour', () => {
    const now = Date.UTC(2026, 10, 30, 8);
    const wished = (value: string) => outcomeOf(answer(503, { 'retry-after': value }), 1, now);
    expect(wished('7')).toMatchObject({ kind: 'failed', retryAfterMs: 7_000 });
    expect(wished('Mon, 30 Nov 2026 08:00:30 GMT')).toMatchObject({ retryAfterMs: 30_000 });
    expect(wished('Mon, 30 Nov 2026 07:00:00 GMT')).toMatchObject({ retryAfterMs: 0 });
    expect(wished('99999999999999999999')).toMatchObject({ retryAfterMs: 3_600_000 });
    for (const value of ['', '-1', '1.5', 'soon', '2026-11-30', '0x10'])
      expect([value, 'retryAfterMs' in wished(value)]).toEqual([value, false]);
    expect(retryAfterOf(undefined, now)).toBeUndefined();
    expect(outcomeOf(answer(404, { 'retry-after': '7' }), 1)).not.toHaveProperty('retryAfterMs');
  });

  it('begins with text that can be shown: no control characters, no half characters, at most 1,000', () => {
    expect(headOf(Buffer.from('{"a":\n"b\u001b[31m\u202Ec"}'))).toBe('{"a": "b [31m c"}');
    expect(headOf(Buffer.from('é'.repeat(3_000)).subarray(0, 4_000 - 1))).toBe('é'.repeat(1_000));
    expect(headOf(Buffer.from('aé').subarray(0, 2))).toBe('a');
    expect(headOf(Buffer.from([0x61, 0xff, 0x62]))).toBe('a\uFFFDb');
    const cut = headOf(Buffer.from(`a${'😀'.repeat(600)}`));
    expect([cut.length, cut.isWellFormed()]).toEqual([999, true]);
    expect(headOf(undefined)).toBe('');
  });
});

describe('no answer', () => {
  const none = (error: Error, sent: boolean) => outcomeOf({ kind: 'none', sent, error }, 7);

  it.each([
    ['ECONNREFUSED', 'connect'],
    ['EHOSTUNREACH', 'connect'],
    ['ECONNRESET', 'connect'],
    ['UND_ERR_CONNECT_TIMEOUT', 'connect_timeout'],
    ['ENOTFOUND', 'dns'],
    ['EAI_AGAIN', 'dns'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls'],
    ['CERT_HAS_EXPIRED', 'tls'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls'],
    ['ADDRESS_REFUSED', 'address_refused'],
  ])('because of %s before a connection was there: unreachable, %s', (code, reason) => {
    expect(none(withCode(code), false)).toEqual({ kind: 'unreachable', reason, ms: 7 });
  });

  it.each([
    ['ECONNRESET', 'reset'],
    ['UND_ERR_SOCKET', 'reset'],
    ['EPIPE', 'reset'],
  ])('because of %s on a connection: failed, %s', (code, reason) => {
    expect(none(withCode(code), true)).toEqual({ kind: 'failed', reason, ms: 7 });
  });

  it('in time: unreachable when no connection could be made, failed when all were in use or the request was out', () => {
    expect(none(new Ended('TIMEOUT'), false)).toEqual({ kind: 'unreachable', reason: 'connect_timeout', ms: 7 });
    expect(none(new Ended('NO_TURN'), false)).toEqual({ kind: 'failed', reason: 'timeout', ms: 7 });
    expect(none(new Ended('TIMEOUT'), true)).toEqual({ kind: 'failed', reason: 'timeout', ms: 7 });
  });

  it('because the sender gave up says nothing of the target', () => {
    for (const sent of [true, false]) {
      expect(none(new Ended('CANCELLED'), sent)).toEqual({ kind: 'failed', reason: 'cancelled', ms: 7 });
      expect(none(new Ended('CLOSED'), sent)).toEqual({ kind: 'failed', reason: 'closed', ms: 7 });
    }
  });
});

describe('the handshake', () => {
  const said = (status: number, headers: Record<string, string> = {}) =>
    handshakeOf(answer(status, headers), 'Hub.example', 1);

  it('is allowed by the origin or by *, with a rate or without', () => {
    expect(said(200, { 'webhook-allowed-origin': 'hub.example', 'webhook-allowed-rate': '120' })).toEqual({
      kind: 'allowed',
      perMinute: 120,
    });
    expect(said(204, { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '*' })).toEqual({ kind: 'allowed' });
    expect(said(200, { 'webhook-allowed-origin': 'other.example, hub.example' })).toEqual({ kind: 'allowed' });
  });

  it('is refused by another origin, or by a status that forbids', () => {
    expect(said(200, { 'webhook-allowed-origin': 'hub.example.evil' })).toEqual({ kind: 'refused', status: 200 });
    for (const status of [401, 403, 410, 451]) expect(said(status)).toEqual({ kind: 'refused', status });
    expect(said(403, { 'webhook-allowed-origin': '*' })).toEqual({ kind: 'refused', status: 403 });
  });

  it('is not supported by a receiver that does not know the question', () => {
    for (const status of [200, 204, 302, 400, 404, 405, 501])
      expect(said(status)).toEqual({ kind: 'not_supported', status });
  });

  it('is unclear when the receiver is away or busy', () => {
    expect(said(503)).toMatchObject({ kind: 'unclear', outcome: { kind: 'failed', status: 503 } });
    expect(said(429)).toMatchObject({ kind: 'unclear', outcome: { status: 429 } });
    expect(handshakeOf({ kind: 'none', sent: false, error: withCode('ENOTFOUND') }, 'h', 1)).toMatchObject({
      ...{ kind: 'unclear', outcome: { kind: 'unreachable', reason: 'dns' } },
    });
    expect(handshakeOf(answer(200, { 'webhook-allowed-origin': '*' }, withCode('UND_ERR_SOCKET')), 'h', 1).kind).toBe(
      'unclear',
    );
  });
});
