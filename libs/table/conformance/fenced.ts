import { describe, expect, it } from '@jest/globals';
import { openTable, type Table } from '../index.js';
import { COUNTER } from './rows.js';
import type { TableBench } from './kit.js';

const increment = (t: Table<number>): Promise<number> =>
  t.write((rows) => {
    const n = (rows.get('n') ?? 0) + 1;
    return { changes: [{ key: 'n', row: n }], result: n };
  });

export function fencedCases(bench: () => TableBench): void {
  describe('one fenced writer (openTable, R4)', () => {
    it('shows a write once it resolves, and also after the table is opened again', async () => {
      const table = await bench().counter();
      await table.write(() => ({
        changes: [
          { key: 'a', row: 1 },
          { key: 'b', row: 2 },
        ],
        result: undefined,
      }));
      await table.write(() => ({ changes: [{ key: 'a', row: undefined }], result: undefined }));
      expect([...table.entries()]).toEqual([['b', 2]]);
      const again = await bench().counter();
      expect([...again.entries()]).toEqual([['b', 2]]);
      await table.refresh();
      expect(again.next).toBe(table.next);
    });

    it('loses no update when two processes write the same key', async () => {
      const [a, b] = [await bench().counter(), await bench().counter(await bench().otherLog())];
      const ends = await Promise.allSettled([a, b, a, b, a, b].map((t) => increment(t)));
      const results = ends.flatMap((e) => (e.status === 'fulfilled' ? [e.value] : [])).toSorted((x, y) => x - y);
      // A broker can answer a commit with an error that leaves the outcome open: then the write answers not_durable and the log decides.
      const uncertain = ends.flatMap((e) => (e.status === 'rejected' ? [e.reason as unknown] : []));
      for (const reason of uncertain) expect(reason).toMatchObject({ code: 'not_durable' });
      if (uncertain.length === 0) expect(results).toEqual([1, 2, 3, 4, 5, 6]);
      await Promise.all([a.refresh(), b.refresh()]);
      const n = a.get('n')!;
      expect(b.get('n')).toBe(n);
      // Every write built on the one before it: the log counts without a gap or a repeat, and holds every answered value.
      const counted = Array.from({ length: n }, (_, i) => String(i + 1));
      expect(await bench().values()).toEqual(counted);
      expect(new Set(results).size).toBe(results.length);
      expect(results.every((r) => r <= n)).toBe(true);
      expect(n).toBeLessThanOrEqual(6);
    });

    it('writes nothing when the decision throws or has no changes', async () => {
      const table = await bench().counter();
      await expect(
        table.write(() => {
          throw new Error('refused');
        }),
      ).rejects.toThrow('refused');
      expect(await table.write(() => ({ changes: [], result: 'none' }))).toBe('none');
      expect(await bench().values()).toEqual([]);
    });

    it('counts a record that cannot be parsed, and reads the records after it', async () => {
      const table = await bench().counter();
      await bench().append([
        { key: Buffer.from('x'), value: Buffer.from('not a number'), headers: [] },
        { key: Buffer.from('y'), value: Buffer.from('7'), headers: [] },
      ]);
      await table.refresh();
      expect([table.bad, table.get('x'), table.get('y')]).toEqual([1, undefined, 7]);
    });

    it('shows the rows that another process writes', async () => {
      const a = await bench().counter();
      const seen = Promise.withResolvers<number | undefined>();
      const b = await openTable({
        log: await bench().otherLog(),
        topic: bench().topic,
        ...COUNTER,
        onChange: (_key, row) => seen.resolve(row),
      });
      await increment(a);
      expect(await seen.promise).toBe(1);
      expect(b.get('n')).toBe(1);
      await b.close();
    });

    it('fences a writer that was paused (SIGSTOP) during a takeover: its commit fails, it reads and decides again, nothing is lost or doubled', async () => {
      const child = await bench().child('fenced');
      child.send({ add: true });
      expect(await child.line(1)).toBe(1);
      child.send({ hold: true, add: true });
      expect(await child.line(2)).toBe('held');
      await bench().pause(child);
      const table = await bench().counter();
      expect([await increment(table), await increment(table)]).toEqual([2, 3]);
      child.send({ go: true });
      child.process.kill('SIGCONT');
      expect(await child.line(3)).toBe(4);
      expect(await increment(table)).toBe(5);
      expect(await bench().values()).toEqual(['1', '2', '3', '4', '5']);
      child.send({ get: true });
      expect(await child.line(4)).toBe(5);
    });
  });
}
