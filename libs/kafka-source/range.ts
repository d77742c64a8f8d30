import { partitionKey } from '#event';
import type { Cluster } from 'kafkajs';
import type { ClusterLog } from './cluster-log.js';
import { KafkaSourceFault } from './faults.js';
import type { Lines } from './lines.js';
import type { KafkaOptions, OutOfRange } from './options.js';
import { isOther, parseMarks, type Marks } from './marks.js';
import { MARKED, type Tables } from './tables.js';
import { rangeText, texts } from './texts.js';

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
  /** The group has no place yet. */
  readonly isFirst: boolean;
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
  /** What this process has read; it counts more than the marks of the group, which are stored later. */
  readonly read: Marks;
}

export interface Starts {
  readonly starts: readonly Start[];
  readonly marks: Marks;
}

/** Where the partitions of an assignment begin. Rejects as the coordinator and ClusterLog, and with KafkaSourceFault `offset_out_of_range`. */
export async function startsOf(
  assignment: Readonly<Record<string, readonly number[]>>,
  { options, lines, cluster, log, tables, read }: StartDeps,
): Promise<Starts> {
  const { group, prefix = '' } = options;
  const coordinator = await cluster.findGroupCoordinator({ groupId: group });
  const storedOf = async (topic: string, numbers: readonly number[]): Promise<ReadonlyMap<number, Stored>> => {
    const partitions = numbers.map((partition) => ({ partition })) as { partition: number; offset: string }[];
    const { responses } = await coordinator.offsetFetch({ groupId: group, topics: [{ topic, partitions }] });
    return new Map((responses[0]?.partitions as Stored[] | undefined)?.map((p) => [p.partition, p]));
  };
  const marks = parseMarks((await storedOf(prefix + MARKED, [0])).get(0)?.metadata);
  const starts: Start[] = [];
  for (const [topic, numbers] of Object.entries(assignment)) {
    if (numbers.length === 0) continue;
    const stored = await storedOf(topic, numbers);
    const stream = topic.slice(prefix.length);
    const topicId = await tables.identify(stream);
    const ranges = new Map((await log.describe(stream)).map((range) => [range.partition, range]));
    const placeOf = (partition: number): number => Number(stored.get(partition)?.offset ?? -1);
    const isAnew = isOther(new Map([...marks, ...read]), stream, topicId);
    if (isAnew) tellRecreated(stream, placeOf(numbers[0]!), ranges.get(numbers[0]!)!, options, lines);
    for (const partition of numbers) {
      const { low, high } = ranges.get(partition)!;
      const kept = { feed: partitionKey(stream, partition), low, high };
      const from = isAnew ? Number(low) : startOf(kept, placeOf(partition), options, lines);
      const { offset, metadata } = stored.get(partition) ?? {};
      const above = !isAnew && Number(offset) === from && metadata ? metadata : undefined;
      starts.push({ topic, partition, topicId, from, above, isFirst: !isAnew && placeOf(partition) < 0 });
    }
  }
  return { starts, marks };
}

/** One line for all partitions of a stream: its places mean nothing any more. Throws as tellRange(). */
export function tellRecreated(
  stream: string,
  wanted: number,
  { low, high }: { readonly low: bigint; readonly high: bigint },
  options: KafkaOptions,
  lines: Lines,
): void {
  const found = { feed: stream, wanted: String(wanted), low: String(low), high: String(high) };
  tellRange({ ...found, why: 'recreated' }, options, lines);
}

/** Tells it. Throws KafkaSourceFault `offset_out_of_range` unless the source is to go on at the first event. */
export function tellRange(found: OutOfRange, { outOfRange = 'stop', language }: KafkaOptions, lines: Lines): void {
  lines.outOfRange(found);
  if (outOfRange === 'earliest') return;
  const what = rangeText(found);
  throw new KafkaSourceFault('offset_out_of_range', texts.out_of_range_stop({ what }), language);
}
