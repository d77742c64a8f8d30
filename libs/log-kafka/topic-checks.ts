import { MAX_RECORD_BYTES, type TopicSpec } from '#log';
import type { KafkaCheck } from '#settings';

/** A topic that is not as the hub's promises need it. */
export interface TopicConcern {
  /** Kafka's own name of the topic, with the prefix of the deployment; `cluster` for the cluster itself. */
  readonly topic: string;
  readonly check: KafkaCheck | 'retention' | 'partitions' | 'brokers' | 'compression';
  /** Kafka's name of the setting, and its value now. */
  readonly setting: string;
  readonly actual: string;
  /** The value that the promise needs. */
  readonly needed: string;
  /** The command of Kafka's own tools that mends it; absent when no command does. */
  readonly command?: string;
  /** true: events could be lost or shown wrongly, so the start is refused unless the operator accepts the check. `retention` and `partitions` cannot be accepted. */
  readonly breaks: boolean;
}

/** The settings of a topic that are looked at. */
export const CHECKED_CONFIGS = [
  'cleanup.policy',
  'retention.ms',
  'min.insync.replicas',
  'unclean.leader.election.enable',
  'retention.bytes',
  'message.timestamp.type',
  'max.message.bytes',
  'compression.type',
] as const;

export interface FoundTopic {
  readonly partitions: number;
  /** The least number of replicas of a partition. */
  readonly replicas: number;
  readonly configs: Readonly<Record<string, string | null>>;
}

/** Kafka's limit for one record batch: the largest record, and room for the head of its batch. */
export const BATCH_BYTES = MAX_RECORD_BYTES + 65_536;
const REPLICAS = 3;

const alter = (topic: string, config: string): string =>
  `kafka-configs.sh --bootstrap-server … --alter --entity-type topics --entity-name ${topic} --add-config ${config}`;

/** More partitions than the hub made or recorded: a concern only, because keys go on being mapped to the recorded number. */
export function addedPartitions(name: string, recorded: number, found: number): TopicConcern | undefined {
  if (found <= recorded) return undefined;
  return {
    topic: name,
    check: 'partitions',
    setting: 'partitions',
    actual: String(found),
    needed: String(recorded),
    breaks: false,
  };
}

/**
 * Compares a topic that exists with what the promises of the hub need of it, whoever made it. `brokers`: how many the cluster has now; with fewer than
 * three, one copy of a record is all that there can be. Pure.
 */
export function checkTopic(name: string, spec: TopicSpec, found: FoundTopic, brokers: number): TopicConcern[] {
  const { replicas, configs } = found;
  const keeps = spec.cleanup === 'keep';
  const out: TopicConcern[] = [];
  const config = (
    check: TopicConcern['check'],
    setting: string,
    needed: string,
    isWrong = (value: string): boolean => value !== needed,
  ): void => {
    const actual = configs[setting];
    if (actual === undefined || actual === null || !isWrong(actual)) return;
    const command = alter(name, `${setting}=${needed}`);
    out.push({ topic: name, check, setting, actual, needed, command, breaks: check !== 'compression' });
  };
  if (found.partitions < spec.partitions)
    out.push({
      topic: name,
      check: 'partitions',
      setting: 'partitions',
      actual: String(found.partitions),
      needed: String(spec.partitions),
      command: `kafka-topics.sh --bootstrap-server … --alter --topic ${name} --partitions ${spec.partitions}`,
      breaks: true,
    });
  const added = addedPartitions(name, spec.partitions, found.partitions);
  if (added !== undefined) out.push(added);
  if (brokers >= REPLICAS && replicas < REPLICAS)
    out.push({
      topic: name,
      check: 'replication',
      setting: 'replication factor',
      actual: String(replicas),
      needed: String(REPLICAS),
      command: `kafka-reassign-partitions.sh --bootstrap-server … --execute --reassignment-json-file …  (3 replicas for each partition of ${name})`,
      breaks: true,
    });
  // With fewer, an acknowledged record is on one disk; with more than there are replicas, no append is ever accepted.
  const inSync = Math.min(replicas, 2);
  config('min-insync', 'min.insync.replicas', String(inSync), (v) => Number(v) < inSync || Number(v) > replicas);
  config('unclean', 'unclean.leader.election.enable', 'false', (v) => v === 'true');
  config('cleanup', 'cleanup.policy', keeps ? 'delete' : 'compact');
  // Of a compacted topic Kafka deletes nothing by time or size.
  if (keeps) config('retention', 'retention.ms', String(spec.retentionMs ?? -1));
  if (keeps) config('retention-bytes', 'retention.bytes', '-1');
  config('timestamp', 'message.timestamp.type', 'LogAppendTime');
  config('max-message', 'max.message.bytes', String(BATCH_BYTES), (v) => Number(v) < BATCH_BYTES);
  // A broker that compresses again loses nothing, but costs itself CPU for each append and every reader CPU for each read.
  config('compression', 'compression.type', 'producer', (v) => v !== 'producer' && v !== 'uncompressed');
  return out;
}

/** A cluster of fewer than three brokers: said at every start, because a lost disk is then lost data. */
export function checkCluster(brokers: number): TopicConcern | undefined {
  if (brokers >= REPLICAS) return undefined;
  return {
    topic: 'cluster',
    check: 'brokers',
    setting: 'brokers',
    actual: String(brokers),
    needed: String(REPLICAS),
    breaks: false,
  };
}
