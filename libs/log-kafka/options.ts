import type { PartitionReport } from '#log';
import type { KafkaCheck } from '#settings';
import type { UnreadableBatch } from '#kafka-records';
import type { OpenTransaction } from './stable-watch.js';
import type { TopicConcern } from './topic-checks.js';

/** What an operator may want to see of the Kafka clients; never data of events. Each function is called when the thing happens and must not throw. */
export interface KafkaReport extends PartitionReport {
  /** A batch of the partition was refused, late or in doubt: its next batch has a new producer epoch, or after the last epoch a new producer id. */
  producerRenewed?(topic: string, partition: number, what: 'epoch' | 'id', reason: string): void;
  /** The outcome of an append or of a write of a control topic is uncertain. */
  appendUncertain?(topic: string, partition: number, reason: string): void;
  /**
   * A broker acknowledged an append at an unexpected offset: in another partition than `partition`, or without an offset (`acknowledged` is
   * undefined). The outcome is uncertain. It should never happen.
   */
  wroteElsewhere?(
    topic: string,
    partition: number,
    acknowledged: { readonly partition: number; readonly base: bigint } | undefined,
  ): void;
  /** A member of a group lost its session, or a claim failed: it joins or claims again. */
  rejoining?(group: string, reason: string): void;
  /**
   * A batch of a stream has a right checksum and cannot be read: more than 16 MiB when decompressed, an unknown codec, nonsense inside. No gateway
   * writes such a batch. One damaged record stands for its offsets `first` to `last`. Called at each read of it.
   */
  batchUnreadable?(topic: string, partition: number, batch: UnreadableBatch): void;
  /** A transaction in this partition has been open for 60 s or more. In a control topic it hides the rows behind it. */
  transactionOpen?(open: OpenTransaction): void;
  /** A topic, or the cluster, is not as the promises of the hub need it, and is used all the same. Called each time that topics are ensured, and when partitions are added while the log is open. */
  topicConcern?(concern: TopicConcern): void;
  /** An error that a client library logged. */
  clientError?(client: 'kafkajs', message: string): void;
}

export interface KafkaLogOptions {
  /** `host:port` of some brokers of the cluster (bootstrap servers). */
  readonly brokers: readonly string[];
  /** Put before every topic, group and transactional id of this deployment; callers of the port do not see it. */
  readonly prefix?: string;
  readonly clientId: string;
  /** Written into the claim records (R1): where other parts of the hub reach this process. @default clientId */
  readonly address?: string;
  readonly sasl?: {
    readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
    readonly username: string;
    readonly password: string;
  };
  /** Absent: no TLS. `ca`: PEM of a private authority. */
  readonly tls?: { readonly ca?: string };
  /** @default 3 replicas and min.insync.replicas 2 with three brokers or more, else the default of the cluster (1 and 1 on a single broker) */
  readonly replication?: { readonly factor: number; readonly minInSync: number };
  /** After this time an append is `uncertain`, or `refused` when it has not left the process. Must be longer than the longest failover of a leader that appends should survive. @default 60000 */
  readonly appendDeadlineMs?: number;
  /** Session timeout: after this time without a heartbeat, a group member loses its partitions. @default 10000 */
  readonly sessionMs?: number;
  /** Checks of topics whose result the operator accepts: reported as concerns, but no reason to refuse the topic. @default none */
  readonly accept?: readonly KafkaCheck[];
  readonly report?: KafkaReport;
}
