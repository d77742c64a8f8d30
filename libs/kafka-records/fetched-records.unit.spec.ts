import { createRecordsBatch } from '@platformatic/kafka';
import { describe, expect, it } from '@jest/globals';
import {
  MAX_BATCH_BYTES,
  takeRecords,
  type AbortedTransaction,
  type FetchedBatches,
  type TakeLimits,
  type Taken,
} from './fetched-records.js';
import { codecs } from '../log-kafka/platformatic/index.js';

interface Shape {
  readonly base: bigint;
  readonly values: readonly (string | Buffer)[];
  readonly leaderEpoch?: number;
  readonly producerId?: bigint;
  readonly compression?: 'gzip' | 'zstd' | 'snappy' | 'lz4';
}

/** A batch as a broker stores it: the offset is put in by the broker, outside of the checksum. */
function batch({ base, values, producerId, compression, leaderEpoch = 0 }: Shape): Buffer {
  const written = createRecordsBatch(
    values.map((v) => ({ topic: 't', partition: 0, key: Buffer.from('k'), value: Buffer.from(v), timestamp: 5n })),
    {
      ...(producerId === undefined ? {} : { producerId, producerEpoch: 0, transactionalId: 'tx' }),
      ...(compression === undefined ? {} : { compression }),
    } as never,
  );
  const bytes = Buffer.from(written.buffer);
  bytes.writeBigInt64BE(base);
  bytes.writeInt32BE(leaderEpoch, 12);
  return bytes;
}

/** The marker that ends a transaction. */
function marker(base: bigint, producerId: bigint, kind: 'abort' | 'commit'): Buffer {
  const bytes = batch({ base, values: [kind], producerId });
  bytes.writeInt16BE(bytes.readInt16BE(21) | 0x20, 21);
  bytes.writeUInt32BE(codecs.crc32c(bytes.subarray(21)), 17);
  return bytes;
}

const ALL: TakeLimits = { maxRecords: 1_000, maxBytes: 1e9 };

function take(bytes: Buffer, from: bigint, more: Partial<TakeLimits & FetchedBatches> = {}): Taken {
  const { committed = true, aborted = [], ...limits } = more;
  return takeRecords({ bytes, committed, aborted }, { from, lastEpoch: undefined }, { ...ALL, ...limits }, codecs);
}

const values = (bytes: Buffer, from: bigint, aborted: readonly AbortedTransaction[] = []): unknown => {
  const { records, next } = take(bytes, from, { aborted });
  return { values: records.map((r) => `${r.offset}:${r.value?.toString()}`), next };
};

describe('records of a fetch', () => {
  const two = Buffer.concat([batch({ base: 10n, values: ['a', 'b', 'c'] }), batch({ base: 13n, values: ['d'] })]);

  it('begin exactly at the offset that was asked for, and `next` is behind the last batch', () => {
    expect(values(two, 10n)).toEqual({ values: ['10:a', '11:b', '12:c', '13:d'], next: 14n });
    expect(values(two, 12n)).toEqual({ values: ['12:c', '13:d'], next: 14n });
    expect(values(two, 13n)).toEqual({ values: ['13:d'], next: 14n });
  });

  it('keep nothing that was cut out of them: it must be garbage as soon as nobody else holds it', () => {
    const [record] = take(two, 10n).records;
    for (const part of ['key', 'value', 'headers'] as const) {
      expect(record![part]).toEqual(record![part]);
      expect(record![part]).not.toBe(record![part]);
    }
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
        outcome = take(bytes, 10n).records.length;
        if (outcome === 3) outcome = 'corrupt_record';
      } catch (error) {
        outcome = (error as { code?: string }).code;
      }
      // the offset of the second batch lies outside of its checksum, as Kafka has it, and its length decides where it ends
      const first = 12 + two.readInt32BE(8);
      const outside = at >= first && at < first + 17;
      if (!outside) expect(outcome).toBe('corrupt_record');
    }
  });

  it('of another format are corrupt_record', () => {
    const old = Buffer.from(two);
    old[16] = 1;
    expect(() => take(old, 10n)).toThrow(expect.objectContaining({ code: 'corrupt_record' }));
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

describe('what a read takes of a fetch', () => {
  const ten = Buffer.concat([
    batch({ base: 0n, values: ['a', 'b', 'c', 'd', 'e'], leaderEpoch: 3 }),
    batch({ base: 5n, values: ['f', 'g', 'h', 'i', 'j'], leaderEpoch: 5 }),
  ]);
  const offsets = ({ records }: Taken): bigint[] => records.map((r) => r.offset);

  it('is no more than its limits, and a batch behind them is not even checked', () => {
    const damaged = Buffer.from(ten);
    damaged[damaged.length - 1]! ^= 1;
    expect(take(damaged, 0n, { maxRecords: 5 })).toMatchObject({ next: 5n, lastEpoch: 3 });
    const cut = take(ten, 1n, { maxRecords: 2 });
    expect([offsets(cut), cut.next, cut.lastEpoch]).toEqual([[1n, 2n], 3n, 3]);
    expect(offsets(take(ten, 3n, { maxBytes: 1 }))).toEqual([3n]);
    const across = take(ten, 4n, { maxRecords: 3 });
    expect([offsets(across), across.next, across.lastEpoch]).toEqual([[4n, 5n, 6n], 7n, 5]);
  });

  it('goes on in a compressed batch without decompressing it again', () => {
    const bytes = batch({ base: 0n, values: ['a', 'b', 'c', 'd'], compression: 'gzip' });
    let decompressed = 0;
    const counting = {
      ...codecs,
      decompress: (...args: Parameters<typeof codecs.decompress>) => (decompressed++, codecs.decompress(...args)),
    };
    const fetched: FetchedBatches = { bytes, committed: true, aborted: [] };
    const seen: bigint[] = [];
    for (let from = 0n; from < 4n;) {
      const taken = takeRecords(fetched, { from, lastEpoch: undefined }, { maxRecords: 1, maxBytes: 1e9 }, counting);
      seen.push(...offsets(taken));
      from = taken.next;
    }
    expect([seen, decompressed]).toEqual([[0n, 1n, 2n, 3n], 1]);
    // another place in the same batch is found too
    expect(
      offsets(takeRecords(fetched, { from: 1n, lastEpoch: undefined }, { maxRecords: 2, maxBytes: 1e9 }, counting)),
    ).toEqual([1n, 2n]);
  });

  it('tells the leader epoch of the last batch that it passed, also when that batch shows nothing', () => {
    const bytes = Buffer.concat([
      batch({ base: 0n, values: ['a'], leaderEpoch: 2 }),
      epochOf(marker(1n, 7n, 'abort'), 4),
    ]);
    expect(take(bytes, 0n)).toMatchObject({ next: 2n, lastEpoch: 4 });
    expect(take(bytes, 1n)).toMatchObject({ records: [], next: 2n, lastEpoch: 4 });
    expect(takeRecords({ bytes: Buffer.alloc(0), committed: true, aborted: [] }, { from: 9n, lastEpoch: 6 }, ALL, codecs)).toMatchObject({ next: 9n, lastEpoch: 6 }); // prettier-ignore
  });

  it('shows the records of transactions in a stream as foreign, whether they ended or not, and nothing is hidden behind them', () => {
    const bytes = Buffer.concat([
      batch({ base: 0n, values: ['open'], producerId: 7n }),
      batch({ base: 1n, values: ['acknowledged'] }),
      batch({ base: 2n, values: ['aborted'], producerId: 8n }),
      marker(3n, 8n, 'abort'),
    ]);
    const { records, next } = take(bytes, 0n, { committed: false });
    expect(records.map((r) => [r.value?.toString(), r.foreign])).toEqual([
      ['open', true],
      ['acknowledged', undefined],
      ['aborted', true],
    ]);
    expect(next).toBe(4n);
  });
});

function epochOf(bytes: Buffer, leaderEpoch: number): Buffer {
  bytes.writeInt32BE(leaderEpoch, 12);
  return bytes;
}

describe('a batch that cannot be read', () => {
  /** A few KB that become more than the bound. */
  const bomb = (compression: NonNullable<Shape['compression']>): Buffer =>
    batch({ base: 10n, values: [Buffer.alloc(MAX_BATCH_BYTES + 1)], compression });
  const good = batch({ base: 8n, values: ['a', 'b'] });
  const after = batch({ base: 11n, values: ['c'] });

  it.each(['gzip', 'zstd', 'snappy', 'lz4'] as const)(
    'because it would become more than 16 MiB (%s) is one damaged record of a stream, told with its offsets, and reading goes on behind it',
    (compression) => {
      const bytes = Buffer.concat([good, bomb(compression), after]);
      const memory = process.memoryUsage.rss();
      const taken = take(bytes, 8n, { committed: false });
      expect(taken.records.map((r) => [r.offset, r.damaged ?? r.value?.toString()])).toEqual([
        [8n, 'a'],
        [9n, 'b'],
        [10n, true],
      ]);
      expect(taken).toMatchObject({ next: 11n, unreadable: { first: 10n, last: 10n } });
      expect(process.memoryUsage.rss() - memory).toBeLessThan(8 * MAX_BATCH_BYTES);
      expect(take(bytes, taken.next, { committed: false }).records.map((r) => r.value?.toString())).toEqual(['c']);
    },
  );

  it('of a control topic is corrupt_record, never left out; what lies before it is given first', () => {
    const bytes = Buffer.concat([good, bomb('gzip'), after]);
    const taken = take(bytes, 8n);
    expect([taken.records.length, taken.next]).toEqual([2, 10n]);
    expect(() => take(bytes, 10n)).toThrow(expect.objectContaining({ code: 'corrupt_record' }));
  });

  it.each(['gzip', 'zstd', 'snappy', 'lz4'] as const)('below the bound is read: 15 MiB in %s', (compression) => {
    const bytes = batch({ base: 0n, values: [Buffer.alloc(15 * 1_048_576, 'abc')], compression });
    expect(take(bytes, 0n, { committed: false }).records[0]!.value).toHaveLength(15 * 1_048_576);
  });

  it('for nonsense behind a right checksum, or an unknown codec, is told with what could not be read', () => {
    const nonsense = batch({ base: 0n, values: ['a', 'b', 'c'] });
    // the length of the second record
    nonsense[nonsense.length - 2 * 9]! = 0x7f;
    nonsense.writeUInt32BE(codecs.crc32c(nonsense.subarray(21)), 17);
    const taken = take(nonsense, 0n, { committed: false });
    expect(taken.unreadable).toMatchObject({ last: 2n });
    expect(taken).toMatchObject({ next: 3n });
    const unknown = batch({ base: 0n, values: ['x'] });
    unknown.writeInt16BE(unknown.readInt16BE(21) | 5, 21);
    unknown.writeUInt32BE(codecs.crc32c(unknown.subarray(21)), 17);
    expect(take(unknown, 0n, { committed: false }).unreadable).toEqual({
      first: 0n,
      last: 0n,
      reason: 'compression 5',
    });
  });

  it('for a wrong checksum in a stream stays an error: another replica may have it right', () => {
    const flipped = Buffer.from(good);
    flipped[flipped.length - 1]! ^= 1;
    expect(() => take(flipped, 8n, { committed: false })).toThrow(expect.objectContaining({ code: 'corrupt_record' }));
  });
});
