import { ERROR, type ErrorName } from './protocol.js';

/** What follows from the error code that the leader of a partition answered to a Produce request. */
export type ProduceVerdict =
  | 'written'
  /** This try wrote nothing; the same batch goes to the leader of the partition again. */
  | 'retry'
  /** As `retry`, but this try may have written the batch: if no retry succeeds, the outcome is uncertain. */
  | 'retry_uncertain'
  /** As `retry_uncertain`: the leader has lost the partition, and may have written the batch before. It answers at once, so nobody waits. */
  | 'retry_moved'
  /** This try wrote nothing, because the broker does not know the producer's epoch or sequence: with a new epoch the batch can be written. */
  | 'new_epoch'
  /** As `new_epoch`, but the broker has seen a greater epoch of this producer id: only a new id helps. */
  | 'new_id'
  /** The same bytes would get the same answer; NOT_WRITTEN says whether this try surely wrote nothing. */
  | 'give_up';

/**
 * A retry sends the same bytes with the same sequence number, so that the broker recognises a batch which an earlier try has written, and answers its
 * offset instead of writing it twice (idempotence).
 */
export function verdictOf(error: number): ProduceVerdict {
  switch (error) {
    case ERROR.NONE:
      return 'written';

    // Uncertain: leadership has moved. A broker checks that it leads the partition before it writes, and looks again while it waits for the in-sync
    // replicas: it then gives the same answer for a batch that it has written, and that the new leader may have got from it.
    // The metadata is refreshed before the retry, so that it goes to the new leader.
    case ERROR.NOT_LEADER_OR_FOLLOWER:
      return 'retry_moved';

    // Uncertain for the same reason: the log directory of the leader has failed, before the write or after it.
    case ERROR.KAFKA_STORAGE_ERROR:
      return 'retry_moved';

    // Retriable: an election is not finished, or the request names another leader epoch. The broker checks these before it writes.
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

    // Retriable: the batch was damaged on its way; the broker compares the checksum before it writes.
    case ERROR.CORRUPT_MESSAGE:
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

    // The sequence number does not follow, or the broker has lost its memory of this producer (for example after an unclean election).
    case ERROR.OUT_OF_ORDER_SEQUENCE_NUMBER:
    case ERROR.UNKNOWN_PRODUCER_ID:
      return 'new_epoch';

    case ERROR.INVALID_PRODUCER_EPOCH:
      return 'new_id';

    // Everything else is final: the batch is refused (too large, invalid, not authorised), or the code is not known.
    default:
      return 'give_up';
  }
}

/**
 * Refused: the batch is larger than the topic allows. The leader checks this before it writes, so this try wrote nothing. An earlier try of the same
 * batch may have, when the limit was lowered in between.
 */
export const TOO_LARGE: readonly ErrorName[] = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'];

/** Refused: the leader validates the records before it writes, for example that they have a key in a compacted topic. One bad record refuses its batch. */
export const INVALID: readonly ErrorName[] = ['INVALID_RECORD', 'INVALID_TIMESTAMP'];

/** Refused: the broker checks these before it writes, so this try wrote nothing. An earlier try of the same batch may have. */
export const NOT_WRITTEN: readonly ErrorName[] = [
  ...TOO_LARGE,
  ...INVALID,
  // settings of the topic that this client cannot follow, or a request in a form that the broker does not read
  'UNSUPPORTED_COMPRESSION_TYPE',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'UNSUPPORTED_VERSION',
  'INVALID_REQUEST',
  'INVALID_REQUIRED_ACKS',
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
