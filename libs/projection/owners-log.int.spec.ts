import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { INDEX_VIEW, SETTLED_TOPIC } from '#duplicates';
import { MAX_APPEND_RECORDS, OWNERS_SPEC, OWNERS_TOPIC, type EventLog, type GroupMember, type LogRecord } from '#log';
import { openKafkaLog } from '#log-kafka';
import { readAll } from '#log/conformance';
import type { CatalogueIndex } from '#registry';
import { snapshotTopic } from '#snapshots';
import { openRedisState } from '#state-redis';
import { startRedis } from '../../deploy/local/redis.js';
import { noKafka, testKafka } from '../../test/kit/kafka.js';
import { catalogueOfFiles, recordOf, viewsOf } from '../../test/kit/projection/events.js';
import { plainDigest } from '../../test/kit/projection/plain.js';
import { Stage, until } from '../../test/kit/projection/stage.js';
import { traffic, TRAFFIC_VIEWS } from '../../test/kit/projection/traffic.js';
import { digestOfView, type CompiledView, type OpenProjectorDeps } from './index.js';

const CLAIMED_BEFORE = 3_000;

let catalogue: CatalogueIndex;
let views: CompiledView[];
let stage: Stage;
let raises: { partition: number; stored: bigint; epoch: bigint }[];
const report = { epochsRaised: (r: { partition: number; stored: bigint; epoch: bigint }) => void raises.push(r) };

beforeAll(() => {
  catalogue = catalogueOfFiles(2);
  views = viewsOf(catalogue, ...TRAFFIC_VIEWS);
});
beforeEach(() => {
  raises = [];
});

interface Engine {
  readonly open: () => Promise<void>;
  /** Ends log, state and projector of the stage; the log is emptied when `empty`. Then opens the stage again. */
  readonly reopen: (empty: boolean) => Promise<void>;
  readonly close: () => Promise<void>;
}

const embedded: Engine = {
  open: async () => void (stage = await new Stage(catalogue, views).open()),
  reopen: async (empty) => {
    await stage.shut();
    if (empty) rmSync(join(stage.dir, 'log'), { recursive: true });
    await stage.open();
  },
  close: () => stage.close(),
};

const kafkaAndRedis = (): Engine => {
  const opened = new AsyncDisposableStack();
  let next: () => Promise<void>;
  return {
    open: async () => {
      const dir = mkdtempSync(join(tmpdir(), 'simpul-owners-'));
      opened.defer(() => rmSync(dir, { recursive: true, force: true }));
      const kafka = await testKafka();
      opened.defer(() => kafka.stop());
      const server = await startRedis({ dir, cache: '.simpul/redis' });
      opened.defer(() => server.stop());
      let log: EventLog;
      let redis: Awaited<ReturnType<typeof openRedisState>>;
      stage = new Stage(catalogue, views, {
        wrapLog: (own) => {
          void own.close();
          return log;
        },
        wrapState: (own) => {
          void own.close();
          return redis;
        },
      });
      next = async () => {
        log = await openKafkaLog({ brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'owners' });
        redis = await openRedisState({ url: server.url });
        await log.ensureTopics([
          OWNERS_SPEC,
          ...stage.streams.map(({ name, partitions }) => ({ name, partitions, cleanup: 'keep' as const })),
        ]);
        await stage.open();
      };
      await next();
    },
    reopen: async (empty) => {
      if (empty) {
        await stage.projector?.close();
        stage.projector = undefined;
        for (const topic of await stage.log.topics()) await stage.log.deleteTopic(topic);
      }
      await stage.shut();
      await next();
    },
    close: async () => {
      await stage.close();
      await opened.disposeAsync();
    },
  };
};

const reason = await noKafka();
const engines: [string, () => Engine][] = [['embedded', () => embedded]];
if (reason === undefined) engines.push(['Kafka and Redis', kafkaAndRedis]);

const owners = (): Promise<LogRecord[]> => readAll(stage.log, OWNERS_TOPIC, 0);
const endOfOwners = async (): Promise<bigint> => (await stage.log.describe(OWNERS_TOPIC))[0]!.high;

/** As many claims as a hub that has been started often. */
async function claimOften(times = CLAIMED_BEFORE): Promise<void> {
  const record = { key: Buffer.from('other/0'), value: Buffer.from('{}'), headers: [] };
  for (let n = 0; n < times; n += MAX_APPEND_RECORDS)
    await stage.log.append(OWNERS_TOPIC, 0, new Array(MAX_APPEND_RECORDS).fill(record));
}

async function makeOwnersAgain(): Promise<void> {
  await stage.log.deleteTopic(OWNERS_TOPIC);
  await stage.log.ensureTopic(OWNERS_SPEC);
}

async function project(more: Partial<OpenProjectorDeps> = {}): Promise<void> {
  await stage.project({ report, ...more });
}

async function stop(): Promise<void> {
  await stage.projector?.close();
  stage.projector = undefined;
}

/** Every view partition has a snapshot, but for those of which a stream has no checkpoint. */
async function snapshotsWritten(): Promise<void> {
  await until(async () => {
    const topics = await stage.log.topics();
    if (!views.every((view) => topics.includes(snapshotTopic(stage.storage(view))))) return false;
    const held = stage.projector!.snapshots();
    for (const { name, streams, partitions } of views) {
      const mine = held.filter((s) => s.view === name);
      if (mine.length < partitions) return false;
      for (const { storage, partition, state } of mine) {
        if (state === 'complete') continue;
        const stored = await stage.state.positions(
          storage,
          streams.map((stream) => ({ stream, partition })),
        );
        if (state !== 'none' || !stored.includes(undefined)) return false;
      }
    }
    return true;
  });
}

async function expectPlain(): Promise<void> {
  let seen: unknown;
  const want = await Promise.all(views.map(async (v) => [v.name, await plainDigest(stage.log, catalogue, v)]));
  await until(async () => {
    seen = await Promise.all(views.map(async (v) => [v.name, await digestOfView(stage.state, v, stage.storage(v))]));
    return JSON.stringify(seen) === JSON.stringify(want);
  }).catch(() => undefined);
  expect(seen).toEqual(want);
}

describe.each(engines)('the owners log, on %s', (_name, engineOf) => {
  let engine: Engine;
  beforeEach(async () => {
    engine = engineOf();
    await engine.open();
  });
  afterEach(() => engine.close());

  it('that was deleted while the hub stood still: epochs are raised above the stored ones in one step, with an alarm, and folding goes on', async () => {
    await claimOften();
    await stage.append(traffic(catalogue, 1, 300));
    await project();
    await stage.untilCaughtUp();
    await stop();
    await makeOwnersAgain();
    await stage.append(traffic(catalogue, 2, 200));
    await project();
    await stage.untilCaughtUp();
    await expectPlain();
    const claims = (await owners()).filter(
      (r) => r.value !== null && r.key!.toString().startsWith('simpul.projector/'),
    );
    expect(claims.length).toBeLessThanOrEqual(6);
    expect(await endOfOwners()).toBeLessThan(2n * BigInt(CLAIMED_BEFORE));
    expect(raises.length).toBeGreaterThan(0);
    for (const { stored, epoch } of raises) expect(epoch).toBeGreaterThan(stored);
  });

  it('that is gone together with all other topics: views over several streams are folded from the new log', async () => {
    await claimOften();
    await stage.append(traffic(catalogue, 1, 300).filter(({ partition }) => partition === 0));
    // With snapshots every view partition has a checkpoint under the epoch of its owner, also one without events.
    for (let n = 0; n < 2; n++) {
      await project({ snapshots: 'all', snapshotLingerMs: 10 });
      await stage.untilCaughtUp();
      await snapshotsWritten();
      await stop();
    }
    await engine.reopen(true);
    await stage.append(traffic(catalogue, 5, 60));
    await project({ snapshots: 'all' });
    await stage.untilCaughtUp();
    await expectPlain();
    expect(raises.length).toBeGreaterThan(0);
  });

  it('that was deleted, and the state too: snapshots of views are filled from and written on', async () => {
    await claimOften(2_000);
    await stage.append(traffic(catalogue, 1, 300));
    await project({ snapshots: 'all', snapshotLingerMs: 10 });
    await stage.untilCaughtUp();
    await snapshotsWritten();
    await stop();
    for (let n = 1; n <= 2; n++) {
      await makeOwnersAgain();
      await stage.maintain();
      for (const storage of [INDEX_VIEW, ...views.map((v) => stage.storage(v))]) await stage.state.drop(storage, 2);
      await stage.append(traffic(catalogue, 10 + n, 100));
      const filled: string[] = [];
      await project({
        snapshots: 'all',
        snapshotLingerMs: 10,
        report: { ...report, filledFromSnapshot: (_v, _s, _p, outcome) => filled.push(outcome) },
      });
      await stage.untilCaughtUp();
      await expectPlain();
      await snapshotsWritten();
      expect(new Set(filled)).toEqual(new Set(['filled']));
      await stop();
    }
    expect(raises.length).toBeGreaterThan(0);
  });

  it('that was deleted: no owner writes over the copies that an earlier one has listed', async () => {
    const fact = (id: string) => recordOf(catalogue, { type: 'layanan.kasus.status-berubah', id });
    const one = fact('satu');
    const { partition, stream } = one;
    const listed = (): (bigint | undefined)[] =>
      [1n, 3n].map((offset) => stage.copies.originalOf(stream, partition, offset));
    await stage.append([one, one]);
    await project();
    await stage.untilCaughtUp();
    await stop();
    await makeOwnersAgain();
    const two = { ...fact('dua'), partition };
    await stage.append([two, two]);
    await project();
    await stage.untilCaughtUp();
    await stop();
    await stage.maintain();
    const rows = new Map<string, string>();
    for (const { partition: p } of await stage.log.describe(SETTLED_TOPIC))
      for (const { key, value } of await readAll(stage.log, SETTLED_TOPIC, p))
        rows.set(key!.toString(), value!.toString());
    const chunks = [...rows.keys()].filter((key) => /\/\d+\/\d+\/\d+$/.test(key));
    expect([listed(), chunks.length]).toEqual([[0n, 2n], 2]);
  });

  it('that was deleted: an owner under an epoch of the old one that wakes up late does no harm', async () => {
    await claimOften(2_000);
    await stage.append(traffic(catalogue, 1, 100));
    let frozen = true;
    let thaw = (): void => undefined;
    const thawed = new Promise<void>((resolve) => (thaw = resolve));
    const zombie = await stage.prepareProjector({
      // its group is another one: only the epochs keep it from the stores
      log: new Proxy(stage.log, {
        get: (log, name) => {
          const value: unknown = Reflect.get(log, name);
          if (name === 'join')
            return (group: string, topics: readonly string[], member: GroupMember) =>
              log.join(`${group}.zombie`, topics, {
                ...member,
                batch: async (at, batch, signal) => {
                  if (frozen) await thawed;
                  return member.batch(at, batch, signal);
                },
              });
          return typeof value === 'function' ? (value.bind(log) as unknown) : value;
        },
      }),
      views: views.slice(0, 0),
    });
    await zombie.join();
    await until(() => zombie.held().length > 0);
    await makeOwnersAgain();
    await project();
    await stage.untilCaughtUp();
    frozen = false;
    thaw();
    await stage.append(traffic(catalogue, 3, 100));
    await stage.untilCaughtUp();
    await expectPlain();
    await zombie.close();
  });
});
