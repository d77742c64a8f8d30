import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { NewRecord } from '#log';
import { bodyOf, Connections, hasCode, hasNetworkError } from './platformatic/index.js';
import type { ProduceOutcome } from './produce.js';
import { IdempotentProducer } from './producer.js';
import { ERROR } from './protocol.js';
import type { Topics } from './topics.js';

const records: NewRecord[] = [{ key: Buffer.from('k'), value: Buffer.from('v'), headers: [] }];
const broker = { id: 1, host: 'kafka', port: 9092 };
const shape = { id: 'id', leaders: [1, 1], behind: 0 };

describe('IdempotentProducer', () => {
  /** Bodies of the Produce requests. */
  let bodies: Buffer[];
  let answers: (() => Promise<ProduceOutcome[]>)[];
  let refreshed: number;
  let producer: IdempotentProducer;

  const outcome = (partition: number, error: number, base = -1n): ProduceOutcome => ({
    topic: 't',
    partition,
    error,
    base,
    appendTimeMs: error === ERROR.NONE ? 7 : -1,
    text: undefined,
  });

  beforeEach(() => {
    bodies = [];
    answers = [];
    refreshed = 0;
    jest.spyOn(Connections.prototype, 'producerIdentity').mockResolvedValue({ id: 9n, epoch: 0 });
    jest.spyOn(Connections.prototype, 'request').mockImplementation(((
      _b: unknown,
      _k: unknown,
      _v: unknown,
      body: ReturnType<typeof bodyOf>,
    ) => {
      bodies.push(Buffer.from(body().buffer));
      return answers.shift()!();
    }) as never);
    const topics = {
      fresh: () => shape,
      refresh: () => Promise.resolve((refreshed++, shape)),
      broker: () => Promise.resolve(broker),
      brokers: () => Promise.resolve([broker]),
      forgetBrokers: () => undefined,
    };
    producer = new IdempotentProducer({ brokers: ['kafka:9092'], clientId: 'test' }, topics as unknown as Topics);
  });
  afterEach(async () => {
    await producer.close();
    jest.restoreAllMocks();
  });

  it('sends batches of two partitions in one request and gives each an outcome of its own; a retry has the same bytes', async () => {
    answers = [
      () => Promise.resolve([outcome(0, ERROR.NONE, 5n), outcome(1, ERROR.NOT_LEADER_OR_FOLLOWER)]),
      () => Promise.resolve([outcome(1, ERROR.NONE, 8n)]),
    ];
    const sent = await Promise.all([producer.send('t', 0, records), producer.send('t', 1, records)]);
    expect(sent).toEqual([
      { partition: 0, base: 5n, appendTimeMs: 7 },
      { partition: 1, base: 8n, appendTimeMs: 7 },
    ]);
    expect(bodies).toHaveLength(2);
    expect(refreshed).toBe(1);
    // the batch of partition 1 is the end of both requests, before three empty tag lists
    const batchOf = (body: Buffer): string => body.subarray(-3 - 70, -3).toString('hex');
    expect(batchOf(bodies[1]!)).toBe(batchOf(bodies[0]!));
  });

  it('rejects a final error at once and as certain, but as uncertain after a try whose connection broke', async () => {
    answers = [() => Promise.resolve([outcome(0, ERROR.TOPIC_AUTHORIZATION_FAILED)])];
    const certain: unknown = await producer.send('t', 0, records).catch((error: unknown) => error);
    expect([hasCode(certain, 'TOPIC_AUTHORIZATION_FAILED'), hasNetworkError(certain)]).toEqual([true, false]);
    answers = [
      () => Promise.reject(new Error('the connection broke')),
      () => Promise.resolve([outcome(0, ERROR.TOPIC_AUTHORIZATION_FAILED)]),
    ];
    const uncertain: unknown = await producer.send('t', 0, records).catch((error: unknown) => error);
    expect([hasCode(uncertain, 'TOPIC_AUTHORIZATION_FAILED'), hasNetworkError(uncertain)]).toEqual([true, true]);
  });

  it('close() rejects a send that has no answer as uncertain, and no retry of it is sent', async () => {
    let answer = (_: ProduceOutcome[]): void => undefined;
    answers = [() => new Promise((resolve) => (answer = resolve))];
    const sending = producer.send('t', 0, records).catch((error: unknown) => error);
    while (bodies.length === 0) await new Promise(setImmediate);
    await producer.close();
    expect(hasNetworkError(await sending)).toBe(true);
    answer([outcome(0, ERROR.NOT_LEADER_OR_FOLLOWER)]);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    expect(bodies).toHaveLength(1);
  });
});
