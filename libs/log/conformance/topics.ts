import { describe, expect, it } from '@jest/globals';
import { checkPlace, epochOf, placeProof } from '../index.js';
import { many, put, readAll, rec, records, text, until } from './kit.js';
import type { Bench } from './harness.js';

const otherShape = { code: expect.stringMatching(/^(conflict|topic_unsafe)$/) };

export function topicCases(bench: () => Bench): void {
  describe('topics', () => {
    it('makes a topic once: the same shape again changes nothing', async () => {
      const { log, harness } = bench();
      const name = harness.newTopic();
      await log.ensureTopic({ name, partitions: 3, cleanup: 'keep' });
      const id = await log.topicId(name);
      await put(log, name, 2, [rec('k', 'v')]);
      await log.ensureTopic({ name, partitions: 3, cleanup: 'keep' });
      expect(await log.topicId(name)).toBe(id);
      expect((await log.describe(name)).map((r) => [r.partition, r.low, r.high])).toEqual([
        [0, 0n, 0n],
        [1, 0n, 0n],
        [2, 0n, 1n],
      ]);
      expect(await log.topics()).toContain(name);
    });

    it('refuses another shape of an existing topic', async () => {
      const { log, harness } = bench();
      const name = harness.newTopic();
      await log.ensureTopic({ name, partitions: 2, cleanup: 'keep' });
      await expect(log.ensureTopic({ name, partitions: 3, cleanup: 'keep' })).rejects.toMatchObject(otherShape);
      await expect(log.ensureTopic({ name, partitions: 2, cleanup: 'compact' })).rejects.toMatchObject(otherShape);
      await expect(
        log.ensureTopic({ name, partitions: 2, cleanup: 'keep', retentionMs: 60_000 }),
      ).rejects.toMatchObject(otherShape);
      expect(await log.describe(name)).toHaveLength(2);
    });

    it('setRetention() changes how long a topic keeps its records, and an open topic follows it; undefined: without limit again', async () => {
      const { log, harness } = bench();
      const name = harness.newTopic();
      const spec = { name, partitions: 1, cleanup: 'keep' as const };
      await log.ensureTopic(spec);
      await put(log, name, 0, [rec('k', 'v')]);
      await log.setRetention(name, 60_000);
      await log.ensureTopic({ ...spec, retentionMs: 60_000 });
      await expect(log.ensureTopic(spec)).rejects.toMatchObject(otherShape);
      await log.setRetention(name, undefined);
      await log.ensureTopic(spec);
      expect(await readAll(log, name)).toHaveLength(1);
      await expect(log.setRetention(harness.newTopic(), 60_000)).rejects.toMatchObject({ code: 'unknown_topic' });
    });

    it('makes many topics at once, also when some exist', async () => {
      const { log, harness } = bench();
      const names = Array.from({ length: 4 }, () => harness.newTopic());
      await log.ensureTopic({ name: names[1]!, partitions: 1, cleanup: 'keep' });
      await log.ensureTopics(names.map((name) => ({ name, partitions: 1, cleanup: 'keep' as const })));
      for (const name of names) expect(await log.describe(name)).toHaveLength(1);
    });

    it('knows a topic as soon as another opening has made it', async () => {
      const { log, harness } = bench();
      const other = await harness.open();
      const name = harness.newTopic();
      await other.ensureTopic({ name, partitions: 1, cleanup: 'keep' });
      await put(log, name, 0, [rec('k', 'v')]);
      expect(await readAll(other, name)).toHaveLength(1);
      await other.close();
    });

    it('answers unknown_topic for a topic that does not exist', async () => {
      const { log, harness } = bench();
      const name = harness.newTopic();
      const unknown = { code: 'unknown_topic' };
      await expect(log.describe(name)).rejects.toMatchObject(unknown);
      await expect(log.topicId(name)).rejects.toMatchObject(unknown);
      await expect(log.read(name, 0, 0n)).rejects.toMatchObject(unknown);
      await expect(log.offsetAt(name, 0, 0)).rejects.toMatchObject(unknown);
      expect(await log.append(name, 0, [rec('k', 'v')])).toMatchObject({ kind: 'refused', code: 'unknown_topic' });
      expect(await log.topics()).not.toContain(name);
    });

    it('gives a recreated topic another id and an empty log', async () => {
      const { log, harness } = bench();
      const name = harness.newTopic();
      await log.ensureTopic({ name, partitions: 1, cleanup: 'keep' });
      const first = await log.topicId(name);
      await put(log, name, 0, [rec('k', 'old')]);
      await log.deleteTopic(name);
      await expect(log.topicId(name)).rejects.toMatchObject({ code: 'unknown_topic' });
      await log.ensureTopic({ name, partitions: 1, cleanup: 'keep' });
      const second = await log.topicId(name);
      expect(first).toMatch(/^[0-9a-f]{32}$/);
      expect(second).toMatch(/^[0-9a-f]{32}$/);
      expect(second.slice(0, 8)).not.toBe(first.slice(0, 8));
      expect(await log.describe(name)).toEqual([{ partition: 0, low: 0n, high: 0n }]);
      expect(await put(log, name, 0, [rec('k', 'new')])).toBe(0n);
    });

    it('never gives a reader of the deleted topic records of the one that was made again: recreated, with the new id', async () => {
      const { log, harness } = bench();
      const other = await harness.open();
      const name = harness.newTopic();
      const spec = { name, partitions: 1, cleanup: 'keep' } as const;
      await log.ensureTopic(spec);
      await put(log, name, 0, many(20, 'old'));
      const read = await records(log.read(name, 0, 0n, { maxRecords: 12 }));
      const { topicId } = read;
      expect(topicId).toBe(await log.topicId(name));
      await records(other.read(name, 0, read.next, { topicId }));
      // at the end of the old topic, while it is deleted
      const waiting = log.read(name, 0, 20n, { topicId, waitMs: 30_000 }).catch((error: unknown) => error);
      await other.deleteTopic(name);
      await other.ensureTopic(spec);
      await put(other, name, 0, many(20, 'new'));
      const now = { kind: 'recreated', topicId: await other.topicId(name) };
      for (const believed of [topicId, topicId.slice(0, 8)])
        for (const from of [read.next, 20n, 500n]) {
          // what was fetched before the deletion may still be given, as records of the old topic
          const answer = await until('the answer that it was made again', async () => {
            const got = await log.read(name, 0, from, { topicId: believed });
            if (got.kind !== 'records') return got;
            expect([got.topicId, got.records.filter((r) => text(r)?.startsWith('new'))]).toEqual([topicId, []]);
            return undefined;
          });
          expect(answer).toEqual(now);
        }
      const told = await waiting;
      expect(told).toMatchObject(told instanceof Error ? { code: 'unknown_topic' } : { kind: 'recreated' });
      expect(
        (await records(log.read(name, 0, 12n, { maxRecords: 3, topicId: now.topicId }))).records.map(text),
      ).toEqual(['new12', 'new13', 'new14']);
      await other.close();
    });

    it('tells by its proof whether a place still holds the record that was read there', async () => {
      const { log, harness } = bench();
      const name = harness.newTopic();
      const spec = { name, partitions: 1, cleanup: 'keep' } as const;
      await log.ensureTopic(spec);
      await put(log, name, 0, many(5));
      const { records: read, topicId } = await records(log.read(name, 0, 0n));
      const proof = placeProof(topicId, read[2]!, 3n);
      expect(epochOf(proof)).toBe(read[2]!.leaderEpoch);
      expect(await checkPlace(log, name, 0, 3n, proof)).toBe('same');
      expect(await checkPlace(log, name, 0, 4n, proof)).toBe('differs');
      expect(await checkPlace(log, name, 0, 6n, proof)).toBe('differs');
      expect(await checkPlace(log, name, 0, 3n, 'of another version')).toBe('unknown');
      await log.deleteTopic(name);
      await log.ensureTopic(spec);
      await put(log, name, 0, many(5));
      expect(await checkPlace(log, name, 0, 3n, proof)).toBe('differs');
    });

    it('answers a ping', async () => {
      await expect(bench().log.ping()).resolves.toBeUndefined();
    });
  });
}
