import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EventLog } from '#log';
import { openEmbeddedLog } from '#log-embedded';
import { openTable, type Table } from './index.js';

const parse = (value: Buffer): number => {
  const n = Number(value.toString());
  if (Number.isNaN(n)) throw new Error('not a number');
  return n;
};
const serialise = (n: number): Buffer => Buffer.from(String(n));
const T = '_simpul.test';

describe('a table', () => {
  let dir: string;
  let logs: EventLog[];
  let tables: Table<number>[];
  const openLog = async (): Promise<EventLog> => {
    const log = await openEmbeddedLog({ dir });
    logs.push(log);
    return log;
  };
  const open = async (log: EventLog): Promise<Table<number>> => {
    const table = await openTable({ log, topic: T, parse, serialise });
    tables.push(table);
    return table;
  };
  const increment = (t: Table<number>): Promise<number> =>
    t.write((rows) => {
      const n = (rows.get('n') ?? 0) + 1;
      return { changes: [{ key: 'n', row: n }], result: n };
    });

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'simpul-table-'));
    logs = [];
    tables = [];
  });
  afterEach(async () => {
    await Promise.all(tables.map((t) => t.close()));
    await Promise.all(logs.map((l) => l.close()));
    rmSync(dir, { recursive: true, force: true });
  });

  it('reads what it wrote at once, and again after it was opened anew', async () => {
    const log = await openLog();
    const table = await open(log);
    await table.write(() => ({
      changes: [
        { key: 'a', row: 1 },
        { key: 'b', row: 2 },
      ],
      result: undefined,
    }));
    await table.write(() => ({ changes: [{ key: 'a', row: undefined }], result: undefined }));
    expect([...table.entries()]).toEqual([['b', 2]]);
    const again = await open(log);
    expect([...again.entries()]).toEqual([['b', 2]]);
    expect(again.next).toBe(table.next);
  });

  it('loses no update when two processes write the same key', async () => {
    const [a, b] = [await open(await openLog()), await open(await openLog())];
    const results = await Promise.all([a, b, a, b, a, b, a, b, a, b].map((t) => increment(t)));
    expect(results.toSorted((x, y) => x - y)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await Promise.all([a.refresh(), b.refresh()]);
    expect([a.get('n'), b.get('n')]).toEqual([10, 10]);
  });

  it('writes nothing when the decision throws or has no changes', async () => {
    const table = await open(await openLog());
    await expect(
      table.write(() => {
        throw new Error('refused');
      }),
    ).rejects.toThrow('refused');
    expect(await table.write(() => ({ changes: [], result: 'none' }))).toBe('none');
    expect(table.next).toBe(0n);
  });

  it('counts a record that cannot be parsed and goes on', async () => {
    const log = await openLog();
    const table = await open(log);
    await log.append(T, 0, [
      { key: Buffer.from('x'), value: Buffer.from('not a number'), headers: [] },
      { key: Buffer.from('y'), value: Buffer.from('7'), headers: [] },
    ]);
    await table.refresh();
    expect([table.bad, table.get('x'), table.get('y')]).toEqual([1, undefined, 7]);
  });

  it('follows what another process wrote', async () => {
    const [a, log] = [await open(await openLog()), await openLog()];
    let seen: (n: number) => void = () => {};
    const told = new Promise<number>((done) => {
      seen = done;
    });
    const b = await openTable({ log, topic: T, parse, serialise, onChange: (_key, row) => seen(row ?? -1) });
    tables.push(b);
    await increment(a);
    expect(await told).toBe(1);
    expect(b.get('n')).toBe(1);
  });
});
