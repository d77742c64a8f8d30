import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { pause } from '#concurrency';
import { ByteReader, encodeBatch, endOf } from '#kafka-records';
import type { Broker, Cluster } from 'kafkajs';
import { crc32c } from './codecs.js';
import { Fetcher, type Fetching } from './fetcher.js';

const TOPIC = 'imigrasi.paspor';
const MIB = 1_048_576;

interface Asked {
  readonly node: string;
  readonly partition: number;
  readonly from: number;
}
interface Part {
  readonly error?: number;
  readonly records?: Buffer;
}
/** What a broker answers for each partition that it is asked for; undefined: it is not in the answer. */
type Script = (asked: Asked) => Part | undefined;

const batchAt = (base: number, count = 1, bytes = 10): Buffer => {
  const records = Array.from({ length: count }, () => ({ key: null, value: Buffer.alloc(bytes), headers: [] }));
  const batch = encodeBatch(records, { producerId: 1n, epoch: 0, sequence: 0, timeMs: 0 }, crc32c);
  batch.writeBigInt64BE(BigInt(base));
  return batch;
};
/** A partition with records up to this offset, one in each batch. */
const logTo =
  (end: number): Script =>
  ({ from }) => ({ records: from < end ? batchAt(from) : Buffer.alloc(0) });
const fails =
  (error: number): Script =>
  () => ({ error });

function int32(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [i, n] of numbers.entries()) bytes.writeInt32BE(n, 4 * i);
  return bytes;
}

function answerOf(parts: readonly (Part & { readonly partition: number })[]): Buffer {
  const name = Buffer.concat([Buffer.from([0, TOPIC.length]), Buffer.from(TOPIC)]);
  const bodies = parts.map(({ partition, error = 0, records = Buffer.alloc(0) }) => {
    const code = Buffer.alloc(2);
    code.writeInt16BE(error);
    return Buffer.concat([int32(partition), code, Buffer.alloc(24), int32(0, -1, records.length), records]);
  });
  return Buffer.concat([int32(0), Buffer.alloc(2), int32(0, 1), name, int32(bodies.length), ...bodies]);
}

function askedIn(body: Buffer, node: string): Asked[] {
  const c = new ByteReader(body);
  c.at = 25;
  return Array.from({ length: c.int32() }, () => {
    c.at += 2 + body.readInt16BE(c.at) + 4;
    const partition = c.int32();
    c.at += 4;
    const from = Number(c.int64());
    c.at += 12;
    return { node, partition, from };
  });
}

/** Brokers that answer by a script 1 ms after they were asked, or 200 ms after when they have nothing to say. */
class ScriptedCluster {
  readonly scripts = new Map<string, Script>();
  readonly asked: Asked[] = [];
  /** As the metadata have it, and as it is. */
  known = new Map<number, string>();
  leaders = new Map<number, string>();
  /** Connections to these cannot be made. */
  readonly gone = new Set<string>();
  /** Answers wait for it. */
  gate: Promise<unknown> = Promise.resolve();
  breaks: Error | undefined;
  waits = true;
  refreshed = 0;
  disconnected = 0;
  closed = 0;

  findLeaderForPartitions(_topic: string, [partition]: [number]): Record<string, number[]> {
    const leader = this.known.get(partition);
    return leader === undefined ? {} : { [leader]: [partition] };
  }

  async refreshMetadata(): Promise<void> {
    this.refreshed++;
    await pause(1);
    this.known = new Map(this.leaders);
  }

  disconnect(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }

  async findBroker({ nodeId }: { readonly nodeId: string }): Promise<Broker> {
    await pause(1);
    if (this.gone.has(nodeId))
      throw Object.assign(new Error('ECONNREFUSED'), { name: 'KafkaJSConnectionError', retriable: true });
    const send = async ({ request, response }: Call): Promise<unknown> => {
      const asked = askedIn((await request.encode()).buffer, nodeId);
      this.asked.push(...asked);
      const script = this.scripts.get(nodeId)!;
      const parts = asked.flatMap((a) => {
        const part = script(a);
        return part === undefined ? [] : [{ ...part, partition: a.partition }];
      });
      const isSilent = this.waits && parts.every(({ error = 0, records }) => error === 0 && !records?.length);
      await pause(isSilent && parts.length > 0 ? 200 : 1);
      await this.gate;
      if (this.breaks !== undefined) throw this.breaks;
      return response.parse(await response.decode(answerOf(parts)));
    };
    const disconnect = (): Promise<void> => Promise.resolve(void this.disconnected++);
    return { connectionPool: { send }, disconnect } as unknown as Broker;
  }

  /** How often a partition was asked for. */
  count(partition: number): number {
    return this.asked.filter((a) => a.partition === partition).length;
  }
}
interface Call {
  readonly request: { encode(): Promise<{ readonly buffer: Buffer }> };
  readonly response: { decode(bytes: Buffer): Promise<unknown>; parse(answer: unknown): Promise<unknown> };
}

/** Keeps what it was given, and wants what follows. */
class Reader implements Fetching {
  readonly topic = TOPIC;
  readonly got: number[] = [];
  readonly bytes: Buffer[] = [];
  next: number | undefined;
  left = 0;

  constructor(
    readonly partition: number,
    from = 0,
  ) {
    this.next = from;
  }

  wanted(): number | undefined {
    return this.next;
  }

  take(bytes: Buffer): void {
    this.bytes.push(bytes);
    const end = endOf(bytes);
    if (end === undefined) return;
    for (let n = this.next!; n < Number(end); n++) this.got.push(n);
    this.next = Number(end);
  }

  outOfRange(): void {
    this.left++;
  }
}

describe('the Fetcher', () => {
  let cluster: ScriptedCluster;
  let fetcher: Fetcher;
  let told: { failed: unknown[]; refused: unknown[]; answered: number };

  const lead = (...nodes: readonly string[]): void => {
    cluster.leaders = new Map(nodes.map((node, partition) => [partition, node]));
    cluster.known = new Map(cluster.leaders);
  };
  const after = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);
  const upTo = (end: number): number[] => Array.from({ length: end }, (_, n) => n);

  beforeEach(() => {
    jest.useFakeTimers();
    cluster = new ScriptedCluster();
    told = { failed: [], refused: [], answered: 0 };
    fetcher = new Fetcher(cluster as unknown as Cluster, {
      answered: () => told.answered++,
      failed: (error) => told.failed.push(error),
      refused: (error) => told.refused.push(error),
    });
  });
  afterEach(async () => {
    const closed = fetcher.close();
    await after(1_010);
    await closed;
    jest.useRealTimers();
  });

  it.each([
    ['NOT_LEADER', 6],
    ['LEADER_NOT_AVAILABLE', 5],
    ['REPLICA_NOT_AVAILABLE', 9],
    ['KAFKA_STORAGE_ERROR', 56],
    ['FENCED_LEADER_EPOCH', 74],
    ['UNKNOWN_LEADER_EPOCH', 75],
    ['UNKNOWN', -1],
    ['a code that kafkajs does not know', 9_999],
  ])(
    '%s: the metadata are asked for, and the new leader from the place: no record left out or given twice',
    async (_, code) => {
      lead('1');
      cluster.scripts.set('1', ({ from }) => (from < 5 ? { records: batchAt(from) } : { error: code }));
      cluster.scripts.set('2', logTo(10));
      const read = new Reader(0);
      fetcher.add(read);
      await after(100);
      cluster.leaders.set(0, '2');
      await after(1_000);
      expect(read.got).toEqual(upTo(10));
      expect(cluster.asked.filter((a) => a.node === '2')[0]).toMatchObject({ from: 5 });
      expect(told.refused).toEqual([]);
      expect(told.failed.length).toBeGreaterThan(0);
    },
  );

  it('a broker that is gone: tried after pauses, told as failed, and left for the new leader', async () => {
    lead('1');
    cluster.scripts.set('1', logTo(5));
    cluster.scripts.set('2', logTo(10));
    const read = new Reader(0);
    fetcher.add(read);
    await after(100);
    cluster.gone.add('1');
    cluster.breaks = Object.assign(new Error('closed'), { name: 'KafkaJSConnectionClosedError', retriable: true });
    const before = told.answered;
    await after(10_000);
    expect(cluster.refreshed).toBeGreaterThan(5);
    expect(cluster.refreshed).toBeLessThan(40);
    expect(told.answered).toBe(before);
    cluster.breaks = undefined;
    cluster.leaders.set(0, '2');
    await after(2_000);
    expect(read.got).toEqual(upTo(10));
    expect(told.answered).toBeGreaterThan(before);
  });

  it.each(['KafkaJSConnectionClosedError', 'KafkaJSRequestTimeoutError'])(
    '%s: the connections are made anew, and the same place is asked for',
    async (name) => {
      lead('1');
      cluster.scripts.set('1', logTo(3));
      cluster.breaks = Object.assign(new Error(name), { name, retriable: true });
      const read = new Reader(0);
      fetcher.add(read);
      await after(10);
      cluster.breaks = undefined;
      expect(cluster.disconnected).toBe(1);
      await after(1_000);
      expect(read.got).toEqual(upTo(3));
    },
  );

  it('a partition without a leader holds up no other partition of its broker', async () => {
    lead('1', '1');
    cluster.scripts.set('1', (a) => (a.partition === 0 ? { error: 6 } : logTo(1_000_000)(a)));
    const stuck = new Reader(0);
    const other = new Reader(1);
    fetcher.add(stuck);
    fetcher.add(other);
    await after(2_000);
    expect(other.got.length).toBeGreaterThan(500);
    expect(cluster.count(0)).toBeLessThan(10);
    expect(cluster.count(0)).toBeGreaterThan(1);
    // It is not well while one of them is not.
    expect(told.answered).toBe(0);
  });

  it('a partition whose leader the metadata do not name is looked for, and told as failed', async () => {
    lead('1');
    cluster.known.clear();
    cluster.leaders.clear();
    cluster.scripts.set('1', logTo(3));
    const read = new Reader(0);
    fetcher.add(read);
    await after(5_000);
    expect(told.failed.length).toBeGreaterThan(3);
    expect(cluster.refreshed).toBeLessThan(25);
    cluster.leaders.set(0, '1');
    await after(1_000);
    expect(read.got).toEqual(upTo(3));
  });

  it('out of range is said once, and the partition is not asked for again', async () => {
    lead('1', '1');
    cluster.scripts.set('1', (a) => (a.partition === 0 ? { error: 1 } : logTo(3)(a)));
    const read = new Reader(0, 70);
    const other = new Reader(1);
    fetcher.add(read);
    fetcher.add(other);
    await after(2_000);
    expect(read.left).toBe(1);
    expect(cluster.count(0)).toBe(1);
    expect(other.got).toEqual(upTo(3));
    expect(told.failed).toEqual([]);
    // As the source begins it anew.
    fetcher.add(new Reader(0, 71));
    await after(100);
    expect(cluster.count(0)).toBe(2);
  });

  it('a topic that is not there any more is asked for after pauses, and never told as answered', async () => {
    lead('1');
    cluster.scripts.set('1', fails(3));
    fetcher.add(new Reader(0));
    await after(10_000);
    expect(cluster.count(0)).toBeGreaterThan(5);
    expect(cluster.count(0)).toBeLessThan(40);
    expect(told.answered).toBe(0);
    expect(told.failed.length).toBeGreaterThan(5);
    expect(told.refused).toEqual([]);
  });

  it('a topic that is forbidden is refused once, and nothing is asked for after it', async () => {
    lead('1', '2');
    cluster.scripts.set('1', fails(29));
    cluster.scripts.set('2', logTo(1_000_000));
    const read = new Reader(0);
    fetcher.add(read);
    await after(5_000);
    expect(told.refused).toEqual([expect.objectContaining({ type: 'TOPIC_AUTHORIZATION_FAILED' })]);
    fetcher.add(new Reader(1));
    await after(1_000);
    expect(cluster.asked).toHaveLength(1);
  });

  it('a partition that the answer leaves out is asked for again after a pause; the others of the answer are taken', async () => {
    lead('1', '1');
    let leavesOut = true;
    cluster.scripts.set('1', (a) => (a.partition === 0 && leavesOut ? undefined : logTo(5)(a)));
    const missing = new Reader(0);
    const other = new Reader(1);
    fetcher.add(missing);
    fetcher.add(other);
    await after(3_000);
    expect(other.got).toEqual(upTo(5));
    expect(cluster.count(0)).toBeLessThan(15);
    expect(String(told.failed[0])).toMatch(/no answer for imigrasi\.paspor\/0/);
    leavesOut = false;
    await after(1_000);
    expect(missing.got).toEqual(upTo(5));
  });

  it('a batch that is cut off at the end of an answer is asked for from its first offset', async () => {
    lead('1');
    const three = Buffer.concat([batchAt(0, 2), batchAt(2, 3).subarray(0, 65)]);
    cluster.scripts.set('1', (a) =>
      a.from === 0 ? { records: three } : a.from === 2 ? { records: batchAt(2, 3) } : {},
    );
    const read = new Reader(0);
    fetcher.add(read);
    await after(100);
    expect(cluster.asked.map((a) => a.from)).toEqual([0, 2, 5]);
    expect(read.got).toEqual(upTo(5));
    expect(told.failed).toEqual([]);
  });

  it('bytes that hold no whole batch are asked for again after a pause, and told', async () => {
    lead('1');
    cluster.scripts.set('1', () => ({ records: batchAt(0, 3).subarray(0, 65) }));
    const read = new Reader(0);
    fetcher.add(read);
    await after(5_000);
    expect(cluster.count(0)).toBeLessThan(25);
    expect(String(told.failed[0])).toMatch(/no whole record batch at imigrasi\.paspor\/0\/0/);
    expect(told.answered).toBe(0);
  });

  it('a batch larger than a partition may get in an answer is taken whole', async () => {
    lead('1');
    cluster.scripts.set('1', (a) => (a.from === 0 ? { records: batchAt(0, 1, 3 * MIB) } : logTo(2)(a)));
    const read = new Reader(0);
    fetcher.add(read);
    await after(100);
    expect(read.got).toEqual([0, 1]);
    expect(read.bytes[0]!.length).toBeGreaterThan(3 * MIB);
  });

  it('every partition is the first of a request in turn: a broker answers a large batch whole only there', async () => {
    lead('1', '1', '1');
    cluster.scripts.set('1', logTo(1_000));
    const firsts = new Set<number>();
    for (const n of [0, 1, 2]) fetcher.add(new Reader(n));
    await after(20);
    for (let i = 0; i < cluster.asked.length; i += 3) firsts.add(cluster.asked[i]!.partition);
    expect([...firsts].sort()).toEqual([0, 1, 2]);
  });

  it('answers without records come at most ten times a second, also from a broker that does not wait', async () => {
    lead('1');
    cluster.scripts.set('1', logTo(0));
    cluster.waits = false;
    fetcher.add(new Reader(0));
    await after(2_000);
    expect(cluster.asked.length).toBeLessThanOrEqual(21);
    expect(cluster.asked.length).toBeGreaterThan(5);
  });

  it('a partition that wants nothing is not asked for, and goes on behind what it has when it is woken', async () => {
    lead('1', '1');
    cluster.scripts.set('1', logTo(1_000_000));
    const full = new Reader(0);
    fetcher.add(full);
    fetcher.add(new Reader(1));
    await after(20);
    const kept = full.next!;
    full.next = undefined;
    await after(10);
    const { length } = full.got;
    const before = cluster.count(0);
    await after(1_000);
    expect(full.got).toHaveLength(length);
    expect(cluster.count(0)).toBe(before);
    full.next = kept;
    fetcher.wake();
    await after(20);
    expect(full.got).toEqual(upTo(full.got.length));
    expect(full.got.length).toBeGreaterThan(length);
  });

  it('what a partition keeps of an answer does not keep the whole answer in memory', async () => {
    lead('1', '1');
    cluster.scripts.set('1', (a) => (a.from > 0 ? {} : { records: batchAt(0, 1, a.partition === 0 ? 10 : MIB) }));
    const small = new Reader(0);
    const large = new Reader(1);
    fetcher.add(small);
    fetcher.add(large);
    await after(100);
    for (const { bytes } of [small, large])
      expect(bytes[0]!.buffer.byteLength).toBeLessThanOrEqual(2 * bytes[0]!.length);
    expect(small.got).toEqual([0]);
  });

  it('a partition that is taken away during a fetch gets nothing of its answer, and its next owner only what it asked for', async () => {
    lead('1', '1');
    cluster.scripts.set('1', logTo(10));
    let open: () => void = () => undefined;
    cluster.gate = new Promise<void>((resolve) => (open = resolve));
    const gone = new Reader(0);
    const stays = new Reader(1);
    const moved = new Reader(2);
    cluster.known.set(2, '1');
    for (const read of [gone, stays, moved]) fetcher.add(read);
    await after(10);
    fetcher.remove(gone);
    const again = new Reader(0, 7);
    fetcher.add(again);
    moved.next = 4;
    open();
    await after(100);
    expect(gone.got).toEqual([]);
    expect(gone.next).toBe(0);
    expect(again.got).toEqual([7, 8, 9]);
    expect(moved.got).toEqual([4, 5, 6, 7, 8, 9]);
    expect(stays.got).toEqual(upTo(10));
  });

  it('ends within a second while a broker is silent; what it answers later goes to nobody, and no connection is left', async () => {
    lead('1');
    cluster.scripts.set('1', logTo(10));
    let open: () => void = () => undefined;
    cluster.gate = new Promise<void>((resolve) => (open = resolve));
    const read = new Reader(0);
    fetcher.add(read);
    await after(10);
    let isClosed = false;
    void fetcher.close().then(() => (isClosed = true));
    await after(1_010);
    expect(isClosed).toBe(true);
    open();
    await after(2_000);
    expect(read.got).toEqual([]);
    expect(cluster.asked).toHaveLength(1);
    expect(cluster.closed).toBe(1);
    fetcher.add(read);
    await after(1_000);
    expect(cluster.asked).toHaveLength(1);
  });
});
