import { describe, expect, it } from '@jest/globals';
import type { FeedBatch } from '#consuming';
import { encodeBatch } from '#kafka-records';
import type { NewRecord } from '#log';
import { gzipSync } from 'node:zlib';
import { catalogueOfFiles, recordOf } from '../../test/kit/projection/events.js';
import { crc32c } from './codecs.js';
import { faultOfKafka } from './faults.js';
import { Feed, type FeedDeps } from './feed.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
const SOURCE = 'urn:simpul:unit:SU00123:simkim';
const catalogue = catalogueOfFiles(1);
const event = (n: number): NewRecord =>
  recordOf(catalogue, { type: TYPE, source: SOURCE, id: `E${n}`, data: { nomorPermohonan: `P-${n}` } }).record;
const FOREIGN: NewRecord = { key: null, value: Buffer.from('bukan peristiwa'), headers: [] };
const origin = { producerId: 1n, epoch: 0, sequence: 0, timeMs: 1_700_000_000_000 };

/** As a broker sends it: the offset of the first record is outside of the checksum. */
function batchAt(base: number, records: readonly NewRecord[]): Buffer {
  const bytes = encodeBatch(records, origin, crc32c);
  bytes.writeBigInt64BE(BigInt(base));
  return bytes;
}

function opened(more: Partial<FeedDeps> = {}) {
  const state = { end: 1_000, copies: new Set<number>() };
  const batches: FeedBatch[] = [];
  const seen = { damaged: [] as string[], corrupt: [] as string[], missing: [] as number[], failed: [] as unknown[] };
  const stored: number[] = [];
  let wanted: { count: number; resolve: () => void } | undefined;
  const got = (): string[] => batches.flatMap((b) => b.events.map(({ event: e }) => e.id));
  const deps: FeedDeps = {
    stream: 'imigrasi.paspor',
    partition: 3,
    sink: {
      deliver(batch) {
        batches.push(batch);
        if (wanted !== undefined && got().length >= wanted.count) wanted.resolve();
        return Promise.resolve();
      },
      revoke: () => Promise.resolve(),
    },
    tables: {
      end: () => BigInt(state.end),
      isCopy: (_stream, _partition, offset) => state.copies.has(Number(offset)),
      typeOf: (id) => Promise.resolve(catalogue.bySchemaId(id)),
      catalogue,
    },
    types: new Set([TYPE]),
    batchEvents: 500,
    counts: { delivered: 0, copies: 0, foreign: 0, damaged: 0 },
    store: (offset) => (stored.push(offset), Promise.resolve()),
    drained: () => undefined,
    damaged: (position) => seen.damaged.push(position),
    schemaMissing: ({ schemaId }) => seen.missing.push(schemaId),
    schemaFound: () => undefined,
    unsettled: () => undefined,
    settled: () => undefined,
    closed: () => undefined,
    corrupt: (position) => seen.corrupt.push(position),
    failed: (error) => seen.failed.push(error),
    ...more,
  };
  const feed = new Feed(deps, 10, 2 ** 20);
  const until = (count: number): Promise<void> =>
    got().length >= count ? Promise.resolve() : new Promise((resolve) => (wanted = { count, resolve }));
  return { feed, state, batches, seen, stored, got, until, counts: deps.counts };
}
/** The feed has looked at everything that it may look at now. */
const idle = async (): Promise<void> => {
  for (let i = 0; i < 50; i++) await Promise.resolve();
};

describe('a feed of record batches', () => {
  it('delivers what lies below the settled end, without copies and foreign records; a place is behind what was delivered with it', async () => {
    const { feed, state, batches, stored, got, until, counts } = opened();
    state.end = 13;
    state.copies.add(11);
    feed.take(batchAt(10, [event(0), event(0), FOREIGN, event(3), event(4)]), []);
    expect(feed.expected).toBe(15);
    await until(1);
    await idle();
    expect(got()).toEqual(['E0']);
    await batches[0]!.commit(1);
    state.end = 15;
    feed.wake();
    await until(3);
    expect(got()).toEqual(['E0', 'E3', 'E4']);
    expect(batches.at(-1)!.events.map(({ event: e }) => e.position)).toEqual([
      'imigrasi.paspor/3/13',
      'imigrasi.paspor/3/14',
    ]);
    await batches.at(-1)!.commit(1);
    await batches.at(-1)!.commit(2);
    expect(stored).toEqual([13, 14, 15]);
    expect(counts).toMatchObject({ copies: 1, foreign: 1, damaged: 0, delivered: 3 });
    feed.close();
  });

  it('begins in the middle of a batch, and passes over offsets that no record has', async () => {
    const { feed, state, got, until } = opened();
    state.end = 30;
    feed.take(batchAt(8, [event(8), event(9), event(10)]), []);
    feed.take(batchAt(20, [event(20)]), []);
    feed.take(batchAt(40, [event(40)]), []);
    await until(2);
    await idle();
    expect(got()).toEqual(['E10', 'E20']);
    state.end = 41;
    feed.wake();
    await until(3);
    feed.close();
  });

  it('cuts batches of at most `batchEvents`, in order, also out of one record batch', async () => {
    const { feed, batches, got, until } = opened({ batchEvents: 2 });
    feed.take(batchAt(10, [0, 1, 2, 3, 4].map(event)), []);
    await until(5);
    expect(batches.map((b) => b.events.length)).toEqual([2, 2, 1]);
    expect(got()).toEqual(['E0', 'E1', 'E2', 'E3', 'E4']);
    feed.close();
  });

  it('passes over nothing that came with a wrong checksum: what lies before it is delivered, and the rest is fetched again', async () => {
    const { feed, seen, got, until } = opened();
    const bad = batchAt(12, [event(2), event(3)]);
    bad[bad.length - 1]! ^= 1;
    feed.take(Buffer.concat([batchAt(10, [event(0), event(1)]), bad]), []);
    await until(2);
    await idle();
    expect(seen.corrupt).toEqual(['imigrasi.paspor/3/12']);
    expect(feed.expected).toBe(12);
    feed.take(batchAt(12, [event(2), event(3)]), []);
    await until(4);
    expect(got()).toEqual(['E0', 'E1', 'E2', 'E3']);
    expect(seen.damaged).toEqual([]);
    feed.close();
  });

  it('tells an event whose bytes were changed before they came to the log, and goes on behind it', async () => {
    const { feed, seen, got, until } = opened();
    const changed = { ...event(0), value: Buffer.concat([event(0).value!, Buffer.from([0])]) };
    feed.take(batchAt(10, [changed, event(1)]), []);
    await until(1);
    expect(got()).toEqual(['E1']);
    expect(seen.damaged).toEqual(['imigrasi.paspor/3/10']);
    feed.close();
  });

  it('reads gzip, and ends with kafka_compression for a codec that this process lacks instead of passing over its records', async () => {
    const { feed, seen, got, until } = opened();
    const packed = (base: number, codec: number, body: (plain: Buffer) => Buffer): Buffer => {
      const plain = batchAt(base, [event(base)]);
      const bytes = Buffer.concat([plain.subarray(0, 61), body(plain.subarray(61))]);
      bytes.writeInt32BE(bytes.length - 12, 8);
      bytes.writeInt16BE(codec, 21);
      bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17);
      return bytes;
    };
    feed.take(
      packed(10, 1, (plain) => gzipSync(plain)),
      [],
    );
    await until(1);
    expect(got()).toEqual(['E10']);
    // snappy: a block that says its size
    feed.take(
      packed(11, 2, () => Buffer.from([4, 1, 2, 3, 4])),
      [],
    );
    await idle();
    expect(seen.failed.map((e) => String(faultOfKafka(e, { brokers: [], group: '' })))).toEqual([
      expect.stringMatching(/kafka_compression: .*imigrasi\.paspor\/3\/11: snappy compression cannot be read here/),
    ]);
    expect(seen.damaged).toEqual([]);
    feed.close();
  });

  it('waits at an event whose schema is nowhere, after it has delivered what lies before it', async () => {
    const known = new Map<number, ReturnType<typeof catalogue.bySchemaId>>();
    const { feed, seen, got, until } = opened({
      tables: {
        end: () => 1_000n,
        isCopy: () => false,
        typeOf: (id) => Promise.resolve(known.get(id)),
        catalogue: { bySchemaId: (id: number) => known.get(id) } as unknown as typeof catalogue,
      },
    });
    feed.take(batchAt(10, [FOREIGN, event(1)]), []);
    await idle();
    await idle();
    const id = event(1).value!.readInt32BE(1);
    expect(seen.missing).toEqual([id]);
    expect(got()).toEqual([]);
    known.set(id, catalogue.bySchemaId(id));
    await until(1);
    expect(got()).toEqual(['E1']);
    feed.close();
  });
});
