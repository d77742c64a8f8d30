import { ERROR, type ErrorName } from './protocol.js';

/** What follows from the error code that the leader of a partition answered to a Produce request. */
export type ProduceVerdict =
  | 'written'
  /** This try wrote nothing; the same batch goes to the leader of the partition again. */
  | 'retry'
  /** As `retry`, but this try may have written the batch: if no retry succeeds, the outcome is uncertain. */
  | 'retry_uncertain'
  /** The same bytes would get the same answer: the producer rejects, and TOO_LARGE and NOT_WRITTEN say whether the batch was refused for sure. */
  | 'give_up';

/**
 * A retry sends the same bytes with the same sequence number, so that the broker recognises a batch which an earlier try has written, and answers its
 * offset instead of writing it twice (idempotence).
 */
export function verdictOf(error: number): ProduceVerdict {
  switch (error) {
    case ERROR.NONE:
      return 'written';

    // Retriable: leadership has moved, or an election is not finished. A broker checks that it leads the partition before it writes.
    // The metadata is refreshed before the retry, so that it goes to the new leader.
    case ERROR.NOT_LEADER_OR_FOLLOWER:
    case ERROR.LEADER_NOT_AVAILABLE:
    case ERROR.REPLICA_NOT_AVAILABLE:
    case ERROR.BROKER_NOT_AVAILABLE:
    case ERROR.FENCED_LEADER_EPOCH:
    case ERROR.UNKNOWN_LEADER_EPOCH:
      return 'retry';

    // Retriable: a broker does not know a new topic yet while its metadata lags. If the topic was deleted, the refresh of the metadata
    // before the retry finds that out and ends the retries.
    case ERROR.UNKNOWN_TOPIC_OR_PARTITION:
      return 'retry';

    // Retriable: the in-sync replicas are fewer than min.insync.replicas. The leader checks this before it writes, and it heals when a replica is back.
    case ERROR.NOT_ENOUGH_REPLICAS:
      return 'retry';

    // Retriable: the log directory of the leader has failed; the controller moves the partition to another replica.
    case ERROR.KAFKA_STORAGE_ERROR:
      return 'retry';

    // Retriable: the broker asks the client to slow down, and the pause before a retry does.
    case ERROR.THROTTLING_QUOTA_EXCEEDED:
      return 'retry';

    // Retriable: answers of a coordinator or controller that is loading or moving. No leader gives them to a Produce request without a transaction
    // today; all of Kafka's clients take them as retriable, and none of them follows a write.
    case ERROR.COORDINATOR_LOAD_IN_PROGRESS:
    case ERROR.COORDINATOR_NOT_AVAILABLE:
    case ERROR.NOT_COORDINATOR:
    case ERROR.NOT_CONTROLLER:
      return 'retry';

    // Uncertain: the leader has written the batch, but the in-sync replicas did not confirm it within the timeout of the request, or became too few
    // meanwhile. The batch is lost if another replica becomes leader without it.
    case ERROR.REQUEST_TIMED_OUT:
    case ERROR.NOT_ENOUGH_REPLICAS_AFTER_APPEND:
      return 'retry_uncertain';

    // Uncertain: a connection behind the broker broke before its answer.
    case ERROR.NETWORK_EXCEPTION:
      return 'retry_uncertain';

    // Everything else is final. Among it: the batch is refused (too large, invalid, not authorised), the broker has lost or fenced the producer id
    // (UNKNOWN_PRODUCER_ID, INVALID_PRODUCER_EPOCH), or the sequence number does not follow (OUT_OF_ORDER_SEQUENCE_NUMBER). Only a new producer id helps.
    default:
      return 'give_up';
  }
}

/** Refused: the batch is larger than the topic allows. Each leader checks this before it writes, so no earlier try has written the batch either. */
export const TOO_LARGE: readonly ErrorName[] = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'];

/** Refused: the broker checks these before it writes, so this try wrote nothing. An earlier try of the same batch may have. */
export const NOT_WRITTEN: readonly ErrorName[] = [
  // the leader validates the records, for example that they have a key in a compacted topic
  'INVALID_RECORD',
  // the broker authorises the whole request first
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  // the name of the topic is not allowed, or a policy of the cluster forbids the request
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
];

/**
 * Fenced: a transaction of a writer cannot be committed any more, because another producer took the transactional id, or because the cluster has
 * forgotten ours or aborted it. In both cases the owner has to claim again, read to the end and decide again (R4).
 */
export const FENCED: readonly ErrorName[] = [
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'INVALID_TXN_STATE',
  'INVALID_PRODUCER_ID_MAPPING',
  'UNKNOWN_PRODUCER_ID',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'TRANSACTION_ABORTABLE',
];
