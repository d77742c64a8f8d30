import { partitionKey } from '#event';
import type { Cluster } from 'kafkajs';
import type { ClusterLog } from './cluster-log.js';
import { KafkaSourceFault } from './faults.js';
import type { Lines } from './lines.js';
import type { KafkaOptions, OutOfRange } from './options.js';
import type { Tables } from './tables.js';
import { texts } from './texts.js';

interface Kept {
  readonly feed: string;
  readonly low: bigint;
  readonly high: bigint;
}

/**
 * Where a feed begins whose group has stored this place; negative: none. Kafka's own tools store −1 and −2 for the end and the beginning. Throws KafkaSourceFault
 * `offset_out_of_range`.
 */
function startOf({ feed, low, high }: Kept, stored: number, options: KafkaOptions, lines: Lines): number {
  if (stored < 0) return Number(options.from === 'latest' ? high : low);
  if (stored >= low && stored <= high) return stored;
  const why = stored < low ? 'retention' : 'truncated';
  tellRange({ feed, wanted: String(stored), low: String(low), high: String(high), why }, options, lines);
  return Number(low);
}

/** Where a partition begins. */
export interface Start {
  /** Of Kafka, with the prefix. */
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  readonly from: number;
  /** What was stored as finished behind it. */
  readonly above: string | undefined;
}

/** A place as the coordinator answers it. */
interface Stored {
  readonly partition: number;
  readonly offset: string;
  readonly metadata?: string | null;
}

interface StartDeps {
  readonly options: KafkaOptions;
  readonly lines: Lines;
  readonly cluster: Cluster;
  readonly log: Pick<ClusterLog, 'describe'>;
  readonly tables: Pick<Tables, 'identify'>;
}

/** Where the partitions of an assignment begin. Rejects as the coordinator and ClusterLog, and with KafkaSourceFault `offset_out_of_range`. */
export async function startsOf(
  assignment: Readonly<Record<string, readonly number[]>>,
  { options, lines, cluster, log, tables }: StartDeps,
): Promise<readonly Start[]> {
  const { group, prefix = '' } = options;
  const coordinator = await cluster.findGroupCoordinator({ groupId: group });
  const starts: Start[] = [];
  for (const [topic, numbers] of Object.entries(assignment)) {
    if (numbers.length === 0) continue;
    const partitions = numbers.map((partition) => ({ partition })) as { partition: number; offset: string }[];
    const { responses } = await coordinator.offsetFetch({ groupId: group, topics: [{ topic, partitions }] });
    const stored = new Map((responses[0]?.partitions as Stored[] | undefined)?.map((p) => [p.partition, p]));
    const stream = topic.slice(prefix.length);
    const topicId = await tables.identify(stream);
    const ranges = await log.describe(stream);
    for (const partition of numbers) {
      const { low, high } = ranges.find((r) => r.partition === partition)!;
      const kept = { feed: partitionKey(stream, partition), low, high };
      const from = startOf(kept, Number(stored.get(partition)?.offset ?? -1), options, lines);
      const { offset, metadata } = stored.get(partition) ?? {};
      const above = Number(offset) === from && metadata ? metadata : undefined;
      starts.push({ topic, partition, topicId, from, above });
    }
  }
  return starts;
}

/** Tells it. Throws KafkaSourceFault `offset_out_of_range` unless the source is to go on at the first event. */
export function tellRange(found: OutOfRange, { outOfRange = 'stop', language }: KafkaOptions, lines: Lines): void {
  lines.outOfRange(found);
  if (outOfRange === 'earliest') return;
  const what = texts.out_of_range({ ...found });
  throw new KafkaSourceFault('offset_out_of_range', texts.out_of_range_stop({ what }), language);
}
