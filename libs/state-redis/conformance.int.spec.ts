import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { describeState, type StateHarness } from '#state/conformance';
import { provisionRedis } from '../../deploy/local/redis.js';
import { openRedisState } from './index.js';
import { startCluster } from './cluster.fixture.js';

async function harness(
  url: string,
  prefix: string,
  empty: () => Promise<void>,
  end: () => Promise<void>,
): Promise<StateHarness> {
  let now = Date.now();
  const open = () => openRedisState({ url, prefix, now: () => now, timeoutMs: 10_000 });
  let state = await open();
  return {
    get state() {
      return state;
    },
    advance: (ms) => (now += ms),
    empty,
    reopen: async () => {
      await state.close();
      state = await open();
    },
    close: async () => {
      await state.close();
      await end();
    },
  };
}

describeState('Redis', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-redis-'));
  const server = await provisionRedis({ dir, cache: '.simpul/redis', given: process.env['SIMPUL_TEST_REDIS'] });
  const redis = new Redis(server.url);
  const prefix = `uji-${process.pid}-${Date.now()}:`;
  // A given server may be shared, so only the keys of this run are deleted.
  const empty = async (): Promise<void> => {
    if (server.from !== 'given') return void (await redis.flushall());
    for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1_000 }) as AsyncIterable<string[]>) {
      if (keys.length > 0) await redis.unlink(...keys);
    }
  };
  return harness(server.url, prefix, empty, async () => {
    await empty();
    redis.disconnect();
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  });
});

describeState('Redis Cluster', async () => {
  const cluster = await startCluster(2);
  return harness(cluster.url, '', cluster.flush, cluster.stop);
});
