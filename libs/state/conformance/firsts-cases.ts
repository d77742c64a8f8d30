import { expect, it } from '@jest/globals';
import type { First } from '../port.js';
import { newView, STREAM, T0, type StateHarness } from './harness.js';

function first(id: string, offset: number | bigint, more: Partial<First> = {}): First {
  return {
    source: 'urn:simpul:unit:SU00123:simkim',
    id,
    stream: STREAM,
    partition: 3,
    offset: BigInt(offset),
    digest: BigInt(offset).toString(16).padStart(64, 'a'),
    schemaId: 11,
    recordedTimeMs: T0 + Number(BigInt(offset) % 1000n),
    ...more,
  };
}

/** The duplicate index (R2): put-if-absent by (source, id), lookup, and rows that survive a restart. */
export function firstsCases(h: () => StateHarness): void {
  it('puts absent rows and answers the row that the index holds for each id, in request order', async () => {
    const run = newView();
    const [a, b, c] = [first(`${run}a`, 1), first(`${run}b`, 2), first(`${run}c`, 3)];
    expect(await h().state.putFirst([a, b])).toEqual([a, b]);
    const again = [first(`${run}c`, 3), first(`${run}b`, 90), first(`${run}a`, 91, { schemaId: 12, partition: 4 })];
    expect(await h().state.putFirst(again)).toEqual([c, b, a]);
    expect(await h().state.findFirst([a, { source: a.source, id: `${run}tidak` }, c])).toEqual([a, undefined, c]);
  });

  it('lets the first row win when one call has the same id twice', async () => {
    const run = newView();
    const [a, copy] = [first(`${run}a`, 5), first(`${run}a`, 6)];
    expect(await h().state.putFirst([a, first(`${run}b`, 7), copy])).toEqual([a, first(`${run}b`, 7), a]);
    expect(await h().state.findFirst([copy, a])).toEqual([a, a]);
  });

  it('keeps equal ids of different sources separate, also when source and id joined give the same text', async () => {
    const run = newView();
    const pairs = [
      ['x', `${run}1`],
      [`x${run}`, '1'],
      ['x1', run],
      ['x', `1${run}`],
    ] as const;
    const rows = pairs.map(([source, id], i) => first(id, i, { source }));
    expect(await h().state.putFirst(rows)).toEqual(rows);
    expect(await h().state.findFirst(rows)).toEqual(rows);
  });

  it('answers the same winner to all concurrent calls for one id', async () => {
    const run = newView();
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => h().state.putFirst([first(`${run}x`, i)])));
    expect(new Set(answers.map(([one]) => one?.offset)).size).toBe(1);
  });

  it('accepts 2,000 ids in one call, also with special characters, and finds no id that was not put', async () => {
    const run = newView();
    const odd = ['{', '}', ':', '\n', '/', '\u0000', 'é', '職', '😀', ' ', 'x'.repeat(256)].map((id, i) =>
      first(run + id, i),
    );
    const rows = [...odd, ...Array.from({ length: 2_000 }, (_, i) => first(`${run}n${i}`, 2n ** 53n + BigInt(i)))];
    expect(await h().state.putFirst(rows)).toEqual(rows);
    expect(await h().state.findFirst(rows)).toEqual(rows);
    expect(await h().state.findFirst(rows.map(({ source, id }) => ({ source, id: `${id}?` })))).toEqual(
      rows.map(() => undefined),
    );
    expect(await h().state.putFirst([])).toEqual([]);
    expect(await h().state.findFirst([])).toEqual([]);
  });

  it('keeps the rows when the store is closed and opened again', async () => {
    const run = newView();
    const rows = [first(`${run}a`, 1), first(`${run}b`, 2)];
    await h().state.putFirst(rows);
    await h().reopen();
    expect(await h().state.findFirst(rows)).toEqual(rows);
    expect(await h().state.putFirst([first(`${run}b`, 77)])).toEqual([rows[1]]);
  });
}
