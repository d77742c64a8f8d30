import { describe, expect, it } from '@jest/globals';
import { reauthenticateAheadMs } from './client.js';

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
