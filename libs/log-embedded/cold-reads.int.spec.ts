import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StatementSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { NewRecord } from '#log';
import { HotTail } from './hot-tail.js';
import { openEmbeddedLog, type EmbeddedLog } from './index.js';

const topic = 'coba.dingin';
let dir: string;
let log: EmbeddedLog;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-cold-'));
  log = await openEmbeddedLog({ dir });
  await log.ensureTopic({ name: topic, partitions: 1, cleanup: 'keep' });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await log.close();
  rmSync(dir, { recursive: true, force: true });
});

const batch = (n: number): NewRecord[] =>
  Array.from({ length: 100 }, (_, i) => ({
    key: Buffer.from('k'),
    value: Buffer.from(`${n}.${i}`.padEnd(1_000, '.')),
    headers: [],
  }));

describe('a read that is far from the tail', () => {
  it('does not run in the calling thread: the calling thread asks SQLite for no row of it, only for those of the tail', async () => {
    for (let n = 0; n < 20; n++) await log.append(topic, 0, batch(n));
    await log.close();
    log = await openEmbeddedLog({ dir });
    const rowsRead = jest.spyOn(StatementSync.prototype, 'iterate');
    const seen: string[] = [];
    for (let at = 0n; at < 2_000n;) {
      const page = await log.read(topic, 0, at);
      if (page.kind !== 'records') throw new Error(page.kind);
      seen.push(...page.records.map((r) => r.value!.toString().split('.', 2).join('.')));
      at = page.next;
    }
    expect(seen).toEqual(Array.from({ length: 2_000 }, (_, i) => `${Math.floor(i / 100)}.${i % 100}`));
    expect(rowsRead).not.toHaveBeenCalled();
    await log.append(topic, 0, batch(20));
    expect(await log.read(topic, 0, 2_000n)).toMatchObject({ kind: 'records', next: 2_100n });
    expect(rowsRead).toHaveBeenCalledTimes(1);
  });
});

describe('the hot tail', () => {
  it('is what was appended in the last 64 MiB by this process, over all partitions', () => {
    const tail = new HotTail();
    expect(tail.isHot(1, 0n)).toBe(false);
    tail.appended(1, 500, 10, 1 << 20);
    expect([tail.isHot(1, 499n), tail.isHot(1, 500n), tail.isHot(2, 500n)]).toEqual([false, true, false]);
    for (let n = 0; n < 63; n++) tail.appended(2, n * 10, 10, 1 << 20);
    expect(tail.isHot(1, 500n)).toBe(true);
    tail.appended(2, 630, 10, 1 << 20);
    expect([tail.isHot(1, 505n), tail.isHot(2, 0n)]).toEqual([false, true]);
    tail.appended(2, 640, 10, 2 << 20);
    expect([tail.isHot(2, 0n), tail.isHot(2, 30n)]).toEqual([false, true]);
  });
});
