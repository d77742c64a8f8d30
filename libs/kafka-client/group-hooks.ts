import type { Cluster } from 'kafkajs';
import { createRequire } from 'node:module';

/** What kafkajs does by itself in a consumer group and its user has to decide. */
export interface GroupHooks {
  /**
   * Before the member joins, and joins again for a rebalance: it waits for this, and sends no heartbeat meanwhile. `lost`: the coordinator no longer knows the member,
   * so its partitions may have other owners. Must not reject.
   */
  beforeJoin(lost: boolean): Promise<void>;
  /**
   * The place of a partition is not in the log. kafkajs would commit and go on at its default offset, which no reader would notice. Seek or pause the partition here,
   * or the same place is asked for again.
   */
  outOfRange(topic: string, partition: number): void;
}

interface ConsumerGroup {
  readonly cluster: Cluster;
  readonly memberId: string | null;
  joinAndSync(): Promise<void>;
  recoverFromOffsetOutOfRange(error: { readonly topic: string; readonly partition: number }): Promise<void>;
}

const hooks = new WeakMap<Cluster, GroupHooks>();
let patched = false;

/** Sets the hooks of the consumer whose cluster this is. */
export function hookGroup(cluster: Cluster, own: GroupHooks): void {
  hooks.set(cluster, own);
  if (patched) return;
  patched = true;
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/consumer/consumerGroup') as { prototype: ConsumerGroup };
  const { joinAndSync, recoverFromOffsetOutOfRange } = prototype;
  prototype.joinAndSync = async function (this: ConsumerGroup) {
    await hooks.get(this.cluster)?.beforeJoin(this.memberId === null);
    return joinAndSync.call(this);
  };
  prototype.recoverFromOffsetOutOfRange = function (this: ConsumerGroup, error) {
    const hook = hooks.get(this.cluster);
    if (hook === undefined) return recoverFromOffsetOutOfRange.call(this, error);
    hook.outOfRange(error.topic, error.partition);
    return Promise.resolve();
  };
}
