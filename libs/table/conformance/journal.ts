import { describe, expect, it } from '@jest/globals';
import { openJournal, type Journal } from '../index.js';
import { until } from '#log/conformance';
import { withAppend, type TableBench } from './kit.js';

export function journalCases(bench: () => TableBench): void {
  describe('many writers without keys (openJournal)', () => {
    const open = async (log = bench().log): Promise<{ journal: Journal<number>; rows: number[] }> => {
      const rows: number[] = [];
      const journal = await openJournal<number>({
        log,
        topic: { name: bench().topic, partitions: 1, cleanup: 'keep' },
        parse: (value) => JSON.parse(value.toString()) as number,
        serialise: (n) => Buffer.from(String(n)),
        onRow: (n) => rows.push(n),
      });
      return { journal, rows };
    };

    it('calls onRow exactly once for every row of every process, in log order, also after it is opened again', async () => {
      const [a, b] = [await open(), await open(await bench().otherLog())];
      await Promise.all([1, 2, 3].flatMap((n) => [a.journal.append(n), b.journal.append(n * 10)]));
      await Promise.all([a.journal.refresh(), b.journal.refresh(), a.journal.refresh()]);
      const c = await open();
      expect(a.rows.toSorted((x, y) => x - y)).toEqual([1, 2, 3, 10, 20, 30]);
      expect([b.rows, c.rows]).toEqual([a.rows, a.rows]);
      for (const { journal } of [a, b, c]) await journal.close();
    });

    it('answers the outcome of the append, and calls onRow only for a row that the log has', async () => {
      const log = withAppend(bench().log, () => Promise.resolve({ kind: 'refused', code: 'log_unavailable' }));
      const { journal, rows } = await open(log);
      expect(await journal.append(1)).toMatchObject({ kind: 'refused' });
      await journal.refresh();
      expect(rows).toEqual([]);
      await journal.close();
    });

    it('tells that its topic was made again before it gives a row of the new one, and gives the rows of the new one from the first', async () => {
      const { log, topic } = bench();
      const seen: string[] = [];
      const journal = await openJournal<number>({
        log,
        topic: { name: topic, partitions: 1, cleanup: 'compact' },
        keyOf: String,
        parse: (value) => JSON.parse(value.toString()) as number,
        serialise: (n) => Buffer.from(String(n)),
        onRow: (n, topicId) => seen.push(`${n} of ${topicId}`),
        onAnew: () => seen.push('anew'),
      });
      const first = await log.topicId(topic);
      expect(journal.topicId).toBe(first);
      for (const n of [1, 2]) await journal.append(n);
      await journal.refresh();
      await log.deleteTopic(topic);
      await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'compact' });
      await until('rows of the new topic', async () => {
        if (!seen.some((s) => s.startsWith('3'))) await journal.append(3);
        await journal.refresh().catch(() => undefined);
        return seen.some((s) => s.startsWith('3'));
      });
      const second = await log.topicId(topic);
      expect(second).not.toBe(first);
      expect(seen.slice(0, 4)).toEqual([`1 of ${first}`, `2 of ${first}`, 'anew', `3 of ${second}`]);
      expect(journal.topicId).toBe(second);
      await journal.close();
    });

    it('counts a record that cannot be parsed, and reads the records after it', async () => {
      const { journal, rows } = await open();
      await bench().append([
        { key: null, value: Buffer.from('no JSON'), headers: [] },
        { key: null, value: Buffer.from('2'), headers: [] },
      ]);
      await journal.refresh();
      expect([journal.bad, rows]).toEqual([1, [2]]);
      await journal.close();
    });
  });
}
