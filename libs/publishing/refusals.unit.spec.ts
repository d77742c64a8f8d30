import { describe, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { LogRecord } from '#log';
import { until } from '#log/conformance';
import type { TableLog } from '#table';
import { openRefusals, type Refusals } from './index.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
async function memory(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    gc();
    await setImmediate();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** The engine frees buffers some time after they are garbage, later on a busy machine. */
const staysBelow = (bytes: number): Promise<true> =>
  until('the memory to be free again', async () => (await memory()) < bytes);

const MINUTE_MS = 60_000;
const NOW = Date.UTC(2026, 10, 8);
const MINUTES = 3 * 24 * 60;
const KINDS = 200;

const COUNTS = JSON.stringify(
  Array.from({ length: KINDS }, (_, k) => ({
    unit: 'SU00123',
    type: `type.${k % 20}`,
    code: `code_${Math.floor(k / 20)}`,
    pointer: '/data',
    count: 1,
  })),
);
/** The record of a minute as earlier hubs wrote it: 200 kinds of one unit. Made when it is read, so that only what is kept of it takes memory. */
function recordAt(offset: number): LogRecord {
  const value = Buffer.from(`{"minute":${NOW - (MINUTES - offset) * MINUTE_MS},"counts":${COUNTS}}`);
  return { key: null, value, headers: [], offset: BigInt(offset), appendTimeMs: NOW, leaderEpoch: 0 };
}

const logOf = (minutes: number): TableLog => ({
  ensureTopic: () => Promise.resolve(),
  describe: () => Promise.resolve([{ partition: 0, low: 0n, high: BigInt(minutes) }]),
  append: () => Promise.resolve({ kind: 'refused', code: 'log_unavailable' }),
  read: async (_topic, _partition, from, { signal } = {}) => {
    if (signal !== undefined) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    const at = Number(from);
    const records = Array.from({ length: Math.min(100, minutes - at) }, (_, i) => recordAt(at + i));
    const next = BigInt(at + records.length);
    return { kind: 'records', records, next, low: 0n, high: BigInt(minutes), topicId: '0'.repeat(32) };
  },
});
const open = (minutes = MINUTES): Promise<Refusals> =>
  openRefusals({ log: logOf(minutes), now: () => NOW, catalogue: { versions: () => [] } });

describe('refusals at the start of a gateway', () => {
  it('take less than 2 MB for one bad unit, whatever an earlier version has recorded of it, and none is lost', async () => {
    // What the code itself takes is no part of it.
    await (await open(200)).close();
    const before = await memory();
    const refusals = await open();
    await staysBelow(before + 2_000_000);
    let count = 0;
    for (const minute of await refusals.list({})) for (const row of minute) count += row.count;
    expect(count).toBe(MINUTES * KINDS);
    await refusals.close();
  });

  it('that wait for a log which does not answer take a bounded amount of memory as well', async () => {
    let now = NOW;
    const refusals = await openRefusals({
      log: logOf(0),
      now: () => now,
      catalogue: { versions: () => [] },
      flushEveryMs: 3_600_000,
    });
    const outage = (minutes: number, units: number): void => {
      for (let m = 0; m < minutes; m++, now += MINUTE_MS)
        for (let u = 0; u < units; u++) for (let k = 0; k < 10; k++) refusals.count(`SU${u}`, '', `code_${k}`, '/data');
    };
    outage(10, 10);
    const before = await memory();
    outage(600, 100);
    await staysBelow(before + 6_000_000);
    await refusals.flush();
    await staysBelow(before + 6_000_000);
    let count = 0;
    for (const minute of await refusals.list({})) for (const row of minute) count += row.count;
    expect(count).toBe(10 * 10 * 10 + 600 * 100 * 10);
    await refusals.close();
  });
});
