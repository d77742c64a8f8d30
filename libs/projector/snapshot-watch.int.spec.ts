import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedLog, type EmbeddedLog } from '#log-embedded';
import type { SnapshotStatus } from '#projection';
import { SnapshotWatch } from './snapshot-watch.js';

const DAY = 86_400_000;
const STREAM = 'uji.aliran';

let dir: string;
let log: EmbeddedLog;
let now: number;
let held: SnapshotStatus[];
let concerns: Map<string, string>;
let alarms: string[];
let watch: SnapshotWatch;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-watch-'));
  now = Date.parse('2026-01-01T00:00:00Z');
  log = await openEmbeddedLog({ dir, now: () => now });
  await log.ensureTopic({ name: STREAM, partitions: 1, cleanup: 'keep', retentionMs: 10 * DAY });
  concerns = new Map();
  alarms = [];
  watch = new SnapshotWatch({
    log,
    views: [{ name: 'uji.pandangan', streams: [STREAM] }] as never,
    catalogue: { stream: () => ({ name: STREAM, partitions: 1, retentionMs: 10 * DAY }) as never },
    concerns: {
      note: ({ subject, actual }) => concerns.get(subject) !== actual && concerns.set(subject, actual) !== undefined,
      settle: ({ subject }) => concerns.delete(subject),
    },
    now: () => now,
    snapshots: () => held,
    alarm: ({ actual }) => alarms.push(actual),
  });
});
afterEach(async () => {
  await log.close();
  rmSync(dir, { recursive: true, force: true });
});

const at = (state: SnapshotStatus['state'], next?: number): SnapshotStatus[] => [
  {
    ...{ view: 'uji.pandangan', storage: 'uji.pandangan~1', partition: 0, state },
    places: next === undefined ? [] : [{ stream: STREAM, next: BigInt(next), appendTimeMs: 0 }],
  },
];
const append = (count: number) =>
  log.append(
    STREAM,
    0,
    Array.from({ length: count }, () => ({ key: Buffer.from('a'), value: Buffer.from('b'), headers: [] })),
  );

it('a view over a stream that deletes events alarms when it has no complete snapshot, once, and until it has one', async () => {
  for (const state of ['none', 'writing', 'stopped'] as const) {
    held = at(state);
    await watch.look();
    expect([alarms, concerns.size]).toEqual([[], 0]);
    for (let n = 0; n < 3; n++) await watch.look();
    expect(alarms).toEqual(['partition 0 has no complete snapshot, and uji.aliran deletes events']);
    expect([...concerns.keys()]).toEqual(['uji.pandangan~1']);
    held = at('complete', 0);
    await watch.look();
    expect(concerns.size).toBe(0);
    alarms = [];
  }
});

it('and when its snapshot lags behind by half of the retention, or the stream has deleted what it lacks; not while nothing is to be deleted', async () => {
  await append(5);
  held = at('stopped', 3);
  now += 4 * DAY;
  for (let n = 0; n < 3; n++) await watch.look();
  expect(alarms).toEqual([]);
  now += 2 * DAY;
  for (let n = 0; n < 3; n++) await watch.look();
  expect(alarms).toEqual([
    'partition 0 stands at offset 3 of uji.aliran, and the event there has passed half of its retention',
  ]);
  now += 5 * DAY;
  await append(1);
  await log.maintain();
  await watch.look();
  expect(alarms[1]).toMatch(/^partition 0 stands at offset 3 of uji.aliran, which begins at \d+ now$/);
  held = at('stopped', 6);
  now += 20 * DAY;
  for (let n = 0; n < 3; n++) await watch.look();
  expect([alarms.length, concerns.size]).toEqual([2, 0]);
});
