import { describe, expect, it } from '@jest/globals';
import { isFault } from '#faults';
import { DEFAULT_LIMITS, LIMIT_NAMES, LIMITS, Limits, settingOf, Shares, Turns, type LimitOwner } from './index.js';

const owner = (key: string, unit = `unit of ${key}`): LimitOwner => ({ key, unit, address: '10.0.0.1' });

describe('the table of limits', () => {
  it('says of every number whom it bounds, what happens beyond it, and why', () => {
    for (const name of LIMIT_NAMES) {
      expect(LIMITS[name].default).toBeGreaterThan(0);
      expect(LIMITS[name].why).toMatch(/.{20}/);
      expect(settingOf(name)).toMatch(/^SIMPUL_LIMIT_[A-Z_]+$/);
    }
  });

  it('leaves room for others: the limit of a key is below that of its unit, and that below the limit of all', () => {
    const values: Readonly<Record<string, number>> = DEFAULT_LIMITS;
    for (const name of LIMIT_NAMES.filter((n) => n.endsWith('_per_key'))) {
      const all = name.replace('_per_key', '');
      expect(values[name]).toBeLessThan(values[`${all}_per_unit`]!);
      expect(values[`${all}_per_unit`]!).toBeLessThan(values[all] ?? Number.POSITIVE_INFINITY);
    }
  });
});

describe('Shares', () => {
  const shares = (small = 0) =>
    new Shares({
      all: { name: 'pending_events', max: 100 },
      key: { name: 'pending_events_per_key', max: 40 },
      unit: { name: 'pending_events_per_unit', max: 60 },
      small,
    });

  it('refuses one key beyond its part with the name of the limit, while others go on', () => {
    const all = shares();
    expect(all.take(owner('a'), 40)).toBeUndefined();
    expect(all.take(owner('a'), 1)).toMatchObject({ limit: 'pending_events_per_key' });
    expect(all.take(owner('b'), 40)).toBeUndefined();
  });

  it('refuses the keys of one unit together beyond the part of the unit', () => {
    const all = shares();
    all.take(owner('a', 'u'), 40);
    expect(all.take(owner('b', 'u'), 40)).toMatchObject({ limit: 'pending_events_per_unit' });
    expect(all.take(owner('b', 'u'), 20)).toBeUndefined();
  });

  it('lets an owner in that holds little when others hold everything, up to a quarter more', () => {
    const all = shares(10);
    for (const key of ['a', 'b']) all.take(owner(key), 40);
    all.take(owner('c'), 20);
    expect(all.take(owner('d'), 30)).toMatchObject({ limit: 'pending_events' });
    expect(all.take(owner('d'), 10)).toBeUndefined();
    expect(all.take(owner('d'), 1)).toMatchObject({ limit: 'pending_events' });
    all.take(owner('e'), 10);
    expect(all.take(owner('f'), 6)).toMatchObject({ limit: 'pending_events' });
  });

  it('counts what is given back, and remembers no owner that holds nothing', () => {
    const all = shares();
    all.take(owner('a'), 40);
    all.give(owner('a'), 40);
    expect([all.held, all.heldBy('key', 'a'), all.greatest('key')]).toEqual([0, 0, undefined]);
    expect(all.take(owner('a'), 40)).toBeUndefined();
  });
});

describe('Turns', () => {
  /** Runs turns by hand, on a clock that only work moves. */
  function loop(values = {}) {
    let at = 0;
    const soon: (() => void)[] = [];
    const turns = new Turns({
      limits: { ...DEFAULT_LIMITS, ...values },
      now: () => at,
      cpuMs: () => at,
      soon: (first, second) => soon.push(first, second),
    });
    const settle = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) await Promise.resolve();
    };
    const round = async (): Promise<boolean> => {
      await settle();
      const [first, second] = soon.splice(0, 2);
      first?.();
      await settle();
      second?.();
      return first !== undefined;
    };
    /** Rounds of the loop up to and with the next turn. */
    const turn = async (): Promise<boolean> => {
      for (let rounds = 0; rounds < 3; rounds++) if (!(await round())) return false;
      return true;
    };
    return { turns, turn, round, work: (ms: number) => void (at += ms) };
  }

  const started = (turns: Turns, key: string, slices: number, each: () => void, unit?: string) =>
    turns.run(owner(key, unit), async (turn) => {
      for (let i = 0; i < slices; i++) {
        each();
        await turn.next();
      }
    });

  it('gives the keys their turns in equal parts, however many requests one of them has sent', async () => {
    const { turns, turn, work } = loop();
    const order: string[] = [];
    const slice = (key: string) => () => (order.push(key), work(3));
    for (let i = 0; i < 16; i++) void started(turns, 'many', 10, slice('many'));
    void started(turns, 'one', 5, slice('one'));
    while (order.filter((k) => k === 'one').length < 5 && (await turn()));
    const before = order.slice(0, order.lastIndexOf('one'));
    expect(before.filter((k) => k === 'many').length).toBeLessThanOrEqual(6);
  });

  it('gives the units their turns in equal parts, however many keys one of them has, and in a unit its keys', async () => {
    const { turns, turn, work } = loop();
    const order: string[] = [];
    const slice = (key: string) => () => (order.push(key), work(3));
    for (let i = 0; i < 20; i++) void started(turns, `many.${i}`, 20, slice(`many.${i}`), 'many');
    for (const key of ['many.0', 'many.0', 'many.0']) void started(turns, key, 20, slice(key), 'many');
    void started(turns, 'one', 10, slice('one'), 'one');
    for (let i = 0; i < 100; i++) await turn();
    const before = order.slice(0, order.lastIndexOf('one'));
    expect(order.filter((k) => k === 'one')).toHaveLength(10);
    expect(before.filter((k) => k !== 'one').length).toBeLessThanOrEqual(11);
    const each = Map.groupBy(
      order.filter((k) => k !== 'one'),
      (k) => k,
    );
    expect(each.size).toBe(20);
    for (const of of each.values()) expect(of.length).toBeLessThanOrEqual(6);
  });

  it('counts CPU time and not turns: a key with short turns is served more often', async () => {
    const { turns, turn, work } = loop();
    const order: string[] = [];
    void started(turns, 'long', 50, () => (order.push('long'), work(9)));
    void started(turns, 'short', 50, () => (order.push('short'), work(3)));
    for (let i = 0; i < 40; i++) await turn();
    expect(order.filter((k) => k === 'short').length).toBeGreaterThan(2 * order.filter((k) => k === 'long').length);
  });

  it('says that a turn is over after its time, and while the work has not asked for one since it awaited something else', async () => {
    const { turns, turn, work } = loop();
    const seen: boolean[] = [];
    void turns.run(owner('a'), async (t) => {
      seen.push(t.isOver);
      work(2);
      seen.push(t.isOver);
      work(1);
      seen.push(t.isOver);
      await new Promise(setImmediate);
      seen.push(t.isOver);
    });
    await turn();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(seen).toEqual([false, false, true, true]);
  });

  it('works on four requests of a key at once; the others wait, in order, and beyond the limit they are refused by name', async () => {
    const { turns, turn } = loop({ list_requests_per_key: 6 });
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    const all = Array.from({ length: 7 }, (_, i) =>
      turns.run(owner('a'), () => (begun.push(i), new Promise<void>((resolve) => ends.push(resolve)))),
    );
    await expect(all[6]).resolves.toMatchObject({ reached: { limit: 'list_requests_per_key' } });
    while (await turn());
    expect(begun).toEqual([0, 1, 2, 3]);
    ends[0]!();
    while (await turn());
    expect(begun).toEqual([0, 1, 2, 3, 4]);
    ends[1]!();
    while (await turn());
    for (const end of ends) end();
    while (await turn());
    for (const end of ends) end();
    await Promise.all(all);
    expect([begun, turns.requests.held]).toEqual([[0, 1, 2, 3, 4, 5], 0]);
  });

  it('refuses a key by the name of its rate once it would wait for more than 5 s, and others not', async () => {
    const { turns, turn } = loop({ records_scanned_per_key: 1_000 });
    const done = turns.run(owner('a'), (t) => (t.scanned('records', 30_000), Promise.resolve()));
    await turn();
    await done;
    expect(await turns.run(owner('a'), () => Promise.resolve())).toMatchObject({
      reached: { limit: 'records_scanned_per_key', retryAfterMs: 7_500 },
    });
    const other = turns.run(owner('b'), () => Promise.resolve('served'));
    await turn();
    expect(await other).toEqual({ done: 'served' });
  });

  it('puts a turn off while connections are accepted, but not for ever', async () => {
    const { turns, round, work } = loop();
    let begun = 0;
    void turns.run(owner('a'), () => Promise.resolve(begun++));
    for (let i = 0; i < 10; i++) {
      turns.defer();
      await round();
    }
    const before = begun;
    work(101);
    turns.defer();
    await round();
    expect([before, begun]).toEqual([0, 1]);
  });

  it('puts turns that are short together off once while connections are accepted', async () => {
    const { turns, round, work } = loop();
    let had = 0;
    void started(turns, 'a', 40, () => {
      had++;
      work(0.08);
    });
    let rounds = 0;
    for (; had < 40; rounds++) {
      turns.defer();
      work(5);
      await round();
    }
    // A turn is put off for 20 of these rounds; each of them was.
    expect(rounds).toBeLessThan(250);
  });

  it('work of an asker that has gone gets no further turn, and what has not begun is forgotten at once', async () => {
    const { turns, turn, work } = loop();
    const left = new AbortController();
    const begun: number[] = [];
    let slices = 0;
    const one = (n: number) =>
      turns.run(
        owner('a'),
        async (t) => {
          begun.push(n);
          for (;;) {
            slices++;
            work(3);
            await t.next();
          }
        },
        'live',
        left.signal,
      );
    const all = Array.from({ length: 200 }, (_, n) => one(n).catch((e: unknown) => e));
    for (let n = 0; n < 6; n++) await turn();
    left.abort(new Error('gone'));
    const before = slices;
    // The four that were worked on end with the turns that they wait for already.
    for (let n = 0; n < 4; n++) await turn();
    expect(new Set((await Promise.all(all)).map(String))).toEqual(new Set(['Error: gone']));
    expect([begun, slices - before]).toEqual([[0, 1, 2, 3], 0]);
    expect(await turn()).toBe(false);
    const next = turns.run(owner('a'), () => Promise.resolve('served'));
    await turn();
    expect(await next).toEqual({ done: 'served' });
  });

  it('a work that has used up its turn is answered in another one, and one that has not at once', async () => {
    const { turns, turn, work } = loop();
    const order: string[] = [];
    const one = (name: string, ms: number) =>
      turns
        .run(owner('a'), async () => work(ms))
        .then(() => {
          order.push(name);
          // What is made of the result counts for the key as well.
          work(2);
        });
    const all = [one('long', 5), one('short', 1), one('other', 1)];
    const seen: string[] = [];
    while (await turn()) seen.push(order.join());
    await Promise.all(all);
    expect(seen).toEqual(['', 'short', 'short,other', 'short,other,long']);
  });

  it('work that begins while an asker of the same key leaves gets its turn', async () => {
    const { turns, turn } = loop();
    const left = new AbortController();
    const end = Promise.withResolvers<void>();
    const worked = Array.from({ length: 4 }, () =>
      turns.run(owner('a'), async () => {
        await end.promise;
        queueMicrotask(() => left.abort(new Error('gone')));
      }),
    );
    const waits = turns.run(owner('a'), () => Promise.resolve(), 'list', left.signal).catch(String);
    for (let n = 0; n < 4; n++) await turn();
    // The next work of the last request that was worked on begins in the microtasks in which the one that waited ends.
    const next = Promise.all(worked).then(() => turns.run(owner('a'), () => Promise.resolve('served')));
    const nexts = worked.map((one) => one.then(() => turns.run(owner('a'), () => Promise.resolve('served'))));
    end.resolve();
    expect(await waits).toBe('Error: gone');
    while (await turn());
    expect(await Promise.all([...nexts, next])).toEqual(Array(5).fill({ done: 'served' }));
  });

  it('turns that a work still waits for when it ends belong to nobody, and disturb no other', async () => {
    const { turns, turn } = loop();
    const failed = turns
      .run(owner('a'), async (t) => {
        void t.next();
        await Promise.reject(new Error('broken'));
      })
      .catch(String);
    await turn();
    expect(await failed).toBe('Error: broken');
    const other = turns.run(owner('b'), () => Promise.resolve('served'));
    while (await turn());
    expect(await other).toEqual({ done: 'served' });
  });

  it('a turn that is asked for when its work has ended is given, and disturbs no other', async () => {
    const { turns, turn } = loop();
    const later = Promise.withResolvers<void>();
    let given = 0;
    const failed = turns
      .run(owner('a'), async (t) => {
        void later.promise.then(() => t.next()).then(() => given++);
        await Promise.reject(new Error('broken'));
      })
      .catch(String);
    while (await turn());
    expect(await failed).toBe('Error: broken');
    later.resolve();
    await later.promise;
    const other = turns.run(owner('b'), () => Promise.resolve('served'));
    while (await turn());
    expect([given, await other]).toEqual([1, { done: 'served' }]);
  });

  it('waits for short requests before a turn, as long as two turns at most', async () => {
    const { turns, turn, round, work } = loop();
    const order: string[] = [];
    const long = turns.run(owner('a'), async (t) => {
      for (let n = 0; n < 3; n++) {
        order.push('turn');
        work(3);
        await t.next();
      }
    });
    turns.beginShort();
    for (let n = 0; n < 5; n++) await round();
    expect(order).toEqual([]);
    order.push('answer');
    turns.endShort();
    while (order.length < 2) await round();
    expect(order).toEqual(['answer', 'turn']);
    // One that is never answered.
    turns.beginShort();
    while (order.length < 4) {
      await round();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.race([long, turn()]);
    expect(order).toEqual(['answer', 'turn', 'turn', 'turn']);
  });

  it('turns that are short together wait once for short requests, like one turn of their length', async () => {
    const { turns, round, work } = loop();
    let had = 0;
    const rounds: number[] = [];
    void started(turns, 'a', 40, () => {
      had++;
      work(0.08);
    });
    turns.beginShort();
    for (let n = 1; had < 40; n++) {
      const before = had;
      await round();
      if (had > before) rounds.push(n);
      else await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const gaps = rounds.slice(1).map((n, i) => n - rounds[i]!);
    // Between two turns others have two rounds of the event loop; a wait for short requests takes more.
    expect(gaps.filter((gap) => gap > 3).length).toBeLessThanOrEqual(4);
    expect(gaps.length).toBe(39);
  });

  it('gives the place back when the work fails', async () => {
    const { turns, turn } = loop();
    const failed = turns.run(owner('a'), () => Promise.reject(new Error('work')));
    failed.catch(() => undefined);
    await turn();
    await expect(failed).rejects.toThrow('work');
    expect(turns.requests.held).toBe(0);
  });
});

describe('Limits', () => {
  it('names the limit in the fault, with the time after which to ask again, and counts it', () => {
    const counted: string[] = [];
    const limits = new Limits({ values: { live_streams_per_key: 1 }, refused: (name) => counted.push(name) });
    limits.check(limits.live.take(owner('a')));
    let thrown: unknown;
    try {
      limits.check(limits.live.take(owner('a')));
    } catch (e) {
      thrown = e;
    }
    expect(isFault(thrown) && thrown).toMatchObject({
      code: 'too_many_requests',
      limit: 'live_streams_per_key',
      retryAfterMs: 5_000,
      detail: 'the limit live_streams_per_key of this key is reached: 1 streams',
    });
    expect(counted).toEqual(['live_streams_per_key']);
  });

  it('bounds a rate for each key and for all keys of a unit together, and names the limit', () => {
    let at = 0;
    const limits = new Limits({ now: () => at, values: { lookups_per_key: 1, lookups_per_unit: 2 } });
    const asked = (key: string): string | undefined => {
      const reached = limits.lookups.reachedBy(owner(key, 'u'));
      if (reached === undefined) limits.lookups.charge(owner(key, 'u'));
      return reached?.limit;
    };
    for (let n = 0; n < 100; n++) expect(asked('a')).toBeUndefined();
    expect(asked('a')).toBe('lookups_per_key');
    for (let n = 0; n < 100; n++) expect(asked('b')).toBeUndefined();
    expect(asked('c')).toBe('lookups_per_unit');
    expect(limits.lookups.reachedBy(owner('d', 'other'))).toBeUndefined();
    at += 500;
    expect([asked('c'), asked('c')]).toEqual([undefined, 'lookups_per_unit']);
  });

  it('shows the use of every number that something is counted against', () => {
    const limits = new Limits();
    limits.live.take(owner('a'));
    limits.live.take(owner('b'));
    const used = limits.use();
    expect([used.get('live_streams'), used.get('live_streams_per_key')]).toEqual([2, 1]);
    const notCounted = LIMIT_NAMES.filter(
      (n) => LIMITS[n].per !== 'connection' && LIMITS[n].per !== 'event' && n !== 'turn_ms',
    );
    expect(notCounted.filter((n) => !used.has(n))).toEqual([]);
  });
});
