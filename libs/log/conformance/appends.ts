import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Header } from '#event';
import { MAX_APPEND_BYTES, MAX_APPEND_RECORDS, type EventLog } from '../index.js';
import { many, put, readAll, rec, records, text } from './kit.js';
import type { Bench } from './harness.js';

export function appendCases(bench: () => Bench): void {
  describe('append', () => {
    let log: EventLog;
    let topic: string;
    beforeEach(async () => {
      log = bench().log;
      topic = bench().harness.newTopic();
      await log.ensureTopic({ name: topic, partitions: 2, cleanup: 'keep' });
    });

    it('keeps the order of calls and of records, with offsets from 0 without a hole', async () => {
      for (let i = 0; i < 5; i++) expect(await put(log, topic, 0, many(7, `b${i}-`))).toBe(BigInt(i * 7));
      const all = await readAll(log, topic);
      expect(all.map((r) => r.offset)).toEqual(Array.from({ length: 35 }, (_, i) => BigInt(i)));
      expect(all.map(text)).toEqual(Array.from({ length: 35 }, (_, i) => `b${Math.floor(i / 7)}-${i % 7}`));
    });

    it('writes overlapping appends of one partition one after the other, in the order of the calls', async () => {
      const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => put(log, topic, 0, many(3, `${i}.`))));
      expect(outcomes).toEqual(Array.from({ length: 20 }, (_, i) => BigInt(i * 3)));
      const values = (await readAll(log, topic)).map(text);
      expect(values).toEqual(Array.from({ length: 60 }, (_, i) => `${Math.floor(i / 3)}.${i % 3}`));
    });

    it('numbers the offsets of each partition by itself', async () => {
      await put(log, topic, 0, many(2, 'a'));
      expect(await put(log, topic, 1, many(1, 'b'))).toBe(0n);
      expect((await readAll(log, topic, 0)).map(text)).toEqual(['a0', 'a1']);
      expect((await readAll(log, topic, 1)).map(text)).toEqual(['b0']);
    });

    it('answers the append time of the records, which never decreases in a partition', async () => {
      const before = Date.now() - 60_000;
      const done = await log.append(topic, 0, many(3));
      await put(log, topic, 0, many(3));
      const all = await readAll(log, topic);
      expect(done).toMatchObject({ kind: 'accepted', appendTimeMs: all[0]!.appendTimeMs });
      expect(all[0]!.appendTimeMs).toBeGreaterThan(before);
      const times = all.map((r) => r.appendTimeMs);
      expect(times).toEqual([...times].sort((a, b) => a - b));
    });

    it('takes 500 records and refuses 501 up front, writing nothing', async () => {
      expect(await log.append(topic, 0, many(MAX_APPEND_RECORDS + 1))).toMatchObject({ kind: 'refused' });
      expect((await log.describe(topic))[0]!.high).toBe(0n);
      expect(await put(log, topic, 0, many(MAX_APPEND_RECORDS))).toBe(0n);
      expect((await log.describe(topic))[0]!.high).toBe(500n);
    });

    it('refuses an empty list', async () => {
      expect(await log.append(topic, 0, [])).toMatchObject({ kind: 'refused', code: 'record_too_large' });
    });

    it('refuses a list of more than 900 KB up front, writing nothing', async () => {
      const half = Buffer.alloc(MAX_APPEND_BYTES / 2, 7);
      const answer = await log.append(topic, 0, [rec('a', half), rec('b', half)]);
      expect(answer).toMatchObject({ kind: 'refused', code: 'record_too_large' });
      expect((await log.describe(topic))[0]!.high).toBe(0n);
    });

    it('carries one record of 1 MiB unchanged, and refuses one of 1.2 MiB', async () => {
      const big = randomBytes(1_048_576);
      await put(log, topic, 0, [rec('big', big)]);
      const batch = await records(log.read(topic, 0, 0n));
      expect(batch.records[0]!.value!.equals(big)).toBe(true);
      const tooBig = await log.append(topic, 0, [rec('too big', Buffer.alloc(1_258_292))]);
      expect(tooBig).toMatchObject({ kind: 'refused', code: 'record_too_large' });
      expect((await log.describe(topic))[0]!.high).toBe(1n);
    });

    it('carries tombstones, null keys, empty keys and empty values as they are', async () => {
      const empty = Buffer.alloc(0);
      await put(log, topic, 0, [
        rec('gone', null),
        rec(null, 'no key'),
        { key: empty, value: empty, headers: [] },
        { key: null, value: null, headers: [] },
      ]);
      const all = await readAll(log, topic);
      expect(all.map((r) => [r.key?.toString() ?? null, r.value?.toString() ?? null])).toEqual([
        ['gone', null],
        [null, 'no key'],
        ['', ''],
        [null, null],
      ]);
    });

    it('carries headers as they are: null, repeated, empty, binary, in order', async () => {
      const headers: Header[] = [
        ['a', Buffer.from('1')],
        ['a', Buffer.from('2')],
        ['nothing', null],
        ['empty', Buffer.alloc(0)],
        ['bytes', Buffer.from([0, 255, 128, 10])],
        ['nama-é', Buffer.from('teks é')],
        ['a', Buffer.from('3')],
      ];
      await put(log, topic, 0, [rec('k', 'v', headers), rec('k', 'w')]);
      const [first, second] = await readAll(log, topic);
      const hex = (h: readonly Header[]): unknown => h.map(([n, v]) => [n, v === null ? null : v.toString('hex')]);
      expect(hex(first!.headers)).toEqual(hex(headers));
      expect(second!.headers).toEqual([]);
    });

    it('refuses a wrong partition, and nothing is written', async () => {
      for (const wrong of [2, -1, 99]) {
        expect(await log.append(topic, wrong, many(1))).toMatchObject({ kind: 'refused', code: 'wrong_partition' });
      }
      expect((await log.describe(topic)).map((r) => r.high)).toEqual([0n, 0n]);
    });

    it('writes all or none: a reader never sees part of an append', async () => {
      const reader = await bench().harness.open();
      let writing = true;
      const writes = (async () => {
        for (let i = 0; i < 15; i++) await put(log, topic, 0, many(200, `${i}-`));
        writing = false;
      })();
      while (writing) {
        const high = (await reader.describe(topic))[0]!.high;
        expect(high % 200n).toBe(0n);
      }
      await writes;
      expect(await readAll(reader, topic)).toHaveLength(3000);
      await reader.close();
    });

    it('keeps many partitions busy at once, each in its order', async () => {
      const wide = bench().harness.newTopic();
      await log.ensureTopic({ name: wide, partitions: 8, cleanup: 'keep' });
      await Promise.all(
        Array.from({ length: 8 }, async (_, p) => {
          for (let i = 0; i < 10; i++) await put(log, wide, p, many(3, `${p}.${i}.`));
        }),
      );
      for (let p = 0; p < 8; p++) {
        const values = (await readAll(log, wide, p)).map(text);
        expect(values).toEqual(Array.from({ length: 30 }, (_, i) => `${p}.${Math.floor(i / 3)}.${i % 3}`));
      }
    });

    it('keeps the records when the caller changes its buffers after the append', async () => {
      const value = Buffer.from('before');
      const appended = put(log, topic, 0, [{ key: Buffer.from('k'), value, headers: [] }]);
      await appended;
      value.fill(0);
      expect((await readAll(log, topic)).map(text)).toEqual(['before']);
    });
  });
}
