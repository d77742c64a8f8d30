import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { digestOf } from '#event';
import type { EventLog, NewRecord } from '#log';
import { until } from '#log/conformance';
import { writeFormat1 } from './format-1.fixture.js';
import { inspectLog, openEmbeddedLog, type DamagedRange, type EmbeddedLog } from './index.js';
import { flagStopped, openFile } from './schema.js';
import { Sealing } from './sealing.js';
import { prepareStatements } from './statements.js';

const topic = 'coba.lama';
const PAD = 'z'.repeat(300);

/** An event as a gateway of format 1 wrote it. */
function event(n: number): NewRecord {
  const [key, value] = [Buffer.from(`k${n}`), Buffer.from(`isi-${n}-${PAD}`)];
  return {
    key,
    value,
    headers: [
      ['ce_id', Buffer.from(`id-${n}`)],
      ['ce_unitkode', Buffer.from(`KODE${n}`)],
      ['simpul-digest', digestOf(key, value)],
    ],
  };
}
const events = (count: number): NewRecord[] => Array.from({ length: count }, (_, n) => event(n));
const appendsOf = (records: readonly NewRecord[], size: number): NewRecord[][] =>
  Array.from({ length: Math.ceil(records.length / size) }, (_, i) => records.slice(i * size, (i + 1) * size));

let dir: string;
let file: string;
let open: EmbeddedLog[];
let told: DamagedRange[];
let sealed: number[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-lama-'));
  file = join(dir, 'log.sqlite');
  [open, told, sealed] = [[], [], []];
});
afterEach(async () => {
  await Promise.all(open.map((log) => log.close()));
  rmSync(dir, { recursive: true, force: true });
});

async function openLog(): Promise<EmbeddedLog> {
  const report = { damaged: (range: DamagedRange) => told.push(range), sealed: (n: number) => sealed.push(n) };
  const log = await openEmbeddedLog({ dir, report });
  open.push(log);
  return log;
}
async function close(log: EmbeddedLog): Promise<void> {
  open.splice(open.indexOf(log), 1);
  await log.close();
}
/** A folder of format 1: `rows` rows of 10 events each. */
function makeOld(rows: number): void {
  writeFormat1(dir, [{ name: topic, id: '0123abcd', cleanup: 'keep', appends: appendsOf(events(rows * 10), 10) }]);
}
function flip(text: string): void {
  const bytes = readFileSync(file);
  const at = bytes.indexOf(text);
  expect(at).toBeGreaterThan(0);
  bytes[at + 1]! ^= 1;
  writeFileSync(file, bytes);
}
/** Offsets that are read as damaged; every other event must be as it was written, header included. */
async function damagedOffsets(log: EventLog, count: number): Promise<number[]> {
  const bad: number[] = [];
  for (let at = 0n; at < BigInt(count);) {
    const batch = await log.read(topic, 0, at, { maxRecords: 37 });
    if (batch.kind !== 'records') throw new Error(batch.kind);
    for (const r of batch.records) {
      if (r.damaged) bad.push(Number(r.offset));
      else expect([r.key, r.value, r.headers]).toEqual(Object.values(event(Number(r.offset))));
    }
    at = batch.next;
  }
  return bad;
}
const unsealedRows = (): number => {
  const db = new DatabaseSync(file, { readOnly: true });
  const { n } = db.prepare('SELECT count(*) n FROM batches WHERE crc IS NULL').get() as { n: number };
  db.close();
  return n;
};
const inspected = async () => (await inspectLog(file)).partitions.find((p) => p.topic === topic)!;
const at = (first: bigint, last = first): DamagedRange => ({ topic, partition: 0, first, last });

describe('events of a file of format 1', () => {
  it('whose value has a flipped bit are damaged by themselves, before and after the migration: found by a check, at a read, and told although nobody reads them', async () => {
    makeOld(6);
    flip('isi-23-');
    expect(await inspected()).toMatchObject({
      records: 59,
      unchecked: 59,
      damaged: [{ first: '23', last: '23' }],
    });
    const log = await openLog();
    await until('checksums', () => sealed.length > 0);
    expect([told, sealed]).toEqual([[at(23n)], [50]]);
    expect(await damagedOffsets(log, 60)).toEqual([23]);
    expect(told).toHaveLength(1);
    // the row with the damaged event keeps no checksum, and every check says so
    expect(await inspected()).toMatchObject({ records: 59, unchecked: 9, damaged: [{ first: '23', last: '23' }] });
    expect(await log.append(topic, 0, [event(60)])).toMatchObject({ kind: 'accepted', base: 60n });
  });

  it.each([
    ['the length of a value', (data: Buffer) => data.writeInt32LE(data.readInt32LE(12) + 4, 12)],
    ['the length of a header', (data: Buffer) => data.writeInt32LE(70_000, data.indexOf('ce_unitkode') - 4)],
    ['the digest', (data: Buffer) => (data[data.indexOf('simpul-digest') + 20]! ^= 1)],
  ])('with a wrong bit in %s are damaged, and the read goes on', async (_what, change) => {
    makeOld(3);
    const db = new DatabaseSync(file);
    const row = db.prepare('SELECT id, data FROM batches WHERE base = 10').get()!;
    const data = Buffer.from(row['data'] as Uint8Array);
    change(data);
    db.prepare('UPDATE batches SET data = ? WHERE id = ?').run(data, row['id']!);
    db.close();
    expect(await damagedOffsets(await openLog(), 30)).toEqual([10]);
    expect(told).toEqual([at(10n)]);
  });

  it('get checksums while the log is open: from then on a flipped bit in any header is damage as well', async () => {
    makeOld(6);
    await close(await openLog());
    await openLog();
    await until('checksums', () => unsealedRows() === 0);
    await close(open[0]!);
    expect(await inspected()).toMatchObject({ records: 60, unchecked: 0, damaged: [] });
    flip('KODE34');
    expect(await inspected()).toMatchObject({ damaged: [{ first: '30', last: '39' }] });
    const bad = await damagedOffsets(await openLog(), 60);
    expect([bad, told]).toEqual([Array.from({ length: 10 }, (_, i) => 30 + i), [at(30n, 39n)]]);
  });

  it('get them while events are appended; a start goes on where the last one ended, and no row is looked at twice', async () => {
    makeOld(400);
    const start = () => {
      const { db } = openFile(file, 0);
      const stop = (): void => {
        flagStopped(db);
        db.close();
      };
      return { sealing: new Sealing(db, prepareStatements(db), file), stop };
    };
    let writer = start();
    expect(unsealedRows()).toBe(400);
    while (unsealedRows() > 200) writer.sealing.step();
    writer.stop();
    writer = start();
    const left = unsealedRows();
    expect(left).toBeGreaterThan(0);
    expect(writer.sealing.step()).toMatchObject({ done: false, damaged: [] });
    expect(unsealedRows()).toBe(left - 50);
    writer.stop();
    sealed = [];
    const log = await openLog();
    for (let n = 0; n < 20; n++) await log.append(topic, 0, [event(4_000 + n)]);
    await until('checksums', () => sealed.length > 0);
    expect([sealed, unsealedRows()]).toEqual([[(left - 50) * 10], 0]);
    expect([await damagedOffsets(log, 4_020), told]).toEqual([[], []]);
    await close(log);
    writer = start();
    expect(writer.sealing.step()).toMatchObject({ done: true });
    writer.stop();
  });

  it('without a digest stay unchecked, and a check says how many they are', async () => {
    const bare = { ...event(10), headers: [] };
    writeFormat1(dir, [
      { name: topic, id: '0123abcd', cleanup: 'keep', appends: [...appendsOf(events(10), 10), [bare]] },
    ]);
    await openLog();
    await until('checksums', () => sealed.length > 0);
    expect([sealed, await inspected()]).toEqual([[10], expect.objectContaining({ records: 11, unchecked: 1 })]);
  });
});
