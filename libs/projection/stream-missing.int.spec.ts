import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Caller } from '#access';
import { INDEX_VIEW, openSettled } from '#duplicates';
import { catalogueOfFiles, recordOf, viewsOf } from '../../test/kit/projection/events.js';
import { Stage, until } from '../../test/kit/projection/stage.js';
import { Backlogs, Ends } from './index.js';
import { Projector } from './projector.js';

const catalogue = catalogueOfFiles(2);
const STREAM = 'layanan.kasus';
const MISSING = 'layanan.tenggat';
const steward: Caller = { keyId: 'uji', owner: 'SU00001', system: 'uji', roles: new Set(['steward']) };
const views = viewsOf(catalogue, 'layanan.kasus-papan', 'imigrasi.cegah-aktif');
const [board, bans] = views as [(typeof views)[0], (typeof views)[0]];
let stage: Stage;

const fact = (nomorKasus: string) =>
  recordOf(catalogue, {
    type: 'layanan.kasus.status-berubah',
    data: { nomorKasus },
    source: 'urn:simpul:unit:SU00100:a',
  });

beforeEach(async () => {
  stage = await new Stage(catalogue, views).open();
  await stage.append([fact('K-1')]);
  await stage.project();
  await stage.untilCaughtUp();
});
afterEach(() => stage.close());

it('a stream that is missing in the log is a fault of every read of a view that folds it, and of no other; made again, the view is read again', async () => {
  let nowMs = Date.now();
  const ends = new Ends({ log: stage.log, state: stage.state, now: () => nowMs });
  const { state, generations, streams } = stage;
  const backlogs = new Backlogs({ state, views, generations, ends, streams: () => streams, now: () => nowMs });
  const spec = { name: MISSING, partitions: (await stage.log.describe(MISSING)).length, cleanup: 'keep' } as const;
  expect((await stage.reader.get(steward, board, 'K-1')).kind).toBe('entry');
  await stage.log.deleteTopic(MISSING);
  const gone = { code: 'unknown_topic' };
  const get = (view: typeof board, key: string) => stage.reader.get(steward, view, key).then((got) => got.kind);
  await until(() =>
    get(board, 'K-1').then(
      (kind) => kind !== 'entry',
      () => true,
    ),
  );
  await expect(get(board, 'K-1')).rejects.toMatchObject(gone);
  await expect(get(board, 'K-9')).rejects.toMatchObject(gone);
  await expect(stage.reader.list(steward, board, [], 10, undefined)).rejects.toMatchObject(gone);
  expect(await get(bans, 'C-1')).toBe('absent');
  nowMs += 10_000;
  expect([await backlogs.views(), await backlogs.index()]).toEqual(['unknown_topic', undefined]);
  await stage.log.ensureTopic(spec);
  await until(() =>
    get(board, 'K-1').then(
      (kind) => kind === 'entry',
      () => false,
    ),
  );
  nowMs += 10_000;
  await until(async () => (nowMs += 2_000) > 0 && (await backlogs.views()) === undefined);
});

it('a stream that is missing in the log does not hold up the other streams of its views: their owner begins and goes on', async () => {
  await stage.projector!.close();
  stage.projector = undefined;
  let connection = 1;
  const state = new Proxy(stage.state, {
    get: (t, name) => {
      if (name === 'connection') return () => connection;
      const value: unknown = Reflect.get(t, name);
      return typeof value === 'function' ? (value as () => unknown).bind(t) : value;
    },
  });
  const p = new Projector({ ...stage, state, now: Date.now });
  const { partition } = fact('K-1');
  await p.start({ topic: MISSING, topicId: await stage.log.topicId(MISSING), partition, epoch: 1_000n });
  await stage.log.deleteTopic(MISSING);
  const at = { topic: STREAM, topicId: await stage.log.topicId(STREAM), partition, epoch: 1_000n };
  const { offset } = await p.start(at);
  expect(offset).toBe(1n);
  await stage.append([fact('K-1')]);
  const read = await stage.log.read(STREAM, partition, offset);
  if (read.kind !== 'records') throw new Error(read.kind);
  expect(await p.batch(at, read, new AbortController().signal)).toEqual({ next: 2n });
  for (const storage of [INDEX_VIEW, stage.storage(board)])
    expect(await stage.state.position(storage, { stream: STREAM, partition })).toMatchObject({ next: 2n });
  // after a new connection to the store, the others are compared with it
  connection = 2;
  await p.verify();
  expect(p.held().map((h) => [h.stream, h.connection])).toEqual([
    [MISSING, 1],
    [STREAM, 2],
  ]);
  await p.close();
});

it('a stream that is missing in the log is reported once, and when it is found again', async () => {
  const told: string[] = [];
  const { log, state, copies, streams } = stage;
  const report = {
    streamMissing: (stream: string) => told.push(`missing ${stream}`),
    streamFound: (stream: string) => told.push(`found ${stream}`),
  };
  const settled = await openSettled({ log, state, copies, streams, report, identifyMs: 10 });
  const spec = { name: MISSING, partitions: (await log.describe(MISSING)).length, cleanup: 'keep' } as const;
  await log.deleteTopic(MISSING);
  await until(() => told.length > 0);
  await log.ensureTopic(spec);
  await until(() => told.length > 1);
  expect(told).toEqual([`missing ${MISSING}`, `found ${MISSING}`]);
  await settled.close();
});
