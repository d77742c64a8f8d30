import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EventLog, LogRecord, NewRecord } from '#log';
import { openEmbeddedLog, type DamagedRange, type EmbeddedLog } from './index.js';

const rec = (key: string, value: string): NewRecord => ({
  key: Buffer.from(key),
  value: Buffer.from(value),
  headers: [],
});
const stream = 'coba.rusak';
const control = '_simpul.coba';
const keep = (name: string, partitions = 1) => ({ name, partitions, cleanup: 'keep' as const });

let dir: string;
let open: EmbeddedLog[];
let told: DamagedRange[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-crc-'));
  open = [];
  told = [];
});
afterEach(async () => {
  await Promise.all(open.map((log) => log.close()));
  rmSync(dir, { recursive: true, force: true });
});

async function openLog(): Promise<EmbeddedLog> {
  const log = await openEmbeddedLog({ dir, report: { damaged: (range) => told.push(range) } });
  open.push(log);
  return log;
}

/** A stopped log: 60 appends of 10 events each, and a control topic with a key that was revoked. */
async function make(): Promise<string> {
  const log = await openEmbeddedLog({ dir });
  await log.ensureTopics([keep(stream), { name: control, partitions: 1, cleanup: 'compact' }]);
  for (let n = 0; n < 60; n++)
    await log.append(
      stream,
      0,
      Array.from({ length: 10 }, (_, i) => rec('k', `event-${n * 10 + i}-${'z'.repeat(300)}`)),
    );
  await log.append(control, 0, [rec('kunci', '{"revoked":false}')]);
  await log.append(control, 0, [rec('kunci', '{"revoked":true}')]);
  await log.close();
  return join(dir, 'log.sqlite');
}

function flip(file: string, text: string): void {
  const bytes = readFileSync(file);
  const at = bytes.indexOf(text);
  expect(at).toBeGreaterThan(0);
  bytes[at + 1]! ^= 1;
  writeFileSync(file, bytes);
}

async function readAll(log: EventLog): Promise<LogRecord[]> {
  const out: LogRecord[] = [];
  const [range] = await log.describe(stream);
  for (let at = range!.low; at < range!.high;) {
    const batch = await log.read(stream, 0, at, { maxRecords: 37 });
    if (batch.kind !== 'records') throw new Error(batch.kind);
    out.push(...batch.records);
    at = batch.next;
  }
  return out;
}

/** Every offset is given once and in order; a good one has its own value, and the others say that they are damaged. */
function expectHonest(records: readonly LogRecord[]): number[] {
  expect(records.map((r) => r.offset)).toEqual(Array.from({ length: 600 }, (_, i) => BigInt(i)));
  const bad: number[] = [];
  for (const r of records)
    if (r.damaged) {
      expect([r.key, r.value?.length, r.headers]).toEqual([null, 0, []]);
      bad.push(Number(r.offset));
    } else expect(r.value!.toString()).toBe(`event-${r.offset}-${'z'.repeat(300)}`);
  return bad;
}

describe('a row of a control topic with a flipped bit', () => {
  it('refuses the start with log_damaged, and topic, partition and offset in the one line', async () => {
    flip(await make(), '"revoked":true');
    await expect(openLog()).rejects.toMatchObject({ code: 'log_damaged', detail: `${control}/0/1` });
  });

  it('that appears while the log is open is never read as if it were good', async () => {
    await make();
    const log = await openLog();
    const db = new DatabaseSync(join(dir, 'log.sqlite'));
    db.exec(`UPDATE batches SET data = CAST(replace(data, 'revoked', 'rev0ked') AS BLOB) WHERE id >> 40 = (SELECT part FROM partitions
      WHERE topic = (SELECT no FROM topics WHERE name = '${control}')) AND base = 1`);
    db.close();
    await expect(log.read(control, 0, 0n)).rejects.toMatchObject({ code: 'log_damaged', detail: `${control}/0/1` });
  });
});

describe('the tables of topics, partitions and counters', () => {
  it.each([
    ['the end of a partition', 'UPDATE partitions SET high = high - 1 WHERE part = 2'],
    ['the begin of a partition', 'UPDATE partitions SET low = 4 WHERE part = 2'],
    ['the name of a topic', `UPDATE topics SET name = 'coba.rusal' WHERE name = '${stream}'`],
    ['the newest claim', "UPDATE counters SET value = 0 WHERE name = 'claim'"],
  ])('refuse the start with log_damaged when a column was changed outside: %s', async (_what, sql) => {
    const db = new DatabaseSync(await make());
    db.exec("UPDATE counters SET value = 7 WHERE name = 'claim' AND 1 = 0");
    db.exec(sql.includes('claim') ? "UPDATE counters SET value = 99 WHERE name = 'claim'" : sql);
    db.close();
    await expect(openLog()).rejects.toMatchObject({ code: 'log_damaged' });
  });
});

describe('a row of a stream with a flipped bit', () => {
  it('is told once with its offsets and read as damaged records; all other events are read as they are', async () => {
    flip(await make(), 'event-123-');
    const log = await openLog();
    expect(expectHonest(await readAll(log))).toEqual([120, 121, 122, 123, 124, 125, 126, 127, 128, 129]);
    expect(expectHonest(await readAll(log))).toHaveLength(10);
    expect(told).toEqual([{ topic: stream, partition: 0, first: 120n, last: 129n }]);
    const one = await log.read(stream, 0, 125n, { maxRecords: 1 });
    expect(one).toMatchObject({ records: [{ offset: 125n, damaged: true }], next: 126n });
    expect(await log.append(stream, 0, [rec('k', 'on')])).toMatchObject({ kind: 'accepted', base: 600n });
  });

  it('and a row that is gone, or lies at another place, are damage as well: no event disappears unsaid', async () => {
    const db = new DatabaseSync(await make());
    const part = db
      .prepare(`SELECT part FROM partitions WHERE topic = (SELECT no FROM topics WHERE name = '${stream}')`)
      .get()!['part'];
    db.exec(`DELETE FROM batches WHERE id >> 40 = ${part} AND base = 200`);
    db.exec(`UPDATE batches SET id = id + 3 WHERE id >> 40 = ${part} AND base = 300`);
    db.exec(`DELETE FROM batches WHERE id >> 40 = ${part} AND base = 590`);
    db.close();
    const bad = expectHonest(await readAll(await openLog()));
    const ten = (from: number) => Array.from({ length: 10 }, (_, i) => from + i);
    expect(bad).toEqual([...ten(200), ...ten(300), ...ten(590)]);
  });

  it('or a damaged page of the file never ends or shortens a read: 20 seeds', async () => {
    const file = await make();
    const good = readFileSync(file);
    let damaged = 0;
    let refused = 0;
    for (let seed = 3; seed <= 60; seed += 3) {
      const bytes = Buffer.from(good);
      // somewhere behind the pages of the small tables
      const page = 12 + ((seed * 7) % (bytes.length / 4096 - 12));
      for (let i = 0; i < 1 + (seed % 20); i++) bytes[page * 4096 + ((seed * 131 + i * 17) % 4096)]! ^= 1 << (seed % 8);
      writeFileSync(file, bytes);
      rmSync(`${file}-wal`, { force: true });
      const log = await openEmbeddedLog({ dir }).catch((e: { code: string }) => e);
      if ('code' in log) {
        expect(log.code).toBe('log_damaged');
        refused++;
        continue;
      }
      damaged += expectHonest(await readAll(log)).length > 0 ? 1 : 0;
      await log.close();
      rmSync(join(dir, 'log.mark'));
    }
    expect(damaged + refused).toBeGreaterThan(10);
  });
});
