import type { Caller, Role } from '#access';
import { Fault } from '#faults';
import { readUnitSeed, UnitTree } from '#units';
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { catalogueOfFiles, recordOf, type EventSpec } from '../../test/kit/projection/events.js';
import { decodeStreamCursor, HUB, Reading, type EventFilter, type Reader, type TailLimits } from './index.js';
import { LogInMemory } from '../../test/kit/log-in-memory.js';
import { LoggedEvent } from './read-event.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
const STREAM = 'imigrasi.paspor';
const KANIM = 'SU00123';
const TOPIC_ID = '0123abcd';

const caller = (owner: string, ...roles: Role[]): Caller => ({
  keyId: owner,
  owner,
  system: 'simkim',
  roles: new Set(roles),
});
const SOURCE = caller(KANIM, 'reader');
const OPERATOR = caller('SU00001', 'operator');
const STRANGER = caller('SU00400', 'reader');

/** A log that counts its calls and can fail. */
class CountedLog extends LogInMemory {
  reads = 0;
  describes = 0;
  fault: Fault | undefined;

  override describe(): ReturnType<LogInMemory['describe']> {
    this.describes++;
    return super.describe();
  }

  override async read(...args: Parameters<LogInMemory['read']>): ReturnType<LogInMemory['read']> {
    this.reads++;
    if (this.fault !== undefined) throw this.fault;
    return super.read(...args);
  }
}

/** Settled ends as a spec sets them; a wait ends when one is set. */
class Ends {
  readonly ends = new Map<number, bigint>();
  readonly originals = new Map<string, bigint>();
  #moved: (() => void)[] = [];

  end(_stream: string, partition: number): bigint {
    return this.ends.get(partition) ?? 1_000_000n;
  }

  async waitFor(stream: string, partition: number, target: bigint): Promise<bigint> {
    while (this.end(stream, partition) < target) await new Promise<void>((resolve) => this.#moved.push(resolve));
    return this.end(stream, partition);
  }

  originalOf(_stream: string, partition: number, offset: bigint): bigint | undefined {
    return this.originals.get(`${partition}/${offset}`);
  }

  set(partition: number, end: bigint): void {
    this.ends.set(partition, end);
    for (const moved of this.#moved.splice(0)) moved();
  }
}

const units = new UnitTree(() => '2021-07-15');
beforeAll(() => {
  const seed = new URL('../../schemas/units.json', import.meta.url);
  for (const u of readUnitSeed(readFileSync(seed, 'utf8')).units) units.put(u.id, [u]);
});

let reading: Reading | undefined;
afterEach(() => reading?.close());

const turns = async (n = 20): Promise<void> => {
  for (let i = 0; i < n; i++) await new Promise(setImmediate);
};
async function until(met: () => boolean): Promise<void> {
  for (const end = Date.now() + 5_000; !met();) {
    if (Date.now() > end) throw new Error('the condition was not met within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

interface Message {
  readonly id: string;
  readonly next: readonly bigint[];
  readonly event: { readonly id: string; readonly data: Readonly<Record<string, unknown>> } | undefined;
}

/** A stage of one stream, and readers as a door would make them: they read pages while they are behind, and hang on the tail otherwise. */
function stage(partitions = 1, tails: Partial<TailLimits> = {}) {
  const catalogue = catalogueOfFiles(partitions);
  const stream = catalogue.stream(STREAM)!;
  const log = new CountedLog(partitions);
  const settled = new Ends();
  let behind = 0;
  const report = { behind: () => behind++ };
  const refresh = jest.fn(() => Promise.resolve());
  const made = new Reading({ log, settled, catalogue, refresh, units, now: () => performance.now(), tails, report });
  reading = made;
  const append = (spec: Partial<EventSpec> = {}, appendTimeMs = 0): { partition: number; offset: bigint } => {
    const source = `urn:simpul:unit:${KANIM}:simkim`;
    const data = { nik: '9901010101010001', unitPenerbit: KANIM, ...spec.data };
    const { record, partition } = recordOf(catalogue, { type: TYPE, source, ...spec, data });
    return { partition, offset: log.append(partition, record, appendTimeMs) };
  };
  const appendMany = (n: number, from = 0): void => {
    for (let i = from; i < from + n; i++) append({ id: `P-${i}`, data: { nomorPermohonan: `S-${i % 7}` } }, i);
  };
  return { catalogue, stream, log, settled, reading: made, append, appendMany, refresh, behind: () => behind };
}
type Stage = ReturnType<typeof stage>;

class LiveReader {
  readonly messages: Message[] = [];
  readonly interruptions: unknown[] = [];
  fault: unknown;
  pages = 0;
  /** While true, the reader takes one more write and then is full. */
  slow = false;
  #resume: (() => void) | undefined;
  #awake = (): void => undefined;
  #stop = false;
  #leave: (() => void) | undefined;

  constructor(
    private readonly on: Stage,
    private readonly reader: Reader = HUB,
    private readonly filter: EventFilter = {},
    public next: readonly bigint[] = on.stream.partitions === 1
      ? [0n]
      : Array.from({ length: on.stream.partitions }, () => 0n),
  ) {
    void this.#run().catch((fault: unknown) => (this.fault = fault));
  }

  get ids(): string[] {
    return this.messages.flatMap((m) => (m.event === undefined ? [] : [m.event.id]));
  }

  resume(): void {
    this.slow = false;
    this.#resume?.();
    this.#awake();
  }

  leave(): void {
    this.#stop = true;
    this.#leave?.();
  }

  async #run(): Promise<void> {
    const { stream, reading: from } = this.on;
    let atEnd = false;
    while (!this.#stop) {
      const place = { stream, topicId: TOPIC_ID, next: this.next };
      const member = from.hang(this.reader, place, this.filter, atEnd, {
        send: (messages) => {
          this.#take(messages.toString());
          return this.slow ? 'full' : 'sent';
        },
        interrupted: (fault) => this.interruptions.push(fault),
      });
      if (member !== undefined) {
        this.#resume = () => member.resume();
        this.#leave = () => member.leave();
        this.next = await member.left;
        atEnd = false;
        continue;
      }
      if (this.slow) await new Promise<void>((awake) => (this.#awake = awake));
      this.pages++;
      const page = await from.readEvents(this.reader, { stream, next: this.next }, this.filter, { limit: 10 });
      for (const { envelope, data } of page.events)
        this.messages.push({ id: '', next: page.next, event: { id: envelope.id, data } });
      this.next = page.next;
      atEnd = page.stopped === 'end' || page.stopped === 'unsettled';
    }
  }

  #take(text: string): void {
    for (const message of text.split('\n\n').slice(0, -1)) {
      const id = /^id: (.*)$/m.exec(message)![1]!;
      const data = /^data: (.*)$/m.exec(message)?.[1];
      const { next } = decodeStreamCursor(id, STREAM, TOPIC_ID, this.on.stream.partitions);
      this.messages.push({ id, next, event: data === undefined ? undefined : (JSON.parse(data) as Message['event']) });
    }
  }
}

const numbers = (n: number, from = 0): string[] => Array.from({ length: n }, (_, i) => `P-${from + i}`);

describe('live readers of one stream share a tail', () => {
  it('one read of the log serves all of them: its calls do not grow with the number of readers, and no event asks for the log end', async () => {
    const s = stage();
    const readers = Array.from({ length: 200 }, () => new LiveReader(s));
    await until(() => s.reading.tailUse.readers === 200);
    const [reads, describes] = [s.log.reads, s.log.describes];
    for (let i = 0; i < 20; i++) {
      s.appendMany(1, i);
      await turns();
    }
    await until(() => readers.every((r) => r.messages.length === 20));
    expect(readers.every((r) => r.ids.join() === numbers(20).join())).toBe(true);
    expect(s.log.reads - reads).toBeLessThanOrEqual(21);
    expect(s.log.describes).toBe(describes);
  });

  it.each(['can be read', 'cannot be read at first'])(
    'an event whose schema another process has registered is sent once, when the catalogue %s',
    async (when) => {
      const s = stage();
      const reader = new LiveReader(s);
      await until(() => s.reading.tailUse.readers === 1);
      const unknown = jest.spyOn(s.catalogue, 'bySchemaId').mockReturnValue(undefined);
      s.refresh.mockImplementation(() => Promise.resolve(unknown.mockRestore()));
      if (when !== 'can be read') s.refresh.mockRejectedValueOnce(new Fault('log_unavailable'));
      s.appendMany(2);
      await until(() => reader.messages.length === 2);
      s.appendMany(1, 2);
      await until(() => reader.messages.length >= 3);
      expect([reader.ids, reader.fault]).toEqual([numbers(3), undefined]);
    },
  );

  it('messages are the same bytes for all that see the same, and the id of each resumes behind it', async () => {
    const s = stage(3);
    const readers = [new LiveReader(s), new LiveReader(s)];
    await until(() => s.reading.tailUse.readers === 2);
    s.appendMany(30);
    await until(() => readers.every((r) => r.messages.length === 30));
    expect(readers[0]!.messages).toEqual(readers[1]!.messages);
    for (const [i, { next }] of readers[0]!.messages.entries()) {
      const rest = await s.reading.readEvents(HUB, { stream: s.stream, next }, {}, { limit: 100 });
      const seen = readers[0]!.ids.slice(0, i + 1);
      expect([...seen, ...rest.events.map((e) => e.envelope.id)].toSorted()).toEqual(numbers(30).toSorted());
    }
  });

  it('a reader gets nothing above the settled end, then everything in order (R2.3)', async () => {
    const s = stage();
    s.settled.set(0, 0n);
    const reader = new LiveReader(s);
    await until(() => s.reading.tailUse.readers === 1);
    s.appendMany(10);
    await turns();
    expect(reader.ids).toEqual([]);
    s.settled.set(0, 4n);
    await until(() => reader.ids.length === 4);
    s.settled.set(0, 10n);
    await until(() => reader.ids.length === 10);
    expect(reader.ids).toEqual(numbers(10));
  });

  it('a copy goes only to readers that ask for copies, with the position of its original', async () => {
    const s = stage();
    s.settled.originals.set('0/1', 0n);
    const [plain, withCopies] = [new LiveReader(s), new LiveReader(s, HUB, { copies: true })];
    await until(() => s.reading.tailUse.readers === 2);
    s.appendMany(3);
    await until(() => withCopies.ids.length === 3 && plain.ids.length === 2);
    expect(plain.ids).toEqual(['P-0', 'P-2']);
    expect(withCopies.messages[1]!.event).toMatchObject({ copyof: `${STREAM}/0/0` });
  });

  it('events that become settled together come by append time over the partitions, and by offset within one', async () => {
    const s = stage(3);
    const reader = new LiveReader(s);
    await until(() => s.reading.tailUse.readers === 1);
    for (let p = 0; p < 3; p++) s.settled.set(p, 0n);
    s.appendMany(40);
    await turns();
    expect(reader.ids).toEqual([]);
    for (let p = 0; p < 3; p++) s.settled.set(p, 1_000n);
    await until(() => reader.ids.length === 40);
    expect(reader.ids).toEqual(numbers(40));
  });
});

describe('what each live reader sees is decided for it alone (R12)', () => {
  it('full, masked or nothing by its key, also when the unit tree changes while it hangs on the tail', async () => {
    const s = stage();
    const [full, masked, none] = [SOURCE, OPERATOR, STRANGER].map((r) => new LiveReader(s, r)) as [
      LiveReader,
      LiveReader,
      LiveReader,
    ];
    await until(() => s.reading.tailUse.readers === 3);
    s.append({ id: 'A', data: { nomorPermohonan: 'S' } });
    await until(() => full.ids.length === 1 && masked.ids.length === 1);
    expect(full.messages[0]!.event).toMatchObject({ data: { nik: '9901010101010001' }, digest: expect.any(String) });
    expect(masked.messages[0]!.event!.data['nik']).toBe('••••0001');
    expect(masked.messages[0]!.event).not.toHaveProperty('digest');
    const moved = units.get(KANIM)!;
    try {
      units.put(KANIM, [{ ...moved, parent: 'SU00400' }]);
      s.append({ id: 'B', data: { nomorPermohonan: 'S' } });
      await until(() => none.ids.length === 1);
    } finally {
      units.put(KANIM, [moved]);
    }
    s.append({ id: 'C', data: { nomorPermohonan: 'S' } });
    await until(() => full.ids.length === 3);
    expect(none.ids).toEqual(['B']);
  });

  it('filters by type, subject and unit hold, and the cursor of a subject leaves the other partitions where they were', async () => {
    const s = stage(3);
    const { partition } = s.append({ id: 'first', data: { nomorPermohonan: 'S-1' } });
    const reader = new LiveReader(s, HUB, { subject: 'S-1' });
    const nothing = [
      new LiveReader(s, HUB, { types: new Set(['imigrasi.paspor.permohonan-diajukan']) }),
      new LiveReader(s, HUB, { unit: 'SU00001' }),
    ];
    const unit = new LiveReader(s, HUB, { unit: KANIM, types: new Set([TYPE]) });
    await until(() => s.reading.tailUse.readers === 4);
    s.appendMany(21);
    await until(() => unit.ids.length === 22 && reader.ids.length === 4);
    expect(reader.ids).toEqual(['first', 'P-1', 'P-8', 'P-15']);
    expect(nothing.map((r) => r.ids)).toEqual([[], []]);
    const { next } = reader.messages.at(-1)!;
    expect(next.every((n, p) => (p === partition ? n > 0n : n === 0n))).toBe(true);
  });

  it('what an event shows of units is worked out once for each level, however many filters ask', () => {
    const { catalogue } = stage();
    const { record } = recordOf(catalogue, {
      type: TYPE,
      source: `urn:simpul:unit:${KANIM}:simkim`,
      data: { unitPenerbit: KANIM },
    });
    const type = catalogue.newest(TYPE)!;
    const unitFields = jest.spyOn(Object.getPrototypeOf(type) as typeof type, 'unitFields', 'get');
    const logged = { ...record, offset: 0n, appendTimeMs: 0, leaderEpoch: 0 };
    const event = LoggedEvent.open(logged, { stream: STREAM, partition: 0, original: undefined }, catalogue);
    if (!(event instanceof LoggedEvent)) throw new Error('no event');
    event.levels(units);
    const before = unitFields.mock.calls.length;
    for (const level of ['masked', 'full'] as const)
      for (let i = 0; i < 100; i++) {
        expect(event.showsUnit({ unit: `SU${String(90_000 + i)}` }, level)).toBe(false);
        expect(event.showsUnit({ unit: KANIM }, level)).toBe(true);
      }
    const asked = unitFields.mock.calls.length - before;
    unitFields.mockRestore();
    expect(asked).toBeLessThan(30);
  });

  it('others are served between its turns: what many readers see of a large event does not hold the process', async () => {
    const s = stage();
    const seenIn: number[] = [];
    let turn = 0;
    let over = false;
    const tick = (): void => {
      turn++;
      if (!over) setImmediate(tick);
    };
    const place = { stream: s.stream, topicId: TOPIC_ID, next: [0n] };
    const members = Array.from({ length: 20 }, () =>
      s.reading.hang(HUB, place, {}, true, {
        send: () => {
          seenIn.push(turn);
          for (const from = performance.now(); performance.now() - from < 4;);
          return 'sent';
        },
        interrupted: () => undefined,
      }),
    );
    tick();
    s.append({ id: 'A', data: { nomorPermohonan: 'S' } });
    await until(() => seenIn.length === 20);
    over = true;
    for (const member of members) member?.leave();
    expect(new Set(seenIn).size).toBeGreaterThan(10);
  });

  it('a reader that sees nothing gets an id now and then, so that a reconnect does not scan the events again', async () => {
    const s = stage();
    const reader = new LiveReader(s, STRANGER);
    await until(() => s.reading.tailUse.readers === 1);
    for (let i = 0; i < 5; i++) {
      s.appendMany(500, i * 500);
      await turns();
    }
    await until(() => reader.messages.length > 0);
    expect(reader.messages[0]!.event).toBeUndefined();
    expect(reader.messages[0]!.next[0]).toBeGreaterThan(2_000n);
  });
});

describe('a live reader that is slow, late or early', () => {
  it('falls back to ranges when the ring has passed it, and gets each event exactly once', async () => {
    const s = stage(3, { ringBytes: 60_000 });
    const [slow, fast] = [new LiveReader(s), new LiveReader(s)];
    await until(() => s.reading.tailUse.readers === 2);
    slow.slow = true;
    let sent = 0;
    for (let round = 0; round < 6; round++) {
      s.appendMany(1, sent++);
      await until(() => slow.ids.length === sent);
      s.appendMany(40, sent);
      sent += 40;
      await until(() => fast.ids.length === sent);
      expect(slow.ids.length).toBeLessThan(sent);
      slow.resume();
      await until(() => slow.ids.length === sent);
      slow.slow = true;
    }
    expect(s.behind()).toBeGreaterThan(0);
    // The first page, and at least one behind the ring.
    expect(slow.pages).toBeGreaterThan(1);
    expect(slow.ids.toSorted()).toEqual(numbers(sent).toSorted());
    for (let subject = 0; subject < 7; subject++) {
      const of = (ids: string[]): string[] => ids.filter((id) => Number(id.slice(2)) % 7 === subject);
      expect(of(slow.ids)).toEqual(of(numbers(sent)));
    }
  });

  it('comes at any place, inside the ring or ahead of it, and gets each event behind its cursor exactly once', async () => {
    const s = stage(3);
    const first = new LiveReader(s);
    await until(() => s.reading.tailUse.readers === 1);
    s.appendMany(60);
    await until(() => first.ids.length === 60);
    const ends = s.log.partitions.map((records) => BigInt(records.length));
    const places = [
      ends,
      ends.map((e) => e / 2n),
      ends.map((e, p) => (p === 1 ? e : 0n)),
      ends.map((e, p) => (p === 2 ? 3n : e)),
    ];
    const late = places.map((next) => new LiveReader(s, HUB, {}, next));
    await until(() => s.reading.tailUse.readers === 1 + places.length);
    s.appendMany(10, 60);
    await until(() => first.ids.length === 70);
    for (const [i, reader] of late.entries()) {
      const { events } = await s.reading.readEvents(HUB, { stream: s.stream, next: places[i]! }, {}, { limit: 200 });
      const expected = events.map((e) => e.envelope.id).toSorted();
      await until(() => reader.ids.length >= expected.length);
      expect(reader.ids.toSorted()).toEqual(expected);
      expect(reader.messages.at(-1)!.next).toEqual(first.messages.at(-1)!.next);
    }
    expect(late.map((r) => r.pages)).toEqual(places.map(() => 0));
  });
});

describe('a tail', () => {
  it('stops when nobody listens any more, and starts again for the next reader', async () => {
    const s = stage(1, { lingerMs: 5 });
    const reader = new LiveReader(s);
    await until(() => s.reading.tailUse.readers === 1);
    reader.leave();
    await until(() => s.reading.tailUse.tails === 0);
    const { reads } = s.log;
    s.appendMany(5);
    await turns(50);
    expect(s.log.reads).toBeLessThanOrEqual(reads);
    const next = new LiveReader(s, HUB, {}, [2n]);
    await until(() => next.ids.length === 3);
    expect(s.reading.tailUse).toMatchObject({ tails: 1, readers: 1 });
  });

  it('holds a bounded number of bytes, with what was rendered from its events', async () => {
    const s = stage(1, { ringBytes: 1_000_000, allBytes: 100_000 });
    const reader = new LiveReader(s);
    await until(() => s.reading.tailUse.readers === 1);
    for (let i = 0; i < 400; i += 20) {
      s.appendMany(20, i);
      await until(() => reader.ids.length === i + 20);
      await turns();
      expect(s.reading.tailUse.ringBytes).toBeLessThanOrEqual(100_000);
    }
    expect(s.reading.tailUse.ringBytes).toBeGreaterThan(50_000);
  });

  it('goes on by itself when the log answers again, and tells its readers that it was interrupted', async () => {
    const s = stage();
    const reader = new LiveReader(s);
    await until(() => s.reading.tailUse.readers === 1);
    s.log.fault = new Fault('log_unavailable');
    s.appendMany(1);
    await until(() => reader.interruptions.length > 0);
    expect(reader.interruptions[0]).toBe(s.log.fault);
    s.log.fault = undefined;
    s.appendMany(1, 1);
    await until(() => reader.ids.length === 2);
    expect([reader.ids, reader.pages]).toEqual([numbers(2), 1]);
  });

  it('ends with the fault for all its readers when records are no longer kept, or cannot be read', async () => {
    const s = stage();
    const gone = new LiveReader(s);
    await until(() => s.reading.tailUse.readers === 1);
    s.log.fault = new Fault('corrupt_record');
    s.appendMany(1);
    await until(() => gone.fault !== undefined);
    expect(gone.fault).toBe(s.log.fault);
    s.log.fault = undefined;
    s.appendMany(5, 1);
    const kept = new LiveReader(s, HUB, {}, [3n]);
    await until(() => kept.ids.length === 3);
    s.log.low[0] = 100n;
    s.appendMany(1, 6);
    await until(() => kept.fault !== undefined);
    expect(kept.fault).toMatchObject({ code: 'offset_out_of_range' });
  });

  it('ends with stream_recreated when the topic is made again while readers hang on it', async () => {
    const s = stage();
    const reader = new LiveReader(s);
    await until(() => s.reading.tailUse.readers === 1);
    s.log.id = 'ffffffff'.repeat(4);
    s.appendMany(1);
    await until(() => reader.fault !== undefined);
    expect([reader.fault, reader.ids]).toEqual([expect.objectContaining({ code: 'stream_recreated' }), []]);
  });

  it('readers of another life of the topic do not share it: those of the old one get stream_recreated', async () => {
    const s = stage();
    const old = new LiveReader(s);
    await until(() => s.reading.tailUse.readers === 1);
    const sink = { send: () => 'sent' as const, interrupted: () => undefined };
    const place = { stream: s.stream, topicId: 'ffffffff', next: [0n] };
    expect(s.reading.hang(HUB, place, {}, true, sink)).toBeDefined();
    await until(() => old.fault !== undefined);
    expect(old.fault).toMatchObject({ code: 'stream_recreated' });
  });
});

describe('long polls hang on the same tail', () => {
  const poll = (s: Stage, next: readonly bigint[], reader: Reader = HUB, waitMs = 60_000, signal?: AbortSignal) =>
    s.reading.readEvents(
      reader,
      { stream: s.stream, next },
      {},
      { waitMs, ...(signal === undefined ? {} : { signal }) },
    );

  it('a poll that follows the last one is answered from the ring, without a read of the log for each poll', async () => {
    const s = stage();
    let next: readonly bigint[] = [0n];
    const got: string[] = [];
    for (let i = 0; i < 30; i++) {
      const polls = Array.from({ length: 20 }, () => poll(s, next));
      if (i % 2 === 0) await turns();
      s.appendMany(1, i);
      const pages = await Promise.all(polls);
      expect(
        new Set(pages.map((p) => JSON.stringify([p.events.map((e) => e.envelope.id), p.next.map(String)]))).size,
      ).toBe(1);
      got.push(...pages[0]!.events.map((e) => e.envelope.id));
      next = pages[0]!.next;
      if (i === 0) s.log.describes = s.log.reads = 0;
    }
    expect(got).toEqual(numbers(30));
    expect(s.log.describes).toBe(0);
    expect(s.log.reads).toBeLessThanOrEqual(60);
  });

  it('a poll is woken only by an event that its reader sees; at its end it is empty and has moved on', async () => {
    const s = stage();
    const waiting = poll(s, [0n], STRANGER, 100);
    await until(() => s.reading.tailUse.readers === 1);
    s.appendMany(3);
    const page = await waiting;
    expect([page.events, page.stopped]).toEqual([[], 'end']);
    const abort = new AbortController();
    const aborted = poll(s, [3n], STRANGER, 60_000, abort.signal);
    await until(() => s.reading.tailUse.readers === 1);
    abort.abort();
    expect((await aborted).events).toEqual([]);
    expect(s.reading.tailUse.readers).toBe(0);
  });

  it('says that it is unsettled when a record lies in the log that was not settled in time', async () => {
    const s = stage();
    const waiting = poll(s, [0n], HUB, 100);
    await until(() => s.reading.tailUse.readers === 1);
    s.settled.set(0, 0n);
    s.appendMany(1);
    expect(await waiting).toMatchObject({ events: [], next: [0n], stopped: 'unsettled' });
    s.settled.set(0, 1n);
  });

  it('fails with the fault of the log instead of waiting to the end', async () => {
    const s = stage();
    const waiting = poll(s, [0n]);
    await until(() => s.reading.tailUse.readers === 1);
    s.log.fault = new Fault('log_unavailable');
    s.appendMany(1);
    await expect(waiting).rejects.toBe(s.log.fault);
  });
});
