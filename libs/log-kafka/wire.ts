/** What the adapter and its client libraries hand each other, in plain shapes. Names of topics are Kafka's own, with the prefix. */

export interface Node {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

export interface TopicShape {
  /** UUID, hyphenated. */
  readonly id: string;
  /** Leader of each partition; -1 = none now. */
  readonly leaders: readonly number[];
  /** Partitions with a copy that is not in sync. */
  readonly behind: number;
}

export interface Sent {
  readonly partition: number;
  readonly base: bigint;
  readonly timeMs: number;
}

export interface WantedPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly from: bigint;
  readonly maxBytes: number;
}

export interface FetchOrder {
  readonly waitMs: number;
  readonly maxBytes: number;
  /** 0 and -1: no session; 0 and 0: begins one. */
  readonly session: number;
  readonly epoch: number;
  readonly wanted: readonly WantedPartition[];
  readonly forgotten: readonly { readonly topicId: string; readonly partition: number }[];
}
