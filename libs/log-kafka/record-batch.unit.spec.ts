import { createRecordsBatch } from '@platformatic/kafka';
import { describe, expect, it } from '@jest/globals';
import type { NewRecord } from '#log';
import { codecs } from './platformatic/index.js';
import { decodeRecords, encodeBatch, type Codecs } from './record-batch.js';

interface Shape {
  readonly base: bigint;
  readonly values: readonly string[];
  readonly producerId?: bigint;
  readonly compression?: 'gzip' | 'zstd' | 'snappy' | 'lz4';
}

/** A batch as a broker stores it: the offset is put in by the broker, outside of the checksum. */
function batch({ base, values, producerId, compression }: Shape): Buffer {
  const written = createRecordsBatch(
    values.map((v) => ({ topic: 't', partition: 0, key: Buffer.from('k'), value: Buffer.from(v), timestamp: 5n })),
    {
      ...(producerId === undefined ? {} : { producerId, producerEpoch: 0, transactionalId: 'tx' }),
      ...(compression === undefined ? {} : { compression }),
    } as never,
  );
  const bytes = Buffer.from(written.buffer);
  bytes.writeBigInt64BE(base);
  return bytes;
}

/** The marker that ends a transaction. */
function marker(base: bigint, producerId: bigint, kind: 'abort' | 'commit'): Buffer {
  const bytes = batch({ base, values: [kind], producerId });
  bytes.writeInt16BE(bytes.readInt16BE(21) | 0x20, 21);
  bytes.writeUInt32BE(codecs.crc32c(bytes.subarray(21)), 17);
  return bytes;
}

const values = (bytes: Buffer, from: bigint, aborted: Parameters<typeof decodeRecords>[2] = []): unknown => {
  const { records, next } = decodeRecords(bytes, from, aborted, codecs);
  return { values: records.map((r) => `${r.offset}:${r.value?.toString()}`), next };
};

describe('records of a fetch', () => {
  const two = Buffer.concat([batch({ base: 10n, values: ['a', 'b', 'c'] }), batch({ base: 13n, values: ['d'] })]);

  it('begin exactly at the offset that was asked for, and `next` is behind the last batch', () => {
    expect(values(two, 10n)).toEqual({ values: ['10:a', '11:b', '12:c', '13:d'], next: 14n });
    expect(values(two, 12n)).toEqual({ values: ['12:c', '13:d'], next: 14n });
    expect(values(two, 13n)).toEqual({ values: ['13:d'], next: 14n });
  });

  it('leave out a last batch that is cut off: `next` makes the next fetch bring it whole', () => {
    expect(values(two.subarray(0, two.length - 1), 10n)).toEqual({ values: ['10:a', '11:b', '12:c'], next: 13n });
    expect(values(two.subarray(0, 40), 10n)).toEqual({ values: [], next: 10n });
  });

  it.each(['gzip', 'zstd', 'snappy', 'lz4'] as const)('are read when compressed with %s', (compression) => {
    const bytes = batch({ base: 3n, values: ['x', 'y'], compression });
    expect(values(bytes, 0n)).toEqual({ values: ['3:x', '4:y'], next: 5n });
  });

  it('with one flipped bit are corrupt_record, never data', () => {
    for (let at = 17; at < two.length; at += 7) {
      const bytes = Buffer.from(two);
      bytes[at]! ^= 4;
      let outcome: unknown;
      try {
        outcome = decodeRecords(bytes, 10n, [], codecs).records.length;
      } catch (error) {
        outcome = (error as { code?: string }).code;
      }
      // the offset of the second batch lies outside of its checksum, as Kafka has it, and its length decides where it ends
      const first = 12 + two.readInt32BE(8);
      const outside = at >= first && at < first + 17;
      if (!outside) expect(outcome).toBe('corrupt_record');
    }
  });

  it('of an unknown codec or format are corrupt_record', () => {
    const none: Codecs = { crc32c: codecs.crc32c, decompress: () => undefined };
    const packed = batch({ base: 0n, values: ['x'], compression: 'gzip' });
    expect(() => decodeRecords(packed, 0n, [], none)).toThrow(expect.objectContaining({ code: 'corrupt_record' }));
    const old = Buffer.from(two);
    old[16] = 1;
    expect(() => decodeRecords(old, 10n, [], codecs)).toThrow(expect.objectContaining({ code: 'corrupt_record' }));
  });

  it('of aborted transactions are never shown; those of other producers and of later transactions are', () => {
    const bytes = Buffer.concat([
      batch({ base: 0n, values: ['aborted'], producerId: 7n }),
      batch({ base: 1n, values: ['other'], producerId: 8n }),
      batch({ base: 2n, values: ['plain'] }),
      batch({ base: 3n, values: ['aborted too'], producerId: 7n }),
      marker(4n, 7n, 'abort'),
      batch({ base: 5n, values: ['second try'], producerId: 7n }),
      marker(6n, 8n, 'commit'),
      marker(7n, 7n, 'commit'),
    ]);
    const aborted = [{ producerId: 7n, firstOffset: 0n }];
    expect(values(bytes, 0n, aborted)).toEqual({ values: ['1:other', '2:plain', '5:second try'], next: 8n });
    // two aborted transactions of one producer, and a marker that is not in this answer
    const again = Buffer.concat([
      batch({ base: 0n, values: ['one'], producerId: 7n }),
      marker(1n, 7n, 'abort'),
      batch({ base: 2n, values: ['between'], producerId: 7n }),
      marker(3n, 7n, 'commit'),
      batch({ base: 4n, values: ['two'], producerId: 7n }),
    ]);
    const twice = [
      { producerId: 7n, firstOffset: 4n },
      { producerId: 7n, firstOffset: 0n },
    ];
    expect(values(again, 0n, twice)).toEqual({ values: ['2:between'], next: 5n });
  });
});

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
  it('is read back unchanged: header order, repeated header names, null and empty values', () => {
    const given = records();
    const { records: read, next } = decodeRecords(encodeBatch(given, origin, crc), 0n, [], codecs);
    expect(next).toBe(BigInt(given.length));
    expect(read.map(shown)).toEqual(given.map(shown));
    expect(read.every((r) => r.appendTimeMs === origin.timeMs)).toBe(true);
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
    expect(() => decodeRecords(bytes, 0n, [], codecs)).toThrow(expect.objectContaining({ code: 'corrupt_record' }));
  });
});
