import { createRecordsBatch } from '@platformatic/kafka';
import { describe, expect, it } from '@jest/globals';
import { HeaderPlaces } from '#event';
import type { NewRecord } from '#log';
import { takeRecords } from './fetched-records.js';
import { codecs } from '../log-kafka/platformatic/index.js';
import { encodeBatch } from './record-batch.js';

const crc = (bytes: Buffer): number => codecs.crc32c(bytes);
const read0 = (bytes: Buffer): ReturnType<typeof takeRecords> =>
  takeRecords(
    { bytes, committed: true, aborted: [] },
    { from: 0n, lastEpoch: undefined },
    { maxRecords: 1_000, maxBytes: 1e9 },
    codecs,
  );
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
  it('is read back unchanged: header order, repeated header names, null and empty values', () => {
    const given = records();
    const { records: read, next } = read0(encodeBatch(given, origin, crc));
    expect(next).toBe(BigInt(given.length));
    expect(read.map(shown)).toEqual(given.map(shown));
    expect(read.every((r) => r.appendTimeMs === origin.timeMs)).toBe(true);
    // the same headers as places
    const places = new HeaderPlaces();
    const placed = read.map((r) => {
      r.placeHeaders!(places);
      return Array.from({ length: places.count }, (_, i) => [
        places.names[i]!,
        places.to[i]! < 0 ? null : places.bytes[i]!.toString('latin1', places.from[i], places.to[i]),
      ]);
    });
    expect(placed).toEqual(
      given.map(({ headers }) => headers.map(([name, v]) => [name, v?.toString('latin1') ?? null])),
    );
  });

  it('is byte for byte what the client library writes, except for the leader epoch, which only a broker knows', () => {
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

  it('with one flipped bit is refused by its checksum', () => {
    const bytes = encodeBatch(records().slice(0, 3), origin, crc);
    bytes[70]! ^= 1;
    expect(() => read0(bytes)).toThrow(expect.objectContaining({ code: 'corrupt_record' }));
  });
});
