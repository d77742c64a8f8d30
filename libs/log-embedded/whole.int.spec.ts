import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EventLog, NewRecord } from '#log';
import { until } from '#log/conformance';
import { writeFormat1 } from './format-1.fixture.js';
import { openEmbeddedLog, type EmbeddedLog, type EmbeddedLogOptions } from './index.js';

const rec = (key: string, value: string): NewRecord => ({
  key: Buffer.from(key),
  value: Buffer.from(value),
  headers: [],
});
const many = (count: number, name = 'v'): NewRecord[] =>
  Array.from({ length: count }, (_, i) => rec('k', `${name}${i}`));
const topic = 'coba.utuh';

let root: string;
let dir: string;
let open: EmbeddedLog[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'simpul-whole-'));
  dir = join(root, 'data');
  open = [];
});
afterEach(async () => {
  await Promise.all(open.map((log) => log.close()));
  rmSync(root, { recursive: true, force: true });
});

const openLog = async (options: Partial<EmbeddedLogOptions> = {}): Promise<EmbeddedLog> => {
  const log = await openEmbeddedLog({ dir, ...options });
  open.push(log);
  return log;
};
const close = async (log: EmbeddedLog): Promise<void> => {
  open.splice(open.indexOf(log), 1);
  await log.close();
};
const file = (name: string): string => join(dir, name);

async function values(log: EventLog, of = topic): Promise<string[]> {
  const out: string[] = [];
  const [range] = await log.describe(of);
  for (let at = range!.low; at < range!.high;) {
    const batch = await log.read(of, 0, at);
    if (batch.kind !== 'records') throw new Error(batch.kind);
    out.push(...batch.records.map((r) => r.value!.toString()));
    at = batch.next;
  }
  return out;
}

/** A log with `count` records that was stopped in order. */
async function stopped(count: number): Promise<void> {
  const log = await openLog();
  await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
  await log.append(topic, 0, many(count));
  await close(log);
}

/** Appends in another process, which then dies by SIGKILL: nothing is checkpointed and the WAL stays. */
async function appendAndKill(count: number, name: string): Promise<void> {
  const code = `import { openEmbeddedLog } from '#log-embedded';
    const log = await openEmbeddedLog({ dir: ${JSON.stringify(dir)} });
    await log.ensureTopic({ name: '${topic}', partitions: 1, cleanup: 'keep' });
    for (let i = 0; i < ${count}; i++)
      await log.append('${topic}', 0, [{ key: Buffer.from('k'), value: Buffer.from('${name}' + i), headers: [] }]);
    console.log('done'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: process.cwd(),
  });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const refused = (code: string, detail: RegExp) =>
  expect.objectContaining({ code, detail: expect.stringMatching(detail) });

describe('an orderly stop', () => {
  it('leaves everything in log.sqlite: a copy of that file alone opens with all records', async () => {
    await stopped(200);
    expect(existsSync(file('log.sqlite-wal')) ? statSync(file('log.sqlite-wal')).size : 0).toBe(0);
    mkdirSync(join(root, 'copy'));
    copyFileSync(file('log.sqlite'), join(root, 'copy', 'log.sqlite'));
    dir = join(root, 'copy');
    expect(await values(await openLog())).toHaveLength(200);
  });

  it('is not needed for a short WAL: an idle log brings it into log.sqlite by itself', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
    await log.append(topic, 0, many(300));
    const wal = () => statSync(file('log.sqlite-wal')).size;
    expect(wal()).toBeGreaterThan(0);
    await until('the checkpoint', () => wal() === 0, 20_000);
    const db = new DatabaseSync(file('log.sqlite'), { readOnly: true });
    expect(db.prepare('SELECT sum(last - base + 1) n FROM batches').get()!['n']).toBeGreaterThanOrEqual(300);
    db.close();
    expect(await log.append(topic, 0, many(1, 'after'))).toMatchObject({ kind: 'accepted', base: 300n });
  });
});

describe('a log that is not whole refuses to open with log_incomplete and one line that says what to do', () => {
  it('when log.sqlite is older than the last orderly stop', async () => {
    await stopped(10);
    copyFileSync(file('log.sqlite'), join(root, 'old.sqlite'));
    await stopped(20);
    copyFileSync(join(root, 'old.sqlite'), file('log.sqlite'));
    await expect(openLog()).rejects.toEqual(refused('log_incomplete', /older than the last orderly stop.*\d+ of \d+/));
  });

  it('when log.sqlite is missing, empty or of another log', async () => {
    await stopped(10);
    cpSync(dir, join(root, 'whole'), { recursive: true });
    rmSync(file('log.sqlite'));
    await expect(openLog()).rejects.toEqual(refused('log_incomplete', /missing or empty/));
    writeFileSync(file('log.sqlite'), '');
    await expect(openLog()).rejects.toEqual(refused('log_incomplete', /missing or empty/));
    rmSync(file('log.sqlite'));
    rmSync(file('log.mark'));
    await stopped(30);
    copyFileSync(join(root, 'whole', 'log.mark'), file('log.mark'));
    await expect(openLog()).rejects.toEqual(refused('log_incomplete', /of another log/));
    copyFileSync(join(root, 'whole', 'log.sqlite'), file('log.sqlite'));
    expect(await values(await openLog())).toHaveLength(10);
  });

  it('when the WAL of a killed hub is missing, with the mark and, for a copy of log.sqlite alone, without it', async () => {
    await stopped(10);
    await appendAndKill(20, 'b');
    cpSync(dir, join(root, 'killed'), { recursive: true });
    rmSync(file('log.sqlite-wal'));
    await expect(openLog()).rejects.toEqual(refused('log_incomplete', /log\.sqlite-wal is missing/));
    expect(readdirSync(dir)).not.toContain('log.sqlite-wal');
    rmSync(file('log.mark'));
    await expect(openLog()).rejects.toEqual(refused('log_incomplete', /log\.sqlite-wal is missing/));
    dir = join(root, 'killed');
    expect(await values(await openLog())).toHaveLength(30);
  });

  it('when it was never checkpointed and only log.sqlite was copied: it holds no topic and is not taken for a new log', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
    await log.append(topic, 0, many(5));
    mkdirSync(join(root, 'copy'));
    copyFileSync(file('log.sqlite'), join(root, 'copy', 'log.sqlite'));
    dir = join(root, 'copy');
    await expect(openLog()).rejects.toEqual(refused('log_incomplete', /log\.sqlite-wal is missing/));
    // the header page that a file of format 1 has before its first checkpoint
    rmSync(dir, { recursive: true });
    mkdirSync(dir);
    const db = new DatabaseSync(file('log.sqlite'));
    db.exec('PRAGMA journal_mode=WAL');
    db.close();
    expect(statSync(file('log.sqlite')).size).toBe(4096);
    await expect(openLog()).rejects.toEqual(refused('log_incomplete', /holds nothing without log\.sqlite-wal/));
  });

  it('when log.sqlite and log.mark are missing and the caller knows that the folder has held a log', async () => {
    await stopped(10);
    rmSync(file('log.sqlite'));
    rmSync(file('log.mark'));
    await expect(openLog({ held: true })).rejects.toEqual(refused('log_incomplete', /missing or empty/));
    expect(readdirSync(dir).filter((name) => name.startsWith('log'))).toEqual([]);
    await close(await openLog());
    await openLog({ held: true });
  });

  it('when its mark is not readable', async () => {
    await stopped(5);
    writeFileSync(file('log.mark'), '{"state":');
    await expect(openLog()).rejects.toEqual(refused('log_incomplete', /log\.mark cannot be read/));
  });
});

describe('a start after kill -9 (SIGKILL)', () => {
  it('opens with all that was acknowledged, also over several kills and with a mark of an earlier orderly stop', async () => {
    await stopped(10);
    for (const name of ['a', 'b', 'c']) await appendAndKill(7, name);
    expect(await values(await openLog())).toHaveLength(31);
  });

  it.each([
    ['a flipped bit in its middle', (wal: Buffer) => void (wal[Math.floor(wal.length * 0.6)]! ^= 1)],
    ['zeros at its start', (wal: Buffer) => void wal.fill(0, 0, 40)],
  ])(
    'refuses a log whose WAL has %s and so lacks acknowledged records, and leaves every file as it is',
    async (_what, damage) => {
      await stopped(10);
      await appendAndKill(40, 'b');
      const wal = readFileSync(file('log.sqlite-wal'));
      damage(wal);
      writeFileSync(file('log.sqlite-wal'), wal);
      const log = readFileSync(file('log.sqlite'));
      for (let n = 0; n < 2; n++)
        await expect(openLog()).rejects.toEqual(
          refused('log_incomplete', /log\.sqlite-wal is damaged, .* only \d\d of 5\d records/),
        );
      expect([readFileSync(file('log.sqlite-wal')).equals(wal), readFileSync(file('log.sqlite')).equals(log)]).toEqual([
        true,
        true,
      ]);
    },
  );

  it('refuses a folder that was copied while a hub ran, when its WAL is older than its mark', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
    await log.append(topic, 0, many(5));
    const wal = readFileSync(file('log.sqlite-wal'));
    await log.append(topic, 0, many(5));
    cpSync(dir, join(root, 'copy'), { recursive: true });
    dir = join(root, 'copy');
    writeFileSync(file('log.sqlite-wal'), wal);
    rmSync(file('log.sqlite-shm'));
    await expect(openLog()).rejects.toEqual(refused('log_incomplete', /copied while a hub ran/));
  });

  it('of a first start, at any point of it, leaves a folder that opens', async () => {
    for (const cut of [0, 1]) {
      rmSync(dir, { recursive: true, force: true });
      mkdirSync(dir);
      writeFileSync(file('log.mark'), `{"format":1,"state":"creating","log":"","stopped":0}\n`);
      if (cut === 1) writeFileSync(file('log.sqlite'), '');
      const log = await openLog();
      await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
      await log.append(topic, 0, many(3));
      await close(log);
    }
    expect(await values(await openLog())).toHaveLength(3);
    truncateSync(file('log.mark'), 10);
  });
});

describe('a file of format 1', () => {
  const appends = [many(3, 'a'), many(4, 'b')];
  const topics = [
    { name: topic, id: '0123abcd', cleanup: 'keep', appends },
    { name: '_simpul.coba', id: '4567cdef', cleanup: 'compact', appends: [[rec('x', '1'), rec('y', '2')]] },
  ] as const;

  it('opens with the same records, offsets, times and first digits of the topic id, and is told once', async () => {
    writeFormat1(dir, topics);
    let told = 0;
    const report = { migrated: () => told++ };
    const log = await openLog({ report });
    expect((await log.topicId(topic)).slice(0, 8)).toBe('0123abcd');
    const batch = await log.read(topic, 0, 0n);
    expect(
      batch.kind === 'records' && batch.records.map((r) => `${r.offset} ${r.appendTimeMs} ${r.value!.toString()}`),
    ).toEqual(['0 1000 a0', '1 1000 a1', '2 1000 a2', '3 1001 b0', '4 1001 b1', '5 1001 b2', '6 1001 b3']);
    expect(await values(log, '_simpul.coba')).toEqual(['1', '2']);
    expect(await log.append(topic, 0, [rec('k', 'new')])).toMatchObject({ base: 7n });
    const id = await log.topicId(topic);
    await close(log);
    const again = await openLog({ report });
    expect([await again.topicId(topic), told]).toEqual([id, 1]);
    expect(await values(again)).toHaveLength(8);
  });

  it('gets checksums for its control rows at once; a row of records without a digest stays unchecked', async () => {
    writeFormat1(dir, topics);
    await close(await openLog());
    const db = new DatabaseSync(file('log.sqlite'), { readOnly: true });
    const count = (where: string) => db.prepare(`SELECT count(*) n FROM batches WHERE ${where}`).get()!['n'];
    expect([count('crc IS NULL'), count('crc IS NOT NULL') as number]).toEqual([2, 1]);
    db.close();
  });

  it('is not changed when the disk is too full for the migration', async () => {
    writeFormat1(dir, [
      { ...topics[0], appends: Array.from({ length: 50 }, () => many(400, 'x'.repeat(50))) },
      topics[1],
    ]);
    const pages = Math.ceil(statSync(file('log.sqlite')).size / 4096);
    const before = readFileSync(file('log.sqlite'));
    await expect(openLog({ maxPages: pages })).rejects.toMatchObject({ code: 'disk_full' });
    expect(readFileSync(file('log.sqlite')).equals(before)).toBe(true);
    expect(await values(await openLog())).toHaveLength(20_000);
  });
});
