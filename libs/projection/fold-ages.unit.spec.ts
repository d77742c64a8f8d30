import { expect, it } from '@jest/globals';
import type { EventLog, LogRecord } from '#log';
import { FoldAges } from './fold-ages.js';

const NOW = 1_800_000_000_000;
const part = { stream: 'a.b', partition: 0 };

/** Records from offset 0 with these append times; a damaged one has none. */
function agesOf(times: readonly (number | undefined)[]): FoldAges {
  const records = times.map((at, i) => {
    const offset = BigInt(i);
    return (at === undefined ? { offset, appendTimeMs: 0, damaged: true } : { offset, appendTimeMs: at }) as LogRecord;
  });
  const read: EventLog['read'] = (_topic, _partition, from, { maxRecords = 500 } = {}) => {
    const found = records.slice(Number(from), Number(from) + maxRecords);
    const high = BigInt(records.length);
    return Promise.resolve({ kind: 'records', topicId: 'x', records: found, next: high, low: 0n, high });
  };
  return new FoldAges({ read }, () => NOW);
}

it('a damaged first record is as old as its neighbour, behind it or else before it, and never as old as 1970', async () => {
  const behind = agesOf([NOW - 9_000, undefined, undefined, NOW - 3_000]);
  expect(await behind.behindMs(part, 1n, 4n, 'x')).toBe(3_000);
  const before = agesOf([NOW - 9_000, NOW - 8_000, undefined]);
  expect(await before.behindMs(part, 2n, 3n, 'x')).toBe(8_000);
  expect(await agesOf([undefined, undefined]).behindMs(part, 0n, 2n, 'x')).toBeUndefined();
  expect(await agesOf([NOW - 7_000, NOW]).behindMs(part, 0n, 2n, 'x')).toBe(7_000);
});
