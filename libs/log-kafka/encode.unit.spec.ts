import { describe, expect, it } from '@jest/globals';
import { createRecordsBatch } from '@platformatic/kafka';
import type { NewRecord } from '#log';
import { decodeProduce } from './decode-produce.js';
import { decodeRecords } from './decode.js';
import { encodeBatch, encodeProduce } from './encode.js';
import { codecs } from './platformatic.js';

const crc = (bytes: Buffer): number => codecs.crc32c(bytes);
const origin = { producerId: 4_711n, epoch: 3, sequence: 900, timeMs: 1_626_318_600_123 };

function records(): NewRecord[] {
  const odd: NewRecord[] = [
    { key: null, value: null, headers: [] },
    { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: [['kosong', null]] },
    {
      key: Buffer.from('kunci'),
      value: Buffer.from('isi'),
      headers: [
        ['ulang', Buffer.from('1')],
        ['ulang', Buffer.from('2')],
      ],
    },
    { key: Buffer.from('é'.repeat(40)), value: Buffer.alloc(70_000, 7), headers: [['nama-é', Buffer.alloc(9_000, 1)]] },
    { key: Buffer.alloc(63), value: Buffer.alloc(64), headers: [['h', Buffer.alloc(8_191)]] },
    { key: Buffer.alloc(8_192), value: Buffer.alloc(1_048_576), headers: [] },
  ];
  return [
    ...odd,
    ...Array.from({ length: 200 }, (_, i) => ({ key: Buffer.from(`k${i}`), value: Buffer.alloc(i), headers: [] })),
  ];
}

const shown = ({ key, value, headers }: NewRecord): unknown => [
  key?.toString('latin1') ?? null,
  value?.toString('latin1') ?? null,
  ...headers.map(([name, v]) => [name, v?.toString('latin1') ?? null]),
];

describe('a record batch that we write', () => {
  it('comes back as it was: order, repeated names, null and empty', () => {
    const given = records();
    const { records: read, next } = decodeRecords(encodeBatch(given, origin, crc), 0n, [], codecs);
    expect(next).toBe(BigInt(given.length));
    expect(read.map(shown)).toEqual(given.map(shown));
    expect(read.every((r) => r.appendTimeMs === origin.timeMs)).toBe(true);
  });

  it('is byte for byte what the client library writes, but for the leader epoch, which no client knows', () => {
    const given = records().filter((r) => new Set(r.headers.map(([name]) => name)).size === r.headers.length);
    const theirs = createRecordsBatch(
      given.map((r) => ({
        topic: 'a',
        partition: 0,
        timestamp: BigInt(origin.timeMs),
        key: r.key as Buffer,
        value: r.value as Buffer,
        headers: new Map(r.headers.map(([name, value]) => [Buffer.from(name), value as Buffer])),
      })),
      {
        producerId: origin.producerId,
        producerEpoch: origin.epoch,
        sequences: { getWithDefault: () => origin.sequence } as never,
      },
    ).buffer;
    const ours = encodeBatch(given, origin, crc);
    theirs.writeInt32BE(-1, 12);
    expect(ours.equals(theirs)).toBe(true);
  });

  it('is refused by its checksum when one bit was turned', () => {
    const bytes = encodeBatch(records().slice(0, 3), origin, crc);
    bytes[70]! ^= 1;
    expect(() => decodeRecords(bytes, 0n, [], codecs)).toThrow(expect.objectContaining({ code: 'corrupt_record' }));
  });
});

describe('a produce request', () => {
  it('holds each topic once, with its partitions, and ends where it says', () => {
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
      '00000000', // throttle
      '00',
    ].join(''),
    'hex',
  );

  it('tells each partition by itself', () => {
    expect(decodeProduce(answer)).toEqual([
      { topic: 'a', partition: 0, error: 0, base: 42n, timeMs: 0x17aa83e5bfb, text: undefined },
      { topic: 'a', partition: 7, error: 6, base: -1n, timeMs: -1, text: 'not' },
    ]);
  });

  it('throws when it is cut, instead of telling half of it', () => {
    for (let cut = 1; cut < 60; cut++)
      expect(() => decodeProduce(answer.subarray(0, cut))).toThrow(expect.objectContaining({ name: 'RangeError' }));
  });
});
