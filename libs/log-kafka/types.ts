/** What the parts of the adapter hand each other. Names of topics are Kafka's own, with the prefix of the deployment. */

export interface Broker {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

export interface TopicShape {
  /** UUID, hyphenated. */
  readonly id: string;
  /** The broker that leads each partition; -1: no leader now. */
  readonly leaders: readonly number[];
  /** The leader epoch of each partition, as the metadata tells it. */
  readonly epochs: readonly number[];
  /** Number of partitions with a replica that is not in sync. */
  readonly behind: number;
  /** The least number of replicas of a partition. */
  readonly replicas: number;
}

/** Where a broker says that records were written. */
export interface Written {
  readonly partition: number;
  /** Offset of the first record. */
  readonly base: bigint;
  readonly appendTimeMs: number;
}

export interface FetchPosition {
  readonly topicId: string;
  readonly partition: number;
  readonly from: bigint;
  readonly maxBytes: number;
  /** KIP-320. Of the leader that the metadata names: a broker with another epoch refuses. -1: not compared. */
  readonly leaderEpoch: number;
  /** KIP-320. Leader epoch at `from − 1`: a log that holds something else there answers where they diverge. -1: not compared. */
  readonly lastEpoch: number;
}

export interface FetchRequest {
  /** Long poll: how long the broker may hold the request while there is nothing to send. */
  readonly waitMs: number;
  readonly maxBytes: number;
  /** READ_COMMITTED: no record of an open or aborted transaction. Else every record up to the high watermark. */
  readonly committed: boolean;
  /** NO_SESSION, NEW_SESSION, or a session id of the broker with the next epoch. */
  readonly session: number;
  readonly epoch: number;
  readonly wanted: readonly FetchPosition[];
  /** Partitions that the session covered and the client no longer reads. */
  readonly forgotten: readonly { readonly topicId: string; readonly partition: number }[];
}

/** A single fetch without a session. */
export const NO_SESSION = { session: 0, epoch: -1 } as const;
/** Begins an incremental fetch session: later requests name only the partitions that changed. */
export const NEW_SESSION = { session: 0, epoch: 0 } as const;
