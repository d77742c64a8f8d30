import { expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { OWNERS_SPEC } from '#log';
import { openKafkaLog } from '#log-kafka';
import { snapshotTopic } from '#snapshots';
import { openRedisState } from '#state-redis';
import { startRedis } from '../../deploy/local/redis.js';
import { noKafka, testKafka } from '../../test/kit/kafka.js';
import { catalogueOfFiles, viewsOf } from '../../test/kit/projection/events.js';
import { plainDigest } from '../../test/kit/projection/plain.js';
import { Stage, until } from '../../test/kit/projection/stage.js';
import { traffic } from '../../test/kit/projection/traffic.js';
import { digestOfView, storageOf } from './index.js';

const reason = await noKafka();

if (reason !== undefined) it.skip(`skipped: ${reason}`, () => {});
else
  it('on Kafka and Redis: after FLUSHALL, under the running hub and while it is stopped, views are filled from their snapshots and only the tail is folded', async () => {
    await using opened = new AsyncDisposableStack();
    const dir = mkdtempSync(join(tmpdir(), 'simpul-snapshots-kafka-'));
    opened.defer(() => rmSync(dir, { recursive: true, force: true }));
    const kafka = await testKafka();
    opened.defer(() => kafka.stop());
    const server = await startRedis({ dir, cache: '.simpul/redis' });
    opened.defer(() => server.stop());
    const redis = await openRedisState({ url: server.url });
    const log = await openKafkaLog({ brokers: kafka.brokers, prefix: kafka.prefix, clientId: 'snapshots' });
    const catalogue = catalogueOfFiles(2);
    const views = viewsOf(catalogue, 'layanan.kasus-papan', 'layanan.kasus-jumlah');
    const stage = new Stage(catalogue, views, { wrapLog: () => log, wrapState: () => redis });
    opened.defer(() => stage.close());
    await log.ensureTopics([
      OWNERS_SPEC,
      ...stage.streams.map(({ name, partitions }) => ({ name, partitions, cleanup: 'keep' as const })),
    ]);
    await stage.open();
    const mine = (seed: number, count: number) =>
      traffic(catalogue, seed, count).filter((t) => stage.streams.some((s) => s.name === t.stream));
    let folded = 0;
    const outcomes: string[] = [];
    const project = () =>
      stage.project({
        snapshots: 'all',
        snapshotLingerMs: 20,
        report: {
          folded: (_view, _storage, _part, _next, events) => (folded += events),
          filledFromSnapshot: (_view, _storage, _partition, outcome) => outcomes.push(outcome),
        },
      });
    const written = () =>
      until(async () => {
        const held = stage.projector!.snapshots();
        if (held.length < 4 || held.some((s) => s.state !== 'complete')) return false;
        for (const { storage, partition, places } of held)
          for (const { stream, next } of places)
            if ((await redis.position(storage, { stream, partition }))?.next !== next) return false;
        return true;
      });
    const expectPlain = async (): Promise<void> => {
      for (const view of views)
        expect([view.name, await digestOfView(redis, view, storageOf(view.name, 1))]).toEqual([
          view.name,
          await plainDigest(log, catalogue, view),
        ]);
    };
    const admin = new Redis(server.url);
    opened.defer(() => admin.disconnect());

    await stage.append(mine(71, 1_200));
    await project();
    await stage.untilCaughtUp();
    await written();
    expect(await log.topics()).toEqual(expect.arrayContaining(views.map((v) => snapshotTopic(storageOf(v.name, 1)))));
    folded = 0;
    await admin.flushall();
    await until(async () => outcomes.length >= 4 && (await stage.caughtUp()));
    await expectPlain();
    expect([folded, new Set(outcomes)]).toEqual([0, new Set(['filled'])]);

    await written();
    await stage.projector!.close();
    await admin.flushall();
    const tail = mine(72, 60);
    await stage.append(tail);
    outcomes.length = 0;
    await project();
    await stage.untilCaughtUp();
    await expectPlain();
    expect(new Set(outcomes)).toEqual(new Set(['filled']));
    expect(folded).toBeLessThanOrEqual(tail.length * views.length);
  });
