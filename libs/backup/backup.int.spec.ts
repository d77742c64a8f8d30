import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openDataFolder } from '#folder';
import type { EventLog, NewRecord } from '#log';
import { openEmbeddedLog, type EmbeddedLog } from '#log-embedded';
import { killsAt, runKilled } from '../../test/kit/kills/killed.js';
import { acceptLoss, makeBackup, restoreBackup, verifyFolder } from './index.js';

/** Kills of a task: a spread of its steps. */
const CAMPAIGN = process.env['SIMPUL_TEST_CAMPAIGN'] === '1';
const KILLS = CAMPAIGN ? 24 : 8;
const LIMIT_MS = CAMPAIGN ? 3_600_000 : 300_000;
const topic = 'coba.cadangan';
const rec = (value: string): NewRecord => ({ key: Buffer.from('k'), value: Buffer.from(value), headers: [] });
const many = (from: number, count: number): NewRecord[] => Array.from({ length: count }, (_, i) => rec(`v${from + i}`));

let root: string;
let dir: string;
let target: string;
let open: EmbeddedLog[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'simpul-backup-'));
  dir = join(root, 'data');
  target = join(root, 'backups', 'one');
  open = [];
});
afterEach(async () => {
  await Promise.all(open.map((log) => log.close()));
  rmSync(root, { recursive: true, force: true });
});

/** The folder of a hub: format file, keys, a state file, and a log that the caller must close. */
async function dataFolder(records: number, at = dir): Promise<EmbeddedLog> {
  openDataFolder(at, 'embedded').release();
  for (const name of ['admin.key', 'pseudonym.key'])
    writeFileSync(join(at, name), `${name} of ${records}\n`, { mode: 0o600 });
  writeFileSync(join(at, 'state.sqlite'), 'folded again');
  const log = await openLog(at);
  await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
  for (let n = 0; n < records; n += 100) await log.append(topic, 0, many(n, Math.min(100, records - n)));
  return log;
}
async function openLog(at = dir): Promise<EmbeddedLog> {
  const log = await openEmbeddedLog({ dir: at });
  open.push(log);
  return log;
}
async function close(log: EmbeddedLog): Promise<void> {
  open.splice(open.indexOf(log), 1);
  await log.close();
}
async function values(log: EventLog): Promise<string[]> {
  const out: string[] = [];
  const [range] = await log.describe(topic);
  for (let at = range!.low; at < range!.high;) {
    const batch = await log.read(topic, 0, at);
    if (batch.kind !== 'records') throw new Error(batch.kind);
    out.push(...batch.records.map((r) => (r.damaged ? 'damaged' : r.value!.toString())));
    at = batch.next;
  }
  return out;
}
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `v${i}`);
const mode = (path: string): number => statSync(path).mode & 0o777;

describe('a backup', () => {
  it('made while the log is written is one moment of it: a prefix of what was appended, whole, for its owner only', async () => {
    const log = await dataFolder(2_000);
    let ended = false;
    let appended = 2_000;
    const writing = (async () => {
      while (!ended) {
        await log.append(topic, 0, many(appended, 10));
        appended += 10;
      }
    })();
    const manifest = await makeBackup({ dataDir: dir, target });
    ended = true;
    await writing;
    const held = manifest.partitions.find((p) => p.topic === topic)!;
    expect(held).toMatchObject({ low: '0', high: String(held.records), unchecked: 0, damaged: [] });
    expect(held.records).toBeGreaterThanOrEqual(2_000);
    expect(held.records % 10).toBe(0);
    expect(readdirSync(target).sort()).toEqual([
      'admin.key',
      'backup.json',
      'format.json',
      'log.sqlite',
      'pseudonym.key',
    ]);
    expect([target, ...readdirSync(target).map((name) => join(target, name))].map(mode)).toEqual([
      0o700,
      ...Array.from({ length: 5 }, () => 0o600),
    ]);
    expect(await verifyFolder(target)).toMatchObject({ kind: 'backup', whole: true, changed: [] });
    // restored elsewhere it is the same log
    const copy = join(root, 'copy');
    await restoreBackup({ backup: target, dataDir: copy, replace: false });
    const restored = await openLog(copy);
    expect(await values(restored)).toEqual(numbered(held.records));
    expect(await restored.topicId(topic)).toBe(await log.topicId(topic));
    expect(readFileSync(join(copy, 'pseudonym.key'), 'utf8')).toBe('pseudonym.key of 2000\n');
  });

  it('is refused with a clear code: a target that exists, no data folder, a folder of the Kafka engine, an incomplete log', async () => {
    await close(await dataFolder(10));
    mkdirSync(target, { recursive: true });
    const to = (at: string, from = dir) => makeBackup({ dataDir: from, target: at });
    await expect(to(target)).rejects.toMatchObject({ code: 'target_exists', detail: target });
    const other = join(root, 'two');
    await expect(to(other, join(root, 'none'))).rejects.toMatchObject({ code: 'folder_unusable' });
    await expect(to(other, target)).rejects.toMatchObject({ code: 'folder_unusable' });
    openDataFolder(join(root, 'kafka'), 'kafka').release();
    await expect(to(other, join(root, 'kafka'))).rejects.toMatchObject({
      code: 'folder_unusable',
      detail: expect.stringContaining('engine kafka'),
    });
    await expect(to('/proc/simpul/cadangan')).rejects.toMatchObject({ code: 'folder_unusable' });
    cpSync(join(dir, 'log.sqlite'), join(root, 'old.sqlite'));
    await close(await dataFolder(20));
    cpSync(join(root, 'old.sqlite'), join(dir, 'log.sqlite'));
    await expect(to(other)).rejects.toMatchObject({ code: 'log_incomplete' });
    expect(readdirSync(root).filter((name) => name.startsWith('two'))).toEqual([]);
  });

  const disk = mountable();
  if (disk)
    it('on a full disk ends with disk_full and leaves nothing', async () => {
      const log = await dataFolder(100);
      await log.append(topic, 0, [rec('x'.repeat(800_000))]);
      for (let n = 0; n < 10; n++) await log.append(topic, 0, [rec('x'.repeat(800_000))]);
      const mount = join(root, 'disk');
      mkdirSync(mount);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount]);
      try {
        await expect(makeBackup({ dataDir: dir, target: join(mount, 'b') })).rejects.toMatchObject({
          code: 'disk_full',
        });
        expect(readdirSync(mount)).toEqual([]);
        const elsewhere = join(root, 'b');
        await makeBackup({ dataDir: dir, target: elsewhere });
        const restore = () => restoreBackup({ backup: elsewhere, dataDir: join(mount, 'data'), replace: false });
        await expect(restore()).rejects.toMatchObject({ code: 'disk_full' });
        expect(readdirSync(join(mount, 'data')).filter((name) => /log|key|restore/.test(name))).toEqual([]);
      } finally {
        execFileSync('umount', ['-l', mount]);
      }
    });

  if (disk)
    it('of a folder on a disk that cannot be written any more is as good', async () => {
      await close(await dataFolder(200));
      const mount = join(root, 'disk');
      mkdirSync(mount);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mount]);
      try {
        cpSync(dir, join(mount, 'data'), { recursive: true });
        execFileSync('mount', ['-o', 'remount,ro', mount]);
        await makeBackup({ dataDir: join(mount, 'data'), target });
        expect(await verifyFolder(join(mount, 'data'))).toMatchObject({ whole: true });
        expect(() => openDataFolder(join(mount, 'data'), 'embedded')).toThrow(/cannot be written/);
      } finally {
        execFileSync('umount', ['-l', mount]);
      }
      expect((await verifyFolder(target)).log.partitions.find((p) => p.topic === topic)).toMatchObject({
        records: 200,
      });
    });

  it('tells damaged events and their place, and keeps them apart from the good ones', async () => {
    await close(await dataFolder(300));
    const file = join(dir, 'log.sqlite');
    const bytes = readFileSync(file);
    bytes[bytes.indexOf('v150') + 1]! ^= 1;
    writeFileSync(file, bytes);
    const { partitions } = await makeBackup({ dataDir: dir, target });
    expect(partitions.find((p) => p.topic === topic)).toMatchObject({
      records: 200,
      damaged: [{ first: '100', last: '199' }],
    });
    expect(await verifyFolder(dir)).toMatchObject({ kind: 'data', whole: false });
  });
});

describe('a restore', () => {
  it('replaces a folder only when it is told to, removes state, keeps what was there, and gives no offset twice', async () => {
    const log = await dataFolder(100);
    await makeBackup({ dataDir: dir, target });
    // acknowledged after the backup, so lost by the restore
    const lost = await log.append(topic, 0, many(100, 50));
    expect(lost).toMatchObject({ base: 100n });
    await close(log);
    const into = (replace: boolean) => restoreBackup({ backup: target, dataDir: dir, replace });
    await expect(into(false)).rejects.toMatchObject({ code: 'target_exists', detail: dir });
    expect((await verifyFolder(dir)).log.partitions.find((p) => p.topic === topic)!.records).toBe(150);
    const { replaced } = await into(true);
    expect(readdirSync(replaced!).sort()).toEqual(['admin.key', 'log.mark', 'log.sqlite', 'pseudonym.key']);
    expect(readdirSync(dir).filter((name) => name.startsWith('state'))).toEqual([]);
    const restored = await openLog();
    expect(await values(restored)).toEqual(numbered(100));
    const next = await restored.append(topic, 0, [rec('new')]);
    if (next.kind !== 'accepted') throw new Error(next.kind);
    expect(next.base).toBeGreaterThan(1_000_000n);
    expect(await values(restored)).toEqual([...numbered(100), 'new']);
    // a reader that had read the lost ones goes on behind them and misses nothing
    expect(await restored.read(topic, 0, 130n)).toMatchObject({ kind: 'records', records: [{ offset: next.base }] });
    // claims of the owners topic are epochs: they grow over a restore as well
    expect((await restored.describe('_simpul.owners'))[0]).toBeDefined();
  });

  it('is refused while a hub holds the folder, and for a backup that is not whole', async () => {
    await close(await dataFolder(50));
    await makeBackup({ dataDir: dir, target });
    const into = (backup: string, dataDir = join(root, 'new')) => restoreBackup({ backup, dataDir, replace: true });
    const child = spawn(process.execPath, ['--input-type=module', '-e', LOCK, dir], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(child.stdout, 'data');
    await expect(into(target, dir)).rejects.toMatchObject({ code: 'data_locked' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await expect(into(join(root, 'none'))).rejects.toMatchObject({ code: 'folder_unusable' });
    await expect(into(dir)).rejects.toMatchObject({
      code: 'backup_damaged',
      detail: expect.stringContaining('backup.json'),
    });
    for (const name of ['log.sqlite', 'pseudonym.key']) {
      const broken = join(root, `broken-${name}`);
      cpSync(target, broken, { recursive: true });
      const bytes = readFileSync(join(broken, name));
      bytes[bytes.length >> 1]! ^= 1;
      writeFileSync(join(broken, name), bytes);
      await expect(into(broken)).rejects.toMatchObject({
        code: 'backup_damaged',
        detail: expect.stringContaining(name),
      });
    }
    const cut = join(root, 'cut');
    cpSync(target, cut, { recursive: true });
    writeFileSync(join(cut, 'backup.json'), '{"format":1,');
    await expect(into(cut)).rejects.toMatchObject({ code: 'backup_damaged' });
    expect(existsSync(join(root, 'new', 'log.sqlite'))).toBe(false);
    openDataFolder(join(root, 'kafka'), 'kafka').release();
    await expect(into(target, join(root, 'kafka'))).rejects.toMatchObject({ code: 'data_format' });
    if (process.getuid?.() !== 0) {
      chmodSync(target, 0);
      await expect(into(target)).rejects.toMatchObject({ code: 'folder_unusable' });
      chmodSync(target, 0o700);
    }
  });

  it('can be done without a backup, with what is left: acceptLoss makes a log that lacks its WAL start again', async () => {
    await close(await dataFolder(50));
    cpSync(join(dir, 'log.sqlite'), join(root, 'old.sqlite'));
    const log = await openLog();
    await log.append(topic, 0, many(50, 50));
    await close(log);
    cpSync(join(root, 'old.sqlite'), join(dir, 'log.sqlite'));
    await expect(openLog()).rejects.toMatchObject({ code: 'log_incomplete' });
    expect(await verifyFolder(dir)).toMatchObject({ whole: false, log: { missing: 50 } });
    await acceptLoss(dir);
    expect(await verifyFolder(dir)).toMatchObject({ whole: true });
    expect(existsSync(join(dir, 'state.sqlite'))).toBe(false);
    const again = await openLog();
    expect(await values(again)).toEqual(numbered(50));
    const next = await again.append(topic, 0, [rec('new')]);
    expect(next.kind === 'accepted' && next.base > 100n).toBe(true);
    await expect(acceptLoss(join(root, 'none'))).rejects.toMatchObject({ code: 'folder_unusable' });
  });
});

describe('kill -9 (SIGKILL)', () => {
  /** A task of this room, as the code of a process of its own. */
  const task = (name: string, options: object): string =>
    `import * as backup from '#backup'; arm(); await backup.${name}(${JSON.stringify(options)});`;

  it(
    'of a backup, at any moment, never leaves a target that is not whole, and the next backup removes the rest',
    async () => {
      await close(await dataFolder(2_000));
      const at = (n: number): string => join(root, `b${n}`);
      const { steps } = await runKilled(task('makeBackup', { dataDir: dir, target: at(0) }));
      const left = new Set<string>();
      for (const [n, kill] of killsAt(steps, KILLS).entries()) {
        const to = at(n + 1);
        await runKilled(task('makeBackup', { dataDir: dir, target: to }), kill);
        left.add(existsSync(to) ? 'whole' : 'none');
        if (existsSync(to)) expect([kill, (await verifyFolder(to)).whole]).toEqual([kill, true]);
        else {
          await makeBackup({ dataDir: dir, target: to });
          expect(readdirSync(root).filter((name) => name.startsWith(`b${n + 1}.`))).toEqual([]);
        }
        rmSync(to, { recursive: true });
      }
      expect([...left].sort()).toEqual(['none', 'whole']);
    },
    LIMIT_MS,
  );

  it(
    'of a restore, at any moment, leaves the old log, the new one, or a folder that no hub starts on until it is run again',
    async () => {
      await close(await dataFolder(2_000));
      await makeBackup({ dataDir: dir, target });
      const bigger = await openLog();
      await bigger.append(topic, 0, many(2_000, 100));
      await close(bigger);
      const before = join(root, 'before');
      cpSync(dir, before, { recursive: true });
      const restore = task('restoreBackup', { backup: target, dataDir: dir, replace: true });
      const { steps } = await runKilled(restore);
      const seen = new Set<string>();
      for (const kill of killsAt(steps, KILLS)) {
        rmSync(dir, { recursive: true });
        cpSync(before, dir, { recursive: true });
        await runKilled(restore, kill);
        const log = await openEmbeddedLog({ dir }).catch((e: { code: string; detail: string }) => e);
        if ('code' in log) {
          expect([kill, log]).toMatchObject([
            kill,
            { code: 'log_incomplete', detail: expect.stringMatching(/restore/) },
          ]);
          seen.add('refused');
          // also without --replace: what lies there is the rest of this restore
          await restoreBackup({ backup: target, dataDir: dir, replace: false });
          const again = await openEmbeddedLog({ dir });
          expect(await values(again)).toHaveLength(2_000);
          await again.close();
        } else {
          const held = await values(log);
          expect([kill, [2_000, 2_100]]).toEqual([kill, expect.arrayContaining([held.length])]);
          seen.add(String(held.length));
          await log.close();
        }
      }
      expect([...seen].sort()).toEqual(['2000', '2100', 'refused']);
    },
    LIMIT_MS,
  );

  it(
    'of accepting a loss, at any moment, leaves a log that still refuses to start, or one with what was left',
    async () => {
      await close(await dataFolder(50));
      cpSync(join(dir, 'log.sqlite'), join(root, 'old.sqlite'));
      const log = await openLog();
      await log.append(topic, 0, many(50, 50));
      await close(log);
      cpSync(join(root, 'old.sqlite'), join(dir, 'log.sqlite'));
      const before = join(root, 'before');
      cpSync(dir, before, { recursive: true });
      const accept = `import { acceptLoss } from '#backup'; arm(); await acceptLoss(${JSON.stringify(dir)});`;
      const { steps } = await runKilled(accept);
      const seen = new Set<string>();
      for (const kill of killsAt(steps, KILLS)) {
        rmSync(dir, { recursive: true });
        cpSync(before, dir, { recursive: true });
        await runKilled(accept, kill);
        const refused = await openEmbeddedLog({ dir }).catch((e: { code: string }) => e.code);
        seen.add(typeof refused === 'string' ? refused : 'opened');
        if (typeof refused !== 'string') await refused.close();
        else await acceptLoss(dir);
        const again = await openEmbeddedLog({ dir });
        expect([kill, await values(again)]).toEqual([kill, numbered(50)]);
        const next = await again.append(topic, 0, [rec('new')]);
        expect(next.kind === 'accepted' && next.base > 100n).toBe(true);
        await again.close();
      }
      expect([...seen].sort()).toEqual(['log_incomplete', 'opened']);
    },
    LIMIT_MS,
  );
});

const LOCK = `import { DatabaseSync } from 'node:sqlite';
const db = new DatabaseSync(process.argv[1] + '/owner.lock');
db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
console.log('held'); setInterval(() => {}, 1000);`;

function mountable(): boolean {
  const probe = mkdtempSync(join(tmpdir(), 'simpul-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', probe], { stdio: 'ignore' });
    execFileSync('umount', [probe], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}
