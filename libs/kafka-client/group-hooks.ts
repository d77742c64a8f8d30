import type { Cluster } from 'kafkajs';
import { createRequire } from 'node:module';

/**
 * What comes before the member joins, and joins again for a rebalance: it waits for this, and sends no heartbeat meanwhile. `lost`: the coordinator no longer knows
 * the member, so its partitions may have other owners. Must not reject.
 */
export type BeforeJoin = (lost: boolean) => Promise<void>;

interface ConsumerGroup {
  readonly cluster: Cluster;
  readonly memberId: string | null;
  joinAndSync(): Promise<void>;
}

const hooks = new WeakMap<Cluster, BeforeJoin>();
let patched = false;

/** Sets the hook of the consumer whose cluster this is. */
export function hookJoin(cluster: Cluster, beforeJoin: BeforeJoin): void {
  hooks.set(cluster, beforeJoin);
  if (patched) return;
  patched = true;
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/consumer/consumerGroup') as { prototype: ConsumerGroup };
  const { joinAndSync } = prototype;
  prototype.joinAndSync = async function (this: ConsumerGroup) {
    await hooks.get(this.cluster)?.(this.memberId === null);
    return joinAndSync.call(this);
  };
}
