import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startRedis, type RedisServer } from '../../deploy/local/redis.js';

const SLOTS = 16_384;

export interface TestCluster {
  /** `cluster://…` */
  readonly url: string;
  readonly nodes: readonly RedisServer[];
  flush(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a Redis Cluster of `size` masters on this machine, with the hash slots divided among them. */
export async function startCluster(size: number): Promise<TestCluster> {
  const dir = mkdtempSync(join(tmpdir(), 'simpul-cluster-'));
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  const nodes: RedisServer[] = [];
  for (let i = 0; i < size; i++) {
    // The cluster bus listens on port + 10,000, so the port must be below 55,536.
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    nodes.push(await startRedis({ dir: join(dir, String(i)), cache: '.simpul/redis', port, args }));
  }
  const clients = nodes.map((node) => new Redis(node.url));
  for (const [i, client] of clients.entries()) {
    const from = Math.floor((SLOTS * i) / size);
    const to = Math.floor((SLOTS * (i + 1)) / size);
    await client.cluster('ADDSLOTS', ...Array.from({ length: to - from }, (_, n) => from + n));
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
    if (i > 0) await clients[0]!.call('CLUSTER', 'MEET', '127.0.0.1', String(nodes[i]!.port));
  }
  const formed = async (client: Redis): Promise<boolean> => {
    const info = String(await client.call('CLUSTER', 'INFO'));
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${size}`);
  };
  for (const client of clients) {
    while (!(await formed(client))) await sleep(20);
  }
  return {
    url: `cluster://${nodes.map((node) => `127.0.0.1:${node.port}`).join(',')}`,
    nodes,
    flush: async () => {
      await Promise.all(clients.map((client) => client.flushall()));
    },
    stop: async () => {
      clients.forEach((client) => client.disconnect());
      await Promise.all(nodes.map((node) => node.stop()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
