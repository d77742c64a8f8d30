import type { Language } from '#faults';
import type { Sasl } from '#kafka-client';
import type { ConnectionOptions } from 'node:tls';
import type { KafkaSourceFault } from './faults.js';

/** The place that a group has stored is not in the log any more, or never was. */
export interface OutOfRange {
  /** `stream/partition`; the stream alone when its topic was made again: then `wanted`, `low` and `high` are those of one partition. */
  readonly feed: string;
  /** Where the group wanted to go on. */
  readonly wanted: string;
  /** What the log has: its first offset, and its end. */
  readonly low: string;
  readonly high: string;
  /** `retention`: events before `low` were deleted and are not delivered. `truncated`: the log ends below the place. `recreated`: another topic has the name now, told once for all its partitions. */
  readonly why: 'retention' | 'truncated' | 'recreated';
}

/** What an operator of the unit may want to see; never data of events. Called when it happens; must not throw. What is not given here is a line: in the log of a Nest app, else on stderr. */
export interface KafkaSourceReport {
  /** A record that a gateway wrote and that cannot be read any more: it is passed over, as the pages of the hub pass over it. */
  damaged?(position: string): void;
  /** Told before the source goes on at `low`, or before `run` rejects. */
  outOfRange?(found: OutOfRange): void;
  /** The schema of an event is not in the registry of the hub for `patienceMs`. Its partition waits for it; told once, until it is found. */
  schemaMissing?(position: string, schemaId: number): void;
  schemaFound?(): void;
  /**
   * For `patienceMs` no process of the hub has said which of the records from here on are copies: the hub is away, or its projectors are. They are delivered when one
   * does. Told once, until then.
   */
  hubSilent?(position: string): void;
  hubBack?(): void;
  /** Kafka cannot be read for a second, at the start or later; it is tried on. Told once, until it can be read again. */
  unreachable?(fault: KafkaSourceFault): void;
  /** It can be read again. */
  reachable?(): void;
  /** The member lost its session or its broker and joins again. @default nothing is told */
  rejoining?(reason: string): void;
  /** An error that kafkajs logs. @default nothing is told */
  clientError?(message: string): void;
}

export interface KafkaOptions {
  /** `host:port` of some brokers of the cluster (bootstrap servers). */
  readonly brokers: readonly string[];
  /** TLS: true, or options of node:tls such as `ca` for a private authority. @default no TLS */
  readonly ssl?: boolean | ConnectionOptions;
  /** Login. @default none */
  readonly sasl?: Sasl;
  /** The consumer group: processes with the same group share the partitions, and Kafka keeps their places under this name. Begin it with the unit: `su00123.loket`. */
  readonly group: string;
  /** @default the group */
  readonly clientId?: string;
  /** Put before every topic by the hub: its setting SIMPUL_KAFKA_PREFIX. @default none */
  readonly prefix?: string;
  /** Where a group begins that has no place yet. `latest`: its end is found and stored once, before `ready` resolves. @default earliest */
  readonly from?: 'earliest' | 'latest';
  /**
   * When the place of a group is out of range. `stop`: `run` rejects with `offset_out_of_range`, and nothing is passed over. `earliest`: it is told, and the source goes
   * on at the first event that the log has. @default stop
   */
  readonly outOfRange?: 'stop' | 'earliest';
  /** How long the start looks for a broker that answers. Later Kafka may be away for any time. @default 30,000 */
  readonly startMs?: number;
  /** How long a missing schema, or a hub that is away, is waited for before it is told; it is waited for on and on. @default 30,000 */
  readonly patienceMs?: number;
  /** Without a heartbeat for so long a member loses its partitions. Handlers may take longer: heartbeats go on beside them. @default 30,000 */
  readonly sessionMs?: number;
  /** How long work in hand may take at a rebalance and at stop(); at most half of sessionMs at a rebalance. @default half of sessionMs */
  readonly drainMs?: number;
  /** Memory for records that were fetched and not yet delivered, of all partitions. @default 64 MiB */
  readonly bufferBytes?: number;
  /** Most events of one batch. @default 500 */
  readonly batchEvents?: number;
  readonly report?: KafkaSourceReport;
  /** Language of lines and faults. @default en */
  readonly language?: Language;
}

/** Records since the start, of this process. */
export interface KafkaCounts {
  readonly delivered: number;
  /** Copies that were left out (R2.1). */
  readonly copies: number;
  /** Records that no gateway wrote. */
  readonly foreign: number;
  readonly damaged: number;
}
