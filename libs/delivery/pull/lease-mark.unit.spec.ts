import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { LeaseRow } from '../port.js';
import { LeaseMark } from './lease-mark.js';

const START = Date.UTC(2026, 0, 5);
const iso = (ms: number): string => new Date(START + ms).toISOString();

describe('the durable word for what is leased', () => {
  beforeEach(() => void jest.useFakeTimers({ now: START }));
  afterEach(() => void jest.useRealTimers());
  const writes: (LeaseRow | undefined)[] = [];
  const mark = (row?: LeaseRow): LeaseMark => {
    writes.length = 0;
    return new LeaseMark({ now: Date.now, store: (r) => (writes.push(r), Promise.resolve(true)) }, row);
  };

  it('is written before a lease, not for each of them, and deleted when nothing is leased', async () => {
    const m = mark();
    for (const until of [30_000, 31_000, 32_000]) expect(await m.opened(START + until)).toBe(true);
    expect(writes).toEqual([{ kind: 'lease', until: iso(40_000) }]);
    m.closed();
    m.closed();
    jest.advanceTimersByTime(5_000);
    expect(writes).toHaveLength(1);
    m.closed();
    jest.advanceTimersByTime(1_000);
    expect(writes.slice(1)).toEqual([undefined]);
    await m.opened(START + 20_000);
    expect(writes.slice(2)).toEqual([{ kind: 'lease', until: iso(30_000) }]);
  });

  it('says to the next owner until when it waits: as the last one said, at most 60 s, not at all when nothing was leased', () => {
    expect(mark().heldUntil).toBe(0);
    expect(mark({ kind: 'lease', until: iso(9_000) }).heldUntil).toBe(START + 9_000);
    expect(mark({ kind: 'lease', until: iso(900_000) }).heldUntil).toBe(START + 60_000);
  });

  it('is exact at an orderly end, and void tokens stay void for as long as they look valid', async () => {
    const open = mark();
    await open.opened(START + 30_000);
    await open.stop(false);
    expect(writes.at(-1)).toEqual({ kind: 'lease', until: iso(30_000) });
    const idle = mark();
    await idle.opened(START + 30_000);
    idle.closed();
    await idle.stop(false);
    expect(writes.at(-1)).toBeUndefined();
    const sought = mark();
    await sought.opened(START + 30_000);
    await sought.stop(true);
    const row = writes.at(-1)!;
    expect(row).toEqual({ kind: 'lease', until: iso(30_000), voidBefore: iso(0), isOver: true });
    const next = mark(row);
    expect([next.heldUntil, next.voidBefore]).toEqual([0, START]);
    jest.advanceTimersByTime(29_000);
    expect(writes).toEqual([]);
    jest.advanceTimersByTime(2_000);
    expect(writes).toEqual([undefined]);
  });
});
