import { describe, expect, it } from '@jest/globals';
import { createRequire } from 'node:module';
import { crc32c } from './codecs.js';
import { answerIn, requestOf } from './fetch-request.js';

const require = createRequire(import.meta.url);
const requestOfKafkajs = require('kafkajs/src/protocol/requests/fetch/v11/request') as (of: object) => {
  encode(): Promise<{ readonly buffer: Buffer }>;
};

describe('the Fetch request', () => {
  it('is byte for byte what kafkajs writes for the same partitions', async () => {
    const ours = requestOf(
      [
        { topic: 'imigrasi.paspor', partition: 3, from: 4_711 },
        { topic: 'pemasyarakatan.wbp', partition: 0, from: 0 },
      ],
      { maxWaitMs: 200, maxBytes: 8_388_608, partitionBytes: 1_048_576 },
    );
    const theirs = await requestOfKafkajs({
      replicaId: -1,
      maxWaitTime: 200,
      minBytes: 1,
      maxBytes: 8_388_608,
      isolationLevel: 0,
      topics: [
        { topic: 'imigrasi.paspor', partitions: [{ partition: 3, fetchOffset: '4711', maxBytes: 1_048_576 }] },
        { topic: 'pemasyarakatan.wbp', partitions: [{ partition: 0, fetchOffset: '0', maxBytes: 1_048_576 }] },
      ],
    }).encode();
    expect(ours.toString('hex')).toBe(theirs.buffer.toString('hex'));
  });

  it('has an answer with an error, aborted transactions and the bytes of each partition; one that ends early is refused', () => {
    const bytes = Buffer.from(
      [
        '00000007' + '0000' + '00000000', // throttle, error, session
        '00000001' + '0001' + '74', // topic t
        '00000002',
        '00000003' + '0000' + '000000000000000a'.repeat(3),
        '00000001' + '0000000000000005' + '0000000000000002', // aborted
        'ffffffff' + '00000003' + 'abcdef',
        '00000004' + '0001' + 'ffffffffffffffff'.repeat(3) + 'ffffffff' + 'ffffffff' + 'ffffffff',
      ].join(''),
      'hex',
    );
    expect(answerIn(bytes)).toEqual({
      clientSideThrottleTime: 7,
      error: 0,
      partitions: [
        {
          topic: 't',
          partition: 3,
          error: 0,
          aborted: [{ producerId: 5n, firstOffset: 2n }],
          records: Buffer.from('abcdef', 'hex'),
        },
        { topic: 't', partition: 4, error: 1, aborted: [], records: Buffer.alloc(0) },
      ],
    });
    for (let cut = 0; cut < bytes.length; cut++)
      expect(() => answerIn(bytes.subarray(0, cut))).toThrow(/outside buffer bounds|ends early|out of range/);
  });
});

it('CRC-32C is that of RFC 3720, for any length', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
  expect(crc32c(Buffer.alloc(0))).toBe(0);
});
