import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Fault } from '#faults';
import type { EventLog, LogRecord, ReadAnswer } from '#log';
import { TopicTail } from './topic-tail.js';

const record = (offset: bigint): LogRecord => ({
  offset,
  appendTimeMs: 1,
  leaderEpoch: 0,
  key: Buffer.from('k'),
  value: Buffer.from(`v${offset}`),
  headers: [],
});

describe('the follower of a control topic', () => {
  let high: bigint;
  let failure: Error | undefined;
  let told: string[];
  let seen: string[];
  const read: EventLog['read'] = async (_topic, _partition, from, { waitMs = 0, signal } = {}): Promise<ReadAnswer> => {
    if (failure !== undefined) throw failure;
    if (from === high && waitMs > 0 && signal?.aborted === false)
      await new Promise<void>((done) => {
        setTimeout(done, 100);
        signal.addEventListener('abort', () => done());
      });
    const records = from < high ? [record(from)] : [];
    return { kind: 'records', topicId: 'a', records, next: from < high ? from + 1n : from, low: 0n, high };
  };
  let tail: TopicTail<string>;

  beforeEach(async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    high = 1n;
    failure = undefined;
    told = [];
    seen = [];
    tail = new TopicTail<string>({
      log: {
        ensureTopic: () => Promise.resolve(),
        describe: () => Promise.resolve([{ partition: 0, low: 0n, high }]),
        read,
      },
      topic: { name: '_simpul.uji', partitions: 1, cleanup: 'compact' },
      parse: ({ value }) => value?.toString(),
      apply: (value) => seen.push(value),
      onReset: ({ low }) => low,
      report: {
        stuck: ({ topic, partition, cause }) => told.push(`stuck ${topic}/${partition}: ${(cause as Fault).code}`),
        followed: ({ topic, partition }) => told.push(`followed ${topic}/${partition}`),
      },
    });
    await tail.open();
  });
  afterEach(async () => {
    await tail.close();
    jest.useRealTimers();
  });

  it('tells that the topic cannot be read on, at each try, and that it is read on again, without a record left out', async () => {
    failure = new Fault('corrupt_record', { detail: 'batch at offset 1' });
    high = 2n;
    await jest.advanceTimersByTimeAsync(2_000);
    const stuck = told.splice(0);
    expect(stuck.length).toBeGreaterThanOrEqual(2);
    expect(new Set(stuck)).toEqual(new Set(['stuck _simpul.uji/0: corrupt_record']));
    failure = undefined;
    await jest.advanceTimersByTimeAsync(2_000);
    expect(told).toEqual(['followed _simpul.uji/0']);
    expect(seen).toEqual(['v0', 'v1']);
  });

  it('leaves a log that does not answer to the probes of the log', async () => {
    failure = new Fault('log_unavailable');
    await jest.advanceTimersByTimeAsync(2_000);
    failure = undefined;
    high = 2n;
    await jest.advanceTimersByTimeAsync(2_000);
    expect([told, seen]).toEqual([[], ['v0', 'v1']]);
  });
});
