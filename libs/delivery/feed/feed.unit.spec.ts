import { Fault, isFault } from '#faults';
import { Reading, type TailLimits } from '#reading';
import { readUnitSeed, UnitTree } from '#units';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { catalogueOfFiles, recordOf } from '../../../test/kit/projection/events.js';
import { LogInMemory } from '../../../test/kit/log-in-memory.js';
import { Feed } from './feed.js';
import { NotingFollower, PlainMatches, type Wish } from './feed.fixture.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
const OTHER = 'imigrasi.paspor.permohonan-diajukan';
const STREAM = 'imigrasi.paspor';
const TOPIC_ID = '0123abcd';
const PARTITIONS = 3;
const stream = { name: STREAM, partitions: PARTITIONS };
const catalogue = catalogueOfFiles(PARTITIONS);

const units = new UnitTree(() => '2021-07-15');
beforeAll(() => {
  const seed = new URL('../../../schemas/units.json', import.meta.url);
  for (const u of readUnitSeed(readFileSync(seed, 'utf8')).units) units.put(u.id, [u]);
});

/** A log that counts its reads by the offset that was asked for, and can fail. */
class CountedLog extends LogInMemory {
  reads = 0;
  fault: Fault | undefined;
  override async read(...args: Parameters<LogInMemory['read']>): ReturnType<LogInMemory['read']> {
    this.reads++;
    await new Promise(setImmediate);
    if (this.fault !== undefined) throw this.fault;
    return super.read(...args);
  }
}

/** Settled ends as a spec sets them. */
class Ends {
  ends: bigint[] | undefined;
  readonly originals = new Map<string, bigint>();
  #moved: (() => void)[] = [];
  end(_stream: string, partition: number): bigint {
    return this.ends?.[partition] ?? 1_000_000n;
  }
  async waitFor(stream: string, partition: number, target: bigint, maxMs: number): Promise<bigint> {
    const over = Date.now() + maxMs;
    while (this.end(stream, partition) < target && Date.now() < over)
      await new Promise<void>((resolve) => {
        this.#moved.push(resolve);
        setTimeout(resolve, 20).unref();
      });
    return this.end(stream, partition);
  }
  originalOf(_stream: string, partition: number, offset: bigint): bigint | undefined {
    return this.originals.get(`${partition}/${offset}`);
  }
  move(change: (ends: bigint[]) => void): void {
    this.ends ??= Array.from({ length: PARTITIONS }, () => 0n);
    change(this.ends);
    for (const moved of this.#moved.splice(0)) moved();
  }
}

let log: CountedLog;
let ends: Ends;
let reading: Reading | undefined;
let feed: Feed<Wish> | undefined;
let faults: string[];
afterEach(() => {
  feed?.close();
  reading?.close();
});

function open(tails: Partial<TailLimits> = {}, catchUpReaders?: number): Feed<Wish> {
  log = new CountedLog(PARTITIONS);
  ends = new Ends();
  faults = [];
  reading = new Reading({ log, settled: ends, catalogue, units, now: () => performance.now(), tails });
  feed = new Feed<Wish>({
    reading,
    makeMatches: () => new PlainMatches(units),
    interrupted: (name, cause) => faults.push(`${name} ${isFault(cause) ? cause.code : String(cause)}`),
    ...(catchUpReaders === undefined ? {} : { catchUpReaders }),
  });
  return feed;
}

let serial = 0;
function append(type = TYPE, n = 1): { readonly partition: number; readonly offset: bigint } {
  let last = { partition: 0, offset: 0n };
  for (let i = 0; i < n; i++) {
    const number = ++serial;
    const data = { unitPenerbit: 'SU00123', nomorPermohonan: `S-${number % 50}` };
    const { record, partition } = recordOf(catalogue, {
      type,
      source: 'urn:simpul:unit:SU00123:simkim',
      id: `P-${number}`,
      ...(type === TYPE ? { data } : { seed: number }),
    });
    last = { partition, offset: log.append(partition, record, number) };
  }
  return last;
}

const wish = (id: string, wanted: readonly string[] = [TYPE], picks: Wish['picks'] = () => true): Wish => ({
  id,
  wants: (type) => wanted.includes(type),
  picks,
});
const follower = (id: string, room?: number, wanted?: readonly string[]): NotingFollower =>
  new NotingFollower(wish(id, wanted), room);
const START = { topicId: TOPIC_ID, next: [0n, 0n, 0n] };

async function until(condition: () => boolean, maxMs = 8_000): Promise<void> {
  const over = performance.now() + maxMs;
  while (!condition()) {
    if (performance.now() > over) throw new Error('it does not come true');
    await new Promise(setImmediate);
  }
}
const isLive = (...followers: readonly NotingFollower[]): boolean =>
  followers.every(({ attachment }) => attachment!.mode === 'live');
const total = (): number => log.partitions.reduce((sum, records) => sum + records.length, 0);
const logEnds = (): bigint[] => log.partitions.map((records) => BigInt(records.length));

describe('a follower', () => {
  it('gets the events that lie in the log, in order, and those that come', async () => {
    open();
    append(TYPE, 50);
    const a = follower('a').attach(feed!, stream, START);
    await until(() => a.count === 50);
    await until(() => isLive(a));
    append(TYPE, 10);
    await until(() => a.count === 60);
    expect(a.given).toEqual(logEnds().map((end) => Array.from({ length: Number(end) }, (_, i) => BigInt(i))));
    await until(() => a.attachment!.lag.events === 0n || ends.ends === undefined);
    expect(a.attachment!.scanned).toEqual(logEnds());
  });

  it('that is full waits, and goes on where it stood, while others go on', async () => {
    open();
    const [slow, fast] = [follower('slow', 2), follower('fast')];
    for (const one of [slow, fast]) one.attach(feed!, stream, START);
    await until(() => isLive(slow, fast));
    append(TYPE, 30);
    await until(() => fast.count === 30);
    expect([slow.count, slow.attachment!.mode]).toEqual([2, 'live']);
    expect(slow.attachment!.scanned).not.toEqual(logEnds());
    slow.free(1_000);
    await until(() => slow.count === 30);
    expect(slow.given).toEqual(fast.given);
  });

  it('that was full for longer than the end of the stream is kept catches up from the log', async () => {
    open({ ringBytes: 20_000 });
    const [slow, fast] = [follower('slow', 1), follower('fast')];
    for (const one of [slow, fast]) one.attach(feed!, stream, START);
    await until(() => isLive(slow, fast));
    append(TYPE, 100);
    await until(() => fast.count === 100);
    append(TYPE, 100);
    await until(() => fast.count === 200 && slow.attachment!.mode === 'catch-up');
    slow.free(1_000);
    await until(() => slow.count === 200 && isLive(slow));
    expect(slow.given).toEqual(fast.given);
  });

  it('is not offered copies, and nothing above the settled end', async () => {
    open();
    ends.move(() => undefined);
    const a = follower('a').attach(feed!, stream, START);
    const b = append();
    const copy = append();
    ends.originals.set(`${copy.partition}/${copy.offset}`, 0n);
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    expect(a.count).toBe(0);
    ends.move((all) => all.splice(0, PARTITIONS, ...logEnds()));
    append(TYPE, 1);
    await until(() => a.count === 1);
    expect(a.given[b.partition]).toEqual([b.offset]);
    expect(a.attachment!.lag.events).toBe(0n);
  });
});

describe('a record that cannot be read', () => {
  const damage = (place: { readonly partition: number; readonly offset: bigint }): string => {
    const records = log.partitions[place.partition]!;
    const at = Number(place.offset);
    records[at] = { ...records[at]!, key: null, value: null, headers: [], damaged: true };
    return `${STREAM}/${place.partition}/${place.offset}`;
  };

  it('is told once to each follower, while it catches up or at the end, and what lies behind it is offered', async () => {
    open();
    append(TYPE, 5);
    const first = damage(append());
    append(TYPE, 5);
    const followers = ['a', 'b', 'c'].map((id) => follower(id).attach(feed!, stream, START));
    await until(() => followers.every(({ count }) => count === 10) && isLive(...followers));
    append(TYPE, 3);
    const place = append();
    const second = damage(place);
    append(TYPE, 3);
    await until(() => followers.every(({ count }) => count === 16) && isLive(...followers));
    for (const { damages } of followers) expect(damages).toEqual([first, second]);
  });
});

describe('never jumps', () => {
  it('a place below the earliest kept offset is interrupted, and only that follower', async () => {
    open();
    append(TYPE, 60);
    log.low.fill(5n);
    const late = follower('late').attach(feed!, stream, START);
    const near = follower('near').attach(feed!, stream, { topicId: TOPIC_ID, next: [5n, 5n, 5n] });
    await until(() => late.faults.length > 0 && near.count === 45);
    expect(late.faults.map(({ code }) => code)).toEqual(['offset_out_of_range']);
    expect([late.count, near.faults]).toEqual([0, []]);
    late.attach(feed!, stream, { topicId: TOPIC_ID, next: log.low });
    await until(() => late.count === 45);
  });

  it('a topic that was made again interrupts its followers, at the end and behind it', async () => {
    open();
    const a = follower('a').attach(feed!, stream, START);
    await until(() => isLive(a));
    log.id = 'fedc'.repeat(8);
    const b = follower('b').attach(feed!, stream, { topicId: TOPIC_ID, next: [9n, 9n, 9n] });
    append();
    await until(() => a.faults.length > 0 && b.faults.length > 0);
    expect([a, b].map(({ faults }) => faults.map(({ code }) => code))).toEqual([
      ['stream_recreated'],
      ['stream_recreated'],
    ]);
    const again = { topicId: log.id.slice(0, 8), next: [0n, 0n, 0n] };
    for (const one of [a, b]) one.attach(feed!, stream, again);
    await until(() => a.count === 1 && b.count === 1);
  });

  it('a place above the log end is interrupted', async () => {
    open();
    append(TYPE, 5);
    const a = follower('a').attach(feed!, stream, { topicId: TOPIC_ID, next: [0n, 99n, 0n] });
    await until(() => a.faults.length > 0);
    expect(a.faults[0]!.code).toBe('unknown_cursor');
  });

  it('a log that does not answer is asked again', async () => {
    open();
    append(TYPE, 5);
    log.fault = new Fault('log_unavailable');
    const a = follower('a').attach(feed!, stream, START);
    await until(() => faults.length > 0);
    log.fault = undefined;
    await until(() => a.count === 5 && isLive(a));
    log.fault = new Fault('log_unavailable');
    append(TYPE, 5);
    await until(() => faults.length > 1);
    log.fault = undefined;
    await until(() => a.count === 10);
    expect([a.faults, new Set(faults)]).toEqual([[], new Set([`${STREAM} log_unavailable`])]);
  });
});

describe('a follower that fails', () => {
  it('stands still before the event, and others go on', async () => {
    open();
    const [bad, good] = [follower('bad'), follower('good')];
    bad.onOffer = () => {
      throw new Error('broken');
    };
    for (const one of [bad, good]) one.attach(feed!, stream, START);
    await until(() => isLive(bad, good));
    append(TYPE, 3);
    await until(() => good.count === 3);
    expect([bad.count, bad.faults.map(({ code }) => code)]).toEqual([1, ['internal']]);
    expect(bad.attachment!.detach().next).toEqual([0n, 0n, 0n]);
  });
});

describe('the log is read once', () => {
  it('at the end of the stream, for any number of followers', async () => {
    const readsWith = async (n: number): Promise<number> => {
      open();
      const all = Array.from({ length: n }, (_, i) => follower(`f${i}`).attach(feed!, stream, START));
      await until(() => isLive(...all));
      const before = log.reads;
      for (let i = 0; i < 10; i++) {
        append();
        await until(() => all.every(({ count }) => count === i + 1));
      }
      feed!.close();
      reading!.close();
      return log.reads - before;
    };
    expect(await readsWith(300)).toBe(await readsWith(1));
  });

  it('for followers that catch up from the same place', async () => {
    const readsWith = async (n: number): Promise<number> => {
      open();
      append(TYPE, 3_000);
      const all = Array.from({ length: n }, (_, i) => follower(`f${i}`).attach(feed!, stream, START));
      await until(() => all.every(({ count }) => count === 3_000));
      const { reads } = log;
      feed!.close();
      reading!.close();
      return reads;
    };
    expect(await readsWith(40)).toBeLessThanOrEqual((await readsWith(1)) + PARTITIONS);
  });

  it('by few catch-up readers at a time, when the places differ', async () => {
    open({}, 2);
    append(TYPE, 20);
    let [now, most] = [0, 0];
    const paged = reading!.readLogged.bind(reading);
    reading!.readLogged = async (...args) => {
      most = Math.max(most, ++now);
      try {
        return await paged(...args);
      } finally {
        now--;
      }
    };
    const far = (i: number) => ({ topicId: TOPIC_ID, next: [BigInt(i) * 6_000n, 0n, 0n] });
    const all = Array.from({ length: 12 }, (_, i) => follower(`f${i}`).attach(feed!, stream, far(i)));
    await until(() => all.slice(1).every(({ faults }) => faults.length === 1));
    expect([most, all[0]!.count]).toEqual([2, 20]);
  });
});

describe('whatever they do', () => {
  it.each([1, 2, 3, 4, 5, 6])('each gets exactly its events, in order, once (seed %i)', async (seed) => {
    const random = (
      (state) =>
      (max: number): number => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        return Math.floor((state / 2 ** 32) * max);
      }
    )(seed * 7_919);
    open({ ringBytes: 15_000 + random(200_000) }, 1 + random(4));
    ends.move(() => undefined);
    const picks = (n: number) => (e: { readonly offset: bigint }) => Number(e.offset) % n === 0;
    const all = Array.from({ length: 12 }, (_, i) => {
      const wanted = [[TYPE], [OTHER], [TYPE, OTHER]][i % 3]!;
      return new NotingFollower(wish(`f${i}`, wanted, picks(1 + (i % 4))), 1 + random(40), `u${i % 5}`);
    });
    const typeAt = new Map<string, string>();
    const check = (one: NotingFollower, to: readonly bigint[]): void => {
      const due = log.partitions.map((records, p) =>
        records
          .filter(({ offset }) => offset >= one.from.next[p]! && offset < to[p]!)
          .filter(({ offset }) => !ends.originals.has(`${p}/${offset}`))
          .filter(({ offset }) => one.subscription.wants(typeAt.get(`${p}/${offset}`)!))
          .filter((record) => one.subscription.picks(record as never))
          .map(({ offset }) => offset),
      );
      expect(one.given).toEqual(due);
    };
    for (const one of all) one.attach(feed!, stream, START);
    for (let step = 0; step < 400; step++) {
      const one = all[random(all.length)]!;
      switch (random(8)) {
        case 0:
        case 1:
        case 2:
          for (let n = random(25); n > 0; n--) {
            const type = random(3) === 0 ? OTHER : TYPE;
            const { partition, offset } = append(type);
            typeAt.set(`${partition}/${offset}`, type);
            if (random(10) === 0 && offset > 0n) ends.originals.set(`${partition}/${offset}`, 0n);
          }
          break;
        case 3:
          ends.move((now) => {
            for (const [p, end] of logEnds().entries()) now[p] = now[p]! + BigInt(random(Number(end - now[p]!) + 1));
          });
          break;
        case 4:
        case 5:
          one.free(random(60));
          break;
        case 6: {
          const place = one.attachment!.detach();
          check(one, place.next);
          const back = random(3) === 0 ? BigInt(random(80)) : 0n;
          one.attach(feed!, stream, { ...place, next: place.next.map((n) => (n > back ? n - back : 0n)) });
          break;
        }
        default:
          for (let n = random(6); n > 0; n--) await new Promise(setImmediate);
      }
    }
    ends.move((now) => now.splice(0, PARTITIONS, ...logEnds()));
    for (const one of all) one.free(1_000_000);
    await until(() => all.every(({ attachment }) => attachment!.scanned.every((n, p) => n === logEnds()[p])), 20_000);
    for (const one of all) {
      check(one, logEnds());
      expect([one.damages, one.faults, one.attachment!.lag.events]).toEqual([[], [], 0n]);
    }
    expect(total()).toBeGreaterThan(500);
  });
});
