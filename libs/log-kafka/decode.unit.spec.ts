import { createRecordsBatch } from '@platformatic/kafka';
import { describe, expect, it } from '@jest/globals';
import { decodeRecords, type Codecs } from './decode.js';
import { codecs } from './platformatic.js';

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

  it('begin exactly at the offset asked for, and end behind the last batch', () => {
    expect(values(two, 10n)).toEqual({ values: ['10:a', '11:b', '12:c', '13:d'], next: 14n });
    expect(values(two, 12n)).toEqual({ values: ['12:c', '13:d'], next: 14n });
    expect(values(two, 13n)).toEqual({ values: ['13:d'], next: 14n });
  });

  it('leave a batch that was cut off to the next fetch', () => {
    expect(values(two.subarray(0, two.length - 1), 10n)).toEqual({ values: ['10:a', '11:b', '12:c'], next: 13n });
    expect(values(two.subarray(0, 40), 10n)).toEqual({ values: [], next: 10n });
  });

  it.each(['gzip', 'zstd', 'snappy', 'lz4'] as const)('are read when compressed with %s', (compression) => {
    const bytes = batch({ base: 3n, values: ['x', 'y'], compression });
    expect(values(bytes, 0n)).toEqual({ values: ['3:x', '4:y'], next: 5n });
  });

  it('with one bit turned are corrupt_record, never data', () => {
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

  it('of aborted transactions are never shown, those of others and later ones are', () => {
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
