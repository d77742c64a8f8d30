import { describe, expect, it } from '@jest/globals';
import { notKafka, reauthenticateAheadMs } from './client.js';

describe('a connection of kafkajs is authenticated again', () => {
  it.each([
    [3_000, 1_500],
    [10_000, 5_000],
    [60_000, 10_000],
    [0, 0],
  ])('of a SASL session of %i ms, %i ms before its end', (sessionMs, aheadMs) => {
    expect(reauthenticateAheadMs(sessionMs)).toBe(aheadMs);
  });

  it('never, when the session is too short to be kept: the error names the setting of the broker', () => {
    expect(() => reauthenticateAheadMs(2_999)).toThrow(/connections\.max\.reauth\.ms must be 3000 or more/);
  });
});

describe('the first bytes of an answer', () => {
  it.each([
    ['a response of Kafka', [0, 0, 1, 42, 0, 0, 0, 1], undefined],
    ['one of 200 MiB', [0x0c, 0x80, 0, 0], undefined],
    ['a TLS alert', [0x15, 3, 3, 0, 2, 2, 80], 'TLS'],
    ['a TLS handshake', [0x16, 3, 1, 0, 5], 'TLS'],
    ['HTTP', [...Buffer.from('HTTP/1.1 400 Bad Request')], 'other'],
    ['SSH', [...Buffer.from('SSH-2.0-')], 'other'],
    ['nothing', [], undefined],
  ] as const)('%s', (_what, bytes, found) => {
    expect(notKafka(Uint8Array.from(bytes))).toBe(found);
  });
});
