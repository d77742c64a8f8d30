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
import type { EmbeddedLog } from '#log-embedded';
import { BackupStage, many, numbered, rec, topic, values } from './backup-stage.fixture.js';
import { acceptLoss, makeBackup, restoreBackup, verifyFolder } from './index.js';

let stage: BackupStage;
let root: string;
let dir: string;
let target: string;
const dataFolder = (records: number, at?: string): Promise<EmbeddedLog> => stage.dataFolder(records, at);
const openLog = (at?: string): Promise<EmbeddedLog> => stage.openLog(at);
const close = (log: EmbeddedLog): Promise<void> => stage.close(log);
beforeEach(() => {
  stage = new BackupStage();
  ({ root, dir, target } = stage);
});
afterEach(() => stage.end());

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
    // neither is a folder into which a restore has not ended, nor one whose mark nobody can read
    for (const [mark, why] of [
      ['{"format":1,"state":"restoring","log":"","stopped":0}\n', /restore/],
      ['garbage', /log\.mark/],
      ['null\n', /log\.mark/],
    ] as const) {
      writeFileSync(join(dir, 'log.mark'), mark);
      await expect(to(other)).rejects.toMatchObject({ code: 'log_incomplete', detail: expect.stringMatching(why) });
    }
    await expect(verifyFolder(dir)).rejects.toMatchObject({ code: 'log_incomplete' });
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

  it('gives no offset twice, also when the same backup is restored again, or one that was made in between', async () => {
    const DAY_MS = 86_400_000;
    const log = await dataFolder(100);
    await log.ensureTopic({ name: 'coba.diam', partitions: 1, cleanup: 'keep' });
    await log.append('coba.diam', 0, [rec('x')]);
    await makeBackup({ dataDir: dir, target });
    await close(log);
    const given = new Set<bigint>();
    /** Restores, and appends some records: none at an offset that was given before. */
    const restored = async (backup: string, after: number, name: string): Promise<EmbeddedLog> => {
      await restoreBackup({ backup, dataDir: dir, replace: true, now: () => Date.now() + after });
      const again = await openLog();
      const { base } = (await again.append(name, 0, many(0, 500))) as { base: bigint };
      for (let n = 0n; n < 500n; n++) expect(given.has(base + n)).toBe(false);
      for (let n = 0n; n < 500n; n++) given.add(base + n);
      return again;
    };
    await close(await restored(target, 0, topic));
    await close(await restored(target, 1_000, topic));
    given.clear();
    // the other topic is idle while the second backup is made: its offsets are reserved, and not yet given
    const second = await restored(target, DAY_MS, topic);
    const between = join(root, 'between');
    await makeBackup({ dataDir: dir, target: between });
    given.clear();
    const { base } = (await second.append('coba.diam', 0, many(0, 500))) as { base: bigint };
    for (let n = 0n; n < 500n; n++) given.add(base + n);
    await close(second);
    await restored(between, 0, 'coba.diam');
  });

  it('never changes a backup: none is restored into one, no hub starts on one, and no loss is accepted in one', async () => {
    await close(await dataFolder(50));
    await makeBackup({ dataDir: dir, target });
    const other = join(root, 'backups', 'two');
    await makeBackup({ dataDir: dir, target: other });
    const refused = { code: 'folder_unusable', detail: expect.stringContaining('this is a backup') };
    for (const dataDir of [target, other])
      await expect(restoreBackup({ backup: target, dataDir, replace: true })).rejects.toMatchObject(refused);
    await expect(acceptLoss(target)).rejects.toMatchObject(refused);
    await expect(openLog(target)).rejects.toMatchObject({
      code: 'log_incomplete',
      detail: expect.stringContaining('simpul --data DIR restore'),
    });
    for (const at of [target, other]) expect((await verifyFolder(at)).whole).toBe(true);
    // a hub of an earlier version was started on a copy of it, and goes on
    cpSync(target, join(root, 'ran'), { recursive: true });
    cpSync(join(dir, 'log.mark'), join(root, 'ran', 'log.mark'));
    expect(await values(await openLog(join(root, 'ran')))).toHaveLength(50);
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
    const manifest = JSON.parse(readFileSync(join(target, 'backup.json'), 'utf8')) as Record<string, unknown>;
    for (const more of [
      { partitions: [null] },
      { files: null },
      { files: { 'log.sqlite': null } },
      { partitions: {} },
    ]) {
      writeFileSync(join(cut, 'backup.json'), JSON.stringify({ ...manifest, ...more }));
      await expect(into(cut)).rejects.toMatchObject({ code: 'backup_damaged' });
      await expect(verifyFolder(cut)).rejects.toMatchObject({ code: 'backup_damaged' });
    }
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
