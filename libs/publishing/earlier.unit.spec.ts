import { describe, expect, it, jest } from '@jest/globals';
import { digestOf, toHeaders } from '#event';
import { Fault } from '#faults';
import type { First } from '#state';
import { EarlierEvents } from './earlier.js';

const SOURCE = 'urn:simpul:unit:SU00123:simkim';
const [key, value] = [Buffer.from('S'), Buffer.from('isi')];
const digest = digestOf(key, value);
const row = (schemaId: number): First => ({
  source: SOURCE,
  id: 'A',
  stream: 'a.b',
  partition: 0,
  offset: 0n,
  digest: digest.toString('hex'),
  schemaId,
  recordedTimeMs: 0,
});
const envelope = {
  id: 'A',
  source: SOURCE,
  type: 'a.b.c',
  subject: 'S',
  time: '2021-07-15T00:00:00Z',
  dataschema: 'urn:simpul:schema:a.b.c:2',
  extensions: {},
};
const hub = { digest, recordedtime: '2021-07-15T00:00:00Z', unit: undefined, traceparent: undefined };
const record = { key, value, headers: toHeaders(envelope, hub), offset: 0n, appendTimeMs: 0, leaderEpoch: 0 };

function earlier(refresh: () => Promise<void>, known: Set<number>): EarlierEvents {
  const lookup = { ask: () => Promise.resolve([row(2)]) };
  const read = () => Promise.resolve({ kind: 'records', records: [record], next: 1n, low: 0n, high: 1n, topicId: 't' });
  const catalogue = { bySchemaId: (id: number) => (known.has(id) ? {} : undefined) };
  return new EarlierEvents(lookup as never, { read } as never, 1_000, { catalogue, refresh } as never);
}

describe('an earlier event under a version that another process registered a moment ago', () => {
  it('is answered once the catalogue has the version: nobody compares contents without it', async () => {
    const known = new Set<number>();
    const refresh = jest.fn(() => Promise.resolve(void known.add(2)));
    const events = earlier(refresh, known);
    expect(await events.ask([{ source: SOURCE, id: 'A' }])).toEqual([row(2)]);
    expect(await events.ask([{ source: SOURCE, id: 'A' }])).toEqual([row(2)]);
    expect(refresh).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['cannot be read', () => Promise.reject(new Fault('log_unavailable'))],
    ['does not have it', () => Promise.resolve()],
  ])('is not compared when the catalogue %s: the event is appended without a check', async (_what, refresh) => {
    expect(await earlier(refresh, new Set()).ask([{ source: SOURCE, id: 'A' }])).toEqual([undefined]);
  });
});
