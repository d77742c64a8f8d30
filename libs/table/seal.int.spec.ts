import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { isSealBroken, SEAL_HEADER, sealed, type NewRecord } from '#log';
import { openEmbeddedLog, type EmbeddedLog } from '#log-embedded';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTable, type UnreadableRecord } from './index.js';

const TOPIC = '_simpul.uji';

describe('a control record', () => {
  let dir: string;
  let log: EmbeddedLog;
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'simpul-seal-'));
    log = await openEmbeddedLog({ dir });
  });
  afterEach(async () => {
    await log.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('is written with a seal over key, value and headers; one that does not fit it is told, and its key has no row; one without, of an earlier version, is read', async () => {
    const told: UnreadableRecord[] = [];
    const open = () =>
      openTable<string>({
        log,
        topic: TOPIC,
        parse: (value) => value.toString(),
        serialise: (row) => Buffer.from(row),
        report: { unreadable: (record) => told.push(record) },
      });
    const table = await open();
    await table.write(() => ({
      changes: [
        { key: 'a', row: 'satu' },
        { key: 'b', row: 'dua' },
      ],
      result: undefined,
    }));
    const read = await log.read(TOPIC, 0, 0n, { maxRecords: 10 });
    const records = read.kind === 'records' ? read.records : [];
    expect(records.map((r) => r.headers.some(([name]) => name === SEAL_HEADER))).toEqual([true, true]);
    const old: NewRecord = { key: Buffer.from('c'), value: Buffer.from('tiga'), headers: [] };
    const { key, headers } = records[0]!;
    const changed: NewRecord = { key, headers, value: Buffer.from('lain') };
    await log.append(TOPIC, 0, [old, changed]);
    await table.refresh();
    expect([table.get('a'), table.get('b'), table.get('c')]).toEqual([undefined, 'dua', 'tiga']);
    expect(told).toMatchObject([{ topic: TOPIC, key: 'a' }]);
    await table.close();
  });

  it('has another seal when anything of it changes', () => {
    const record = sealed({ key: Buffer.from('k'), value: Buffer.from('v'), headers: [['epoch', Buffer.from('7')]] });
    expect(isSealBroken(record)).toBe(false);
    const [epoch, seal] = record.headers as [NewRecord['headers'][number], NewRecord['headers'][number]];
    for (const changed of [
      { ...record, key: Buffer.from('l') },
      { ...record, value: null },
      { ...record, headers: [['epoch', Buffer.from('8')] as const, seal] },
      { ...record, headers: [['epoche', epoch[1]] as const, seal] },
      { ...record, headers: [seal] },
    ])
      expect(isSealBroken(changed)).toBe(true);
  });
});
