import { afterEach, expect, it } from '@jest/globals';
import type { Caller } from '#access';
import { Fault } from '#faults';
import type { State } from '#state';
import { catalogueOfFiles, recordOf, viewsOf } from '../../test/kit/projection/events.js';
import { interposed, Stage, until } from '../../test/kit/projection/stage.js';
import { ChangeFeed, StateReader, type FeedEvent } from './index.js';

const catalogue = catalogueOfFiles(3);
const [board] = viewsOf(catalogue, 'layanan.kasus-papan');
const steward: Caller = { keyId: 'k', owner: 'hub', system: 'uji', roles: new Set(['steward']) };
let stage: Stage;
afterEach(() => stage.close());

/** What the feed tells until it waits for more. */
async function drained(feed: ChangeFeed): Promise<FeedEvent[]> {
  const events: FeedEvent[] = [];
  for (let empty = 0; empty < 2;) {
    const some = await feed.next(20);
    events.push(...some);
    empty = some.length === 0 ? empty + 1 : 0;
  }
  return events;
}

it('a change feed gives every change after the store failed between two partitions and answers again', async () => {
  let calls = 0;
  let failAt = 0;
  const wrapState = (state: State): State =>
    interposed(state, (call) =>
      call === 'changes' && ++calls === failAt ? Promise.reject(new Fault('state_unavailable')) : undefined,
    );
  stage = await new Stage(catalogue, [board!], { wrapState }).open();
  await stage.project();
  await stage.untilCaughtUp();
  const feed = new ChangeFeed(stage.reader, steward, board!);
  expect((await feed.next(1)).map((e) => e.kind)).toEqual(['mark']);
  const cases = Array.from({ length: 30 }, (_, i) => `K-${i}`);
  await stage.append(
    cases.map((nomorKasus) =>
      recordOf(catalogue, {
        type: 'layanan.kasus.status-berubah',
        data: { nomorKasus, statusBaru: 'diproses', unitPemegang: 'SU00201' },
      }),
    ),
  );
  await stage.untilCaughtUp();
  failAt = calls + 3;
  await expect(feed.next(1)).rejects.toMatchObject({ code: 'state_unavailable' });
  const keys = (await feed.next(1)).flatMap((e) => (e.kind === 'entry' ? [e.entry.key] : []));
  expect(keys.toSorted()).toEqual(cases.toSorted());
});

it('fifty change feeds of a view ask the store once for each change, and each gets every change', async () => {
  let calls = 0;
  const wrapState = (state: State): State => interposed(state, (call) => void (call === 'changes' && calls++));
  stage = await new Stage(catalogue, [board!], { wrapState }).open();
  await stage.project();
  await stage.untilCaughtUp();
  const keys = Array.from({ length: 20 }, (_, i) => `K-${i}`);
  const stop = new AbortController();
  const feeds = Array.from({ length: 50 }, () => new ChangeFeed(stage.reader, steward, board!));
  await Promise.all(feeds.map((feed) => feed.next(1)));
  const got = feeds.map(() => new Set<string>());
  const following = feeds.map(async (feed, i) => {
    while (!stop.signal.aborted)
      for (const e of await feed.next(60_000, stop.signal)) if (e.kind === 'entry') got[i]!.add(e.entry.key);
  });
  for (const [i, nomorKasus] of keys.entries()) {
    const data = { nomorKasus, statusBaru: 'diproses', unitPemegang: 'SU00201' };
    await stage.append([recordOf(catalogue, { type: 'layanan.kasus.status-berubah', data })]);
    await until(() => got.every((seen) => seen.size === i + 1));
  }
  stop.abort();
  await Promise.all(following);
  // Each change: the page that has it, and the one that says that there is no more.
  expect(calls).toBeLessThanOrEqual(keys.length * 6);
});

it('a change feed of a view that does not serve yet waits without blocking the event loop', async () => {
  stage = await new Stage(catalogue, [board!]).open();
  let others = false;
  setTimeout(() => (others = true), 0);
  expect(await new ChangeFeed(stage.reader, steward, board!).next(50)).toEqual([]);
  expect(others).toBe(true);
});

it('a change feed tells a gap when its view was folded again from another log, also at a higher offset, and then gives the changes of that log', async () => {
  const fact = (nomorKasus: string) =>
    recordOf(catalogue, {
      type: 'layanan.kasus.status-berubah',
      data: { nomorKasus, statusBaru: 'diproses', unitPemegang: 'SU00201' },
    });
  stage = await new Stage(catalogue, [board!]).open();
  await stage.project();
  await stage.append(Array.from({ length: 30 }, (_, i) => fact(`K-${i}`)));
  await stage.untilCaughtUp();
  const before = new ChangeFeed(stage.reader, steward, board!);
  const [mark] = await before.next(1);
  await stage.log.deleteTopic('layanan.kasus');
  await stage.log.ensureTopic({ name: 'layanan.kasus', partitions: 3, cleanup: 'keep' });
  await stage.append(Array.from({ length: 90 }, (_, i) => fact(`B-${i}`)));
  const feed = new ChangeFeed(stage.reader, steward, board!, mark!.cursor);
  const gaps = new Set<number>();
  await until(async () => {
    for (const e of await feed.next(20))
      if (e.kind === 'gap') e.cursor.folds.forEach((at, i) => at > mark!.cursor.folds[i]! && gaps.add(i));
    return [0, 1, 2].every((i) => gaps.has(i));
  });
  await stage.append([fact('B-90')]);
  const keys = new Set<string>();
  await until(async () => {
    for (const e of await feed.next(20)) if (e.kind === 'entry') keys.add(e.entry.key);
    return keys.has('B-90');
  });
  expect([...keys].filter((key) => !key.startsWith('B-'))).toEqual([]);
});

it('a cursor of other partitions than the view has is a gap, never a mark: what has changed meanwhile cannot be told', async () => {
  stage = await new Stage(catalogue, [board!]).open();
  await stage.project();
  await stage.untilCaughtUp();
  const [mark] = await new ChangeFeed(stage.reader, steward, board!).next(1);
  const { cursor } = mark!;
  for (const after of [[...cursor.after, 0n], cursor.after.slice(1)]) {
    const other = { ...cursor, after, folds: after.map(() => 0) };
    const feed = new ChangeFeed(stage.reader, steward, board!, other);
    expect((await feed.next(1)).map((e) => [e.kind, e.cursor.after.length])).toEqual([['gap', cursor.after.length]]);
    expect(await feed.next(1)).toEqual([]);
  }
  const same = new ChangeFeed(stage.reader, steward, board!, cursor);
  expect(await same.next(1)).toEqual([]);
});

it('a cursor behind the end of the log is a gap, and what comes then is told: after a restore such changes would be passed over', async () => {
  stage = await new Stage(catalogue, [board!]).open();
  await stage.project();
  const fact = (nomorKasus: string) =>
    recordOf(catalogue, {
      type: 'layanan.kasus.status-berubah',
      data: { nomorKasus, statusBaru: 'diproses', unitPemegang: 'SU00201' },
    });
  await stage.append(Array.from({ length: 30 }, (_, i) => fact(`K-${i}`)));
  await stage.untilCaughtUp();
  const [mark] = await new ChangeFeed(stage.reader, steward, board!).next(1);
  const after = mark!.cursor.after.map((offset) => (offset < 0n ? offset : offset + 1_000n));
  const feed = new ChangeFeed(stage.reader, steward, board!, { ...mark!.cursor, after });
  const first = await feed.next(1);
  expect([...new Set(first.map((e) => e.kind))]).toEqual(['gap']);
  expect(first.at(-1)!.cursor).toEqual(mark!.cursor);
  await stage.append([fact('K-31')]);
  await stage.untilCaughtUp();
  expect((await drained(feed)).flatMap((e) => (e.kind === 'entry' ? [e.entry.key] : []))).toEqual(['K-31']);
});

it('an entry that leaves the sight of a reader is told as a delete, once: at once, after a new connection, and not to whoever never saw it', async () => {
  stage = await new Stage(catalogue, [board!]).open();
  await stage.project();
  const reader = (owner: string): Caller => ({ keyId: owner, owner, system: 'uji', roles: new Set(['reader']) });
  const [A, B, C] = ['SU00101', 'SU00102', 'SU00103'] as const;
  const handed = async (by: string, unitPemegang: string, unitSebelumnya: string | null = null) => {
    const data = { nomorKasus: 'K-1', statusBaru: 'diproses', unitPemegang, unitSebelumnya };
    const source = `urn:simpul:unit:${by}:uji`;
    await stage.append([recordOf(catalogue, { type: 'layanan.kasus.status-berubah', source, data })]);
    await stage.untilCaughtUp();
  };
  const told = async (feed: ChangeFeed) => (await drained(feed)).flatMap((e) => (e.kind === 'mark' ? [] : [e.kind]));
  const [feed, stranger] = [
    new ChangeFeed(stage.reader, reader(A), board!),
    new ChangeFeed(stage.reader, reader('SU00104'), board!),
  ];
  for (const one of [feed, stranger]) await one.next(1);
  await handed(A, A);
  const before = (await drained(feed)).at(-1)!.cursor;
  // Of a reader of its own, which shares no page with another feed.
  const resumed = () => new ChangeFeed(new StateReader(stage.reader.deps), reader(A), board!, before);
  await handed(A, B, A);
  expect(await told(feed)).toEqual(['entry']);
  await handed(B, B);
  expect([await told(feed), await told(resumed()), await told(stranger)]).toEqual([['delete'], ['delete'], []]);
  await handed(B, C);
  await handed(C, C);
  expect([await told(feed), await told(resumed()), await told(stranger)]).toEqual([[], ['delete'], []]);
  const late = resumed();
  const gone = (await drained(late)).at(-1);
  await handed(C, C);
  expect(await told(new ChangeFeed(stage.reader, reader(A), board!, gone!.cursor))).toEqual([]);
  await handed(C, A, C);
  expect([await told(feed), await told(late)]).toEqual([['entry'], ['entry']]);
});
