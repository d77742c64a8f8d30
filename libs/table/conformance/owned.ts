import { describe, expect, it } from '@jest/globals';
import type { AppendOutcome } from '#log';
import { until } from '#log/conformance';
import { noteRecord, withAppend, type Note, type TableBench } from './kit.js';
import { NOTES } from './rows.js';

const put = (table: Note, note: string, epoch: bigint): Promise<void> => table.write([{ key: 'k', row: note, epoch }]);

export function ownedCases(bench: () => TableBench): void {
  describe('one owner per key under an epoch (openOwnedTable, R4)', () => {
    const lastIs = (note: string): Promise<true> =>
      until(`${note} to be the last record of its key`, async () => {
        const value = (await bench().compacted()).get('k');
        return value !== undefined && NOTES.parse(Buffer.from(value), 'k').row === note;
      });

    it('shows a row in the process that wrote it once the write resolves, later in other processes, and after the table is opened again', async () => {
      const a = await bench().notes();
      const seen = Promise.withResolvers<string | undefined>();
      const b = await bench().notes(await bench().otherLog(), { onChange: (_key, row) => seen.resolve(row) });
      await put(a, 'first', 7n);
      expect([a.get('k'), a.epoch('k'), a.size]).toEqual(['first', 7n, 1]);
      expect(await seen.promise).toBe('first');
      const c = await bench().notes();
      for (const table of [b, c]) expect([...table.entries()]).toEqual([['k', 'first']]);
    });

    it('coalesces the writes that arrive while an append is in flight into one append, in their order', async () => {
      const sizes: number[] = [];
      const log = withAppend(bench().log, (topic, partition, records) => {
        sizes.push(records.length);
        return bench().log.append(topic, partition, records);
      });
      const table = await bench().notes(log);
      await Promise.all([1, 2, 3, 4].map((n) => put(table, `note ${n}`, 1n)));
      await Promise.all([table.write([{ key: 'a', row: 'x', epoch: 1n }]), put(table, 'note 5', 1n)]);
      expect(sizes).toEqual([4, 2]);
      expect(table.get('k')).toBe('note 5');
    });

    it('shows the row of the newest epoch even when a row under an older epoch is appended later, also after the table is opened again', async () => {
      const shown: (string | undefined)[] = [];
      const live = await bench().notes(undefined, { onChange: (_key, row) => shown.push(row) });
      await bench().append([
        noteRecord('k', 'newest', 5n),
        noteRecord('k', 'older', 4n),
        noteRecord('k', 'oldest', 1n),
      ]);
      await live.refresh();
      const fresh = await bench().notes(await bench().otherLog());
      for (const table of [live, fresh]) expect([table.get('k'), table.epoch('k')]).toEqual(['newest', 5n]);
      await bench().append([noteRecord('k', 'again', 5n), noteRecord('k', 'next owner', 6n)]);
      await live.refresh();
      expect(shown).toEqual(['newest', 'again', 'next owner']);
    });

    it('appends the row of the owner again after a record under an older epoch, so that compaction keeps the right one', async () => {
      const owner = await bench().notes();
      await put(owner, 'mine', 5n);
      await bench().append([noteRecord('k', 'late', 4n)]);
      await lastIs('mine');
      await bench().harness.compact?.(bench().topic);
      const fresh = await bench().notes(await bench().otherLog());
      expect([fresh.get('k'), fresh.epoch('k')]).toEqual(['mine', 5n]);
    });

    it('does not append a row again that a newer owner has replaced', async () => {
      const former = await bench().notes();
      await put(former, 'former', 5n);
      const owner = await bench().notes(await bench().otherLog());
      await put(owner, 'owner', 6n);
      await former.refresh();
      await bench().append([noteRecord('k', 'late', 4n)]);
      await lastIs('owner');
      expect((await bench().values()).map((v) => NOTES.parse(Buffer.from(v!), 'k').row)).toEqual([
        'former',
        'owner',
        'late',
        'owner',
      ]);
    });

    it('refuses a write under an older epoch than one it has read, and appends nothing', async () => {
      const table = await bench().notes();
      await bench().append([noteRecord('k', 'owner', 6n)]);
      await table.refresh();
      await expect(put(table, 'former', 5n)).rejects.toMatchObject({ code: 'fenced' });
      expect(await bench().values()).toHaveLength(1);
    });

    it('ignores the late write of a former owner that was paused (SIGSTOP) during a takeover, and leaves the row of the owner as the last record', async () => {
      const child = await bench().child('owned', 10);
      child.send({ put: 'before' });
      expect(await child.line(1)).toBe('ok');
      child.send({ hold: true, put: 'late' });
      expect(await child.line(2)).toBe('held');
      await bench().pause(child);
      const shown: (string | undefined)[] = [];
      const bystander = await bench().notes(await bench().otherLog(), { onChange: (_key, row) => shown.push(row) });
      const owner = await bench().notes();
      await put(owner, 'taken over', 20n);
      child.send({ go: true });
      child.process.kill('SIGCONT');
      // Whether the former owner has read of the takeover by the time its append returns is a race; its row must not count either way.
      expect(['ok', 'fenced']).toContain(await child.line(3));
      const rows = async (): Promise<(string | undefined)[]> =>
        (await bench().values()).map((v) => NOTES.parse(Buffer.from(v!), 'k').row);
      await until('the owner to append its row again', async () => (await rows()).length === 4);
      expect(await rows()).toEqual(['before', 'taken over', 'late', 'taken over']);
      await bench().harness.compact?.(bench().topic);
      const fresh = await bench().notes(await bench().otherLog());
      await bystander.refresh();
      for (const table of [owner, bystander, fresh])
        expect([table.get('k'), table.epoch('k')]).toEqual(['taken over', 20n]);
      expect(shown).not.toContain('late');
      child.send({ get: true });
      expect(await child.line(4)).toBe('taken over');
      child.send({ put: 'once more' });
      expect(await child.line(5)).toBe('fenced');
    });

    it('lets an acknowledged row win over an earlier write of the same owner that the log took late', async () => {
      let lose = false;
      const log = withAppend(bench().log, (...args): Promise<AppendOutcome> => {
        if (!lose) return bench().log.append(...args);
        lose = false;
        return Promise.resolve({ kind: 'uncertain' });
      });
      const owner = await bench().notes(log);
      lose = true;
      await expect(put(owner, 'uncertain', 5n)).rejects.toMatchObject({ code: 'not_durable' });
      await put(owner, 'acknowledged', 5n);
      await bench().append([noteRecord('k', 'uncertain', 5n)]);
      await lastIs('acknowledged');
      expect(owner.get('k')).toBe('acknowledged');
    });

    it('shows a write with an uncertain outcome when its record arrives and no later write was acknowledged', async () => {
      const log = withAppend(bench().log, async (...args): Promise<AppendOutcome> => {
        await bench().log.append(...args);
        return { kind: 'uncertain' };
      });
      const owner = await bench().notes(log);
      await expect(put(owner, 'uncertain', 5n)).rejects.toMatchObject({ code: 'not_durable' });
      await owner.refresh();
      expect(owner.get('k')).toBe('uncertain');
    });

    it('fails with the code of the log when the log refuses a write, and does not show the row', async () => {
      const log = withAppend(bench().log, () => Promise.resolve({ kind: 'refused', code: 'disk_full' }));
      const table = await bench().notes(log);
      await expect(put(table, 'x', 1n)).rejects.toMatchObject({ code: 'disk_full' });
      expect([table.get('k'), table.size]).toEqual([undefined, 0]);
    });

    it('deletes a row under an epoch, and a late record of an older owner does not restore it', async () => {
      const owner = await bench().notes();
      await put(owner, 'mine', 5n);
      await owner.write([{ key: 'k', row: undefined, epoch: 6n }]);
      expect([owner.get('k'), owner.epoch('k'), owner.size, [...owner.entries()]]).toEqual([
        undefined,
        undefined,
        0,
        [],
      ]);
      await bench().append([noteRecord('k', 'late', 5n)]);
      await until(
        'the tombstone to be the last record',
        async () => (await bench().compacted()).get('k') === undefined,
      );
      const fresh = await bench().notes(await bench().otherLog());
      expect([owner.get('k'), fresh.get('k')]).toEqual([undefined, undefined]);
    });

    it('shows the last record of a key without an owner, and appends no record again', async () => {
      const [a, b] = [await bench().notes(), await bench().notes(await bench().otherLog())];
      await a.write([{ key: 'k', row: 'from a' }]);
      await b.write([{ key: 'k', row: 'from b' }]);
      await a.refresh();
      expect([a.get('k'), b.get('k'), a.epoch('k')]).toEqual(['from b', 'from b', undefined]);
      expect(await bench().values()).toHaveLength(2);
    });

    it('has no row for a key whose last record cannot be read, reports it, and has the row again once its owner has appended it again', async () => {
      const offsets: bigint[] = [];
      const shown: (string | undefined)[] = [];
      const owner = await bench().notes();
      const reader = await bench().notes(await bench().otherLog(), {
        report: { unreadable: ({ offset }) => offsets.push(offset) },
        onChange: (_key, row) => shown.push(row),
      });
      await put(owner, 'mine', 5n);
      await bench().append([{ key: Buffer.from('k'), value: Buffer.from('no JSON'), headers: [] }]);
      await until('the owner to append its row again', async () => (await bench().values()).length === 3);
      await reader.refresh();
      expect([shown, offsets, owner.get('k'), owner.bad]).toEqual([['mine', undefined, 'mine'], [1n], 'mine', 1]);
    });

    it('counts a record that cannot be parsed, and reads the records after it', async () => {
      const table = await bench().notes();
      await bench().append([
        { key: Buffer.from('x'), value: Buffer.from('no JSON'), headers: [] },
        noteRecord('y', 'good', 1n),
      ]);
      await table.refresh();
      expect([table.bad, table.get('x'), table.get('y')]).toEqual([1, undefined, 'good']);
    });
  });
}
