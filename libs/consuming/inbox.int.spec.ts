import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Feed } from './feed.js';
import { Hand } from './hand.js';
import {
  createConsumer,
  filePlaces,
  onEvent,
  pgInbox,
  pgPlaces,
  sqliteInbox,
  sqlitePlaces,
  type PgPool,
} from './index.js';
import { BAN, eventAt, MemorySource } from './memory-source.fixture.js';
import { pruneBefore } from './pruning.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simpul-inbox-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A pool of `pg` over SQLite: the statements of the adapter are the same in both. */
function poolOver(db: DatabaseSync): PgPool {
  const query = (text: string, values: readonly unknown[] = []) => {
    const statement = db.prepare(text.replaceAll(/\$(\d)/g, '?$1'));
    const named = Object.fromEntries(values.map((v, i) => [`?${i + 1}`, v as string]));
    if (text.startsWith('SELECT')) return Promise.resolve({ rows: statement.all(named), rowCount: null });
    return Promise.resolve({ rows: [], rowCount: Number(statement.run(named).changes) });
  };
  return { query, connect: () => Promise.resolve({ query, release: () => undefined }) };
}
const stores = {
  sqlite: (db: DatabaseSync) => ({ inbox: sqliteInbox(db), places: sqlitePlaces(db, 'g') }),
  pg: (db: DatabaseSync) => ({ inbox: pgInbox(poolOver(db)), places: pgPlaces(poolOver(db), 'g') }),
};
const event = { ...eventAt(0, 1, 's'), digest: 'sha-256:1' };

describe.each(Object.entries(stores))('an inbox in %s', (_name, open) => {
  const stage = () => {
    const db = new DatabaseSync(join(dir, 'unit.sqlite'));
    db.exec('CREATE TABLE bans (n INTEGER)');
    const count = (): unknown => db.prepare('SELECT count(*) AS n FROM bans').get()!['n'];
    return { db, count, ban: () => void db.exec('INSERT INTO bans VALUES (1)'), ...open(db) };
  };

  it('lets an effect happen once for each group and event, also one without a digest; another digest is another event', async () => {
    const { db, inbox, count, ban } = stage();
    const { digest: _digest, ...masked } = event;
    const done = [];
    for (const [group, e] of [
      ['g', event],
      ['g', event],
      ['g', masked],
      ['h', masked],
      ['h', event],
      ['g', { ...event, digest: 'sha-256:2' }],
    ] as const)
      done.push(await inbox.once(group, e, ban));
    expect(done).toEqual([true, false, false, true, false, true]);
    expect(count()).toBe(3);
    db.close();
  });

  it('stores neither the effect nor the mark when the effect fails, and the event may come again', async () => {
    const { db, inbox, count, ban } = stage();
    const failing = async (): Promise<void> => {
      ban();
      await Promise.resolve();
      throw new Error('locked');
    };
    await expect(inbox.once('g', event, failing)).rejects.toThrow('locked');
    expect(count()).toBe(0);
    expect(await inbox.once('g', event, ban)).toBe(true);
    expect(count()).toBe(1);
    db.close();
  });

  it('forgets the events of one group that were recorded before a time', async () => {
    const { db, inbox, ban } = stage();
    const late = { ...event, id: 'late', recordedtime: '2026-03-01T00:00:00.000Z' };
    for (const e of [event, late]) await inbox.once('g', e, ban);
    await inbox.once('h', event, ban);
    await inbox.prune('g', Date.parse('2026-02-01T00:00:00Z'));
    const again = [];
    for (const [group, e] of [
      ['g', event],
      ['g', late],
      ['h', event],
    ] as const)
      again.push(await inbox.once(group, e, ban));
    expect(again).toEqual([true, false, false]);
    db.close();
  });

  it('keeps the place of each feed', async () => {
    const { db, places } = stage();
    expect(await places.load('a')).toBeUndefined();
    await places.save('a', '1');
    await places.save('b', '2');
    await places.save('a', '3');
    expect([await places.load('a'), await places.load('b')]).toEqual(['3', '2']);
    db.close();
  });
});

it('an asynchronous effect takes no statement of another one into its transaction', async () => {
  const db = new DatabaseSync(':memory:');
  db.exec('CREATE TABLE bans (n INTEGER)');
  const inbox = sqliteInbox(db);
  const add = (n: number, fails: boolean) => async (): Promise<void> => {
    db.exec(`INSERT INTO bans VALUES (${n})`);
    await new Promise(setImmediate);
    if (fails) throw new Error('no');
  };
  const all = [0, 1, 2, 3].map((n) => inbox.once('g', { ...event, id: `e${n}` }, add(n, n % 2 === 0)));
  expect((await Promise.allSettled(all)).map((r) => r.status)).toEqual([
    'rejected',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  expect(db.prepare('SELECT n FROM bans ORDER BY n').all()).toEqual([{ n: 1 }, { n: 3 }]);
  db.close();
});

it('context.idempotent of a handler uses the inbox of the consumer: an event that comes again has no second effect', async () => {
  const db = new DatabaseSync(':memory:');
  db.exec('CREATE TABLE bans (n INTEGER)');
  const inbox = sqliteInbox(db);
  const done: boolean[] = [];
  for (let life = 0; life < 2; life++) {
    const source = new MemorySource(new Map([['f', [event, eventAt(0, 2, 't')]]]), new Map(), () => 1);
    const consumer = createConsumer({
      source,
      inbox,
      handlers: [
        onEvent(BAN, async (_e, context) => {
          done.push(await context.idempotent<DatabaseSync>((tx) => tx.exec('INSERT INTO bans VALUES (1)')));
          if (done.length % 2 === 0) void consumer.stop();
        }),
      ],
    });
    await consumer.run();
  }
  expect(done).toEqual([true, true, false, false]);
  expect(db.prepare('SELECT count(*) AS n FROM bans').get()).toEqual({ n: 2 });
  db.close();
});

it('rows of an inbox go only when their event cannot come again: they are old, and older than the oldest unfinished event', () => {
  const day = 86_400_000;
  const now = Date.parse('2026-03-01T00:00:00Z');
  const [feed, other] = [new Feed('f'), new Feed('g')];
  const hand = new Hand(onEvent(BAN, () => undefined));
  const take = (into: Feed, recordedtime: string, handOf: () => Hand | undefined) =>
    into.take({ feed: 'f', events: [{ event: { ...event, recordedtime } }], commit: () => Promise.resolve() }, handOf);
  take(other, new Date(now).toISOString(), () => undefined);
  const feeds = [feed, other];
  expect([pruneBefore(feeds, 30 * day, now), pruneBefore(feeds, day, now)]).toEqual([now - 30 * day, now - 9 * day]);
  take(feed, event.recordedtime, () => hand);
  expect(pruneBefore(feeds, 30 * day, now)).toBe(Date.parse(event.recordedtime) - day);
});

it('rows of an inbox do not go because the clock of the machine is ahead: age is counted from the newest event that has come', () => {
  const day = 86_400_000;
  const newest = Date.parse(event.recordedtime);
  const feed = new Feed('f');
  const year = 365 * day;
  expect(pruneBefore([feed], 30 * day, newest + year)).toBe(Number.NEGATIVE_INFINITY);
  feed.take({ feed: 'f', events: [{ event }], commit: () => Promise.resolve() }, () => undefined);
  expect(pruneBefore([feed], 30 * day, newest + year)).toBe(newest - 30 * day);
  expect(pruneBefore([feed], 30 * day, newest - day)).toBe(newest - 31 * day);
});

describe('places in a file', () => {
  it('survive a restart, are replaced in one step and leave nothing behind', async () => {
    const file = join(dir, 'places.json');
    const places = filePlaces(file);
    expect(await places.load('a')).toBeUndefined();
    await Promise.all([places.save('a', '1'), places.save('b', '2'), places.save('a', '3')]);
    expect(await filePlaces(file).load('a')).toBe('3');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ a: '3', b: '2' });
    expect(readdirSync(dir)).toEqual(['places.json']);
  });

  it('that cannot be read are one clear fault, and no new beginning', async () => {
    const file = join(dir, 'places.json');
    writeFileSync(file, '{"a":');
    await expect(filePlaces(file).load('a')).rejects.toMatchObject({ code: 'places_unreadable' });
  });
});
