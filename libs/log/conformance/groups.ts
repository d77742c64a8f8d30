import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { OWNERS_TOPIC, type EventLog, type Membership } from '../index.js';
import { many, put, Reader, records, until } from './kit.js';
import type { Bench } from './harness.js';

const numbers = (reader: Reader, topic: string): number[] => reader.held(topic).map((at) => at.partition);

export function groupCases(bench: () => Bench): void {
  describe('groups', () => {
    let log: EventLog;
    let topic: string;
    let group: string;
    let left: (() => Promise<unknown>)[];

    const openOther = async (): Promise<EventLog> => {
      const other = await bench().harness.open();
      left.unshift(() => other.close());
      return other;
    };
    const join = async (
      reader: Reader,
      at: EventLog = log,
      topics: readonly string[] = [topic],
    ): Promise<Membership> => {
      const m = await at.join(group, topics, reader);
      left.unshift(() => m.leave());
      return m;
    };

    beforeEach(async () => {
      left = [];
      log = bench().log;
      topic = bench().harness.newTopic();
      group = `g-${topic}`;
      await log.ensureTopic({ name: topic, partitions: 4, cleanup: 'keep' });
    });
    afterEach(async () => {
      for (const end of left) await end();
    });

    it('gives a lone member every partition and every record, in order per partition', async () => {
      for (let p = 0; p < 4; p++) await put(log, topic, p, many(50, `${p}-`));
      const reader = new Reader();
      const membership = await join(reader);
      expect(membership.isSure).toBe(true);
      await until('all records', () => reader.seen.length >= 200);
      expect(numbers(reader, topic)).toEqual([0, 1, 2, 3]);
      for (let p = 0; p < 4; p++)
        expect(reader.values(topic, p)).toEqual(Array.from({ length: 50 }, (_, i) => `${p}-${i}`));
      await put(log, topic, 3, many(1, 'later'));
      await until('a record written while it runs', () => reader.values(topic, 3).includes('later0'));
    });

    it('gives each partition to exactly one member, and partition p of two topics to the same', async () => {
      const second = bench().harness.newTopic();
      await log.ensureTopic({ name: second, partitions: 4, cleanup: 'keep' });
      const positions = new Map<string, bigint>();
      const [one, two] = [new Reader(positions), new Reader(positions)];
      await join(one, log, [topic, second]);
      await join(two, await openOther(), [topic, second]);
      await until('both to have their share', () => {
        const [x, y] = [numbers(one, topic), numbers(two, topic)];
        return x.length > 0 && y.length > 0 && [...x, ...y].sort().join() === '0,1,2,3';
      });
      await until('the second topic to lie alike', () => {
        return (
          numbers(one, second).join() === numbers(one, topic).join() &&
          numbers(two, second).join() === numbers(two, topic).join()
        );
      });
      for (let p = 0; p < 4; p++) {
        await put(log, topic, p, many(5, `t${p}-`));
        await put(log, second, p, many(5, `s${p}-`));
      }
      await until('all records', () => one.seen.length + two.seen.length >= 40);
      const all = [...one.values(), ...two.values()];
      expect(new Set(all).size).toBe(40);
      expect(all).toHaveLength(40);
    });

    it('gives partition p of every topic to the same member, also while one member reads only some of the topics', async () => {
      const [first, second] = [bench().harness.newTopic(), bench().harness.newTopic()];
      for (const name of [first, second]) await log.ensureTopic({ name, partitions: 6, cleanup: 'keep' });
      const positions = new Map<string, bigint>();
      const readers = [new Reader(positions), new Reader(positions), new Reader(positions)];
      const [one, two, three] = readers as [Reader, Reader, Reader];
      await join(one, log, [first]);
      await join(two, await openOther(), [first, second]);
      await join(three, await openOther(), [first, second]);
      const layout = (name: string): string => readers.map((r) => numbers(r, name).join()).join(' | ');
      const everyPartition = (name: string): boolean =>
        readers.flatMap((r) => numbers(r, name)).sort().join() === '0,1,2,3,4,5'; // prettier-ignore
      await until(
        'every partition to have one owner, the same for both topics',
        () => everyPartition(first) && everyPartition(second) && layout(first) === layout(second),
        20_000,
      ).catch((cause: unknown) => {
        throw new Error(`first topic: ${layout(first)}; second topic: ${layout(second)}`, { cause });
      });
      for (const r of [two, three]) expect(numbers(r, second)).toHaveLength(3);
    });

    it('reads every partition when no member reads all topics', async () => {
      const [first, second] = [bench().harness.newTopic(), bench().harness.newTopic()];
      for (const name of [first, second]) await log.ensureTopic({ name, partitions: 4, cleanup: 'keep' });
      const [one, two] = [new Reader(), new Reader()];
      await join(one, log, [first]);
      await join(two, await openOther(), [second]);
      for (let p = 0; p < 4; p++) {
        await put(log, first, p, many(2, `first${p}-`));
        await put(log, second, p, many(2, `second${p}-`));
      }
      await until('all records of both topics', () => one.seen.length >= 8 && two.seen.length >= 8);
      expect(numbers(one, first)).toEqual([0, 1, 2, 3]);
      expect(numbers(two, second)).toEqual([0, 1, 2, 3]);
    });

    it('raises the epoch with each assignment, over rejoin and over new openings', async () => {
      const epochs: bigint[] = [];
      for (const at of [log, log, await openOther()]) {
        const reader = new Reader();
        const m = await at.join(group, [topic], reader);
        await until('all four to start', () => reader.starts.length >= 4);
        epochs.push(reader.starts.filter((s) => s.partition === 2).at(-1)!.epoch);
        expect(reader.held(topic).find((s) => s.partition === 2)!.epoch).toBe(epochs.at(-1));
        await m.leave();
        expect(reader.held(topic)).toEqual([]);
      }
      expect(epochs[1]).toBeGreaterThan(epochs[0]!);
      expect(epochs[2]).toBeGreaterThan(epochs[1]!);
    });

    it('asks start() only after the claim record lies in the owners topic, at the offset that is the epoch', async () => {
      const reader = new Reader();
      const claims: string[] = [];
      reader.onStart = async (at) => {
        const batch = await records(log.read(OWNERS_TOPIC, 0, at.epoch, { maxRecords: 1 }));
        expect(batch.records[0]!.offset).toBe(at.epoch);
        claims.push(batch.records[0]!.key!.toString());
      };
      await join(reader);
      await until('all four to start', () => claims.length === 4);
      expect(claims.sort()).toEqual([0, 1, 2, 3].map((p) => `${group}/${p}`));
    });

    it('starts at the offset that start() answers', async () => {
      await put(log, topic, 1, many(10));
      const reader = new Reader(new Map([[`${topic}/1`, 7n]]));
      await join(reader);
      await until('the rest', () => reader.values().length >= 3);
      expect(reader.values()).toEqual(['v7', 'v8', 'v9']);
    });

    it('never overlaps batches of one partition, and runs partitions side by side', async () => {
      for (let p = 0; p < 2; p++) for (let i = 0; i < 4; i++) await put(log, topic, p, many(20));
      const running = new Map<number, number>();
      let overlaps = 0;
      let sideBySide = false;
      const reader = new Reader();
      reader.onBatch = async (at, batch) => {
        running.set(at.partition, (running.get(at.partition) ?? 0) + 1);
        if (running.get(at.partition)! > 1) overlaps++;
        // the first batch of partition 0 stands until partition 1 runs as well
        if (at.partition === 0 && !sideBySide) {
          await until(
            'the other partition to run',
            () => (running.get(1) ?? 0) > 0 || reader.values(topic, 1).length > 0,
          );
          sideBySide = true;
        }
        await new Promise((resolve) => setImmediate(resolve));
        running.set(at.partition, running.get(at.partition)! - 1);
        expect(batch.records.length).toBeGreaterThan(0);
      };
      await join(reader);
      await until('all records', () => reader.seen.length >= 160);
      expect(sideBySide).toBe(true);
      expect(overlaps).toBe(0);
    });

    it('rewinds when next is lower, and holds back for waitMs', async () => {
      await put(log, topic, 0, many(5));
      const reader = new Reader();
      const firsts: bigint[] = [];
      let asked = 0;
      let waited = 0;
      reader.onBatch = (_at, batch) => {
        firsts.push(batch.records[0]!.offset);
        if (firsts.length === 1) {
          asked = performance.now();
          return Promise.resolve({ next: 0n, waitMs: 400 });
        }
        if (firsts.length === 2) waited = performance.now() - asked;
        return Promise.resolve();
      };
      await join(reader);
      await until('the second time', () => reader.values().length >= 5);
      expect(firsts.slice(0, 2)).toEqual([0n, 0n]);
      expect(waited).toBeGreaterThan(350);
      expect(reader.values()).toEqual(['v0', 'v1', 'v2', 'v3', 'v4']);
    });

    it('gives the same batch again after a throw, and passes over nothing', async () => {
      await put(log, topic, 0, many(5));
      const reader = new Reader();
      const given: string[] = [];
      reader.onBatch = (_at, batch) => {
        given.push(`${batch.records[0]!.offset}+${batch.records.length}`);
        return given.length <= 2 ? Promise.reject(new Error('not now')) : Promise.resolve();
      };
      await join(reader);
      await until('the batch to pass', () => reader.values().length >= 5);
      expect(given.slice(0, 3)).toEqual(['0+5', '0+5', '0+5']);
      await put(log, topic, 0, many(1, 'next'));
      await until('the next record', () => reader.values().includes('next0'));
      expect(reader.values()).toHaveLength(6);
    });

    it('lets other partitions flow while waitMs holds one, and ends the hold at a seek', async () => {
      const reader = new Reader();
      let held = 0;
      reader.onBatch = (at, batch) =>
        Promise.resolve(
          at.partition === 0 && held++ === 0 ? { next: batch.records[0]!.offset, waitMs: 600_000 } : undefined,
        );
      const m = await join(reader);
      await until('all four to start', () => reader.starts.length >= 4);
      await put(log, topic, 0, many(3, 'held'));
      await until('the hold', () => held === 1);
      await put(log, topic, 1, many(3, 'free'));
      await until('the free partition', () => reader.values(topic, 1).length === 3);
      await put(log, topic, 1, many(3, 'more'));
      await until('more of the free partition', () => reader.values(topic, 1).length === 6);
      expect(reader.values(topic, 0)).toEqual([]);
      m.seek(topic, 0, 0n);
      await until('the held partition', () => reader.values(topic, 0).length === 3);
    });

    it('goes on at the offset of a seek, also while a batch runs', async () => {
      await put(log, topic, 0, many(5));
      const reader = new Reader();
      const firsts: bigint[] = [];
      let m: Membership | undefined;
      let release: (() => void) | undefined;
      reader.onBatch = async (_at, batch) => {
        firsts.push(batch.records[0]!.offset);
        if (firsts.length === 1) await new Promise<void>((resolve) => (release = resolve));
      };
      m = await join(reader);
      await until('the batch to run', () => release);
      m.seek(topic, 0, 2n);
      release!();
      await until('the batch from 2', () => firsts.length >= 2);
      expect(firsts[1]).toBe(2n);
      await until('all after the seek', () => reader.values().length >= 8);
      m.seek(topic, 0, 4n);
      await until('the seek at rest', () => firsts.length >= 3);
      expect(firsts[2]).toBe(4n);
    });

    it('reads a topic that was made and subscribed while the group runs', async () => {
      const reader = new Reader();
      const m = await join(reader);
      await until('all four to start', () => reader.starts.length >= 4);
      const late = bench().harness.newTopic();
      await log.ensureTopic({ name: late, partitions: 4, cleanup: 'keep' });
      await put(log, late, 2, many(3, 'late'));
      await m.subscribe([late]);
      await until('the late topic', () => reader.values(late).length >= 3);
      expect(reader.values(late)).toEqual(['late0', 'late1', 'late2']);
      await put(log, topic, 0, many(1, 'old'));
      await until('the first topic still', () => reader.values(topic).includes('old0'));
    });

    it('hands over on leave: the batch that runs is finished first, and nothing is read twice', async () => {
      const positions = new Map<string, bigint>();
      const [one, two] = [new Reader(positions), new Reader(positions)];
      const a = await join(one);
      await until('the first to start', () => one.starts.length >= 4);
      let release: (() => void) | undefined;
      one.onBatch = async (_at, _batch, signal) => {
        await new Promise<void>((resolve) => (release = resolve));
        expect(signal.aborted).toBe(false);
      };
      await put(log, topic, 0, many(5));
      await until('a batch to run', () => release);
      const leaving = a.leave();
      release!();
      await leaving;
      expect(one.values()).toHaveLength(5);
      expect(one.gone.map((g) => g.partition).sort()).toEqual([0, 1, 2, 3]);
      await join(two, await openOther());
      await put(log, topic, 0, many(2, 'w'));
      await until('the second to read on', () => two.values().length >= 2);
      expect(two.values()).toEqual(['w0', 'w1']);
      expect(one.values()).toHaveLength(5);
    });

    it('reclaims: a higher epoch, start() again; false when the partition is not ours', async () => {
      const reader = new Reader();
      const m = await join(reader);
      await until('all four to start', () => reader.starts.length >= 4);
      const old = reader.held(topic).find((a) => a.partition === 1)!.epoch;
      const before = reader.starts.length;
      expect(await m.reclaim(1)).toMatchObject({ kind: 'claimed', skipped: 0n });
      await until('start() to be asked again', () => reader.starts.length > before);
      const again = reader.starts.filter((s) => s.partition === 1).at(-1)!;
      expect(again.epoch).toBeGreaterThan(old);
      expect(reader.held(topic).find((a) => a.partition === 1)!.epoch).toBe(again.epoch);
      expect(await m.reclaim(99)).toEqual({ kind: 'lost' });
      await put(log, topic, 1, many(2));
      await until('reading to go on', () => reader.values(topic, 1).length >= 2);
      expect(reader.seen.at(-1)!.at.epoch).toBe(again.epoch);
    });

    it('reclaims above an epoch of an owners log that is gone, also when its topic was deleted while the group runs', async () => {
      const reader = new Reader();
      const m = await join(reader);
      await until('all four to start', () => reader.starts.length >= 4);
      const newest = reader.starts.map((s) => s.epoch).reduce((a, b) => (b > a ? b : a));
      await (await openOther()).deleteTopic(OWNERS_TOPIC);
      const above = newest + 1_200n;
      const claimed = await m.reclaim(1, above);
      expect(claimed).toMatchObject({ kind: 'claimed', epoch: above + 1n });
      expect(claimed.kind === 'claimed' && claimed.skipped).toBeGreaterThan(1_200n);
      await until('start() to be asked again', () => reader.held(topic).some((a) => a.epoch === above + 1n));
      await put(log, topic, 1, many(2));
      await until('reading to go on', () => reader.values(topic, 1).length >= 2);
    });

    it('reports that a topic was made again and never reads on in it by itself; after reclaim start() gets the new id', async () => {
      const other = await openOther();
      const mine = bench().harness.newTopic();
      const spec = { name: mine, partitions: 1, cleanup: 'keep' } as const;
      await log.ensureTopic(spec);
      await put(log, mine, 0, many(12, 'old'));
      const reader = new Reader();
      // what a store does: an offset belongs to one topic
      reader.onStart = async (at) => void (at.topicId !== reader.starts[0]?.topicId && reader.positions.clear());
      const m = await join(reader, log, [mine]);
      await until('the old records', () => reader.values().length === 12);
      const { topicId } = reader.starts[0]!;
      expect(topicId).toBe(await log.topicId(mine));
      await other.deleteTopic(mine);
      await other.ensureTopic(spec);
      await put(other, mine, 0, many(20, 'new'));
      // an assignment after the recreation asks start() with the new id; without one, the next read tells it
      const newId = await other.topicId(mine);
      await until('the interruption or a new start', () => reader.interruptions.length > 0 || reader.starts.length > 1);
      if (reader.interruptions.length > 0) {
        expect(reader.interruptions[0]).toMatchObject({
          at: { topicId: newId },
          why: { kind: 'recreated', topicId: newId },
        });
        expect(reader.values()).toHaveLength(12);
        await m.reclaim(0);
      }
      const again = await until('start() with the new id', () => reader.starts.find((s) => s.topicId === newId));
      expect(again.epoch).toBeGreaterThan(reader.starts[0]!.epoch);
      await until('the new records', () => reader.values().length === 32);
      expect(reader.values().slice(12)).toEqual(Array.from({ length: 20 }, (_, i) => `new${i}`));
    });

    it('reports out of range and stands still until a seek', async () => {
      await put(log, topic, 0, many(5));
      const reader = new Reader(new Map([[`${topic}/0`, 50n]]));
      const m = await join(reader);
      await until('the alarm', () => reader.interruptions.length > 0);
      await put(log, topic, 0, many(5, 'w'));
      await put(log, topic, 1, many(1, 'other'));
      await until('another partition', () => reader.values(topic, 1).length === 1);
      expect(reader.values(topic, 0)).toEqual([]);
      m.seek(topic, 0, 3n);
      await until('the rest after the seek', () => reader.values(topic, 0).length >= 7);
      expect(reader.values(topic, 0).slice(0, 3)).toEqual(['v3', 'v4', 'w0']);
    });
  });
}
