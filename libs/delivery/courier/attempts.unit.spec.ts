import { describe, expect, it } from '@jest/globals';
import type { NewRecord } from '#log';
import type { AttemptRow } from '../port.js';
import { Attempts } from './attempts.js';

/** One partition of the log, in memory; appends fail while `isAway`. */
class FakeLog {
  readonly records: NewRecord[] = [];
  isAway = false;
  appends = 0;

  append(_topic: string, _partition: number, records: readonly NewRecord[]) {
    this.appends++;
    if (this.isAway) return Promise.resolve({ kind: 'refused', code: 'log_unavailable' } as const);
    const base = BigInt(this.records.length);
    this.records.push(...records);
    return Promise.resolve({ kind: 'accepted', base, appendTimeMs: 0 } as const);
  }

  describe() {
    return Promise.resolve([{ partition: 0, low: 0n, high: BigInt(this.records.length) }]);
  }

  offsetAt() {
    return Promise.resolve(0n);
  }

  read(_topic: string, _partition: number, from: bigint, { maxRecords = 500 } = {}) {
    const records = this.records
      .slice(Number(from), Number(from) + maxRecords)
      .map((record, i) => ({ ...record, offset: from + BigInt(i) }));
    const high = BigInt(this.records.length);
    return Promise.resolve({ kind: 'records', records, next: from + BigInt(records.length), low: 0n, high } as never);
  }
}

const row = (n: number, more: Partial<AttemptRow> = {}): AttemptRow => ({
  id: `msg_${n}`,
  subscription: 'sub_a',
  position: `a.b/0/${n}`,
  subject: `S-${n}`,
  try: 1,
  at: '2026-01-01T00:00:00.000Z',
  ms: 3,
  status: 204,
  outcome: 'delivered',
  ...more,
});

describe('attempts', () => {
  it('are read back as they were given, whatever their texts hold, the newest first', async () => {
    const attempts = new Attempts(new FakeLog(), 0);
    const odd = row(2, {
      subject: 'a"b\\c\n\u2028é',
      reason: 'status',
      head: '"}\t\u0000',
      status: 500,
      outcome: 'failed',
    });
    const silent = row(3, { status: undefined, reason: 'timeout', outcome: 'parked' });
    for (const one of [row(1), odd, silent]) attempts.add(one);
    const { rows, next } = await attempts.newest(() => true, 10);
    expect(rows).toEqual([silent, odd, row(1)]);
    expect(next).toBeUndefined();
  });

  it('come page by page without a gap or a repeat, also while new ones are added', async () => {
    const attempts = new Attempts(new FakeLog(), 0);
    for (let n = 0; n < 1_200; n++) attempts.add(row(n, { subscription: n % 3 === 0 ? 'sub_b' : 'sub_a' }));
    const seen: string[] = [];
    for (let below: bigint | undefined; ;) {
      const page = await attempts.newest(({ subscription }) => subscription === 'sub_b', 70, below);
      seen.push(...page.rows.map(({ id }) => id));
      attempts.add(row(9_999, { subscription: 'sub_b' }));
      if (page.next === undefined) break;
      below = page.next;
    }
    expect(seen).toEqual(Array.from({ length: 400 }, (_, i) => `msg_${1_197 - 3 * i}`));
  });

  it('are durable when flush() resolves: appended again until the log takes them', async () => {
    const log = new FakeLog();
    let failed = 0;
    const attempts = new Attempts(log, 0, () => {
      failed++;
      log.isAway = false;
    });
    log.isAway = true;
    attempts.add(row(1));
    await attempts.flush();
    expect([failed, log.records.length, log.appends]).toEqual([1, 1, 2]);
  });

  it('of one event are found for each subscription, the last one counts', async () => {
    const attempts = new Attempts(new FakeLog(), 0);
    attempts.add(row(7, { outcome: 'failed', status: 500 }));
    attempts.add(row(7, { subscription: 'sub_b' }));
    attempts.add(row(7, { try: 2 }));
    attempts.add(row(70));
    const { rows: found, isWhole } = await attempts.ofEvent('a.b/0/7', 0);
    expect(isWhole).toBe(true);
    expect([...found].map(([id, { try: tries, outcome }]) => [id, tries, outcome])).toEqual([
      ['sub_a', 2, 'delivered'],
      ['sub_b', 1, 'delivered'],
    ]);
  });
});
