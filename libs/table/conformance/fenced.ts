import { describe, expect, it } from '@jest/globals';
import { openTable, type Table, type TableOptions, type UnreadableRecord } from '../index.js';
import { COUNTER } from './rows.js';
import { countClaims, withWriter, type TableBench } from './kit.js';

const increment = (t: Table<number>): Promise<number> =>
  t.write((rows) => {
    const n = (rows.get('n') ?? 0) + 1;
    return { changes: [{ key: 'n', row: n }], result: n };
  });

/** How long eight writes of another key take, ms. */
async function timeOfEight(table: Table<number>, key: string): Promise<number> {
  const before = performance.now();
  for (let row = 0; row < 8; row++) await table.write(() => ({ changes: [{ key, row }], result: undefined }));
  return performance.now() - before;
}

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

    it('claims nothing for a write that decides nothing', async () => {
      await increment(await bench().counter());
      const { log, claims } = countClaims(bench().log);
      const table = await bench().counter(log);
      expect(await table.write(() => ({ changes: [], result: 'none' }))).toBe('none');
      const refused = table.write(() => {
        throw new Error('refused');
      });
      await expect(refused).rejects.toThrow('refused');
      expect(claims()).toBe(0);
      await increment(table);
      expect(claims()).toBe(1);
    });

    it('calls beforeWrite under the claim, and not for a decision that another writer has overtaken', async () => {
      const [a, b] = [await bench().counter(), await bench().counter(await bench().otherLog())];
      const written: string[] = [];
      const once = (table: Table<number>, name: string): Promise<boolean> =>
        table.write((rows) =>
          rows.has('n')
            ? { changes: [], result: false }
            : { changes: [{ key: 'n', row: 1 }], result: true, beforeWrite: () => void written.push(name) },
        );
      const [byA, byB] = await Promise.all([once(a, 'a'), once(b, 'b')]);
      expect([byA, byB].filter(Boolean)).toHaveLength(1);
      expect(written).toEqual([byA ? 'a' : 'b']);
    });

    it('lets 20 writers do 8 writes each within 10 s, each decided at most a few times, without a lost update', async () => {
      const tables = await Promise.all(
        Array.from({ length: 20 }, async () => bench().counter(await bench().otherLog())),
      );
      let decisions = 0;
      let most = 0;
      // On a busy machine every write takes longer: what one writer needs for eight writes, alone, says how much.
      const alone = await timeOfEight(tables[0]!, 'alone');
      const before = performance.now();
      const results = await Promise.all(
        tables.map(async (table) => {
          const answers: number[] = [];
          for (let i = 0; i < 8; i++) {
            let mine = 0;
            const answer = await table.write((rows) => {
              decisions++;
              mine++;
              const n = (rows.get('n') ?? 0) + 1;
              return { changes: [{ key: 'n', row: n }], result: n };
            });
            answers.push(answer);
            most = Math.max(most, mine);
          }
          return answers;
        }),
      );
      expect(performance.now() - before).toBeLessThan(Math.max(10_000, 60 * alone));
      const counted = Array.from({ length: 160 }, (_, i) => i + 1);
      expect(results.flat().toSorted((x, y) => x - y)).toEqual(counted);
      expect((await bench().values()).slice(8)).toEqual(counted.map(String));
      expect(most).toBeLessThanOrEqual(4);
      expect(decisions).toBeLessThanOrEqual(3 * 160);
    }, 120_000);

    it('knows of a write with an uncertain outcome whether it is in the log, and decides again only if it is not', async () => {
      const outcomes: ('lost' | 'late answer')[] = ['lost', 'late answer'];
      const log = withWriter(bench().log, async (write) => {
        const told = outcomes.shift();
        if (told === 'lost') return { kind: 'uncertain' };
        const outcome = await write();
        return told === 'late answer' ? { kind: 'uncertain' } : outcome;
      });
      const table = await bench().counter(log);
      expect([await increment(table), await increment(table)]).toEqual([1, 2]);
      expect(outcomes).toEqual([]);
      expect(await bench().values()).toEqual(['1', '2']);
    });

    it('has no row for a key whose last record cannot be read, also when it had one before, and reports it; the next record of the key repairs it', async () => {
      const unreadable: UnreadableRecord[] = [];
      const changes: [string, number | undefined][] = [];
      const more: Partial<TableOptions<number>> = {
        report: { unreadable: (record) => unreadable.push(record) },
        onChange: (key, row) => changes.push([key, row]),
      };
      const table = await bench().counter(undefined, more);
      await bench().append([
        { key: Buffer.from('x'), value: Buffer.from('1'), headers: [] },
        { key: Buffer.from('x'), value: Buffer.from('not a number'), headers: [] },
        { key: Buffer.from('y'), value: Buffer.from('7'), headers: [] },
      ]);
      await table.refresh();
      const loaded = await bench().counter();
      for (const t of [table, loaded])
        expect([t.bad, t.get('x'), t.row('x'), [...t.damaged], t.get('y')]).toEqual([
          1,
          undefined,
          undefined,
          ['x'],
          7,
        ]);
      expect(unreadable).toMatchObject([{ topic: bench().topic, key: 'x', offset: 1n }]);
      expect(changes).toEqual([
        ['x', 1],
        ['x', undefined],
        ['y', 7],
      ]);
      await table.write((rows) => ({ changes: [{ key: 'x', row: rows.size }], result: undefined }));
      expect([table.get('x'), [...table.damaged]]).toEqual([1, []]);
    });

    it('goes on after kill -9 of a writer that holds the claim, and after kill -9 in the middle of its writes: nothing acknowledged is lost, nothing is done twice', async () => {
      const holder = await bench().child('fenced');
      holder.send({ add: true });
      expect(await holder.line(1)).toBe(1);
      holder.send({ hold: true, add: true });
      expect(await holder.line(2)).toBe('held');
      await holder.kill();
      const table = await bench().counter();
      expect(await increment(table)).toBe(2);
      const busy = await bench().child('fenced');
      for (let i = 0; i < 50; i++) busy.send({ add: true });
      const acknowledged = (await busy.line(3)) as number;
      await busy.kill();
      const last = await increment(table);
      expect(last).toBeGreaterThan(acknowledged);
      expect(await bench().values()).toEqual(Array.from({ length: last }, (_, i) => String(i + 1)));
    });

    it('loses no update beside a writer of an earlier version, which claims without a turn and claims again at once when it is fenced', async () => {
      const [table, other] = [await bench().counter(), await bench().counter(await bench().otherLog())];
      const log = await bench().otherLog();
      const rows = await bench().counter(log);
      const earlier = async (): Promise<number> => {
        for (;;) {
          const writer = await log.claim(bench().topic);
          await rows.refresh();
          const n = (rows.get('n') ?? 0) + 1;
          const outcome = await writer.write([{ key: Buffer.from('n'), value: Buffer.from(`${n}`), headers: [] }]);
          await writer.release();
          if (outcome.kind === 'accepted') return n;
        }
      };
      const one = async (): Promise<number[]> => [await earlier(), await earlier(), await earlier(), await earlier()];
      const many = async (t: Table<number>): Promise<number[]> => [
        await increment(t),
        await increment(t),
        await increment(t),
      ];
      const results = (await Promise.all([one(), many(table), many(other)])).flat();
      const counted = Array.from({ length: 10 }, (_, i) => i + 1);
      expect(results.toSorted((x, y) => x - y)).toEqual(counted);
      expect(await bench().values()).toEqual(counted.map(String));
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
