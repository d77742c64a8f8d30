import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { partitionOf } from '#event';
import { COPIES_TOPIC, type EventLog, type LogRecord } from '#log';
import { openEmbeddedLog, type EmbeddedLog } from '#log-embedded';
import { readAll, text, until } from '#log/conformance';
import { openCopies, SETTLED_TOPIC, type Copies, type CopiesReport, type ListedCopy } from './index.js';

const STREAM = 'imigrasi.cegah';
const ID = '0123456789abcdef0123456789abcdef';
const NEW_ID = 'fedcba9876543210fedcba9876543210';

describe('the table of copies and settled ends', () => {
  let dir: string;
  let log: EmbeddedLog;
  let open: Copies[];
  const copies = async (report: CopiesReport = {}, on: EventLog = log): Promise<Copies> => {
    const made = await openCopies(on, report);
    open.push(made);
    return made;
  };
  const append = async (topic: string, key: string, value: object): Promise<void> => {
    const record = { key: Buffer.from(key), value: Buffer.from(JSON.stringify(value)), headers: [] };
    const partition = topic === SETTLED_TOPIC ? partitionOf(Buffer.from(STREAM), 8) : 0;
    expect(await log.append(topic, partition, [record])).toMatchObject({ kind: 'accepted' });
  };
  const records = async (): Promise<LogRecord[]> => {
    const found: LogRecord[] = [];
    for (const { partition } of await log.describe(SETTLED_TOPIC))
      found.push(...(await readAll(log, SETTLED_TOPIC, partition)));
    return found;
  };
  const rows = async (): Promise<[string | undefined, string | undefined][]> =>
    (await records()).map((r) => [r.key?.toString(), text(r)]);
  const seenBy = (c: Copies, partition: number, ...offsets: bigint[]): (bigint | undefined)[] => [
    c.end(STREAM, partition),
    ...offsets.map((o) => c.originalOf(STREAM, partition, o)),
  ];

  const tableId = async (): Promise<string> => (await log.topicId(SETTLED_TOPIC)).slice(0, 8);

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'simpul-copies-'));
    log = await openEmbeddedLog({ dir });
    open = [];
  });
  afterEach(async () => {
    for (const c of open) await c.close();
    await log.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('reads the records of earlier versions too, says so once, and writes rows that name the topic of the stream', async () => {
    await log.ensureTopic({ name: COPIES_TOPIC, partitions: 1, cleanup: 'compact' });
    await append(COPIES_TOPIC, `${STREAM}/0/9`, { first: '4' });
    await append(COPIES_TOPIC, `end/${STREAM}/0`, { end: '12', epoch: '3' });
    const found: unknown[] = [];
    const one = await copies({ earlierCopies: (f) => found.push(f) });
    expect(found).toEqual([{ topic: COPIES_TOPIC, copies: 1 }]);
    expect(seenBy(one, 0, 9n, 4n)).toEqual([12n, 4n, undefined]);
    await one.list(STREAM, 1, ID, [{ offset: 7n, first: 2n }], 5n);
    one.settle(STREAM, 0, 20n, 5n, ID);
    await one.writeEnds();
    expect(await rows()).toEqual([
      [`${STREAM}/1/5/0`, `{"topic":"${ID}","at":"7","copies":[0,5]}`],
      [`${STREAM}/0/end`, `{"topic":"${ID}","end":"20","epoch":"5","table":"${await tableId()}"}`],
    ]);
    // An earlier version that is still running during the upgrade.
    await append(COPIES_TOPIC, `${STREAM}/0/15`, { first: '14' });
    await one.refresh([STREAM]);
    for (const c of [one, await copies()]) {
      expect(seenBy(c, 0, 9n, 15n)).toEqual([20n, 4n, 14n]);
      expect(seenBy(c, 1, 7n, 8n)).toEqual([0n, 2n, undefined]);
    }
  });

  it('says nothing of earlier versions in a log that has no record of them', async () => {
    const found: unknown[] = [];
    await copies({ earlierCopies: (f) => found.push(f) });
    expect(found).toEqual([]);
    expect(await log.topics()).not.toContain(COPIES_TOPIC);
  });

  it('shows what another process lists and settles, and tells the listener of each end that grows', async () => {
    const [one, other] = [await copies(), await copies()];
    const ends: bigint[] = [];
    other.onEnd((_stream, _partition, end) => ends.push(end));
    await one.list(STREAM, 0, ID, [{ offset: 1n, first: 0n }], 5n);
    one.settle(STREAM, 0, 2n, 5n, ID);
    await one.writeEnds();
    await other.refresh();
    expect([...seenBy(other, 0, 1n), ends]).toEqual([2n, 0n, [2n]]);
  });

  it('keeps every copy over compaction and changes of the owner, in one row for 500 copies', async () => {
    const listed: ListedCopy[] = [];
    for (let epoch = 1n; epoch <= 3n; epoch++) {
      const owner = await copies();
      for (let i = 0; i < 70; i++) {
        const next = Array.from({ length: 10 }, (_, n) => {
          const offset = BigInt(listed.length + n) * 7n + 3n;
          return { offset, first: offset - BigInt(1 + (n % 3)) };
        });
        listed.push(...next);
        await owner.list(STREAM, 0, ID, next, epoch);
        owner.settle(STREAM, 0, next.at(-1)!.offset + 1n, epoch, ID);
        await owner.writeEnds();
      }
    }
    await log.maintain();
    // Per owner one row of 500 and one of 200 copies, and one end.
    expect(await records()).toHaveLength(3 * 2 + 1);
    const fresh = await copies();
    expect(listed.filter((c) => fresh.originalOf(STREAM, 0, c.offset) !== c.first)).toEqual([]);
    expect(fresh.originalOf(STREAM, 0, 4n)).toBeUndefined();
    expect(fresh.end(STREAM, 0)).toBe(listed.at(-1)!.offset + 1n);
  });

  it('lists copies again whose outcome was uncertain, with the next ones of their row', async () => {
    let fail = true;
    const uncertain = new Proxy(log as EventLog, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (name === 'append' && fail) return () => Promise.resolve({ kind: 'uncertain' });
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const owner = await copies({}, uncertain);
    const [a, b] = [
      { offset: 5n, first: 1n },
      { offset: 6n, first: 2n },
    ];
    await expect(owner.list(STREAM, 0, ID, [a], 5n)).rejects.toMatchObject({ code: 'log_unavailable' });
    fail = false;
    await owner.list(STREAM, 0, ID, [a, b], 5n);
    expect(seenBy(await copies(), 0, 5n, 6n)).toEqual([0n, 1n, 2n]);
  });

  it('keeps the end of the owner as the last record when a former projector writes its end late, so that compaction does not set it back', async () => {
    const owner = await copies();
    owner.settle(STREAM, 0, 100n, 7n, ID);
    await owner.writeEnds();
    await append(SETTLED_TOPIC, `${STREAM}/0/end`, { topic: ID, end: '5', epoch: '3' });
    await until('the owner to write its end again', async () => (await records()).length === 3);
    expect((await rows()).at(-1)).toEqual([
      `${STREAM}/0/end`,
      `{"topic":"${ID}","end":"100","epoch":"7","table":"${await tableId()}"}`,
    ]);
    await log.maintain();
    expect((await copies()).end(STREAM, 0)).toBe(100n);
  });

  it('lets an end go down by a reset: copies from there on count no more, those below stay, and what a former owner writes afterwards counts for nothing', async () => {
    const [owner, live] = [await copies(), await copies()];
    const kept = { offset: 4n, first: 2n };
    const gone = { offset: 40n, first: 20n };
    await owner.list(STREAM, 0, ID, [kept, gone], 5n);
    owner.settle(STREAM, 0, 50n, 5n, ID);
    await owner.writeEnds();
    const next = await copies();
    await next.reset(STREAM, 0, ID, 6n, 10n);
    await next.list(STREAM, 0, ID, [{ offset: 12n, first: 11n }], 6n);
    // The former owner was paused.
    await append(SETTLED_TOPIC, `${STREAM}/0/5/0`, { topic: ID, at: '40', copies: [0, 20] });
    await append(SETTLED_TOPIC, `${STREAM}/0/end`, { topic: ID, end: '60', epoch: '5' });
    await until('the end to be told again', async () => (await rows()).at(-1)?.[1]?.includes('"epoch":"6"') === true);
    const expected = [10n, 2n, 11n, undefined];
    await Promise.all([owner.refresh(), live.refresh()]);
    for (const c of [owner, live, next, await copies()]) expect(seenBy(c, 0, 4n, 12n, 40n)).toEqual(expected);
    await log.maintain();
    expect(seenBy(await copies(), 0, 4n, 12n, 40n)).toEqual(expected);
    // A position of the store from before the reset.
    live.raise(STREAM, 0, 50n, 5n);
    expect(live.end(STREAM, 0)).toBe(10n);
    live.raise(STREAM, 0, 50n, 6n);
    expect(live.end(STREAM, 0)).toBe(50n);
  });

  it('goes on with the copies of before until a reset is whole', async () => {
    const [owner, live] = [await copies(), await copies()];
    await owner.list(
      STREAM,
      0,
      ID,
      [
        { offset: 4n, first: 2n },
        { offset: 40n, first: 20n },
      ],
      5n,
    );
    owner.settle(STREAM, 0, 50n, 5n, ID);
    await owner.writeEnds();
    // The next owner is killed before its reset row.
    await append(SETTLED_TOPIC, `${STREAM}/0/6/0`, { topic: ID, reset: '6', at: '4', copies: [0, 2] });
    await live.refresh();
    for (const c of [live, await copies()]) expect(seenBy(c, 0, 4n, 40n)).toEqual([50n, 2n, 20n]);
  });

  it('counts rows of another topic than the current one as absent, before and after an owner of the new topic writes', async () => {
    const owner = await copies();
    await owner.list(STREAM, 0, ID, [{ offset: 4n, first: 2n }], 5n);
    owner.settle(STREAM, 0, 50n, 5n, ID);
    await owner.writeEnds();
    const reader = await copies();
    reader.identify(STREAM, NEW_ID);
    expect(seenBy(reader, 0, 4n)).toEqual([0n, undefined]);
    const next = await copies();
    await next.list(STREAM, 0, NEW_ID, [{ offset: 3n, first: 1n }], 6n);
    next.settle(STREAM, 0, 5n, 6n, NEW_ID);
    await next.writeEnds();
    await Promise.all([reader.refresh(), owner.refresh()]);
    for (const c of [reader, owner, next, await copies()]) expect(seenBy(c, 0, 3n, 4n)).toEqual([5n, 1n, undefined]);
  });

  it('tells at most 50 ends a second, whatever the number of streams, and all of them when it is closed', async () => {
    const owner = await copies();
    const streams = Array.from({ length: 300 }, (_, i) => `uji.s${i}`);
    for (const s of streams) for (let p = 0; p < 4; p++) owner.settle(s, p, 9n, 5n, ID);
    await until('ends to be told', async () => (await records()).length > 0);
    expect((await records()).length).toBeLessThanOrEqual(100);
    await owner.close();
    expect(await records()).toHaveLength(1_200);
    const fresh = await copies();
    expect(streams.every((s) => fresh.end(s, 3) === 9n)).toBe(true);
  });

  it('leaves out a record that cannot be read, and reports it', async () => {
    const unreadable: string[] = [];
    await copies();
    await append(SETTLED_TOPIC, `${STREAM}/0/5/0`, { topic: ID, at: '1', copies: ['x'] });
    await append(SETTLED_TOPIC, `${STREAM}/1/5/0`, { topic: ID, at: '1', copies: [0, 1] });
    const one = await copies({ unreadable: ({ key }) => unreadable.push(key) });
    expect([unreadable, one.originalOf(STREAM, 1, 1n)]).toEqual([[`${STREAM}/0/5/0`], 0n]);
  });
});
