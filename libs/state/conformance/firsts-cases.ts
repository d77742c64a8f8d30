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

/** The duplicate index (R2): put-if-absent by (source, id). */
export function firstsCases(h: () => StateHarness): void {
  it('puts what is absent and answers what stands, in request order', async () => {
    const run = newView();
    const [a, b, c] = [first(`${run}a`, 1), first(`${run}b`, 2), first(`${run}c`, 3)];
    expect(await h().state.putFirst([a, b])).toEqual([a, b]);
    const again = [first(`${run}c`, 3), first(`${run}b`, 90), first(`${run}a`, 91, { schemaId: 12, partition: 4 })];
    expect(await h().state.putFirst(again)).toEqual([c, b, a]);
    expect(await h().state.findFirst([a, { source: a.source, id: `${run}tidak` }, c])).toEqual([a, undefined, c]);
  });

  it('lets the first win when one call holds the same id twice', async () => {
    const run = newView();
    const [a, copy] = [first(`${run}a`, 5), first(`${run}a`, 6)];
    expect(await h().state.putFirst([a, first(`${run}b`, 7), copy])).toEqual([a, first(`${run}b`, 7), a]);
    expect(await h().state.findFirst([copy, a])).toEqual([a, a]);
  });

  it('keeps sources apart, also where source and id run together', async () => {
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

  it('agrees on one winner when many ask at once', async () => {
    const run = newView();
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => h().state.putFirst([first(`${run}x`, i)])));
    expect(new Set(answers.map(([one]) => one?.offset)).size).toBe(1);
  });

  it('takes 2,000 ids at once, odd ones too, and does not read what it did not write', async () => {
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

  it('survives reopening', async () => {
    const run = newView();
    const rows = [first(`${run}a`, 1), first(`${run}b`, 2)];
    await h().state.putFirst(rows);
    await h().reopen();
    expect(await h().state.findFirst(rows)).toEqual(rows);
    expect(await h().state.putFirst([first(`${run}b`, 77)])).toEqual([rows[1]]);
  });
}
