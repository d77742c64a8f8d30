import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PartitionLoop, type PartitionLoopDeps } from './partition-loop.js';
import type {
  AssignedPartition,
  GroupMember,
  Interruption,
  LogRecord,
  ReadAnswer,
  ReadLimits,
  RecordBatch,
  StartPlace,
} from './port.js';

const AT: AssignedPartition = { topic: 't', topicId: 'id1', partition: 3, epoch: 1n };
const record = (offset: bigint): LogRecord => ({
  offset,
  appendTimeMs: 1,
  leaderEpoch: 4,
  key: null,
  value: Buffer.from(String(offset)),
  headers: [],
});

/** A partition with the records low to high - 1; one record a read; a read at the end waits until records are added or the signal aborts. */
class OnePartition {
  low = 0n;
  high = 0n;
  topicId = 'id1';
  /** Every place from here on is not what was read there. */
  lostFrom: bigint | undefined;
  reads: bigint[] = [];
  limits: ReadLimits[] = [];
  /** The next reads fail so often. */
  failures = 0;
  #added = new AbortController();

  add(count: number): void {
    this.high += BigInt(count);
    this.#added.abort();
    this.#added = new AbortController();
  }

  async read(_topic: string, _partition: number, from: bigint, limits: ReadLimits): Promise<ReadAnswer> {
    this.reads.push(from);
    this.limits.push(limits);
    if (this.failures > 0) {
      this.failures--;
      throw new Error('the log is away');
    }
    if (from === this.high && limits.signal?.aborted === false) {
      const added = this.#added.signal;
      await new Promise<void>((resolve) => {
        added.addEventListener('abort', () => resolve());
        limits.signal!.addEventListener('abort', () => resolve());
      });
    }
    if (limits.topicId !== this.topicId) return { kind: 'recreated', topicId: this.topicId };
    if (this.lostFrom !== undefined && limits.lastEpoch !== undefined)
      return { kind: 'truncated', from: this.lostFrom };
    const { low, high, topicId } = this;
    if (from < low || from > high) return { kind: 'out_of_range', low, high };
    if (from === high) return { kind: 'records', topicId, records: [], next: from, low, high };
    return { kind: 'records', topicId, records: [record(from)], next: from + 1n, lastEpoch: 4, low, high };
  }
}

/** Records every call; a test replaces what a call does. */
class Member implements GroupMember {
  readonly calls: string[] = [];
  signals: AbortSignal[] = [];
  onStart: () => Promise<StartPlace> = () => Promise.resolve({ offset: 0n });
  onBatch: (batch: RecordBatch) => Promise<{ next: bigint; waitMs?: number }> = (batch) =>
    Promise.resolve({ next: batch.next });

  start(at: AssignedPartition): Promise<StartPlace> {
    this.calls.push(`start under ${at.epoch}`);
    return this.onStart();
  }

  batch(at: AssignedPartition, batch: RecordBatch, signal: AbortSignal): Promise<{ next: bigint; waitMs?: number }> {
    this.calls.push(`batch ${batch.records.map((r) => r.offset).join()} under ${at.epoch}`);
    this.signals.push(signal);
    return this.onBatch(batch);
  }

  lost(at: AssignedPartition): void {
    this.calls.push(`lost under ${at.epoch}`);
  }

  interrupted(at: AssignedPartition, why: Interruption): void {
    const facts = why.kind === 'out_of_range' ? `${why.low} to ${why.high}` : why.kind === 'truncated' ? why.from : '';
    this.calls.push(`${why.kind} ${facts} in ${at.topicId}`);
  }
}

describe('a partition loop', () => {
  let log: OnePartition;
  let member: Member;
  let reports: string[];
  let loops: PartitionLoop[];

  const begin = (more: Partial<PartitionLoopDeps> = {}): PartitionLoop => {
    const report = {
      memberFailed: (_at: AssignedPartition, error: unknown) => reports.push(`member: ${(error as Error).message}`),
      readFailed: (_at: AssignedPartition, error: unknown) => reports.push(`read: ${(error as Error).message}`),
    };
    const loop = new PartitionLoop({ member, log, report, ...more }, AT);
    loops.push(loop);
    return loop;
  };
  /** Everything that can happen without a timer has happened. */
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await nextTurn();
  };
  const pass = async (ms: number): Promise<void> => {
    await jest.advanceTimersByTimeAsync(ms);
    await settle();
  };
  /** The next batch stays open until the returned function ends it. */
  const holdBatch = (): ((outcome: { next: bigint; waitMs?: number } | Error) => void) => {
    const { onBatch } = member;
    let end: ((outcome: { next: bigint; waitMs?: number } | Error) => void) | undefined;
    member.onBatch = () => {
      member.onBatch = onBatch;
      return new Promise(
        (resolve, reject) => (end = (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome))),
      );
    };
    return (outcome) => end!(outcome);
  };

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    // without jitter
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
    log = new OnePartition();
    member = new Member();
    reports = [];
    loops = [];
  });
  afterEach(async () => {
    await Promise.all(loops.map((loop) => loop.lose()));
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  it('asks start() first, not before the caller has the loop, then hands out batch after batch from there', async () => {
    log.add(3);
    member.onStart = () => Promise.resolve({ offset: 1n });
    const loop = begin();
    expect([member.calls, loop.next]).toEqual([[], undefined]);
    await settle();
    expect(member.calls).toEqual(['start under 1', 'batch 1 under 1', 'batch 2 under 1']);
    log.add(1);
    await settle();
    expect(member.calls.at(-1)).toBe('batch 3 under 1');
    expect(loop.next).toBe(4n);
  });

  it('never has two batches open, and reads on where the outcome says, also lower', async () => {
    log.add(2);
    const end = holdBatch();
    begin();
    await settle();
    log.add(1);
    await settle();
    expect(member.calls).toEqual(['start under 1', 'batch 0 under 1']);
    end({ next: 0n });
    await settle();
    expect(member.calls.slice(2)).toEqual(['batch 0 under 1', 'batch 1 under 1', 'batch 2 under 1']);
  });

  it('asks start() again 1 s after it has thrown, and reports it', async () => {
    member.onStart = () => Promise.reject(new Error('the store is away'));
    begin();
    await settle();
    member.onStart = () => Promise.resolve({ offset: 0n });
    await pass(990);
    expect(member.calls).toEqual(['start under 1']);
    await pass(10);
    expect(member.calls).toEqual(['start under 1', 'start under 1']);
    expect(reports).toEqual(['member: the store is away']);
  });

  it('takes an answer of start() without an offset for a failure: it waits 1 s, reports it, and nothing else is held up', async () => {
    log.add(1);
    let left = 2;
    member.onStart = () => Promise.resolve(left-- > 0 ? ({} as StartPlace) : { offset: 0n });
    begin();
    await settle();
    expect(member.calls).toEqual(['start under 1']);
    await pass(999);
    expect(member.calls).toHaveLength(1);
    await pass(1);
    expect(member.calls).toHaveLength(2);
    await pass(1_000);
    expect(member.calls).toEqual(['start under 1', 'start under 1', 'start under 1', 'batch 0 under 1']);
    expect(reports).toEqual(['member: start() has answered no offset', 'member: start() has answered no offset']);
  });

  it('gives the same batch again 1 s after batch() has thrown, without another read, and passes over nothing', async () => {
    log.add(2);
    const end = holdBatch();
    begin();
    await settle();
    end(new Error('not now'));
    await pass(990);
    expect(member.calls).toEqual(['start under 1', 'batch 0 under 1']);
    await pass(10);
    expect(member.calls.slice(2)).toEqual(['batch 0 under 1', 'batch 1 under 1']);
    expect(log.reads).toEqual([0n, 1n, 2n]);
    expect(reports).toEqual(['member: not now']);
  });

  it('reads again 1 s after a read has failed, and reports it', async () => {
    log.add(1);
    log.failures = 1;
    begin();
    await settle();
    await pass(990);
    expect(member.calls).toEqual(['start under 1']);
    await pass(10);
    expect(member.calls).toEqual(['start under 1', 'batch 0 under 1']);
    expect(reports).toEqual(['read: the log is away']);
  });

  it('holds the partition back for waitMs', async () => {
    log.add(2);
    const end = holdBatch();
    begin();
    await settle();
    end({ next: 1n, waitMs: 5_000 });
    await pass(4_990);
    expect(member.calls).toHaveLength(2);
    await pass(10);
    expect(member.calls.at(-1)).toBe('batch 1 under 1');
  });

  it.each([
    ['a success that asks for a hold', { next: 1n, waitMs: 60_000 }],
    ['a failure', new Error('not now')],
  ])('goes on at once from where seek says while a batch runs, and ignores its outcome: %s', async (_, outcome) => {
    log.add(6);
    const end = holdBatch();
    const loop = begin();
    await settle();
    loop.seek(4n);
    await settle();
    expect(member.calls).toEqual(['start under 1', 'batch 0 under 1']);
    end(outcome);
    await settle();
    expect(member.calls.slice(2)).toEqual(['batch 4 under 1', 'batch 5 under 1']);
  });

  it('takes a seek during start() in place of what start() answers', async () => {
    log.add(3);
    let answer: ((place: StartPlace) => void) | undefined;
    member.onStart = () => new Promise((resolve) => (answer = resolve));
    const loop = begin();
    await settle();
    loop.seek(2n);
    answer!({ offset: 0n });
    await settle();
    expect(member.calls).toEqual(['start under 1', 'batch 2 under 1']);
  });

  it('ends a long poll and a hold at a seek', async () => {
    log.add(2);
    const loop = begin();
    await settle();
    expect(log.reads.at(-1)).toBe(2n);
    const end = holdBatch();
    loop.seek(1n);
    await settle();
    end({ next: 2n, waitMs: 60_000 });
    await settle();
    loop.seek(0n);
    await settle();
    expect(member.calls.slice(-2)).toEqual(['batch 0 under 1', 'batch 1 under 1']);
  });

  it('says out of range once and stands still until a seek', async () => {
    log.add(5);
    log.low = 3n;
    const loop = begin();
    await settle();
    log.add(1);
    await pass(3_600_000);
    expect(member.calls).toEqual(['start under 1', 'out_of_range 3 to 5 in id1']);
    loop.seek(5n);
    await settle();
    expect(member.calls.slice(2)).toEqual(['batch 5 under 1']);
  });

  it('names the topic and the leader epoch of the last record in each read, and no epoch after a seek', async () => {
    log.add(3);
    member.onStart = () => Promise.resolve({ offset: 1n, lastEpoch: 3 });
    const loop = begin();
    await settle();
    loop.seek(0n);
    await settle();
    expect(log.reads.map((from, i) => [from, log.limits[i]!.topicId, log.limits[i]!.lastEpoch])).toEqual([
      [1n, 'id1', 3],
      [2n, 'id1', 4],
      [3n, 'id1', 4],
      [0n, 'id1', undefined],
      [1n, 'id1', 4],
      [2n, 'id1', 4],
      [3n, 'id1', 4],
    ]);
  });

  it('says that the topic was made again and stands still; a seek goes on in the new topic', async () => {
    log.add(3);
    const loop = begin();
    await settle();
    log.topicId = 'id2';
    log.add(3);
    await settle();
    await pass(3_600_000);
    expect(member.calls.slice(-2)).toEqual(['batch 2 under 1', 'recreated  in id2']);
    loop.seek(0n);
    await settle();
    expect(member.calls.slice(-6).join()).toBe([0, 1, 2, 3, 4, 5].map((o) => `batch ${o} under 1`).join());
  });

  it('says that the log lost what was read, although it has grown again, and stands still until a seek', async () => {
    log.add(3);
    const loop = begin();
    await settle();
    log.lostFrom = 1n;
    log.add(3);
    await settle();
    await pass(3_600_000);
    expect(member.calls.slice(-2)).toEqual(['batch 2 under 1', 'truncated 1 in id1']);
    log.lostFrom = undefined;
    loop.seek(1n);
    await settle();
    expect(member.calls.slice(-5)[0]).toBe('batch 1 under 1');
  });

  it('asks start() again under the new epoch after restart, once the running batch has ended, and ignores its outcome', async () => {
    log.add(2);
    const end = holdBatch();
    const loop = begin();
    await settle();
    loop.restart({ ...AT, epoch: 9n });
    await settle();
    expect(member.calls).toEqual(['start under 1', 'batch 0 under 1']);
    member.onStart = () => Promise.resolve({ offset: 1n });
    end({ next: 0n, waitMs: 60_000 });
    await settle();
    expect(member.calls.slice(2)).toEqual(['start under 9', 'batch 1 under 9']);
    expect(member.signals[0]!.aborted).toBe(false);
  });

  it('calls lost() and aborts the signal of the running batch at once, and hands out nothing more', async () => {
    log.add(2);
    const end = holdBatch();
    const loop = begin();
    await settle();
    let ended = false;
    const losing = loop.lose().then(() => (ended = true));
    expect(member.signals[0]!.aborted).toBe(true);
    expect(member.calls).toEqual(['start under 1', 'batch 0 under 1', 'lost under 1']);
    await settle();
    expect(ended).toBe(false);
    end({ next: 1n });
    await losing;
    loop.seek(0n);
    loop.restart({ ...AT, epoch: 2n });
    await loop.lose();
    await pass(60_000);
    expect(member.calls).toEqual(['start under 1', 'batch 0 under 1', 'lost under 1']);
  });

  it('finishes the running batch at stop, without abort, and hands out nothing until a restart', async () => {
    log.add(2);
    const end = holdBatch();
    const loop = begin();
    await settle();
    let ended = false;
    const stopping = loop.stop().then(() => (ended = true));
    await settle();
    expect([ended, member.signals[0]!.aborted]).toEqual([false, false]);
    end({ next: 1n });
    await stopping;
    await pass(60_000);
    expect(member.calls).toEqual(['start under 1', 'batch 0 under 1']);
    const rested = [loop.rests];
    member.onStart = () => {
      rested.push(loop.rests);
      return Promise.resolve({ offset: 0n });
    };
    loop.restart({ ...AT, epoch: 2n });
    rested.push(loop.rests);
    await settle();
    expect(rested).toEqual([true, true, false]);
    expect(member.calls.slice(2)).toEqual(['start under 2', 'batch 0 under 2', 'batch 1 under 2']);
  });

  it('stops at once while it waits at the end of the log or in a hold', async () => {
    const loop = begin();
    await settle();
    await loop.stop();
    member.onStart = () => Promise.reject(new Error('the store is away'));
    loop.restart(AT);
    await settle();
    await loop.stop();
    expect(member.calls).toEqual(['start under 1', 'start under 1']);
  });

  it('hands out nothing while the ownership is not sure, also when the process was frozen during the read', async () => {
    log.add(1);
    let sure = true;
    let asked = 0;
    begin({ ownershipIsSure: () => (asked++ === 1 ? (sure = false) : sure) });
    await settle();
    expect(log.reads).toEqual([0n]);
    await pass(5_000);
    expect(member.calls).toEqual(['start under 1']);
    sure = true;
    await pass(1_000);
    expect(member.calls).toEqual(['start under 1', 'batch 0 under 1']);
  });

  it('hands over a hole as a batch without records, so that the stored position of the member passes it', async () => {
    log.high = 9n;
    const read = log.read.bind(log);
    log.read = (topic, partition, from, limits) =>
      from < 7n
        ? Promise.resolve({ kind: 'records', topicId: 'id1', records: [], next: 7n, low: 0n, high: 9n })
        : read(topic, partition, from, limits);
    const loop = begin();
    await settle();
    expect(member.calls).toEqual(['start under 1', 'batch  under 1', 'batch 7 under 1', 'batch 8 under 1']);
    expect(loop.next).toBe(9n);
  });
});
