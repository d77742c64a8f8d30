import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { CatalogueIndex } from '#registry';
import type { First, State } from '#state';
import { catalogueOfFiles, recordOf, viewsOf } from '../../test/kit/projection/events.js';
import { Stage } from '../../test/kit/projection/stage.js';
import { DuplicateIndex, type IndexedPartition } from './index.js';

let catalogue: CatalogueIndex;
let stage: Stage;
let connection: number;
let evictions: number;
beforeAll(() => {
  catalogue = catalogueOfFiles(2);
});
afterEach(() => stage.close());

const STREAM = 'imigrasi.cegah';
const SOURCE = 'urn:simpul:unit:SU00100:uji';
const ban = (id: string, nomorCekal = 'C-1') =>
  recordOf(catalogue, { type: 'imigrasi.cegah.ditetapkan', data: { nomorCekal, jenis: 'cegah' }, id });
const asked = (...ids: string[]) => ids.map((id) => ({ source: SOURCE, id }));

async function open(): Promise<void> {
  connection = 1;
  evictions = 0;
  const wrapState = (state: State): State =>
    new Proxy(state, {
      get: (t, name) => {
        if (name === 'connection') return () => connection;
        if (name === 'evictions') return () => evictions;
        const value: unknown = Reflect.get(t, name);
        return typeof value === 'function' ? (value.bind(t) as unknown) : value;
      },
    });
  stage = await new Stage(catalogue, viewsOf(catalogue, 'imigrasi.cegah-aktif'), { wrapState }).open();
}

async function index(now: () => number = Date.now): Promise<IndexedPartition> {
  const at = { topic: STREAM, partition: ban('x').partition, epoch: 1n, topicId: await stage.log.topicId(STREAM) };
  return new DuplicateIndex({ ...stage, catalogue, now }).open(at, 0n);
}

/** Steps the index to the log end; answers the offsets of the copies that it finds. */
async function step(of: IndexedPartition): Promise<bigint[]> {
  const found: bigint[] = [];
  for (;;) {
    const read = await stage.log.read(STREAM, ban('x').partition, of.next);
    if (read.kind !== 'records') throw new Error(read.kind);
    if (read.records.length === 0) return found;
    const done = await of.step(read.records, read.next);
    if (done.kind !== 'judged') throw new Error(done.kind);
    found.push(...done.copies.keys());
  }
}

const rowOf = (id: string, offset: bigint, more: Partial<First> = {}): First => ({
  source: SOURCE,
  id,
  stream: STREAM,
  partition: ban('x').partition,
  offset,
  digest: 'a'.repeat(64),
  schemaId: 1,
  recordedTimeMs: 0,
  ...more,
});

describe('a row of the duplicate index that the log does not confirm', () => {
  it.each([
    ['at or above the log end', 50n, {}],
    ['at the place of another event', 0n, {}],
    ['at its own place with other content', 1n, {}],
    ['in a topic that does not exist', 0n, { stream: 'tidak.ada' }],
    ['in a partition that does not exist', 0n, { partition: 77 }],
  ])('%s is replaced, and the event is the first of its id', async (_name, offset, more) => {
    await open();
    await stage.append([ban('lain'), ban('a')]);
    await stage.state.putFirst([rowOf('a', offset, more)]);
    expect(await step(await index())).toEqual([]);
    expect(await stage.state.findFirst(asked('lain', 'a'))).toMatchObject([{ offset: 0n }, { offset: 1n }]);
  });

  it('makes no conflict of an event with other content, and its copies are found at its new place', async () => {
    await open();
    const conflicts: unknown[] = [];
    await stage.append([ban('lain'), ban('a'), ban('a'), ban('lain')]);
    await stage.state.putFirst([rowOf('a', 9n, { digest: 'b'.repeat(64) })]);
    const at = { topic: STREAM, partition: ban('x').partition, epoch: 1n, topicId: await stage.log.topicId(STREAM) };
    const publishConflicts = (found: readonly unknown[]) => Promise.resolve(void conflicts.push(...found));
    const one = await new DuplicateIndex({ ...stage, catalogue, now: Date.now, publishConflicts }).open(at, 0n);
    expect([await step(one), conflicts]).toEqual([[2n, 3n], []]);
  });
});

describe('the index after the store connected anew', () => {
  it('has the rows again of everything it wrote in the last ten minutes of the log, also when it lies hours behind the wall clock', async () => {
    await open();
    await stage.append([ban('a'), ban('b')]);
    const later = (): number => Date.now() + 6 * 3_600_000;
    const one = await index(later);
    await step(one);
    stage.loseIndex();
    connection++;
    await stage.append([ban('a'), ban('c')]);
    expect(await step(one)).toEqual([2n]);
    expect(await stage.state.findFirst(asked('a', 'b', 'c'))).toMatchObject([
      { offset: 0n },
      { offset: 1n },
      { offset: 3n },
    ]);
  });

  it('has the rows of all eight days again when the store has evicted keys, so that a copy of an old event is found', async () => {
    await open();
    let now = Date.now();
    const one = await index(() => now);
    for (const [id, minutes] of [
      ['a', 0],
      ['b', 1],
      ['c', 11],
    ] as const) {
      now += minutes * 60_000;
      await stage.append([ban(id)]);
      await step(one);
    }
    stage.loseIndex();
    evictions = 3;
    connection++;
    await stage.append([ban('a')]);
    expect(await step(one)).toEqual([3n]);
    expect(await stage.state.findFirst(asked('a', 'b', 'c'))).toMatchObject([
      { offset: 0n },
      { offset: 1n },
      { offset: 2n },
    ]);
  });

  it('finds copies although the process was started with a clock that is nine days ahead, and has their rows again after the store lost them', async () => {
    await open();
    const one = await index(() => Date.now() + 9 * 86_400_000);
    await stage.append([ban('a'), ban('a'), ban('b')]);
    expect(await step(one)).toEqual([1n]);
    stage.loseIndex();
    evictions = 3;
    connection++;
    await stage.append([ban('b')]);
    expect(await step(one)).toEqual([3n]);
    expect(await stage.state.findFirst(asked('a', 'b'))).toMatchObject([{ offset: 0n }, { offset: 2n }]);
  });

  it('sets a row right whose place a later copy has taken', async () => {
    await open();
    await stage.append([ban('a'), ban('b')]);
    const one = await index();
    await step(one);
    const [a] = await stage.state.findFirst(asked('a'));
    stage.loseIndex();
    await stage.append([ban('a')]);
    await stage.state.putFirst([{ ...a!, offset: 2n }]);
    connection++;
    expect(await step(one)).toEqual([2n]);
    expect(await stage.state.findFirst(asked('a'))).toMatchObject([{ offset: 0n }]);
  });

  it('keeps no event in memory: checking 40,000 events again leaves less than 120 bytes an event', async () => {
    await open();
    const many = 40_000;
    for (let n = 0; n < many; n += 5_000)
      await stage.append(Array.from({ length: 5_000 }, (_, i) => ban(`n${n + i}`, `C-${i % 50}`)));
    const partition = ban('x').partition;
    const { high } = (await stage.log.describe(STREAM)).find((r) => r.partition === partition)!;
    const one = await index();
    await step(one);
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const used = async (): Promise<number> => {
      for (let i = 0; i < 5; i++) {
        await new Promise(setImmediate);
        gc();
      }
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    stage.loseIndex();
    connection++;
    await stage.append([ban('akhir')]);
    const before = await used();
    await step(one);
    const grown = (await used()) - before;
    expect((await stage.state.findFirst(asked('n0', 'n1'))).filter(Boolean).length).toBeGreaterThan(0);
    expect(high).toBeGreaterThan(10_000n);
    expect(grown).toBeLessThan(120 * Number(high));
    // the index itself is still in use
    expect(one.next).toBe(high + 1n);
  }, 60_000);
});
