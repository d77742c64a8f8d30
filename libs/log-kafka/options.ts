/** What happens inside and an operator may want to see; never data of events. */
export interface KafkaEvent {
  readonly kind:
    | 'producer_renewed'
    | 'append_unknown'
    | 'wrote_elsewhere'
    | 'rejoining'
    | 'member_failed'
    | 'read_failed'
    | 'client_log';
  readonly detail: string;
  readonly topic?: string;
  readonly partition?: number;
}

export interface KafkaLogOptions {
  /** `host:port` of some brokers. */
  readonly brokers: readonly string[];
  /** Before every topic, group and transactional id of this deployment, inside the adapter only. */
  readonly prefix?: string;
  readonly clientId: string;
  /** What claim records say of us (R1): where other parts of the hub reach this process. @default clientId */
  readonly address?: string;
  readonly sasl?: {
    readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
    readonly username: string;
    readonly password: string;
  };
  /** Absent: no TLS. `ca`: PEM of our own authority. */
  readonly tls?: { readonly ca?: string };
  /** @default 3 copies and 2 in sync with three brokers or more, else what the cluster is set to (1 and 1 on a plain broker) */
  readonly replication?: { readonly factor: number; readonly minInSync: number };
  /** How long one append may take before it is `uncertain`. Longer than the longest failover to be bridged. @default 60000 */
  readonly appendDeadlineMs?: number;
  /** How long a silent group member keeps its partitions. @default 10000 */
  readonly sessionMs?: number;
  readonly onEvent?: (event: KafkaEvent) => void;
}
