import { describe, expect, it } from '@jest/globals';
import type { First } from '#state';
import type { Receipt } from './item.js';
import { Receipts } from './receipts.js';

const SOURCE = 'urn:simpul:unit:SU00123:simkim';
const first = (id: string): First => ({
  source: SOURCE,
  id,
  stream: 'a.b',
  partition: 0,
  offset: 7n,
  digest: '0'.repeat(64),
  schemaId: 1,
  recordedTimeMs: 0,
});

describe('a receipt that the asker may not see', () => {
  it('takes the same calls, in the same order, as one that does not exist, and is answered alike', async () => {
    const calls: string[] = [];
    const rows = new Map([first('A'), first('B')].map((row) => [row.id, row]));
    const called = <T>(name: string, answer: T): Promise<T> => {
      calls.push(name);
      return Promise.resolve(answer);
    };
    const deps = {
      log: { describe: () => called('describe', []) },
      state: { findFirst: ([{ id }]: [{ id: string }]) => called('findFirst', [rows.get(id)]) },
      settled: { ready: true, end: () => 0n },
      catalogue: { bySchemaId: () => undefined, streams: () => [] },
      now: () => 0,
    };
    const earlier = {
      look: (places: readonly unknown[]) =>
        called(
          'look',
          places.map(() => 'holds'),
        ),
      unknown: () => Promise.resolve(new Set()),
    };
    const receipts = new Receipts(deps as never, { get: () => undefined } as never, earlier as never, 10);
    const none = (found: Receipt): Promise<undefined> => called(`judge ${found.stream}`, undefined);
    const callsFor = async (id: string): Promise<readonly string[]> => {
      calls.length = 0;
      expect(await receipts.find(SOURCE, id, none)).toBeUndefined();
      return [...calls];
    };
    await callsFor('A');
    const forbidden = await callsFor('B');
    expect(forbidden.filter((call) => call === 'judge a.b')).toHaveLength(2);
    expect(await callsFor('missing')).toEqual(forbidden);
    expect(await callsFor('A')).toEqual(forbidden);
  });
});
