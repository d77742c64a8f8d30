import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Fault } from '#faults';
import type { NewRecord } from '#log';
import { Connections, hasCode, hasNetworkError, type BrokerLine } from './platformatic/index.js';
import type { ProduceAnswer, ProduceOutcome } from './produce.js';
import { IdempotentProducer, type SendOptions, type SendOutcome } from './producer.js';
import { ERROR, type ErrorName } from './protocol.js';
import type { Topics } from './topics.js';

const records: NewRecord[] = [{ key: Buffer.from('k'), value: Buffer.from('v'), headers: [] }];
const broker = { id: 1, host: 'kafka', port: 9092 };
const shape = { id: 'id', leaders: [1, 1], epochs: [0, 0], behind: 0 };
/** Length of the batch of `records`, which is the end of a request before three empty tag lists. */
const BATCH = 70;

/** Producer id, epoch and sequence of the last batch of a Produce request. */
function numbersOf(body: Buffer): { id: number; epoch: number; sequence: number } {
  const at = body.length - 3 - BATCH;
  return {
    id: Number(body.readBigInt64BE(at + 43)),
    epoch: body.readInt16BE(at + 51),
    sequence: body.readInt32BE(at + 53),
  };
}

describe('IdempotentProducer', () => {
  /** Bodies of the Produce requests. */
  let bodies: Buffer[];
  let answers: (() => Promise<ProduceOutcome[]>)[];
  let refreshed: number;
  let ids: bigint[];
  let renewed: string[];
  let connect: () => Promise<void>;
  let producer: IdempotentProducer;
  const waiting: { n: number; done: () => void }[] = [];

  const outcome = (partition: number, error: number, base = -1n): ProduceOutcome => ({
    topic: 't',
    partition,
    error,
    base,
    appendTimeMs: error === ERROR.NONE ? 7 : -1,
    text: undefined,
  });
  const answered =
    (partition: number, name: ErrorName, base = -1n) =>
    () =>
      Promise.resolve([outcome(partition, ERROR[name], base)]);
  const broken = () => Promise.reject(new Error('the connection broke'));
  const send = (partition: number, more: Partial<SendOptions> = {}): Promise<SendOutcome> =>
    producer.send('t', partition, records, { deadlineMs: 60_000, ...more });
  const requests = (n: number): Promise<void> =>
    new Promise((done) => (bodies.length >= n ? done() : waiting.push({ n, done })));

  beforeEach(() => {
    bodies = [];
    answers = [];
    refreshed = 0;
    ids = [9n];
    renewed = [];
    connect = () => Promise.resolve();
    jest
      .spyOn(Connections.prototype, 'producerIdentity')
      .mockImplementation(() => Promise.resolve({ id: ids.shift() ?? -2n, epoch: 0 }));
    const line: BrokerLine = {
      version: 9,
      send: async (body) => {
        bodies.push(Buffer.from(body().buffer));
        for (const w of waiting) if (bodies.length >= w.n) w.done();
        const answer: ProduceAnswer = { outcomes: await answers.shift()!(), throttleMs: 0 };
        return answer as never;
      },
    };
    jest.spyOn(Connections.prototype, 'line').mockImplementation(() => connect().then(() => line));
    const topics = {
      requestLimit: Number.POSITIVE_INFINITY,
      fresh: () => shape,
      refresh: () => Promise.resolve((refreshed++, shape)),
      broker: () => Promise.resolve(broker),
      brokers: () => Promise.resolve([broker]),
      forgetBrokers: () => undefined,
    };
    const report = {
      renewed: (topic: string, partition: number, id: boolean) =>
        renewed.push(`${topic}/${partition} ${id ? 'id' : 'epoch'}`),
    };
    const options = { brokers: ['kafka:9092'], clientId: 'test' };
    producer = new IdempotentProducer(options, topics as unknown as Topics, report as never, 60_000);
  });
  afterEach(async () => {
    await producer.close();
    jest.restoreAllMocks();
  });

  it('sends batches of two partitions in one request and gives each an outcome of its own; a retry has the same bytes', async () => {
    answers = [
      () => Promise.resolve([outcome(0, ERROR.NONE, 5n), outcome(1, ERROR.NOT_LEADER_OR_FOLLOWER)]),
      answered(1, 'NONE', 8n),
    ];
    const sent = await Promise.all([send(0), send(1)]);
    expect(sent).toEqual([
      { kind: 'written', written: { partition: 0, base: 5n, appendTimeMs: 7 } },
      { kind: 'written', written: { partition: 1, base: 8n, appendTimeMs: 7 } },
    ]);
    expect(bodies).toHaveLength(2);
    expect(refreshed).toBe(1);
    const batchOf = (body: Buffer): string => body.subarray(-3 - BATCH, -3).toString('hex');
    expect(batchOf(bodies[1]!)).toBe(batchOf(bodies[0]!));
    expect(renewed).toEqual([]);
  });

  it.each([
    'MESSAGE_TOO_LARGE',
    'RECORD_LIST_TOO_LARGE',
    'INVALID_RECORD',
    'TOPIC_AUTHORIZATION_FAILED',
    'UNSUPPORTED_COMPRESSION_TYPE',
  ] as const)(
    'refuses a batch at once after %s, but is uncertain when an earlier try had no answer, because that try may have been written',
    async (name) => {
      answers = [answered(0, name)];
      const certain = (await send(0)) as SendOutcome & { kind: 'refused' };
      expect([certain.kind, hasCode(certain.error, name)]).toEqual(['refused', true]);
      answers = [broken, answered(0, name)];
      const doubtful = (await send(0)) as SendOutcome & { kind: 'uncertain' };
      expect([doubtful.kind, hasCode(doubtful.error, name)]).toEqual(['uncertain', true]);
    },
  );

  it.each([
    ['NOT_LEADER_OR_FOLLOWER', 'MESSAGE_TOO_LARGE'],
    ['KAFKA_STORAGE_ERROR', 'TOPIC_AUTHORIZATION_FAILED'],
    ['NOT_LEADER_OR_FOLLOWER', 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
  ] as const)(
    'is uncertain after %s and then %s: the leader that lost the partition may have written the batch, and others may have copied it',
    async (first, then) => {
      answers = [answered(0, first, 5n), answered(0, then)];
      const sent = (await send(0)) as SendOutcome & { kind: 'uncertain' };
      expect([sent.kind, hasCode(sent.error, first), hasCode(sent.error, then)]).toEqual(['uncertain', true, true]);
      answers = Array.from({ length: 50 }, () => answered(0, first));
      expect((await send(0, { deadlineMs: 300 })).kind).toBe('uncertain');
    },
  );

  it('ends a batch at once whose topic was made again with fewer partitions', async () => {
    expect(await send(7)).toMatchObject({ kind: 'refused', error: { code: 'wrong_partition' } });
    expect(bodies).toHaveLength(0);
  });

  it('after a refused batch the next batch of that partition has the next epoch and sequence 0, with the same producer id; other partitions go on with theirs', async () => {
    answers = [answered(0, 'NONE', 0n), answered(1, 'NONE', 0n), answered(0, 'INVALID_RECORD')];
    for (const partition of [0, 1, 0]) await send(partition);
    answers = [answered(0, 'NONE', 1n), answered(1, 'NONE', 1n), answered(0, 'NONE', 2n)];
    for (const partition of [0, 1, 0]) await send(partition);
    expect(bodies.map(numbersOf)).toEqual([
      { id: 9, epoch: 0, sequence: 0 },
      { id: 9, epoch: 0, sequence: 0 },
      { id: 9, epoch: 0, sequence: 1 },
      { id: 9, epoch: 1, sequence: 0 },
      { id: 9, epoch: 0, sequence: 1 },
      { id: 9, epoch: 1, sequence: 1 },
    ]);
    expect(renewed).toEqual(['t/0 epoch']);
  });

  it('a batch that is in flight at its deadline is uncertain; the batch of another partition in the same request is not touched by it', async () => {
    let answer = (_: ProduceOutcome[]): void => undefined;
    answers = [() => new Promise((resolve) => (answer = resolve)), answered(0, 'NONE', 9n)];
    const late = send(0, { deadlineMs: 50 });
    const other = send(1);
    expect((await late).kind).toBe('uncertain');
    const next = send(0);
    answer([outcome(0, ERROR.NONE, 5n), outcome(1, ERROR.NONE, 6n)]);
    expect([await other, await next]).toMatchObject([{ written: { base: 6n } }, { written: { base: 9n } }]);
    expect(bodies).toHaveLength(2);
    expect(numbersOf(bodies[1]!)).toEqual({ id: 9, epoch: 1, sequence: 0 });
  });

  it('a batch that never left the process is refused at its deadline, is never sent later, and uses up no epoch', async () => {
    connect = () => Promise.reject(new Error('connection refused'));
    expect((await send(0, { deadlineMs: 50 })).kind).toBe('refused');
    // the queue of the broker is held up while it connects: the batch ends in the queue
    let connected = (): void => undefined;
    connect = () => new Promise((resolve) => (connected = resolve));
    expect((await send(0, { deadlineMs: 50 })).kind).toBe('refused');
    connect = () => Promise.resolve();
    answers = [answered(0, 'NONE', 0n)];
    const next = send(0);
    connected();
    expect((await next).kind).toBe('written');
    expect(bodies.map(numbersOf)).toEqual([{ id: 9, epoch: 0, sequence: 0 }]);
    expect(renewed).toEqual([]);
  });

  it('a batch whose every try was surely not written is refused at its deadline', async () => {
    const notEnough = answered(0, 'NOT_ENOUGH_REPLICAS');
    answers = Array.from({ length: 50 }, () => notEnough);
    expect((await send(0, { deadlineMs: 400 })).kind).toBe('refused');
    answers = [answered(0, 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'), ...answers];
    expect((await send(0, { deadlineMs: 400 })).kind).toBe('uncertain');
  });

  it('gives up a batch that has not left when it is withdrawn, and goes on with one that has', async () => {
    const stop = new AbortController();
    let connected = (): void => undefined;
    connect = () => new Promise((resolve) => (connected = resolve));
    const unsent = send(0, { signal: stop.signal });
    await new Promise(setImmediate);
    stop.abort();
    expect((await unsent).kind).toBe('refused');
    connect = () => Promise.resolve();
    let answer = (_: ProduceOutcome[]): void => undefined;
    answers = [() => new Promise((resolve) => (answer = resolve))];
    const again = new AbortController();
    const sent = send(0, { signal: again.signal });
    connected();
    await requests(1);
    again.abort();
    answer([outcome(0, ERROR.NONE, 3n)]);
    expect(await sent).toMatchObject({ kind: 'written', written: { base: 3n } });
    expect(bodies).toHaveLength(1);
  });

  it('sends a batch again with a new epoch when the broker has forgotten the producer, and with a new id when it has seen a greater epoch', async () => {
    ids = [9n, 12n];
    answers = [answered(0, 'OUT_OF_ORDER_SEQUENCE_NUMBER'), answered(0, 'INVALID_PRODUCER_EPOCH'), answered(0, 'NONE')];
    answers[2] = answered(0, 'NONE', 4n);
    expect(await send(0)).toMatchObject({ kind: 'written', written: { base: 4n } });
    expect(bodies.map(numbersOf)).toEqual([
      { id: 9, epoch: 0, sequence: 0 },
      { id: 9, epoch: 1, sequence: 0 },
      { id: 12, epoch: 0, sequence: 0 },
    ]);
    expect(renewed).toEqual(['t/0 epoch', 't/0 id']);
    // after a try without an answer, new numbers could write it twice
    answers = [broken, answered(0, 'OUT_OF_ORDER_SEQUENCE_NUMBER')];
    expect((await send(0)).kind).toBe('uncertain');
  });

  it('a broker that lacks the request refuses the batch at once', async () => {
    connect = () => Promise.reject(new Fault('broker_unsupported', { detail: 'broker kafka:9092 lacks Produce 9' }));
    expect(await send(0)).toMatchObject({ kind: 'refused', error: { code: 'broker_unsupported' } });
  });

  it('close() ends a send that has no answer as uncertain, and no retry of it is sent', async () => {
    let answer = (_: ProduceOutcome[]): void => undefined;
    answers = [() => new Promise((resolve) => (answer = resolve))];
    const sending = send(0);
    await requests(1);
    await producer.close();
    const ended = await sending;
    expect([ended.kind, hasNetworkError('error' in ended && ended.error)]).toEqual(['uncertain', true]);
    answer([outcome(0, ERROR.NOT_LEADER_OR_FOLLOWER)]);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    expect(bodies).toHaveLength(1);
  });
});
