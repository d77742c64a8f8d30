import { beforeEach, describe, expect, it } from '@jest/globals';
import { checkPlace, placeProof, type EventLog } from '../index.js';
import { many, put, readAll, rec, records, text, until } from './kit.js';
import type { Bench } from './harness.js';

export function readCases(bench: () => Bench): void {
  describe('read', () => {
    let log: EventLog;
    let topic: string;
    beforeEach(async () => {
      log = bench().log;
      topic = bench().harness.newTopic();
      await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
    });

    it('answers an empty batch at the log end at once, with the offset to read on at', async () => {
      await put(log, topic, 0, many(3));
      const batch = await records(log.read(topic, 0, 3n));
      expect(batch).toMatchObject({ records: [], next: 3n, low: 0n, high: 3n });
    });

    it('starts exactly at the requested offset, also within an append', async () => {
      await put(log, topic, 0, many(10));
      const batch = await records(log.read(topic, 0, 4n));
      expect(batch.records.map((r) => r.offset)).toEqual([4n, 5n, 6n, 7n, 8n, 9n]);
      expect(batch).toMatchObject({ next: 10n, low: 0n, high: 10n });
    });

    it('keeps to maxRecords and goes on without gap or repeat', async () => {
      await put(log, topic, 0, many(10));
      const first = await records(log.read(topic, 0, 0n, { maxRecords: 4 }));
      const second = await records(log.read(topic, 0, first.next, { maxRecords: 4 }));
      const third = await records(log.read(topic, 0, second.next, { maxRecords: 4 }));
      expect([first, second, third].map((b) => b.records.map(text))).toEqual([
        ['v0', 'v1', 'v2', 'v3'],
        ['v4', 'v5', 'v6', 'v7'],
        ['v8', 'v9'],
      ]);
      expect(third.next).toBe(10n);
    });

    it('keeps to maxBytes, yet always gives one record', async () => {
      await put(
        log,
        topic,
        0,
        Array.from({ length: 8 }, (_, i) => rec(`k${i}`, Buffer.alloc(50_000, i))),
      );
      const few = await records(log.read(topic, 0, 0n, { maxBytes: 120_000 }));
      expect(few.records.length).toBeGreaterThanOrEqual(1);
      expect(few.records.length).toBeLessThanOrEqual(4);
      const one = await records(log.read(topic, 0, 0n, { maxBytes: 1 }));
      expect(one.records).toHaveLength(1);
      expect(one.next).toBe(1n);
    });

    it('answers out of range above the high offset and below the low offset, and never jumps', async () => {
      await put(log, topic, 0, many(3));
      expect(await log.read(topic, 0, 4n)).toEqual({ kind: 'out_of_range', low: 0n, high: 3n });
      expect(await log.read(topic, 0, 4n, { waitMs: 500 })).toEqual({ kind: 'out_of_range', low: 0n, high: 3n });
    });

    it('throws wrong_partition for a partition that is not there', async () => {
      await expect(log.read(topic, 7, 0n)).rejects.toMatchObject({ code: 'wrong_partition' });
    });

    it('wakes a waiting read as soon as a record is durable', async () => {
      const waiting = records(log.read(topic, 0, 0n, { waitMs: 30_000 }));
      const began = performance.now();
      await put(log, topic, 0, many(1));
      const batch = await waiting;
      expect(batch.records.map(text)).toEqual(['v0']);
      expect(performance.now() - began).toBeLessThan(5_000);
    });

    it('ends a waiting read with an empty batch after waitMs', async () => {
      const began = performance.now();
      const batch = await records(log.read(topic, 0, 0n, { waitMs: 300 }));
      expect(batch).toMatchObject({ records: [], next: 0n });
      expect(performance.now() - began).toBeGreaterThan(250);
    });

    it('ends a waiting read when its signal aborts', async () => {
      const stop = new AbortController();
      const waiting = log.read(topic, 0, 0n, { waitMs: 30_000, signal: stop.signal }).then(
        (b) => b.kind,
        () => 'thrown',
      );
      stop.abort();
      const began = performance.now();
      await waiting;
      expect(performance.now() - began).toBeLessThan(5_000);
    });

    it('serves many waiting reads at once', async () => {
      const wide = bench().harness.newTopic();
      await log.ensureTopic({ name: wide, partitions: 8, cleanup: 'keep' });
      const waiting = Array.from({ length: 8 }, (_, p) => records(log.read(wide, p, 0n, { waitMs: 30_000 })));
      await Promise.all(waiting.map((_, p) => put(log, wide, p, [rec('k', `p${p}`)])));
      expect((await Promise.all(waiting)).map((b) => text(b.records[0]))).toEqual(
        Array.from({ length: 8 }, (_, p) => `p${p}`),
      );
    });

    it('shows accepted records to another opening of the log', async () => {
      const other = await bench().harness.open();
      const waiting = records(other.read(topic, 0, 0n, { waitMs: 30_000 }));
      await put(log, topic, 0, many(2));
      expect((await waiting).records.length).toBeGreaterThan(0);
      expect((await readAll(other, topic)).map(text)).toEqual(['v0', 'v1']);
      await other.close();
    });
  });

  describe('offsetAt', () => {
    it('answers the first record at or after a time, and the high offset for a future time', async () => {
      const { log, harness } = bench();
      const topic = harness.newTopic();
      await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
      expect(await log.offsetAt(topic, 0, 0)).toBe(0n);
      const times: number[] = [];
      for (let i = 0; i < 3; i++) {
        // three appends at three different times
        await until('a later millisecond', async () => {
          const done = await log.append(topic, 0, many(5, `${i}-`));
          if (done.kind !== 'accepted') throw new Error(done.kind);
          times.push(done.appendTimeMs);
          return times.length < 2 || done.appendTimeMs > times[times.length - 2]!;
        });
      }
      const all = await readAll(log, topic);
      const first = (t: number): bigint => all.find((r) => r.appendTimeMs >= t)?.offset ?? BigInt(all.length);
      for (const t of times) {
        expect(await log.offsetAt(topic, 0, t)).toBe(first(t));
        expect(await log.offsetAt(topic, 0, t + 1)).toBe(first(t + 1));
      }
      expect(await log.offsetAt(topic, 0, times[0]! - 86_400_000)).toBe(0n);
      expect(await log.offsetAt(topic, 0, Date.now() + 86_400_000)).toBe(BigInt(all.length));
      await expect(log.offsetAt(topic, 3, 0)).rejects.toMatchObject({ code: 'wrong_partition' });
    });
  });

  describe('what the log lets go', () => {
    it('compaction keeps the last record of each key, at its offset', async () => {
      const { log, harness } = bench();
      const topic = harness.newTopic();
      await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'compact' });
      for (let i = 0; i < 20; i++)
        await put(log, topic, 0, [rec('a', `a${i}`), rec('b', `b${i}`), rec(`once${i}`, 'x')]);
      await put(log, topic, 0, [rec('b', null)]);
      const before = await readAll(log, topic);
      await harness.compact?.(topic);
      // engines may leave the newest part alone: filler lets them come past it
      const after = await until('the log to be compacted', async () => {
        await put(log, topic, 0, [rec('filler', 'f')]);
        const now = await readAll(log, topic);
        if (now.filter((r) => r.key?.toString() === 'a').length === 1) return now;
        await harness.compact?.(topic);
        return undefined;
      });
      const last = new Map(before.map((r) => [r.key!.toString(), [r.offset, r.value?.toString() ?? null]]));
      const kept = new Map(after.map((r) => [r.key!.toString(), [r.offset, r.value?.toString() ?? null]]));
      kept.delete('filler');
      expect(kept).toEqual(last);
      expect(kept.get('b')).toEqual([60n, null]);
      const offsets = after.map((r) => r.offset);
      expect(offsets).toEqual([...offsets].sort((x, y) => (x < y ? -1 : 1)));
      // reading on from within a hole finds the next record that is left
      const onwards = await records(log.read(topic, 0, 1n, { maxRecords: 1 }));
      expect(onwards.records[0]!.offset).toBe(offsets.find((o) => o >= 1n));
      expect(onwards.next).toBe(onwards.records[0]!.offset + 1n);
    });

    it('retention raises the low offset; an offset below it is out of range', async () => {
      const { log, harness } = bench();
      const topic = harness.newTopic();
      await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep', retentionMs: 1_000 });
      await put(log, topic, 0, many(10));
      const low = await until('the low offset to move', async () => {
        await harness.expire?.(topic);
        const range = (await log.describe(topic))[0]!;
        return range.low > 0n && range.low;
      });
      await put(log, topic, 0, many(1));
      expect(low).toBe(10n);
      expect(await log.read(topic, 0, 0n)).toMatchObject({ kind: 'out_of_range', low: 10n });
      // the proven record is gone, and the topic is the same
      const gone = { offset: 2n, appendTimeMs: 0, leaderEpoch: 0, key: null, value: null, headers: [] };
      expect(await checkPlace(log, topic, 0, 3n, placeProof(await log.topicId(topic), gone, 3n))).toBe('unknown');
      expect(await put(log, topic, 0, many(1))).toBe(11n);
    });
  });
}
