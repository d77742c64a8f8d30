import { describe, expect, it } from '@jest/globals';
import { decodeProduce, encodeProduce } from './produce.js';

describe('a produce request', () => {
  it('names each topic once with its partitions, and has exactly the length that its fields say', () => {
    const batch = Buffer.from('batch');
    const bytes = encodeProduce(
      [
        { topic: 'a', partition: 0, batch },
        { topic: 'bé', partition: 7, batch },
        { topic: 'a', partition: 300, batch: Buffer.alloc(20_000) },
      ],
      8_000,
    );
    expect(bytes.subarray(0, 10).toString('hex')).toBe('00ffff00001f40030261');
    expect(bytes.length).toBe(
      7 + 1 + (2 + 1 + (4 + 1 + 5 + 1) + (4 + 3 + 20_000 + 1) + 1) + (4 + 1 + (4 + 1 + 5 + 1) + 1) + 1,
    );
  });
});

describe('a produce answer', () => {
  const answer = Buffer.from(
    [
      '02', // one topic
      '0261', // a
      '03', // two partitions
      '00000000' + '0000' + '000000000000002a' + '0000017aa83e5bfb' + '0000000000000000' + '01' + '00' + '00',
      '00000007' +
        '0006' +
        'ffffffffffffffff' +
        'ffffffffffffffff' +
        'ffffffffffffffff' +
        '02' +
        '00000001' +
        '0378' +
        '79' +
        '00' +
        '046e6f74' +
        '00',
      '00', // tags of the topic
      '00000bb8', // throttle
      '00',
    ].join(''),
    'hex',
  );

  it('gives each partition an outcome of its own, and the time for which the broker throttles the client', () => {
    expect(decodeProduce(answer)).toEqual({
      outcomes: [
        { topic: 'a', partition: 0, error: 0, base: 42n, appendTimeMs: 0x17aa83e5bfb, text: undefined },
        { topic: 'a', partition: 7, error: 6, base: -1n, appendTimeMs: -1, text: 'not' },
      ],
      throttleMs: 3_000,
    });
  });

  it('throws when it is cut off, instead of giving half of the outcomes', () => {
    for (let cut = 1; cut < 60; cut++)
      expect(() => decodeProduce(answer.subarray(0, cut))).toThrow(expect.objectContaining({ name: 'RangeError' }));
  });
});
