import { LANES_TOPIC } from '#delivery';
import { OWNERS_TOPIC, type EventLog, type LogRecord } from '#log';
import { openKafkaLog } from '#log-kafka';
import { COURIER_PARTITIONS, partitionOfSubscription } from '#subscriptions';
import type { ToldSend } from './history.js';
import type { Fault } from './judge.js';

/** That a courier is the owner of a partition from now on (R1.1). */
export interface Claim {
  readonly partition: number;
  /** Where the courier listens. */
  readonly port: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/**
 * The claims of all couriers under which one has become the owner, in the order of the log. A claim of an assignment that was over when the log took it is not among
 * them, although it may be the newest for a while.
 */
export async function claimsIn(brokers: readonly string[], prefix: string): Promise<readonly Claim[]> {
  const log = await openKafkaLog({ brokers, prefix, clientId: 'claims' });
  try {
    const taken = new Set<string>();
    for (let partition = 0; partition < COURIER_PARTITIONS; partition++)
      for await (const { key, value } of recordsOf(log, LANES_TOPIC, partition))
        if (key?.toString() === 'owner' && value !== null)
          taken.add(`${partition}/${(JSON.parse(value.toString()) as { epoch: string }).epoch}`);
    const claims: Claim[] = [];
    for await (const { key, value, offset, appendTimeMs } of recordsOf(log, OWNERS_TOPIC, 0)) {
      const partition = /^simpul\.couriers\/(\d+)$/.exec(key?.toString() ?? '')?.[1];
      if (partition === undefined || value === null || !taken.has(`${partition}/${offset}`)) continue;
      const { address } = JSON.parse(value.toString()) as { address: string };
      claims.push({ partition: Number(partition), port: Number(new URL(address).port), at: appendTimeMs });
    }
    return claims;
  } finally {
    await log.close();
  }
}

async function* recordsOf(log: Pick<EventLog, 'read'>, topic: string, partition: number): AsyncIterable<LogRecord> {
  for (let next = 0n; ;) {
    const got = await log.read(topic, partition, next, {});
    if (got.kind !== 'records') throw new Error(got.kind);
    yield* got.records;
    if (got.next === next || got.next >= got.high) return;
    next = got.next;
  }
}

/** Attempts that a process began after another one had claimed the partition of the subscription. */
export function staleSends(sends: readonly ToldSend[], claims: readonly Claim[]): readonly string[] {
  const of = Map.groupBy(claims, ({ partition }) => partition);
  return sends.flatMap(({ subscription, port, at, positions }) => {
    const owner = of.get(partitionOfSubscription(subscription))?.findLast((claim) => claim.at < at);
    return owner === undefined || owner.port === port
      ? []
      : [
          `${subscription} ${positions.join()} at ${port}: ${owner.port} had claimed it ${at - owner.at} ms before, at ${owner.at}, partition ${owner.partition}`,
        ];
  });
}

/** Attempts that were cut off when a partition went from one living process to the next: those that began so short a time before the last one there. */
const CUT_MS = 250;
/** From the beginning of an attempt until it is whole at the receiver, on a machine with other work. */
const WAY_MS = 500;

/**
 * What R8.7 allows where a subscription was claimed anew, by another process or by the same one. `pids`: of processes that ended in order, and had time to leave nothing cut off. `slow`: how many times
 * longer everything takes than on a machine without other work.
 */
export function movesIn(
  sends: readonly ToldSend[],
  claims: readonly Claim[],
  names: ReadonlyMap<string, string>,
  pids: ReadonlySet<number>,
  slow = 1,
): readonly Fault[] {
  const of = Map.groupBy(sends, ({ subscription }) => subscription);
  return [...of].flatMap(([subscription, own]) =>
    claims
      .filter(({ partition }) => partition === partitionOfSubscription(subscription))
      .flatMap((claim): Fault[] => {
        const before = own.findLast(({ at }) => at < claim.at);
        if (before === undefined || pids.has(before.pid)) return [];
        const { at: from } = before;
        const receiver = names.get(subscription)!;
        return [{ what: 'moved', receiver, from, until: from + WAY_MS * slow, beforeMs: CUT_MS * slow }];
      }),
  );
}
