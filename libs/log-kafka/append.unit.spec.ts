import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { NewRecord } from '#log';
import { Appends } from './append.js';
import { IdempotentProducer, type SendOutcome } from './producer.js';
import type { Topics } from './topics.js';

const records: NewRecord[] = [{ key: Buffer.from('k'), value: Buffer.from('v'), headers: [] }];
const WRITTEN: SendOutcome = { kind: 'written', written: { partition: 0, base: 3n, appendTimeMs: 1 } };

describe('Appends', () => {
  let sent: ((outcome: SendOutcome) => void)[];
  let appends: Appends;
  const topics = { fresh: () => ({ id: 'id', leaders: [1], epochs: [0], behind: 0 }) };

  beforeEach(() => {
    sent = [];
    jest
      .spyOn(IdempotentProducer.prototype, 'send')
      .mockImplementation(() => new Promise<SendOutcome>((resolve) => sent.push(resolve)));
    appends = new Appends({ brokers: ['kafka:9092'], clientId: 'test' }, topics as unknown as Topics);
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await appends.close();
  });

  it('an append that is withdrawn while another one of its partition is in flight was surely not written, is never sent, and lets no later one overtake', async () => {
    const first = appends.append('t', 0, records);
    const stop = new AbortController();
    const withdrawn = appends.append('t', 0, records, undefined, stop.signal);
    const third = appends.append('t', 0, records);
    stop.abort();
    expect(await withdrawn).toEqual({ kind: 'refused', code: 'log_unavailable' });
    await new Promise(setImmediate);
    expect(sent).toHaveLength(1);
    sent[0]!(WRITTEN);
    expect((await first).kind).toBe('accepted');
    await new Promise(setImmediate);
    expect(sent).toHaveLength(2);
    sent[1]!(WRITTEN);
    expect((await third).kind).toBe('accepted');
  });
});
