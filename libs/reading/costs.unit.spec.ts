import type { Caller } from '#access';
import { Fault } from '#faults';
import type { LongWork } from '#limits';
import { UnitTree } from '#units';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { catalogueOfFiles, recordOf } from '../../test/kit/projection/events.js';
import { HUB, Reading, type EventFilter, type ReadBudget, type Reader } from './index.js';
import { LogInMemory } from '../../test/kit/log-in-memory.js';
import { Rests } from './rests.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
const STREAM = 'imigrasi.paspor';
const TOPIC_ID = '0123abcd';

/** Counts what a reader asks of the log. */
class CountedLog extends LogInMemory {
  reads = 0;
  records = 0;
  describes = 0;
  /** The next answer gives this log end, as of an earlier fetch. */
  olderHigh: bigint | undefined;

  override describe(): ReturnType<LogInMemory['describe']> {
    this.describes++;
    return super.describe();
  }

  override async read(...args: Parameters<LogInMemory['read']>): ReturnType<LogInMemory['read']> {
    this.reads++;
    const got = await super.read(...args);
    if (got.kind !== 'records') return got;
    const high = this.olderHigh;
    this.olderHigh = undefined;
    const kept = high === undefined ? got.records : got.records.filter((r) => r.offset < high);
    this.records += kept.length;
    return high === undefined ? got : { ...got, records: kept, next: high, high };
  }
}

const catalogue = catalogueOfFiles(1);
const stream = catalogue.stream(STREAM)!;
const units = new UnitTree(() => '2021-07-15');
const settled = {
  end: () => 1_000_000n,
  waitFor: () => Promise.resolve(1_000_000n),
  originalOf: () => undefined,
};
let log: CountedLog;
let reading: Reading;
beforeEach(() => {
  log = new CountedLog(1);
  reading = new Reading({ log, settled, catalogue, units, now: () => 0 });
});
afterEach(() => reading.close());

function append(n: number): void {
  for (let i = 0; i < n; i++) {
    const data = { unitPenerbit: 'SU00123', nomorPermohonan: `S-${i}` };
    const spec = { type: TYPE, source: 'urn:simpul:unit:SU00123:simkim', id: `P-${i}`, data };
    log.append(0, recordOf(catalogue, spec).record, i);
  }
}
const page = (next: readonly bigint[], budget: ReadBudget = {}, filter: EventFilter = {}, topicId = TOPIC_ID) =>
  reading.readEvents(HUB, { stream, topicId, next }, filter, budget);

describe('a read costs what it shows', () => {
  it('pages take each record from the log once, and none of them asks for the log end', async () => {
    append(200);
    const ids: string[] = [];
    for (let next: readonly bigint[] = [0n], stopped = ''; stopped !== 'end';) {
      const got = await page(next, { limit: 15 });
      ids.push(...got.events.map((e) => e.envelope.id));
      ({ next, stopped } = got);
    }
    expect(ids).toEqual(Array.from({ length: 200 }, (_, i) => `P-${i}`));
    expect([log.records, log.describes]).toEqual([200, 0]);
  });

  it('an event by its position is one read of one record', async () => {
    append(50);
    expect((await reading.readOne(HUB, stream, 0, 31n))?.envelope.id).toBe('P-31');
    expect([log.reads, log.records, log.describes]).toEqual([1, 1, 0]);
  });

  it('an empty page has seen the log end of now, also when the log answered with that of an earlier fetch', async () => {
    append(30);
    log.olderHigh = 10n;
    const none = { types: new Set(['none']) };
    const got = await page([0n], {}, none);
    expect([got.events, got.next, got.stopped]).toEqual([[], [30n], 'end']);
  });

  it('what was read for a topic is not shown for another one that was made in its place', async () => {
    append(60);
    const first = await page([0n], { limit: 10 });
    log.id = 'ffffffff'.repeat(4);
    const reads = log.reads;
    await expect(page(first.next, { limit: 10 }, {}, 'ffffffff')).resolves.toMatchObject({ next: [20n] });
    expect(log.reads).toBe(reads + 1);
    await expect(page([0n])).rejects.toEqual(new Fault('stream_recreated'));
  });

  it('asks for its next turn twice for each event: before it is decoded, and before it is made text', async () => {
    append(5);
    let given = 0;
    const turn = { isOver: true, next: async () => void given++, scanned: () => undefined };
    const work: LongWork = { run: (each) => each(turn) };
    const page = await reading.readLines(HUB, { stream, next: [0n] }, {}, { work });
    expect(page.events).toHaveLength(5);
    // And before the log is read.
    expect(given).toBe(1 + 2 * 5);
  });

  it('a large event is read in turns of its own, also at its position; a small one there needs none', async () => {
    append(1);
    const nomorPermohonan = 'x'.repeat(40_000);
    const data = { unitPenerbit: 'SU00123', nomorPermohonan };
    const spec = { type: TYPE, source: 'urn:simpul:unit:SU00123:simkim', id: 'LARGE', data };
    log.append(0, recordOf(catalogue, spec).record, 1);
    let given = 0;
    let works = 0;
    const turn = { isOver: true, next: async () => void given++, scanned: () => undefined };
    const work: LongWork = { run: (each) => (works++, each(turn)) };
    const reader = { keyId: 'k', owner: 'SU00123', system: 'x', roles: new Set(['reader'] as const) };
    for (const [offset, taken] of [
      [0n, [0, 0]],
      [1n, [1, 3]],
    ] as const) {
      [works, given] = [0, 0];
      expect(await reading.readOne(reader, stream, 0, offset, { work })).toMatchObject({ level: 'full' });
      expect([works, given]).toEqual(taken);
      [works, given] = [0, 0];
      expect(await reading.levelAt(reader, STREAM, 0, offset, work)).toBe('full');
      expect([works, given]).toEqual([taken[0], taken[0] * 2]);
    }
    given = 0;
    await reading.readLines(HUB, { stream, next: [1n] }, {}, { work });
    // Before the log is read, before each of three steps, and before it is made text; once more before the log is asked for what follows.
    expect(given).toBe(1 + 1 + 3 + 1);
  });
});

describe('a large event costs its readers together what it costs one', () => {
  const range = (next: readonly bigint[]) => ({ stream, topicId: TOPIC_ID, next });
  const operator: Caller = { keyId: 'K', owner: 'SU00001', system: 'uji', roles: new Set(['operator']) };

  beforeEach(() => {
    for (const id of ['L-0', 'L-1']) {
      const data = { unitPenerbit: 'SU00123', nomorPermohonan: 'x'.repeat(100_000), nik: '9901010101010001' };
      const spec = { type: TYPE, source: 'urn:simpul:unit:SU00123:simkim', id, data };
      log.append(0, recordOf(catalogue, spec).record, 0);
    }
  });

  const linesOf = async (reader: Reader): Promise<readonly Buffer[]> => {
    const lines: Buffer[] = [];
    for (let next: readonly bigint[] = [0n]; lines.length < 2;) {
      const page = await reading.readLines(reader, range(next), {}, { limit: 1 });
      lines.push(...page.events.map(({ line }) => line));
      ({ next } = page);
    }
    return lines;
  };

  it('readers that come past it within seconds share its record and the bytes that are sent', async () => {
    const first = await linesOf(HUB);
    const { records } = log;
    for (let n = 0; n < 5; n++) {
      const lines = await linesOf(HUB);
      expect([lines[0] === first[0], lines[1] === first[1]]).toEqual([true, true]);
    }
    expect(log.records).toBe(records);
    expect(first[0]!.toString()).toMatch(/^data: \{.*"id":"L-0".*\}\n\n$/);
  });

  it('a reader of another level gets what it may see, not the bytes of a full reader', async () => {
    const full = await linesOf(HUB);
    const masked = await linesOf(operator);
    expect(full[0]!.toString()).toContain('9901010101010001');
    expect(masked[0]!.toString()).not.toContain('9901010101010001');
    expect(masked[0]!.toString()).toContain('"id":"L-0"');
    expect(await linesOf(HUB)).toEqual(full);
  });
});

describe('records that were read and not shown', () => {
  const records = (n: number) =>
    Array.from({ length: n }, (_, i) => ({
      key: null,
      value: Buffer.alloc(1_000),
      headers: [],
      offset: BigInt(i),
      appendTimeMs: 0,
      leaderEpoch: 0,
    }));

  it('are kept within a number of bytes, the oldest go first', () => {
    const rests = new Rests({ bytes: 50_000 });
    for (let i = 0; i < 20; i++) rests.keep('s', 0, BigInt(i), { topicId: TOPIC_ID, records: records(5), next: 5n });
    expect(rests.bytes).toBeLessThanOrEqual(50_000);
    expect([rests.take('s', 0, 0n, TOPIC_ID), rests.take('s', 0, 19n, TOPIC_ID)?.records.length]).toEqual([
      undefined,
      5,
    ]);
    rests.close();
    expect(rests.bytes).toBe(0);
  });

  it('are kept for a short time only', () => {
    let now = 0;
    const rests = new Rests({ ageMs: 5_000 }, () => now);
    rests.keep('s', 0, 0n, { topicId: TOPIC_ID, records: records(1), next: 1n });
    now = 4_999;
    expect(rests.take('s', 0, 0n, TOPIC_ID)).toBeDefined();
    now = 5_000;
    expect(rests.take('s', 0, 0n, TOPIC_ID)).toBeUndefined();
    rests.close();
  });
});
