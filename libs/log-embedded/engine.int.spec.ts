import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { OWNERS_TOPIC, type EventLog, type LogRecord, type NewRecord } from '#log';
import { Child } from '#log/conformance';
import { openEmbeddedLog, type EmbeddedLog, type EmbeddedLogOptions } from './index.js';

const DAY = 86_400_000;
const rec = (key: string, value: string | null): NewRecord => ({
  key: Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
  headers: [],
});
const rows = async (log: EventLog, topic: string): Promise<LogRecord[]> => {
  const out: LogRecord[] = [];
  const [range] = await log.describe(topic);
  for (let at = range!.low; at < range!.high;) {
    const batch = await log.read(topic, 0, at);
    if (batch.kind !== 'records') throw new Error('out of range');
    out.push(...batch.records);
    at = batch.next;
  }
  return out;
};
const plain = (all: readonly LogRecord[]): string[] =>
  all.map((r) => `${r.offset} ${r.key?.toString()}=${r.value === null ? 'gone' : r.value.toString()}`);

describe('the file of the embedded log', () => {
  let dir: string;
  let open: EmbeddedLog[];
  const openLog = async (options: Partial<EmbeddedLogOptions> = {}): Promise<EmbeddedLog> => {
    const log = await openEmbeddedLog({ dir, ...options });
    open.push(log);
    return log;
  };
  const topic = 'coba.berkas';

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'simpul-file-'));
    open = [];
  });
  afterEach(async () => {
    await Promise.all(open.map((log) => log.close()));
    rmSync(dir, { recursive: true, force: true });
  });

  it('keeps its topics and records over close and open', async () => {
    const first = await openLog();
    await first.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
    const id = await first.topicId(topic);
    await first.append(topic, 0, [rec('k', 'v')]);
    await first.close();
    const second = await openLog();
    expect(await second.topicId(topic)).toBe(id);
    expect(plain(await rows(second, topic))).toEqual(['0 k=v']);
  });

  it('refuses a file of another format with data_format, and a folder that cannot be made with log_unavailable', async () => {
    const db = new DatabaseSync(join(dir, 'log.sqlite'));
    db.exec('CREATE TABLE t(x); PRAGMA user_version=99');
    db.close();
    await expect(openEmbeddedLog({ dir })).rejects.toMatchObject({ code: 'data_format' });
    writeFileSync(join(dir, 'file'), '');
    await expect(openEmbeddedLog({ dir: join(dir, 'file', 'below') })).rejects.toMatchObject({
      code: 'log_unavailable',
    });
  });

  it('wakes a waiting read (long poll) for an append of another process', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
    const waiting = log.read(topic, 0, 0n, { waitMs: 50_000 });
    const child = new Child({ module: '#log-embedded', open: 'openEmbeddedLog', options: { dir } }, 'append', {
      topic,
      batch: 3,
      run: 0,
    });
    try {
      const batch = await waiting;
      expect(batch.kind === 'records' && batch.records[0]!.value!.toString()).toBe('0/0/0');
    } finally {
      await child.kill();
    }
  });

  it('never lets append times decrease when the clock is set back', async () => {
    let now = 5_000;
    const log = await openLog({ now: () => now });
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
    await log.append(topic, 0, [rec('a', '1')]);
    now = 1_000;
    expect(await log.append(topic, 0, [rec('b', '2')])).toMatchObject({ kind: 'accepted', appendTimeMs: 5_000 });
    now = 7_000;
    await log.append(topic, 0, [rec('c', '3')]);
    const at = await Promise.all([0, 5_000, 5_001, 7_000, 7_001].map((t) => log.offsetAt(topic, 0, t)));
    expect(at).toEqual([0n, 0n, 2n, 2n, 3n]);
  });

  it('keeps a tombstone for a day and compacts it away afterwards, without touching other keys', async () => {
    let now = 10 * DAY;
    const log = await openLog({ now: () => now });
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'compact' });
    await log.append(topic, 0, [rec('a', '1'), rec('b', '1'), rec('a', '2'), rec('b', null), rec('c', '1')]);
    await log.maintain();
    expect(plain(await rows(log, topic))).toEqual(['2 a=2', '3 b=gone', '4 c=1']);
    now += DAY + 1;
    await log.append(topic, 0, [rec('c', '2')]);
    await log.maintain();
    expect(plain(await rows(log, topic))).toEqual(['2 a=2', '5 c=2']);
    // an offset in a hole of compaction is in range: the read goes on with the next record
    expect(await log.read(topic, 0, 3n)).toMatchObject({ kind: 'records', next: 6n, low: 0n, high: 6n });
    expect(await log.offsetAt(topic, 0, now)).toBe(5n);
  });

  it('compacts many keys beside a running writer without losing the last record of a key', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'compact' });
    const last = new Map<string, string>();
    let upkeep: Promise<void> | undefined;
    for (let n = 0; n < 120; n++) {
      const batch = Array.from({ length: 50 }, (_, i) => rec(`k${(n * 7 + i * 13) % 331}`, `${n}.${i}`));
      for (const r of batch) last.set(r.key!.toString(), r.value!.toString());
      await log.append(topic, 0, batch);
      if (n % 20 === 10) upkeep = log.maintain();
    }
    await upkeep;
    await log.maintain();
    const all = await rows(log, topic);
    expect(all).toHaveLength(last.size);
    expect(new Map(all.map((r) => [r.key!.toString(), r.value!.toString()]))).toEqual(last);
  });

  it('drops the records that are older than the retention, and no others', async () => {
    let now = DAY;
    const log = await openLog({ now: () => now });
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep', retentionMs: 1_000 });
    for (let n = 0; n < 1_200; n++) {
      now += 1;
      void log.append(topic, 0, [rec('k', String(n))]);
    }
    await log.append(topic, 0, [rec('k', 'end')]);
    await log.maintain();
    const [range] = await log.describe(topic);
    const all = await rows(log, topic);
    expect(range).toEqual({ partition: 0, low: 199n, high: 1_201n });
    expect(all[0]!.appendTimeMs).toBe(now - 1_000);
    expect(all).toHaveLength(1_002);
  });

  it('writes its address into the claim records of its groups', async () => {
    const log = await openLog({ address: 'http://127.0.0.1:1' });
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
    const epoch = await new Promise<bigint>((resolve) => {
      void log.join('pembaca', [topic], {
        start: (at) => {
          resolve(at.epoch);
          return Promise.resolve({ offset: 0n });
        },
        batch: (_at, batch) => Promise.resolve({ next: batch.next }),
      });
    });
    const record = (await rows(log, OWNERS_TOPIC)).find((r) => r.offset === epoch);
    expect(record!.key!.toString()).toBe('pembaca/0');
    expect(JSON.parse(record!.value!.toString())).toMatchObject({ address: 'http://127.0.0.1:1' });
  });

  it('answers log_unavailable after close, also to a read that waits', async () => {
    const log = await openLog();
    await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
    const waiting = log.read(topic, 0, 0n, { waitMs: 60_000 });
    await Promise.all([expect(waiting).rejects.toMatchObject({ code: 'log_unavailable' }), log.close()]);
    expect(await log.append(topic, 0, [rec('k', 'v')])).toMatchObject({ kind: 'refused', code: 'log_unavailable' });
    await expect(log.ping()).rejects.toMatchObject({ code: 'log_unavailable' });
  });

  /** Appends until the log refuses; checks that every accepted append is in the log, and none in part. */
  const fill = async (log: EventLog): Promise<void> => {
    const accepted = new Map<bigint, string>();
    let refused = 0;
    for (let n = 0; refused < 3; n++) {
      if (n > 5_000) throw new Error('the disk does not get full');
      const batch = Array.from({ length: 10 }, (_, i) => rec(`k${i}`, `${n}.${i}.`.padEnd(5_000, 'x')));
      const done = await log.append(topic, 0, batch);
      if (done.kind === 'accepted') batch.forEach((r, i) => accepted.set(done.base + BigInt(i), r.value!.toString()));
      if (done.kind === 'refused') {
        expect(done.code).toBe('disk_full');
        refused++;
      }
    }
    const all = await rows(log, topic);
    expect(all.length % 10).toBe(0);
    const found = new Map(all.map((r) => [r.offset, r.value!.toString()]));
    expect(accepted.size).toBeGreaterThan(0);
    for (const [offset, value] of accepted) expect(found.get(offset)).toBe(value);
  };

  it('refuses with disk_full when the file may not grow, leaves nothing half written, and goes on when there is room', async () => {
    const log = await openLog({ maxPages: 1_000 });
    await log.ensureTopics([topic, 'coba.pengisi'].map((name) => ({ name, partitions: 1, cleanup: 'keep' as const })));
    for (let n = 0; n < 40; n++) await log.append('coba.pengisi', 0, [rec('k', 'x'.repeat(50_000))]);
    await fill(log);
    await log.deleteTopic('coba.pengisi');
    expect(await log.append(topic, 0, [rec('k', 'room again')])).toMatchObject({ kind: 'accepted' });
    expect((await rows(log, topic)).at(-1)!.value!.toString()).toBe('room again');
  });

  // only where this user may mount a small tmpfs
  const disk = mountable();
  if (disk) {
    it('refuses with disk_full on a real full disk, leaves nothing half written, and goes on when there is room', async () => {
      const mount = join(dir, 'disk');
      mkdirSync(mount);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', mount]);
      try {
        writeFileSync(join(mount, 'ballast'), Buffer.alloc(3 << 20, 1));
        const log = await openEmbeddedLog({ dir: join(mount, 'data') });
        await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
        await fill(log);
        rmSync(join(mount, 'ballast'));
        expect(await log.append(topic, 0, [rec('k', 'room again')])).toMatchObject({ kind: 'accepted' });
        await log.close();
        const again = await openEmbeddedLog({ dir: join(mount, 'data') });
        const all = await rows(again, topic);
        expect(all.at(-1)!.value!.toString()).toBe('room again');
        expect(all.length % 10).toBe(1);
        await again.close();
      } finally {
        execFileSync('umount', ['-l', mount]);
      }
    });
  }
});

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
