import type { Caller, Role } from '#access';
import { partitionOf } from '#event';
import { Fault, verbatim } from '#faults';
import type { CatalogueIndex, StreamInfo } from '#registry';
import { readUnitSeed, UnitTree } from '#units';
import { beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { catalogueOfFiles, recordOf, type EventSpec } from '../../test/kit/projection/events.js';
import {
  encodeStreamCursor,
  eventText,
  HUB,
  isIncomplete,
  PageText,
  READ_BUDGET,
  Reading,
  type ReadEvent,
} from './index.js';
import { LogInMemory } from '../../test/kit/log-in-memory.js';

const TYPE = 'imigrasi.paspor.diterbitkan';
const OTHER_TYPE = 'imigrasi.paspor.permohonan-diajukan';
const STREAM = 'imigrasi.paspor';
const KANIM = 'SU00123';
const NIK = '9901010101010001';
/** The settled end is either there or it is not: no spec waits for it unless it says so. */
const NOW = { settleMs: 0 };

const caller = (owner: string, ...roles: Role[]): Caller => ({
  keyId: owner,
  owner,
  system: 'simkim',
  roles: new Set(roles),
});
const SOURCE = caller(KANIM, 'reader');
const OPERATOR = caller('SU00001', 'operator');
const STRANGER = caller('SU00400', 'reader');

/** Settled ends and copies as a spec sets them. By default every record is settled. */
class SettledInMemory {
  readonly ends = new Map<number, bigint>();
  readonly originals = new Map<string, bigint>();
  readonly waits: [partition: number, target: bigint, maxMs: number][] = [];
  /** Called by each wait, before it answers. */
  onWait: (() => void) | undefined;

  end(_stream: string, partition: number): bigint {
    return this.ends.get(partition) ?? 1_000_000n;
  }

  waitFor(stream: string, partition: number, target: bigint, maxMs: number): Promise<bigint> {
    this.waits.push([partition, target, maxMs]);
    this.onWait?.();
    return Promise.resolve(this.end(stream, partition));
  }

  originalOf(_stream: string, partition: number, offset: bigint): bigint | undefined {
    return this.originals.get(`${partition}/${offset}`);
  }
}

let catalogue: CatalogueIndex;
const units = new UnitTree(() => '2021-07-15');
let stream: StreamInfo;
let log: LogInMemory;
let settled: SettledInMemory;
let reading: Reading;
let now: () => number;

beforeAll(() => {
  const seed = new URL('../../schemas/units.json', import.meta.url);
  for (const u of readUnitSeed(readFileSync(seed, 'utf8')).units) units.put(u.id, [u]);
});

/** A stream with this number of partitions and nothing in it. */
function open(partitions: number): void {
  catalogue = catalogueOfFiles(partitions);
  stream = catalogue.stream(STREAM)!;
  log = new LogInMemory(partitions);
  settled = new SettledInMemory();
  now = () => 0;
  reading = new Reading({ log, settled, catalogue, units, now: () => now() });
}

function append(spec: Partial<EventSpec> = {}, appendTimeMs = 0): { partition: number; offset: bigint } {
  const source = `urn:simpul:unit:${KANIM}:simkim`;
  const data = { ...(spec.type === OTHER_TYPE ? {} : { nik: NIK, unitPenerbit: KANIM }), ...spec.data };
  const { record, partition } = recordOf(catalogue, { type: TYPE, source, ...spec, data });
  return { partition, offset: log.append(partition, record, appendTimeMs) };
}

function appendMany(n: number, spec: Partial<EventSpec> = {}): void {
  for (let i = 0; i < n; i++) append({ id: `P-${i}`, ...spec }, i);
}

const ids = (events: readonly ReadEvent[]): string[] => events.map((e) => e.envelope.id);
const start = (): { stream: StreamInfo; next: readonly bigint[] } => ({ stream, next: log.low.map((low) => low) });

describe('readEvents', () => {
  beforeEach(() => open(1));

  describe('reads only below the settled end', () => {
    it('and says that the page is unsettled, not that the stream ended', async () => {
      appendMany(5);
      settled.ends.set(0, 3n);
      const page = await reading.readEvents(HUB, start(), {}, NOW);
      expect([ids(page.events), page.next, page.stopped]).toEqual([['P-0', 'P-1', 'P-2'], [3n], 'unsettled']);
      expect(isIncomplete(page)).toBe(true);
      settled.ends.set(0, 5n);
      const rest = await reading.readEvents(HUB, { stream, next: page.next }, {}, NOW);
      expect([ids(rest.events), rest.next, rest.stopped]).toEqual([['P-3', 'P-4'], [5n], 'end']);
      expect(isIncomplete(rest)).toBe(false);
    });

    it('also when the settled end moves while the page is read', async () => {
      appendMany(60);
      settled.ends.set(0, 55n);
      let reads = 0;
      log.onRead = () => void (++reads === 2 && settled.ends.set(0, 60n));
      const page = await reading.readEvents(HUB, start(), { types: new Set(['none']) }, { ...NOW, limit: 10 });
      expect([reads, page.next, page.stopped]).toEqual([3, [55n], 'unsettled']);
    });

    it('and waits for it up to settleMs, by default one second', async () => {
      appendMany(2);
      settled.ends.set(0, 0n);
      settled.onWait = () => settled.ends.set(0, 2n);
      expect((await reading.readEvents(HUB, start())).events).toHaveLength(2);
      await reading.readEvents(HUB, start(), {}, { settleMs: 7 });
      expect(settled.waits).toEqual([
        [0, 2n, READ_BUDGET.settleMs],
        [0, 2n, 7],
      ]);
      expect(READ_BUDGET.settleMs).toBe(1_000);
    });

    it('for one event by its position too: what is not settled is not missing, for a reader that may not see it either', async () => {
      appendMany(2);
      settled.ends.set(0, 1n);
      expect((await reading.readOne(HUB, stream, 0, 0n, NOW))?.envelope.id).toBe('P-0');
      for (const reader of [HUB, STRANGER] as const)
        await expect(reading.readOne(reader, stream, 0, 1n, NOW)).rejects.toMatchObject({ code: 'not_settled' });
      expect(await reading.readOne(HUB, stream, 0, 2n, NOW)).toBeUndefined();
    });
  });

  it('leaves copies out, and shows them with the position of the original when the filter asks for copies', async () => {
    appendMany(3);
    settled.originals.set('0/2', 0n);
    expect(ids((await reading.readEvents(HUB, start())).events)).toEqual(['P-0', 'P-1']);
    const shown = await reading.readEvents(HUB, start(), { copies: true });
    expect(shown.events.map((e) => e.copyOf)).toEqual([undefined, undefined, `${STREAM}/0/0`]);
    expect((await reading.readOne(HUB, stream, 0, 2n))?.copyOf).toBe(`${STREAM}/0/0`);
    expect(JSON.parse(eventText(shown.events[2]!, 'json'))).toMatchObject({ copyof: `${STREAM}/0/0` });
  });

  it('leaves out records that no gateway wrote, and records whose digest does not fit', async () => {
    const { record } = recordOf(catalogue, { type: TYPE });
    log.append(0, { ...record, headers: [] }, 0);
    log.append(0, { ...record, key: Buffer.from('another subject') }, 0);
    append({ id: 'P-good' });
    const page = await reading.readEvents(HUB, start());
    expect([ids(page.events), page.next]).toEqual([['P-good'], [3n]]);
  });

  describe('shows each reader what its rights allow', () => {
    beforeEach(() => void append());
    const seenBy = async (reader: Caller | typeof HUB): Promise<ReadEvent | undefined> =>
      (await reading.readEvents(reader, start())).events[0];

    it('everything to the source', async () => {
      expect(await seenBy(SOURCE)).toMatchObject({ level: 'full', data: { nik: NIK } });
    });

    it('masked data, no digest and no Avro frame to a reader at level masked', async () => {
      const event = (await seenBy(OPERATOR))!;
      expect(event).toMatchObject({ level: 'masked', data: { nik: '••••0001', unitPenerbit: KANIM } });
      expect(event.stored).toBeUndefined();
      expect(eventText(event, 'json')).not.toMatch(/digest|9901010101010001/);
      const avro = reading.readInto(OPERATOR, start(), {}, {}, 'avro', new PageText('', ''));
      await expect(avro).rejects.toMatchObject({ code: 'not_acceptable' });
    });

    it('beside masked data only attributes that say nothing of it: no signature, nothing that the publisher made up', async () => {
      const extensions = { korelasi: 'K-1', tandatangan: 'c2lnbmF0dXJl', sidik: '9f86d081' };
      const { offset } = append({ extensions });
      const shownTo = async (reader: Caller): Promise<unknown> =>
        JSON.parse(eventText((await reading.readOne(reader, stream, 0, offset))!, 'json'));
      expect(await shownTo(SOURCE)).toMatchObject(extensions);
      const masked = await shownTo(OPERATOR);
      expect(masked).toMatchObject({ korelasi: 'K-1' });
      expect(masked).not.toHaveProperty('tandatangan');
      expect(masked).not.toHaveProperty('sidik');
    });

    it('nothing to a reader without a right: the page is empty, the range is passed', async () => {
      const page = await reading.readEvents(STRANGER, start());
      expect([page.events, page.next, page.stopped]).toEqual([[], [1n], 'end']);
      expect(await reading.readOne(STRANGER, stream, 0, 0n)).toBeUndefined();
    });

    it('every event in full to the hub itself, also events of a restricted type', async () => {
      expect(await seenBy(HUB)).toMatchObject({ level: 'full', data: { nik: NIK } });
      const wbs = catalogue.stream('itjen.wbs')!;
      log.append(0, recordOf(catalogue, { type: wbs.types[0]! }).record, 0);
      const range = { stream: wbs, next: [1n] };
      expect((await reading.readEvents(OPERATOR, range)).events).toEqual([]);
      expect((await reading.readEvents(HUB, range)).events).toMatchObject([{ level: 'full' }]);
    });
  });

  it('filters by type, by subject and by unit', async () => {
    append({ id: 'A', data: { nomorPermohonan: 'F-1' } });
    append({ id: 'B', data: { nomorPermohonan: 'F-2', unitPenerbit: 'SU00124' }, source: 'urn:simpul:unit:SU00124:x' });
    append({ id: 'C', type: OTHER_TYPE, data: { nomorPermohonan: 'F-1' } });
    const found = async (filter: object): Promise<string[]> =>
      ids((await reading.readEvents(HUB, start(), filter)).events);
    expect(await found({ types: new Set([TYPE]) })).toEqual(['A', 'B']);
    expect(await found({ subject: 'F-1' })).toEqual(['A', 'C']);
    expect(await found({ unit: 'SU00124' })).toEqual(['B']);
    expect(await found({ subject: 'F-1', types: new Set([OTHER_TYPE]) })).toEqual(['C']);
  });

  describe('keeps to its budget', () => {
    beforeEach(() => appendMany(30));

    it('limit: the page is full, and the next one goes on behind it', async () => {
      const page = await reading.readEvents(HUB, start(), {}, { limit: 25 });
      expect([page.events.length, page.next, page.stopped]).toEqual([25, [25n], 'full']);
      const rest = await reading.readEvents(HUB, { stream, next: page.next }, {}, { limit: 25 });
      expect([rest.events.length, rest.stopped]).toEqual([5, 'end']);
    });

    it('scanRecords: an empty page is incomplete, and the range has moved', async () => {
      const page = await reading.readEvents(STRANGER, start(), {}, { scanRecords: 22 });
      expect([page.events, page.next, page.stopped]).toEqual([[], [22n], 'scan_budget']);
      expect(isIncomplete(page)).toBe(true);
    });

    it('scanMs: at least one record is looked at', async () => {
      let ms = 0;
      now = () => (ms += 10);
      const page = await reading.readEvents(HUB, start(), {}, { scanMs: 5 });
      expect([page.next, page.stopped]).toEqual([[1n], 'scan_budget']);
    });

    it('pageBytes: counted in bytes for texts, in Avro bytes for decoded events', async () => {
      const [one] = (await reading.readLines(HUB, start(), {}, { limit: 1 })).events;
      const texts = await reading.readLines(HUB, start(), {}, { pageBytes: one!.line.length + 1 });
      expect([texts.events.length, texts.stopped]).toEqual([2, 'full']);
      const out = new PageText('', '');
      const written = await reading.readInto(
        HUB,
        start(),
        {},
        { pageBytes: one!.line.length - 'data: \n\n'.length + 1 },
        'json',
        out,
      );
      expect([written.events.length, written.stopped, out.texts]).toEqual([2, 'full', 2]);
      expect(out.end('').toString()).toBe(
        texts.events.map(({ line }) => line.toString().slice('data: '.length, -2)).join(''),
      );
      const decoded = await reading.readEvents(HUB, start(), {}, { pageBytes: 1 });
      expect([decoded.events.length, decoded.stopped]).toEqual([1, 'full']);
    });
  });

  describe('never jumps silently', () => {
    beforeEach(() => {
      appendMany(40);
      log.low[0] = 5n;
    });

    it('below the earliest kept offset: offset_out_of_range with the earliest kept position', async () => {
      const fault = { code: 'offset_out_of_range', problems: [{ expected: verbatim(`${STREAM}/0/5`) }] };
      await expect(reading.readEvents(HUB, { stream, next: [4n] })).rejects.toMatchObject(fault);
      await expect(reading.readOne(HUB, stream, 0, 4n)).rejects.toMatchObject(fault);
    });

    it('but with missing: skip it goes on at the earliest kept offset', async () => {
      const page = await reading.readEvents(HUB, { stream, next: [0n], missing: 'skip' }, {}, { limit: 1 });
      expect([ids(page.events), page.next]).toEqual([['P-5'], [6n]]);
    });

    it('above the log end: unknown_cursor, also with missing: skip', async () => {
      const fault = { code: 'unknown_cursor' };
      await expect(reading.readEvents(HUB, { stream, next: [41n] })).rejects.toMatchObject(fault);
      await expect(reading.readEvents(HUB, { stream, next: [41n], missing: 'skip' })).rejects.toMatchObject(fault);
    });

    it('when the retention passes by between two chunks of one page', async () => {
      const retain = (): void => {
        let reads = 0;
        log.low[0] = 5n;
        log.onRead = () => {
          if (++reads === 2) log.low[0] = 30n;
        };
      };
      retain();
      const budget = { limit: 5 };
      const range = { stream, next: [5n] };
      await expect(reading.readEvents(HUB, range, { types: new Set(['none']) }, budget)).rejects.toMatchObject({
        code: 'offset_out_of_range',
      });
      retain();
      const page = await reading.readEvents(HUB, { ...range, missing: 'skip' }, { types: new Set(['none']) }, budget);
      expect([page.next, page.stopped]).toEqual([[40n], 'end']);
    });
  });

  describe('an event whose schema another process has registered', () => {
    let refresh: jest.Mock<() => Promise<void>>;

    beforeEach(() => {
      const unknown = jest.spyOn(catalogue, 'bySchemaId').mockReturnValue(undefined);
      refresh = jest.fn(() => Promise.resolve(unknown.mockRestore()));
      reading = new Reading({ log, settled, catalogue, refresh, units, now: () => now() });
      append({ id: 'P-new' });
    });

    it('is shown on a page: the catalogue is read to its end before the record is passed', async () => {
      append({ id: 'P-second' });
      const page = await reading.readEvents(SOURCE, start());
      expect([ids(page.events), page.damaged]).toEqual([['P-new', 'P-second'], []]);
      expect(refresh).toHaveBeenCalledTimes(1);
    });

    it('is found at its position, and has its level', async () => {
      expect((await reading.readOne(SOURCE, stream, 0, 0n))?.envelope.id).toBe('P-new');
      jest.spyOn(catalogue, 'bySchemaId').mockReturnValueOnce(undefined).mockReturnValueOnce(undefined);
      expect(await reading.levelAt(SOURCE, STREAM, 0, 0n)).toBe('full');
    });

    it('is not passed while the catalogue cannot be read', async () => {
      refresh.mockRejectedValueOnce(new Fault('log_unavailable'));
      await expect(reading.readEvents(SOURCE, start())).rejects.toMatchObject({ code: 'log_unavailable' });
    });

    it('and that the catalogue does not have is told by its position, like damage', async () => {
      refresh.mockResolvedValue();
      const page = await reading.readEvents(SOURCE, start());
      expect([page.events, page.damaged]).toEqual([[], [`${STREAM}/0/0`]]);
      await expect(reading.readOne(SOURCE, stream, 0, 0n)).rejects.toMatchObject({ code: 'corrupt_record' });
      expect(await reading.levelAt(SOURCE, STREAM, 0, 0n)).toBe('none');
      jest.restoreAllMocks();
    });
  });

  it('ends a page behind 100 damaged records, so that the position of every one is named by some page', async () => {
    const { record } = recordOf(catalogue, {
      type: TYPE,
      source: `urn:simpul:unit:${KANIM}:simkim`,
      data: { nik: NIK, unitPenerbit: KANIM },
    });
    const headers = record.headers.map(([name, value]): (typeof record.headers)[number] => [
      name,
      name === 'ce_source' ? Buffer.from('urn:simpul:unit:SU00124:simkim') : value,
    ]);
    for (let n = 0; n < 120; n++) log.append(0, { ...record, headers }, n);
    const page = await reading.readEvents(HUB, start(), {}, { ...NOW, limit: 500 });
    expect([page.damaged.length, page.next, isIncomplete(page)]).toEqual([100, [100n], true]);
    const rest = await reading.readEvents(HUB, { stream, next: page.next }, {}, { ...NOW, limit: 500 });
    expect([rest.damaged.length, rest.damaged.at(-1), rest.stopped]).toEqual([20, `${STREAM}/0/119`, 'end']);
  });

  it('ends at the end of the period, before the log end', async () => {
    appendMany(4);
    const page = await reading.readEvents(HUB, { stream, next: [1n], end: [3n] });
    expect([ids(page.events), page.next, page.stopped]).toEqual([['P-1', 'P-2'], [3n], 'end']);
  });

  describe('as a long poll', () => {
    it('answers when a settled record arrives', async () => {
      const poll = reading.readEvents(HUB, start(), {}, { waitMs: 60_000 });
      await new Promise(setImmediate);
      append({ id: 'P-late' });
      expect(ids((await poll).events)).toEqual(['P-late']);
    });

    it('answers an empty page when the signal aborts', async () => {
      const stop = new AbortController();
      const poll = reading.readEvents(HUB, start(), {}, { waitMs: 60_000, signal: stop.signal });
      await new Promise(setImmediate);
      stop.abort();
      expect(await poll).toEqual({ events: [], next: [0n], stopped: 'end', damaged: [] });
    });

    it('does not wait at the end of the period', async () => {
      appendMany(1);
      const range = { stream, next: [1n], end: [1n] };
      expect((await reading.readEvents(HUB, range, {}, { waitMs: 60_000 })).events).toEqual([]);
    });
  });
});

describe('a stream of several partitions', () => {
  beforeEach(() => open(3));

  it('is merged by append time, and each partition keeps its order', async () => {
    for (let i = 0; i < 60; i++) append({ id: `M-${i}`, data: { nomorPermohonan: `S-${i % 9}` } }, i);
    const page = await reading.readEvents(HUB, start());
    expect(ids(page.events)).toEqual(Array.from({ length: 60 }, (_, i) => `M-${i}`));
  });

  it('is read in the one partition of the subject that the filter asks for', async () => {
    for (let i = 0; i < 9; i++) append({ data: { nomorPermohonan: `S-${i}` } });
    const partition = partitionOf(Buffer.from('S-4'), 3);
    settled.ends.set((partition + 1) % 3, 0n);
    const page = await reading.readEvents(HUB, start(), { subject: 'S-4' }, NOW);
    expect([page.events.length, page.stopped]).toEqual([1, 'end']);
    expect(page.next.map((next, p) => (p === partition ? next > 0n : next === 0n))).toEqual([true, true, true]);
  });

  it('is unsettled when one partition is', async () => {
    for (let i = 0; i < 9; i++) append({ data: { nomorPermohonan: `S-${i}` } });
    settled.ends.set(1, 0n);
    const page = await reading.readEvents(HUB, start(), {}, NOW);
    expect([page.stopped, page.events.some((e) => e.partition === 1)]).toEqual(['unsettled', false]);
  });

  it('begins at the earliest or latest record, at a time, at a position, or at a cursor', async () => {
    for (let i = 0; i < 30; i++) append({ id: `B-${i}`, data: { nomorPermohonan: `S-${i}` } }, i * 1_000);
    const from = async (text: string): Promise<string[]> => {
      const { next } = await reading.begin(stream, { from: text });
      return ids((await reading.readEvents(HUB, { stream, next })).events);
    };
    const all = Array.from({ length: 30 }, (_, i) => `B-${i}`);
    expect(await from('earliest')).toEqual(all);
    expect(await from('latest')).toEqual([]);
    expect(await from('1970-01-01T07:00:10+07:00')).toEqual(all.slice(10));
    const tenth = (await reading.readEvents(HUB, start())).events[10]!;
    expect(await from(tenth.position)).toEqual(all.slice(10));
    const period = await reading.begin(stream, { from: 'earliest', until: '1970-01-01T00:00:05Z' });
    expect(ids((await reading.readEvents(HUB, { stream, next: period.next, end: period.end })).events)).toEqual(
      all.slice(0, 5),
    );
    const cursor = encodeStreamCursor(period);
    expect(await reading.begin(stream, { cursor })).toEqual(period);
    await expect(from('someday')).rejects.toMatchObject({ code: 'invalid_query' });
    await expect(from(`${STREAM}/0/999`)).rejects.toMatchObject({ code: 'invalid_query' });
  });

  it('is listed for a caller that can read its own events of it, and looks missing to others', () => {
    expect(reading.stream(SOURCE, STREAM).types).toContain(TYPE);
    expect(reading.streams(SOURCE).map((s) => s.stream.name)).not.toContain('itjen.wbs');
    for (const name of ['itjen.wbs', 'no.such'])
      expect(() => reading.stream(SOURCE, name)).toThrow(expect.objectContaining({ code: 'not_found' }));
  });
});
