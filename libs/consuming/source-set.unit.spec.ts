import { afterEach, describe, expect, it } from '@jest/globals';
import { deferred } from '#concurrency';
import type { ReadEvent } from '#sdk';
import { createConsumer, onEvent, SourceSet, type Consumer, type EventSource } from './index.js';
import { BAN, END, eventAt, MemorySource, type StoredPlace } from './memory-source.fixture.js';

const running: Consumer[] = [];
afterEach(async () => {
  for (const consumer of running.splice(0)) await consumer.stop();
});
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

interface Stage {
  readonly seen: string[];
  /** What run() rejects with; undefined: it was stopped. */
  readonly ended: Promise<unknown>;
  readonly consumer: Consumer;
}
function start(source: EventSource): Stage {
  const seen: string[] = [];
  const note = (e: { id: string }, { feed }: { feed: string }): void => void seen.push(`${feed} ${e.id}`);
  const consumer = createConsumer({ source, placeMs: 0, handlers: [onEvent(BAN, note), onEvent(END, note)] });
  running.push(consumer);
  const ended = consumer.run().then(
    () => undefined,
    (cause: unknown) => cause,
  );
  return { seen, ended, consumer };
}
const source = (events: ReadEvent[], places = new Map<string, StoredPlace>()): MemorySource =>
  new MemorySource(new Map([['imigrasi.cegah', events]]), places, () => 1);
const refusing = (cause: Error): EventSource => ({
  run: () => Promise.reject(cause),
  stop: () => Promise.resolve(),
});

describe('SourceSet', () => {
  it('hands on where lines go, also to a source that is added later', () => {
    const told: string[] = [];
    const talking = (line: string): EventSource => ({ ...refusing(new Error(line)), tellTo: (tell) => tell(line) });
    const set = new SourceSet([{ name: 'su1', source: talking('one') }]);
    set.tellTo((line) => told.push(line));
    set.add({ name: 'su2', source: talking('two') });
    expect(told).toEqual(['one', 'two']);
  });

  it('gives the feeds of its sources under their names, each with places of its own, also of a source that is added while it runs', async () => {
    const places = [new Map<string, StoredPlace>(), new Map<string, StoredPlace>()] as const;
    const [one, two] = [
      source([eventAt(0, 1, 'a')], places[0]),
      source([eventAt(0, 1, 'a'), eventAt(0, 2, 'b')], places[1]),
    ];
    const set = new SourceSet([{ name: 'su1', source: one }]);
    const { seen, consumer } = start(set);
    await until(() => seen.length === 1);
    set.add({ name: 'su2', source: two });
    await until(() => seen.length === 3);
    expect(seen).toEqual(['su1/imigrasi.cegah e0-1', 'su2/imigrasi.cegah e0-1', 'su2/imigrasi.cegah e0-2']);
    expect(consumer.status().feeds.map(({ feed }) => feed)).toEqual(['su1/imigrasi.cegah', 'su2/imigrasi.cegah']);
    await consumer.stop();
    expect(places.map((of) => of.get('imigrasi.cegah')?.at)).toEqual([1, 2]);
  });

  it('asks a source only for its own types that have a handler, and does not begin one without any', async () => {
    const [one, all, none] = [source([]), source([]), source([])];
    start(
      new SourceSet([
        { name: 'one', source: one, types: [END.type, 'imigrasi.paspor.diterbitkan'] },
        { name: 'all', source: all },
        { name: 'none', source: none, types: ['imigrasi.paspor.diterbitkan'] },
      ]),
    );
    await until(() => all.interest !== undefined);
    expect([one.interest, all.interest, none.interest]).toMatchObject([
      { types: [END.type] },
      { types: [BAN.type, END.type] },
      undefined,
    ]);
  });

  it('ends with the fault of a source that can never go on', async () => {
    const refused = new Error('the key is revoked');
    const set = new SourceSet([
      { name: 'su1', source: source([]) },
      { name: 'su2', source: refusing(refused) },
    ]);
    expect(await start(set).ended).toBe(refused);
  });

  it('goes on with the others when its caller takes the fault; one that ends by itself is such a fault', async () => {
    const told: string[] = [];
    const set = new SourceSet(
      [
        { name: 'su1', source: refusing(new Error('the key is revoked')) },
        { name: 'su2', source: { run: () => Promise.resolve(), stop: () => Promise.resolve() } },
        { name: 'su3', source: source([eventAt(0, 1, 'a')]) },
      ],
      { failed: (name, fault) => told.push(`${name}: ${(fault as Error).message}`) },
    );
    const { seen, ended, consumer } = start(set);
    await until(() => seen.length === 1);
    await consumer.stop();
    expect(await ended).toBeUndefined();
    expect(told.sort()).toEqual(['su1: the key is revoked', 'su2: the source su2 has ended by itself']);
  });

  it('waits for sources when it has none, tells nothing of sources that it stops, and begins none afterwards', async () => {
    const told: unknown[] = [];
    const set = new SourceSet([], { failed: (_name, fault) => told.push(fault) });
    const { ended, consumer } = start(set);
    const [one, late] = [source([]), source([])];
    set.add({ name: 'su1', source: one });
    await until(() => one.interest !== undefined);
    await consumer.stop();
    set.add({ name: 'su2', source: late });
    expect([await ended, told, late.interest]).toEqual([undefined, [], undefined]);
  });

  it('is ready when each source is that it began with, has ended, or makes no such promise; and waits as long as the slowest of them may take', async () => {
    const knows = deferred<void>();
    const slow = Object.assign(source([]), { ready: () => knows.promise, readyMs: 60_000 });
    const broken = Object.assign(refusing(new Error('refused')), { ready: () => new Promise<void>(() => undefined) });
    const idle = Object.assign(source([]), { ready: () => new Promise<void>(() => undefined) });
    const set = new SourceSet(
      [
        { name: 'silent', source: source([]) },
        { name: 'slow', source: slow },
        { name: 'broken', source: broken },
        { name: 'idle', source: idle, types: [] },
      ],
      { failed: () => undefined },
    );
    const { consumer } = start(set);
    let ready = false;
    const waiting = consumer.ready().then(() => (ready = true));
    set.add({ name: 'late', source: Object.assign(source([]), { ready: () => new Promise<void>(() => undefined) }) });
    await until(() => slow.interest !== undefined);
    await new Promise(setImmediate);
    expect([ready, set.readyMs]).toEqual([false, 60_000]);
    knows.resolve();
    await waiting;
    expect(ready).toBe(true);
  });

  it('refuses a name with a slash, because the name ends there in the names of feeds', () => {
    expect(() => new SourceSet([{ name: 'su1/loket', source: source([]) }])).toThrow('a source is named without "/"');
  });
});
