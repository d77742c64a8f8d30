import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { claimPartitions, type ClaimRequest } from './claim.js';
import { OWNERS_TOPIC, type EventLog, type NewRecord } from './port.js';

type AppendArgs = Parameters<EventLog['append']>;
type Outcome = Awaited<ReturnType<EventLog['append']>>;

describe('a claim of partitions', () => {
  let appends: AppendArgs[];
  let outcomes: Outcome[];
  let failures: string[];
  let wanted: boolean;
  let made: string[];

  const claim = (
    partitions: readonly number[],
    more: Partial<ClaimRequest> = {},
  ): Promise<ReadonlyMap<number, bigint> | undefined> => {
    let high = 100n;
    const request: ClaimRequest = {
      ...more,
      log: {
        ensureTopic: (spec) => {
          made.push(spec.name);
          return Promise.resolve();
        },
        append: (...args: AppendArgs) => {
          appends.push(args);
          const base = high;
          high += BigInt(args[2].length);
          return Promise.resolve(outcomes.shift() ?? { kind: 'accepted', base, appendTimeMs: 1 });
        },
      },
      group: 'projector',
      partitions,
      address: 'http://127.0.0.1:1',
      now: () => 0,
      wanted: () => wanted,
      failed: (reason) => failures.push(reason),
    };
    return claimPartitions(request);
  };
  const keys = (records: readonly NewRecord[]): string[] => records.map((r) => r.key!.toString());

  beforeEach(() => {
    jest.useFakeTimers();
    [appends, outcomes, failures, wanted, made] = [[], [], [], true, []];
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('appends one record per partition to the owners topic; the epoch of each is the offset of its record', async () => {
    expect(await claim([0, 2, 5])).toEqual(
      new Map([
        [0, 100n],
        [2, 101n],
        [5, 102n],
      ]),
    );
    const [topic, partition, records] = appends[0]!;
    expect([topic, partition]).toEqual([OWNERS_TOPIC, 0]);
    expect(keys(records)).toEqual(['projector/0', 'projector/2', 'projector/5']);
    expect(JSON.parse(records[0]!.value!.toString())).toEqual({
      address: 'http://127.0.0.1:1',
      time: '1970-01-01T00:00:00.000Z',
    });
  });

  it('cuts at 500 records and tries again after about 1 s what was refused or is uncertain, until all are durable', async () => {
    outcomes = [
      { kind: 'accepted', base: 7n, appendTimeMs: 1 },
      { kind: 'refused', code: 'log_unavailable' },
      { kind: 'uncertain' },
    ];
    const all = Array.from({ length: 501 }, (_, p) => p);
    const claiming = claim(all);
    await jest.advanceTimersByTimeAsync(3_000);
    const epochs = await claiming;
    expect(appends.map(([, , records]) => records.length)).toEqual([500, 1, 1, 1]);
    expect([epochs!.get(0), epochs!.get(499), epochs!.size]).toEqual([7n, 506n, 501]);
    expect(failures).toHaveLength(2);
  });

  it('gives up when it is no longer wanted', async () => {
    outcomes = [{ kind: 'refused', code: 'log_unavailable' }];
    const claiming = claim([0]);
    await jest.advanceTimersByTimeAsync(100);
    wanted = false;
    await jest.advanceTimersByTimeAsync(2_000);
    expect(await claiming).toBeUndefined();
    expect(appends).toHaveLength(1);
  });

  it('above an epoch of this log: one more claim is greater, because every epoch of this log is an offset below its end', async () => {
    const skipped: bigint[] = [];
    const epochs = await claim([3], { above: 99n, skipped: (n) => skipped.push(n) });
    expect([epochs, appends.length, skipped]).toEqual([new Map([[3, 100n]]), 1, []]);
  });

  it('above an epoch that this log does not reach: fills the log up to it with empty records of the same key, and says how many epochs were passed over', async () => {
    const skipped: bigint[] = [];
    const epochs = await claim([3], { above: 1_350n, skipped: (n) => skipped.push(n) });
    expect([epochs, skipped]).toEqual([new Map([[3, 1_351n]]), [1_250n]]);
    expect(appends.map(([, , records]) => records.length)).toEqual([1, 500, 500, 250, 1]);
    const filling = appends.slice(1, -1).flatMap(([, , records]) => [...records]);
    expect(new Set(keys(filling))).toEqual(new Set(['projector/3']));
    expect(filling.every((r) => r.value === null)).toBe(true);
  });

  it('while it fills the log it ends when it is no longer wanted, and goes on after a refusal', async () => {
    outcomes = [
      { kind: 'accepted', base: 5n, appendTimeMs: 1 },
      { kind: 'uncertain' },
      { kind: 'accepted', base: 900n, appendTimeMs: 1 },
    ];
    const claiming = claim([3], { above: 1_000n });
    await jest.advanceTimersByTimeAsync(2_000);
    expect(await claiming).toBeDefined();
    expect(appends.map(([, , records]) => records.length)).toEqual([1, 500, 500, 1]);
    outcomes = [{ kind: 'accepted', base: 5n, appendTimeMs: 1 }, { kind: 'uncertain' }];
    const given = claim([3], { above: 1_000n });
    await jest.advanceTimersByTimeAsync(100);
    wanted = false;
    await jest.advanceTimersByTimeAsync(2_000);
    expect(await given).toBeUndefined();
  });

  it('makes the owners topic again when it is gone', async () => {
    outcomes = [{ kind: 'refused', code: 'unknown_topic' }];
    const claiming = claim([0]);
    await jest.advanceTimersByTimeAsync(2_000);
    expect((await claiming)?.size).toBe(1);
    expect(made).toEqual([OWNERS_TOPIC]);
  });
});
