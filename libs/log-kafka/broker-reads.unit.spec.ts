import { beforeEach, describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BrokerReads, type BrokerAnswer } from './broker-reads.js';
import type { FetchAnswer, FetchedPartition, Fetcher } from './fetch.js';
import { codecs } from './platformatic/index.js';
import { ERROR } from './protocol.js';
import { encodeBatch } from '#kafka-records';
import type { FetchPosition, FetchRequest } from './types.js';

const ID = '00000000-0000-0000-0000-00000000000a';

/** A broker whose partitions have some records each; it holds a long poll until one of the covered partitions is appended to. */
class FakeBroker {
  readonly requests: FetchRequest[] = [];
  readonly ends = new Map<number, bigint>();
  error: number = ERROR.NONE;
  diverging: FetchedPartition['diverging'];
  readonly #session = new Map<number, FetchPosition>();
  #appended: (() => void)[] = [];

  append(partition: number): void {
    this.ends.set(partition, this.endOf(partition) + 1n);
    for (const wake of this.#appended.splice(0)) wake();
  }

  endOf(partition: number): bigint {
    return this.ends.get(partition) ?? 5n;
  }

  readonly fetcher = {
    fetch: async (_broker: unknown, request: FetchRequest): Promise<FetchAnswer> => {
      this.requests.push(request);
      await nextTurn();
      return { error: ERROR.NONE, session: 0, partitions: request.wanted.map((w) => this.#part(w)), throttleMs: 0 };
    },
  } as unknown as Fetcher;

  readonly longPollFetcher = {
    fetch: async (_broker: unknown, request: FetchRequest): Promise<FetchAnswer> => {
      this.requests.push(request);
      if (request.session === 0) this.#session.clear();
      for (const { partition } of request.forgotten) this.#session.delete(partition);
      for (const w of request.wanted) this.#session.set(w.partition, w);
      const ready = (): FetchPosition[] => [...this.#session.values()].filter((w) => this.endOf(w.partition) > w.from);
      while (ready().length === 0) await new Promise<void>((resolve) => this.#appended.push(resolve));
      return { error: ERROR.NONE, session: 7, partitions: ready().map((w) => this.#part(w)), throttleMs: 0 };
    },
  } as unknown as Fetcher;

  #part({ partition, from }: FetchPosition): FetchedPartition {
    const high = this.endOf(partition);
    const wrong = this.error !== ERROR.NONE || this.diverging !== undefined;
    return {
      topicId: ID,
      partition,
      error: this.error,
      highWatermark: high,
      lastStable: high,
      low: 0n,
      diverging: this.diverging,
      aborted: [],
      records: wrong || from >= high ? Buffer.alloc(0) : recordsOf(from, high),
    };
  }
}

function recordsOf(from: bigint, high: bigint): Buffer {
  const origin = { producerId: -1n, epoch: -1, sequence: -1, timeMs: 1 };
  const list = Array.from({ length: Number(high - from) }, () => ({ key: null, value: null, headers: [] }));
  const bytes = encodeBatch(list, origin, (b) => codecs.crc32c(b));
  bytes.writeBigInt64BE(from);
  return bytes;
}

describe('the reads at one broker', () => {
  let broker: FakeBroker;
  let reads: BrokerReads;
  const at = (partition: number, from: bigint, more: Partial<FetchPosition> = {}): FetchPosition => ({
    topicId: ID,
    partition,
    from,
    maxBytes: 65_536,
    leaderEpoch: 4,
    lastEpoch: 3,
    ...more,
  });
  /** Everything that can happen without the broker has happened. */
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await nextTurn();
  };

  beforeEach(() => {
    broker = new FakeBroker();
    const { fetcher, longPollFetcher } = broker;
    const node = { id: 1, host: 'b', port: 1 };
    reads = new BrokerReads({ broker: node, fetcher, longPollFetcher, committed: false, seen: () => undefined });
  });

  it('name the epoch of the leader and of the last record that was read, and tell where the log diverges', async () => {
    broker.diverging = { epoch: 2, end: 3n };
    expect(await reads.read(at(0, 5n), 0)).toEqual({ kind: 'diverging', end: 3n });
    expect(broker.requests[0]!.wanted).toEqual([at(0, 5n)]);
  });

  it.each([ERROR.FENCED_LEADER_EPOCH, ERROR.UNKNOWN_LEADER_EPOCH, ERROR.NOT_LEADER_OR_FOLLOWER])(
    'look for the leader again after error %i',
    async (error) => {
      broker.error = error;
      expect(await reads.read(at(0, 5n), 0)).toMatchObject({ kind: 'moved' });
    },
  );

  it('at the same offset with different epochs never share an answer', async () => {
    const [one, two] = [reads.read(at(0, 2n), 0), reads.read(at(0, 2n, { lastEpoch: 9 }), 0)];
    await Promise.all([one, two]);
    expect(broker.requests.map((r) => r.wanted.map((w) => w.lastEpoch))).toEqual([[3], [9]]);
  });

  it('of many waiting partitions name only the one that changed in the next long poll, and forget one that nobody waits for', async () => {
    const many = 200;
    const answers: BrokerAnswer[] = [];
    const stop = new AbortController();
    const wait = (partition: number, from: bigint): void =>
      void reads.read(at(partition, from), 60_000, stop.signal).then((answer) => answers.push(answer));
    for (let p = 0; p < many; p++) wait(p, 5n);
    await settle();
    expect(broker.requests.at(-1)!.wanted).toHaveLength(many);
    broker.append(17);
    await settle();
    expect(answers).toMatchObject([{ kind: 'records', low: 0n, high: 6n }]);
    // nobody waits for 17 now
    expect(broker.requests.at(-1)).toMatchObject({ session: 7, wanted: [], forgotten: [{ partition: 17 }] });
    wait(17, 6n);
    await settle();
    broker.append(18);
    await settle();
    expect(broker.requests.at(-1)).toMatchObject({ wanted: [{ partition: 17 }], forgotten: [{ partition: 18 }] });
    stop.abort();
    broker.append(0);
    await settle();
    expect(answers).toHaveLength(many + 1);
  });

  it('keep the ends that answers told, and know that they are still true while a long poll covers the partition', async () => {
    const stop = new AbortController();
    void reads.read(at(0, 5n), 60_000, stop.signal);
    void reads.read(at(1, 5n), 60_000, stop.signal);
    await settle();
    const first = reads.rangeOf(`${ID}/0`)!;
    expect(first).toMatchObject({ low: 0n, high: 5n });
    broker.append(1);
    await settle();
    expect(reads.rangeOf(`${ID}/1`)).toMatchObject({ high: 6n });
    expect(reads.rangeOf(`${ID}/0`)!.at).toBeGreaterThan(first.at);
    stop.abort();
    broker.append(0);
    await settle();
  });
});
