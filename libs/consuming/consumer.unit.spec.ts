import { afterEach, describe, expect, it } from '@jest/globals';
import { type ReadEvent } from '#sdk';
import { random } from '../../test/kit/random.js';
import { createConsumer, onBatch, onEvent, type Consumer, type ConsumerOptions, type DeadLetter } from './index.js';
import { BAN, END, eventAt, finishedAt, MemorySource, type StoredPlace } from './memory-source.fixture.js';

const running: { consumer: Consumer; ended: Promise<unknown> }[] = [];
afterEach(async () => {
  for (const { consumer, ended } of running.splice(0)) {
    await consumer.stop();
    await ended;
  }
});

interface Stage {
  readonly consumer: Consumer;
  readonly source: MemorySource;
  readonly places: Map<string, StoredPlace>;
  /** What run() rejects with; undefined: it was stopped. */
  readonly ended: Promise<unknown>;
}
function start(
  feeds: Record<string, readonly ReadEvent[]>,
  options: Omit<ConsumerOptions, 'source'>,
  {
    places = new Map<string, StoredPlace>(),
    size = () => 3,
    committed,
    pages = false,
  }: {
    places?: Map<string, StoredPlace>;
    size?: () => number;
    committed?: (feed: string, place: StoredPlace) => void | Promise<void>;
    pages?: boolean;
  } = {},
): Stage {
  const source = new MemorySource(new Map(Object.entries(feeds)), places, size, committed, pages);
  const consumer = createConsumer({ placeMs: 0, stopMs: 200, source, ...options });
  const ended = consumer.run().then(
    () => undefined,
    (cause: unknown) => cause,
  );
  running.push({ consumer, ended });
  return { consumer, source, places, ended };
}
async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !condition();) {
    if (Date.now() > end) throw new Error('the condition did not come true');
    await new Promise((done) => setTimeout(done, 1));
  }
}
const events = (n: number, subjects: number, type = BAN.type): ReadEvent[] =>
  Array.from({ length: n }, (_, i) => eventAt(0, i, `s${i % subjects}`, type));
const retryFast = { backoffMs: 1, maxBackoffMs: 2 };

describe('a consumer', () => {
  it.each(Array.from({ length: 20 }, (_, seed) => seed))(
    'keeps the order per subject over all types, skips nothing, and never stores a place that passes unfinished work: schedule %i',
    async (seed) => {
      const next = random(seed);
      const until1 = (n: number): number => Math.floor(next() * n);
      const feeds: Record<string, ReadEvent[]> = {};
      const partitions = 1 + (seed % 3);
      for (let f = 0; f <= until1(3); f++) {
        const next = [0, 0, 0];
        feeds[`f${f}`] = Array.from({ length: 60 + until1(120) }, () => {
          const p = f * 3 + until1(partitions);
          const at = (next[p - f * 3]! += 1 + until1(2));
          const type = ['a.b.other', BAN.type, BAN.type, END.type][until1(4)]!;
          return eventAt(p, at, `s${p}-${until1(8)}`, type);
        });
      }
      const wanted = (list: readonly ReadEvent[]): ReadEvent[] => list.filter((e) => e.type !== 'a.b.other');
      const places = new Map<string, StoredPlace>();
      const done = new Map<string, string[]>();
      const finished = new Set<string>();
      const inWork = new Set<string>();
      const problems: string[] = [];
      const letters = new Set<string>();
      const work = async (list: readonly ReadEvent[]): Promise<void> => {
        for (const subject of new Set(list.map((e) => e.subject))) {
          if (inWork.has(subject)) problems.push(`two of ${subject} at once`);
          inWork.add(subject);
        }
        try {
          for (let n = until1(4); n > 0; n--) await new Promise(setImmediate);
          if (list.some((e) => e.data['n'] === 33)) throw new Error('poison');
          if (next() < 0.1) throw new Error('now and then');
          for (const e of list) {
            if (!done.has(e.subject)) done.set(e.subject, []);
            done.get(e.subject)!.push(e.position);
            finished.add(e.position);
          }
        } finally {
          for (const e of list) inWork.delete(e.subject);
        }
      };
      const batched = seed % 2 === 0;
      const options = { attempts: 4, then: 'dead-letter' as const, ...retryFast };
      for (let lives = 0; lives < 5; lives++) {
        const before = new Map(
          Object.entries(feeds).map(([name, list]) => [
            name,
            finishedAt(list, places.get(name)).map((e) => e.position),
          ]),
        );
        const seen = new Set<string>();
        const { consumer, ended } = start(
          feeds,
          {
            handlers: [
              onEvent(BAN, async (e) => (seen.add(e.position), work([e as unknown as ReadEvent])), {
                ...options,
                concurrency: 1 + until1(5),
              }),
              batched
                ? onBatch(END, async (list) => work(list as unknown as ReadEvent[]), {
                    ...options,
                    size: 1 + until1(6),
                  })
                : onEvent(END, async (e) => work([e as unknown as ReadEvent]), options),
            ],
            deadLetters: {
              write: async ({ event }: DeadLetter) => {
                await new Promise(setImmediate);
                letters.add(event.position);
                finished.add(event.position);
              },
            },
            limits: { feedEvents: 10 + until1(30) },
          },
          {
            places,
            pages: seed % 4 > 1,
            size: () => 1 + until1(9),
            committed: async (name, place) => {
              for (const e of wanted(finishedAt(feeds[name]!, place)))
                if (!finished.has(e.position)) problems.push(`a place passes ${e.position}`);
              if (place.at < (places.get(name)?.at ?? 0)) problems.push('a place goes back');
              const known = new Set(finishedAt(feeds[name]!, place).map((e) => e.position));
              for (const e of finishedAt(feeds[name]!, places.get(name)))
                if (!known.has(e.position)) problems.push(`a place forgets ${e.position}`);
              await new Promise(setImmediate);
              if (next() < 0.05) throw new Error('the disk is full');
            },
          },
        );
        const all = Object.values(feeds).flatMap(wanted);
        // The last life goes to the end, the others are cut off somewhere.
        const goal = lives === 4 ? all.length : finished.size + 5 + until1(40);
        await until(() => finished.size >= Math.min(goal, all.length) || consumer.status().state === 'failed');
        if (lives === 4)
          await until(() => Object.entries(feeds).every(([name, list]) => (places.get(name)?.at ?? 0) === list.length));
        await consumer.stop();
        expect(await ended).toBeUndefined();
        for (const list of before.values())
          for (const position of list) if (seen.has(position)) problems.push(`${position} again, though it was stored`);
      }
      expect(problems).toEqual([]);
      for (const list of Object.values(feeds))
        for (const e of wanted(list)) if (!finished.has(e.position)) throw new Error(`${e.position} was skipped`);
      for (const [subject, positions] of done) {
        // Without repeats the order is that of the feed. A repeat begins where a life was cut off.
        const first = [...new Set(positions)];
        const inFeed = Object.values(feeds)
          .flat()
          .filter((e) => e.subject === subject && first.includes(e.position))
          .map((e) => e.position);
        expect(first.filter((p) => !letters.has(p))).toEqual(inFeed.filter((p) => !letters.has(p)));
      }
    },
  );

  it('works on different subjects side by side, and on at most `concurrency` of them', async () => {
    let now = 0;
    let most = 0;
    const { places } = start(
      { f: events(40, 20) },
      {
        handlers: [
          onEvent(
            BAN,
            async () => {
              most = Math.max(most, ++now);
              await new Promise(setImmediate);
              now--;
            },
            { concurrency: 7 },
          ),
        ],
      },
      { size: () => 40 },
    );
    await until(() => places.get('f')?.at === 40);
    expect(most).toBe(7);
  });

  it('ends with one clear fault after the last attempt, and leaves the place at the event', async () => {
    let attempts = 0;
    const { ended, places } = start(
      { f: events(10, 10) },
      {
        handlers: [
          onEvent(
            BAN,
            (e) => {
              if (e.data.n === 4 && ++attempts > 0) throw new Error('the list is locked\nwith more lines');
            },
            { attempts: 3, ...retryFast },
          ),
        ],
      },
    );
    expect(await ended).toMatchObject({
      code: 'handler_failed',
      message: `the handler of ${BAN.type} failed at imigrasi.cegah/0/4 after 3 attempts: the list is locked. The place stays there: correct the handler, or choose then: 'park' or 'dead-letter'`,
    });
    expect([attempts, places.get('f')?.at]).toEqual([3, 4]);
  });

  it('parks an event: its subject waits, others go on, and a restart repeats the parked one and its followers only', async () => {
    const seen: number[] = [];
    const list = events(3_000, 10);
    const handler = (fails: boolean) =>
      onEvent(
        BAN,
        (e) => {
          if (fails && e.data.n === 4) throw new Error('locked');
          seen.push(e.data.n);
        },
        { attempts: 2, then: 'park', ...retryFast },
      );
    const first = start({ f: list }, { handlers: [handler(true)] }, { size: () => 100 });
    await until(() => first.consumer.status().finished === 2_700);
    expect(first.consumer.parked()).toEqual([
      { feed: 'f', position: 'imigrasi.cegah/0/4', type: BAN.type, attempts: 2, waiting: 299 },
    ]);
    expect(seen.every((n) => n % 10 !== 4)).toBe(true);
    await first.consumer.stop();
    await first.ended;
    expect(first.places.get('f')!.at).toBe(4);
    seen.length = 0;
    const second = start({ f: list }, { handlers: [handler(false)] }, { places: first.places, size: () => 100 });
    await until(() => first.places.get('f')!.at === 3_000);
    expect(seen).toEqual(list.map((e) => e.data['n']).filter((n) => (n as number) % 10 === 4));
    expect(second.consumer.status().finished).toBe(300);
  });

  it('goes on with a parked subject after retry() has worked, or skip()', async () => {
    let locked = true;
    const { consumer, places } = start(
      { f: events(20, 5) },
      {
        handlers: [
          onEvent(
            BAN,
            (e) => {
              if (locked && (e.data.n === 3 || e.data.n === 6)) throw new Error('locked');
            },
            { attempts: 1, then: 'park' },
          ),
        ],
      },
    );
    await until(() => consumer.parked().length === 2 && consumer.status().finished === 13);
    expect(consumer.skip('imigrasi.cegah/0/3')).toBe(true);
    await until(() => places.get('f')?.at === 6);
    locked = false;
    expect([consumer.retry('imigrasi.cegah/0/3'), consumer.retry('imigrasi.cegah/0/6')]).toEqual([false, true]);
    await until(() => places.get('f')?.at === 20);
  });

  it('pauses a feed whose parked events and their followers reach the bound', async () => {
    const { consumer, source } = start(
      { f: events(1_000, 1) },
      {
        handlers: [onEvent(BAN, () => Promise.reject(new Error('no')), { attempts: 1, then: 'park' })],
        limits: { parked: 20 },
      },
    );
    await until(() => consumer.status().feeds[0]?.parked === 21);
    for (let n = 0; n < 50; n++) await new Promise(setImmediate);
    expect(source.delivered).toBe(21);
  });

  it('writes a dead letter, durable before the place moves, and goes on with the subject', async () => {
    const letters: DeadLetter[] = [];
    let refused = 0;
    const door = Promise.withResolvers<void>();
    const { places } = start(
      { f: events(9, 3) },
      {
        group: 'pos',
        handlers: [
          onEvent(
            BAN,
            (e) => {
              if (e.data.n === 4) throw Object.assign(new Error('no such list'), { code: 'no_list' });
            },
            { attempts: 2, then: 'dead-letter', ...retryFast },
          ),
        ],
        deadLetters: {
          write: async (letter) => {
            if (refused++ === 0) throw new Error('the door is closed');
            await door.promise;
            letters.push(letter);
          },
        },
      },
    );
    await until(() => refused === 2);
    for (let n = 0; n < 20; n++) await new Promise(setImmediate);
    expect(places.get('f')?.at).toBe(4);
    door.resolve();
    await until(() => places.get('f')?.at === 9);
    expect(letters).toMatchObject([
      { group: 'pos', feed: 'f', attempts: 2, cause: { code: 'no_list', message: 'no such list' } },
    ]);
    expect(letters[0]!.event.position).toBe('imigrasi.cegah/0/4');
  });

  it('gives a batch handler batches of bounded size in the order of the feed, also between events of other handlers', async () => {
    const seen: string[] = [];
    const list = events(40, 40).map((e, i) => (i % 3 === 0 ? { ...e, type: END.type } : e));
    const sizes: number[] = [];
    const { places } = start(
      { f: list },
      {
        handlers: [
          onBatch(
            BAN,
            async (batch) => {
              await new Promise(setImmediate);
              sizes.push(batch.length);
              for (const e of batch) seen.push(e.position);
            },
            { size: 5 },
          ),
          onEvent(END, () => new Promise(setImmediate)),
        ],
      },
      { size: () => 20 },
    );
    await until(() => places.get('f')?.at === 40);
    expect(seen).toEqual(list.filter((e) => e.type === BAN.type).map((e) => e.position));
    expect(Math.max(...sizes)).toBe(5);
  });

  it('finds the poison event of a batch: the others are handled, it alone is a dead letter', async () => {
    const seen: number[] = [];
    const letters: string[] = [];
    const { places } = start(
      { f: events(6, 6) },
      {
        handlers: [
          onBatch(
            BAN,
            (batch) => {
              if (batch.some((e) => e.data.n === 2)) throw new Error('poison');
              seen.push(...batch.map((e) => e.data.n));
            },
            { attempts: 2, then: 'dead-letter', ...retryFast },
          ),
        ],
        deadLetters: { write: ({ event }) => Promise.resolve(void letters.push(event.position)) },
      },
      { size: () => 6 },
    );
    await until(() => places.get('f')?.at === 6);
    expect([seen, letters]).toEqual([[0, 1, 3, 4, 5], ['imigrasi.cegah/0/2']]);
  });

  it('takes no more batches than its memory has room for', async () => {
    const free = Promise.withResolvers<void>();
    const { consumer, source, places } = start(
      { a: events(500, 500), b: events(500, 500) },
      { handlers: [onEvent(BAN, () => free.promise)], limits: { feedEvents: 30, events: 40 } },
      { size: () => 10 },
    );
    await until(() => source.delivered >= 40);
    for (let n = 0; n < 50; n++) await new Promise(setImmediate);
    expect(consumer.status().feeds.reduce((sum, f) => sum + f.open, 0)).toBeLessThanOrEqual(60);
    free.resolve();
    await until(() => places.get('a')?.at === 500 && places.get('b')?.at === 500);
  });

  it('aborts the signal of a handler that takes too long, and ends when it does not end then', async () => {
    let aborted = false;
    const { ended } = start(
      { f: events(3, 3) },
      {
        handlers: [
          onEvent(
            BAN,
            (_e, { signal }) => {
              signal.addEventListener('abort', () => (aborted = true));
              return new Promise(() => undefined);
            },
            { timeoutMs: 20 },
          ),
        ],
      },
    );
    expect(await ended).toMatchObject({ code: 'handler_hangs' });
    expect(aborted).toBe(true);
  });

  it('takes a handler that ends because its signal aborted for a failed attempt', async () => {
    let attempts = 0;
    const { places } = start(
      { f: events(1, 1) },
      {
        handlers: [
          onEvent(
            BAN,
            (_e, { signal }) =>
              ++attempts === 2
                ? undefined
                : new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
            { timeoutMs: 20, ...retryFast },
          ),
        ],
      },
    );
    await until(() => places.get('f')?.at === 1);
    expect(attempts).toBe(2);
  });

  it('begins no event of a feed that is revoked, stores what has ended, and commits nothing after the time is over', async () => {
    const gate = Promise.withResolvers<void>();
    const begun: number[] = [];
    const { consumer, source, places } = start(
      { f: events(10, 10) },
      {
        handlers: [
          onEvent(BAN, (e, context) => {
            begun.push(e.data.n);
            if (e.data.n === 1) return gate.promise;
            if (e.data.n !== 2) return undefined;
            return new Promise((_, reject) =>
              context.signal.addEventListener('abort', () => reject(new Error('late'))),
            );
          }),
        ],
        limits: { feedEvents: 2 },
      },
      { size: () => 3 },
    );
    await until(() => begun.length === 3 && places.get('f')?.at === 1);
    const revoked = source.sink!.revoke('f', 30);
    await revoked;
    expect(consumer.status().feeds).toEqual([]);
    gate.resolve();
    for (let n = 0; n < 20; n++) await new Promise(setImmediate);
    expect([places.get('f')?.at, begun]).toEqual([1, [0, 1, 2]]);
  });

  it('ends with the fault of its source, and when the source ends by itself', async () => {
    const handlers = [onEvent(BAN, () => undefined)];
    const failing = { run: () => Promise.reject(new Error('401 unauthenticated')), stop: () => Promise.resolve() };
    await expect(createConsumer({ source: failing, handlers }).run()).rejects.toThrow('401 unauthenticated');
    const ending = { run: () => Promise.resolve(), stop: () => Promise.resolve() };
    await expect(createConsumer({ source: ending, handlers }).run()).rejects.toMatchObject({ code: 'source_ended' });
  });

  it('refuses handlers that do not fit together, in one line', () => {
    const source = { run: () => Promise.resolve(), stop: () => Promise.resolve() };
    const handler = onEvent(BAN, () => undefined);
    const faults = [
      [],
      [handler, handler],
      [onEvent(BAN, () => undefined, { then: 'dead-letter' })],
      [onEvent(BAN, () => undefined, { concurrency: 0 })],
    ].map((handlers) => {
      try {
        createConsumer({ source, handlers });
        return undefined;
      } catch (cause) {
        return (cause as { code: string }).code;
      }
    });
    expect(faults).toEqual(['no_handler', 'two_handlers', 'no_dead_letters', 'no_handler']);
  });
});
